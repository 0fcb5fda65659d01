//! Lines: the same however cut, the input again when joined, never over the limit.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| stentor::protocol::line::laws::line(data));
