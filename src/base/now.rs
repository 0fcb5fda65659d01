//! The one time value that is handed down; below the event loop nobody reads a clock.

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
