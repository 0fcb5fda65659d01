//! Whole connections: both roles hear what tungstenite hears, however cut, and it hears what they say.
#![no_main]
use stentor::protocol::websocket::laws;

#[path = "../../tests/rfc6455/tungstenite_end.rs"]
mod tungstenite_end;

libfuzzer_sys::fuzz_target!(|data: &[u8]| laws::ws_message(data, tungstenite_end::hear));
