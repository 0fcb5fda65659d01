//! One loop's state, without sockets, threads or clocks: inputs and the time in, outputs out.
//!
//! [`Engine`] owns the connections of a loop and the [`Handler`] that they talk to. It is driven by
//! `net/`, by a simulator, or by an event loop of your own (`examples/engine.rs`):
//!
//! 1. [`Engine::accept`] and [`Engine::input`] tell it what happened, one thing at a time;
//! 2. [`Outputs`] say what to do, in order, before the next input;
//! 3. [`Engine::queued`] and [`Engine::sent`] move the bytes out;
//! 4. [`Engine::next_deadline`] says when it wants [`Input::Time`].
//!
//! `io.rs` is the table of contents: everything that can happen, everything that can be caused.

mod compression;
mod config;
mod connection;
mod deadlines;
mod effects;
mod invariants;
pub mod io;
#[doc(hidden)]
pub mod laws;
mod metrics;
mod outbox;
mod panicked;
mod receive;
mod run;
mod secure;
mod sent;
mod slow;
mod translation;
mod transport;
mod unfinished;
mod upgrade;
mod whole;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

pub use config::{Config, DeflateMode};
pub use io::{Accepted, Input, Output, Outputs};
pub use metrics::{DoorLabel, Metrics};

use crate::base::arena::Arena;
use crate::base::id::{ConnectionId, LoopId};
use crate::base::now::Now;
use crate::base::rng::Rng;
use crate::base::timer::Wheel;
use crate::handler::{Back, Context, Effect, Handler, TimerKey};
use crate::metrics::Registry;
use compression::Compression;
use connection::Connection;
use outbox::Spares;
use run::Run;
use translation::Translations;
use whole::Tally;

/// The connections of one loop, and the handler that they talk to.
#[derive(Debug)]
pub struct Engine<H: Handler> {
    config: Config,
    here: LoopId,
    handler: H,
    connections: Arena<Connection>,
    timers: Wheel<TimerKey<H::Timer>>,
    compression: Compression,
    translations: Translations,
    rng: Rng,
    /// What the handler asked for and is not carried out yet.
    effects: Vec<Effect<H>>,
    /// What comes before them.
    back: Option<Back>,
    /// Messages of the common kind that were not counted yet.
    whole: Tally,
    /// To whom the broadcasts among them go.
    receivers: Vec<ConnectionId>,
    /// Broadcasts that wait for more of the same.
    run: Run,
    /// Those whose queue had no room for what was gathered.
    slow: Vec<ConnectionId>,
    /// Buffers and tables for the next replies.
    spares: Spares,
    /// What this loop said to itself.
    local: VecDeque<H::Peer>,
    /// Connections whose stage or whose reading may have changed during this input.
    touched: Vec<ConnectionId>,
    fired: Vec<TimerKey<H::Timer>>,
    draining: bool,
    /// Inputs since the invariants were last looked at.
    #[cfg(debug_assertions)]
    unchecked_inputs: usize,
    metrics: std::sync::Arc<Metrics>,
}

impl<H: Handler> Engine<H> {
    /// An engine without connections. The same `seed` and the same inputs give the same outputs.
    pub fn new(config: Config, here: LoopId, seed: u64, handler: H, registry: &Registry) -> Self {
        Self {
            config,
            here,
            handler,
            connections: Arena::new(),
            timers: Wheel::new(),
            compression: Compression::default(),
            translations: Translations::default(),
            rng: Rng::new(seed),
            effects: Vec::new(),
            back: None,
            whole: Tally::default(),
            receivers: Vec::new(),
            run: Run::default(),
            slow: Vec::new(),
            spares: Spares::default(),
            local: VecDeque::new(),
            touched: Vec::new(),
            fired: Vec::new(),
            draining: false,
            #[cfg(debug_assertions)]
            unchecked_inputs: 0,
            metrics: registry.block(),
        }
    }

    /// Takes a new connection. Its slot is the smallest that is free, so it can index a table.
    pub fn accept(&mut self, now: Now, accepted: Accepted, out: &mut Outputs<H>) -> ConnectionId {
        let id: ConnectionId = self.connections.insert(Connection::new(now, accepted)).into();
        self.metrics.accepted.add(1);
        self.metrics.connections.add(1);
        if self.draining {
            self.schedule_drain(now, id, Duration::ZERO);
        }
        self.touched.push(id);
        self.settle(now, out);
        id
    }

