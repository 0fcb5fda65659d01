//! The middle of a turn: reading, giving the engine its inputs, carrying out its outputs.
//!
//! Law: a panic in the engine or a handler costs the connection whose input it was, and is counted
//! and logged; the loop goes on. The engine tells that connection that it was our fault; when that
//! panics too, the connection is lost without a word. What the panic left half done elsewhere is the
//! handler's to find: its invariants are checked in debug builds.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::connection::Connection;
use super::event_loop::EventLoop;
use super::mailbox::{Arrival, Word};
use crate::base::id::{ConnectionId, LoopId};
use crate::engine::{Engine, Input, Output, Outputs};
use crate::handler::Handler;
use mio::Token;

/// Connections that are read from before the first of them is answered.
const BATCH_MAX: usize = 128;
/// Bytes read from them at most, but for the last of them: what is read is still in the cache when
/// it is looked at.
const BATCH_BYTES_MAX: usize = 64 * 1024;

/// After a read of more than this the batch is closed: for so many bytes the data is what counts,
/// and it is to be answered while it lies in the first cache.
const LONG_BYTES: usize = 4 * 1024;

/// From whom, and where in the buffer it lies; once the engine has had it, what of it goes back.
pub(super) type Received = (ConnectionId, Range<usize>);

impl<H: Handler> EventLoop<H> {
    /// The connection, unless it is gone.
    pub(super) fn connection(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        let connection = self.connections.get_mut(id.slot as usize)?.as_mut()?;
        (connection.id == id).then_some(connection)
    }

    /// Calls the engine; `None` when that panicked.
    pub(super) fn guarded<R>(&mut self, call: impl FnOnce(&mut Engine<H>) -> R) -> Option<R> {
        let engine = &mut self.engine;
        let result = catch_unwind(AssertUnwindSafe(|| call(engine)));
        if result.is_err() {
            self.engine.abandon();
            self.metrics.panics.add(1);
            log::error!("loop {}: an engine or its handler panicked", self.here.0);
        }
        result.ok()
    }

    /// Gives the engine an input that is of no connection.
    pub(super) fn give(&mut self, input: Input<'_, H>) {
        self.give_or_panic(input);
    }

    /// The same; returns whether that went without a panic.
    pub(super) fn give_or_panic(&mut self, input: Input<'_, H>) -> bool {
        let now = self.now;
        let mut out = std::mem::take(&mut self.out);
        let went = self.guarded(|engine| engine.input(now, input, &mut out)).is_some();
        self.carry_out(&mut out);
        self.out = out;
        went
    }

    /// Takes a new connection.
    pub(super) fn arrive(&mut self, arrival: Arrival) {
        let Arrival { stream, accepted } = arrival;
        let mut stream = self.secure.fresh(stream);
        let (now, peer, admitted) = (self.now, accepted.peer, accepted.refused.is_none());
        let mut out = std::mem::take(&mut self.out);
        if let Some(id) = self.guarded(|engine| engine.accept(now, accepted, &mut out)) {
            let place = id.slot as usize;
            let registered = stream.register(self.poll.registry(), Token(place));
            if place >= self.connections.len() {
                self.connections.resize_with(place + 1, || None);
            }
            self.connections[place] = Some(Connection::new(id, stream, peer, admitted));
            self.metrics.open.add(1);
            if let Err(error) = registered {
                log::error!("a connection cannot be polled: {error}");
                self.lose(id, &mut out);
            }
        } else {
            self.release(peer, admitted);
        }
        self.carry_out(&mut out);
        self.out = out;
    }

    /// Visits everyone who may have something to read, each once: some are read from, then the
    /// engine is given what they sent, then what it lends of that is written.
    ///
    /// Doing one thing many times keeps its code in the core's instruction cache, of which a read
    /// and a write through the kernel each need more than there is.
    pub(super) fn read_ready(&mut self) {
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut received = std::mem::take(&mut self.batch);
        let room = BATCH_BYTES_MAX.min(buffer.len());
        let mut left = self.ready.len();
        while left > 0 {
            let mut filled = 0;
            while left > 0 && received.len() < BATCH_MAX && filled < room {
                left -= 1;
                let Some(slot) = self.ready.pop() else { break };
                let taken = self.read(slot, &mut buffer[filled..], filled, &mut received);
                filled += taken;
                if taken > LONG_BYTES {
                    break;
                }
            }
            let mut out = std::mem::take(&mut self.out);
            for (id, range) in &mut received {
                *range = self.receive(*id, &mut buffer, range.clone(), &mut out);
            }
            for (id, lent) in received.drain(..) {
                if !lent.is_empty() {
                    self.send(id, &buffer[lent], &mut out);
                    self.carry_out(&mut out);
                }
            }
            self.out = out;
        }
        self.buffer = buffer;
        self.batch = received;
    }

