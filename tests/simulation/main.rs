//! Whole nodes without sockets or threads: one seed, one run, every law checked on the way.
//!
//! `SIM_SEED=7 cargo test --test simulation every_law -- --nocapture` replays one seed and tells
//! what happened; `SIM_SEEDS=100000 cargo test --release --test simulation every_law --
//! --nocapture` runs more of them, from `SIM_FROM` on. Each run is a storm of clients and faults, a
//! healing, and a leaving. `faults.rs` has the faults, `law.rs` the laws, `planted.rs` the bugs that
//! they must notice, `regressions.rs` the seeds that once found something.

mod asked;
mod backends;
mod binary;
mod calls;
mod campaign;
mod client;
mod disk;
mod executions;
mod faults;
mod hearing;
mod hub;
mod inboxes;
mod law;
mod laws;
mod link;
mod mail;
mod model;
mod offers;
mod parts;
mod plan;
mod planted;
mod publications;
mod regressions;
mod returning;
mod server;
mod speech;
mod spoiling;
mod talk;
mod trace;
mod visit;
mod wishes;
mod workload;
mod world;

use campaign::{campaign, run, watched};
use law::Law;
use planted::PLANTED;
use regressions::REGRESSIONS;

/// Seeds of a usual run.
const SEEDS: u64 = 256;

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn every_law_holds() {
    let only = variable("SIM_SEED");
    let (from, count) = match only {
        Some(seed) => (seed, 1),
        None => (variable("SIM_FROM").unwrap_or(0), variable("SIM_SEEDS").unwrap_or(SEEDS)),
    };
    let total = campaign(from, count, only.is_some());
    eprintln!("{}", total.line());
    if let Some((seed, what)) = total.broken {
        panic!("SIM_SEED={seed}: {what}");
    }
    assert!(total.acked > 0 && total.heard > 0 || count < SEEDS, "something was done");
}

#[test]
fn what_was_found_once_is_not_found_again() {
    for (then, seed, found) in REGRESSIONS {
        let outcome = watched(then.plan(*seed), false);
        assert_eq!(outcome.violations, [], "SIM_SEED={seed} found once: {found}");
    }
}

#[test]
fn the_same_seed_is_the_same_trace() {
    for seed in [1, 2, 5] {
        let (one, other) = (run(seed, None, false), run(seed, None, false));
        assert_eq!((one.hash, one.events), (other.hash, other.events), "seed {seed}");
        assert_ne!(one.hash, run(seed + 1, None, false).hash);
    }
}

/// Seeds within which a planted bug is found.
const CAUGHT_WITHIN: u64 = 2000;

#[test]
fn every_planted_bug_is_caught() {
    for (planted, what, laws) in PLANTED {
        let mut other: Vec<(Law, String)> = Vec::new();
        let caught = (0..CAUGHT_WITHIN).find_map(|seed| {
            let first = run(seed, Some(*planted), false).violations.into_iter().next()?;
            let caught = laws.contains(&first.0).then_some((seed, first.0));
            other.push(first);
            caught
        });
        let Some((seed, law)) = caught else {
            panic!("{planted:?} breaks {laws:?}, and nobody noticed; seen instead: {other:#?}")
        };
        eprintln!(
            "{:<18} {:>5}  {:<9}{what}",
            format!("{planted:?}"),
            seed + 1,
            format!("{law:?}")
        );
    }
}
