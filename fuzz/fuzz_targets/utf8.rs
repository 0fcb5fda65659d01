//! UTF-8 in pieces: refused at the octet at which the standard library knows; Close frames by their payload.
#![no_main]
use stentor::protocol::websocket::laws;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    laws::utf8(data);
    laws::close_payload(data);
});
