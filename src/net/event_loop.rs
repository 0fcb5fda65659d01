//! One loop: poll, inputs, outputs, flush.
//!
//! ```text
//! poll ─▶ edges noted ─▶ accept ─▶ read ─▶ words, finished jobs ─▶ deadlines ─▶ flush ─▶ poll
//! ```
//!
//! Edges are noted before anything is done about them, so that none reaches a connection that came
//! into the slot of the one it was meant for. In steady state a turn allocates nothing.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use mio::{Events, Poll, Token};

use super::connection::Connection;
use super::front::Signalled;
use super::mailbox::Word;
use super::ready_list::ReadyList;
use super::secure::Secure;
use super::turn::Received;
use super::{Arrivals, Clock, Config, Front, Inbox, Metrics, Outlets, Stop, Workers};
use crate::base::id::LoopId;
use crate::base::now::Now;
use crate::engine::{Engine, Input, Outputs};
use crate::handler::Handler;

/// Tokens below are slots of connections.
const TOKENS: usize = usize::MAX - 65_536;
pub(crate) const WAKER: Token = Token(TOKENS);
pub(crate) const SIGNALS: Token = Token(TOKENS + 1);
/// And those after it, one for each listener.
pub(crate) const LISTENERS: Token = Token(TOKENS + 2);

/// How long words that found no room wait before they are offered again.
const SPILL_RETRY: Duration = Duration::from_millis(1);
/// A loop whose deadlines panic this often in a row is beyond help.
const TIME_PANICS_MAX: u32 = 16;

/// What a loop is made of.
pub(crate) struct Parts<H: Handler> {
    pub(crate) here: LoopId,
    pub(crate) poll: Poll,
    pub(crate) engine: Engine<H>,
    pub(crate) inbox: Inbox<H>,
    pub(crate) outlets: Outlets<H>,
    pub(crate) workers: Option<Arc<dyn Workers<H>>>,
    pub(crate) stop: Arc<Stop>,
    pub(crate) front: Option<Front>,
    pub(crate) secure: Secure,
    pub(crate) clock: Clock,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) config: Config,
}

/// A loop.
pub(crate) struct EventLoop<H: Handler> {
    pub(super) here: LoopId,
    pub(super) poll: Poll,
    events: Events,
    pub(super) engine: Engine<H>,
    /// Used again and again; empty between inputs.
    pub(super) out: Outputs<H>,
    /// By slot.
    pub(super) connections: Vec<Option<Connection>>,
    /// To be read.
    pub(super) ready: ReadyList,
    /// To be written to.
    pub(super) dirty: ReadyList,
    pub(super) buffer: Vec<u8>,
    pub(super) scratch: Vec<u8>,
    /// Used again and again; empty between turns.
    pub(super) batch: Vec<Received>,
    pub(super) secure: Secure,
    inbox: Inbox<H>,
    pub(super) outlets: Outlets<H>,
    pub(super) workers: Option<Arc<dyn Workers<H>>>,
    stop: Arc<Stop>,
    pub(super) front: Option<Front>,
    arrivals: Arrivals,
    pub(super) clock: Clock,
    pub(super) now: Now,
    /// Monotonic time at the end of the last turn.
    ended: Duration,
    time_panics: u32,
    pub(super) metrics: Arc<Metrics>,
    /// Bytes of this turn, counted at its end.
    pub(super) received: usize,
    pub(super) sent: usize,
    pub(super) config: Config,
}

impl<H: Handler> EventLoop<H> {
    pub(crate) fn new(parts: Parts<H>) -> Self {
        let Parts { here, poll, engine, inbox, outlets, workers, .. } = parts;
        let now = parts.clock.now();
        Self {
            here,
            poll,
            events: Events::with_capacity(parts.config.events_max),
            engine,
            out: Outputs::default(),
            connections: Vec::new(),
            ready: ReadyList::default(),
            dirty: ReadyList::default(),
            buffer: vec![0; parts.config.read_buffer_bytes.max(1)],
            scratch: Vec::with_capacity(super::flush::SCRATCH_BYTES),
            batch: Vec::new(),
            secure: parts.secure,
            inbox,
            outlets,
            workers,
            stop: parts.stop,
            front: parts.front,
            arrivals: Vec::new(),
            clock: parts.clock,
            now,
            ended: now.monotonic,
            time_panics: 0,
            metrics: parts.metrics,
            received: 0,
            sent: 0,
            config: parts.config,
        }
    }

    /// Turns until the server is stopped.
    ///
    /// # Errors
    /// The system cannot poll, or the deadlines of the handler panic again and again.
    pub(crate) fn run(&mut self) -> io::Result<()> {
        self.ended = self.clock.monotonic();
        while self.round(None)? {}
        Ok(())
    }

    /// Exactly one turn, which waits at most `timeout` for something to happen. Returns whether
    /// there are to be more.
    ///
    /// # Errors
    /// As [`EventLoop::run`].
    pub(crate) fn turn(&mut self, timeout: Option<Duration>) -> io::Result<bool> {
        self.ended = self.clock.monotonic();
        self.round(timeout)
    }

