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
mod stage;
mod system_000;
mod system_001;
mod system_003;
mod system_004;
mod tls;
mod tools;
mod worker;
