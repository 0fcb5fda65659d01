//! Whole nodes without sockets or threads: one seed, one run, every law checked on the way.
//!
//! `SIM_SEED=7 cargo test --test simulation three` replays one seed and prints what happened;
//! `SIM_SEEDS=1000 cargo test --test simulation` runs more of them. Each run is a storm of clients
//! and faults, a healing, and a leaving; what the laws are is in `laws.rs`, `talk.rs` and `model.rs`.

mod client;
mod hearing;
mod laws;
mod link;
mod model;
mod parts;
mod plan;
mod server;
mod talk;
mod trace;
mod wishes;
mod workload;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use plan::{Plan, Planted};
use world::{Outcome, World};

/// Seeds of a usual run.
const SEEDS: u64 = 64;

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn run(seed: u64, loops: u16, planted: Option<Planted>, loud: bool) -> Outcome {
    let plan = Plan::new(seed, loops, planted);
    let world = World::new(plan, loud);
    match catch_unwind(AssertUnwindSafe(|| world.run())) {
        Ok(outcome) => outcome,
        Err(panic) => {
            eprintln!("SIM_SEED={seed}, {loops} loops: a panic");
            std::panic::resume_unwind(panic)
        }
    }
}

fn every_law_holds(loops: u16) {
    let only = variable("SIM_SEED");
    let seeds = match only {
        Some(seed) => seed..seed + 1,
        None => 0..variable("SIM_SEEDS").unwrap_or(SEEDS),
    };
    let (mut acked, mut heard, mut events) = (0, 0, 0);
    for seed in seeds {
        let outcome = run(seed, loops, None, only.is_some());
        if !outcome.violations.is_empty() {
            let all = outcome.violations.join("\n");
            panic!("SIM_SEED={seed}, {loops} loops:\n{all}");
        }
        acked += outcome.acked;
        heard += outcome.heard;
        events += outcome.events;
    }
    assert!(acked > 0 && heard > 0, "something was done");
    eprintln!("{acked} messages acknowledged, {heard} objects heard, {events} steps");
}

#[test]
fn every_law_holds_with_one_loop() {
    every_law_holds(1);
}

#[test]
fn every_law_holds_with_three_loops() {
    every_law_holds(3);
}

#[test]
fn the_same_seed_is_the_same_run() {
    for (seed, loops) in [(1, 1), (2, 3), (5, 3)] {
        let (one, other) = (run(seed, loops, None, false), run(seed, loops, None, false));
        assert_eq!((one.hash, one.events), (other.hash, other.events), "seed {seed}");
        assert_ne!(one.hash, run(seed + 1, loops, None, false).hash);
    }
}

/// Each planted bug and the laws that may notice it first: a run ends with the first broken one.
const PLANTED: [(Planted, &[&str]); 11] = [
    (Planted::SyncLost, &["I1 ", "I4 "]),
    (Planted::AckBeforeSync, &["I1 ", "I4 "]),
    (Planted::NoDeduplication, &["I3 "]),
    (Planted::BatchReversed, &["I7 "]),
    (Planted::DeliveryLost, &["I5 "]),
    (Planted::DeliveryRepeated, &["I5 "]),
    (Planted::WordsOvertake, &["I5 "]),
    (Planted::CauserTold, &["I5 "]),
    (Planted::RemovalSkipped, &["I10 "]),
    (Planted::ReplyLost, &["replies in the order of requests"]),
    (Planted::StaleReads, &["I8 "]),
];

/// Seeds within which a planted bug is found.
const CAUGHT_WITHIN: u64 = 32;

#[test]
fn every_planted_bug_is_caught() {
    for (planted, laws) in PLANTED {
        let broken =
            (0..CAUGHT_WITHIN).flat_map(|seed| run(seed, 3, Some(planted), false).violations);
        let mut other = Vec::new();
        let noticed = |what: &String| laws.iter().any(|law| what.starts_with(law));
        let caught = broken.inspect(|what| other.push(what.clone())).any(|what| noticed(&what));
        assert!(
            caught,
            "{planted:?} breaks {laws:?}, and nobody noticed; seen instead: {other:#?}"
        );
    }
}
