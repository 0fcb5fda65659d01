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
use crate::faults::{Fault, Injected};
use crate::hub::{Hub, START_MS};
use crate::law::{Checked, Law};
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
    /// A client has done what it was called for on this connection.
    Work(usize, usize),
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
    /// The power is cut.
    Die,
    /// A drain is over.
    Stop,
    Restart,
}

impl Event {
    /// Whether it is not of the process that died.
    pub(crate) const fn survives_crash(&self) -> bool {
        match self {
            Self::Act(_) | Self::ReadOn(_) | Self::Open(_) | Self::Up(..) | Self::Down(..) => true,
            Self::Restart | Self::Work(..) => true,
            Self::Drain(_) | Self::Resume(_) | Self::Word(..) | Self::Look(..) => false,
            Self::Done(..) | Self::Commit | Self::Sync | Self::Die | Self::Stop => false,
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

/// How long healing may take; where rates are limited, somebody may have to wait for his turn.
const HEAL_MAX: Duration = Duration::from_secs(60);
const HEAL_GUARDED_MAX: Duration = Duration::from_secs(900);
/// How long until nothing is on its way, and how long after the last connection a timer may run.
const REST_MAX: Duration = Duration::from_secs(1200);
/// Longer than what is told late.
const CALM: Duration = Duration::from_secs(2);
/// How much may happen in one run; usually some thousand things do.
const STEPS_MAX: u64 = 200_000;
const LEAVE_MAX: Duration = Duration::from_secs(1800);

/// What came of a run.
#[derive(Default)]
pub(crate) struct Outcome {
    pub(crate) hash: u64,
    pub(crate) events: u64,
    pub(crate) acked: usize,
    pub(crate) heard: u64,
    pub(crate) injected: Injected,
    pub(crate) checked: Checked,
    /// How long it took until everybody had everything.
    pub(crate) healed: Duration,
    pub(crate) violations: Vec<(Law, String)>,
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
    pub(crate) injected: Injected,
    acts: u64,
    steps: u64,
    healed: Duration,
}

impl World {
    pub(crate) fn new(plan: Plan, loud: bool) -> Self {
        let rng = Rng::new(plan.seed);
        let now = Now { monotonic: Duration::from_secs(10_000), unix_ms: START_MS };
        let ordinary = (0..plan.clients).map(|n| n % plan.users);
        let more = plan.hub.into_iter().flat_map(|hub| hub.clients(plan.users));
        let people = (0..plan.users).map(Person::new);
        let mut world = Self {
            now,
            unix: Duration::from_millis(now.unix_ms),
            queue: BTreeMap::new(),
            scheduled: 0,
            phase: Phase::Storm,
            server: Server::new(plan.loops),
            pipes: Vec::new(),
            clients: ordinary.chain(more).map(Client::new).collect(),
            people: people.chain(plan.hub.into_iter().flat_map(|_| Hub::people())).collect(),
            model: Model::new(plan.hub),
            trace: Trace::new(loud),
            injected: Injected::default(),
            acts: 0,
            steps: 0,
            healed: Duration::ZERO,
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
        self.convalesce();
        if self.model.violations.is_empty() {
            self.calm();
            self.watchers_know();
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
            injected: self.injected,
            checked: self.model.checked,
            healed: self.healed,
            violations: self.model.violations,
        }
    }

    /// Liveness: in bounded time everybody is there, has every answer, and nothing is on its way.
    fn convalesce(&mut self) {
        let began = self.now.monotonic;
        let most = if self.plan.guarded { HEAL_GUARDED_MAX } else { HEAL_MAX };
        let mut healed = None;
        while self.model.violations.is_empty() {
            // Somebody may wait for a deadline of the server.
            let rests = healed.is_some() || self.next().is_none();
            if self.queue.is_empty() && rests {
                break;
            }
            self.step();
            let passed = self.now.monotonic - began;
            if healed.is_none() && self.everybody_is_well() {
                healed = Some(passed);
            }
            if passed > most && healed.is_none() {
                let what = format!("{} s were not enough", most.as_secs());
                self.model.violation(Law::Heals, &what);
            }
            if passed > REST_MAX {
                self.model.violation(Law::Heals, "there is no rest");
            }
        }
        self.healed = healed.unwrap_or_default();
    }

    fn everybody_is_well(&self) -> bool {
        self.clients.iter().all(|client| {
            let answered = client.pending.is_empty() && client.unacked.is_empty();
            let answered = answered && client.calls.is_empty();
            answered && client.pipe.is_some() && client.period.is_some()
        })
    }

    /// Whether a fault happens now.
    pub(crate) fn strikes(&mut self, fault: Fault) -> bool {
        let rate = self.plan.rates.of(fault);
        let struck = rate > 0 && self.phase.has_faults() && self.rng.below(1000) < rate;
        if struck {
            self.injected.count(fault);
            self.trace.note(self.now.monotonic, ("fault", fault as usize), b"");
        }
        struck
    }

    /// What is due comes, so that everybody has been told what there is to tell.
    fn calm(&mut self) {
        let end = self.now.monotonic + CALM;
        while self.next().is_some_and(|(at, _)| at <= end) && self.model.violations.is_empty() {
            self.step();
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
                self.model.violation(Law::I12, "a timer never ends");
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
        self.steps += 1;
        if self.steps == STEPS_MAX {
            let what = format!("{STEPS_MAX} steps, and no end, at {at:?}");
            self.model.violation(Law::Heals, &what);
        }
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
            Event::Work(client, pipe) => self.work_done(client, pipe),
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
            Event::Die => self.crash(),
            Event::Stop => self.stop(),
            Event::Restart => self.start_server(),
        }
    }

    /// What happens to everybody now and then.
    fn fate(&mut self) {
        if self.phase != Phase::Storm {
            return;
        }
        self.acts += 1;
        if self.strikes(Fault::Crash) {
            self.crash();
        }
        if self.strikes(Fault::Drain) {
            self.go_down();
        }
        if self.strikes(Fault::WallJump) {
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
