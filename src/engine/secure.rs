//! What the driver tells of encryption, which is its own business: that it begins, that it is done,
//! how much of it waits to be sent, and that it was cut off.
//!
//! Law: between [`Input::Securing`](super::Input::Securing) and
//! [`Input::Secured`](super::Input::Secured) a connection has `tls_timeout_ms`. What is encrypted and
//! not sent is counted as queued, so the limits of queues hold over TLS as they do without.

use super::Engine;
use super::connection::{Connection, Secrecy, Stage};
use super::io::Outputs;
use super::transport::Transport;
use crate::base::id::ConnectionId;
use crate::base::now::Now;
use crate::handler::{Close, Handler};
use crate::protocol::http::Response;
use crate::protocol::websocket::CloseCode;

impl<H: Handler> Engine<H> {
    pub(super) fn securing(&mut self, now: Now, id: ConnectionId) {
        self.turn_to(now, id, Secrecy::Securing);
    }

    pub(super) fn secured(&mut self, now: Now, id: ConnectionId) {
        self.turn_to(now, id, Secrecy::Secured);
    }

    /// The time to speak begins anew.
    fn turn_to(&mut self, now: Now, id: ConnectionId, secrecy: Secrecy) {
        let Some(found) = self.connections.get_mut(id) else { return };
        debug_assert!(matches!(found.transport, Transport::Sniffing(_)), "nothing was said yet");
        found.secrecy = secrecy;
        if found.stage == Stage::Open {
            found.since = now.monotonic.into();
        }
        self.touched.push(id);
    }

    pub(super) fn truncated(&mut self, id: ConnectionId) {
        if let Some(found) = self.connections.get_mut(id) {
            found.truncated = true;
        }
    }

    /// So many bytes of a connection are encrypted and wait for the kernel, instead of as many as
    /// were told before. They count as queued until they are gone.
    pub fn sealed(
        &mut self,
        now: Now,
        connection: ConnectionId,
        waiting: usize,
        out: &mut Outputs<H>,
    ) {
        let Some(found) = self.connections.get_mut(connection) else { return };
        let before = found.outbox.bytes();
        found.outbox.seal(waiting);
        let after = found.outbox.bytes();
        if before != after {
            self.metrics.queued_bytes.add(after as i64 - before as i64);
            self.touched.push(connection);
            self.tell_sent(now, connection, out);
            self.settle(now, out);
        }
    }

    /// It speaks, and everybody on the way can read it where that is not allowed.
    pub(super) fn refuse_exposed(&mut self, now: Now, id: ConnectionId, out: &mut Outputs<H>) {
        self.metrics.exposed_refused.add(1);
        log::debug!("[{id:?}] refused: not encrypted");
        let Some(found) = self.connections.get_mut(id) else { return };
        let _ = found.take_refused();
        if found.transport.door().is_some() {
            let close = Close::new(CloseCode::POLICY_VIOLATION.0, TLS_REQUIRED);
            return self.close(now, id, close, out);
        }
        let refusal = Response::new(403).text(format!("{TLS_REQUIRED}: https:// or wss://\n"));
        self.answer(now, id, &refusal, out);
    }
}

impl Connection {
    /// Whether it is plain and crosses a network, or could.
    pub(super) const fn is_exposed(&self) -> bool {
        !matches!(self.secrecy, Secrecy::Secured) && self.peer.ip().is_some()
    }
}

const TLS_REQUIRED: &str = "only TLS is spoken here";
