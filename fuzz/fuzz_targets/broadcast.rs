//! Broadcasts of one input: each connection is sent the same bytes, whether they are gathered or not;
//! and of channels whose events may be dropped: who reads slowly is told the exact gaps.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    stentor::engine::laws::broadcast(data);
    stentor::engine::laws::slow_readers(data);
});
