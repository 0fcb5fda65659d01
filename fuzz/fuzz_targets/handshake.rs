//! WebSocket handshakes: what is accepted opens at a client, what is refused gets an error status.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| stentor::protocol::websocket::laws::handshake(data));