    /// Takes one input; what follows from it is appended to `out`, whose `lent` must be none.
    pub fn input(&mut self, now: Now, input: Input<'_, H>, out: &mut Outputs<H>) {
        debug_assert!(out.lent.is_none(), "what was lent is written before the next input");
        match input {
            Input::Received { connection, bytes } => self.received(now, connection, bytes, out),
            Input::Finished { connection } => {
                if let Some(found) = self.connections.get_mut(connection) {
                    found.peer_finished = true;
                    self.touched.push(connection);
                }
            }
            Input::Securing { connection } => self.securing(now, connection),
            Input::Secured { connection } => self.secured(now, connection),
            Input::Truncated { connection } => self.truncated(connection),
            Input::Lost { connection } => self.remove(now, connection, out),
            Input::Done(done) => {
                self.call(now, |handler, cx| handler.done(cx, done));
                self.carry_out(now, None, out);
            }
            Input::Peer { from, message } => {
                self.call(now, |handler, cx| handler.peer(cx, from, message));
                self.carry_out(now, None, out);
            }
            Input::Time => self.expire(now, out),
            Input::Drain { over } => self.drain(now, over, out),
        }
        self.settle(now, out);
        self.compression.forget();
        self.translations.forget();
        self.check_after_input();
    }

    /// When [`Input::Time`] is due, on the monotonic clock of [`Now`].
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        self.timers.next_deadline()
    }

    /// What is queued for a connection, in order; nothing when it is gone.
    pub fn queued(&self, connection: ConnectionId) -> impl Iterator<Item = &[u8]> {
        self.connections.get(connection).into_iter().flat_map(|found| found.outbox.parts())
    }

    /// The common way of [`queued`](Self::queued) and [`sent`](Self::sent) in one: what is queued is
    /// offered to `send` when it lies in one piece, which a broadcast does, and nothing else hangs on
    /// its going out. `send` returns how much went. Returns how much was offered, and what `send`
    /// returned; none, with nothing offered, for the long way.
    pub fn offer<E>(
        &mut self,
        now: Now,
        connection: ConnectionId,
        send: impl FnOnce(&[u8]) -> Result<usize, E>,
    ) -> Option<(usize, Result<usize, E>)> {
        let found = self.connections.get_mut(connection)?;
        if found.stage != connection::Stage::Open || found.throttled || found.is_watched() {
            return None;
        }
        let only = found.outbox.only()?;
        let offered = only.len();
        let went = send(only);
        if let Ok(bytes) = went {
            found.was_given(now);
            self.metrics.sent_bytes.add(bytes as u64);
            self.metrics.queued_bytes.add(-(bytes as i64));
            found.outbox.sent(bytes, &mut self.spares);
        }
        Some((offered, went))
    }

    /// How many bytes [`queued`](Self::queued) holds.
    #[must_use]
    pub fn queued_bytes(&self, connection: ConnectionId) -> usize {
        self.connections.get(connection).map_or(0, |found| found.outbox.bytes())
    }

    /// How many connections there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.connections.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.connections.is_empty()
    }

    /// The handler.
    pub const fn handler(&self) -> &H {
        &self.handler
    }

    /// The handler, to be changed between inputs.
    pub const fn handler_mut(&mut self) -> &mut H {
        &mut self.handler
    }

    /// Calls the handler; what it asks for is in `effects` afterwards.
    fn call<R>(&mut self, now: Now, f: impl FnOnce(&mut H, &mut Context<'_, H>) -> R) -> R {
        let mut back = self.back.take();
        let answer = self.call_for(now, &mut back, f);
        self.back = back;
        answer
    }

    #[inline]
    fn call_for<R>(
        &mut self,
        now: Now,
        back: &mut Option<Back>,
        f: impl FnOnce(&mut H, &mut Context<'_, H>) -> R,
    ) -> R {
        let mut context = Context {
            now,
            rng: &mut self.rng,
            here: self.here,
            timers: &mut self.timers,
            effects: &mut self.effects,
            back,
            receivers: &mut self.receivers,
            buffers: &mut self.spares.buffers,
        };
        f(&mut self.handler, &mut context)
    }
}
