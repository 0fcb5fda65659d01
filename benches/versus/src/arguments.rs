//! What can be typed. Law: every number has a least and a most.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

pub(crate) const USAGE: &str = "\
versus [--rounds N] [--seconds S] [--dir DIR] [--minutes M] [ROW…]

Rows by number (1 to 8, and `latency`), or by the beginning of a name such as `echo-64`; none: all of
these. `soak` is run alone and only when it is named; it fails when what the server holds grows.
  --rounds N    paired rounds of each row (11; 1 to 1000)
  --seconds S   how long one measurement takes (0.5; 0.01 to 60)
  --minutes M   how long the soak takes, after calibration and warm-up (10; 0.1 to 1200)
  --dir DIR     where databases and keys are put while it runs (a new directory in the temporary one)";

/// What was typed.
#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) rounds: usize,
    pub(crate) span: Duration,
    pub(crate) minutes: f64,
    pub(crate) dir: PathBuf,
    rows: Vec<String>,
}

impl Arguments {
    pub(crate) fn parse(words: &[String]) -> Result<Self, String> {
        let dir = std::env::temp_dir().join(format!("versus-{}", std::process::id()));
        let span = Duration::from_millis(500);
        let mut all = Self { rounds: 11, span, minutes: 10.0, dir, rows: Vec::new() };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value\n{USAGE}"));
            match word.as_str() {
                "--rounds" => all.rounds = number(value()?, 1.0..=1000.0)? as usize,
                "--seconds" => {
                    all.span = Duration::from_secs_f64(number(value()?, 0.01..=60.0)?);
                }
                // Tokens live for a day.
                "--minutes" => all.minutes = number(value()?, 0.1..=1200.0)?,
                "--dir" => all.dir = PathBuf::from(value()?),
                flag if flag.starts_with('-') => return Err(format!("{flag}?\n{USAGE}")),
                row => all.rows.push(row.to_owned()),
            }
        }
        if all.soaks() && all.rows.len() > 1 {
            return Err("`soak` is run alone".to_owned());
        }
        Ok(all)
    }

    /// Whether a row is wanted.
    pub(crate) fn wants(&self, number: &str, name: &str) -> bool {
        let asked = |row: &String| row == number || name.starts_with(row.as_str());
        self.rows.is_empty() || self.rows.iter().any(asked)
    }

    /// Whether the soak is wanted, which nobody gets who does not name it.
    pub(crate) fn soaks(&self) -> bool {
        self.rows.iter().any(|row| row == "soak")
    }
}

fn number(text: &str, range: RangeInclusive<f64>) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number| range.contains(number));
    let (least, most) = range.into_inner();
    number.ok_or_else(|| format!("{text} is no number from {least} to {most}\n{USAGE}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Arguments, String> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Arguments::parse(&words)
    }

    #[test]
    fn the_soak_is_run_when_it_is_named_and_alone() {
        assert!(!parse("").unwrap().soaks() && !parse("latency").unwrap().soaks());
        let soak = parse("soak --minutes 1").unwrap();
        assert!(soak.soaks() && soak.minutes.to_bits() == 1.0_f64.to_bits());
        assert!(parse("soak latency").is_err());
    }

    #[test]
    fn every_number_has_a_least_and_a_most() {
        for flag in ["--rounds", "--seconds", "--minutes"] {
            for wrong in ["0", "-1", "1e9", "NaN", "inf", "ten", ""] {
                assert!(parse(&format!("{flag} {wrong}")).is_err(), "{flag} {wrong}");
            }
        }
        assert_eq!(parse("--rounds 3 --seconds 0.2").unwrap().rounds, 3);
    }
}
