//! The node: its engines, its one writer, its readers, its words between loops; crash and restart.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use stentor::auth::jwt::Jwt;
use stentor::base::id::{Address, ConnectionId, LoopId};
use stentor::engine::{Accepted, Engine, Input, Output, Outputs};
use stentor::handler::{Close, Peer};
use stentor::hub::Channel;
use stentor::hub::homes::Homes;
use stentor::router::words::{Job, Word, hash, look_up};
use stentor::router::{Done, Router};
use stentor::store::memory::MemoryStore;
use stentor::store::{Read, Store};

use crate::faults::Fault;
use crate::link::Piece;
use crate::parts::{self, Plain};
use crate::planted::Planted;
use crate::spoiling::Spoiled;
use crate::world::{Event, World};

/// There is no room.
const OVERLOADED: u16 = 4100;
/// How late a word is at most, in microseconds.
const SLOW_WORD_MAX: u64 = 400_000;

/// What dies in a crash, and the disk, which does not.
pub(crate) struct Server {
    engines: Vec<Engine<Router>>,
    pub(crate) store: MemoryStore,
    /// What is on the disk after its fsync failed, if it did.
    pub(crate) after: Option<MemoryStore>,
    /// An old handle, for stale pages.
    pub(crate) old: Option<MemoryStore>,
    pub(crate) homes: Homes,
    tokens: Arc<Jwt>,
    pub(crate) writes: VecDeque<Job>,
    pub(crate) writing: bool,
    draining: bool,
    /// Planted: accepts nobody any more.
    deaf: bool,
    /// When the last word of each pair of loops arrives.
    word_at: Vec<Duration>,
    /// When the last end of a write arrives at each loop.
    pub(crate) done_at: Vec<Duration>,
    pipes: BTreeMap<Address, usize>,
    /// How often it has started.
    life: u64,
    pub(crate) commits: u64,
    pub(crate) ends: u64,
    /// How often a planted bug had its chance.
    pub(crate) spoils: u64,
    /// What a planted bug gave last.
    pub(crate) answer: Option<Arc<str>>,
}

impl Server {
    pub(crate) fn new(loops: u16) -> Self {
        Self {
            engines: Vec::new(),
            store: MemoryStore::new(),
            after: None,
            old: None,
            homes: Homes::new(0, loops),
            tokens: parts::tokens(),
            writes: VecDeque::new(),
            writing: false,
            draining: false,
            deaf: false,
            word_at: Vec::new(),
            done_at: Vec::new(),
            pipes: BTreeMap::new(),
            life: 0,
            commits: 0,
            ends: 0,
            spoils: 0,
            answer: None,
        }
    }

    pub(crate) fn engine(&mut self, at: LoopId) -> Option<&mut Engine<Router>> {
        self.engines.get_mut(usize::from(at.0))
    }

    pub(crate) fn engines(&self) -> &[Engine<Router>] {
        &self.engines
    }

    /// Who is in a channel, as its home has it.
    pub(crate) fn who_is_there(&self, channel: &str) -> BTreeSet<String> {
        let Some(channel) = Channel::parse(channel) else { return BTreeSet::new() };
        let home = usize::from(self.homes.of_channel(&channel).0);
        let Some(engine) = self.engines.get(home) else { return BTreeSet::new() };
        let there = engine.handler().who_is_there(&channel);
        there.users.iter().map(|user| user.user_id.as_str().to_owned()).collect()
    }

    pub(crate) const fn is_up(&self) -> bool {
        !self.engines.is_empty()
    }

    pub(crate) fn pipe(&self, address: Address) -> Option<usize> {
        self.pipes.get(&address).copied()
    }

    /// How many connections are open.
    fn open(&self) -> usize {
        self.engines.iter().map(Engine::len).sum()
    }

    /// What was in memory is gone.
    pub(crate) fn die(&mut self) {
        self.engines.clear();
        self.writes.clear();
        self.writing = false;
        self.draining = false;
        self.pipes.clear();
        self.store = self.after.take().unwrap_or_else(|| self.store.clone()).crash();
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
        self.server.life += 1;
        let loops = usize::from(loops);
        self.server.word_at = vec![self.now.monotonic; loops * loops];
        self.server.done_at = vec![self.now.monotonic; loops];
    }

