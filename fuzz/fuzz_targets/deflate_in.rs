//! Compressed messages: the same however cut, nothing past the cap and one byte, dead after an error;
//! what is accepted miniz_oxide reads the same.
#![no_main]
use stentor::protocol::websocket::deflate::laws;

#[path = "../../tests/rfc7692/oracle.rs"]
mod oracle;

libfuzzer_sys::fuzz_target!(|data: &[u8]| laws::deflate_in(data, oracle::stream));
