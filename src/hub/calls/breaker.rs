//! The circuit breaker of an action: a backend that fails is left alone for a while (SPEC §4).
//!
//! ```text
//! Closed ──5 failures in a row, or 10 of the last 20──▶ Open ──its time is over, one call──▶ HalfOpen
//!   ▲                                                    ▲──────────the call fails────────────┘│
//!   └───────────────────────────────────────────────────────────────the call succeeds──────────┘
//! ```
//! Law: while it is half open exactly one call, the probe, is on its way, and nothing but its end
//! leaves that state. Calls that began before it opened change nothing when they end.

use std::time::Duration;

use crate::metrics::labels;

/// So many failures in a row open it.
const IN_A_ROW: u32 = 5;
/// So many failures open it…
const FAILURES: u32 = 10;
/// …among so many results.
const RESULTS: u32 = 20;
/// When to ask again while a probe is on its way.
const PROBE_WAIT: Duration = Duration::from_secs(1);

labels! {
    /// What a breaker lets through.
    pub enum Phase: "state" {
        /// Everything.
        Closed = "closed",
        /// Nothing.
        Open = "open",
        /// One call, to see.
        HalfOpen = "half_open",
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The last results, the newest in the lowest bit; 1 is a failure.
    Closed {
        results: u32,
    },
    /// Until then.
    Open {
        until: Duration,
    },
    HalfOpen,
}

/// The breaker of one action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Breaker(State);

impl Default for Breaker {
    fn default() -> Self {
        Self(State::Closed { results: 0 })
    }
}

impl Breaker {
    /// What it lets through.
    #[must_use]
    pub const fn phase(&self) -> Phase {
        match self.0 {
            State::Closed { .. } => Phase::Closed,
            State::Open { .. } => Phase::Open,
            State::HalfOpen => Phase::HalfOpen,
        }
    }

    /// Whether it remembers nothing.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a call may begin now.
    ///
    /// # Errors
    /// How long to wait before asking again.
    pub fn may(&self, now: Duration) -> Result<(), Duration> {
        match self.0 {
            State::Open { until } if now < until => Err(until - now),
            State::Closed { .. } | State::Open { .. } => Ok(()),
            State::HalfOpen => Err(PROBE_WAIT),
        }
    }

    /// A call begins that [`Breaker::may`]. Whether it is the probe, which [`Breaker::end`] is told.
    pub fn begin(&mut self) -> bool {
        let probe = matches!(self.0, State::Open { .. });
        if probe {
            self.0 = State::HalfOpen;
        }
        probe
    }

    /// A call has ended; a breaker that opens stays so for `open_for`.
    pub fn end(&mut self, probe: bool, failed: bool, now: Duration, open_for: Duration) {
        let open = State::Open { until: now + open_for };
        match self.0 {
            State::Closed { results } => {
                let results = results << 1 | u32::from(failed);
                let row = results.trailing_ones() >= IN_A_ROW;
                let many = (results & ((1 << RESULTS) - 1)).count_ones() >= FAILURES;
                self.0 = if failed && (row || many) { open } else { State::Closed { results } };
            }
            State::HalfOpen if probe => {
                self.0 = if failed { open } else { State::Closed { results: 0 } };
            }
            State::HalfOpen | State::Open { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN_FOR: Duration = Duration::from_secs(30);
    const START: Duration = Duration::from_secs(1000);

    /// Plays results, `x` for a failure, and gives the phases they lead to.
    fn play(breaker: &mut Breaker, results: &str) -> Phase {
        for result in results.chars() {
            breaker.end(false, result == 'x', START, OPEN_FOR);
        }
        breaker.phase()
    }

    #[test]
    fn what_opens_it() {
        for (results, phase) in [
            ("", Phase::Closed),
            ("xxxx", Phase::Closed),
            ("xxxxx", Phase::Open),
            ("xxxx.x", Phase::Closed),
            ("xxxx.xxxx", Phase::Closed),
            ("xxxx.xxxx.xx", Phase::Open),
            // The tenth failure, with the first of them twenty results ago.
            ("x...........xxxx.xxxx.x", Phase::Closed),
            ("x.........xxxx.xxxx.x", Phase::Closed),
            ("x........xxxx.xxxx.x", Phase::Open),
            ("..x.x.x.x.x.x.x.x.x", Phase::Closed),
            ("..x.x.x.x.x.x.x.x.x.x", Phase::Open),
        ] {
            assert_eq!(play(&mut Breaker::default(), results), phase, "{results}");
        }
    }

    #[test]
    fn every_state_hears_every_end() {
        let closed = Breaker::default();
        let mut open = closed;
        play(&mut open, "xxxxx");
        let mut half = open;
        assert_eq!(half.may(START + OPEN_FOR), Ok(()));
        assert!(half.begin());
        for (state, probe, failed, next) in [
            (closed, false, false, Phase::Closed),
            (closed, false, true, Phase::Closed),
            (closed, true, false, Phase::Closed),
            (closed, true, true, Phase::Closed),
            (open, false, false, Phase::Open),
            (open, false, true, Phase::Open),
            (open, true, false, Phase::Open),
            (open, true, true, Phase::Open),
            (half, false, false, Phase::HalfOpen),
            (half, false, true, Phase::HalfOpen),
            (half, true, false, Phase::Closed),
            (half, true, true, Phase::Open),
        ] {
            let mut breaker = state;
            breaker.end(probe, failed, START, OPEN_FOR);
            assert_eq!(breaker.phase(), next, "{state:?} {probe} {failed}");
        }
    }

    #[test]
    fn one_probe_at_a_time_and_only_when_the_time_is_over() {
        let mut breaker = Breaker::default();
        assert!(!breaker.begin(), "a closed one needs no probe");
        play(&mut breaker, "xxxxx");
        let late = START + Duration::from_secs(29);
        assert_eq!(breaker.may(late), Err(Duration::from_secs(1)));
        let over = START + OPEN_FOR;
        assert_eq!(breaker.may(over), Ok(()));
        assert!(breaker.begin(), "this is the probe");
        assert_eq!(breaker.may(over), Err(PROBE_WAIT));
        breaker.end(true, true, over, OPEN_FOR);
        assert_eq!(breaker.may(over + OPEN_FOR / 2), Err(OPEN_FOR / 2));
        assert!(breaker.begin());
        breaker.end(true, false, over + OPEN_FOR, OPEN_FOR);
        assert!(breaker.is_fresh(), "what was before is forgotten");
    }
}
