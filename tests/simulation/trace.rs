//! What happened, as a number that two runs must agree on, and as text when somebody looks.

use std::time::Duration;

/// The hash of a run.
#[derive(Default)]
pub(crate) struct Trace {
    hash: u64,
    loud: bool,
    pub(crate) events: u64,
}

impl Trace {
    /// Nothing has happened; `loud` prints what does.
    pub(crate) fn new(loud: bool) -> Self {
        Self { loud, ..Self::default() }
    }

    /// Something happened to `what` with these bytes.
    pub(crate) fn note(&mut self, at: Duration, what: (&str, usize), bytes: &[u8]) {
        self.events += 1;
        let numbers = [at.as_micros() as u64, what.1 as u64];
        let parts = numbers.iter().flat_map(|n| n.to_le_bytes());
        for byte in parts.chain(what.0.bytes()).chain(bytes.iter().copied()) {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3).rotate_left(5);
        }
        if self.loud {
            let text = String::from_utf8_lossy(bytes);
            eprintln!("{:>12} {} {} {}", at.as_micros(), what.0, what.1, text.escape_debug());
        }
    }

    pub(crate) const fn hash(&self) -> u64 {
        self.hash
    }
}
