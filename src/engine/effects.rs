//! What the handler asked for, carried out in order.

use std::ops::Range;

use super::compression::Terms;
use super::connection::Stage;
use super::io::{Output, Outputs};
use super::outbox::{Bytes, Room};
use super::transport::Transport;
use super::{DoorLabel, Engine};
use crate::base::id::ConnectionId;
use crate::base::now::Now;
use crate::handler::{Back, Class, Close, Door, Effect, Handler, Kind, Segment, Tag};
use crate::protocol::http::Response;
use crate::protocol::websocket::{CloseCode, Opcode, encoder};

/// The message being handled, which may be sent back.
#[derive(Debug)]
pub(super) struct Lent<'a> {
    connection: ConnectionId,
    kind: Kind,
    place: Place<'a>,
}

#[derive(Debug)]
enum Place<'a> {
    /// In what was received.
    Within { bytes: &'a mut [u8], payload: Range<usize>, lend: bool },
    /// In a buffer of its own.
    Whole(Vec<u8>),
}

impl<'a> Lent<'a> {
    pub(super) const fn within(
        connection: ConnectionId,
        kind: Kind,
        bytes: &'a mut [u8],
        payload: Range<usize>,
        lend: bool,
    ) -> Self {
        Self { connection, kind, place: Place::Within { bytes, payload, lend } }
    }

    pub(super) const fn whole(connection: ConnectionId, kind: Kind, payload: Vec<u8>) -> Self {
        Self { connection, kind, place: Place::Whole(payload) }
    }

    /// A part of the message, if it is one of `connection`'s, to be sent as another.
    pub(super) fn part(
        &self,
        connection: ConnectionId,
        range: &Range<usize>,
    ) -> Option<(Opcode, &[u8])> {
        let message = match &self.place {
            Place::Within { bytes, payload, .. } => bytes.get(payload.clone())?,
            Place::Whole(payload) => payload,
        };
        let part = message.get(range.clone())?;
        (self.connection == connection).then_some((opcode(self.kind), part))
    }
}

pub(super) const fn opcode(kind: Kind) -> Opcode {
    match kind {
        Kind::Text | Kind::Line => Opcode::Text,
        Kind::Binary => Opcode::Binary,
    }
}

impl<H: Handler> Engine<H> {
    /// Carries out what the handler asked for, and what it asks for meanwhile.
    pub(super) fn carry_out(&mut self, now: Now, mut lent: Option<Lent<'_>>, out: &mut Outputs<H>) {
        if let Some(Back { to, part, tag }) = self.back.take() {
            self.send(now, to, Segment::Lent(part), tag, &mut lent, out);
        }
        if self.effects.is_empty() {
            return;
        }
        let mut effects = std::mem::take(&mut self.effects);
        let mut receivers = std::mem::take(&mut self.receivers);
        for effect in effects.drain(..) {
            self.effect(now, effect, &receivers, &mut lent, out);
        }
        if self.effects.is_empty() {
            receivers.clear();
            self.effects = effects;
            self.receivers = receivers;
        } else {
            self.carry_out(now, None, out);
        }
    }

    fn effect(
        &mut self,
        now: Now,
        effect: Effect<H>,
        receivers: &[ConnectionId],
        lent: &mut Option<Lent<'_>>,
        out: &mut Outputs<H>,
    ) {
        match effect {
            Effect::Send { to, segment, tag } => self.send(now, to, segment, tag, lent, out),
            Effect::Broadcast { to, frame, tag } => {
                self.broadcast(&receivers[to], frame, tag, out);
            }
            Effect::Respond { to, response } => self.answer(now, to, &response, out),
            Effect::Close { connection, close } => self.close(now, connection, close, out),
            Effect::Finish { connection } => {
                if self.run.has(connection) {
                    self.end_run(out);
                }
                self.finish(now, connection);
            }
            Effect::Pause { connection, paused } => {
                if let Some(found) = self.connections.get_mut(connection) {
                    found.paused = paused;
                    self.touched.push(connection);
                }
            }
            Effect::Settle { connection, channel } => self.settle_channel(connection, channel),
            Effect::Limit { connection, message_bytes } => {
                if let Some(found) = self.connections.get_mut(connection) {
                    found.transport.limit(message_bytes);
                }
            }
            Effect::Translate { connection } => self.begin_translation(connection, out),
            Effect::WhenSent { connection } => self.await_sent(now, connection, out),
            Effect::Job(job) => out.list.push(Output::Job(job)),
            Effect::Peer { to, message } if to == self.here => self.local.push_back(message),
            Effect::Peer { to, message } => out.list.push(Output::Peer { to, message }),
        }
    }

