//! The server as a process: started, watched, and ended in every way there is.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use crate::wire::DEADLINE;

/// What is not as it is by default.
const SETTINGS: [&str; 4] = [
    "limits.drain_ms=60",
    "namespaces.ledger.durable=true",
    // So that everything that was promised can be looked for.
    "limits.inbox_events=1000000",
    "limits.inbox_notifications=1000000",
];

/// Waits, because what is waited for is an accident at that time.
pub(crate) fn pause(time: Duration) {
    let (_kept, never) = channel::<()>();
    let _ = never.recv_timeout(time);
}

/// Where and how a server runs.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// The data directory, as the server sees it.
    pub(crate) data: PathBuf,
    /// Where it writes its log.
    pub(crate) log: PathBuf,
    /// What stands before its command line: `nsenter`, or a shell that sets a limit.
    pub(crate) before: Vec<String>,
}

impl Place {
    /// The command line that begins with the server's program.
    pub(crate) fn command(&self) -> Command {
        let program = env!("CARGO_BIN_EXE_stentor");
        let mut words = self.before.iter().map(String::as_str).chain([program]);
        let mut command = Command::new(words.next().unwrap_or(program));
        command.args(words);
        command
    }
}

/// A server that runs until it is killed or dropped.
pub(crate) struct Server {
    child: Child,
    /// Where it listens.
    pub(crate) address: String,
}

/// A process that was started and is not ready yet.
pub(crate) struct Starting {
    child: Child,
    lines: Receiver<String>,
}

impl Starting {
    pub(crate) fn new(place: &Place, environment: &[(String, String)]) -> Result<Self, String> {
        let log = File::options().create(true).append(true).open(&place.log);
        let mut command = place.command();
        command.args(["--listen", "127.0.0.1:0", "--no-limits", "--loops", "2", "--data"]);
        command.arg(&place.data);
        command.args(SETTINGS.iter().flat_map(|setting| ["--set", setting]));
        command.env_clear().env("RUST_BACKTRACE", "1").envs(environment.iter().cloned());
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        command.stderr(log.map_err(|error| error.to_string())?);
        let mut child = command.spawn().map_err(|error| error.to_string())?;
        let stdout = BufReader::new(child.stdout.take().ok_or("no stdout")?);
        let (told, lines) = channel();
        std::thread::spawn(move || {
            stdout.lines().map_while(Result::ok).try_for_each(|line| told.send(line))
        });
        Ok(Self { child, lines })
    }

    /// The server, when it is ready; what became of it, when it ended before.
    pub(crate) fn ready(mut self) -> Result<Result<Server, ExitStatus>, String> {
        // Thrice, because we may have been stopped for longer than that.
        let (mut address, mut patience) = (None, 3);
        loop {
            match self.lines.recv_timeout(DEADLINE) {
                Ok(line) if line == "ready" => break,
                Ok(line) => address = line.strip_prefix("listening ").map(str::to_owned),
                Err(RecvTimeoutError::Disconnected) => {
                    return self.child.wait().map(Err).map_err(|error| error.to_string());
                }
                Err(RecvTimeoutError::Timeout) if patience > 1 => patience -= 1,
                Err(RecvTimeoutError::Timeout) => {
                    end(&mut self.child);
                    return Err(format!("not ready within {DEADLINE:?}"));
                }
            }
        }
        Ok(Ok(Server { child: self.child, address: address.ok_or("no address")? }))
    }

    /// `kill -9` before it was ready, or after: nobody looked.
    pub(crate) fn kill(mut self) {
        end(&mut self.child);
    }
}

fn end(child: &mut Child) {
    // It may have ended by itself.
    let _ = child.kill();
    let _ = child.wait();
}

impl Server {
    /// Sends it a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let status = Command::new("kill").args(["-s", name, &pid]).stderr(Stdio::null()).status();
        assert!(status.is_ok(), "kill runs");
    }

    /// Lets none of its files grow beyond this length any more.
    pub(crate) fn limit_files(&self, bytes: u64) -> Result<(), String> {
        let (pid, limit) = (self.child.id().to_string(), format!("--fsize={bytes}"));
        let status = Command::new("prlimit").args(["--pid", &pid, &limit]).status();
        match status {
            Ok(_) => Ok(()), // It may have died already.
            Err(error) => Err(format!("prlimit: {error}")),
        }
    }

    /// Whether it dies by itself within this time, in which it and we can run: looks are counted,
    /// because both may be stopped meanwhile.
    pub(crate) fn dies_within(&mut self, time: Duration) -> Option<ExitStatus> {
        const LOOK: Duration = Duration::from_millis(2);
        for _ in 0..time.as_micros().div_ceil(LOOK.as_micros()) {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Some(status);
            }
            pause(LOOK);
        }
        None
    }

    /// `kill -9`: nothing is said, nothing is finished.
    pub(crate) fn kill(&mut self) {
        end(&mut self.child);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// What the log of a server must not hold.
pub(crate) fn panics(log: &Path) -> Option<String> {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let line = text.lines().find(|line| line.contains("panicked at"))?;
    Some(line.to_owned())
}
