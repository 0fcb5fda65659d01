//! The name of a case, such as `12.1.18`, and patterns over names.
//!
//! A pattern names a group by its beginning: `9` is 9.1.1 to 9.8.6, `9.2` its second part. A part is a
//! number, a range (`1-7`) or `*`.

use std::fmt;
use std::str::FromStr;

/// The name of a case; ordered as the suite orders them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Case(Vec<u16>);

impl Case {
    /// Cases 12 and 13: they take long, and allow it.
    pub(crate) fn compresses(&self) -> bool {
        self.0[0] >= 12
    }

    /// Whether it moves 32 KiB or more a thousand times, or takes as long by fragments.
    pub(crate) fn is_long(&self) -> bool {
        self.compresses() && self.0[2] >= 8 && self.0[2] != 11
    }

    /// Which of `clients` runs it: neighbours, which take about as long, go to different ones.
    pub(crate) fn client(&self, clients: usize) -> usize {
        self.0[1..].iter().map(|&part| usize::from(part)).sum::<usize>() % clients
    }
}

impl FromStr for Case {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split('.').map(str::parse).collect::<Result<Vec<_>, _>>();
        let parts = parts.ok().filter(|parts| {
            // Each group of compression has parts.
            parts.len() >= if parts[0] >= 12 { 3 } else { 2 }
        });
        Ok(Self(parts.ok_or_else(|| format!("{text:?} is not the name of a case"))?))
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<_> = self.0.iter().map(u16::to_string).collect();
        f.pad(&parts.join("."))
    }
}

/// Which cases are meant: from and to, part by part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern(Vec<(u16, u16)>);

impl Pattern {
    pub(crate) fn matches(&self, case: &Case) -> bool {
        let mut parts = self.0.iter().zip(&case.0);
        self.0.len() <= case.0.len() && parts.all(|((from, to), part)| (from..=to).contains(&part))
    }
}

impl FromStr for Pattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let part = |part: &str| -> Option<(u16, u16)> {
            if part == "*" {
                return Some((0, u16::MAX));
            }
            let (from, to) = part.split_once('-').unwrap_or((part, part));
            Some((from.parse().ok()?, to.parse().ok()?))
        };
        let parts = text.split('.').map(part).collect::<Option<Vec<_>>>();
        let known = "9, 9.2, 9.2.4, 1-7, 12.*.1";
        Ok(Self(parts.ok_or_else(|| format!("{text:?} names no cases; these do: {known}"))?))
    }
}

#[test]
fn patterns_match_by_their_parts() {
    for (pattern, yes, no) in [
        ("9", "9.2.4", "10.1.1"),
        ("1", "1.1.1", "12.1.1"),
        ("9.2", "9.2.4", "9.1.4"),
        ("9.2.4", "9.2.4", "9.2.5"),
        ("2.1", "2.1", "2.10"),
        ("1-7", "7.13.2", "9.1.1"),
        ("12.*.1", "12.5.1", "12.5.11"),
        ("*", "13.7.18", ""),
    ] {
        let pattern: Pattern = pattern.parse().unwrap();
        assert!(pattern.matches(&yes.parse().unwrap()), "{pattern:?} {yes}");
        assert!(no.is_empty() || !pattern.matches(&no.parse().unwrap()), "{pattern:?} {no}");
    }
    for wrong in ["", "a", "1.", "1-", "-1", "9..1", "70000"] {
        assert!(wrong.parse::<Pattern>().is_err(), "{wrong}");
    }
}

#[test]
fn cases_are_told_apart() {
    let case = |text: &str| text.parse::<Case>().unwrap();
    assert!(case("2.9") < case("2.10") && case("2.11") < case("3.1"));
    assert_eq!(case("12.1.18").to_string(), "12.1.18");
    assert!(case("12.1.18").is_long() && !case("12.1.11").is_long() && !case("9.1.9").is_long());
    assert_ne!(case("12.1.17").client(2), case("12.1.18").client(2));
    assert_ne!(case("12.1.18").client(2), case("12.2.18").client(2));
    for wrong in ["", "1", "1.x", "12.1", "1.1.1 "] {
        assert!(wrong.parse::<Case>().is_err(), "{wrong}");
    }
}
