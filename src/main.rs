//! The binary: flags and configuration in, a running server out.
#![forbid(unsafe_code)]

fn main() {}
