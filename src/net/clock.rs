//! The clock: the one place where the server asks what time it is.
#![expect(clippy::disallowed_methods, reason = "somebody has to ask")]

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::base::now::Now;

/// A clock whose monotonic time is counted from its start; copies of it agree.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: Instant,
}

impl Clock {
    /// A clock that starts now.
    #[must_use]
    pub fn start() -> Self {
        Self { origin: Instant::now() }
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Now {
        Now { monotonic: self.monotonic(), unix_ms: unix_ms() }
    }

    /// The time, when it was last asked for at `before`: within a millisecond the other clock, which
    /// is told in milliseconds, is not looked at again.
    #[must_use]
    pub fn now_after(&self, before: Now) -> Now {
        let monotonic = self.monotonic();
        let parts = |time: Duration| (time.as_secs(), time.subsec_millis());
        if parts(monotonic) == parts(before.monotonic) {
            return Now { monotonic, ..before };
        }
        Now { monotonic, unix_ms: unix_ms() }
    }

    /// The monotonic time alone.
    #[must_use]
    pub fn monotonic(&self) -> Duration {
        self.origin.elapsed()
    }
}

fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn within_a_millisecond_the_wall_is_looked_at_once_and_never_later() {
        let clock = Clock::start();
        let mut before = Now { unix_ms: 7, ..clock.now() };
        let last = before.monotonic + Duration::from_millis(20);
        let mut kept = 0;
        while before.monotonic < last {
            let now = clock.now_after(before);
            let same = now.monotonic.as_millis() == before.monotonic.as_millis();
            if same {
                assert_eq!(now.unix_ms, before.unix_ms);
                kept += 1;
            } else {
                assert!(now.unix_ms.abs_diff(unix_ms()) < 1_000);
            }
            before = now;
        }
        assert!(kept > 0);
    }
}
