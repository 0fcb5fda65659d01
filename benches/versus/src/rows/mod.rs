//! The rows of the table, a file for each kind.

pub(crate) mod connect;
pub(crate) mod durable;
pub(crate) mod echo;
pub(crate) mod fan;
pub(crate) mod instructions;
pub(crate) mod latency;
pub(crate) mod memory;
pub(crate) mod publish;
pub(crate) mod soak;

use crate::stats::Quartiles;
use crate::system::{self, Outcome, Sample};

/// With more of the machine in use by others nothing is said to be reached or missed.
const OTHERS_PERCENT_MAX: f64 = 10.0;

/// A verdict, unless others had too much of the machine before or after.
pub(crate) fn judged(others: f64, verdict: String) -> String {
    if others > OTHERS_PERCENT_MAX {
        return format!("not judged: others used {others:.0} % of the machine");
    }
    verdict
}

/// One way to measure: start, load, end.
pub(crate) type Measure<'a> = Box<dyn Fn() -> Outcome<Sample> + 'a>;

/// A row of server CPU time against null's, rounds paired.
pub(crate) struct Row<'a> {
    pub(crate) name: &'a str,
    /// What is counted.
    pub(crate) unit: &'a str,
    /// The line that is to be reached, of the first contestant.
    pub(crate) done: f64,
    pub(crate) aim: f64,
    pub(crate) null: Measure<'a>,
    pub(crate) contestants: Vec<(String, Measure<'a>)>,
}

impl Row<'_> {
    /// Measures all rounds and prints a line for each contestant.
    pub(crate) fn run(&self, rounds: usize) -> Outcome<()> {
        let before = system::others_percent()?;
        let mut null = Vec::new();
        let mut theirs: Vec<Outcome<Vec<Sample>>> = Vec::new();
        theirs.resize_with(self.contestants.len(), || Ok(Vec::new()));
        for round in 0..rounds {
            // Whoever comes first in one round comes last in the next; ours is beside null in both.
            let forward = round % 2 == 0;
            if forward {
                null.push((self.null)()?);
            }
            for turn in 0..self.contestants.len() {
                let who = if forward { turn } else { self.contestants.len() - 1 - turn };
                let Ok(samples) = &mut theirs[who] else { continue };
                match (self.contestants[who].1)() {
                    Ok(sample) => samples.push(sample),
                    // A peer that fails is told of, and costs the others nothing.
                    Err(error) if who > 0 => theirs[who] = Err(error),
                    Err(error) => return Err(error),
                }
            }
            if !forward {
                null.push((self.null)()?);
            }
        }
        let others = before.max(system::others_percent()?);
        self.print("null", &null, None, others);
        for ((name, _), samples) in self.contestants.iter().zip(&theirs) {
            let samples = match samples {
                Ok(samples) => samples,
                Err(error) => {
                    println!("| {} | {name} | failed: {error} | | | | |", self.name);
                    continue;
                }
            };
            let pairs = null.iter().zip(samples);
            let ratios = pairs.map(|(null, theirs)| null.each_ns() / theirs.each_ns()).collect();
            self.print(name, samples, Some(Quartiles::of(ratios)), others);
        }
        Ok(())
    }

    fn print(&self, name: &str, samples: &[Sample], ratio: Option<Quartiles>, others: f64) {
        let of = |value: fn(&Sample) -> f64| Quartiles::of(samples.iter().map(value).collect());
        let ratio_text = ratio.map_or("1.000".to_owned(), |ratio| ratio.to_string());
        let ours = self.contestants.first().is_some_and(|(first, _)| first == name);
        let verdict = match ratio.filter(|_| ours).map(|ratio| ratio.median) {
            Some(median) if median >= self.aim => format!("aim {} reached", self.aim),
            Some(median) if median >= self.done => format!("done {} reached", self.done),
            Some(_) => format!("below {}", self.done),
            None => String::new(),
        };
        let verdict = if verdict.is_empty() { verdict } else { judged(others, verdict) };
        println!(
            "| {} | {name} | {ratio_text} | {:.3} µs/{} | {:.0}/s | {:.0} % / {:.0} % | {verdict} |",
            self.name,
            of(Sample::each_ns).median / 1e3,
            self.unit,
            of(|s| s.count as f64 * 1e9 / s.wall_ns as f64).median,
            of(|s| 100.0 * s.server_ns as f64 / s.wall_ns as f64).median,
            of(|s| 100.0 * s.load_ns as f64 / s.wall_ns as f64).median,
        );
    }
}

/// The head of the table of rows 1, 2, 3 and 5.
pub(crate) fn print_head() {
    println!(
        "| row | who | null ÷ its CPU time (quartiles) | CPU time each | done | CPU of server / load | |"
    );
    println!("|---|---|---|---|---|---|---|");
}
