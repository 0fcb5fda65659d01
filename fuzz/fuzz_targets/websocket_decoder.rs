//! WebSocket frames: the same messages however cut, none over its limit, an echo is what was sent.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| stentor::protocol::websocket::laws::websocket_decoder(
    data
));
