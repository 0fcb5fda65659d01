//! A stage for the transcripts: a server, and the scripts of `transcripts/` as its clients.
//!
//! A script is Python with the library `websockets`, and with what `protoc` makes of the published schema
//! where it speaks Protobuf. Law: an act that does not end well fails the test, with all that it said.
//! Limit: without Python or a library it is left out, and the test says so on stderr.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::server::{Folder, Server};
use crate::tools::{ROOT, has, python, python_schema, python_with, version};

/// What every script needs: Python 3.11, for its deadlines.
const MODULES: &str = "asyncio, websockets.asyncio.client; asyncio.timeout";
const PROTOBUF: &str = "asyncio, google.protobuf, websockets.asyncio.client; asyncio.timeout";

/// A folder and a server in it; the script is the client.
pub(crate) struct Stage {
    pub(crate) folder: Folder,
    script: &'static str,
    server: Option<Server>,
    schema: bool,
    outside: Option<String>,
}

impl Stage {
    /// A stage for a script; none where its tools are missing.
    pub(crate) fn new(script: &'static str, name: &str) -> Option<Self> {
        let schema = script == "system_000.py";
        let found = if schema {
            has(script, &mut [version("protoc"), python_with(PROTOBUF)])
        } else {
            has(script, &mut [python_with(MODULES)])
        };
        let folder = || Folder::new(&format!("{}-{name}", script.trim_end_matches(".py")));
        found.then(|| Self { folder: folder(), script, server: None, schema, outside: None })
    }

    /// Starts the server, or starts it again.
    pub(crate) fn serve(&mut self, options: &[&str]) {
        self.server = None;
        let options = [&["--data", "kept"], options].concat();
        self.server = Some(Server::start(&self.folder, &options));
    }

    /// Starts it on every address of this machine; `outside` is one that is not its loopback.
    pub(crate) fn serve_everywhere(&mut self, outside: &str) {
        let mut server = Server::listen(&self.folder, "0.0.0.0:0", &["--data", "kept"]);
        server.address = server.address.replace("0.0.0.0", "127.0.0.1");
        self.server = Some(server);
        self.outside = Some(outside.to_owned());
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.server.take().expect("it runs").kill();
    }

    fn acts(&self, acts: &[&str]) -> Output {
        let server = self.server.as_ref().expect("it runs");
        let mut command = Command::new(python());
        command.arg(Path::new(ROOT).join("tests/e2e/transcripts").join(self.script));
        command.args(acts).current_dir(self.folder.path()).stdin(Stdio::null());
        command.env("ADDRESS", &server.address).env("STENTOR", env!("CARGO_BIN_EXE_stentor"));
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        command.envs(self.outside.iter().map(|ip| ("OUTSIDE", ip)));
        if self.schema {
            command.env("PYTHONPATH", python_schema());
        }
        command.output().expect("it can be started")
    }

    /// Plays these acts against the server.
    pub(crate) fn play(&self, acts: &[&str]) {
        let output = self.acts(acts);
        let said = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{} {acts:?}\n{said}\n{errors}", self.script);
        let wanted: String = acts.iter().map(|act| format!("{act}: ok\n")).collect();
        assert_eq!(said, wanted, "each act was played to its end");
    }

    /// Plays an act that must fail.
    pub(crate) fn fails(&self, act: &str) {
        let output = self.acts(&[act]);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && errors.contains("AssertionError"), "{errors}");
    }
}
