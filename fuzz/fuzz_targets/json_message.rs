//! JSON messages of a client: what is accepted other parsers read the same, what is written is one line.
#![no_main]
use stentor::codec::json::laws;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    laws::json_message(data);
    laws::json_value(data);
});
