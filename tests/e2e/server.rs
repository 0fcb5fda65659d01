//! The process under test, with a directory that outlives it.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

/// A directory of its own for each test, gone when the test is.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("stentor-e2e-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir(&path).expect("a new directory");
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.join(name), text).expect("written");
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.0.join(name)).expect("read")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A token signed with the key in `kept`.
pub(crate) fn token(folder: &Folder, sub: &str, role: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stentor"));
    command.args(["token", "--sub", sub, "--role", role, "--data", "kept"]);
    let output = command.current_dir(folder.path()).output().expect("it runs");
    let line = String::from_utf8(output.stdout).expect("text");
    line.split_whitespace().last().expect("a token").to_owned()
}

/// A server that runs until it is killed or dropped.
pub(crate) struct Server {
    child: Child,
    /// Where it listens.
    pub(crate) address: String,
}

impl Server {
    /// Starts one on a free port and waits until it is ready.
    pub(crate) fn start(folder: &Folder, arguments: &[&str]) -> Self {
        Self::listen(folder, "127.0.0.1:0", arguments)
    }

    /// The same, at an address of one's own. Its log is `stderr.txt` in the folder.
    pub(crate) fn listen(folder: &Folder, listen: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stentor"));
        command.args(["--listen", listen]).args(arguments).current_dir(&folder.0);
        let log = File::create(folder.0.join("stderr.txt")).expect("a file");
        command.env_clear().stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn().expect("it starts");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let mut line = || lines.next().expect("a line").expect("text");
        let address = line().strip_prefix("listening ").expect("an address").to_owned();
        assert_eq!(line(), "ready");
        Self { child, address }
    }

    /// Its process, as a text.
    pub(crate) fn id(&self) -> String {
        self.child.id().to_string()
    }

    /// SIGTERM: it drains.
    pub(crate) fn terminate(&self) {
        let status = Command::new("kill").args(["-TERM", &self.id()]).status();
        assert!(status.expect("kill is needed").success());
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.child.wait().expect("it ends")
    }

    /// `kill -9`: nothing is said, nothing is finished.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
