//! Chunked bodies: the same however cut, what the grammar says, within the limit.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| stentor::protocol::http::laws::http_chunked(data));