    /// A new connection is accepted by a loop.
    pub(crate) fn accept(&mut self, pipe: usize) {
        let home = self.pipes[pipe].home;
        if !self.server.is_up() || self.server.draining {
            return self.end_down(pipe, Piece::Reset);
        }
        let Some(refused) = self.room(pipe) else { return };
        let near = self.rng.below(2) == 0;
        let address = if near { [127, 0, 0, 1] } else { [192, 0, 2, 1 + self.rng.below(9) as u8] };
        let peer = Peer::from(std::net::SocketAddr::from((address, 9)));
        let now = self.now;
        let Some(engine) = self.server.engine(home) else {
            return self.end_down(pipe, Piece::Reset);
        };
        let mut out = Outputs::default();
        let connection = engine.accept(now, Accepted { peer, refused }, &mut out);
        self.pipes[pipe].connection = Some(connection);
        self.pipes[pipe].accepted = true;
        self.pipes[pipe].life = self.server.life;
        self.server.pipes.insert(Address { home, connection }, pipe);
        self.carry_out(home, out);
        self.schedule(1, Event::Resume(pipe));
    }

    /// Whether a connection comes in, and if so, why it is told to go. Without a descriptor it
    /// waits at the listener, or is dropped without a word.
    fn room(&mut self, pipe: usize) -> Option<Option<Close>> {
        let crowded = self.phase.has_faults() && self.server.open() >= self.plan.descriptors;
        if self.server.deaf {
            return None;
        }
        if !crowded {
            return Some(None);
        }
        self.injected.count(Fault::Descriptors);
        match self.rng.below(3) {
            0 => {
                let close = Close::new(OVERLOADED, "too many connections");
                Some(Some(Close { retry_ms: Some(500), ..close }))
            }
            1 => {
                self.end_down(pipe, Piece::Reset);
                None
            }
            _ => {
                self.server.deaf = self.plan.planted == Some(Planted::NoRearm);
                self.schedule(1_000_000, Event::Open(pipe));
                None
            }
        }
    }

    /// The node is told to go down: it tells everybody, commits what is queued, ends, comes back.
    pub(crate) fn go_down(&mut self) {
        if !self.server.is_up() || self.server.draining {
            return;
        }
        self.server.draining = true;
        let over = Duration::from_micros(self.rng.below(3_000_000));
        for at in 0..self.plan.loops {
            self.input(LoopId(at), Input::Drain { over });
        }
        let grace = Duration::from_micros(self.rng.below(6_000_000));
        self.schedule_at(self.now.monotonic + over + grace, Event::Stop);
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
                Output::Shutdown(id) => self.with_pipe(at, id, |world, pipe| {
                    world.trace.note(world.now.monotonic, ("shutdown", pipe), b"");
                    let going_down = world.server.draining;
                    let state = &mut world.pipes[pipe];
                    state.dismissed |= going_down && !state.spoke;
                    world.end_down(pipe, Piece::End);
                }),
                Output::Close(id) => self.with_pipe(at, id, |world, pipe| {
                    world.trace.note(world.now.monotonic, ("close", pipe), b"");
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
        if self.strikes(Fault::Overload) {
            let done = job.overloaded();
            return self.schedule(1000, Event::Done(done.call.home, Box::new(done)));
        }
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
        let done = look_up(&mut *reader, call, &self.spoil_read(read));
        self.schedule(self.plan.delays.job, Event::Done(call.home, Box::new(done)));
    }

    /// A word goes to another loop, behind all before it.
    fn tell(&mut self, from: LoopId, to: LoopId, mut message: Word) {
        let pair = usize::from(from.0) * usize::from(self.plan.loops) + usize::from(to.0);
        let mut delay = self.draw(self.plan.delays.word);
        if self.strikes(Fault::SlowWords) {
            delay += self.draw(SLOW_WORD_MAX);
        }
        let now = self.now.monotonic;
        let last = &mut self.server.word_at[pair];
        let mut at = (now + delay).max(*last);
        *last = at;
        match self.spoil_word(&mut message) {
            Spoiled::Lost => return,
            Spoiled::Twice(again) => self.schedule_at(at, Event::Word(from, to, again)),
            Spoiled::Early => at = now + delay,
            Spoiled::Not => {}
        }
        self.schedule_at(at, Event::Word(from, to, message));
    }
}
