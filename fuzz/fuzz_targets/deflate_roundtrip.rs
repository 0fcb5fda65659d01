//! Compression: what one end compresses the other unfolds, in any terms and at any level.
#![no_main]
use stentor::protocol::websocket::deflate::laws;

libfuzzer_sys::fuzz_target!(|data: &[u8]| laws::deflate_roundtrip(data));
