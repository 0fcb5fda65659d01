//! A hierarchical timer wheel: setting and cancelling are O(1), whatever the number of timers.
//!
//! Law: a timer never fires early, and fires at most one tick (2^22 ns, about 4.2 ms) late when
//! [`Wheel::expire`] is called in time. Timers fire in the order of their deadlines, equal ones in
//! the order in which they were set. Seven levels of 64 slots hold every deadline that 64 bits of
//! nanoseconds can name (584 years). A timer costs 24 bytes and its key.
//!
//! A timer lies on the level of the highest group of six bits in which its tick differs from the
//! wheel's, so every timer of a lower level is due before every timer of a higher one, and the
//! first occupied slot of the lowest level is the next thing to do.

#[doc(hidden)]
pub mod laws;

use std::time::Duration;

const TICK_BITS: u32 = 22;
const LEVEL_BITS: u32 = 6;
const LEVELS: usize = 7;
const SLOTS: usize = 1 << LEVEL_BITS;
const LAST_TICK: u64 = (1 << (64 - TICK_BITS)) - 1;

const NONE: u32 = u32::MAX;
/// The place of timers that are due already; the places below it are slots of the wheel.
const DUE: u16 = (LEVELS * SLOTS) as u16;
const FREE: u16 = u16::MAX;

/// A timer that was set. After it fired or was cancelled, it names nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TimerId {
    node: u32,
    generation: u32,
}

#[derive(Clone, Copy, Debug)]
struct Node<K> {
    deadline_ns: u64,
    before: u32,
    after: u32,
    generation: u32,
    place: u16,
    key: K,
}

/// The timers of one loop, each with the key that comes back when it fires.
#[derive(Debug)]
pub struct Wheel<K: Copy> {
    nodes: Vec<Node<K>>,
    free: u32,
    len: usize,
    generation: u32,
    /// Everything up to this tick has fired or lies in the place of what is due.
    tick: u64,
    /// One bit per slot that holds a timer.
    occupied: [u64; LEVELS],
    heads: [u32; LEVELS * SLOTS + 1],
    batch: Vec<u32>,
}

