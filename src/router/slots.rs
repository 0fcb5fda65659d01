//! The order of a connection (SPEC §3): requests take effect in order and are answered in order.
//!
//! Each unanswered request has a slot. One that may not start yet waits as text; one that is
//! answered out of turn keeps its reply until those before it are answered.

use std::collections::VecDeque;

use crate::base::id::LoopId;
use crate::message::fault::Fault;
use crate::protocol::frame::OwnFrame;

/// What a request may overlap with: only requests of the same lane, and only these two have one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    /// Starts when all before it are answered, and nothing starts before it is.
    Alone,
    /// `message`: one fsync for many.
    Store,
    /// `publish` and `typing`, which go to the home of their channel: its words keep their order,
    /// so the event of a publication cannot overtake the reply of an earlier one.
    Home(LoopId),
}

/// A request that may not start yet.
#[derive(Debug)]
pub(super) enum Waiting {
    /// Its text, to be decoded again: what waits keeps no borrowed request.
    Object(Box<str>),
    /// What was no object, and what it will be told.
    Refused(Box<Fault>),
}

impl Waiting {
    fn bytes(&self) -> usize {
        match self {
            Self::Object(text) => text.len(),
            Self::Refused(_) => 1,
        }
    }
}

#[derive(Debug)]
enum Slot {
    Waiting(Waiting),
    Running(Lane),
    Ready(OwnFrame),
}

/// The unanswered requests of one connection, oldest first.
#[derive(Debug, Default)]
pub(super) struct Slots {
    queue: VecDeque<Slot>,
    /// The number of the first in the queue.
    first: u64,
    waiting: usize,
    waiting_bytes: usize,
}

impl Slots {
    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(super) const fn waiting_bytes(&self) -> usize {
        self.waiting_bytes
    }

    /// Whether a request of this lane may start behind those in the queue.
    pub(super) fn may_start(&self, lane: Lane) -> bool {
        self.waiting == 0 && self.is_compatible(self.queue.len(), lane)
    }

    /// Whether a request of this lane may overlap with the first `before` of the queue.
    fn is_compatible(&self, before: usize, lane: Lane) -> bool {
        let mut ahead = self.queue.iter().take(before);
        match lane {
            Lane::Alone => before == 0,
            Lane::Store | Lane::Home(_) => ahead.all(|slot| match slot {
                Slot::Waiting(_) => false,
                Slot::Running(other) => *other == lane,
                Slot::Ready(_) => true,
            }),
        }
    }

    /// A request starts now. Gives its number.
    pub(super) fn start(&mut self, lane: Lane) -> u64 {
        self.queue.push_back(Slot::Running(lane));
        self.first + self.queue.len() as u64 - 1
    }

    /// A request waits for its turn.
    pub(super) fn wait(&mut self, waiting: Waiting) {
        self.waiting += 1;
        self.waiting_bytes += waiting.bytes();
        self.queue.push_back(Slot::Waiting(waiting));
    }

    /// The request has its answer.
    pub(super) fn answer(&mut self, number: u64, reply: OwnFrame) {
        let at = number.checked_sub(self.first).and_then(|at| usize::try_from(at).ok());
        match at.and_then(|at| self.queue.get_mut(at)) {
            Some(slot @ Slot::Running(_)) => *slot = Slot::Ready(reply),
            other => debug_assert!(false, "slot {number} is answered once: {other:?}"),
        }
    }

    /// The next reply that may go out.
    pub(super) fn pop(&mut self) -> Option<OwnFrame> {
        if !matches!(self.queue.front(), Some(Slot::Ready(_))) {
            return None;
        }
        self.first += 1;
        match self.queue.pop_front() {
            Some(Slot::Ready(reply)) => Some(reply),
            _ => None,
        }
    }

    /// The first request that waits, with its number, if `lane` of its text allows it to start now.
    pub(super) fn next(&mut self, lane: impl FnOnce(&str) -> Lane) -> Option<(u64, Waiting)> {
        if self.waiting == 0 {
            return None;
        }
        let at = self.queue.iter().position(|slot| matches!(slot, Slot::Waiting(_)))?;
        let lane = match self.queue.get(at) {
            Some(Slot::Waiting(Waiting::Object(text))) => lane(text),
            _ => Lane::Alone,
        };
        if !self.is_compatible(at, lane) {
            return None;
        }
        let slot = std::mem::replace(self.queue.get_mut(at)?, Slot::Running(lane));
        let Slot::Waiting(waiting) = slot else { return None };
        self.waiting -= 1;
        self.waiting_bytes -= waiting.bytes();
        Some((self.first + at as u64, waiting))
    }

    pub(super) fn check(&self) {
        let waiting = |slot: &&Slot| matches!(slot, Slot::Waiting(_));
        assert_eq!(self.waiting, self.queue.iter().filter(waiting).count());
        assert!(!matches!(self.queue.front(), Some(Slot::Ready(_))), "a ready reply goes out");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::frame::Draft;
    use crate::protocol::websocket::Opcode;

    fn reply(text: &str) -> OwnFrame {
        let mut draft = Draft::new(Vec::new());
        draft.payload().extend_from_slice(text.as_bytes());
        draft.finish(Opcode::Text)
    }

    fn popped(slots: &mut Slots) -> Vec<String> {
        std::iter::from_fn(|| slots.pop())
            .map(|frame| String::from_utf8_lossy(frame.payload()).into_owned())
            .collect()
    }

    #[test]
    fn who_may_overlap_with_whom() {
        let home = |n| Lane::Home(LoopId(n));
        for (running, next, may) in [
            (Lane::Alone, Lane::Alone, false),
            (Lane::Alone, Lane::Store, false),
            (Lane::Store, Lane::Alone, false),
            (Lane::Store, Lane::Store, true),
            (Lane::Store, home(0), false),
            (home(0), home(0), true),
            (home(0), home(1), false),
        ] {
            let mut slots = Slots::default();
            assert!(slots.may_start(next));
            slots.start(running);
            assert_eq!(slots.may_start(next), may, "{next:?} behind {running:?}");
        }
    }

    #[test]
    fn replies_keep_the_order_of_requests() {
        let mut slots = Slots::default();
        let (a, b) = (slots.start(Lane::Store), slots.start(Lane::Store));
        for text in ["c", "d"] {
            slots.wait(Waiting::Object(text.into()));
        }
        assert!(!slots.may_start(Lane::Store), "nothing overtakes who waits");
        slots.answer(b, reply("b"));
        assert!(popped(&mut slots).is_empty());
        assert!(slots.next(|_| Lane::Alone).is_none());
        slots.answer(a, reply("a"));
        assert_eq!(popped(&mut slots), ["a", "b"]);
        let (c, waiting) = slots.next(|_| Lane::Alone).expect("c may start");
        assert!(matches!(waiting, Waiting::Object(text) if &*text == "c"));
        assert!(slots.next(|_| Lane::Store).is_none(), "c runs alone");
        slots.answer(c, reply("c"));
        assert_eq!(popped(&mut slots), ["c"]);
        let (d, _) = slots.next(|_| Lane::Store).expect("d may start");
        assert_eq!(d, 3);
        slots.check();
        slots.answer(d, reply("d"));
        assert_eq!(popped(&mut slots), ["d"]);
        assert!(slots.is_empty() && slots.waiting_bytes() == 0);
    }
}
