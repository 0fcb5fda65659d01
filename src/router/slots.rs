//! The order of a connection (SPEC §3): requests take effect in order and are answered in order.
//!
//! Each unanswered request has a slot. One that may not start yet waits as text; one that is
//! answered out of turn keeps its reply until those before it are answered. A call of a backend
//! starts in its turn too, and then stands aside: it counts, and holds up nobody.

use std::collections::VecDeque;

use crate::base::arena::Key;
use crate::base::id::LoopId;
use crate::message::fault::Fault;
use crate::protocol::frame::OwnFrame;

/// What a request may overlap with: only requests of the same lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    /// Starts when all before it are answered, and nothing starts before it is.
    Alone,
    /// `message`: one fsync for many.
    Store,
    /// `publish` and `typing`, which go to the home of their channel: its words keep their order,
    /// so the event of a publication cannot overtake the reply of an earlier one.
    Home(LoopId),
    /// `publish` to a durable channel: by the store, and then by the home of the channel, which keeps
    /// the order of commits; one fsync for many.
    Log(LoopId),
    /// A call of a backend: starts when all before it are answered, and is answered when ready.
    Free,
}

/// The number of every request of [`Lane::Free`] that has started.
pub(super) const FREE: u64 = u64::MAX;

/// A longer queue is not kept for the next connection.
const QUEUE_KEPT: usize = 16;
/// Queues that are kept: as many connections can have a request under way without an allocation.
const SPARES_KEPT: usize = 256;

/// A request that may not start yet.
#[derive(Debug)]
pub(super) enum Waiting {
    /// Its text, to be decoded again.
    Object(Box<str>),
    /// A binary message, to be decoded again.
    Binary(Box<[u8]>),
    /// A line that holds no request, and why.
    Line(Box<Fault>),
}

#[derive(Debug)]
enum Slot {
    Waiting(Waiting),
    Running(Lane),
    Ready(OwnFrame),
}

impl Waiting {
    const fn bytes(&self) -> usize {
        match self {
            Self::Object(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
            Self::Line(_) => 0,
        }
    }
}

/// The unanswered requests of one connection, oldest first. While there are none it owns no memory:
/// most connections are idle.
#[derive(Debug, Default)]
pub(super) struct Slots {
    unanswered: Option<Box<Unanswered>>,
    /// The number of the first in the queue.
    first: u64,
}

/// The queue of a connection that waits for an answer.
#[derive(Debug, Default)]
struct Unanswered {
    queue: VecDeque<Slot>,
    waiting: usize,
    waiting_bytes: usize,
    /// Requests of [`Lane::Free`] that have started.
    free: usize,
    /// Those of them that wait for a backend.
    calls: Vec<Key>,
}

/// Empty queues for the next ones who ask something.
#[derive(Debug, Default)]
#[expect(clippy::vec_box, reason = "they move in and out as boxes")]
pub(super) struct Spares(Vec<Box<Unanswered>>);

impl Unanswered {
    /// Whether a request of this lane may overlap with the first `before` of the queue.
    fn is_compatible(&self, before: usize, lane: Lane) -> bool {
        let mut ahead = self.queue.iter().take(before);
        match lane {
            Lane::Alone | Lane::Free => before == 0,
            Lane::Store | Lane::Home(_) | Lane::Log(_) => ahead.all(|slot| match slot {
                Slot::Waiting(_) => false,
                Slot::Running(other) => *other == lane,
                Slot::Ready(_) => true,
            }),
        }
    }

