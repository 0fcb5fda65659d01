//! What happens when nothing happens: deadlines, heartbeats, draining, and the end of connections.

use std::time::Duration;

use super::Engine;
use super::connection::{Secrecy, Stage};
use super::io::{Output, Outputs};
use super::outbox::Bytes;
use super::transport::Transport;
use crate::base::id::ConnectionId;
use crate::base::now::{Moment, Now};
use crate::handler::{Close, Handler, Tag, TimerKey};
use crate::message::close::{DRAIN, HEARTBEAT};
use crate::protocol::http::Response;
use crate::protocol::websocket::{Opcode, encoder};

impl<H: Handler> Engine<H> {
    /// Everything whose time has come.
    pub(super) fn expire(&mut self, now: Now, out: &mut Outputs<H>) {
        // The next one is the last: whoever panics takes none of the others with it.
        self.fired.reverse();
        self.timers.expire(now.monotonic, &mut self.fired);
        self.fired.reverse();
        while let Some(key) = self.fired.pop() {
            match key {
                TimerKey::Handler(timer) => {
                    self.call(now, |handler, cx| handler.deadline(cx, timer));
                    self.carry_out(now, None, out);
                }
                TimerKey::Transport(id) => {
                    if let Some(found) = self.connections.get_mut(id) {
                        found.timer = None;
                        self.touched.push(id);
                        self.due(now, id, out);
                    }
                }
            }
        }
    }

    /// A deadline of a connection may have passed; which one is seen from its facts.
    fn due(&mut self, now: Now, id: ConnectionId, out: &mut Outputs<H>) {
        let config = &self.config;
        let Some(found) = self.connections.get_mut(id) else { return };
        let moment = Moment::from(now.monotonic);
        let past = |since: Moment, ms: u64| moment >= since.plus_ms(ms);
        if found.stage != Stage::Open {
            if past(found.since, config.close_timeout_ms) {
                self.metrics.close_timeouts.add(1);
                self.remove_and_close(now, id, out);
            }
            return;
        }
        if found.over_since().is_some_and(|since| past(since, config.outbox_soft_ms)) {
            return self.slow_for_long(now, id, out);
        }
        let drain_at = found.rare().and_then(|rare| rare.drain_at);
        if drain_at.is_some_and(|at| past(at, 0)) {
            return self.part(now, id, out);
        }
        if found.message_deadline(config).is_some_and(|at| past(at, 0)) {
            return self.unfinished(now, id, out);
        }
        match &found.transport {
            Transport::Sniffing(_) => {
                if past(found.since, found.opening_ms(config)) {
                    if found.secrecy != Secrecy::Securing {
                        self.metrics.sniff_timeouts.add(1);
                    }
                    self.remove_and_close(now, id, out);
                }
            }
            Transport::Http(decoder) => {
                use crate::protocol::http::Awaiting;
                let idle = decoder.awaiting() == Awaiting::Request;
                if found.deadline(config).is_some_and(|at| past(at, 0)) {
                    self.metrics.http_timeouts.add(1);
                    if idle {
                        return self.finish(now, id);
                    }
                    let late = Response::new(408).text("the request took too long\n");
                    self.answer(now, id, &late, out);
                }
            }
            Transport::WebSocket(_) => {
                if past(found.received_at, config.dead_ms) {
                    self.metrics.dead.add(1);
                    let close = Close::new(HEARTBEAT, "no sign of life");
                    self.close(now, id, close, out);
                } else if past(found.received_at.max(found.sent_at), config.heartbeat_ms) {
                    found.sent_at = now.monotonic.into();
                    found.pinged = true;
                    let mut ping = Vec::new();
                    encoder::encode_into(&mut ping, Opcode::Ping, &[]);
                    self.push(id, Bytes::Raw(ping), Tag::REPLY, out);
                }
            }
            Transport::Lines(_) => {
                if past(found.sent_at, config.heartbeat_ms) {
                    found.sent_at = now.monotonic.into();
                    self.call(now, |handler, cx| handler.idle(cx, id));
                    self.carry_out(now, None, out);
                }
            }
        }
    }

    /// Brings every touched connection into order: what it may read, whether it is over, when it
    /// is due. Also hands over what this loop said to itself, and what was gathered for many.
    #[inline]
    pub(super) fn settle(&mut self, now: Now, out: &mut Outputs<H>) {
        let calm = self.touched.is_empty()
            && self.local.is_empty()
            && self.slow.is_empty()
            && self.run.is_empty();
        if !calm {
            self.settle_all(now, out);
        }
    }

