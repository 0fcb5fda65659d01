//! Broadcasts of one input, gathered: what many are sent in a row becomes one entry on each queue.
//!
//! A publisher with many messages in flight has them read in one piece, so each of its receivers
//! is visited, queued for and written to once, not once for each message, and the bytes that all of
//! them get lie in one block.
//!
//! Law: each receiver gets the same bytes in the same order as if every broadcast had been queued
//! at once. So a run ends before anything else is done to one of its members, and with its input.
//! Limit: [`RUN_BYTES_MAX`].

use std::sync::Arc;

use super::compression::{Form, Terms};
use super::connection::Stage;
use super::io::{Output, Outputs};
use super::outbox::{Bytes, Room, Spares};
use super::{DoorLabel, Engine};
use crate::base::id::ConnectionId;
use crate::handler::{Door, Handler, Segment, Tag};
use crate::protocol::frame::{Common, Frame};

/// Longer runs are ended, so that a queue's limit is judged before much more is gathered.
const RUN_BYTES_MAX: usize = 64 * 1024;

/// Frames for the same receivers, in order.
#[derive(Debug, Default)]
pub(super) struct Run {
    frames: Vec<Common>,
    receivers: Vec<ConnectionId>,
    /// The receivers by slot, one bit each; of a former tenant too, which does no harm.
    members: Vec<u64>,
    bytes: usize,
    tag: Option<Tag>,
}

impl Run {
    pub(super) const fn is_empty(&self) -> bool {
        self.tag.is_none()
    }

    /// Whether something waits here for this connection.
    pub(super) fn has(&self, connection: ConnectionId) -> bool {
        let word = self.members.get(connection.slot as usize / 64).copied().unwrap_or_default();
        !self.is_empty() && word >> (connection.slot % 64) & 1 == 1
    }

    fn continues(&self, receivers: &[ConnectionId], frame: &Common, tag: Tag) -> bool {
        self.tag.is_some_and(|before| before.class == tag.class)
            && self.bytes + frame.line().len() <= RUN_BYTES_MAX
            && are_the_same(&self.receivers, receivers)
    }

    fn begin(&mut self, receivers: &[ConnectionId], tag: Tag) {
        self.receivers.extend_from_slice(receivers);
        for receiver in receivers {
            let place = receiver.slot as usize / 64;
            if place >= self.members.len() {
                self.members.resize(place + 1, 0);
            }
            self.members[place] |= 1 << (receiver.slot % 64);
        }
        self.tag = Some(tag);
    }

    /// Empties it and keeps its memory.
    fn clear(&mut self, spares: &mut Spares) {
        for receiver in self.receivers.drain(..) {
            self.members[receiver.slot as usize / 64] = 0;
        }
        self.frames.drain(..).for_each(|frame| recycle(frame, spares));
        self.bytes = 0;
        self.tag = None;
    }
}

/// Whether both lists hold the same in the same order. Looks at all of them, many at a time: lists of
/// one length are the same as good as always, and are compared for each message of a run.
fn are_the_same(ours: &[ConnectionId], theirs: &[ConnectionId]) -> bool {
    let differ =
        |(a, b): (&ConnectionId, &ConnectionId)| (a.slot ^ b.slot) | (a.generation ^ b.generation);
    ours.len() == theirs.len()
        && ours.iter().zip(theirs).map(differ).fold(0, |all, one| all | one) == 0
}

/// The frames of a run in one language as their receivers get them; each form is made for the first
/// who needs it.
#[derive(Debug, Default)]
struct Framed {
    /// The only one.
    only: Option<Frame>,
    /// Those of a door in one piece.
    blocks: [Option<Arc<[u8]>>; 2],
    compressed: Vec<Form>,
}

impl Framed {
    /// What a door gets.
    fn bytes(&mut self, frames: &[Common], door: Door, spares: &mut Spares) -> Bytes {
        if let [only] = frames {
            return Bytes::Shared(self.only.get_or_insert_with(|| only.share()).clone(), door);
        }
        let place = &mut self.blocks[usize::from(door == Door::Lines)];
        Bytes::Block(Arc::clone(place.get_or_insert_with(|| block(frames, door, spares))))
    }
}

/// What is made of a run for those who do not get it as it is.
#[derive(Debug, Default)]
struct Others {
    /// The frames in the other language.
    translated: Option<Vec<Common>>,
    /// Of the frames as they are, and of those in the other language.
    framed: [Framed; 2],
}

