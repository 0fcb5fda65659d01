//! Fuzzes the law of the same name in `src/protocol/websocket/laws.rs`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| stentor::protocol::websocket::laws::fuzz_handshake(data));
