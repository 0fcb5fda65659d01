//! Broadcasts of one input: each connection is sent the same bytes, whether they are gathered or not.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| stentor::engine::laws::broadcast(data));
