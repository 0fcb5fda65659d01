//! A campaign: cycle after cycle of one kind, over directories that live for some cycles each.
//!
//! A cycle starts the server, lets the referee look at what the last strike left, lets publishers
//! and subscribers come, and strikes. The same seed draws the same faults; what the machine makes of
//! them is its own.

use std::path::Path;
use std::time::{Duration, Instant};

use stentor::base::rng::Rng;

use crate::cut::Loss;
use crate::ledger::Tally;
use crate::life::{Life, Rig};
use crate::process::pause;
use crate::publisher::Manner;
use crate::strike::{limit, strike};

/// What strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// SIGKILL at any time, the start included.
    Kill,
    /// SIGSTOP; then SIGCONT, or SIGKILL.
    Stop,
    /// SIGTERM; then SIGKILL in the middle of the drain, or behind it.
    Term,
    /// The disk is full, has room again, and the server is killed at any time of that.
    Full,
    /// A file may not grow any more (`RLIMIT_FSIZE`): a write fails in the middle of a commit.
    Limit,
    /// SIGKILL, and what was written since the last fsync is lost or torn.
    Power,
    /// The same, in the middle of writes to the database itself: a checkpoint.
    Checkpoint,
    /// An fsync fails; nothing is acknowledged after it, and what was not on the disk is lost.
    Fsync,
    /// The first start of a directory dies at any change that it makes.
    Start,
    /// The process dies at a named place, sometimes with the power.
    #[cfg_attr(not(feature = "failpoints"), expect(dead_code, reason = "it needs them"))]
    Failpoint(&'static str),
    /// The same while the tables are made.
    #[cfg_attr(not(feature = "failpoints"), expect(dead_code, reason = "it needs them"))]
    Migration,
}

/// Cycles of a directory.
const LIFE: u64 = 20;
/// Cycles of a directory whose start is what is struck.
const SHORT_LIFE: u64 = 2;
/// So many changes does a first start make, more or less.
const CHANGES: u64 = 130;

/// A campaign that ended well, or what broke.
pub(crate) type Outcome = Result<Tally, Broken>;

/// A promise that was broken.
#[derive(Debug)]
pub(crate) struct Broken {
    pub(crate) cycle: u64,
    pub(crate) what: String,
}

/// What to do.
#[derive(Clone, Debug)]
pub(crate) struct Campaign {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) cycles: u64,
    pub(crate) seed: u64,
    pub(crate) rig: Rig,
    /// Whether the directory of a failure is wanted: not that of a planted one.
    pub(crate) keep: bool,
}

impl Campaign {
    /// Runs all cycles, or until a promise is broken.
    pub(crate) fn run(&self) -> Outcome {
        let (mut tally, mut done, begun) = (Tally::default(), 0, Instant::now());
        let mut seeds = Rng::new(self.seed);
        while done < self.cycles {
            let long = match self.kind {
                Kind::Migration | Kind::Start => SHORT_LIFE,
                _ => LIFE,
            };
            let cycles = long.min(self.cycles - done);
            let broken = |at: u64, what| Broken { cycle: done + at, what };
            let small = self.kind == Kind::Full;
            let life = Life::new(&self.name, seeds.next_u64() >> 16, &self.rig, small);
            let mut life = life.map_err(|what| broken(0, what))?;
            let folder = life.folder().to_owned();
            for cycle in 0..cycles {
                self.cycle(&mut life, cycle)
                    .map_err(|what| broken(cycle, self.left(&folder, what)))?;
            }
            let ended = life.end().map_err(|what| broken(cycles, self.left(&folder, what)))?;
            tally.join(ended);
            done += cycles;
        }
        tally.add("cycles", done);
        tally.add("ms", begun.elapsed().as_millis() as u64);
        Ok(tally)
    }

    /// What became of the directory of a failure.
    fn left(&self, folder: &Path, what: String) -> String {
        if self.keep {
            return format!("{what}\n  its directory: {}", folder.display());
        }
        let _ = std::fs::remove_dir_all(folder);
        what
    }

