//! The real binary on real sockets: two doors into one room, and what a kill leaves behind.
//!
//! Nothing waits for time to pass: each wait is for something that must come, within a deadline.
#![cfg(feature = "cli")]

mod admin;
mod crash;
mod doors;
mod inbox;
mod presence;
mod resume;
mod rooms;
mod server;
mod tls;
mod worker;
