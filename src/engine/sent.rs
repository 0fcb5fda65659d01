//! What went out, and who wants to know when something did.
//!
//! Law: [`Handler::sent`] is called when every byte that was queued
//! when it was asked for is with the kernel, ciphertext included; late rather than early: what
//! is dropped before it still counts. What is given up for a slow consumer was never sent.

use super::Engine;
use super::connection::{Connection, Stage};
use super::io::Outputs;
use crate::base::id::ConnectionId;
use crate::base::now::Now;
use crate::handler::Handler;

impl<H: Handler> Engine<H> {
    /// The first `bytes` of what is queued were sent.
    pub fn sent(&mut self, now: Now, connection: ConnectionId, bytes: usize, out: &mut Outputs<H>) {
        let Some(found) = self.connections.get_mut(connection) else { return };
        if bytes > 0 {
            found.was_given(now);
            self.metrics.sent_bytes.add(bytes as u64);
            self.metrics.queued_bytes.add(-(bytes as i64));
        }
        match found.thinned() {
            (outbox, None) => outbox.sent(bytes, &mut self.spares),
            (outbox, Some(slow)) => outbox.sent_slow(bytes, slow, &mut self.spares),
        }
        let slow = found.slow().is_some() || found.throttled;
        let watched = found.awaited();
        if slow || found.stage != Stage::Open {
            self.touched.push(connection);
        } else if watched.is_none() {
            return;
        }
        if let Some(awaited) = watched {
            found.set_awaited(Some(awaited.saturating_sub(bytes)));
            self.tell_sent(now, connection, out);
        }
        self.settle(now, out);
    }

    /// The kernel did not take this rest of what was lent: it goes out before anything queued.
    pub fn refused(&mut self, connection: ConnectionId, rest: &[u8]) {
        if let Some(found) = self.connections.get_mut(connection) {
            match found.thinned() {
                (outbox, Some(slow)) if !rest.is_empty() => {
                    outbox.push_front(rest);
                    slow.pushed_front();
                }
                (outbox, _) => outbox.push_front(rest),
            }
            self.metrics.queued_bytes.add(rest.len() as i64);
            found.await_more(rest.len());
        }
    }

    /// The handler is to be told when all that is queued now is sent.
    pub(super) fn await_sent(&mut self, now: Now, id: ConnectionId, out: &mut Outputs<H>) {
        if self.run.has(id) {
            self.end_run(out);
        }
        let Some(found) = self.connections.get_mut(id) else { return };
        if found.stage != Stage::Open {
            return;
        }
        found.set_awaited(Some(found.outbox.bytes() - found.outbox.sealed()));
        self.tell_sent(now, id, out);
    }

    /// Tells the handler, if it asked and all of it is gone.
    pub(super) fn tell_sent(&mut self, now: Now, id: ConnectionId, out: &mut Outputs<H>) {
        let Some(found) = self.connections.get_mut(id) else { return };
        let Some(awaited) = found.awaited() else { return };
        let sealed = found.outbox.sealed();
        if sealed > 0 || (awaited > 0 && !found.outbox.is_empty()) {
            return;
        }
        found.set_awaited(None);
        self.call(now, |handler, cx| handler.sent(cx, id));
        self.carry_out(now, None, out);
    }
}

impl Connection {
    /// Whether anybody has to hear when its queue gets shorter.
    pub(super) fn is_watched(&self) -> bool {
        self.rare().is_some_and(|rare| rare.slow.is_some() || rare.awaited.is_some())
    }

    /// So many bytes were queued before others, perhaps before what is awaited.
    pub(super) fn await_more(&mut self, bytes: usize) {
        if let Some(awaited) = self.awaited() {
            self.set_awaited(Some(awaited + bytes));
        }
    }
}
