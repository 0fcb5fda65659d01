//! Timers: fired in order, once, never early, a tick late at most; cancelled ones never.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| stentor::base::timer::laws::timer_wheel(data));
