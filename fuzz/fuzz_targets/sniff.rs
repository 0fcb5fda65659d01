//! The first bytes: the answer never flips and depends on 16 bytes at most.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| stentor::protocol::sniff::laws::sniff(data));
