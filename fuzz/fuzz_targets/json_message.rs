//! JSON messages of a client: `stentor::codec::json::laws` says what has to hold.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| stentor::codec::json::laws::json_message(data));