    fn send(
        &mut self,
        now: Now,
        to: ConnectionId,
        segment: Segment,
        tag: Tag,
        lent: &mut Option<Lent<'_>>,
        out: &mut Outputs<H>,
    ) {
        if self.dispatch(to, segment, tag, lent, out) == Room::None {
            self.slow_consumer(now, to, out);
        }
    }

    /// Queues what is sent in the framing of its connection.
    #[inline]
    pub(super) fn dispatch(
        &mut self,
        to: ConnectionId,
        segment: Segment,
        tag: Tag,
        lent: &mut Option<Lent<'_>>,
        out: &mut Outputs<H>,
    ) -> Room {
        let found = self.connections.get(to).filter(|found| found.stage == Stage::Open);
        let terms = found.map(|found| found.terms).unwrap_or_default();
        let translated = found.is_some_and(|found| found.translated);
        let Some(door) = found.and_then(|found| found.transport.door()) else {
            if let Segment::Own(frame) = segment {
                self.spares.recycle(frame.into_buffer());
            }
            return Room::Queued;
        };
        let segment = if translated { self.translate(segment) } else { Some(segment) };
        let Some(segment) = segment else { return Room::Queued };
        if !tag.class.may_be_dropped() {
            self.metrics.sent.add_at(DoorLabel::from(door), 1);
        }
        let compressed = match terms {
            Terms::Plain => None,
            // What comes later would refer back to it.
            Terms::Dedicated if tag.class.may_be_dropped() => None,
            terms => self.compressed(to, terms, &segment, lent.as_ref(), out),
        };
        let bytes = match segment {
            segment if let Some(bytes) = compressed => {
                let is_lent = matches!(segment, Segment::Lent(_));
                self.replaced(segment, lent);
                if is_lent {
                    self.push(to, bytes, tag, out);
                    return Room::Queued;
                }
                bytes
            }
            Segment::Shared(frame) => Bytes::Shared(frame, door),
            Segment::Own(frame) => Bytes::Own(frame, door),
            Segment::Lent(range) => {
                match lent.take() {
                    Some(lent) if lent.connection == to => {
                        self.send_lent(to, lent, range, tag, out);
                    }
                    _ => debug_assert!(false, "nothing was lent to {to:?}"),
                }
                return Room::Queued;
            }
        };
        self.queue(to, bytes, tag, out)
    }

    /// Sends the message that is being handled back where it came from, where it lies if it can.
    fn send_lent(
        &mut self,
        to: ConnectionId,
        lent: Lent<'_>,
        range: Range<usize>,
        tag: Tag,
        out: &mut Outputs<H>,
    ) {
        let queue_is_empty = !self.run.has(to)
            && self.connections.get(to).is_some_and(|found| found.outbox.is_empty());
        match lent.place {
            Place::Within { bytes, payload, lend } => {
                let part = payload.start + range.start..payload.start + range.end;
                debug_assert!(part.end <= payload.end, "lent within the message");
                if lend
                    && queue_is_empty
                    && let Some(frame) = frame_in_place(bytes, &part, lent.kind)
                {
                    Self::lend(out, bytes, frame);
                    return;
                }
                let mut copy = Vec::with_capacity(part.len() + 10);
                frame_copied(&mut copy, &bytes[part], lent.kind);
                self.push(to, Bytes::Raw(copy), tag, out);
            }
            Place::Whole(mut payload) => {
                payload.truncate(range.end);
                payload.drain(..range.start);
                if lent.kind == Kind::Line {
                    payload.push(b'\n');
                    return self.push(to, Bytes::Raw(payload), tag, out);
                }
                let header = encoder::header(opcode(lent.kind), true, false, payload.len() as u64);
                self.push(to, Bytes::Raw(header.to_vec()), tag, out);
                self.push(to, Bytes::Rest(payload), tag, out);
            }
        }
    }

    /// Queues bytes that may not be lost.
    pub(super) fn push(&mut self, to: ConnectionId, bytes: Bytes, tag: Tag, out: &mut Outputs<H>) {
        self.queue(to, bytes, Tag { class: Class::Reply, ..tag }, out);
    }