    /// Reads once from a connection into `buffer`, which lies `at` bytes behind its start. Returns
    /// how many bytes came.
    fn read(
        &mut self,
        slot: u32,
        buffer: &mut [u8],
        at: usize,
        received: &mut Vec<Received>,
    ) -> usize {
        // While others wait a turn is short; who is alone may fill the buffer.
        let alone = self.ready.is_empty();
        let budget = if alone { buffer.len() } else { self.config.read_budget_bytes.max(1) };
        let asked = buffer.len().min(budget);
        loop {
            let Some(Some(connection)) = self.connections.get_mut(slot as usize) else { return 0 };
            let id = connection.id;
            if !connection.wants_read() {
                if connection.broken {
                    self.lose_alone(id);
                }
                return 0;
            }
            if connection.stream.is_special() {
                if self.read_special(slot, &mut buffer[..asked]) {
                    return 0;
                }
                continue;
            }
            match connection.stream.read(&mut buffer[..asked]) {
                Ok(0) => {
                    connection.ended = true;
                    let finished = self.give_or_panic(Input::Finished { connection: id });
                    if !finished {
                        self.part_alone(id);
                    }
                    return 0;
                }
                Ok(taken) => {
                    // A short read means drained, unless an end was announced behind it: that edge
                    // will not come again.
                    let drained = taken < asked && connection.stream.short_read_drains();
                    if drained && !connection.ending {
                        connection.readable = false;
                    } else {
                        self.ready.push(slot);
                    }
                    self.received += taken;
                    received.push((id, at..at + taken));
                    return taken;
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    connection.readable = false;
                    connection.ending = false;
                    return 0;
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => {
                    self.lose_alone(id);
                    return 0;
                }
            }
        }
    }

    /// Gives the engine what lies in a part of the buffer. Returns what it lends of that.
    pub(super) fn receive(
        &mut self,
        id: ConnectionId,
        buffer: &mut [u8],
        part: Range<usize>,
        out: &mut Outputs<H>,
    ) -> Range<usize> {
        let (now, start) = (self.now, part.start);
        let bytes = &mut buffer[part];
        let input = |engine: &mut Engine<H>| {
            engine.input(now, Input::Received { connection: id, bytes: &mut *bytes }, out);
        };
        let went = self.guarded(input).is_some();
        let lent = out.lent.take();
        if !went {
            self.broken(id, lent.map_or(&[], |lent| &bytes[lent]), out);
            return 0..0;
        }
        self.carry_out(out);
        lent.map_or(0..0, |lent| start + lent.start..start + lent.end)
    }

    /// The engine panicked over what came; these are the answers to what came before.
    #[cold]
    fn broken(&mut self, id: ConnectionId, answers: &[u8], out: &mut Outputs<H>) {
        self.engine.refused(id, answers);
        self.part(id, out);
        self.carry_out(out);
    }

    /// Parts with a connection whose input made the engine panic: with a word, if that goes well.
    fn part(&mut self, id: ConnectionId, out: &mut Outputs<H>) {
        let now = self.now;
        if self.guarded(|engine| engine.panicked(now, id, out)).is_none() {
            self.lose(id, out);
        }
    }

    fn part_alone(&mut self, id: ConnectionId) {
        let mut out = std::mem::take(&mut self.out);
        self.part(id, &mut out);
        self.carry_out(&mut out);
        self.out = out;
    }

    /// Does what the engine asks for, in its order.
    #[inline]
    pub(super) fn carry_out(&mut self, out: &mut Outputs<H>) {
        if !out.list.is_empty() {
            self.carry_out_all(out);
        }
    }

    fn carry_out_all(&mut self, out: &mut Outputs<H>) {
        for output in out.list.drain(..) {
            match output {
                Output::Transmit(id) => {
                    if self.connection(id).is_some() {
                        self.dirty.push(id.slot);
                    }
                }
                Output::Pause(id) => {
                    if let Some(connection) = self.connection(id) {
                        connection.paused = true;
                    }
                }
                Output::Resume(id) => {
                    if let Some(connection) = self.connection(id) {
                        connection.paused = false;
                        self.ready.push(id.slot);
                    }
                }
                Output::Shutdown(id) => {
                    if let Some(connection) = self.connection(id) {
                        connection.shutting = true;
                        self.dirty.push(id.slot);
                    }
                }
                Output::Close(id) => self.forget(id),
                Output::Job(job) => match &self.workers {
                    Some(workers) => workers.submit(job, self.here),
                    None => log::error!("there is nobody to do {job:?}"),
                },
                Output::Peer { to, message } => {
                    self.say(to, Word::Peer { from: self.here, message });
                }
            }
        }
    }

    /// Gives up a connection and tells the engine.
    pub(super) fn lose(&mut self, id: ConnectionId, out: &mut Outputs<H>) {
        self.secure.lost(id.slot);
        self.forget(id);
        let now = self.now;
        let input = Input::Lost { connection: id };
        self.guarded(|engine| engine.input(now, input, out));
    }

    pub(super) fn lose_alone(&mut self, id: ConnectionId) {
        let mut out = std::mem::take(&mut self.out);
        self.lose(id, &mut out);
        self.carry_out(&mut out);
        self.out = out;
    }

    /// Closes the socket of a connection. Closing takes it out of the poll as well.
    fn forget(&mut self, id: ConnectionId) {
        if self.connection(id).is_none() {
            return;
        }
        if let Some(connection) = self.connections[id.slot as usize].take() {
            if connection.stream.is_secure() {
                self.secure.end(id.slot, &connection.stream, connection.blocked);
            }
            self.metrics.open.add(-1);
            self.release(connection.peer, connection.admitted);
        }
    }

    /// Tells loop 0 that a connection is gone.
    fn release(&mut self, peer: crate::handler::Peer, admitted: bool) {
        let (from, now) = (self.here, self.now);
        if let Some(front) = &mut self.front {
            front.released(now, from, peer, admitted);
        } else {
            self.say(LoopId(0), Word::Released { from, peer, admitted });
        }
    }
}
