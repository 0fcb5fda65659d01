//! One run: a clock that jumps from event to event, and everything that lives on it.
//!
//! ```text
//! Storm ──all acts done──▶ Heal ──nothing on its way──▶ Leave ──no deadline left──▶ (over)
//! ```
//! Faults happen in the storm only. After the healing everybody must have everything; after the
//! leaving nothing may be left.

use std::collections::BTreeMap;
use std::time::Duration;

use stentor::base::id::LoopId;
use stentor::base::now::Now;
use stentor::base::rng::Rng;
use stentor::router::Done;
use stentor::router::words::{CallRef, Word};
use stentor::store::Read;

use crate::client::{Client, Person};
use crate::link::{Piece, Pipe};
use crate::model::Model;
use crate::plan::Plan;
use crate::server::Server;
use crate::trace::Trace;

/// Something that will happen.
pub(crate) enum Event {
    /// A client does something.
    Act(usize),
    /// A client reads again.
    ReadOn(usize),
    /// A connection comes to the server.
    Open(usize),
    Up(usize, Piece),
    Down(usize, Piece),
    /// The server may write again.
    Drain(usize),
    /// The server reads again.
    Resume(usize),
    Word(LoopId, LoopId, Word),
    Look(CallRef, Box<Read>),
    Done(LoopId, Box<Done>),
    Commit,
    Sync,
    Restart,
}

impl Event {
    /// Whether it is not of the process that died.
    pub(crate) const fn survives_crash(&self) -> bool {
        match self {
            Self::Act(_) | Self::ReadOn(_) | Self::Open(_) | Self::Up(..) | Self::Down(..) => true,
            Self::Restart => true,
            Self::Drain(_) | Self::Resume(_) | Self::Word(..) | Self::Look(..) => false,
            Self::Done(..) | Self::Commit | Self::Sync => false,
        }
    }
}

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Storm,
    Heal,
    Leave,
}

impl Phase {
    pub(crate) fn has_faults(self) -> bool {
        self == Self::Storm
    }
}

/// How long healing may take, and how long after the last connection a timer may still run.
const HEAL_MAX: Duration = Duration::from_secs(900);
const LEAVE_MAX: Duration = Duration::from_secs(1200);

/// What came of a run.
pub(crate) struct Outcome {
    pub(crate) hash: u64,
    pub(crate) events: u64,
    pub(crate) acked: usize,
    pub(crate) heard: u64,
    pub(crate) violations: Vec<String>,
}

/// A run.
pub(crate) struct World {
    pub(crate) plan: Plan,
    pub(crate) rng: Rng,
    pub(crate) now: Now,
    /// The wall clock, without rounding.
    unix: Duration,
    pub(crate) queue: BTreeMap<(Duration, u64), Event>,
    scheduled: u64,
    pub(crate) phase: Phase,
    pub(crate) server: Server,
    pub(crate) pipes: Vec<Pipe>,
    pub(crate) clients: Vec<Client>,
    pub(crate) people: Vec<Person>,
    pub(crate) model: Model,
    pub(crate) trace: Trace,
    pub(crate) acts: u64,
    /// After which acts the power is cut, and after which the wall clock jumps.
    crash_at: Vec<u64>,
    jump_at: Vec<u64>,
}

impl World {
    pub(crate) fn new(plan: Plan, loud: bool) -> Self {
        let mut rng = Rng::new(plan.seed);
        let now = Now { monotonic: Duration::from_secs(10_000), unix_ms: 1_800_000_000_000 };
        let mut moments = |count| (0..count).map(|_| rng.below(plan.acts)).collect();
        let (crash_at, jump_at) = (moments(plan.crashes), moments(plan.wall_jumps));
        let mut world = Self {
            now,
            unix: Duration::from_millis(now.unix_ms),
            queue: BTreeMap::new(),
            scheduled: 0,
            phase: Phase::Storm,
            server: Server::new(plan.loops),
            pipes: Vec::new(),
            clients: (0..plan.clients).map(|n| Client::new(n % plan.users)).collect(),
            people: (0..plan.users).map(Person::new).collect(),
            model: Model::new(now.monotonic),
            trace: Trace::new(loud),
            acts: 0,
            crash_at,
            jump_at,
            plan,
            rng,
        };
        world.start_server();
        for client in 0..world.clients.len() {
            world.schedule(1_000_000, Event::Act(client));
        }
        world
    }

