//! What holds for a timer wheel, whatever is done to it; called by tests and by the target `timer_wheel`.
//!
//! Limit: the model is the contract, not the wheel: it says by when a timer has fired, not in which turn.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{TICK_BITS, TimerId, Wheel};

const TICK_NS: u64 = 1 << TICK_BITS;
/// From then on no timer is set for later: the end of what 64 bits hold is to stay far away.
const END_NS: u64 = 1 << 62;

/// A timer fires when its deadline has come and a tick later at most, once, in order, unless it was
/// cancelled; to wake when the wheel asks for it is early enough.
///
/// Input: steps of three octets: what to do, and two that say how much or to which.
///
/// # Panics
///
/// When a law is broken.
pub fn timer_wheel(data: &[u8]) {
    law(data, Wheel::expire);
}

/// How the law lets time pass: [`Wheel::expire`], or something planted to see the law fail.
type Expire = fn(&mut Wheel<u32>, Duration, &mut Vec<u32>);

/// What the contract says: by deadline and by age, what is set.
#[derive(Default)]
struct Model {
    set: BTreeMap<(u64, u32), TimerId>,
    /// Every timer that was ever set, with its place above.
    ever: Vec<(TimerId, (u64, u32))>,
    now: u64,
}

fn law(data: &[u8], expire: Expire) {
    let (mut wheel, mut model) = (Wheel::new(), Model::default());
    for step in data.chunks_exact(3).take(512) {
        let [what, a, b] = [step[0], step[1], step[2]];
        match what & 3 {
            0 | 1 => {
                // A mantissa and an exponent: from nanoseconds to decades, now and then in the past.
                let span = u64::from(b) << (a % 52);
                let now = model.now.min(END_NS);
                let deadline = if what & 4 == 0 { now + span } else { now.saturating_sub(span) };
                model.set(&mut wheel, deadline);
            }
            2 => model.cancel(&mut wheel, usize::from(a) << 8 | usize::from(b)),
            _ => {
                // Never back: a timer that was set near the end may have taken it beyond.
                let span = u64::from(b) << (a % 50);
                let to = (model.now + span).min(END_NS.max(model.now));
                let to = if what & 4 == 0 { to } else { model.asked(&wheel).unwrap_or(to) };
                model.pass(&mut wheel, to, expire);
            }
        }
        model.check(&wheel);
    }
    // Waking only when asked to comes to an end, and nothing is left over.
    for _ in 0..8 * model.ever.len() {
        let Some(next) = model.asked(&wheel) else { break };
        model.pass(&mut wheel, next, expire);
    }
    assert!(wheel.is_empty() && wheel.next_deadline().is_none(), "a timer was lost");
}

impl Model {
    fn set(&mut self, wheel: &mut Wheel<u32>, deadline: u64) {
        let key = self.ever.len() as u32;
        let timer = wheel.set(key, Duration::from_nanos(deadline));
        self.set.insert((deadline, key), timer);
        self.ever.push((timer, (deadline, key)));
    }

    fn cancel(&mut self, wheel: &mut Wheel<u32>, which: usize) {
        if self.ever.is_empty() {
            return;
        }
        let (timer, place) = self.ever[which % self.ever.len()];
        assert_eq!(wheel.cancel(timer), self.set.remove(&place).is_some(), "a stale id is stale");
    }

    /// When the wheel wants to be woken; never in the past.
    fn asked(&self, wheel: &Wheel<u32>) -> Option<u64> {
        wheel.next_deadline().map(|next| (next.as_nanos() as u64).max(self.now))
    }

    fn pass(&mut self, wheel: &mut Wheel<u32>, to: u64, expire: Expire) {
        self.now = to;
        let mut fired = Vec::new();
        expire(wheel, Duration::from_nanos(to), &mut fired);
        let mut last = None;
        for key in fired {
            let (_, place) = self.ever[key as usize];
            assert!(self.set.remove(&place).is_some(), "fired twice, or though it was cancelled");
            assert!(place.0 <= to, "{place:?} fired early, at {to}");
            assert!(last.is_none_or(|last| last < place), "{place:?} fired behind {last:?}");
            last = Some(place);
        }
        let first = self.set.first_key_value().map(|(place, _)| place.0);
        assert!(first.is_none_or(|first| first.saturating_add(TICK_NS) > to), "{first:?} is late");
    }

    fn check(&self, wheel: &Wheel<u32>) {
        assert_eq!(wheel.len(), self.set.len());
        let next = wheel.next_deadline().map(|next| next.as_nanos() as u64);
        assert_eq!(next.is_none(), self.set.is_empty());
        if let (Some(next), Some(((first, _), _))) = (next, self.set.first_key_value()) {
            let due = (*first).max(self.now);
            assert!(next <= due.saturating_add(TICK_NS), "woken at {next}, {first} is late then");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Some timers near and far, one cancelled, one in the past; time in steps small and large.
    const SEED: &[u8] = &[
        0, 10, 7, 0, 30, 200, 1, 45, 3, 4, 22, 9, 3, 21, 3, 2, 0, 1, 0, 22, 1, 3, 40, 9, 7, 0, 0,
        2, 0, 0, 7, 0, 0,
    ];

    #[test]
    fn near_and_far_timers_obey() {
        timer_wheel(SEED);
    }

    #[test]
    #[should_panic(expected = "fired early")]
    fn a_wheel_that_fires_early_breaks_the_law() {
        let steps = [0, 22, 9, 3, 22, 8];
        law(&steps, |wheel, now, fired| {
            wheel.expire(now + Duration::from_nanos(2 * TICK_NS), fired);
        });
    }

    #[test]
    #[should_panic(expected = "is late")]
    fn a_wheel_that_fires_late_breaks_the_law() {
        law(SEED, |wheel, now, fired| {
            wheel.expire(now.saturating_sub(Duration::from_nanos(2 * TICK_NS)), fired);
        });
    }

    #[test]
    #[should_panic(expected = "fired behind")]
    fn a_wheel_that_fires_out_of_order_breaks_the_law() {
        let steps = [0, 0, 9, 0, 0, 5, 0, 0, 200, 3, 30, 200];
        law(&steps, |wheel, now, fired| {
            wheel.expire(now, fired);
            fired.reverse();
        });
    }
}
