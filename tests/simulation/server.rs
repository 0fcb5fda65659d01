//! The node: its engines, its one writer, its readers, its words between loops; crash and restart.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use stentor::auth::jwt::Jwt;
use stentor::base::id::{Address, ConnectionId, LoopId};
use stentor::base::now::Now;
use stentor::engine::{Accepted, Engine, Input, Output, Outputs};
use stentor::handler::Peer;
use stentor::hub::homes::Homes;
use stentor::router::words::{Job, Word, commit, hash, look_up};
use stentor::router::{Done, Router};
use stentor::store::memory::{Fail, MemoryStore};
use stentor::store::{Read, Store, Write};

use crate::link::Piece;
use crate::parts::{self, Plain};
use crate::plan::Planted;
use crate::world::{Event, World};

/// The most writes of a batch.
const BATCH_MAX: u64 = 40;

/// What dies in a crash, and the disk, which does not.
pub(crate) struct Server {
    engines: Vec<Engine<Router>>,
    pub(crate) store: MemoryStore,
    /// An old handle, for stale pages.
    old: Option<MemoryStore>,
    homes: Homes,
    tokens: Arc<Jwt>,
    writes: VecDeque<Job>,
    writing: bool,
    /// When the last word of each pair of loops arrives.
    word_at: Vec<Duration>,
    /// When the last end of a write arrives at each loop.
    done_at: Vec<Duration>,
    pipes: BTreeMap<Address, usize>,
    commits: u64,
    deliveries: u64,
}

impl Server {
    pub(crate) fn new(loops: u16) -> Self {
        Self {
            engines: Vec::new(),
            store: MemoryStore::new(),
            old: None,
            homes: Homes::new(0, loops),
            tokens: parts::tokens(),
            writes: VecDeque::new(),
            writing: false,
            word_at: Vec::new(),
            done_at: Vec::new(),
            pipes: BTreeMap::new(),
            commits: 0,
            deliveries: 0,
        }
    }

    pub(crate) fn engine(&mut self, at: LoopId) -> Option<&mut Engine<Router>> {
        self.engines.get_mut(usize::from(at.0))
    }

    pub(crate) fn engines(&self) -> &[Engine<Router>] {
        &self.engines
    }

    pub(crate) const fn is_up(&self) -> bool {
        !self.engines.is_empty()
    }

    pub(crate) fn pipe(&self, address: Address) -> Option<usize> {
        self.pipes.get(&address).copied()
    }

    pub(crate) fn next_deadline(&self) -> Option<(Duration, usize)> {
        let deadlines = self.engines.iter().enumerate();
        deadlines.filter_map(|(at, engine)| Some((engine.next_deadline()?, at))).min()
    }
}

impl World {
    pub(crate) fn start_server(&mut self) {
        let loops = self.plan.loops;
        let seed = self.rng.next_u64();
        let homes = Homes::new(seed, loops);
        let (limits, tokens) = (&self.plan.limits, &self.server.tokens);
        let engine =
            |at| parts::engine(limits, homes, LoopId(at), seed ^ u64::from(at), tokens.clone());
        self.server.engines = (0..loops).map(engine).collect();
        self.server.homes = homes;
        let loops = usize::from(loops);
        self.server.word_at = vec![self.now.monotonic; loops * loops];
        self.server.done_at = vec![self.now.monotonic; loops];
    }

    /// The power is cut: what was not durable is gone, and so is every connection.
    pub(crate) fn crash(&mut self) {
        if !self.server.is_up() {
            return;
        }
        self.trace.note(self.now.monotonic, ("crash", 0), b"");
        self.server.engines.clear();
        self.server.writes.clear();
        self.server.writing = false;
        self.server.pipes.clear();
        self.server.store = self.server.store.crash();
        if self.plan.planted == Some(Planted::SyncLost) {
            self.server.store.set_sync_lost(true);
        }
        self.queue.retain(|_, event| event.survives_crash());
        for pipe in 0..self.pipes.len() {
            if self.pipes[pipe].connection.take().is_some() {
                self.end_down(pipe, Piece::Reset);
            }
        }
        let down = 1 + self.rng.below(3_000_000);
        self.schedule_at(self.now.monotonic + Duration::from_micros(down), Event::Restart);
    }

