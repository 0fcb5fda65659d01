//! What a seed stands for: how large the run is, what goes wrong in it, which bug is planted.
//!
//! Every seed draws its own subset of faults, its own number of loops and its own limits.

use stentor::auth;
use stentor::base::rng::Rng;
use stentor::engine::{self, DeflateMode};
use stentor::guard;

use crate::faults::{Fault, Rates};
use crate::hub::Hub;
use crate::parts::Limits;
use crate::planted::Planted;

/// How long things take, at most, in microseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Delays {
    pub(crate) network: u64,
    pub(crate) job: u64,
    pub(crate) commit: u64,
    pub(crate) word: u64,
    pub(crate) think: u64,
}

/// Everything that a seed decides before the run.
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) loops: u16,
    pub(crate) users: usize,
    pub(crate) clients: usize,
    /// How often clients act before all is healed.
    pub(crate) acts: u64,
    /// How many requests a client sends without waiting, at most.
    pub(crate) pipeline: u64,
    pub(crate) delays: Delays,
    pub(crate) rates: Rates,
    /// How many bytes the network takes that the client has not read.
    pub(crate) window: usize,
    /// How many connections there may be during the storm.
    pub(crate) descriptors: usize,
    pub(crate) limits: Limits,
    /// Whether rates or counts of the guard may make somebody wait for long.
    pub(crate) guarded: bool,
    pub(crate) planted: Option<Planted>,
    /// None: rooms, and channels in memory.
    pub(crate) hub: Option<Hub>,
}

impl Plan {
    /// What a seed stands for.
    pub(crate) fn new(seed: u64, planted: Option<Planted>) -> Self {
        let mut plan = Self::of_rooms(seed, planted);
        let always = planted.is_some_and(Planted::is_of_hub);
        plan.hub = Hub::draw(seed, &mut plan.limits, always);
        plan
    }

    /// What it stood for before there was more than rooms.
    pub(crate) fn of_rooms(seed: u64, planted: Option<Planted>) -> Self {
        let mut rng = Rng::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut rates = Rates::draw(&mut rng);
        if let Some(planted) = planted {
            planted.provoke(&mut rates);
        }
        let loops = [1, 1, 2, 3, 4][rng.below(5) as usize];
        let delays = Delays {
            network: 1 + rng.below(10_000),
            job: 1 + rng.below(20_000),
            commit: 1 + rng.below(60_000),
            word: 1 + rng.below(10_000),
            think: 1 + rng.below(150_000),
        };
        let users = 2 + rng.below(4) as usize;
        let guarded = rng.below(4) == 0;
        let small = rates.of(Fault::SlowReader) + rates.of(Fault::Vanish) > 0;
        Self {
            seed,
            loops,
            users,
            clients: users + rng.below(5) as usize,
            acts: 80 + rng.below(140),
            pipeline: 1 + rng.below(9),
            delays,
            window: 1024 << rng.below(7),
            descriptors: descriptors(&rates, users),
            rates,
            limits: limits(&mut rng, guarded, small),
            guarded,
            planted,
            hub: None,
        }
    }
}

/// Fewer than there are clients, when there is a limit at all.
fn descriptors(rates: &Rates, users: usize) -> usize {
    match rates.of(Fault::Descriptors) {
        0 => usize::MAX,
        rate => 1 + rate as usize % users,
    }
}

fn limits(rng: &mut Rng, guarded: bool, small_queues: bool) -> Limits {
    let mut limits = Limits { guard: guard::Config::unlimited(), ..Limits::default() };
    if guarded {
        limits.guard = guard::Config::default();
    }
    if small_queues {
        let outbox_bytes = (16 * 1024) << rng.below(5);
        let outbox_soft_bytes = outbox_bytes / 4;
        limits.engine = engine::Config { outbox_bytes, outbox_soft_bytes, ..limits.engine };
    }
    // What nobody uses goes while the last law is looked at.
    limits.router.channel_idle_ms = 300_000;
    limits.engine.deflate = DeflateMode::ALL[rng.below(3) as usize];
    limits.engine.deflate_min_bytes = 64 << rng.below(5);
    if rng.below(6) == 0 {
        limits.auth = auth::Config { access_s: 5 + rng.below(30), ..limits.auth };
    }
    limits
}
