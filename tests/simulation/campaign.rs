//! Many seeds at once: on every core, counted, and to the first broken law.
//!
//! Law: each 16th seed is run twice, and both runs leave the same trace. The closing line says how
//! much was done; a broken law says by which seed it is seen again.

use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::faults::Injected;
use crate::law::{Checked, Law};
use crate::plan::Plan;
use crate::planted::Planted;
use crate::world::{Outcome, World};

/// One seed of so many is run twice.
const TWICE: u64 = 16;

/// A run; a panic is a broken law.
pub(crate) fn run(seed: u64, planted: Option<Planted>, loud: bool) -> Outcome {
    watched(Plan::new(seed, planted), loud)
}

/// The run of a plan; a panic is a broken law.
pub(crate) fn watched(plan: Plan, loud: bool) -> Outcome {
    let run = || World::new(plan, loud).run();
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let words = panic.downcast_ref::<String>().map(String::as_str);
        let words = words.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("?");
        Outcome { violations: vec![(Law::I12, format!("a panic: {words}"))], ..Outcome::default() }
    })
}

/// What came of many runs.
#[derive(Default)]
pub(crate) struct Total {
    seeds: u64,
    twice: u64,
    events: u64,
    pub(crate) acked: usize,
    pub(crate) heard: u64,
    injected: Injected,
    checked: Checked,
    healed: Duration,
    /// The lowest seed that broke a law, and how.
    pub(crate) broken: Option<(u64, String)>,
}

impl Total {
    fn add(&mut self, outcome: &Outcome) {
        self.seeds += 1;
        self.events += outcome.events;
        self.acked += outcome.acked;
        self.heard += outcome.heard;
        self.injected.add(&outcome.injected);
        self.checked.add(&outcome.checked);
        self.healed = self.healed.max(outcome.healed);
    }

    fn broke(&mut self, seed: u64, what: String) {
        if self.broken.as_ref().is_none_or(|(known, _)| seed < *known) {
            self.broken = Some((seed, what));
        }
    }

    /// The closing line.
    pub(crate) fn line(&self) -> String {
        let rows = |rows: &mut dyn Iterator<Item = (&'static str, u64)>| {
            rows.fold(String::new(), |mut line, (name, count)| {
                let _ = write!(line, " {name} {count}");
                line
            })
        };
        format!(
            "{} seeds ({} twice), {} events, {} messages acknowledged, {} objects heard, healed \
             within {} s; faults:{}; laws checked:{}",
            self.seeds,
            self.twice,
            self.events,
            self.acked,
            self.heard,
            self.healed.as_secs(),
            rows(&mut self.injected.rows()),
            rows(&mut self.checked.rows()),
        )
    }
}

/// Runs `from..from + count` on every core, until a law is broken.
pub(crate) fn campaign(from: u64, count: u64, loud: bool) -> Total {
    let (next, stop) = (AtomicU64::new(from), AtomicBool::new(false));
    let total = Mutex::new(Total::default());
    let work = || {
        while !stop.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= from + count {
                return;
            }
            let outcome = run(seed, None, loud);
            let again = seed.is_multiple_of(TWICE) && !loud;
            let other = again.then(|| run(seed, None, false));
            let mut total = total.lock().expect("nobody panics with it");
            total.add(&outcome);
            total.twice += u64::from(again);
            if let Some((law, what)) = outcome.violations.first() {
                total.broke(seed, format!("{}: {what}", law.words()));
                stop.store(true, Ordering::Relaxed);
            }
            if other.is_some_and(|o| (o.hash, o.events) != (outcome.hash, outcome.events)) {
                total.broke(seed, "two runs, two traces".to_owned());
                stop.store(true, Ordering::Relaxed);
            }
            if total.seeds.is_multiple_of(5000) {
                eprintln!("{} seeds …", total.seeds);
            }
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(work);
        }
    });
    total.into_inner().expect("nobody panicked with it")
}