fn block(frames: &[Common], door: Door, spares: &mut Spares) -> Arc<[u8]> {
    let mut block = spares.buffers.pop().unwrap_or_default();
    block.clear();
    for frame in frames {
        block.extend_from_slice(match door {
            Door::WebSocket => frame.websocket(),
            Door::Lines => frame.line(),
        });
    }
    let shared = Arc::from(&block[..]);
    spares.recycle(block);
    shared
}

fn recycle(frame: Common, spares: &mut Spares) {
    if let Common::Own(frame) = frame {
        spares.recycle(frame.into_buffer());
    }
}

impl<H: Handler> Engine<H> {
    /// Sends a frame to many, or lets it wait for the next one for the same.
    pub(super) fn broadcast(
        &mut self,
        receivers: &[ConnectionId],
        frame: Common,
        tag: Tag,
        out: &mut Outputs<H>,
    ) {
        if !tag.class.may_be_gathered() {
            return self.broadcast_each(receivers, frame, tag, out);
        }
        if !self.run.continues(receivers, &frame, tag) {
            self.end_run(out);
            if receivers.is_empty() {
                return recycle(frame, &mut self.spares);
            }
            self.run.begin(receivers, tag);
        }
        self.run.bytes += frame.line().len();
        self.run.frames.push(frame);
    }

    /// Sends a frame to many that is not to be gathered: what may be dropped is dropped by itself.
    fn broadcast_each(
        &mut self,
        receivers: &[ConnectionId],
        frame: Common,
        tag: Tag,
        out: &mut Outputs<H>,
    ) {
        self.end_run(out);
        let shared = frame.share();
        if let Common::Own(frame) = frame {
            self.spares.recycle(frame.into_buffer());
        }
        for &to in receivers {
            let segment = Segment::Shared(shared.clone());
            if self.dispatch(to, segment, tag, &mut None, out) == Room::None {
                self.slow.push(to);
            }
        }
    }

    /// Queues what was gathered.
    pub(super) fn end_run(&mut self, out: &mut Outputs<H>) {
        let Some(tag) = self.run.tag else { return };
        let mut run = std::mem::take(&mut self.run);
        let (mut framed, mut others) = (Framed::default(), Others::default());
        let (mut counts, mut queued) = ([0; 2], 0);
        for &to in &run.receivers {
            let Some(found) = self.connections.get_mut(to) else { continue };
            let Some(door) = found.transport.door().filter(|_| found.stage == Stage::Open) else {
                continue;
            };
            if found.translated || found.terms != Terms::Plain {
                if self.queue_other(to, door, &run.frames, tag, &mut others, out) == Room::None {
                    self.slow.push(to);
                }
                continue;
            }
            counts[usize::from(door == Door::Lines)] += run.frames.len() as u64;
            let bytes = framed.bytes(&run.frames, door, &mut self.spares);
            let (before, limit) = (found.outbox.bytes(), found.room(&self.config));
            if found.outbox.push(bytes, tag, limit, &mut self.spares) == Room::None {
                self.slow.push(to);
            }
            let after = found.outbox.bytes();
            queued += after - before;
            if before == 0 && after > 0 {
                out.list.push(Output::Transmit(to));
            }
            if after > self.config.outbox_soft_bytes {
                self.touched.push(to);
            }
        }
        self.metrics.queued_bytes.add(queued as i64);
        for (door, count) in [Door::WebSocket, Door::Lines].into_iter().zip(counts) {
            self.metrics.sent.add_at(DoorLabel::from(door), count);
        }
        for frame in others.translated.into_iter().flatten() {
            recycle(frame, &mut self.spares);
        }
        run.clear(&mut self.spares);
        if self.run.is_empty() {
            self.run = run;
        }
    }

    /// Queues a run for one who has it compressed, or in the other language.
    fn queue_other(
        &mut self,
        to: ConnectionId,
        door: Door,
        frames: &[Common],
        tag: Tag,
        others: &mut Others,
        out: &mut Outputs<H>,
    ) -> Room {
        let Some(found) = self.connections.get(to) else { return Room::Queued };
        let terms = found.terms;
        let (frames, framed) = if found.translated {
            let frames = others.translated.get_or_insert_with(|| self.translated(frames));
            (&frames[..], &mut others.framed[1])
        } else {
            (frames, &mut others.framed[0])
        };
        self.metrics.sent.add_at(DoorLabel::from(door), frames.len() as u64);
        let compressed = match terms {
            Terms::Plain => None,
            terms => self.compressed_run(to, terms, frames, &mut framed.compressed),
        };
        let bytes = compressed.unwrap_or_else(|| framed.bytes(frames, door, &mut self.spares));
        self.queue(to, bytes, tag, out)
    }
}

#[cfg(test)]
mod tests;
