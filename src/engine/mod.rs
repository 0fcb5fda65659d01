//! One loop's state, without sockets, threads or clocks: inputs and the time in, outputs out.

pub mod io;

pub use io::{Accepted, Input, Output, Outputs};