    fn round(&mut self, timeout: Option<Duration>) -> io::Result<bool> {
        if self.stop.is_pulled() {
            return Ok(false);
        }
        let patience = self.patience(timeout);
        match self.poll.poll(&mut self.events, patience) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => self.events.clear(),
            Err(error) => return Err(error),
        }
        self.now = self.clock.now_after(self.now);
        self.note_edges();
        self.lead();
        self.read_ready();
        self.hear();
        self.pass_time()?;
        self.flush();
        if self.secure.has_waiting() {
            self.shake_hands();
            self.flush();
        }
        self.outlets.flush();
        self.count();
        if self.front.as_ref().is_some_and(|front| front.is_drained(self.now)) {
            self.stop.pull();
        }
        Ok(!self.stop.is_pulled())
    }

    /// How long the poll may wait.
    fn patience(&self, timeout: Option<Duration>) -> Option<Duration> {
        let busy = !self.ready.is_empty()
            || !self.outlets.own.is_empty()
            || !self.inbox.is_empty()
            || self.secure.has_waiting();
        if busy {
            return Some(Duration::ZERO);
        }
        let front = self.front.as_ref().and_then(Front::due);
        let deadline = [self.engine.next_deadline(), front].into_iter().flatten().min();
        let until = deadline.map(|at| at.saturating_sub(self.ended));
        let spill = self.outlets.is_spilling().then_some(SPILL_RETRY);
        [timeout, until, spill].into_iter().flatten().min()
    }

    fn note_edges(&mut self) {
        for event in &self.events {
            let token = event.token();
            if token.0 >= TOKENS {
                // The waker needs no note: the queues are looked at in any case.
                match (&mut self.front, token.0.checked_sub(LISTENERS.0)) {
                    (Some(front), Some(at)) => front.acceptor.edge(at),
                    (Some(front), None) => front.signalled |= token == SIGNALS,
                    (None, _) => {}
                }
                continue;
            }
            let Some(Some(connection)) = self.connections.get_mut(token.0) else { continue };
            let slot = connection.id.slot;
            connection.broken |= event.is_error();
            connection.ending |= event.is_read_closed();
            if event.is_readable() || event.is_read_closed() || event.is_error() {
                connection.readable = true;
                self.ready.push(slot);
            }
            if event.is_writable() && connection.blocked {
                connection.blocked = false;
                self.dirty.push(slot);
            }
        }
    }

    /// What loop 0 does beside the others: accepts and drains.
    fn lead(&mut self) {
        let Some(front) = &mut self.front else { return };
        let drain = match front.heed_signals(self.now) {
            Signalled::Nothing => front.asked(self.now),
            Signalled::Drain(over) => Some(over),
            Signalled::Stop => {
                self.stop.pull();
                None
            }
        };
        let renewed = front.renewed.take();
        let mut arrivals = std::mem::take(&mut self.arrivals);
        front.accept(self.now, &self.metrics, &mut arrivals);
        for (to, arrival) in arrivals.drain(..) {
            if to == self.here {
                self.arrive(arrival);
            } else {
                self.say(to, Word::Arrived(Box::new(arrival)));
            }
        }
        self.arrivals = arrivals;
        if let Some(issuer) = renewed {
            for to in self.outlets.others() {
                self.say(to, Word::Renewed(issuer.clone()));
            }
            self.secure.renew(issuer);
        }
        if let Some(over) = drain {
            for to in self.outlets.others() {
                self.say(to, Word::Drain(over));
            }
            self.give(Input::Drain { over });
        }
    }

    /// Says a word to a loop.
    pub(super) fn say(&mut self, to: LoopId, word: Word<H>) {
        if self.outlets.push(to, word) {
            self.metrics.spilled.add(1);
        }
    }

    /// Takes what was finished and said, within a budget.
    ///
    /// What is finished comes first: a word that follows from a commit must not overtake the end of
    /// an earlier one. So while ends are left over, words wait.
    fn hear(&mut self) {
        self.inbox.waker.clear();
        for _ in 0..self.config.words_max {
            let Ok(done) = self.inbox.done.try_recv() else { break };
            self.give(Input::Done(done));
        }
        if !self.inbox.done.is_empty() {
            return;
        }
        for _ in 0..self.outlets.own.len().min(self.config.words_max) {
            let Some(word) = self.outlets.own.pop_front() else { break };
            self.heed(word);
        }
        for _ in 0..self.config.words_max {
            let Ok(word) = self.inbox.words.try_recv() else { break };
            self.heed(word);
        }
    }

    fn heed(&mut self, word: Word<H>) {
        match word {
            Word::Peer { from, message } => self.give(Input::Peer { from, message }),
            Word::Arrived(arrival) => self.arrive(*arrival),
            Word::Drain(over) => self.give(Input::Drain { over }),
            Word::Renewed(issuer) => self.secure.renew(issuer),
            Word::Released { from, peer, admitted } => {
                if let Some(front) = &mut self.front {
                    front.released(self.now, from, peer, admitted);
                }
            }
        }
    }

    fn pass_time(&mut self) -> io::Result<()> {
        if self.engine.next_deadline().is_some_and(|at| at <= self.now.monotonic) {
            if self.give_or_panic(Input::Time) {
                self.time_panics = 0;
            } else {
                self.time_panics += 1;
            }
        }
        if self.time_panics >= TIME_PANICS_MAX {
            return Err(io::Error::other("the deadlines of a loop panic again and again"));
        }
        Ok(())
    }

    /// Counts the turn.
    fn count(&mut self) {
        self.ended = self.clock.monotonic();
        self.metrics.turn.time_at((), self.ended.saturating_sub(self.now.monotonic));
        for (bytes, counter) in
            [(&mut self.received, &self.metrics.received), (&mut self.sent, &self.metrics.sent)]
        {
            if *bytes > 0 {
                counter.add(std::mem::take(bytes) as u64);
            }
        }
    }
}

impl<H: Handler> std::fmt::Debug for EventLoop<H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventLoop")
            .field("here", &self.here)
            .field("now", &self.now)
            .field("front", &self.front)
            .finish_non_exhaustive()
    }
}
