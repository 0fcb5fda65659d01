//! What a run has beside rooms: channels that are stored, services, and those who work with them.
//!
//! Three quarters of the seeds have it; the others, and the seeds of before, are as they were, draw by
//! draw. What it draws comes from a generator of its own.

use std::sync::Arc;

use stentor::auth::{Claims, Role, Tokens};
use stentor::base::id::UserId;
use stentor::base::rng::Rng;
use stentor::hub::policy::{Policies, Policy};

use crate::client::Person;
use crate::parts::{self, Limits};

/// The wall clock when a run begins, in milliseconds since 1970.
pub(crate) const START_MS: u64 = 1_800_000_000_000;
/// How far the wall clock never gets, in seconds.
const FAR_S: u64 = 60 * 86_400;
/// The team whose executions are watched.
pub(crate) const TEAM: &str = "ops";

/// How large it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hub {
    /// How many publications a channel in memory keeps.
    pub(crate) memory: u32,
    /// How many one of `tail:` does; `log:` keeps all.
    pub(crate) tail: u32,
    /// How many events an inbox does.
    pub(crate) inbox: u32,
    /// How long a worker may take.
    pub(crate) timeout_ms: u64,
    /// Whether answers are kept for long.
    pub(crate) keeps: bool,
    /// Connections of the service.
    pub(crate) services: usize,
    /// Connections of the one whose token names the team.
    pub(crate) watchers: usize,
}

impl Hub {
    /// What a seed has, if it has it.
    pub(crate) fn draw(seed: u64, limits: &mut Limits, always: bool) -> Option<Self> {
        let mut rng = Rng::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x0068_7562);
        if rng.below(4) == 0 && !always {
            return None;
        }
        let hub = Self {
            memory: [4, 16, 100][rng.below(3) as usize],
            tail: 3 + rng.below(12) as u32,
            inbox: [4, 12, 1000][rng.below(3) as usize],
            timeout_ms: [2000, 30_000][rng.below(2) as usize],
            keeps: rng.below(2) == 0,
            services: 1 + rng.below(2) as usize,
            watchers: 1 + rng.below(2) as usize,
        };
        let router = &mut limits.router;
        let public = Policy { history_messages: Some(hub.memory), ..Policy::OPEN };
        let log = Policy::OPEN.stored();
        let tail = Policy { history_messages: Some(hub.tail), ..log };
        let given = [("public".into(), public), ("log".into(), log), ("tail".into(), tail)];
        router.policies = Policies::new(given);
        router.inbox.events = hub.inbox;
        let calls = &mut router.calls;
        calls.timeout_ms = hub.timeout_ms;
        calls.cache_ms = if hub.keeps { 300_000 } else { 1500 };
        calls.breaker_open_ms = [1000, 30_000][rng.below(2) as usize];
        calls.in_flight_per_worker = [2, 1024][rng.below(2) as usize];
        // Small pages, so that there is more than one.
        router.history_page = [5, 20, 300][rng.below(3) as usize];
        Some(hub)
    }

    /// Those who come with it: a service, and a member of its team.
    pub(crate) fn people() -> [Person; 2] {
        let person = |name: &str, role| {
            let minted = Some(minted(name, role));
            Person { name: name.to_owned(), registered: true, minted, ..Person::new(0) }
        };
        [person("service", Role::Service), person("watcher", Role::User)]
    }

    /// Whose the connections are that come with it, after `people` others.
    pub(crate) fn clients(self, people: usize) -> impl Iterator<Item = usize> {
        let services = std::iter::repeat_n(people, self.services);
        services.chain(std::iter::repeat_n(people + 1, self.watchers))
    }
}

/// A token of the application's own backend, good for the whole run.
fn minted(name: &str, role: Role) -> String {
    let start_s = START_MS / 1000;
    let claims = Claims {
        sub: UserId(name.into()),
        sid: None,
        jti: None,
        iat: Some(start_s - FAR_S),
        exp: start_s + FAR_S,
        role,
        name: Some(name.into()),
        teams: Arc::from([TEAM.to_owned()]),
    };
    parts::tokens().issue(&claims).expect("a token")
}
