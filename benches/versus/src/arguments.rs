//! What can be typed.

use std::path::PathBuf;
use std::time::Duration;

pub(crate) const USAGE: &str = "\
versus [--rounds N] [--seconds S] [--dir DIR] [ROW…]

Rows by number (1 to 8, and `latency`), or by the beginning of a name such as `echo-64`; none: all.
  --rounds N    paired rounds of each row (11)
  --seconds S   how long one measurement takes (0.5)
  --dir DIR     where databases and keys are put while it runs (a new directory in the temporary one)";

/// What was typed.
pub(crate) struct Arguments {
    pub(crate) rounds: usize,
    pub(crate) span: Duration,
    pub(crate) dir: PathBuf,
    rows: Vec<String>,
}

impl Arguments {
    pub(crate) fn parse(words: &[String]) -> Result<Self, String> {
        let dir = std::env::temp_dir().join(format!("versus-{}", std::process::id()));
        let mut all = Self { rounds: 11, span: Duration::from_millis(500), dir, rows: Vec::new() };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value\n{USAGE}"));
            match word.as_str() {
                "--rounds" => all.rounds = number(value()?)? as usize,
                "--seconds" => all.span = Duration::from_secs_f64(number(value()?)?),
                "--dir" => all.dir = PathBuf::from(value()?),
                flag if flag.starts_with('-') => return Err(format!("{flag}?\n{USAGE}")),
                row => all.rows.push(row.to_owned()),
            }
        }
        if all.rounds == 0 { Err("at least one round".to_owned()) } else { Ok(all) }
    }

    /// Whether a row is wanted.
    pub(crate) fn wants(&self, number: &str, name: &str) -> bool {
        let asked = |row: &String| row == number || name.starts_with(row.as_str());
        self.rows.is_empty() || self.rows.iter().any(asked)
    }
}

fn number(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number| (0.0..1e6).contains(number));
    number.ok_or_else(|| format!("{text} is no number\n{USAGE}"))
}