    fn manner(&self) -> Manner {
        let usual = Manner { window: 6, padding: 6_000, excused: &[] };
        match self.kind {
            // Where nothing can be mounted it is a limit. Large messages fill a disk sooner.
            Kind::Full => Manner {
                window: 1,
                padding: 40_000,
                excused: &["storage_full", "storage_unavailable"],
            },
            Kind::Fsync | Kind::Limit => {
                Manner { window: 1, excused: &["storage_unavailable"], ..usual }
            }
            _ => usual,
        }
    }

    fn cycle(&self, life: &mut Life, cycle: u64) -> Result<(), String> {
        if cycle == 0 {
            self.strike_the_start(life)?;
        }
        let (environment, loss) = self.environment(&mut life.rng);
        if cycle == 0 {
            let server = life.start(&[])?;
            life.set_up(&server)?;
        }
        let mut server = match life.starting(&environment)?.ready()? {
            Ok(server) => server,
            // What it is to die of came while it started.
            Err(_) if !environment.is_empty() => {
                life.tally.add("deaths at the start", 1);
                return life.cut(loss);
            }
            Err(_) => life.start(&environment)?,
        };
        let looked = life.look(&server, false);
        if looked.is_err() && !environment.is_empty() {
            // What it is to die of may have come already; then the next look counts.
            let patience = Duration::from_millis(500);
            server.dies_within(patience).map_or(looked, |_| Ok(()))?;
        } else {
            looked?;
        }
        let (kind, data) = (self.kind, life.place.data.clone());
        let died = &mut false;
        life.traffic(&mut server, self.manner(), |server, pulse, rng, disk| {
            if kind == Kind::Limit || (kind == Kind::Full && disk.is_none()) {
                return limit(server, pulse, rng, &data, died);
            }
            strike(kind, server, pulse, rng, disk, died)
        })?;
        life.tally.add("deaths by itself", u64::from(*died));
        life.cut(loss)
    }

    /// What the server is told by its environment, and what the power takes with it.
    fn environment(&self, rng: &mut Rng) -> (Vec<(String, String)>, Option<Loss>) {
        let mut loss = Loss::draw(rng);
        let mut list = Vec::new();
        let mut tell = |name: &str, value: String| list.push((name.to_owned(), value));
        match self.kind {
            Kind::Power | Kind::Failpoint(_) => {
                tell("LEDGER_DISK_SYNC_US", rng.below(1000).to_string());
            }
            Kind::Checkpoint => {
                tell("LEDGER_DISK_DIES", format!("stentor.db:{}", 1 + rng.below(60)));
            }
            Kind::Fsync => {
                tell("LEDGER_DISK_FAILS", (2 + rng.below(40)).to_string());
                loss = Some(Loss::All);
            }
            _ => {}
        }
        if let Kind::Failpoint(point) = self.kind {
            let most = match point {
                "checkpoint" => 2,
                "after_insert" | "after_flush" => 200,
                _ => 12,
            };
            tell("STENTOR_FAILPOINT", format!("{point}:{}", 1 + rng.below(most)));
        }
        (list, loss)
    }

    /// The first start of a directory, struck; some kinds live on it.
    fn strike_the_start(&self, life: &mut Life) -> Result<(), String> {
        let times = match self.kind {
            Kind::Migration | Kind::Start => 2,
            Kind::Kill | Kind::Power => life.rng.below(3),
            _ => 0,
        };
        for _ in 0..times {
            let mut more = vec![];
            match self.kind {
                Kind::Migration => {
                    let point = format!("migration:{}", 1 + life.rng.below(4));
                    more.push(("STENTOR_FAILPOINT".to_owned(), point));
                }
                Kind::Start => {
                    let change = format!("*:{}", 1 + life.rng.below(CHANGES));
                    more.push(("LEDGER_DISK_DIES".to_owned(), change));
                }
                _ => {}
            }
            let starting = life.starting(&more)?;
            if !more.is_empty() {
                let died = starting.ready()?;
                // Who refuses to start has an exit code; who was killed has none.
                if let Err(status) = died
                    && status.code().is_some()
                {
                    return Err(life.refused(status));
                }
                life.tally.add("deaths in the first start", u64::from(died.is_err()));
            } else {
                pause(Duration::from_micros(life.rng.below(12_000)));
                starting.kill();
                life.tally.add("deaths in the first start", 1);
            }
            let loss = Loss::draw(&mut life.rng);
            life.cut(loss)?;
        }
        Ok(())
    }
}
