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
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let unix_ms = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        Now { monotonic: self.monotonic(), unix_ms }
    }

    /// The monotonic time alone.
    #[must_use]
    pub fn monotonic(&self) -> Duration {
        self.origin.elapsed()
    }
}
