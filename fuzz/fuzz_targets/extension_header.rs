//! Sec-WebSocket-Extensions: reads again as written; offers are kept or declined, never bent.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| stentor::protocol::websocket::laws::extension_header(
    data
));
