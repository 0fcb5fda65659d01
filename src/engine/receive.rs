//! Bytes of a connection to calls of the handler.

use std::ops::Range;

use super::connection::{Answering, Connection, Secrecy, Stage};
use super::effects::Lent;
use super::io::{Output, Outputs};
use super::outbox::Bytes;
use super::transport::{Step, Transport};
use super::{DoorLabel, Engine};
use crate::base::id::ConnectionId;
use crate::base::now::Now;
use crate::handler::{Close, Door, Handler, Kind, Message, Opening, Tag};
use crate::protocol::websocket::{CloseCode, Opcode, Payload, encoder};
use crate::protocol::{http, line};

impl<H: Handler> Engine<H> {
    pub(super) fn received(
        &mut self,
        now: Now,
        id: ConnectionId,
        bytes: &mut [u8],
        out: &mut Outputs<H>,
    ) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        connection.received_at = now.monotonic.into();
        self.metrics.received_bytes.add(bytes.len() as u64);
        if connection.holds() {
            // Our driver was told to pause; what it had read already waits its turn.
            connection.rare_mut().held.extend_from_slice(bytes);
            return;
        }
        if let Transport::Sniffing(prefix) = &connection.transport
            && !prefix.as_slice().is_empty()
        {
            let mut joined = [prefix.as_slice(), bytes].concat();
            connection.transport = Transport::Sniffing(super::transport::Prefix::default());
            return self.parse(now, id, &mut joined, false, out);
        }
        self.parse(now, id, bytes, true, out);
    }

    /// Hands over what is in `bytes`; what nobody may have yet is held.
    ///
    /// `lend`: the driver writes from `bytes` before it uses them again.
    pub(super) fn parse(
        &mut self,
        now: Now,
        id: ConnectionId,
        bytes: &mut [u8],
        lend: bool,
        out: &mut Outputs<H>,
    ) {
        let mut at = 0;
        if lend {
            let calm = self.whole_messages(now, id, bytes, &mut at, out);
            self.count_whole();
            if at > 0 && at == bytes.len() {
                if !calm {
                    self.unlend(id, bytes, out);
                }
                return;
            }
        }
        self.parse_from(now, id, bytes, at, lend, out);
    }

    /// The same from there on, in the long way.
    #[inline(never)]
    fn parse_from(
        &mut self,
        now: Now,
        id: ConnectionId,
        bytes: &mut [u8],
        mut at: usize,
        lend: bool,
        out: &mut Outputs<H>,
    ) {
        let mut inside =
            self.connections.get(id).is_some_and(|found| found.transport.is_inside_message());
        while let Some(connection) = self.connections.get_mut(id) {
            if !connection.hears() {
                if at < bytes.len() && connection.stage == Stage::Open && !connection.failed {
                    connection.rare_mut().held = bytes[at..].to_vec();
                }
                break;
            }
            match connection.transport.step(&self.config, bytes, &mut at) {
                Step::Need => {
                    if !inside && connection.transport.is_inside_message() {
                        self.begun(now, id);
                    }
                    break;
                }
                Step::Message { kind, payload } => {
                    inside = false;
                    self.message(now, id, kind, payload, bytes, lend, out);
                }
                step => {
                    inside &= connection.transport.is_inside_message();
                    self.step(now, id, step, bytes, out);
                }
            }
        }
        // What is lent lies in the bytes of the driver's, which may be another connection's.
        if lend {
            self.unlend(id, bytes, out);
        }
    }

    /// A connection that is about to end has to send what it lent before that.
    fn unlend(&mut self, id: ConnectionId, bytes: &[u8], out: &mut Outputs<H>) {
        let over =
            self.connections.get(id).is_none_or(|connection| connection.stage != Stage::Open);
        if over && let Some(range) = out.lent.take() {
            self.refused(id, &bytes[range]);
            out.list.push(Output::Transmit(id));
        }
    }

    #[expect(clippy::too_many_arguments, reason = "a message is its place in somebody's bytes")]
    fn message(
        &mut self,
        now: Now,
        id: ConnectionId,
        kind: Kind,
        payload: Payload,
        bytes: &mut [u8],
        lend: bool,
        out: &mut Outputs<H>,
    ) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        if connection.stage != Stage::Open {
            // RFC 6455 §5.5.1: after our Close frame, what they still send needs no answer.
            connection.transport.take_assembled();
            return;
        }
        self.metrics.received.add_at(DoorLabel::of(kind), 1);
        match payload {
            Payload::Lent(range) => {
                let message = Message { kind, bytes: &bytes[range.clone()] };
                if kind == Kind::Line && line::looks_like_http(message.bytes) {
                    return self.fail(now, id, CloseCode::POLICY_VIOLATION.0, HTTP_IN_LINES, out);
                }
                self.call(now, |handler, cx| handler.message(cx, id, message));
                self.carry_out(now, Some(Lent::within(id, kind, bytes, range, lend)), out);
            }
            Payload::Assembled => {
                let assembled = connection.transport.take_assembled();
                let message = Message { kind, bytes: &assembled };
                if kind == Kind::Line && line::looks_like_http(message.bytes) {
                    return self.fail(now, id, CloseCode::POLICY_VIOLATION.0, HTTP_IN_LINES, out);
                }
                self.call(now, |handler, cx| handler.message(cx, id, message));
                self.carry_out(now, Some(Lent::whole(id, kind, assembled)), out);
            }
        }
    }

    /// Whatever is not a message.
    fn step(
        &mut self,
        now: Now,
        id: ConnectionId,
        step: Step,
        bytes: &mut [u8],
        out: &mut Outputs<H>,
    ) {
        match step {
            Step::Need | Step::Message { .. } => {}
            Step::Sniffed => self.sniffed(now, id, out),
            Step::Pong => self.round_trip(now, id),
            Step::Ping(payload) => self.pong(id, &payload, bytes, out),
            Step::Closed(code) => self.their_close(now, id, code, out),
            Step::Begun => self.restart_clock(now, id),
            Step::Continue => {
                self.restart_clock(now, id);
                self.push(id, Bytes::Raw(http::CONTINUE.to_vec()), Tag::REPLY, out);
            }
            Step::Request => self.request(now, id, out),
            Step::Failed(code, reason) => self.fail(now, id, code, reason, out),
            Step::BadRequest(error) => self.bad_request(now, id, error, out),
            Step::Refused(why) => {
                log::info!("[{id:?}] closed: {why}");
                self.metrics.unspoken.add(1);
                self.remove_and_close(now, id, out);
            }
        }
    }

    /// The peer has said how it speaks.
    fn sniffed(&mut self, now: Now, id: ConnectionId, out: &mut Outputs<H>) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        connection.since = now.monotonic.into();
        self.touched.push(id);
        let door = connection.transport.door();
        if self.config.tls_required && connection.is_exposed() {
            return self.refuse_exposed(now, id, out);
        }
        if let Some(close) = connection.take_refused() {
            self.metrics.refused.add(1);
            match door {
                Some(_) => self.close(now, id, close, out),
                None => {
                    let response = super::upgrade::unavailable(&close);
                    self.answer(now, id, &response, out);
                }
            }
        } else if let Some(door) = door {
            self.open(now, id, door, out);
        }
    }

    /// The handler is told of a connection that speaks now.
    pub(super) fn open(&mut self, now: Now, id: ConnectionId, door: Door, out: &mut Outputs<H>) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        connection.opened = true;
        self.metrics.opened.add_at(DoorLabel::from(door), 1);
        let encrypted = connection.secrecy == Secrecy::Secured;
        let opening = Opening { door, peer: connection.peer, encrypted };
        self.call(now, |handler, cx| handler.open(cx, id, &opening));
        self.carry_out(now, None, out);
    }

    /// A Pong, perhaps to our last Ping; RFC 6455 §5.5.3 allows those that nobody asked for.
    fn round_trip(&mut self, now: Now, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        if std::mem::take(&mut connection.pinged) {
            self.metrics.round_trips.time_at((), connection.sent_at.elapsed(now));
        }
    }

    /// RFC 6455 §5.5.3: a Pong carries the payload of its Ping.
    fn pong(&mut self, id: ConnectionId, payload: &Payload, bytes: &[u8], out: &mut Outputs<H>) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        let assembled;
        let payload = match payload {
            Payload::Lent(range) => &bytes[range.clone()],
            Payload::Assembled => {
                assembled = connection.transport.take_assembled();
                &assembled
            }
        };
        if connection.stage != Stage::Open {
            return;
        }
        let mut pong = Vec::with_capacity(payload.len() + 2);
        encoder::encode_into(&mut pong, Opcode::Pong, payload);
        self.push(id, Bytes::Raw(pong), Tag::REPLY, out);
    }

    /// RFC 6455 §5.5.1: a Close frame is answered with one of the same code, unless ours was first.
    fn their_close(
        &mut self,
        now: Now,
        id: ConnectionId,
        code: Option<CloseCode>,
        out: &mut Outputs<H>,
    ) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        if connection.stage == Stage::Open {
            if self.run.has(id) {
                self.end_run(out);
            }
            self.drop_behind_hole(id);
            self.queue_close_frame(id, code, "", out);
        }
        self.finish(now, id);
    }

    /// A request is whole: an upgrade is decided here, anything else by the handler.
    fn request(&mut self, now: Now, id: ConnectionId, out: &mut Outputs<H>) {
        let Some(Connection { transport: Transport::Http(decoder), .. }) =
            self.connections.get_mut(id)
        else {
            return;
        };
        // The request is borrowed from the decoder while the handler looks at it.
        let mut decoder =
            std::mem::replace(decoder, Box::new(http::Decoder::new(http::Limits::default())));
        if let Some(request) = decoder.request() {
            if request.asks_for_websocket {
                return self.upgrade(now, id, &request, out);
            }
            if let Some(connection) = self.connections.get_mut(id) {
                connection.answering = Some(Answering {
                    head: request.method == "HEAD",
                    keep_alive: request.keep_alive,
                });
            }
            self.metrics.requests.add(1);
            self.call(now, |handler, cx| handler.request(cx, id, &request));
        }
        decoder.release();
        if let Some(Connection { transport: Transport::Http(place), .. }) =
            self.connections.get_mut(id)
        {
            *place = decoder;
        }
        self.touched.push(id);
        self.carry_out(now, None, out);
    }

    /// The peer sends no more and everything it sent was handed over.
    pub(super) fn finish_reading(&mut self, now: Now, id: ConnectionId, out: &mut Outputs<H>) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        if let Transport::Sniffing(prefix) = &connection.transport {
            if prefix.as_slice().is_empty() || connection.truncated {
                return self.finish(now, id);
            }
            // A few bytes that could have become anything are a line: `nc -N` with one short word.
            let mut bytes = prefix.as_slice().to_vec();
            connection.transport = Transport::lines(&self.config);
            self.sniffed(now, id, out);
            return self.parse(now, id, &mut bytes, false, out);
        }
        if !connection.truncated && connection.transport.finish() {
            return self.message(now, id, Kind::Line, Payload::Assembled, &mut [], false, out);
        }
        connection.ended = true;
        match (&connection.transport, connection.stage) {
            (Transport::Lines(_), Stage::Open) => {
                self.call(now, |handler, cx| handler.finished(cx, id));
                self.carry_out(now, None, out);
            }
            // RFC 6455 §7.1.5: no Close frame came, the code is 1006, and nobody is there to hear.
            _ => self.finish(now, id),
        }
    }

    /// The peer broke the rules: nothing more of it is read, and the handler closes it with a code
    /// (RFC 6455 §7.1.7).
    pub(super) fn fail(
        &mut self,
        now: Now,
        id: ConnectionId,
        code: u16,
        reason: &'static str,
        out: &mut Outputs<H>,
    ) {
        log::debug!("[{id:?}] failed {code}: {reason}");
        self.metrics.violations.add(1);
        let Some(connection) = self.connections.get_mut(id) else { return };
        connection.failed = true;
        self.touched.push(id);
        if connection.stage != Stage::Open || !connection.opened {
            return self.finish(now, id);
        }
        self.call(now, |handler, cx| handler.failed(cx, id, Close::new(code, reason)));
        self.carry_out(now, None, out);
    }

    /// The range of a lent payload as it lies in the driver's bytes.
    pub(super) fn lend(out: &mut Outputs<H>, bytes: &mut [u8], frame: Range<usize>) {
        match &mut out.lent {
            lent @ None => *lent = Some(frame),
            Some(before) if before.end == frame.start => before.end = frame.end,
            Some(before) => {
                // Their headers are longer than ours: close the gap, so that one write takes both.
                let end = before.end + frame.len();
                bytes.copy_within(frame, before.end);
                before.end = end;
            }
        }
    }
}

const HTTP_IN_LINES: &str = "HTTP where lines are spoken";
