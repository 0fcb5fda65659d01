//! The one time value that is handed down; below the event loop nobody reads a clock.

use std::num::NonZeroU64;
use std::time::Duration;

/// The time of one turn of a loop: monotonic for deadlines, wall clock for people.
///
/// Deadlines compare [`monotonic`](Self::monotonic) only, so a wall clock that jumps moves no
/// deadline. Time stamps use [`unix_ms`](Self::unix_ms) only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Time since an origin that never changes while the process lives.
    pub monotonic: Duration,
    /// Wall clock, milliseconds since 1970-01-01T00:00:00Z.
    pub unix_ms: u64,
}

impl Now {
    /// The wall clock in whole seconds, as JWT's `exp`, `nbf` and `iat` count it.
    #[must_use]
    pub const fn unix_s(self) -> u64 {
        self.unix_ms / 1000
    }

    /// The deadline `after` from now; saturates, so that no configured duration can overflow it.
    #[must_use]
    pub const fn plus(self, after: Duration) -> Duration {
        self.monotonic.saturating_add(after)
    }
}

/// A point on the monotonic clock in half the room of a [`Duration`]: what connections keep of it.
///
/// Law: whole nanoseconds come back as they were, in the same order. Limit: 584 years.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(NonZeroU64);

impl From<Duration> for Moment {
    fn from(monotonic: Duration) -> Self {
        let seconds = monotonic.as_secs().saturating_mul(1_000_000_000);
        let nanoseconds = seconds.saturating_add(u64::from(monotonic.subsec_nanos()));
        Self(NonZeroU64::MIN.saturating_add(nanoseconds))
    }
}

impl From<Moment> for Duration {
    fn from(moment: Moment) -> Self {
        Self::from_nanos(moment.0.get() - 1)
    }
}

impl Moment {
    /// The moment so many milliseconds later; saturates.
    #[must_use]
    pub const fn plus_ms(self, milliseconds: u64) -> Self {
        Self(self.0.saturating_add(milliseconds.saturating_mul(1_000_000)))
    }

    /// How long ago it was at `now`; nothing when it is still to come.
    #[must_use]
    pub fn elapsed(self, now: Now) -> Duration {
        now.monotonic.saturating_sub(self.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_eight_bytes_and_comes_back_as_it_was() {
        assert_eq!(size_of::<Option<Moment>>(), 8);
        let times = [0, 1, 1_000_000_000, u64::MAX - 1].map(Duration::from_nanos);
        let moments = times.map(Moment::from);
        assert_eq!(moments.map(Duration::from), times);
        assert!(moments.is_sorted());
        assert_eq!(moments[1].plus_ms(2), Duration::from_nanos(2_000_001).into());
        assert_eq!(Moment::from(Duration::MAX), moments[3].plus_ms(u64::MAX));
        let now = Now { monotonic: times[2], unix_ms: 0 };
        assert_eq!((moments[0].elapsed(now), moments[3].elapsed(now)), (times[2], times[0]));
    }
}
