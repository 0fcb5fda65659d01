//! Reading what is encrypted, and handshakes in their time.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{Broken, Failure, HANDSHAKE_BYTES_MAX, HANDSHAKE_READ, Held};
use crate::base::id::ConnectionId;
use crate::engine::Input;
use crate::handler::Handler;
use crate::net::connection::Stream;
use crate::net::event_loop::EventLoop;
use crate::net::flush::retried;
use crate::protocol::sniff::{Sniff, sniff};

impl<H: Handler> EventLoop<H> {
    /// Visits a connection that is encrypted, or may be. Returns false when it turned out not to be:
    /// it is to be read as it is.
    pub(in crate::net) fn read_special(&mut self, slot: u32, buffer: &mut [u8]) -> bool {
        let Some(Some(connection)) = self.connections.get_mut(slot as usize) else { return true };
        if !connection.stream.is_secure() {
            let id = connection.id;
            match connection.stream.peek() {
                Ok(Some(first)) if sniff(&[first], true) == Sniff::Tls => self.secure(id),
                Ok(_) => {
                    self.become_kind(slot, Stream::Plain);
                    return false;
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    connection.readable = false;
                    connection.ending = false;
                    return true;
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {
                    self.ready.push(slot);
                    return true;
                }
                Err(_) => {
                    self.lose_alone(id);
                    return true;
                }
            }
        }
        if self.secure.is_handshaking(slot) {
            self.secure.waiting.push(slot);
        } else {
            self.read_secure(slot, buffer);
        }
        true
    }

    fn become_kind(&mut self, slot: u32, kind: fn(mio::net::TcpStream) -> Stream) {
        let place = &mut self.connections[slot as usize];
        if let Some(mut connection) = place.take() {
            connection.stream = connection.stream.become_kind(kind);
            *place = Some(connection);
        }
    }

    /// The peer begins a handshake.
    fn secure(&mut self, id: ConnectionId) {
        if !self.secure.begin(id.slot, self.now.monotonic) {
            return self.lose_alone(id);
        }
        self.become_kind(id.slot, Stream::Secure);
        self.give(Input::Securing { connection: id });
    }

    /// Works on handshakes, at least on one, until they have had their time.
    pub(in crate::net) fn shake_hands(&mut self) {
        let until = self.clock.monotonic().saturating_add(self.config.handshake_budget);
        let mut buffer = std::mem::take(&mut self.buffer);
        for _ in 0..self.secure.waiting.len() {
            if let Some(slot) = self.secure.waiting.pop() {
                self.read_secure(slot, &mut buffer);
            }
            if self.clock.monotonic() >= until {
                break;
            }
        }
        self.buffer = buffer;
        if self.secure.has_waiting() {
            self.secure.metrics.postponed.add(1);
        }
    }

    /// Reads once, as from plain connections; what comes of it is sent at once.
    fn read_secure(&mut self, slot: u32, buffer: &mut [u8]) {
        let most = if self.secure.is_handshaking(slot) { HANDSHAKE_READ } else { usize::MAX };
        let asked = buffer.len().min(most);
        let Some(Some(connection)) = self.connections.get_mut(slot as usize) else { return };
        let id = connection.id;
        if !connection.stream.is_secure() {
            // The slot has another tenant by now.
            return self.ready.push(slot);
        }
        if !connection.wants_read() {
            if connection.broken {
                self.lose_alone(id);
            }
            return;
        }
        match retried(|| connection.stream.read(&mut buffer[..asked])) {
            Ok(0) => self.cut_off(id),
            Ok(taken) => {
                if taken < asked && !connection.ending {
                    connection.readable = false;
                } else {
                    self.ready.push(slot);
                }
                self.received += taken;
                self.open(id, &buffer[..taken]);
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                connection.readable = false;
                connection.ending = false;
            }
            Err(_) => self.lose_alone(id),
        }
    }

    /// Decrypts, answers what is of TLS itself, and hands on the rest.
    fn open(&mut self, id: ConnectionId, sealed: &[u8]) {
        let Some(mut held) = self.secure.take(id.slot) else { return };
        let mut plain = std::mem::take(&mut self.secure.plain);
        let mut out = std::mem::take(&mut self.secure.sealed);
        plain.clear();
        out.clear();
        let opened = open(&mut held, sealed, &mut plain, &mut out);
        self.answer(id, &mut held, &out);
        let since = held.shaking_since.take_if(|_| !held.session.is_handshaking());
        self.secure.bring_back(id.slot, held);
        self.secure.sealed = out;
        if let Some(since) = since {
            let metrics = &self.secure.metrics;
            metrics.handshaking.add(-1);
            metrics.handshakes.add(1);
            let took = self.clock.monotonic().saturating_sub(since);
            metrics.handshake_seconds.time_at((), took);
            self.give(Input::Secured { connection: id });
        }
        if !plain.is_empty() {
            // What came whole before a failure was said by the peer, and counts.
            let mut out = std::mem::take(&mut self.out);
            let whole = 0..plain.len();
            let lent = self.receive(id, &mut plain, whole, &mut out);
            if !lent.is_empty() {
                self.send(id, &plain[lent], &mut out);
                self.carry_out(&mut out);
            }
            self.out = out;
        }
        self.secure.plain = plain;
        match opened {
            Ok(false) => {}
            Ok(true) => self.finished(id),
            Err(failure) => self.break_off(id, &failure),
        }
    }

    /// The stream ended. Without the peer's close_notify anybody may have ended it.
    fn cut_off(&mut self, id: ConnectionId) {
        let Some(held) = self.secure.get(id.slot) else { return };
        if held.shaking_since.is_some() {
            held.broken.get_or_insert(Broken::Gone);
        } else {
            self.secure.metrics.truncated.add(1);
            log::debug!("[{id:?}] ended without close_notify");
        }
        self.give(Input::Truncated { connection: id });
        self.finished(id);
    }

    fn finished(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connection(id) {
            connection.ended = true;
            if !self.give_or_panic(Input::Finished { connection: id }) {
                self.lose_alone(id);
            }
        }
    }

    /// The peer broke the rules; it was told by an alert if there is one for it.
    fn break_off(&mut self, id: ConnectionId, failure: &Failure) {
        let Some(held) = self.secure.get(id.slot) else { return };
        held.broken = Some(failure.reason);
        let step = if held.shaking_since.is_some() {
            "handshake failed"
        } else {
            self.secure.metrics.broken.add_at(failure.reason, 1);
            "connection broken"
        };
        if let Some(connection) = self.connection(id) {
            let peer = connection.peer.address();
            let peer = peer.map_or_else(String::new, |address| format!(" with {address}"));
            log::info!("[{id:?}] TLS {step}{peer}: {}", failure.text);
        }
        self.lose_alone(id);
    }
}

/// What came is opened; a panic there costs this connection only.
fn open(
    held: &mut Held,
    sealed: &[u8],
    plain: &mut Vec<u8>,
    out: &mut Vec<u8>,
) -> Result<bool, Failure> {
    if held.shaking_since.is_some() {
        held.received = held.received.saturating_add(sealed.len());
        if held.received > HANDSHAKE_BYTES_MAX {
            let text = "more bytes than a handshake has".to_owned();
            return Err(Failure { reason: Broken::TooLong, text });
        }
    }
    let session = &mut held.session;
    catch_unwind(AssertUnwindSafe(|| session.open(sealed, plain, out))).unwrap_or_else(|_| {
        Err(Failure { reason: Broken::Other, text: "a panic of the TLS library".to_owned() })
    })
}