    /// Runs to the end, or to the first broken law.
    pub(crate) fn run(mut self) -> Outcome {
        while self.phase == Phase::Storm && self.model.violations.is_empty() {
            self.step();
        }
        let end = self.now.monotonic + HEAL_MAX;
        while !self.queue.is_empty() && self.model.violations.is_empty() {
            self.step();
            if self.now.monotonic > end {
                self.model
                    .violation("everything heals when faults end", "15 minutes were not enough");
            }
        }
        if self.model.violations.is_empty() {
            self.everybody_has_everything();
            self.leave();
        }
        if self.model.violations.is_empty() {
            self.nothing_is_left();
            self.history();
        }
        Outcome {
            hash: self.trace.hash(),
            events: self.trace.events,
            acked: self.model.acked(),
            heard: self.model.heard,
            violations: self.model.violations,
        }
    }

    fn leave(&mut self) {
        self.phase = Phase::Leave;
        for client in 0..self.clients.len() {
            self.schedule(3_000_000, Event::Act(client));
        }
        let end = self.now.monotonic + LEAVE_MAX;
        while self.next().is_some() && self.model.violations.is_empty() {
            self.step();
            if self.now.monotonic > end {
                self.model.violation("I12 nothing is left", "a timer never ends");
            }
        }
    }

    /// When the next thing happens, and whether it is a deadline of an engine.
    fn next(&self) -> Option<(Duration, Option<usize>)> {
        let queued = self.queue.keys().next().map(|(at, _)| (*at, None));
        let deadline = self.server.next_deadline().map(|(at, engine)| (at, Some(engine)));
        match (queued, deadline) {
            (Some(queued), Some(deadline)) if deadline.0 < queued.0 => Some(deadline),
            (None, deadline) => deadline,
            (queued, _) => queued,
        }
    }

    fn step(&mut self) {
        let Some((at, engine)) = self.next() else { return self.heal() };
        let passed = at.saturating_sub(self.now.monotonic);
        self.now.monotonic = self.now.monotonic.max(at);
        self.unix += passed;
        self.now.unix_ms = self.unix.as_millis() as u64;
        if let Some(engine) = engine {
            return self.expire(engine);
        }
        if let Some((_, event)) = self.queue.pop_first() {
            self.happen(event);
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Act(client) => {
                self.fate();
                self.act(client);
            }
            Event::ReadOn(client) => {
                self.clients[client].stalled = false;
                if let Some(pipe) = self.clients[client].pipe {
                    self.read_on(pipe);
                }
            }
            Event::Open(pipe) => self.accept(pipe),
            Event::Up(pipe, piece) => self.arrive_up(pipe, piece),
            Event::Down(pipe, piece) => self.arrive_down(pipe, piece),
            Event::Drain(pipe) => self.drain(pipe),
            Event::Resume(pipe) => self.resume(pipe),
            Event::Word(from, to, word) => self.hear_word(from, to, word),
            Event::Look(call, read) => self.look(call, &read),
            Event::Done(to, done) => self.hear_done(to, *done),
            Event::Commit => self.commit(),
            Event::Sync => self.sync(),
            Event::Restart => self.start_server(),
        }
    }

    /// What happens to everybody now and then.
    fn fate(&mut self) {
        if self.phase != Phase::Storm {
            return;
        }
        self.acts += 1;
        if self.crash_at.contains(&self.acts) {
            self.crash();
        }
        if self.jump_at.contains(&self.acts) {
            let jump = Duration::from_secs(self.rng.below(172_800));
            self.unix = self.unix + jump - Duration::from_hours(24);
        }
        if self.acts >= self.plan.acts {
            self.heal();
        }
    }

    /// Nothing goes wrong any more, and everybody reads.
    fn heal(&mut self) {
        self.phase = Phase::Heal;
        for client in 0..self.clients.len() {
            self.schedule(1000, Event::ReadOn(client));
            self.schedule(1_000_000, Event::Act(client));
        }
    }

    /// A time below this many microseconds.
    pub(crate) fn draw(&mut self, most: u64) -> Duration {
        // Most things are quick, some are slow.
        let most = if self.rng.below(4) == 0 { most } else { most / 10 };
        Duration::from_micros(1 + self.rng.below(most))
    }

    /// Lets something happen within this many microseconds.
    pub(crate) fn schedule(&mut self, most: u64, event: Event) {
        let at = self.now.monotonic + self.draw(most);
        self.schedule_at(at, event);
    }

    pub(crate) fn schedule_at(&mut self, at: Duration, event: Event) {
        self.scheduled += 1;
        self.queue.insert((at, self.scheduled), event);
    }
}
