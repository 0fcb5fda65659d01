//! The command line: what is to be run, and by how many clients.

use std::collections::BTreeSet;
use std::env;
use std::path::PathBuf;

use crate::case::{Case, Pattern};
use crate::proxy::Cut;

/// What `-h` and a wrong word print.
pub(crate) const USAGE: &str = "\
tests/conformance/run [-d DIR] [-j N] [-q] [-s] [--both] [MODE…] [-- CASE…]

  MODE    plain, tls, bytes (through a proxy that cuts the stream into single bytes); all three
  CASE    9, 9.2, 9.2.4, 1-7, 12.*.1; all 517
  -d DIR  where the suite is installed and reports go: target/conformance
  -j N    so many clients at once for cases 12 and 13: 1
  -q      without the 120 of cases 12 and 13 that take longest
  -s      the echo shares its compressor between connections, as it does by default; without, each
          keeps contexts of its own and compresses short messages too
  --both  `bytes` cuts what the server sends as well; too slow for case 9.2.4, whose limit is 10 s

AUTOBAHN_HOME names an installation elsewhere (it has venv/bin/wstest). Exits with 1 when something is
not as tests/conformance/expected.txt says, with 2 when it cannot run.";

/// How the suite comes to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Plain,
    Tls,
    Bytes,
}

impl Mode {
    pub(crate) const ALL: [Self; 3] = [Self::Plain, Self::Tls, Self::Bytes];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Tls => "tls",
            Self::Bytes => "bytes",
        }
    }
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) folder: PathBuf,
    pub(crate) clients: usize,
    pub(crate) quick: bool,
    pub(crate) shared: bool,
    pub(crate) cut: Cut,
    pub(crate) modes: Vec<Mode>,
    patterns: Vec<Pattern>,
}

impl Plan {
    /// Reads the command line, without the program's name.
    pub(crate) fn parse(words: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut plan = Self {
            folder: "target/conformance".into(),
            clients: 1,
            quick: false,
            shared: false,
            cut: Cut::ToServer,
            modes: Vec::new(),
            patterns: Vec::new(),
        };
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} what?"));
            match &word[..] {
                "-d" => plan.folder = value()?.into(),
                "-j" => {
                    let number = value()?;
                    plan.clients =
                        number.parse().ok().filter(|&clients| clients > 0).ok_or_else(|| {
                            format!("-j {number}: the number of clients is 1 or more")
                        })?;
                }
                "-q" => plan.quick = true,
                "-s" => plan.shared = true,
                "--both" => plan.cut = Cut::BothWays,
                "--" => {
                    plan.patterns =
                        words.by_ref().map(|word| word.parse()).collect::<Result<_, _>>()?;
                }
                name => match Mode::ALL.iter().find(|mode| mode.name() == name) {
                    Some(&mode) => plan.modes.push(mode),
                    None => return Err(format!("what is {name}?")),
                },
            }
        }
        if plan.modes.is_empty() {
            plan.modes = Mode::ALL.into();
        }
        // Clients get the folder, and stand elsewhere.
        plan.folder = env::current_dir().map_err(|error| error.to_string())?.join(plan.folder);
        Ok(plan)
    }

    /// Which of the suite's cases are meant.
    pub(crate) fn choose(&self, suite: &BTreeSet<Case>) -> Result<BTreeSet<Case>, String> {
        for pattern in &self.patterns {
            if !suite.iter().any(|case| pattern.matches(case)) {
                return Err(format!("no case is {pattern:?}"));
            }
        }
        let named = |case: &&Case| {
            self.patterns.is_empty() || self.patterns.iter().any(|pattern| pattern.matches(case))
        };
        let meant = |case: &&Case| named(case) && !(self.quick && case.is_long());
        let chosen: BTreeSet<_> = suite.iter().filter(meant).cloned().collect();
        if chosen.is_empty() { Err("no case is left to be run".to_owned()) } else { Ok(chosen) }
    }

    /// Who runs which: one after the other what is in the outer list, at once what is in the inner.
    ///
    /// Cases 1 to 11 wait for one second, and 9.2.4 has ten for 4 MiB: beside them nothing else runs.
    pub(crate) fn share<'a>(&self, cases: &'a BTreeSet<Case>) -> Vec<Vec<Vec<&'a Case>>> {
        let (compressed, others): (Vec<_>, _) = cases.iter().partition(|case| case.compresses());
        let part = |client| {
            compressed.iter().copied().filter(move |case| case.client(self.clients) == client)
        };
        let parts = (0..self.clients).map(|client| part(client).collect()).collect();
        let mut shares: Vec<Vec<Vec<_>>> = vec![vec![others], parts];
        for round in &mut shares {
            round.retain(|cases| !cases.is_empty());
        }
        shares.retain(|round| !round.is_empty());
        shares
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expectation;

    fn plan(words: &str) -> Result<Plan, String> {
        Plan::parse(words.split_whitespace().map(str::to_owned))
    }

    fn suite() -> BTreeSet<Case> {
        expectation::parse(include_str!("expected.txt")).unwrap().into_keys().collect()
    }

    fn chosen(words: &str) -> usize {
        plan(words).unwrap().choose(&suite()).unwrap().len()
    }

    #[test]
    fn command_lines_are_read() {
        let all = plan("").unwrap();
        assert_eq!((&all.modes[..], all.clients, all.cut), (&Mode::ALL[..], 1, Cut::ToServer));
        let some = plan("-j 2 tls -q -d /tmp/x bytes --both -s -- 1-10 12.1").unwrap();
        assert_eq!(some.modes, [Mode::Tls, Mode::Bytes]);
        assert_eq!((some.clients, some.quick, some.shared), (2, true, true));
        assert_eq!((some.folder, some.cut), (PathBuf::from("/tmp/x"), Cut::BothWays));
        for (wrong, word) in
            [("-j", "-j"), ("-j 0", "1 or more"), ("plane", "plane"), ("-- x", "\"x\"")]
        {
            assert!(plan(wrong).unwrap_err().contains(word), "{wrong}");
        }
    }

    #[test]
    fn cases_are_chosen() {
        assert_eq!(
            [chosen(""), chosen("-q"), chosen("-- 1-10"), chosen("-- 12 13")],
            [517, 397, 301, 216]
        );
        assert_eq!([chosen("-- 9"), chosen("-- 9.2.4 9.2.4"), chosen("-q -- 12.1")], [54, 1, 8]);
        // What matches nothing is a mistake, not a success.
        assert!(plan("-- 9.2.4 14").unwrap().choose(&suite()).is_err());
        assert!(plan("-q -- 12.1.18").unwrap().choose(&suite()).is_err());
    }

    #[test]
    fn every_case_is_run_once() {
        let suite = suite();
        for clients in [1, 2, 3, 400] {
            let plan = plan(&format!("-j {clients}")).unwrap();
            let shares = plan.share(&suite);
            assert_eq!(shares[0].len(), 1);
            assert!(shares[1].len() <= clients);
            let mut all: Vec<_> = shares.iter().flatten().flatten().copied().collect();
            all.sort();
            assert!(all.into_iter().eq(&suite), "{clients}");
        }
        let one = BTreeSet::from(["13.1.1".parse().unwrap()]);
        assert_eq!(plan("-j 2").unwrap().share(&one).len(), 1);
    }
}
