//! Exponential back-off with full jitter: each wait is drawn evenly from zero up to a doubling ceiling.
//!
//! Full jitter spreads the return of many who failed at the same moment. Whoever needs a wait that
//! is never zero (a listener out of file descriptors) takes [`Backoff::ceiling`] itself.

use crate::base::rng::Rng;
use std::time::Duration;

/// How long to wait before each next attempt.
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    attempts: u32,
}

impl Backoff {
    /// A back-off whose ceiling is `first`, then twice that each time, never above `longest`.
    #[must_use]
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, attempts: 0 }
    }

    /// How many waits were drawn since the last success.
    #[must_use]
    pub const fn attempts(&self) -> u32 {
        self.attempts
    }

    /// The longest that the next wait can be.
    #[must_use]
    pub fn ceiling(&self) -> Duration {
        let doubled = 1u32.checked_shl(self.attempts).and_then(|by| self.first.checked_mul(by));
        doubled.unwrap_or(self.longest).min(self.longest)
    }

    /// The next wait, and one attempt more.
    pub fn next(&mut self, rng: &mut Rng) -> Duration {
        let ceiling = u64::try_from(self.ceiling().as_nanos()).unwrap_or(u64::MAX);
        self.attempts = self.attempts.saturating_add(1);
        Duration::from_nanos(rng.below(ceiling.saturating_add(1)))
    }

    /// An attempt succeeded: the next failure starts again at the shortest wait.
    pub const fn reset(&mut self) {
        self.attempts = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ceiling_doubles_up_to_the_longest() {
        let mut backoff = Backoff::new(Duration::from_secs(3), Duration::from_secs(30));
        let mut rng = Rng::new(1);
        for expected in [3, 6, 12, 24, 30, 30] {
            assert_eq!(backoff.ceiling(), Duration::from_secs(expected));
            assert!(backoff.next(&mut rng) <= Duration::from_secs(expected));
        }
        backoff.attempts = u32::MAX;
        assert_eq!(backoff.ceiling(), Duration::from_secs(30));
        backoff.next(&mut rng);
        backoff.reset();
        assert_eq!((backoff.attempts(), backoff.ceiling()), (0, Duration::from_secs(3)));
    }

    #[test]
    fn waits_are_spread_over_the_whole_range() {
        let mut rng = Rng::new(2);
        let waits: Vec<_> = (0..400)
            .map(|_| Backoff::new(Duration::from_millis(400), Duration::MAX).next(&mut rng))
            .collect();
        for quarter in 0..4u32 {
            let range =
                Duration::from_millis(100) * quarter..Duration::from_millis(100) * (quarter + 1);
            let hits = waits.iter().filter(|wait| range.contains(*wait)).count();
            assert!((60..140).contains(&hits), "{quarter}: {hits}");
        }
    }
}
