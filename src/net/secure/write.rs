//! Writing what is encrypted: one system call per connection and visit, as for everybody.
//!
//! Law: nothing is encrypted while ciphertext waits, so what waits is bounded by one visit's worth;
//! whatever waits was told to the engine, and the connection is blocked until the kernel takes it.

use std::io;

use super::{Broken, Held, SEALED_AT_ONCE};
use crate::base::id::ConnectionId;
use crate::engine::Outputs;
use crate::handler::Handler;
use crate::net::connection::Stream;
use crate::net::event_loop::EventLoop;
use crate::net::flush::{SCRATCH_BYTES, retried};

impl<H: Handler> EventLoop<H> {
    /// Writes what waits, or else encrypts and writes what is lent and queued, as far as it goes.
    pub(in crate::net) fn send_secure(
        &mut self,
        scratch: &mut Vec<u8>,
        id: ConnectionId,
        lent: &[u8],
        out: &mut Outputs<H>,
    ) {
        let Some(Some(connection)) = self.connections.get(id.slot as usize) else { return };
        if connection.blocked {
            return self.engine.refused(id, lent);
        }
        let Some(mut held) = self.secure.take(id.slot) else { return };
        let mut sealed = std::mem::take(&mut self.secure.sealed);
        sealed.clear();
        let mut taken = 0;
        if held.waiting.is_empty() {
            let parts = std::iter::once(lent).chain(self.engine.queued(id));
            taken = seal(&mut held, scratch, parts, &mut sealed);
        }
        let written = held.write(&connection.stream, &sealed);
        self.secure.sealed = sealed;
        let waiting = held.left();
        self.secure.bring_back(id.slot, held);
        let Ok(bytes) = written else { return self.lose(id, out) };
        self.sent += bytes;
        self.block(id, waiting > 0);
        let rest = lent.get(taken..).unwrap_or_default();
        if !rest.is_empty() {
            self.engine.refused(id, rest);
        }
        let (now, from_queue) = (self.now, taken.saturating_sub(lent.len()));
        let told = self.guarded(|engine| {
            engine.sealed(now, id, waiting, out);
            if from_queue > 0 {
                engine.sent(now, id, from_queue, out);
            }
        });
        if told.is_none() {
            return self.lose(id, out);
        }
        if waiting == 0 && self.engine.queued_bytes(id) > 0 {
            self.dirty.push(id.slot);
        }
    }

    /// Sends what is of TLS itself, after whatever waits already.
    pub(super) fn answer(&mut self, id: ConnectionId, held: &mut Held, bytes: &[u8]) {
        let Some(Some(connection)) = self.connections.get(id.slot as usize) else { return };
        if bytes.is_empty() {
            return;
        }
        if held.waiting.is_empty() {
            // A socket that broke says so when it is read.
            self.sent += held.write(&connection.stream, bytes).unwrap_or(0);
            self.block(id, !held.waiting.is_empty());
        } else {
            // Blocked, or about to be visited for what waits.
            held.waiting.extend_from_slice(bytes);
        }
        let (waiting, now) = (held.left(), self.now);
        let mut out = std::mem::take(&mut self.out);
        self.guarded(|engine| engine.sealed(now, id, waiting, &mut out));
        self.carry_out(&mut out);
        self.out = out;
    }

    fn block(&mut self, id: ConnectionId, blocked: bool) {
        let Some(connection) = self.connection(id) else { return };
        let newly = blocked && !connection.blocked;
        connection.blocked = blocked;
        if newly {
            self.metrics.blocked.add(1);
        }
    }

    /// Says close_notify (RFC 8446 §6.1), once, and whether that is with the kernel.
    pub(in crate::net) fn said_farewell(&mut self, id: ConnectionId) -> bool {
        let Some(mut held) = self.secure.take(id.slot) else { return true };
        if held.shaking_since.is_some() {
            held.broken.get_or_insert(Broken::Stopped);
        } else if !std::mem::replace(&mut held.farewell, true) {
            let mut bytes = Vec::new();
            held.session.close(&mut bytes);
            self.answer(id, &mut held, &bytes);
        }
        let done = held.left() == 0;
        self.secure.bring_back(id.slot, held);
        done
    }
}

impl Held {
    fn left(&self) -> usize {
        self.waiting.len() - self.written
    }

    /// Writes what waits, or when nothing does `sealed`; what is not taken waits.
    fn write(&mut self, stream: &Stream, sealed: &[u8]) -> io::Result<usize> {
        let bytes = if self.waiting.is_empty() { sealed } else { &self.waiting[self.written..] };
        if bytes.is_empty() {
            return Ok(0);
        }
        let taken = match retried(|| stream.write(bytes)) {
            Ok(taken) => taken,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(error) => return Err(error),
        };
        if self.waiting.is_empty() {
            self.waiting = bytes[taken..].to_vec();
        } else {
            self.written += taken;
            if self.left() == 0 {
                self.waiting = Vec::new();
                self.written = 0;
            }
        }
        Ok(taken)
    }
}

/// Encrypts the first of the parts: small ones together, so that they share a record.
fn seal<'a>(
    held: &mut Held,
    scratch: &mut Vec<u8>,
    parts: impl Iterator<Item = &'a [u8]>,
    out: &mut Vec<u8>,
) -> usize {
    let mut parts = parts.filter(|part| !part.is_empty()).peekable();
    let Some(first) = parts.next() else { return 0 };
    if first.len() >= SCRATCH_BYTES || parts.peek().is_none() {
        let most = first.len().min(SEALED_AT_ONCE);
        return held.session.seal(&first[..most], out);
    }
    scratch.clear();
    scratch.extend_from_slice(first);
    for part in parts {
        let room = SCRATCH_BYTES - scratch.len();
        scratch.extend_from_slice(&part[..part.len().min(room)]);
        if scratch.len() == SCRATCH_BYTES {
            break;
        }
    }
    held.session.seal(scratch, out)
}
