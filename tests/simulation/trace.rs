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
        let numbers = [at.as_micros() as u64, what.1 as u64, bytes.len() as u64];
        numbers.into_iter().for_each(|number| self.mix(number));
        for part in what.0.as_bytes().chunks(8).chain(bytes.chunks(8)) {
            let mut word = [0; 8];
            word[..part.len()].copy_from_slice(part);
            self.mix(u64::from_le_bytes(word));
        }
        if self.loud {
            let text = String::from_utf8_lossy(bytes);
            eprintln!("{:>12} {} {} {}", at.as_micros(), what.0, what.1, text.escape_debug());
        }
    }

    const fn mix(&mut self, number: u64) {
        self.hash = (self.hash ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    }

    pub(crate) const fn hash(&self) -> u64 {
        self.hash
    }
}
