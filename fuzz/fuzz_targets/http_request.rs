//! HTTP requests: the same however cut, nothing httparse refuses, bodies within their cap.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| stentor::protocol::http::laws::http_request(data));
