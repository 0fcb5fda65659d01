//! The Autobahn TestSuite: an installation, the cases that it has, its clients as processes, their reports.
//!
//! The suite is not ours: what it says is read from its `index.json`, and nothing is made up where it
//! says nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde::Deserialize;
use serde_json::json;

use crate::case::Case;
use crate::expectation::Verdict;

/// The server's name in the reports.
const AGENT: &str = "stentor";

/// Prints the names of all cases, which no command of the suite does.
const LIST: &str = "
from autobahntestsuite.case import Cases, CaseCategories, CaseSubCategories, CaseSetname, CaseBasename
from autobahntestsuite.caseset import CaseSet
names = CaseSet(CaseSetname, CaseBasename, Cases, CaseCategories, CaseSubCategories)
for case in Cases: print(names.caseClasstoId(case))
";

/// An installation.
#[derive(Debug)]
pub(crate) struct Suite {
    home: PathBuf,
}

/// What the suite says of a case, and the page that says why.
pub(crate) type Reports = BTreeMap<Case, (Verdict, PathBuf)>;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    behavior: String,
    behavior_close: String,
    #[serde(rename = "reportfile")]
    report_file: PathBuf,
}

impl Suite {
    /// The installation in `home`; with `install`, it is made when it is not there.
    pub(crate) fn find(home: PathBuf, install: bool) -> io::Result<Self> {
        let suite = Self { home };
        if !suite.program("wstest").exists() {
            if !install {
                let home = suite.home.display();
                return Err(io::Error::other(format!(
                    "no venv/bin/wstest in AUTOBAHN_HOME={home}"
                )));
            }
            let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/conformance/install");
            let status = Command::new(script).arg(&suite.home).status()?;
            if !status.success() {
                return Err(io::Error::other("the suite is not installed"));
            }
        }
        Ok(suite)
    }

    /// All cases that it has.
    pub(crate) fn cases(&self) -> io::Result<BTreeSet<Case>> {
        let told = self.command("python").args(["-c", LIST]).stderr(Stdio::inherit()).output()?;
        if !told.status.success() {
            return Err(io::Error::other("the suite does not say which cases it has"));
        }
        let told = String::from_utf8_lossy(&told.stdout);
        told.lines().map(str::parse).collect::<Result<_, _>>().map_err(io::Error::other)
    }

    /// Starts a client that runs `cases` against `url` and reports into `folder`.
    pub(crate) fn start<'a>(
        &self,
        folder: &Path,
        url: &str,
        cases: impl IntoIterator<Item = &'a Case>,
    ) -> io::Result<Child> {
        fs::create_dir_all(folder)?;
        let cases: Vec<_> = cases.into_iter().map(Case::to_string).collect();
        let spec = json!({
            "outdir": folder,
            "servers": [{ "agent": AGENT, "url": url }],
            "cases": cases,
            "exclude-cases": [],
            "exclude-agent-cases": {},
        });
        let spec_file = folder.join("spec.json");
        fs::write(&spec_file, spec.to_string())?;
        let log = File::create(folder.join("wstest.log"))?;
        self.command("wstest")
            .args([OsStr::new("-m"), OsStr::new("fuzzingclient"), OsStr::new("-s")])
            .arg(spec_file)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
    }

    fn program(&self, name: &str) -> PathBuf {
        self.home.join("venv/bin").join(name)
    }

    fn command(&self, name: &str) -> Command {
        let mut command = Command::new(self.program(name));
        command
            .env("LD_LIBRARY_PATH", self.home.join("lib"))
            .env("PYTHONWARNINGS", "ignore")
            .env("PYTHONUNBUFFERED", "1");
        command
    }
}

/// What a client reported into `folder`: nothing, when it did not come to its end.
pub(crate) fn reports(folder: &Path) -> io::Result<Reports> {
    match fs::read(folder.join("index.json")) {
        Ok(text) => read(&text, folder),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Reports::new()),
        Err(error) => Err(error),
    }
}

fn read(text: &[u8], folder: &Path) -> io::Result<Reports> {
    let mut agents: BTreeMap<String, BTreeMap<String, Entry>> = serde_json::from_slice(text)?;
    let mut reports = Reports::new();
    for (name, entry) in agents.remove(AGENT).unwrap_or_default() {
        let verdict = Verdict {
            behavior: entry.behavior.replace(' ', "-"),
            behavior_close: entry.behavior_close.replace(' ', "-"),
        };
        let page = folder.join(entry.report_file.with_extension("html"));
        reports.insert(name.parse().map_err(io::Error::other)?, (verdict, page));
    }
    Ok(reports)
}

#[test]
fn a_report_is_read_as_the_suite_writes_it() {
    let text = br#"{ "stentor": {
        "1.1.1": { "behavior": "OK", "behaviorClose": "WRONG CODE", "duration": 1,
            "remoteCloseCode": null, "reportfile": "stentor_case_1_1_1.json" } } }"#;
    let reports = read(text, Path::new("plain/client1")).unwrap();
    let (verdict, page) = &reports[&"1.1.1".parse().unwrap()];
    assert_eq!(verdict.to_string(), "OK WRONG-CODE");
    assert_eq!(page, Path::new("plain/client1/stentor_case_1_1_1.html"));
    assert_eq!(read(b"{}", Path::new("")).unwrap(), Reports::new());
    assert!(read(b"{ \"stentor\": { \"1.1.1\": {} } }", Path::new("")).is_err());
    assert_eq!(self::reports(Path::new("/nowhere")).unwrap(), Reports::new());
}
