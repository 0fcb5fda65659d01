//! Configurations: read or complained of with key and place; what was read, written out, reads the same.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| stentor::config::laws::config(data));
