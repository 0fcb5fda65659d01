//! What the suite must find, `expected.txt`, against what it found.
//!
//! Law: a case whose verdict changed, that did not run, or that only one side knows, is reported. An
//! expectation is OK or INFORMATIONAL (the suite looks and does not judge); lower ones are refused.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::case::Case;

/// What the suite says of the case and of how the connection ended, in its own words, with hyphens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) behavior: String,
    pub(crate) behavior_close: String,
}

/// By case.
pub(crate) type Verdicts = BTreeMap<Case, Verdict>;

/// Reads lines of case, behavior and behavior of the close; `#` begins a comment.
pub(crate) fn parse(text: &str) -> Result<Verdicts, String> {
    let mut verdicts = Verdicts::new();
    for (line, number) in text.lines().zip(1..) {
        let told = line.split('#').next().unwrap_or_default();
        let words: Vec<_> = told.split_whitespace().collect();
        let [case, behavior, behavior_close] = words[..] else {
            if words.is_empty() {
                continue;
            }
            return Err(format!("line {number}: a case and two verdicts are wanted"));
        };
        for word in [behavior, behavior_close] {
            if !["OK", "INFORMATIONAL"].contains(&word) {
                return Err(format!("line {number}: {word} is nothing to expect"));
            }
        }
        let case: Case = case.parse().map_err(|error| format!("line {number}: {error}"))?;
        let verdict =
            Verdict { behavior: behavior.to_owned(), behavior_close: behavior_close.to_owned() };
        if verdicts.insert(case, verdict).is_some() {
            return Err(format!("line {number}: for the second time"));
        }
    }
    Ok(verdicts)
}

/// As `parse` reads it.
pub(crate) fn print(verdicts: &Verdicts) -> String {
    let line = |(case, verdict): (&Case, &Verdict)| format!("{case:<8} {verdict}\n");
    verdicts.iter().map(line).collect()
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.behavior, self.behavior_close)
    }
}

/// What is not as expected of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Difference {
    /// Expected, found.
    Changed(Verdict, Verdict),
    /// It was to run and has no result.
    Missing,
    /// The suite has it, or it ran, and nothing is expected of it.
    Unexpected,
    /// It is expected, and the suite has it no more.
    Gone,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed(expected, found) => write!(f, "expected {expected}, found {found}"),
            Self::Missing => f.write_str("has no result"),
            Self::Unexpected => f.write_str("is not in expected.txt"),
            Self::Gone => f.write_str("is in expected.txt, and the suite does not have it"),
        }
    }
}

/// Where what is expected and the suite's own cases differ.
pub(crate) fn unknown(expected: &Verdicts, suite: &BTreeSet<Case>) -> Vec<(Case, Difference)> {
    let gone = expected.keys().filter(|case| !suite.contains(case));
    let new = suite.iter().filter(|case| !expected.contains_key(case));
    gone.map(|case| (case.clone(), Difference::Gone))
        .chain(new.map(|case| (case.clone(), Difference::Unexpected)))
        .collect()
}

/// Where what was found of the cases that were `wanted` differs from what is expected.
pub(crate) fn compare(
    expected: &Verdicts,
    wanted: &BTreeSet<Case>,
    found: &Verdicts,
) -> Vec<(Case, Difference)> {
    let ran = found.keys().cloned().collect::<BTreeSet<_>>();
    let judge = |case: &Case| match (expected.get(case), found.get(case)) {
        (None, _) => Some(Difference::Unexpected),
        (Some(_), None) => Some(Difference::Missing),
        (Some(expected), Some(found)) if expected != found => {
            Some(Difference::Changed(expected.clone(), found.clone()))
        }
        _ => None,
    };
    let cases = wanted.union(&ran);
    cases.filter_map(|case| judge(case).map(|difference| (case.clone(), difference))).collect()
}

