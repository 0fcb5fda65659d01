//! The binary as its users meet it: what it prints, what it answers, how it ends (SPEC §11).
#![cfg(feature = "cli")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};

/// A directory of its own for each test, gone when the test is.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("stentor-cli-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir(&path).expect("a new directory");
        Self(path)
    }

    /// The binary, to run here.
    fn stentor(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stentor"));
        command.args(arguments).current_dir(&self.0).env_clear();
        command
    }

    /// Its exit, stdout and stderr.
    fn run(&self, arguments: &[&str]) -> (ExitStatus, String, String) {
        let output = self.stentor(arguments).output().expect("it runs");
        let text = |bytes| String::from_utf8(bytes).expect("text");
        (output.status, text(output.stdout), text(output.stderr))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A server that runs; killed when the test fails.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    /// Starts one and waits until it is ready.
    fn start(folder: &Folder, arguments: &[&str]) -> Self {
        let mut command = folder.stentor(&[&["--listen", "127.0.0.1:0"], arguments].concat());
        let command = command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("it starts");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let mut line = || lines.next().expect("a line").expect("text");
        let address = line().strip_prefix("listening ").expect("an address").to_owned();
        assert_eq!(line(), "ready");
        Self { child, address }
    }

    /// Sends `text`, half-closes, and returns every line that comes.
    fn ask(&self, text: &str) -> Vec<serde_json::Value> {
        let mut stream = TcpStream::connect(&self.address).expect("a connection");
        stream.write_all(text.as_bytes()).expect("sent");
        stream.shutdown(Shutdown::Write).expect("half-closed");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    fn terminate(mut self) -> ExitStatus {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("kill runs").success());
        self.child.wait().expect("it ends")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn what_was_acknowledged_is_there_after_a_restart_and_a_token_made_here_is_good() {
    let folder = Folder::new("restart");
    let (status, token, _) =
        folder.run(&["token", "--sub", "bot", "--role", "service", "--data", "d"]);
    assert!(status.success());
    let token = token.trim_end().rsplit(' ').next().expect("a last word").to_owned();
    let server = Server::start(&folder, &["--data", "d"]);
    let register = "{\"type\":\"register\",\"username\":\"ana\",\"password\":\"correct horse\"}\n";
    let told = server.ask(&format!(
        "{register}{{\"type\":\"create_group\",\"group_name\":\"g\",\"member_ids\":[]}}"
    ));
    assert_eq!((&told[1]["status"], &told[2]["status"]), (&"ok".into(), &"ok".into()));
    assert!(server.terminate().success());

    let server = Server::start(&folder, &["--data", "d", "--log-format", "json"]);
    let told = server
        .ask(&format!("{}{{\"type\":\"get_user_chats\"}}", register.replace("register", "login")));
    assert_eq!(told[2]["data"]["chats"][0]["name"], "g");
    let told = server.ask(&format!("{{\"type\":\"auth\",\"token\":\"{token}\"}}\nwhoami\n"));
    assert_eq!(told[2]["data"]["role"], "service", "{told:?}");
    let session = told[1]["data"].get("session_id");
    assert!(session.is_some_and(serde_json::Value::is_null), "it is of no session: {told:?}");
    let (status, said, _) = folder.run(&["check", "--data", "d", "--listen", "127.0.0.1:0"]);
    assert!(status.success() && said.contains("warn data    another server"), "{said}");
    assert!(server.terminate().success());
}

#[test]
fn ephemeral_leaves_nothing_and_a_taken_port_is_told() {
    let folder = Folder::new("ephemeral");
    let server = Server::start(&folder, &["--ephemeral", "--no-limits"]);
    assert_eq!(server.ask("ping\n")[1]["status"], "ok");
    let (status, said, complaint) = folder.run(&["--ephemeral", "--listen", &server.address]);
    assert_eq!((status.code(), said.as_str()), (Some(1), ""));
    assert!(complaint.contains("the address is in use") && complaint.contains("try:"));
    let (status, said, _) = folder.run(&["check", "--ephemeral", "--listen", &server.address]);
    assert!(!status.success() && said.contains("fail listen  cannot listen on"), "{said}");
    assert!(server.terminate().success());
    assert_eq!(std::fs::read_dir(&folder.0).expect("a directory").count(), 0);
}

#[test]
fn a_wrong_configuration_does_not_start() {
    let folder = Folder::new("wrong");
    std::fs::write(folder.0.join("stentor.toml"), "[limits]\nmesage_bytes = 1\n").expect("written");
    for arguments in [&[][..], &["--config", "nowhere.toml"], &["--set", "a=b"], &["--loops", "0"]]
    {
        let (status, said, complaint) = folder.run(arguments);
        assert!(!status.success() && said.is_empty(), "{arguments:?}: {said}");
        assert!(complaint.starts_with("error: "), "{complaint}");
    }
    let (_, said, _) = folder.run(&["check"]);
    assert!(said.starts_with("fail config  stentor.toml:2:1: unknown key"), "{said}");
    let (status, said, _) = folder.run(&["check", "--keys"]);
    assert!(status.success() && said.contains("| `limits.message_bytes` | `65536` |"), "{said}");
    assert!(!folder.0.join("stentor-data").exists(), "a check makes nothing");
}
