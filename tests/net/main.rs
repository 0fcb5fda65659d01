//! The event loops on real sockets: port 0, no sleeps, every wait has a deadline.
#![forbid(unsafe_code)]

mod admission;
mod compression;
mod echo;
mod fair;
mod life;
mod process;
mod support;
mod work;
