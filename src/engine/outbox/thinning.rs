//! A queue that is too long: what is dropped of it, and where that is told.
//!
//! Law: what is dropped of a channel lies in one gap that stands where the last dropped one stood, so
//! before the next event of that channel; nothing else moves, and what has begun to go out stays. A
//! dropped entry leaves an empty place, which keeps the others where they are; a channel is looked
//! for from where it was last found, so an event costs the same however long the queue is.
//! Limit: a gap is written when the input is over ([`Outbox::write_gap`]), and until then counts for
//! [`GAP_BYTES`] where room is made, and for nothing in the queue.

use super::account::{Account, Drops, Hole, Missing, Slow};
use super::{Bytes, Entry, Outbox, Room, Spares};
use crate::handler::{Class, Door, Tag};
use crate::protocol::frame::OwnFrame;

/// What a gap is taken to need.
const GAP_BYTES: usize = 256;
/// The channel of gaps that no later one takes up.
const SETTLED: u32 = u32::MAX;
/// Fewer empty places are not worth moving the rest.
const DEAD_MIN: usize = 32;

impl Entry {
    const fn dead() -> Self {
        Self { bytes: Bytes::Raw(Vec::new()), tag: Tag::REPLY }
    }

    pub(super) fn is_dead(&self) -> bool {
        !matches!(self.bytes, Bytes::Gap(_)) && self.bytes.as_slice().is_empty()
    }

    /// Whether it is an event of the channel that may be dropped, or a gap of it.
    const fn is_account_of(&self, channel: u32) -> bool {
        self.tag.channel == channel
            && (self.tag.class.may_be_dropped() || matches!(self.bytes, Bytes::Gap(_)))
    }
}

impl Outbox {
    /// Bytes that nobody may drop.
    pub(in crate::engine) const fn kept_bytes(&self, slow: &Slow) -> usize {
        self.bytes.saturating_sub(slow.droppable)
    }

    const fn has_room(&self, more: usize, limit: usize) -> bool {
        self.bytes == 0 || self.bytes.saturating_add(more) <= limit
    }

    /// Queues a critical event, or one that may be dropped; whatever has to, gives way.
    pub(in crate::engine) fn push_event(
        &mut self,
        slow: &mut Slow,
        bytes: Bytes,
        tag: Tag,
        limit: usize,
        spares: &mut Spares,
    ) -> (Room, Drops) {
        let (more, mut drops) = (bytes.as_slice().len(), Drops::default());
        let gap = if slow.is_pending(tag.channel) { GAP_BYTES } else { 0 };
        if !self.has_room(more + gap, limit) {
            let enough = |outbox: &Self| outbox.has_room(more + GAP_BYTES, limit);
            match tag.class {
                Class::Critical => self.thin_all(slow, enough, &mut drops, spares),
                Class::DropOldest => self.thin(slow, tag.channel, enough, &mut drops, spares),
                Class::Latest => self.thin(slow, tag.channel, |_| false, &mut drops, spares),
                Class::DropNewest | Class::Reply | Class::Kick => {}
            }
            if !enough(self) && tag.class == Class::Critical {
                return (Room::None, drops);
            }
            if !enough(self) {
                if tag.offset > 0 {
                    let hole = Hole { from: tag.offset, to: tag.offset };
                    Hole::join(&mut slow.account(tag.channel).pending, hole);
                }
                drops.count(tag.class);
                bury(bytes, spares);
                return (Room::Dropped, drops);
            }
        }
        if gap > 0 {
            self.tell_pending(slow, tag.channel, &mut drops, spares);
        }
        if tag.class.may_be_dropped() {
            slow.droppable += more;
        }
        self.append(Entry { bytes, tag }, more, spares);
        (Room::Queued, drops)
    }

