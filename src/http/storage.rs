//! Whether the store has room, as `/readyz` tells it: said by the thread that writes, read by every
//! loop.
//!
//! Law: full from the first refused write until one succeeds. Limit: without writes nobody finds out
//! that there is room again, so after [`DOUBT`] without a refusal it counts as having some; the next
//! write will show.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// So long one refused write is believed.
const DOUBT: Duration = Duration::from_secs(30);

/// Shared by whoever writes and whoever is asked.
#[derive(Clone, Debug, Default)]
pub struct Storage(Arc<AtomicU64>);

impl Storage {
    /// A write was refused for lack of room, at this time of the monotonic clock.
    pub fn refused(&self, now: Duration) {
        self.0.store(millis(now).max(1), Relaxed);
    }

    /// A write succeeded.
    pub fn written(&self) {
        self.0.store(0, Relaxed);
    }

    /// Whether writes are refused.
    #[must_use]
    pub fn is_full(&self, now: Duration) -> bool {
        let at = self.0.load(Relaxed);
        at != 0 && millis(now) < at.saturating_add(millis(DOUBT))
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
