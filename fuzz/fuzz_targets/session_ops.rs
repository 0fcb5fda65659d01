//! Connections of one engine: all is heard in order, nothing twice, nothing after the end, bytes counted.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| stentor::engine::laws::session_ops(data));