    /// Drops events of a channel, oldest first, until that is enough or none is left.
    fn thin(
        &mut self,
        slow: &mut Slow,
        channel: u32,
        enough: impl Fn(&Self) -> bool,
        drops: &mut Drops,
        spares: &mut Spares,
    ) {
        let begun = usize::from(self.head > 0);
        let &mut Account { seen, gap: before, .. } = slow.account(channel);
        let mut at = slow.index(seen).unwrap_or_default().max(begun);
        let (mut hole, mut last) = (None, None);
        while !enough(self) && at < self.entries.len() {
            if self.entries[at].is_account_of(channel) {
                if last.is_none() {
                    // The gap before it becomes a part of the one that begins here.
                    let index = before.and_then(|place| slow.index(place));
                    let index = index.filter(|index| {
                        (begun..at).contains(index) && self.entries[*index].is_account_of(channel)
                    });
                    index.into_iter().for_each(|index| {
                        self.drop_at(index, slow, &mut hole, drops, spares);
                    });
                }
                self.drop_at(at, slow, &mut hole, drops, spares);
                last = Some(at);
            }
            at += 1;
        }
        let seen = slow.gone + at as u64;
        slow.account(channel).seen = seen;
        if let (Some(hole), Some(last)) = (hole, last) {
            // Its place is the one that became empty last.
            let missing = Missing { channel, hole, frame: None };
            let tag = Tag { channel, ..Tag::REPLY };
            self.entries[last] = Entry { bytes: Bytes::Gap(Box::new(missing)), tag };
            slow.dead -= 1;
            drops.gaps += 1;
            let place = slow.gone + last as u64;
            slow.unwritten.push(place);
            slow.account(channel).gap = Some(place);
        }
        self.shed(slow);
    }

    /// Drops events of any channel until that is enough or none is left.
    fn thin_all(
        &mut self,
        slow: &mut Slow,
        enough: impl Fn(&Self) -> bool,
        drops: &mut Drops,
        spares: &mut Spares,
    ) {
        while !enough(self) {
            let begun = usize::from(self.head > 0);
            let may = |entry: &&Entry| entry.tag.class.may_be_dropped();
            let Some(first) = self.entries.iter().skip(begun).find(may) else { return };
            let (channel, before) = (first.tag.channel, *drops);
            self.thin(slow, channel, &enough, drops, spares);
            if *drops == before {
                debug_assert!(false, "what was found is dropped");
                return;
            }
        }
    }

    /// Empties a place; what was there is in `hole` now.
    fn drop_at(
        &mut self,
        at: usize,
        slow: &mut Slow,
        hole: &mut Option<Hole>,
        drops: &mut Drops,
        spares: &mut Spares,
    ) {
        let Some(place) = self.entries.get_mut(at) else { return };
        let Entry { bytes, tag } = std::mem::replace(place, Entry::dead());
        let length = bytes.as_slice().len();
        self.bytes -= length;
        slow.dead += 1;
        if let Bytes::Gap(missing) = &bytes {
            Hole::join(hole, missing.hole);
            drops.gaps -= 1;
        } else {
            slow.droppable -= length;
            drops.count(tag.class);
            if tag.offset > 0 {
                Hole::join(hole, Hole { from: tag.offset, to: tag.offset });
            }
        }
        bury(bytes, spares);
    }

    /// The first entry is never an empty place, so that an empty queue has no entries.
    fn shed(&mut self, slow: &mut Slow) {
        while self.head == 0 && self.entries.front().is_some_and(Entry::is_dead) {
            self.entries.pop_front();
            slow.gone += 1;
            slow.dead -= 1;
        }
    }

    /// What was dropped of the channel since its last event is told here.
    fn tell_pending(
        &mut self,
        slow: &mut Slow,
        channel: u32,
        drops: &mut Drops,
        spares: &mut Spares,
    ) {
        let Some(hole) = slow.account(channel).pending.take() else { return };
        let missing = Missing { channel, hole, frame: None };
        slow.unwritten.push(slow.gone + self.entries.len() as u64);
        drops.gaps += 1;
        let tag = Tag { channel, ..Tag::REPLY };
        self.append(Entry { bytes: Bytes::Gap(Box::new(missing)), tag }, 0, spares);
    }

    /// Everything that was dropped is told, though no event follows.
    pub(in crate::engine) fn tell_all(&mut self, slow: &mut Slow, spares: &mut Spares) -> Drops {
        let mut drops = Drops::default();
        let channels: Vec<u32> = slow.accounts.iter().map(|account| account.channel).collect();
        channels
            .into_iter()
            .for_each(|channel| self.tell_pending(slow, channel, &mut drops, spares));
        drops
    }

