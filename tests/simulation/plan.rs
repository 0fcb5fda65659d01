//! What a seed stands for: how large the run is, what goes wrong in it, which bug is planted.
//!
//! Every seed draws its own subset of faults; a quarter of the seeds have none.

use stentor::auth;
use stentor::base::rng::Rng;
use stentor::engine;
use stentor::guard;

use crate::parts::Limits;

/// A bug put in on purpose, to see that the laws notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Planted {
    /// Commits are acknowledged and never reach the disk.
    SyncLost,
    /// Commits are acknowledged a while before they reach the disk.
    AckBeforeSync,
    /// A retry is stored again.
    NoDeduplication,
    /// The writer takes a batch in the wrong order.
    BatchReversed,
    /// Now and then a delivery is lost between loops.
    DeliveryLost,
    /// Now and then a delivery comes twice.
    DeliveryRepeated,
    /// Words between loops overtake each other.
    WordsOvertake,
    /// Who caused an event gets it.
    CauserTold,
    /// Who was removed goes on listening.
    RemovalSkipped,
    /// Now and then a reply is lost on its way.
    ReplyLost,
    /// Pages are read from an old snapshot.
    StaleReads,
}

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
    /// Of 1000 commits.
    pub(crate) store_faults: u64,
    /// Of 1000 acts of clients.
    pub(crate) disconnects: u64,
    pub(crate) crashes: u64,
    /// Of 1000 acts of clients.
    pub(crate) stalls: u64,
    /// What may be on its way to a client that does not read.
    pub(crate) window: usize,
    pub(crate) wall_jumps: u64,
    pub(crate) limits: Limits,
    pub(crate) planted: Option<Planted>,
}

impl Plan {
    pub(crate) fn new(seed: u64, loops: u16, planted: Option<Planted>) -> Self {
        let mut rng = Rng::new(seed.wrapping_mul(0x9e37_79b9).wrapping_add(u64::from(loops)));
        let calm = rng.below(4) == 0;
        let mut fault = |of: u64, most: u64| {
            let drawn = (rng.below(of), rng.below(most + 1));
            if calm || drawn.0 != 0 { 0 } else { drawn.1 }
        };
        let (store_faults, disconnects) = (fault(2, 150), fault(2, 60));
        let (crashes, stalls, wall_jumps) = (fault(2, 3), fault(3, 60), fault(3, 3));
        let crashes = match planted {
            Some(Planted::SyncLost | Planted::AckBeforeSync) => 1 + crashes,
            _ => crashes,
        };
        let delays = Delays {
            network: 1 + rng.below(40_000),
            job: 1 + rng.below(20_000),
            commit: 1 + rng.below(60_000),
            word: 1 + rng.below(20_000),
            think: 1 + rng.below(150_000),
        };
        let users = 2 + rng.below(4) as usize;
        Self {
            seed,
            loops,
            users,
            clients: users + rng.below(5) as usize,
            acts: 80 + rng.below(140),
            pipeline: 1 + rng.below(9),
            delays,
            store_faults,
            disconnects,
            crashes,
            stalls,
            window: 1024 << rng.below(7),
            wall_jumps,
            limits: limits(&mut rng, stalls > 0),
            planted,
        }
    }
}

fn limits(rng: &mut Rng, stalls: bool) -> Limits {
    let mut limits = Limits { guard: guard::Config::unlimited(), ..Limits::default() };
    if rng.below(4) == 0 {
        limits.guard = guard::Config::default();
    }
    if stalls {
        let outbox_bytes = (16 * 1024) << rng.below(5);
        let outbox_soft_bytes = outbox_bytes / 4;
        limits.engine = engine::Config { outbox_bytes, outbox_soft_bytes, ..limits.engine };
    }
    if rng.below(6) == 0 {
        limits.auth = auth::Config { access_s: 5 + rng.below(30), ..limits.auth };
    }
    limits
}