impl<K: Copy> Default for Wheel<K> {
    fn default() -> Self {
        Self {
            nodes: Vec::new(),
            free: NONE,
            len: 0,
            generation: 0,
            tick: 0,
            occupied: [0; LEVELS],
            heads: [NONE; LEVELS * SLOTS + 1],
            batch: Vec::new(),
        }
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

impl<K: Copy> Wheel<K> {
    /// A wheel without timers.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many timers are set.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether no timer is set.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Sets a timer for `deadline` on the monotonic clock; one in the past is due at once.
    pub fn set(&mut self, key: K, deadline: Duration) -> TimerId {
        let generation = self.generation;
        self.generation = generation.wrapping_add(1);
        let deadline_ns = nanoseconds(deadline);
        let node = Node { deadline_ns, before: NONE, after: NONE, generation, place: FREE, key };
        let at = if self.free == NONE {
            debug_assert!(self.nodes.len() < NONE as usize, "a wheel holds 2^32 - 1 timers");
            self.nodes.push(node);
            (self.nodes.len() - 1) as u32
        } else {
            let at = self.free;
            self.free = self.nodes[at as usize].after;
            self.nodes[at as usize] = node;
            at
        };
        self.len += 1;
        self.link(at);
        TimerId { node: at, generation }
    }

    /// Cancels a timer; `false` when it had fired or was cancelled before.
    pub fn cancel(&mut self, timer: TimerId) -> bool {
        match self.nodes.get(timer.node as usize) {
            Some(node) if node.generation == timer.generation && node.place != FREE => {
                self.unlink(timer.node);
                self.release(timer.node);
                true
            }
            _ => false,
        }
    }

    /// When to call [`expire`](Self::expire) next; `None` when no timer is set.
    ///
    /// Never later than the first timer can fire. For one far away it may be earlier: the wheel
    /// then only sorts its timers more finely, at most six times in the life of a timer.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        let tick = if self.heads[DUE as usize] == NONE { self.next_slot()?.1 } else { self.tick };
        Some(Duration::from_nanos(tick << TICK_BITS))
    }

    /// Appends the keys of the timers whose deadline has come to `fired`, in order of deadlines.
    pub fn expire(&mut self, now: Duration, fired: &mut Vec<K>) {
        let target = (nanoseconds(now) >> TICK_BITS).min(LAST_TICK);
        self.fire(fired);
        while let Some((place, tick)) = self.next_slot() {
            if tick > target {
                break;
            }
            self.tick = tick;
            self.scatter(place);
            self.fire(fired);
        }
        self.tick = self.tick.max(target);
        if self.len == 0 && self.nodes.capacity() > 4 * SLOTS {
            self.nodes = Vec::new();
            self.batch = Vec::new();
            self.free = NONE;
        }
    }

    /// The next slot with timers and the tick at which it begins.
    fn next_slot(&self) -> Option<(u16, u64)> {
        let level = self.occupied.iter().position(|bits| *bits != 0)?;
        let slot = self.occupied[level].trailing_zeros();
        let shift = level as u32 * LEVEL_BITS;
        let above = self.tick >> (shift + LEVEL_BITS) << (shift + LEVEL_BITS);
        let place = level as u16 * SLOTS as u16 + slot as u16;
        Some((place, above | u64::from(slot) << shift))
    }

    /// Empties a slot that the wheel has reached: what is due by now, and what is finer sorted.
    fn scatter(&mut self, place: u16) {
        let mut at = std::mem::replace(&mut self.heads[place as usize], NONE);
        self.mark(place);
        while at != NONE {
            let after = self.nodes[at as usize].after;
            self.link(at);
            at = after;
        }
    }

    /// Fires what is due.
    fn fire(&mut self, fired: &mut Vec<K>) {
        let mut at = std::mem::replace(&mut self.heads[DUE as usize], NONE);
        let mut batch = std::mem::take(&mut self.batch);
        while at != NONE {
            batch.push(at);
            at = self.nodes[at as usize].after;
        }
        batch.sort_unstable_by_key(|at| {
            let node = &self.nodes[*at as usize];
            (node.deadline_ns, node.generation)
        });
        for at in batch.drain(..) {
            fired.push(self.nodes[at as usize].key);
            self.release(at);
        }
        self.batch = batch;
    }

    /// Puts a timer in the place where its deadline belongs, seen from the present tick.
    fn link(&mut self, at: u32) {
        let deadline_ns = self.nodes[at as usize].deadline_ns;
        // Rounded up: a timer must never fire early.
        let tick = deadline_ns.div_ceil(1 << TICK_BITS).min(LAST_TICK);
        let place = if tick <= self.tick {
            DUE
        } else {
            let level = (tick ^ self.tick).ilog2() / LEVEL_BITS;
            let slot = tick >> (level * LEVEL_BITS) & (SLOTS as u64 - 1);
            level as u16 * SLOTS as u16 + slot as u16
        };
        let head = std::mem::replace(&mut self.heads[place as usize], at);
        if head != NONE {
            self.nodes[head as usize].before = at;
        }
        let node = &mut self.nodes[at as usize];
        (node.before, node.after, node.place) = (NONE, head, place);
        self.mark(place);
    }

    fn unlink(&mut self, at: u32) {
        let Node { before, after, place, .. } = self.nodes[at as usize];
        if after != NONE {
            self.nodes[after as usize].before = before;
        }
        if before == NONE {
            self.heads[place as usize] = after;
            self.mark(place);
        } else {
            self.nodes[before as usize].after = after;
        }
    }

    fn release(&mut self, at: u32) {
        let node = &mut self.nodes[at as usize];
        (node.place, node.after) = (FREE, self.free);
        self.free = at;
        self.len -= 1;
    }

    /// Makes the bit of a slot say whether the slot holds timers.
    fn mark(&mut self, place: u16) {
        let (level, slot) = (place as usize / SLOTS, place as usize % SLOTS);
        if let Some(bits) = self.occupied.get_mut(level) {
            let bit = 1 << slot;
            *bits = if self.heads[place as usize] == NONE { *bits & !bit } else { *bits | bit };
        }
    }
}

#[cfg(test)]
mod tests;