    /// What is queued of the channel has nothing to do with what comes of it later.
    pub(in crate::engine) fn settle(
        &mut self,
        slow: Option<&mut Slow>,
        channel: u32,
        spares: &mut Spares,
    ) -> Drops {
        let (mut drops, mut kept) = (Drops::default(), 0);
        let mut slow = slow;
        if let Some(slow) = slow.as_deref_mut().filter(|slow| slow.is_pending(channel)) {
            self.tell_pending(slow, channel, &mut drops, spares);
        }
        for entry in self.entries.iter_mut().filter(|entry| entry.is_account_of(channel)) {
            if entry.tag.class.may_be_dropped() {
                kept += entry.bytes.as_slice().len();
            }
            entry.tag = Tag { channel: SETTLED, ..Tag::REPLY };
        }
        if let Some(slow) = slow {
            slow.droppable -= kept;
            slow.accounts.retain(|account| account.channel != channel);
        }
        drops
    }

    /// The gap at that place, if it is still there and not written.
    pub(in crate::engine) fn gap_at(&self, slow: &Slow, place: u64) -> Option<(u32, Hole)> {
        match &self.entries.get(slow.index(place)?)?.bytes {
            Bytes::Gap(missing) if missing.frame.is_none() => Some((missing.channel, missing.hole)),
            _ => None,
        }
    }

    /// Writes it; without a frame its place stays empty.
    pub(in crate::engine) fn write_gap(
        &mut self,
        slow: &mut Slow,
        place: u64,
        frame: Option<OwnFrame>,
        door: Door,
    ) {
        let entry = slow.index(place).and_then(|index| self.entries.get_mut(index));
        match (entry, frame) {
            (Some(Entry { bytes: Bytes::Gap(missing), .. }), Some(frame)) => {
                missing.frame = Some((frame, door));
                self.bytes += missing.as_slice().len();
            }
            (Some(entry), _) => {
                *entry = Entry::dead();
                slow.dead += 1;
            }
            (None, _) => {}
        }
    }

    /// Closes up when half of all places are empty. Every gap must be written.
    pub(in crate::engine) fn close_up(&mut self, slow: &mut Slow) {
        debug_assert!(slow.is_written(), "places change");
        self.shed(slow);
        if slow.dead < DEAD_MIN || slow.dead < self.entries.len() / 2 {
            return;
        }
        self.entries.retain(|entry| !entry.is_dead());
        slow.dead = 0;
        for account in &mut slow.accounts {
            (account.seen, account.gap) = (slow.gone, None);
        }
    }

    /// As [`sent`](Self::sent), of a queue that is too long.
    pub(in crate::engine) fn sent_slow(
        &mut self,
        sent: usize,
        slow: &mut Slow,
        spares: &mut Spares,
    ) {
        let (mut left, mut skip) = (sent, self.head as usize);
        for entry in &self.entries {
            let length = entry.bytes.as_slice().len();
            if left < length - skip {
                break;
            }
            left -= length - skip;
            skip = 0;
            slow.gone += 1;
            slow.dead -= usize::from(entry.is_dead());
            if entry.tag.class.may_be_dropped() {
                slow.droppable -= length;
            }
        }
        self.sent(sent, spares);
    }

    /// Panics when what is known of the queue is not so.
    pub(in crate::engine) fn check(&self, slow: &Slow) {
        let fresh = Slow::of(self);
        assert_eq!(slow.droppable, fresh.droppable, "what may be dropped is counted");
        assert_eq!(slow.dead, fresh.dead, "empty places are counted");
        assert!(self.head > 0 || !self.entries.front().is_some_and(Entry::is_dead), "shed");
        assert!(slow.is_written(), "every gap is written");
    }
}

/// What is dropped gives its buffer back.
fn bury(bytes: Bytes, spares: &mut Spares) {
    match bytes {
        Bytes::Own(frame, _) => spares.recycle(frame.into_buffer()),
        Bytes::Gap(missing) => {
            if let Some((frame, _)) = missing.frame {
                spares.recycle(frame.into_buffer());
            }
        }
        Bytes::Shared(..) | Bytes::Block(_) | Bytes::Raw(_) | Bytes::Rest(_) => {}
    }
}

#[cfg(test)]
mod tests;
