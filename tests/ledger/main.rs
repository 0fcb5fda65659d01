//! The crash ledger: the real server is killed, stopped, starved and cut off from its power, again and
//! again, and every promise that it made is held against what is there afterwards.
//!
//! 16 services write into 8 chats, 2 durable channels and the inboxes of 2 users; six subscribers listen
//! at three doors, and each of the users by two devices; 2 services run executions that a user watches,
//! and one answers calls. Whoever had no answer asks again, with the same `client_id` where there is
//! one. 0 lost acks, 0 duplicates, 0 reorders, 0 holes (SPEC §5); inboxes at least once.
//!
//! | file | what it is |
//! |---|---|
//! | `campaign.rs`, `strike.rs` | cycle after cycle of one kind, and the faults |
//! | `life.rs` | a data directory: set up, struck, looked at |
//! | `publisher.rs`, `subscriber.rs` | who writes and who listens; `wire.rs`, `inflate.rs`: their doors |
//! | `device.rs`, `runner.rs` | who has an inbox; who runs executions, and who watches them |
//! | `calls.rs` | who calls, and who answers |
//! | `events.rs` | events and pages of them |
//! | `ledger.rs`, `referee.rs` | what was promised, and who judges |
//! | `process.rs` | the server as a process |
//! | `cut.rs`, `shim/disk.c` | the power cut |
//! | `room.rs` | the full disk |
//! | `controls.rs` | bugs that must be caught |
//!
//! `LEDGER_CYCLES=100` cycles of each kind (6), `LEDGER_KIND=power` one kind only, `LEDGER_SEED=7` the
//! faults of that seed. A failure says how to repeat it and keeps its directory.

mod calls;
mod campaign;
mod controls;
mod cut;
mod device;
mod events;
mod inflate;
mod ledger;
mod life;
mod process;
mod publisher;
mod referee;
mod room;
mod runner;
mod strike;
mod subscriber;
mod wire;

use std::time::{SystemTime, UNIX_EPOCH};

use campaign::{Campaign, Kind};
use life::Rig;

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

fn seed() -> u64 {
    number("LEDGER_SEED").unwrap_or_else(|| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock");
        now.as_nanos() as u64 % 1_000_000_000
    })
}

/// Whether a bug was caught by what it does, not by accident.
fn expected(broken: campaign::Broken, words: &[&str]) {
    let what = broken.what;
    assert!(words.iter().any(|word| what.contains(word)), "caught by something else: {what}");
}

/// Runs a campaign that must end well.
fn holds(name: &str, kind: Kind, shim: bool) {
    if std::env::var("LEDGER_KIND").is_ok_and(|wanted| wanted != name) {
        return;
    }
    let shim = shim.then(|| cut::build().expect("the shim is compiled"));
    let (cycles, seed) = (number("LEDGER_CYCLES").unwrap_or(6), seed());
    let rig = Rig { shim, environment: Vec::new() };
    let campaign = Campaign { name: name.to_owned(), kind, cycles, seed, rig, keep: true };
    match campaign.run() {
        Ok(tally) => eprintln!("ledger {name}: 0 lost, 0 duplicates, 0 reorders, 0 holes; {tally}"),
        Err(broken) => panic!(
            "ledger {name}, cycle {} of {cycles}: {}\n  again: LEDGER_KIND={name} LEDGER_SEED={seed} \
             LEDGER_CYCLES={cycles} cargo test --test ledger",
            broken.cycle, broken.what
        ),
    }
}

#[test]
fn kill() {
    holds("kill", Kind::Kill, false);
}

#[test]
fn stop() {
    holds("stop", Kind::Stop, false);
}

#[test]
fn term() {
    holds("term", Kind::Term, false);
}

#[test]
fn full() {
    holds("full", Kind::Full, false);
}

#[test]
fn limit() {
    holds("limit", Kind::Limit, false);
}

#[test]
fn power() {
    holds("power", Kind::Power, true);
}

#[test]
fn checkpoint() {
    holds("checkpoint", Kind::Checkpoint, true);
}

#[test]
fn start() {
    holds("start", Kind::Start, true);
}

#[test]
fn fsync() {
    holds("fsync", Kind::Fsync, true);
}

/// Names of `base/failpoint`.
#[cfg(feature = "failpoints")]
mod failpoints {
    use super::{Kind, holds};

    #[test]
    fn before_begin() {
        holds("before_begin", Kind::Failpoint("before_begin"), true);
    }

    #[test]
    fn after_insert() {
        holds("after_insert", Kind::Failpoint("after_insert"), true);
    }

    #[test]
    fn after_commit() {
        holds("after_commit", Kind::Failpoint("after_commit"), true);
    }

    #[test]
    fn after_flush() {
        holds("after_flush", Kind::Failpoint("after_flush"), true);
    }

    #[test]
    fn around_a_checkpoint() {
        holds("around_a_checkpoint", Kind::Failpoint("checkpoint"), true);
    }

    #[test]
    fn migration() {
        holds("migration", Kind::Migration, true);
    }
}
