//! What a channel in memory remembers: its newest publications, as they were sent.
//!
//! Law: what is kept ends at the newest offset and has no hole. An entry is a reference to the frame
//! that was sent. Limits: `history_messages`, `history_seconds`, and [`PAGE_BYTES_MAX`] for what is
//! given at once.

use std::collections::VecDeque;
use std::time::Duration;

use crate::base::hash::{IdMap, id_map, wide_hash};
use crate::base::now::Moment;
use crate::protocol::frame::Frame;

/// The frames of one page: a page must fit into the queue of its receiver.
pub const PAGE_BYTES_MAX: usize = 256 * 1024;

/// A place in a channel that somebody has seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Since {
    /// The offset last seen; 0 before the first.
    pub offset: u64,
    /// The numbering that the offset belongs to.
    pub epoch: Box<str>,
}

/// A part of a history, ascending.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// Each with its offset.
    pub events: Vec<(u64, Frame)>,
    /// Whether nothing is missing between the place asked for and the first event.
    pub recovered: bool,
    /// Whether there are more after the last.
    pub more: bool,
}

impl Page {
    /// Leaves out what would make it longer than `bytes`, but not the first event.
    pub fn shorten(&mut self, bytes: usize) {
        let (mut left, mut fitting) = (bytes, 0);
        for (_, frame) in &self.events {
            let Some(rest) = left.checked_sub(frame.line().len()) else { break };
            left = rest;
            fitting += 1;
        }
        let fitting = fitting.max(1);
        self.more |= self.events.len() > fitting;
        self.events.truncate(fitting);
    }

    /// Leaves out the oldest instead: the newest event stays.
    fn shorten_from_the_front(&mut self, bytes: usize) {
        let (mut left, mut fitting) = (bytes, 0);
        for (_, frame) in self.events.iter().rev() {
            let Some(rest) = left.checked_sub(frame.line().len()) else { break };
            left = rest;
            fitting += 1;
        }
        let beyond = self.events.len().saturating_sub(fitting.max(1));
        self.events.drain(..beyond);
    }
}

/// The name that a publisher gave a publication, mixed with the publisher's id under the seed of the
/// process: two are the same only if name and publisher are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mark(u128);

impl Mark {
    /// The mark of what `user` calls `client_id`.
    #[must_use]
    pub fn new(seed: u64, user: &str, client_id: &str) -> Self {
        // No id of a user holds this byte.
        Self(wide_hash(seed, [user.as_bytes(), &[0xff], client_id.as_bytes()]))
    }
}

/// How much is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Keep {
    pub(super) messages: usize,
    pub(super) time: Duration,
}

impl Keep {
    pub(super) const NOTHING: Self = Self { messages: 0, time: Duration::ZERO };
}

#[derive(Debug)]
struct Kept {
    at: Moment,
    frame: Frame,
}

/// The newest publications of one channel.
#[derive(Debug)]
pub(super) struct History {
    entries: VecDeque<Kept>,
    /// The newest offset, kept or not.
    top: u64,
    /// Of the blocks of all entries.
    bytes: usize,
    seen: Option<Box<Seen>>,
}

/// Which publications had names.
#[derive(Debug)]
struct Seen {
    by_mark: IdMap<Mark, u64>,
    /// Oldest first.
    order: VecDeque<(u64, Mark)>,
}

/// What an entry costs beside its block.
const ENTRY_BYTES: usize = size_of::<Kept>();

impl History {
    pub(super) const fn new() -> Self {
        Self { entries: VecDeque::new(), top: 0, bytes: 0, seen: None }
    }

    pub(super) const fn top(&self) -> u64 {
        self.top
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// When the oldest entry came.
    pub(super) fn oldest(&self) -> Option<Duration> {
        self.entries.front().map(|kept| kept.at.into())
    }

    /// The offset of the oldest entry, or the next one if there is none.
    fn first(&self) -> u64 {
        self.top + 1 - self.entries.len() as u64
    }

    /// The next publication will be of this offset: the store numbers it.
    pub(super) fn expect(&mut self, offset: u64) {
        if offset != self.top + 1 {
            self.clear();
            self.top = offset.saturating_sub(1);
        }
    }

    /// Numbers the next publication.
    pub(super) const fn next(&mut self) -> u64 {
        self.top += 1;
        self.top
    }

    /// Makes room for one more; gives a frame that is not needed any more.
    pub(super) fn make_room(&mut self, keep: Keep) -> Option<Frame> {
        let mut spare = None;
        while self.entries.len() >= keep.messages.max(1) {
            spare = self.forget_oldest();
        }
        spare
    }

    /// Remembers the newest publication.
    pub(super) fn push(&mut self, frame: Frame, mark: Option<Mark>, now: Duration) {
        self.bytes += frame.block_bytes() + ENTRY_BYTES;
        self.entries.push_back(Kept { at: now.into(), frame });
        if let Some(mark) = mark {
            let fresh = || Box::new(Seen { by_mark: id_map(0), order: VecDeque::new() });
            let seen = self.seen.get_or_insert_with(fresh);
            seen.by_mark.insert(mark, self.top);
            seen.order.push_back((self.top, mark));
        }
    }

    /// The offset at which a publication of this name is remembered.
    pub(super) fn find(&self, mark: Mark) -> Option<u64> {
        self.seen.as_ref()?.by_mark.get(&mark).copied()
    }

    fn forget_oldest(&mut self) -> Option<Frame> {
        let kept = self.entries.pop_front()?;
        self.bytes -= kept.frame.block_bytes() + ENTRY_BYTES;
        let first = self.first();
        if let Some(seen) = &mut self.seen {
            while let Some((_, mark)) = seen.order.pop_front_if(|(offset, _)| *offset < first) {
                seen.by_mark.remove(&mark);
            }
            if seen.order.is_empty() {
                self.seen = None;
            }
        }
        Some(kept.frame)
    }

    /// Forgets what is older than it may be.
    pub(super) fn expire(&mut self, keep: Keep, now: Duration) {
        while self.oldest().is_some_and(|at| at.saturating_add(keep.time) <= now) {
            self.forget_oldest();
        }
        if self.entries.is_empty() {
            self.entries = VecDeque::new();
        }
    }

    /// Forgets everything but the numbering.
    pub(super) fn clear(&mut self) {
        *self = Self { top: self.top, ..Self::new() };
    }

    /// What came after a place, or without one the newest page.
    pub(super) fn page(&self, after: Option<u64>, limit: usize) -> Page {
        let (first, all) = (self.first(), self.entries.len());
        let from = match after {
            // What is left, from where it begins.
            Some(after) => usize::try_from((after + 1).saturating_sub(first)).unwrap_or(all),
            None => all.saturating_sub(limit),
        };
        let from = from.min(all);
        let kept = self.entries.range(from..).take(limit);
        let numbered = kept.zip(first + from as u64..);
        let mut page = Page {
            events: numbered.map(|(kept, offset)| (offset, kept.frame.clone())).collect(),
            recovered: after.is_none_or(|after| after + 1 >= first && after <= self.top),
            more: all - from > limit,
        };
        match after {
            Some(_) => page.shorten(PAGE_BYTES_MAX),
            None => page.shorten_from_the_front(PAGE_BYTES_MAX),
        }
        page
    }
}

#[cfg(test)]
mod tests;
