//! What is known of a queue while it is too long: since when, how much of it may be dropped, and what
//! was dropped of which channel.
//!
//! Places are those of entries, counted through: they stay as they are when the first ones leave.

use super::{Entry, Outbox};
use crate::base::now::Moment;
use crate::handler::{Class, Door};
use crate::protocol::frame::OwnFrame;

/// Where places begin: what the kernel did not take of a message comes before the first.
const FIRST_PLACE: u64 = 1 << 32;

/// The offsets of a channel that are missing, both inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) struct Hole {
    pub(in crate::engine) from: u64,
    pub(in crate::engine) to: u64,
}

impl Hole {
    /// The two as one; what lies between them was not for this connection.
    const fn and(self, later: Self) -> Self {
        Self { from: self.from, to: later.to }
    }

    pub(super) fn join(before: &mut Option<Self>, later: Self) {
        *before = Some(before.map_or(later, |before| before.and(later)));
    }
}

/// A gap in its place; empty until it is written.
#[derive(Debug)]
pub(in crate::engine) struct Missing {
    /// The number of its channel, however the queue goes on to use that.
    pub(super) channel: u32,
    pub(super) hole: Hole,
    pub(super) frame: Option<(OwnFrame, Door)>,
}

impl Missing {
    pub(super) fn as_slice(&self) -> &[u8] {
        match &self.frame {
            None => &[],
            Some((frame, Door::WebSocket)) => frame.websocket(),
            Some((frame, Door::Lines)) => frame.line(),
        }
    }
}

/// How many events were dropped, by class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::engine) struct Drops {
    pub(in crate::engine) oldest: u64,
    pub(in crate::engine) newest: u64,
    pub(in crate::engine) latest: u64,
    /// Gaps that are new, less those that are a part of another now.
    pub(in crate::engine) gaps: i64,
}

impl Drops {
    pub(super) fn count(&mut self, class: Class) {
        match class {
            Class::DropOldest => self.oldest += 1,
            Class::DropNewest => self.newest += 1,
            Class::Latest => self.latest += 1,
            Class::Reply | Class::Critical | Class::Kick => {}
        }
    }
}

/// What is known of a channel of which something was dropped.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) channel: u32,
    /// Before this place no event of it is left to be dropped.
    pub(super) seen: u64,
    /// Where its last gap before that place is.
    pub(super) gap: Option<u64>,
    /// What was dropped since its last queued event.
    pub(super) pending: Option<Hole>,
}

/// What is known of a queue while it is too long. Places are counted from when that began.
#[derive(Debug)]
pub(in crate::engine) struct Slow {
    /// Since when more is queued than the soft limit; none while it is not.
    pub(in crate::engine) since: Option<Moment>,
    /// That is too long ago: what goes over the soft limit finds no room.
    pub(in crate::engine) late: bool,
    /// Bytes of what may be dropped.
    pub(super) droppable: usize,
    /// Entries that have left.
    pub(super) gone: u64,
    /// Empty places.
    pub(super) dead: usize,
    pub(super) accounts: Vec<Account>,
    /// Places of gaps that are to be written.
    pub(super) unwritten: Vec<u64>,
}

impl Slow {
    /// Of a queue that just became too long.
    pub(in crate::engine) fn of(outbox: &Outbox) -> Self {
        let may = |entry: &&Entry| entry.tag.class.may_be_dropped();
        let lengths = outbox.entries.iter().filter(may).map(|entry| entry.bytes.as_slice().len());
        Self {
            since: None,
            late: false,
            droppable: lengths.sum(),
            gone: FIRST_PLACE,
            dead: outbox.entries.iter().filter(|entry| entry.is_dead()).count(),
            accounts: Vec::new(),
            unwritten: Vec::new(),
        }
    }

    /// Something was queued before everything else.
    pub(in crate::engine) const fn pushed_front(&mut self) {
        self.gone -= 1;
    }

    pub(super) fn account(&mut self, channel: u32) -> &mut Account {
        let known = self.accounts.iter().position(|account| account.channel == channel);
        let at = known.unwrap_or_else(|| {
            self.accounts.push(Account { channel, seen: 0, gap: None, pending: None });
            self.accounts.len() - 1
        });
        &mut self.accounts[at]
    }

    pub(super) fn is_pending(&self, channel: u32) -> bool {
        let of = |account: &Account| account.channel == channel && account.pending.is_some();
        self.accounts.iter().any(of)
    }

    /// Where an entry that stood there stands now.
    pub(super) fn index(&self, place: u64) -> Option<usize> {
        place.checked_sub(self.gone).and_then(|index| usize::try_from(index).ok())
    }

    /// The next place with a gap to be written.
    pub(in crate::engine) fn pop_unwritten(&mut self) -> Option<u64> {
        self.unwritten.pop()
    }

    /// Whether every gap is written that has a place.
    pub(in crate::engine) fn is_written(&self) -> bool {
        self.unwritten.is_empty()
    }
}