    fn settle_all(&mut self, now: Now, out: &mut Outputs<H>) {
        loop {
            if let Some(id) = self.touched.pop() {
                self.settle_one(now, id, out);
            } else if let Some(message) = self.local.pop_front() {
                let here = self.here;
                self.call(now, |handler, cx| handler.peer(cx, here, message));
                self.carry_out(now, None, out);
            } else if let Some(id) = self.slow.pop() {
                self.slow_consumer(now, id, out);
            } else if !self.run.is_empty() {
                self.end_run(out);
            } else {
                return;
            }
        }
    }

    fn settle_one(&mut self, now: Now, id: ConnectionId, out: &mut Outputs<H>) {
        let Some(found) = self.connections.get_mut(id) else { return };
        let queued = found.outbox.bytes();
        if queued > self.config.outbox_soft_bytes || found.throttled || found.slow().is_some() {
            self.judge(now, id, out);
        }
        let Some(found) = self.connections.get_mut(id) else { return };
        if found.stage == Stage::Finishing && found.outbox.is_empty() && out.lent.is_none() {
            if found.peer_finished {
                return self.remove_and_close(now, id, out);
            }
            found.enter(Stage::Shut, now);
            out.list.push(Output::Shutdown(id));
        }
        if found.stage == Stage::Shut && found.peer_finished {
            return self.remove_and_close(now, id, out);
        }
        if found.tell_reading(now, id, out) {
            let mut held = found.take_held();
            if !held.is_empty() {
                self.touched.push(id);
                return self.parse(now, id, &mut held, false, out);
            }
            self.touched.push(id);
            return self.finish_reading(now, id, out);
        }
        self.rearm(id);
    }

    /// Sets the timer of a connection for its next deadline, unless an earlier one is set: that
    /// one will look again.
    fn rearm(&mut self, id: ConnectionId) {
        let Some(found) = self.connections.get_mut(id) else { return };
        let Some(at) = found.deadline(&self.config) else { return };
        match found.timer {
            Some((_, set)) if set <= at => return,
            Some((timer, _)) => {
                self.timers.cancel(timer);
            }
            None => {}
        }
        found.timer = Some((self.timers.set(TimerKey::Transport(id), at.into()), at));
    }

    /// The server goes down: everyone is told, a few at a time.
    pub(super) fn drain(&mut self, now: Now, over: Duration, out: &mut Outputs<H>) {
        self.draining = true;
        self.call(now, Handler::draining);
        self.carry_out(now, None, out);
        let all: Vec<ConnectionId> =
            self.connections.iter().map(|(key, _)| ConnectionId::from(key)).collect();
        for id in all {
            self.schedule_drain(now, id, over);
        }
    }

    /// One of them is told now.
    fn part(&mut self, now: Now, id: ConnectionId, out: &mut Outputs<H>) {
        let Some(found) = self.connections.get_mut(id) else { return };
        found.rare_mut().drain_at = None;
        let retry_ms = self.rng.below(DRAIN_RETRY_MS);
        let close = Close { retry_ms: Some(retry_ms), ..Close::new(DRAIN, DRAIN_REASON) };
        match found.transport.door() {
            Some(_) => self.close(now, id, close, out),
            None if found.answering.is_some() => {}
            None => self.finish(now, id),
        }
    }

    pub(super) fn schedule_drain(&mut self, now: Now, id: ConnectionId, over: Duration) {
        if let Some(found) = self.connections.get_mut(id) {
            let after = self.rng.below(over.as_millis() as u64 + 1);
            found.rare_mut().drain_at = Some(now.plus(Duration::from_millis(after)).into());
            self.touched.push(id);
        }
    }

    /// Forgets a connection and has it closed.
    pub(super) fn remove_and_close(&mut self, now: Now, id: ConnectionId, out: &mut Outputs<H>) {
        out.list.push(Output::Close(id));
        self.remove(now, id, out);
    }

    /// Forgets a connection.
    pub(super) fn remove(&mut self, now: Now, id: ConnectionId, out: &mut Outputs<H>) {
        let Some(gone) = self.connections.remove(id) else { return };
        if let Some((timer, _)) = gone.timer {
            self.timers.cancel(timer);
        }
        self.metrics.connections.add(-1);
        self.metrics.queued_bytes.add(-(gone.outbox.bytes() as i64));
        if gone.opened {
            self.call(now, |handler, cx| handler.closed(cx, id));
            self.carry_out(now, None, out);
        }
    }
}

const DRAIN_REASON: &str = "the server is going down";
/// Clients come back spread over this time.
const DRAIN_RETRY_MS: u64 = 10_000;
