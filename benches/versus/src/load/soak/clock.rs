//! The time of a run, which stands still while somebody stops the bench itself (SIGSTOP): that says
//! nothing of the server, and what was due meanwhile is due later.

use std::time::{Duration, Instant};

/// A turn of the load takes milliseconds; one that takes so long was not its own.
const STOPPED: Duration = Duration::from_secs(1);

pub(crate) struct Clock {
    start: Instant,
    last: Instant,
    paused: Duration,
}

impl Clock {
    pub(crate) fn start() -> Self {
        let start = Instant::now();
        Self { start, last: start, paused: Duration::ZERO }
    }

    /// To be asked at least once in each turn.
    pub(crate) fn now(&mut self) -> Duration {
        let now = Instant::now();
        let turn = now - self.last;
        if turn > STOPPED {
            self.paused += turn;
        }
        self.last = now;
        now - self.start - self.paused
    }

    /// For how long it stood still.
    pub(crate) const fn paused(&self) -> Duration {
        self.paused
    }
}
