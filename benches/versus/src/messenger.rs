//! The full server: started without limits, spoken to by users with tokens.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::contestant::ours;
use crate::system::{Outcome, Running};
use crate::talk::{Door, Talk};

/// The channel of row 3.
pub(crate) const CHANNEL: &str = "public:b";

/// A server to be started any number of times, and its users.
pub(crate) struct Messenger {
    dir: PathBuf,
    tokens: Vec<String>,
}

impl Messenger {
    /// With tokens for so many users, signed by a key in `dir`.
    pub(crate) fn new(dir: &Path, users: usize) -> Outcome<Self> {
        let mut command = Command::new(ours("stentor"));
        command.args(["token", "--sub", "u", "--role", "user", "--count", &users.to_string()]);
        let output = command.arg("--data").arg(dir).output()?;
        let text = String::from_utf8(output.stdout)?;
        let tokens = text.lines().filter_map(|line| line.rsplit(' ').next());
        let tokens: Vec<String> = tokens.map(str::to_owned).collect();
        if tokens.len() < users {
            return Err(format!("no tokens: {}", String::from_utf8_lossy(&output.stderr)).into());
        }
        Ok(Self { dir: dir.to_owned(), tokens })
    }

    /// The log of its database, where it has one.
    pub(crate) fn wal(&self) -> PathBuf {
        self.dir.join("stentor.db-wal")
    }

    /// Its database, where it has one.
    pub(crate) fn database(&self) -> PathBuf {
        self.dir.join("stentor.db")
    }

    /// The command that runs it, in memory or on the disk.
    pub(crate) fn command(&self, loops: usize, ephemeral: bool) -> Command {
        let mut command = Command::new(ours("stentor"));
        self.arguments(&mut command, loops, ephemeral);
        command
    }

    /// The same for a program that runs the program.
    pub(crate) fn arguments(&self, command: &mut Command, loops: usize, ephemeral: bool) {
        command.args(["--listen", "127.0.0.1:0", "--no-limits", "--loops", &loops.to_string()]);
        command.arg("--data").arg(&self.dir);
        if ephemeral {
            command.arg("--ephemeral");
        }
    }

    pub(crate) fn start(&self) -> Outcome<Running> {
        Running::start(&mut self.command(1, true))
    }

    /// A connection of a user, authenticated.
    pub(crate) fn enter(&self, server: &Running, door: Door, user: usize) -> Outcome<Talk> {
        let mut talk = Talk::open(server.address, door, "/ws")?;
        talk.ask(&self.auth(user))?;
        Ok(talk)
    }

    /// The request by which a user enters.
    pub(crate) fn auth(&self, user: usize) -> String {
        format!("{{\"type\":\"auth\",\"token\":\"{}\"}}", self.tokens[user])
    }

    /// A publisher and its subscribers, each its own user.
    pub(crate) fn audience(
        &self,
        server: &Running,
        door: Door,
        subscribers: usize,
    ) -> Outcome<(TcpStream, Vec<TcpStream>)> {
        let mut streams = Vec::with_capacity(subscribers);
        for user in 1..=subscribers {
            let mut talk = self.enter(server, door, user)?;
            talk.ask(&format!("{{\"type\":\"subscribe\",\"channel\":\"{CHANNEL}\"}}"))?;
            streams.push(talk.into_stream()?);
        }
        Ok((self.enter(server, door, 0)?.into_stream()?, streams))
    }
}

/// What the publisher says: 64 bytes of payload, no echo to itself.
pub(crate) fn publication() -> String {
    let payload = "x".repeat(62);
    format!(
        "{{\"type\":\"publish\",\"channel\":\"{CHANNEL}\",\"echo\":false,\"payload\":\"{payload}\"}}"
    )
}
