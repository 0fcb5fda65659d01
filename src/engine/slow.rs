//! Slow receivers: what they are not sent, what they are told of it, and when nothing is left but to
//! part (SPEC §5).
//!
//! Law: what may not be dropped closes the connection when there is no room for it; what may be is
//! dropped as its class says, and told. For who has more than the soft limit queued for
//! `outbox_soft_ms`, the soft limit is all the room there is; if what may not be dropped is what takes
//! it, the connection is closed. Only that keeps a connection from being read: a queue that is
//! thinned is bounded by itself.

use super::connection::Stage;
use super::io::{Output, Outputs};
use super::metrics::DropLabel;
use super::outbox::{Bytes, Drops, Room};
use super::{DoorLabel, Engine};
use crate::base::id::ConnectionId;
use crate::base::now::Now;
use crate::handler::{Close, Gap, Handler, Tag};
use crate::message::close::SLOW_CONSUMER;
use crate::protocol::frame::Draft;

impl<H: Handler> Engine<H> {
    /// Queues a critical event, or one that may be dropped.
    pub(super) fn queue_event(
        &mut self,
        to: ConnectionId,
        bytes: Bytes,
        tag: Tag,
        out: &mut Outputs<H>,
    ) -> Room {
        let Some(found) = self.connections.get_mut(to) else { return Room::Queued };
        let (before, limit) = (found.outbox.bytes(), found.room(&self.config));
        let more = bytes.as_slice().len();
        let fits = before.saturating_add(more) <= limit && found.slow().is_none();
        let (room, drops) = if fits {
            found.outbox.push(bytes, tag, limit, &mut self.spares);
            (Room::Queued, Drops::default())
        } else {
            let (outbox, slow) = found.thinning();
            outbox.push_event(slow, bytes, tag, limit, &mut self.spares)
        };
        let after = found.outbox.bytes();
        if !fits || after > self.config.outbox_soft_bytes {
            self.touched.push(to);
        }
        if room == Room::Queued
            && tag.class.may_be_dropped()
            && let Some(door) = found.transport.door()
        {
            self.metrics.sent.add_at(DoorLabel::from(door), 1);
        }
        if before == 0 && after > 0 {
            out.list.push(Output::Transmit(to));
        }
        self.metrics.queued_bytes.add(after as i64 - before as i64);
        self.count(&drops);
        room
    }

    fn count(&self, drops: &Drops) {
        let Drops { oldest, newest, latest, gaps } = *drops;
        let classes = [
            (DropLabel::DropOldest, oldest),
            (DropLabel::DropNewest, newest),
            (DropLabel::Latest, latest),
        ];
        for (class, dropped) in classes.into_iter().filter(|(_, dropped)| *dropped > 0) {
            self.metrics.dropped.add_at(class, dropped);
        }
        self.metrics.gaps.add(u64::try_from(gaps).unwrap_or_default());
    }

    /// A subscription ends or begins anew: what was dropped is told up to here.
    pub(super) fn settle_channel(&mut self, id: ConnectionId, channel: u32) {
        let Some(found) = self.connections.get_mut(id) else { return };
        if found.stage == Stage::Open && !found.outbox.is_empty() {
            let (outbox, slow) = found.thinned();
            let drops = outbox.settle(slow, channel, &mut self.spares);
            self.touched.push(id);
            self.count(&drops);
        }
    }

    /// The queue is full of what may not be lost: nothing is left but to part (SPEC §5).
    pub(super) fn slow_consumer(&mut self, now: Now, id: ConnectionId, out: &mut Outputs<H>) {
        // What is gathered goes the way of what is queued: behind a hole nothing may follow but the
        // Close frame.
        self.end_run(out);
        self.slow.retain(|slow| *slow != id);
        if self.connections.get(id).is_some_and(|found| found.stage == Stage::Open) {
            self.give_up_queue(id);
            self.close(now, id, Close::new(SLOW_CONSUMER, "slow consumer"), out);
        }
    }