    /// The first request that waits with its place, if its `lane` allows it to start now.
    fn next(&mut self, lane: impl FnOnce(&Waiting) -> Lane) -> Option<(usize, Waiting)> {
        if self.waiting == 0 {
            return None;
        }
        let at = self.queue.iter().position(|slot| matches!(slot, Slot::Waiting(_)))?;
        let Some(Slot::Waiting(request)) = self.queue.get(at) else { return None };
        let lane = lane(request);
        if !self.is_compatible(at, lane) {
            return None;
        }
        let slot = if lane == Lane::Free {
            // It is the first.
            self.free += 1;
            self.queue.pop_front()?
        } else {
            std::mem::replace(self.queue.get_mut(at)?, Slot::Running(lane))
        };
        let Slot::Waiting(request) = slot else { return None };
        self.waiting -= 1;
        self.waiting_bytes -= request.bytes();
        Some((at, request))
    }
}

impl Slots {
    pub(super) fn len(&self) -> usize {
        self.unanswered.as_ref().map_or(0, |all| all.queue.len() + all.free)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn waiting_bytes(&self) -> usize {
        self.unanswered.as_ref().map_or(0, |all| all.waiting_bytes)
    }

    /// Whether a request of this lane may start behind those in the queue.
    pub(super) fn may_start(&self, lane: Lane) -> bool {
        let may = |all: &Unanswered| all.waiting == 0 && all.is_compatible(all.queue.len(), lane);
        self.unanswered.as_deref().is_none_or(may)
    }

    fn all(&mut self, spares: &mut Spares) -> &mut Unanswered {
        self.unanswered.get_or_insert_with(|| spares.0.pop().unwrap_or_default())
    }

    /// A request starts now. Gives its number.
    pub(super) fn start(&mut self, lane: Lane, spares: &mut Spares) -> u64 {
        let first = self.first;
        let all = self.all(spares);
        if lane == Lane::Free {
            all.free += 1;
            return FREE;
        }
        all.queue.push_back(Slot::Running(lane));
        first + all.queue.len() as u64 - 1
    }

    /// A request waits for its turn.
    pub(super) fn wait(&mut self, request: Waiting, spares: &mut Spares) {
        let bytes = request.bytes();
        let all = self.all(spares);
        all.queue.push_back(Slot::Waiting(request));
        all.waiting += 1;
        all.waiting_bytes += bytes;
    }

    /// Whether something was begun that is not answered yet.
    pub(super) fn is_running(&self) -> bool {
        let running = |slot: &Slot| matches!(slot, Slot::Running(_));
        self.unanswered.as_ref().is_some_and(|all| all.free > 0 || all.queue.iter().any(running))
    }

    /// A request of [`Lane::Free`] waits for a backend.
    pub(super) fn calls(&mut self, key: Key) {
        if let Some(all) = &mut self.unanswered {
            all.calls.push(key);
        }
    }

    /// It does not any more.
    pub(super) fn called(&mut self, key: Key) {
        if let Some(all) = &mut self.unanswered {
            all.calls.retain(|known| *known != key);
        }
    }

    /// All that wait for a backend.
    pub(super) fn take_calls(&mut self) -> Vec<Key> {
        self.unanswered.as_mut().map(|all| std::mem::take(&mut all.calls)).unwrap_or_default()
    }

    /// A request of [`Lane::Free`] has its answer, which may go out at once.
    pub(super) fn answer_free(&mut self, spares: &mut Spares) {
        if let Some(all) = &mut self.unanswered {
            debug_assert!(all.free > 0, "it was started");
            all.free = all.free.saturating_sub(1);
        }
        self.give_back(spares);
    }

    /// A queue that nothing stands in is for whoever asks next.
    fn give_back(&mut self, spares: &mut Spares) {
        if let Some(done) = self.unanswered.take_if(|all| all.queue.is_empty() && all.free == 0)
            && done.queue.capacity() <= QUEUE_KEPT
            && spares.0.len() < SPARES_KEPT
        {
            spares.0.push(done);
        }
    }

    /// The request has its answer.
    pub(super) fn answer(&mut self, number: u64, reply: OwnFrame) {
        let at = number.checked_sub(self.first).and_then(|at| usize::try_from(at).ok());
        let queue = self.unanswered.as_mut().map(|all| &mut all.queue);
        match at.and_then(|at| queue?.get_mut(at)) {
            Some(slot @ Slot::Running(_)) => *slot = Slot::Ready(reply),
            other => debug_assert!(false, "slot {number} is answered once: {other:?}"),
        }
    }

    /// The next reply that may go out.
    pub(super) fn pop(&mut self, spares: &mut Spares) -> Option<OwnFrame> {
        let all = self.unanswered.as_mut()?;
        if !matches!(all.queue.front(), Some(Slot::Ready(_))) {
            return None;
        }
        self.first += 1;
        let reply = all.queue.pop_front();
        self.give_back(spares);
        match reply {
            Some(Slot::Ready(reply)) => Some(reply),
            _ => None,
        }
    }

    /// The first request that waits, with its number, if its `lane` allows it to start now.
    pub(super) fn next(&mut self, lane: impl FnOnce(&Waiting) -> Lane) -> Option<(u64, Waiting)> {
        let all = self.unanswered.as_mut()?;
        let before = all.queue.len();
        let (at, request) = all.next(lane)?;
        if all.queue.len() < before {
            self.first += 1;
            return Some((FREE, request));
        }
        Some((self.first + at as u64, request))
    }

    pub(super) fn check(&self) {
        let Some(all) = &self.unanswered else { return };
        let waiting = |slot: &&Slot| matches!(slot, Slot::Waiting(_));
        assert_eq!(all.waiting, all.queue.iter().filter(waiting).count());
        assert!(!all.queue.is_empty() || all.free > 0, "an empty queue is given back");
        assert!(all.calls.len() <= all.free, "only what is free calls");
        assert!(!matches!(all.queue.front(), Some(Slot::Ready(_))), "a ready reply goes out");
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
        std::iter::from_fn(|| slots.pop(&mut Spares::default()))
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
            (Lane::Alone, Lane::Free, false),
            (Lane::Store, Lane::Free, false),
            (Lane::Free, Lane::Free, true),
            (Lane::Free, Lane::Alone, true),
            (Lane::Free, Lane::Store, true),
        ] {
            let mut slots = Slots::default();
            assert!(slots.may_start(next));
            slots.start(running, &mut Spares::default());
            assert_eq!(slots.may_start(next), may, "{next:?} behind {running:?}");
        }
    }

