//! Who is measured: how it is started, and how it is spoken to.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::system::{Outcome, Running};
use crate::talk::{Door, Talk, framed};
use crate::wire::{Framing, upgrade};

/// A server that can be started any number of times.
#[derive(Clone, Debug)]
pub(crate) struct Contestant {
    pub(crate) name: String,
    program: PathBuf,
    arguments: Vec<String>,
    pub(crate) door: Door,
    path: &'static str,
}

impl Contestant {
    /// A program that echoes or broadcasts over one door and says where it listens.
    pub(crate) fn new(name: &str, program: &Path, arguments: &[&str], door: Door) -> Self {
        Self {
            name: name.to_owned(),
            program: program.to_owned(),
            arguments: arguments.iter().map(ToString::to_string).collect(),
            door,
            path: "/",
        }
    }

    /// One of our null programs.
    pub(crate) fn null(arguments: &[&str]) -> Outcome<Self> {
        let arguments = [&["null"], arguments].concat();
        Ok(Self::new("null", &std::env::current_exe()?, &arguments, Door::Raw))
    }

    /// Starts it; one that is told a `PORT` gets a free one and says nothing.
    pub(crate) fn start(&self) -> Outcome<Running> {
        let mut command = Command::new(&self.program);
        if !self.arguments.iter().any(|argument| argument == "PORT") {
            return Running::start(command.args(&self.arguments));
        }
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let port = address.port().to_string();
        for argument in &self.arguments {
            command.arg(if argument == "PORT" { &port } else { argument });
        }
        Running::start_silent(&mut command, address)
    }

    /// Connections that are ready to send messages.
    pub(crate) fn connect(&self, server: &Running, many: usize) -> Outcome<Vec<TcpStream>> {
        let mut streams = Vec::with_capacity(many);
        for _ in 0..many {
            streams.push(Talk::open(server.address, self.door, self.path)?.into_stream()?);
        }
        Ok(streams)
    }

    /// Connections that hear what is published.
    pub(crate) fn subscribe(&self, server: &Running, many: usize) -> Outcome<Vec<TcpStream>> {
        let mut streams = Vec::with_capacity(many);
        for _ in 0..many {
            let mut talk = Talk::open(server.address, self.door, self.path)?;
            talk.subscribe()?;
            streams.push(talk.into_stream()?);
        }
        Ok(streams)
    }

    /// A payload as a client sends it.
    pub(crate) fn framed(&self, payload: &[u8]) -> Vec<u8> {
        framed(self.door, payload)
    }

    /// How messages with this payload, all `x`, are counted when the server sends them.
    pub(crate) fn answer(&self, payload: usize) -> Framing {
        match self.door {
            Door::Raw | Door::Redis => Framing::Fixed(self.answer_bytes(payload)),
            Door::Lines => Framing::Byte(b'\n'),
            Door::WebSocket => Framing::WebSocket,
            // `MSG b 1 64`; a PING between them has no M.
            Door::Nats => Framing::Byte(b'M'),
        }
    }

    /// Bytes on the wire of such a message.
    pub(crate) fn answer_bytes(&self, payload: usize) -> usize {
        match (self.door, payload) {
            (Door::Raw, _) => payload,
            (Door::Lines, _) => payload + 1,
            (Door::WebSocket, 0..=125) => payload + 2,
            (Door::WebSocket, 126..=65_535) => payload + 4,
            (Door::WebSocket, _) => payload + 10,
            (Door::Redis, _) => {
                format!("*3\r\n$7\r\nmessage\r\n$1\r\nb\r\n${payload}\r\n\r\n").len() + payload
            }
            (Door::Nats, _) => format!("MSG b 1 {payload}\r\n\r\n").len() + payload,
        }
    }

    /// The opening handshake, where there is one.
    pub(crate) fn upgrade(&self) -> Vec<u8> {
        if self.door == Door::WebSocket { upgrade(self.path).into_bytes() } else { Vec::new() }
    }
}

/// The crate above, where ours are built.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A program that the crate above builds: `stentor`, or one of its examples.
pub(crate) fn ours(name: &str) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(root().join("target"), PathBuf::from);
    let target = target.join(PROFILE);
    if name == "stentor" { target.join(name) } else { target.join("examples").join(name) }
}

/// How it is built: as it is released, for the bench's own tests as fast as it builds.
const PROFILE: &str = if cfg!(test) { "debug" } else { "release" };

/// Cargo in the crate above.
pub(crate) fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    cargo.current_dir(root());
    cargo
}
