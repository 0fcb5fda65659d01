//! The history of a channel against a plain list of what was published.

use super::*;
use crate::protocol::frame::Draft;
use crate::protocol::websocket::Opcode;
use proptest::prelude::*;

pub(super) fn frame(text: &str) -> Frame {
    let mut draft = Draft::new(Vec::new());
    draft.payload().extend_from_slice(text.as_bytes());
    draft.finish(Opcode::Text).share_in(None)
}

fn mark(name: &str) -> Mark {
    Mark::new(7, "ana", name)
}

const NOW: Duration = Duration::from_secs(1000);
const KEEP: Keep = Keep { messages: 3, time: Duration::from_secs(10) };

fn offsets(page: &Page) -> Vec<u64> {
    page.events.iter().map(|(offset, _)| *offset).collect()
}

fn published(count: u64) -> History {
    let mut history = History::new();
    for _ in 0..count {
        history.make_room(KEEP);
        let offset = history.next();
        history.push(frame(&offset.to_string()), None, NOW);
    }
    history
}

#[test]
fn a_page_says_what_is_missing_and_what_is_left() {
    let history = published(5);
    for (after, limit, events, recovered, more) in [
        (None, 10, vec![3, 4, 5], true, false),
        (None, 2, vec![4, 5], true, false),
        (Some(0), 10, vec![3, 4, 5], false, false),
        (Some(1), 10, vec![3, 4, 5], false, false),
        (Some(2), 10, vec![3, 4, 5], true, false),
        (Some(2), 2, vec![3, 4], true, true),
        (Some(0), 1, vec![3], false, true),
        (Some(4), 10, vec![5], true, false),
        (Some(5), 10, vec![], true, false),
        (Some(6), 10, vec![], false, false),
        (Some((1 << 53) - 1), 10, vec![], false, false),
    ] {
        let page = history.page(after, limit);
        assert_eq!(offsets(&page), events, "{after:?} {limit}");
        assert_eq!((page.recovered, page.more), (recovered, more), "{after:?} {limit}");
    }
    assert!(published(0).page(Some(0), 10).recovered, "nothing was, so nothing is missing");
}

#[test]
fn what_is_too_old_or_too_much_goes_and_the_numbers_stay() {
    let mut history = published(5);
    history.expire(KEEP, NOW + KEEP.time - Duration::from_nanos(1));
    assert_eq!(offsets(&history.page(None, 10)), [3, 4, 5]);
    history.expire(KEEP, NOW + KEEP.time);
    assert!(history.is_empty() && history.bytes() == 0 && history.top() == 5);
    assert!(!history.page(Some(4), 10).recovered && history.page(Some(5), 10).recovered);
    assert_eq!(history.next(), 6);
    history.push(frame("6"), None, NOW);
    history.clear();
    assert_eq!((history.is_empty(), history.bytes(), history.top()), (true, 0, 6));
}

#[test]
fn a_page_has_its_bytes_and_at_least_one_event() {
    let mut history = History::new();
    let keep = Keep { messages: 100, ..KEEP };
    for _ in 0..10 {
        history.make_room(keep);
        history.next();
        history.push(frame(&"x".repeat(100_000)), None, NOW);
    }
    let page = history.page(Some(0), 100);
    assert_eq!((offsets(&page), page.recovered, page.more), (vec![1, 2], true, true));
    let page = history.page(None, 100);
    assert_eq!((offsets(&page), page.more), (vec![9, 10], false));
    history.make_room(keep);
    history.next();
    history.push(frame(&"x".repeat(300_000)), None, NOW);
    assert_eq!(offsets(&history.page(Some(10), 100)), [11]);
    assert_eq!(offsets(&history.page(None, 100)), [11]);
}

#[test]
fn a_name_is_remembered_as_long_as_its_publication() {
    let mut history = History::new();
    for name in ["a", "b", "c", "d"] {
        history.make_room(KEEP);
        history.next();
        history.push(frame(name), Some(mark(name)), NOW);
    }
    assert_eq!(history.find(mark("a")), None);
    assert_eq!(history.find(mark("b")), Some(2));
    assert_eq!(history.find(Mark::new(7, "bob", "b")), None);
    assert_eq!(history.find(Mark::new(8, "ana", "b")), None);
    history.expire(KEEP, NOW + KEEP.time);
    assert!(history.find(mark("d")).is_none() && history.seen.is_none());
}

proptest! {
    /// Whatever happens, what is kept is the end of what was published, and every page is a part of
    /// it from the right place.
    #[test]
    fn it_is_the_end_of_what_was_published(
        steps in prop::collection::vec((0..4_u8, 0..40_u64), 1..60),
        messages in 1..6_usize,
    ) {
        let keep = Keep { messages, time: Duration::from_secs(20) };
        let (mut history, mut now) = (History::new(), NOW);
        let mut all: Vec<Duration> = Vec::new();
        for (step, number) in steps {
            now += Duration::from_secs(number / 8);
            history.expire(keep, now);
            match step {
                0 | 1 => {
                    history.make_room(keep);
                    let offset = history.next();
                    all.push(now);
                    history.push(frame(&offset.to_string()), None, now);
                }
                2 => {
                    let page = history.page(Some(number), 4);
                    let left: Vec<u64> = kept(&all, keep, now).collect();
                    let after: Vec<u64> =
                        left.iter().copied().filter(|offset| *offset > number).collect();
                    prop_assert_eq!(offsets(&page), &after[..after.len().min(4)]);
                    prop_assert_eq!(page.more, after.len() > 4);
                    let missing = (number + 1..=all.len() as u64).any(|o| !left.contains(&o));
                    prop_assert_eq!(page.recovered, !missing && number <= all.len() as u64);
                    for (offset, frame) in &page.events {
                        let text = offset.to_string();
                        prop_assert_eq!(frame.payload(), text.as_bytes());
                    }
                }
                _ => {
                    let left: Vec<u64> = kept(&all, keep, now).collect();
                    prop_assert_eq!(offsets(&history.page(None, 100)), left);
                }
            }
            let bytes: usize =
                history.entries.iter().map(|k| k.frame.block_bytes() + ENTRY_BYTES).sum();
            prop_assert_eq!(history.bytes(), bytes);
        }
    }
}

/// The offsets that are to be kept of what was published at these times.
fn kept(all: &[Duration], keep: Keep, now: Duration) -> impl Iterator<Item = u64> {
    let fresh = all.iter().filter(move |at| **at + keep.time > now).count().min(keep.messages);
    all.len() as u64 - fresh as u64 + 1..=all.len() as u64
}