/// How many cases came to which end.
pub(crate) fn tally(found: &Verdicts) -> String {
    const COUNTED: [&str; 5] = ["OK", "INFORMATIONAL", "NON-STRICT", "UNIMPLEMENTED", "FAILED"];
    let count = |wanted: &dyn Fn(&str) -> bool| {
        found.values().filter(|verdict| wanted(&verdict.behavior)).count()
    };
    let mut told: Vec<_> =
        COUNTED.iter().map(|name| format!("{name} {}", count(&|word| word == *name))).collect();
    let others = count(&|word| !COUNTED.contains(&word));
    if others > 0 {
        told.push(format!("others {others}"));
    }
    told.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPECTED: &str = include_str!("expected.txt");

    fn case(name: &str) -> Case {
        name.parse().unwrap()
    }

    fn verdict(behavior: &str, behavior_close: &str) -> Verdict {
        Verdict { behavior: behavior.to_owned(), behavior_close: behavior_close.to_owned() }
    }

    #[test]
    fn all_cases_are_expected_and_few_are_not_judged() {
        let expected = parse(EXPECTED).unwrap();
        assert_eq!(expected.len(), 517);
        let not_judged = |(case, verdict): (&Case, &Verdict)| {
            (verdict.behavior != "OK").then(|| case.to_string())
        };
        let not_judged: Vec<_> = expected.iter().filter_map(not_judged).collect();
        assert_eq!(not_judged, ["7.1.6", "7.13.1", "7.13.2"]);
        assert_eq!(parse(&print(&expected)).unwrap(), expected);
    }

    #[test]
    fn what_was_expected_is_no_difference() {
        let expected = parse(EXPECTED).unwrap();
        let wanted = expected.keys().cloned().collect();
        assert_eq!(compare(&expected, &wanted, &expected), []);
        assert_eq!(unknown(&expected, &wanted), []);
        // A selection.
        let some = Verdicts::from([(case("1.1.1"), verdict("OK", "OK"))]);
        assert_eq!(compare(&expected, &some.keys().cloned().collect(), &some), []);
    }

    #[test]
    fn planted_changes_are_found() {
        let expected = parse(EXPECTED).unwrap();
        let wanted: BTreeSet<_> = expected.keys().cloned().collect();
        for (name, planted) in [
            ("6.4.1", verdict("NON-STRICT", "OK")),
            ("12.1.1", verdict("UNIMPLEMENTED", "OK")),
            ("9.1.6", verdict("FAILED", "OK")),
            ("1.1.1", verdict("OK", "UNCLEAN")),
            ("7.7.1", verdict("OK", "WRONG-CODE")),
            ("2.2", verdict("INFORMATIONAL", "OK")),
            // Better than expected is not as expected either.
            ("7.1.6", verdict("OK", "INFORMATIONAL")),
        ] {
            let mut found = expected.clone();
            let before = found.insert(case(name), planted.clone()).unwrap();
            let differences = compare(&expected, &wanted, &found);
            assert_eq!(differences, [(case(name), Difference::Changed(before, planted))]);
        }
    }

    #[test]
    fn planted_gaps_are_found() {
        let expected = parse(EXPECTED).unwrap();
        let wanted: BTreeSet<_> = expected.keys().cloned().collect();
        let mut found = expected.clone();
        found.remove(&case("13.7.18"));
        assert_eq!(compare(&expected, &wanted, &found), [(case("13.7.18"), Difference::Missing)]);
        assert_eq!(compare(&expected, &wanted, &Verdicts::new()).len(), 517);
        // One that nobody asked for, and one that nobody knows.
        let strange = Verdicts::from([(case("14.1.1"), verdict("OK", "OK"))]);
        let differences = compare(&expected, &BTreeSet::new(), &strange);
        assert_eq!(differences, [(case("14.1.1"), Difference::Unexpected)]);
        let mut suite = wanted.clone();
        suite.remove(&case("1.1.1"));
        suite.insert(case("14.1.1"));
        assert_eq!(
            unknown(&expected, &suite),
            [(case("1.1.1"), Difference::Gone), (case("14.1.1"), Difference::Unexpected)]
        );
    }

    #[test]
    fn low_expectations_are_refused() {
        for (line, word) in [
            ("6.4.1 NON-STRICT OK", "NON-STRICT"),
            ("6.4.1 OK FAILED", "FAILED"),
            ("6.4.1 OK", "two verdicts"),
            ("1.1.1 OK OK", "second"),
            ("one OK OK", "not the name"),
        ] {
            let error = parse(&format!("1.1.1 OK OK # fine\n\n{line}\n")).unwrap_err();
            assert!(error.starts_with("line 3: ") && error.contains(word), "{error}");
        }
    }

    #[test]
    fn every_end_is_counted() {
        let found = ["OK", "OK", "NON-STRICT", "FAILED", "SOMETHING"];
        let found = found
            .iter()
            .zip(1..)
            .map(|(word, at)| (format!("1.{at}").parse().unwrap(), verdict(word, "OK")));
        assert_eq!(
            tally(&found.collect()),
            "OK 2, INFORMATIONAL 0, NON-STRICT 1, UNIMPLEMENTED 0, FAILED 1, others 1"
        );
    }
}