    pub(super) fn queue(
        &mut self,
        to: ConnectionId,
        bytes: Bytes,
        tag: Tag,
        out: &mut Outputs<H>,
    ) -> Room {
        if self.run.has(to) {
            self.end_run(out);
        }
        if !tag.class.may_be_gathered() {
            return self.queue_event(to, bytes, tag, out);
        }
        let Some(found) = self.connections.get_mut(to) else { return Room::Queued };
        let (before, limit) = (found.outbox.bytes(), found.room(&self.config));
        let room = found.outbox.push(bytes, tag, limit, &mut self.spares);
        let after = found.outbox.bytes();
        self.metrics.queued_bytes.add((after - before) as i64);
        if before == 0 && after > 0 {
            out.list.push(Output::Transmit(to));
        }
        if after > self.config.outbox_soft_bytes && !found.throttled {
            // At once: what else came in the same piece waits already.
            found.throttled = true;
            self.touched.push(to);
        }
        room
    }

    /// Answers the request that a connection waits with, or one that could not be read.
    pub(super) fn answer(
        &mut self,
        now: Now,
        id: ConnectionId,
        response: &Response,
        out: &mut Outputs<H>,
    ) {
        let Some(found) = self.connections.get_mut(id) else { return };
        if !matches!(found.transport, Transport::Http(_)) || found.stage != Stage::Open {
            return;
        }
        let asked = found.answering.take();
        let stays = asked.is_some_and(|asked| asked.keep_alive)
            && !found.peer_finished
            && !self.draining
            && !response.closes();
        found.since = now.monotonic.into();
        let mut bytes = Vec::new();
        response.encode(asked.is_some_and(|asked| asked.head), stays, &mut bytes);
        self.push(id, Bytes::Raw(bytes), Tag::REPLY, out);
        self.touched.push(id);
        if !stays {
            self.finish(now, id);
        }
    }

    /// Closes with a code: the handler may say a last word, WebSocket gets a Close frame.
    pub(super) fn close(&mut self, now: Now, id: ConnectionId, close: Close, out: &mut Outputs<H>) {
        if self.run.has(id) {
            self.end_run(out);
        }
        let Some(found) = self.connections.get(id) else { return };
        if found.stage != Stage::Open {
            return;
        }
        self.drop_behind_hole(id);
        let Some(found) = self.connections.get(id) else { return };
        let Some(door) = found.transport.door() else { return self.finish(now, id) };
        self.call(now, |handler, cx| handler.closing(cx, id, door, &close));
        self.carry_out(now, None, out);
        self.metrics.closed_by_us.add(1);
        log::debug!("[{id:?}] closing {}: {}", close.code, close.reason);
        let failed = self.connections.get(id).is_some_and(|found| found.failed);
        match door {
            Door::WebSocket if failed => {
                // RFC 6455 §7.1.7: whoever broke the rules is not waited for.
                self.queue_close_frame(id, Some(CloseCode(close.code)), &close.reason, out);
                self.finish(now, id);
            }
            Door::WebSocket => {
                self.queue_close_frame(id, Some(CloseCode(close.code)), &close.reason, out);
                if let Some(found) = self.connections.get_mut(id)
                    && found.stage == Stage::Open
                {
                    found.enter(Stage::Closing, now);
                }
            }
            Door::Lines => self.finish(now, id),
        }
        self.touched.push(id);
    }

    pub(super) fn queue_close_frame(
        &mut self,
        id: ConnectionId,
        code: Option<CloseCode>,
        reason: &str,
        out: &mut Outputs<H>,
    ) {
        let mut frame = Vec::new();
        match code {
            Some(code) => {
                let payload = encoder::close_payload(code, reason);
                encoder::encode_into(&mut frame, Opcode::Close, &payload);
            }
            None => encoder::encode_into(&mut frame, Opcode::Close, &[]),
        }
        self.push(id, Bytes::Raw(frame), Tag::REPLY, out);
    }

    /// Sends what is queued, then ends the connection.
    pub(super) fn finish(&mut self, now: Now, id: ConnectionId) {
        self.drop_behind_hole(id);
        if let Some(found) = self.connections.get_mut(id)
            && matches!(found.stage, Stage::Open | Stage::Closing)
        {
            found.enter(Stage::Finishing, now);
            self.touched.push(id);
        }
    }
}

/// Frames a payload where it lies, if there is room: a header before it, or a line end behind.
fn frame_in_place(bytes: &mut [u8], part: &Range<usize>, kind: Kind) -> Option<Range<usize>> {
    if kind == Kind::Line {
        // The line's own end, `\r\n` or `\n`, lies behind it.
        *bytes.get_mut(part.end)? = b'\n';
        return Some(part.start..part.end + 1);
    }
    encoder::reframe(bytes, part.clone(), opcode(kind))
}

fn frame_copied(out: &mut Vec<u8>, payload: &[u8], kind: Kind) {
    if kind == Kind::Line {
        out.extend_from_slice(payload);
        out.push(b'\n');
    } else {
        encoder::encode_into(out, opcode(kind), payload);
    }
}