    /// A connection with a hole in its queue ends for another reason before it is parted with for the
    /// hole: what was queued behind that is not sent either.
    pub(super) fn drop_behind_hole(&mut self, id: ConnectionId) {
        let before = self.slow.len();
        self.slow.retain(|slow| *slow != id);
        if self.slow.len() < before {
            self.give_up_queue(id);
        }
    }

    fn give_up_queue(&mut self, id: ConnectionId) {
        let Some(found) = self.connections.get_mut(id) else { return };
        self.metrics.slow_consumers.add(1);
        let before = found.outbox.bytes();
        found.outbox.clear();
        found.forgive();
        found.set_awaited(None);
        self.metrics.queued_bytes.add(found.outbox.bytes() as i64 - before as i64);
    }

    /// The queue was over its soft limit for so long that only that is room from now on.
    pub(super) fn slow_for_long(&mut self, now: Now, id: ConnectionId, out: &mut Outputs<H>) {
        let Some(found) = self.connections.get_mut(id) else { return };
        let (outbox, slow) = found.thinning();
        if outbox.kept_bytes(slow) > self.config.outbox_soft_bytes / 2 {
            return self.slow_consumer(now, id, out);
        }
        slow.late = true;
        // What may not be dropped is looked at again after as long.
        slow.since = Some(now.monotonic.into());
    }

    /// Whether the queue is too long, and whether what may not be dropped makes it so.
    pub(super) fn judge(&mut self, now: Now, id: ConnectionId, out: &mut Outputs<H>) {
        let Some(found) = self.connections.get_mut(id) else { return };
        let (soft, limit) = (self.config.outbox_soft_bytes, self.config.outbox_bytes);
        let queued = found.outbox.bytes();
        let (outbox, slow) = found.thinning();
        // Between half and all of it, who was over is neither read nor forgiven: a peer that takes a
        // little and then nothing more is as slow as one that takes nothing.
        if queued > soft {
            slow.since.get_or_insert_with(|| now.monotonic.into());
        } else if queued <= soft / 2 {
            (slow.since, slow.late) = (None, false);
        }
        let kept = outbox.kept_bytes(slow);
        let is_over = queued <= soft.min(limit) / 2;
        if kept > soft {
            found.throttled = true;
        } else if kept <= soft / 2 {
            found.throttled = false;
        }
        self.write_gaps(now, id, is_over, out);
        if is_over && let Some(found) = self.connections.get_mut(id) {
            found.forgive();
        }
    }

    /// Writes the gaps that have a place; `all`: those too that no event has followed.
    fn write_gaps(&mut self, now: Now, id: ConnectionId, all: bool, out: &mut Outputs<H>) {
        let Some(found) = self.connections.get_mut(id) else { return };
        let Some(door) = found.transport.door() else { return };
        let (is_open, translated) = (found.stage == Stage::Open, found.translated);
        let (outbox, slow) = found.thinning();
        let before = outbox.bytes();
        let drops =
            if all && is_open { outbox.tell_all(slow, &mut self.spares) } else { Drops::default() };
        while let Some(place) = slow.pop_unwritten() {
            let Some((channel, hole)) = outbox.gap_at(slow, place) else { continue };
            let gap = Gap { connection: id, channel, from: hole.from, to: hole.to };
            let draft = Draft::new(self.spares.buffers.pop().unwrap_or_default());
            let mut frame = self.handler.gap(now, &gap, draft);
            if translated && let Some(text) = frame.take() {
                frame = Self::said(&mut self.spares, &self.metrics, text.payload(), true);
                self.spares.recycle(text.into_buffer());
            }
            outbox.write_gap(slow, place, frame, door);
        }
        outbox.close_up(slow);
        let after = outbox.bytes();
        // They may stand before what is awaited.
        found.await_more(after.saturating_sub(before));
        if before == 0 && after > 0 {
            out.list.push(Output::Transmit(id));
        }
        self.metrics.queued_bytes.add(after as i64 - before as i64);
        self.count(&drops);
    }
}