    /// A new connection is accepted by a loop.
    pub(crate) fn accept(&mut self, pipe: usize) {
        let home = self.pipes[pipe].home;
        let near = self.rng.below(2) == 0;
        let address = if near { [127, 0, 0, 1] } else { [192, 0, 2, 1 + self.rng.below(9) as u8] };
        let peer = Peer::from(std::net::SocketAddr::from((address, 9)));
        let now = self.now;
        let Some(engine) = self.server.engine(home) else {
            return self.end_down(pipe, Piece::Reset);
        };
        let mut out = Outputs::default();
        let connection = engine.accept(now, Accepted { peer, refused: None }, &mut out);
        self.pipes[pipe].connection = Some(connection);
        self.server.pipes.insert(Address { home, connection }, pipe);
        self.carry_out(home, out);
    }

    pub(crate) fn expire(&mut self, at: usize) {
        let now = self.now;
        let mut out = Outputs::default();
        self.server.engines[at].input(now, Input::Time, &mut out);
        self.carry_out(LoopId(at as u16), out);
    }

    pub(crate) fn hear_done(&mut self, at: LoopId, done: Done) {
        self.input(at, Input::Done(done));
    }

    pub(crate) fn hear_word(&mut self, from: LoopId, to: LoopId, message: Word) {
        self.input(to, Input::Peer { from, message });
    }

    fn input(&mut self, at: LoopId, input: Input<'_, Router>) {
        let now = self.now;
        let mut out = Outputs::default();
        let Some(engine) = self.server.engine(at) else { return };
        engine.input(now, input, &mut out);
        self.carry_out(at, out);
    }

    /// Does what an engine asked for, in order.
    pub(crate) fn carry_out(&mut self, at: LoopId, mut out: Outputs<Router>) {
        let mut list: VecDeque<Output<Router>> = std::mem::take(&mut out.list).into();
        while let Some(output) = list.pop_front() {
            match output {
                Output::Transmit(id) => {
                    self.with_pipe(at, id, |world, pipe| world.pump(pipe, &mut out));
                }
                Output::Pause(id) => self.with_pipe(at, id, |world, pipe| {
                    world.pipes[pipe].paused = true;
                }),
                Output::Resume(id) => self.with_pipe(at, id, |world, pipe| {
                    world.pipes[pipe].paused = false;
                    world.schedule(1, Event::Resume(pipe));
                }),
                Output::Shutdown(id) => {
                    self.with_pipe(at, id, |world, pipe| world.end_down(pipe, Piece::End));
                }
                Output::Close(id) => self.with_pipe(at, id, |world, pipe| {
                    world.pipes[pipe].connection = None;
                    world.end_down(pipe, Piece::End);
                }),
                Output::Job(job) => self.job(job),
                Output::Peer { to, message } => self.tell(at, to, message),
            }
            list.extend(out.list.drain(..));
        }
    }

    fn with_pipe(
        &mut self,
        home: LoopId,
        connection: ConnectionId,
        f: impl FnOnce(&mut Self, usize),
    ) {
        if let Some(pipe) = self.server.pipe(Address { home, connection }) {
            f(self, pipe);
        }
    }

    fn job(&mut self, job: Job) {
        match job {
            Job::Write { .. } => {
                self.server.writes.push_back(job);
                self.wake_writer();
            }
            Job::Read { call, read } => {
                self.schedule(self.plan.delays.job, Event::Look(call, read));
            }
            Job::Password { call, task } => {
                let done = hash(&mut Plain, &[0; 16], call, task);
                self.schedule(2 * self.plan.delays.job, Event::Done(call.home, Box::new(done)));
            }
        }
    }

    /// A reader looks; the answer takes its time.
    pub(crate) fn look(&mut self, call: stentor::router::words::CallRef, read: &Read) {
        let stale = matches!(read, Read::Messages { .. }) && self.rng.below(4) == 0;
        let store = self.server.old.as_ref().filter(|_| stale).unwrap_or(&self.server.store);
        let mut reader = store.reader().expect("memory can always be read");
        let done = look_up(&mut *reader, call, read);
        self.schedule(self.plan.delays.job, Event::Done(call.home, Box::new(done)));
    }

