//! The timer wheel against a sorted map, and against its laws.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

const DAY: Duration = Duration::from_secs(86_400);
const TICK: Duration = Duration::from_nanos(1 << TICK_BITS);

fn expire(wheel: &mut Wheel<u32>, now: Duration) -> Vec<u32> {
    let mut fired = Vec::new();
    wheel.expire(now, &mut fired);
    fired
}

#[test]
fn a_timer_fires_within_a_tick_of_its_deadline_and_never_early() {
    for nanoseconds in [0, 1, 4_194_303, 4_194_304, 4_194_305, 1_000_000_000, 2_592_000_000_000_000]
    {
        let deadline = Duration::from_nanos(nanoseconds);
        let mut wheel = Wheel::new();
        wheel.set(1, deadline);
        if let Some(before) = deadline.checked_sub(Duration::from_nanos(1)) {
            assert!(expire(&mut wheel, before).is_empty(), "{deadline:?} early");
        }
        assert_eq!(expire(&mut wheel, deadline + TICK), [1], "{deadline:?} late");
        assert!(wheel.is_empty());
    }
}

#[test]
fn waking_when_asked_to_is_enough_and_seldom() {
    let mut wheel = Wheel::new();
    wheel.set(7, 30 * DAY);
    let mut wakes = 0;
    let mut now = Duration::ZERO;
    loop {
        let next = wheel.next_deadline().unwrap();
        assert!(next > now, "no progress at {now:?}");
        now = next;
        wakes += 1;
        if expire(&mut wheel, now) == [7] {
            break;
        }
    }
    assert!(now >= 30 * DAY && now < 30 * DAY + TICK, "{now:?}");
    assert!(wakes <= LEVELS, "{wakes}");
    assert_eq!(wheel.next_deadline(), None);
}

#[test]
fn a_timer_in_the_past_is_due_at_once() {
    let mut wheel = Wheel::new();
    assert!(expire(&mut wheel, DAY).is_empty());
    wheel.set(2, Duration::from_secs(2));
    wheel.set(1, Duration::from_secs(1));
    assert!(wheel.next_deadline().unwrap() <= DAY);
    assert_eq!(expire(&mut wheel, DAY), [1, 2]);
}

#[test]
fn a_cancelled_timer_and_a_stale_id_do_nothing() {
    let mut wheel = Wheel::new();
    let first = wheel.set(1, DAY);
    assert!(wheel.cancel(first));
    assert!(!wheel.cancel(first));
    let second = wheel.set(2, DAY);
    assert!(!wheel.cancel(first), "the slot has another tenant");
    assert_eq!(expire(&mut wheel, 2 * DAY), [2]);
    assert!(!wheel.cancel(second));
}

#[test]
fn the_end_of_time_is_a_deadline_like_any_other() {
    let mut wheel = Wheel::new();
    wheel.set(1, Duration::MAX);
    assert!(expire(&mut wheel, 365 * DAY).is_empty());
    assert_eq!(expire(&mut wheel, Duration::MAX), [1]);
}

#[test]
fn a_timer_is_small() {
    assert!(size_of::<Node<()>>() <= 32);
    assert!(size_of::<Node<u64>>() <= 40);
}

#[test]
fn a_hundred_thousand_timers_take_few_steps_each() {
    let mut wheel = Wheel::new();
    for n in 0..100_000u32 {
        wheel.set(n, Duration::from_micros(u64::from(n) * 900));
    }
    let mut fired = Vec::new();
    let mut wakes = 0;
    while let Some(next) = wheel.next_deadline() {
        wheel.expire(next, &mut fired);
        wakes += 1;
    }
    assert!(fired.iter().copied().eq(0..100_000));
    // 90 seconds are 21,458 ticks; sorting more finely adds one wake in 64.
    assert!(wakes < 22_000, "{wakes}");
    assert_eq!(wheel.nodes.capacity(), 0);
}

#[derive(Clone, Debug)]
enum Step {
    Set(u64),
    Cancel(usize),
    Advance(u64),
    Follow,
}

fn step() -> impl Strategy<Value = Step> {
    let scale =
        prop_oneof![Just(10_000_000u64), Just(100_000_000_000), Just(2_600_000_000_000_000)];
    prop_oneof![
        4 => (scale.clone(), any::<u64>()).prop_map(|(scale, n)| Step::Set(n % scale)),
        2 => any::<prop::sample::Index>().prop_map(|index| Step::Cancel(index.index(1 << 20))),
        2 => (scale, any::<u64>()).prop_map(|(scale, n)| Step::Advance(n % scale)),
        2 => Just(Step::Follow),
    ]
}

proptest! {
    #[test]
    fn agrees_with_a_sorted_map(steps in prop::collection::vec(step(), 1..200)) {
        let mut wheel = Wheel::new();
        let mut model = BTreeMap::new();
        let mut ids = Vec::new();
        let mut now = 0u64;
        for (serial, step) in steps.into_iter().enumerate() {
            match step {
                Step::Set(after) => {
                    let deadline = (now + after).saturating_sub(1_000_000);
                    let id = wheel.set(serial as u32, Duration::from_nanos(deadline));
                    model.insert((deadline, serial as u32), id);
                    ids.push((deadline, serial as u32, id));
                }
                Step::Cancel(at) if !ids.is_empty() => {
                    let (deadline, serial, id) = ids[at % ids.len()];
                    let known = model.remove(&(deadline, serial)).is_some();
                    prop_assert_eq!(wheel.cancel(id), known);
                }
                Step::Cancel(_) => {}
                Step::Advance(by) => now += by,
                Step::Follow => {
                    if let Some(next) = wheel.next_deadline() {
                        now = now.max(next.as_nanos() as u64);
                    }
                }
            }
            let reached = now >> TICK_BITS;
            let mut expected = Vec::new();
            while let Some(entry) = model.first_entry() {
                if entry.key().0.div_ceil(1 << TICK_BITS) > reached {
                    break;
                }
                expected.push(entry.remove_entry().0.1);
            }
            prop_assert_eq!(expire(&mut wheel, Duration::from_nanos(now)), expected);
            prop_assert_eq!(wheel.len(), model.len());
            let first = model.first_key_value().map(|((deadline, _), _)| deadline.div_ceil(1 << TICK_BITS) << TICK_BITS);
            let next = wheel.next_deadline().map(|next| next.as_nanos() as u64);
            prop_assert_eq!(first.is_some(), next.is_some());
            prop_assert!(next <= first && next.is_none_or(|next| next > now), "{:?} {:?} {}", next, first, now);
        }
    }
}