    #[test]
    fn replies_keep_the_order_of_requests() {
        let mut slots = Slots::default();
        let (a, b) = (
            slots.start(Lane::Store, &mut Spares::default()),
            slots.start(Lane::Store, &mut Spares::default()),
        );
        slots.wait(Waiting::Object("c".into()), &mut Spares::default());
        slots.wait(Waiting::Object("d".into()), &mut Spares::default());
        assert!(!slots.may_start(Lane::Store), "nothing overtakes who waits");
        slots.answer(b, reply("b"));
        assert!(popped(&mut slots).is_empty());
        assert!(slots.next(|_| Lane::Alone).is_none());
        slots.answer(a, reply("a"));
        assert_eq!(popped(&mut slots), ["a", "b"]);
        let (c, request) = slots.next(|_| Lane::Alone).expect("c may start");
        assert!(matches!(request, Waiting::Object(text) if &*text == "c"));
        assert!(slots.is_running());
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
    #[test]
    fn a_free_request_starts_in_its_turn_and_then_holds_up_nobody() {
        let mut slots = Slots::default();
        let spares = &mut Spares::default();
        let a = slots.start(Lane::Alone, spares);
        slots.wait(Waiting::Object("call".into()), spares);
        slots.wait(Waiting::Object("b".into()), spares);
        assert!(slots.next(|_| Lane::Free).is_none(), "a comes first");
        slots.answer(a, reply("a"));
        assert_eq!(popped(&mut slots), ["a"]);
        let (call, _) = slots.next(|_| Lane::Free).expect("it may start");
        assert_eq!(call, FREE);
        slots.check();
        let (b, _) = slots.next(|_| Lane::Alone).expect("nothing is before it");
        assert_eq!((b, slots.len()), (2, 2));
        slots.answer(b, reply("b"));
        assert_eq!(popped(&mut slots), ["b"]);
        assert!(slots.is_running() && !slots.is_empty());
        slots.check();
        let again = slots.start(Lane::Free, spares);
        slots.calls(Key { slot: 1, generation: 0 });
        assert_eq!((again, slots.len()), (FREE, 2));
        slots.called(Key { slot: 1, generation: 0 });
        slots.answer_free(spares);
        slots.answer_free(spares);
        assert!(slots.is_empty() && !slots.is_running());
        slots.check();
        assert_eq!(slots.start(Lane::Alone, spares), 3, "numbers go on");
    }
}
