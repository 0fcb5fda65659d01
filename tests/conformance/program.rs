//! The Autobahn TestSuite (RFC 6455, RFC 7692) against `examples/echo.rs`, held against `expected.txt`.
//!
//! `tests/conformance/run` builds and starts this; `plan.rs` says what can be chosen. The program stands
//! among the examples, because it needs what tests need and is not to be installed.
//!
//! | file | what it is |
//! |---|---|
//! | `plan.rs`, `case.rs` | the command line, the names of cases |
//! | `suite.rs`, `install` | the suite: its processes and reports; how it comes here |
//! | `echo.rs` | the server as a process |
//! | `proxy.rs` | who cuts the stream into single bytes |
//! | `expectation.rs`, `expected.txt` | what must come out, and who judges; with planted changes that are found |
//! | `through.rs` | the proxy with a server and a client of ours, in `cargo test` |

mod case;
mod echo;
mod expectation;
mod plan;
mod proxy;
mod suite;
#[cfg(test)]
mod through;

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::{Child, ExitCode};
use std::thread;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGINT, SIGTERM};

use case::Case;
use echo::Echo;
use expectation::Verdicts;
use plan::{Mode, Plan, USAGE};
use suite::{Reports, Suite};

/// Of all connections together, with `--contexts`.
const CONTEXTS_MIB: u32 = 1024;
/// How often it is looked whether a client has ended.
const LOOK: Duration = Duration::from_millis(50);

fn main() -> ExitCode {
    let plan = match Plan::parse(std::env::args().skip(1)) {
        Ok(plan) => plan,
        Err(error) => {
            eprintln!("{error}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match run(&plan) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

/// Whether all is as expected.
fn run(plan: &Plan) -> io::Result<bool> {
    let expected = expectation::parse(include_str!("expected.txt")).map_err(io::Error::other)?;
    let elsewhere = std::env::var_os("AUTOBAHN_HOME").filter(|home| !home.is_empty());
    let install = elsewhere.is_none();
    let home = elsewhere.map_or_else(|| plan.folder.join("suite"), Into::into);
    let suite = Suite::find(home, install)?;
    let cases = suite.cases()?;
    let mut well = true;
    for (case, difference) in expectation::unknown(&expected, &cases) {
        writeln!(io::stdout(), "{case}: {difference}")?;
        well = false;
    }
    let chosen = plan.choose(&cases).map_err(io::Error::other)?;
    let stop = Stop::new()?;
    for &mode in &plan.modes {
        well &= Run { plan, suite: &suite, mode, stop: &stop }.run(&chosen, &expected)?;
    }
    Ok(well)
}

/// Set by SIGINT and SIGTERM: children are ended then, and so is this.
struct Stop(std::sync::Arc<std::sync::atomic::AtomicBool>);

impl Stop {
    fn new() -> io::Result<Self> {
        let stop = Self(std::sync::Arc::default());
        for signal in [SIGINT, SIGTERM] {
            signal_hook::flag::register(signal, std::sync::Arc::clone(&stop.0))?;
        }
        Ok(stop)
    }

    fn check(&self) -> io::Result<()> {
        if self.0.load(std::sync::atomic::Ordering::Relaxed) {
            return Err(io::Error::other("stopped"));
        }
        Ok(())
    }
}

/// The clients of a round; ended when dropped.
struct Clients(Vec<Child>);

impl Drop for Clients {
    fn drop(&mut self) {
        for client in &mut self.0 {
            let _ = client.kill();
            let _ = client.wait();
        }
    }
}

/// One mode.
struct Run<'a> {
    plan: &'a Plan,
    suite: &'a Suite,
    mode: Mode,
    stop: &'a Stop,
}

impl Run<'_> {
    /// Runs `chosen`, prints what differs and a closing line.
    fn run(&self, chosen: &BTreeSet<Case>, expected: &Verdicts) -> io::Result<bool> {
        let (name, begun, mut out) = (self.mode.name(), Instant::now(), io::stdout());
        let folder = self.plan.folder.join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        let contexts = (!self.plan.shared).then_some(CONTEXTS_MIB);
        let mut echo = Echo::start(&folder, contexts, self.mode == Mode::Tls)?;
        let url = match self.mode {
            Mode::Plain => format!("ws://{}/", echo.address),
            Mode::Tls => format!("wss://{}/", echo.address),
            Mode::Bytes => format!("ws://{}/", proxy::start(echo.address, self.plan.cut)?),
        };
        writeln!(out, "{name}: {} cases, {url}, reports in {}", chosen.len(), folder.display())?;
        let (reports, mut troubles) = self.clients(chosen, &folder, &url)?;
        troubles.extend(echo.trouble()?);

        let found: Verdicts =
            reports.iter().map(|(case, (verdict, _))| (case.clone(), verdict.clone())).collect();
        fs::write(folder.join("results.txt"), expectation::print(&found))?;
        let differences = expectation::compare(expected, chosen, &found);
        for (case, difference) in &differences {
            let page = reports.get(case).map(|(_, page)| format!(": {}", page.display()));
            writeln!(out, "{name}: {case} {difference}{}", page.unwrap_or_default())?;
        }
        for trouble in &troubles {
            writeln!(out, "{name}: {trouble}")?;
        }
        let count = differences.len() + troubles.len();
        let verdict =
            if count == 0 { "as expected".to_owned() } else { format!("{count} NOT AS EXPECTED") };
        let (tally, seconds) = (expectation::tally(&found), begun.elapsed().as_secs());
        writeln!(out, "{name}: {} cases, {tally}, {verdict}; {seconds} s", found.len())?;
        Ok(count == 0)
    }

    /// Lets clients run `chosen` and collects what they report, and what went wrong with them.
    fn clients(
        &self,
        chosen: &BTreeSet<Case>,
        folder: &Path,
        url: &str,
    ) -> io::Result<(Reports, Vec<String>)> {
        let (mut reports, mut troubles, mut number) = (Reports::new(), Vec::new(), 0);
        for round in self.plan.share(chosen) {
            let (mut clients, mut folders) = (Clients(Vec::new()), Vec::new());
            for cases in round {
                number += 1;
                let folder = folder.join(format!("client{number}"));
                clients.0.push(self.suite.start(&folder, url, cases)?);
                folders.push(folder);
            }
            for (client, folder) in clients.0.iter_mut().zip(folders) {
                let status = loop {
                    self.stop.check()?;
                    match client.try_wait()? {
                        Some(status) => break status,
                        None => thread::park_timeout(LOOK),
                    }
                };
                if !status.success() {
                    let log = folder.join("wstest.log");
                    troubles.push(format!("wstest ended, {status}: {}", log.display()));
                }
                reports.extend(suite::reports(&folder)?);
            }
        }
        Ok((reports, troubles))
    }
}