    fn wake_writer(&mut self) {
        if !self.server.writing && !self.server.writes.is_empty() {
            self.server.writing = true;
            self.schedule(self.plan.delays.commit, Event::Commit);
        }
    }

    /// The writer commits a batch and tells the ends, in order, to each loop.
    pub(crate) fn commit(&mut self) {
        let most = 1 + self.rng.below(BATCH_MAX) as usize;
        let len = self.server.writes.len().min(most);
        let mut jobs: Vec<Job> = self.server.writes.drain(..len).collect();
        self.spoil_batch(&mut jobs);
        if self.phase.has_faults() && self.rng.below(1000) < self.plan.store_faults {
            let fail = if self.rng.below(2) == 0 { Fail::Full } else { Fail::Unavailable };
            self.server.store.fail_next(fail);
        }
        let now = self.now;
        let done = commit(&mut self.server.store, now, jobs);
        self.trace.note(now.monotonic, ("commit", done.len()), b"");
        for mut done in done {
            let by = done.by.and_then(|address| self.server.pipe(address));
            self.model.committed(now.monotonic, by, &done);
            if self.plan.planted == Some(Planted::CauserTold) {
                done.by = None;
            }
            let to = done.route(&self.server.homes);
            let delay = self.draw(self.plan.delays.job);
            let last = &mut self.server.done_at[usize::from(to.0)];
            *last = (now.monotonic + delay).max(*last);
            let at = *last;
            self.schedule_at(at, Event::Done(to, Box::new(done)));
        }
        self.server.writing = false;
        self.wake_writer();
    }

    fn spoil_batch(&mut self, jobs: &mut [Job]) {
        self.server.commits += 1;
        match self.plan.planted {
            Some(Planted::SyncLost) if self.server.commits == 20 => {
                self.server.store.set_sync_lost(true);
            }
            Some(Planted::AckBeforeSync) if self.server.commits > 10 => {
                self.server.store.set_sync_lost(true);
                self.schedule(2_000_000, Event::Sync);
            }
            Some(Planted::NoDeduplication) => {
                for job in jobs {
                    if let Job::Write { write, .. } = job
                        && let Write::Message(message) = &mut **write
                    {
                        message.client_id = None;
                    }
                }
            }
            Some(Planted::BatchReversed) => jobs.reverse(),
            Some(Planted::StaleReads) if self.server.commits == 40 => {
                self.server.old = Some(copy(&mut self.server.store));
            }
            _ => {}
        }
    }

    /// The fsync that should have come before the acks.
    pub(crate) fn sync(&mut self) {
        self.server.store.set_sync_lost(false);
        touch(&mut self.server.store, self.now);
    }

    /// A word goes to another loop, behind all before it.
    fn tell(&mut self, from: LoopId, to: LoopId, mut message: Word) {
        let pair = usize::from(from.0) * usize::from(self.plan.loops) + usize::from(to.0);
        let delay = self.draw(self.plan.delays.word);
        let now = self.now.monotonic;
        let last = &mut self.server.word_at[pair];
        let mut at = (now + delay).max(*last);
        *last = at;
        if let Word::Deliver(delivery) = &mut message {
            self.server.deliveries += 1;
            let now_and_then = self.server.deliveries.is_multiple_of(7);
            match self.plan.planted {
                Some(Planted::DeliveryLost) if now_and_then => return,
                Some(Planted::DeliveryRepeated) if now_and_then => {
                    let again = Word::Deliver(delivery.clone());
                    self.schedule_at(at, Event::Word(from, to, again));
                }
                Some(Planted::WordsOvertake) => {
                    at = now + delay;
                }
                Some(Planted::RemovalSkipped) => delivery.left = None,
                _ => {}
            }
        }
        self.schedule_at(at, Event::Word(from, to, message));
    }
}

/// A write that changes nothing anybody looks at, so that everything before it is made durable.
fn touch(store: &mut MemoryStore, now: Now) {
    let write = Write::RevokeToken { jti: Arc::from("nobody's"), expires_ms: 0 };
    store.commit(now, &[write], &mut Vec::new());
}

/// A store that stays as this one is now, which goes on as a copy.
fn copy(store: &mut MemoryStore) -> MemoryStore {
    let old = store.clone();
    *store = store.crash();
    old
}
