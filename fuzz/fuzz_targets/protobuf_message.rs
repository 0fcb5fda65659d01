//! Protobuf messages: encoded they come back; the same request, or refusal, as in JSON.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| stentor::codec::laws::protobuf_message(data));
