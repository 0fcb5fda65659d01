//! The attacked server and what must hold of it whatever is done (the common oracle): it lives, it
//! never panics, two members of a chat lose nothing and wait for nothing, and when the attacker has
//! gone, memory and descriptors are back where they were.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::peer::{Peer, http_get};
use crate::siege::{certificate::Files, https_get};

/// How much more memory may be in use after an attack: what an allocator keeps of a burst.
const MEMORY_SLACK_KIB: u64 = 24 * 1024;
/// How long descriptors may take to come back, and a bystander to be served.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server with settings of its own, in memory, on a port of its own.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: String,
    stderr: Option<JoinHandle<String>>,
    baseline: Option<(u64, usize)>,
    bystander: Option<Bystander>,
    /// It speaks nothing but TLS.
    secret: bool,
}

impl Server {
    /// One with `KEY=VALUE` settings; the rates of chat messages are lifted for the bystanders.
    pub(crate) fn start(settings: &[&str]) -> Self {
        Self::start_by(Command::new(env!("CARGO_BIN_EXE_stentor")), settings)
    }

    /// One that speaks TLS too.
    pub(crate) fn start_secure(settings: &[&str]) -> Self {
        let files = Files::write();
        let tls = files.settings();
        // Read when it starts, and then no more.
        Self::start(&[settings, &[&tls[0], &tls[1]]].concat())
    }

    /// One whose command line begins with `command`: a shell that sets limits, say.
    pub(crate) fn start_by(command: Command, settings: &[&str]) -> Self {
        let mut this = Self::deserted(command, settings);
        this.bystander = Some(Bystander::begin(&this.address));
        this.baseline = Some((this.memory(), this.descriptors()));
        this
    }

    /// One that speaks nothing but TLS, and therefore has no bystanders.
    pub(crate) fn start_secret() -> Self {
        let files = Files::write();
        let [certificate, key] = files.settings();
        let binary = Command::new(env!("CARGO_BIN_EXE_stentor"));
        let mut this = Self::deserted(binary, &[&certificate, &key, "tls.required=true"]);
        this.secret = true;
        assert_eq!(this.page("/healthz").0, 200);
        this.baseline = Some((this.memory(), this.descriptors()));
        this
    }

    fn deserted(mut command: Command, settings: &[&str]) -> Self {
        command.arg("--ephemeral");
        let (mut child, address) = spawn(command, settings);
        let stderr = child.stderr.take().map(gather);
        Self { child, address, stderr, baseline: None, bystander: None, secret: false }
    }

    /// A page, by TLS where nothing else is spoken.
    fn page(&self, path: &str) -> (u16, String) {
        if self.secret { https_get(&self.address, path) } else { http_get(&self.address, path) }
    }

    pub(crate) const fn is_secret(&self) -> bool {
        self.secret
    }

    fn of_proc(&self, name: &str) -> String {
        format!("/proc/{}/{name}", self.child.id())
    }

    /// Resident memory in KiB.
    pub(crate) fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(self.of_proc("status")).expect("the server lives");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("its memory");
        line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number")
    }

    fn descriptors(&self) -> usize {
        std::fs::read_dir(self.of_proc("fd")).expect("the server lives").count()
    }

    /// The page of `/metrics`.
    pub(crate) fn metrics(&self) -> String {
        self.page("/metrics").1
    }

    /// A counter or gauge of `/metrics`, all labels summed.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let body = self.metrics();
        let rows = body.lines().filter(|line| !line.starts_with('#'));
        rows.filter_map(|row| {
            let (key, value) = row.rsplit_once(' ')?;
            (key.split('{').next() == Some(name)).then(|| value.parse::<f64>().expect("a number"))
        })
        .sum()
    }

    /// Waits until no more than so many descriptors are open.
    fn is_left(&self, descriptors: usize, patience: Duration) -> bool {
        let begun = Instant::now();
        while self.descriptors() > descriptors {
            if begun.elapsed() > patience {
                return false;
            }
            assert_eq!(self.page("/healthz").0, 200);
        }
        true
    }

    /// The attack is over and its connections are closed: the oracle is asked. Gives the log.
    pub(crate) fn judge(mut self) -> String {
        let (memory, mut descriptors) = self.baseline.expect("a baseline");
        if let Some(bystander) = self.bystander.take() {
            bystander.end();
            descriptors -= 2;
        }
        // The two bystanders are gone, and so is everyone else.
        assert!(self.is_left(descriptors, PATIENCE), "{} stay open", self.descriptors());
        let after = self.memory();
        assert!(after < memory + MEMORY_SLACK_KIB, "{memory} KiB before, {after} KiB after");
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("kill runs").success());
        let status = self.child.wait().expect("it ends");
        let log = self.stderr.take().expect("one log").join().expect("a log");
        assert!(status.success(), "{status}: {log}");
        assert!(!log.contains("panicked"), "{log}");
        log
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // After a judgement this is nobody; before it, the test has failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts a server and waits until it is ready.
pub(crate) fn spawn(mut command: Command, settings: &[&str]) -> (Child, String) {
    command.args(["--listen", "127.0.0.1:0", "--loops", "2"]);
    let lifted = ["limits.messages_per_minute=none", "limits.drain_ms=0"];
    for setting in lifted.iter().chain(settings) {
        command.args(["--set", setting]);
    }
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the server starts");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let mut line = || lines.next().expect("a line").expect("text");
    let address = line().strip_prefix("listening ").expect("an address").to_owned();
    assert_eq!(line(), "ready");
    (child, address)
}

fn gather(mut stderr: ChildStderr) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = stderr.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// Two members of a group, on a WebSocket and on lines: one writes all the while, the other reads.
struct Bystander {
    over: Arc<AtomicBool>,
    writer: JoinHandle<u64>,
    reader: JoinHandle<u64>,
}

impl Bystander {
    fn begin(address: &str) -> Self {
        let mut reader = Peer::lines(address);
        let reads = reader.register("bystander.reads");
        let mut writer = Peer::websocket(address);
        writer.register("bystander.writes");
        let group =
            writer.ok(json!({"type": "create_group", "group_name": "calm", "member_ids": [reads]}));
        let group = group["chat"]["id"].clone();
        reader.event("group:created");
        let over = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&over);
        Self {
            over,
            writer: std::thread::spawn(move || write(&mut writer, &group, &seen)),
            reader: std::thread::spawn(move || read(&mut reader)),
        }
    }

    fn end(self) {
        self.over.store(true, Ordering::Relaxed);
        let sent = self.writer.join().expect("the writer was served");
        let got = self.reader.join().expect("the reader was served");
        assert_eq!(sent, got, "an acknowledged message was not delivered");
    }
}

/// Writes one message after the other, each acknowledged in time; the last one says so.
fn write(writer: &mut Peer, group: &Value, over: &AtomicBool) -> u64 {
    for seq in 1.. {
        let last = over.load(Ordering::Relaxed);
        let content = if last { "last" } else { "calm" };
        let begun = Instant::now();
        let data = writer.ok(json!({"type": "message", "chat_id": group, "content": content}));
        assert!(begun.elapsed() < Duration::from_secs(5), "a bystander waited {begun:?}");
        assert_eq!(data["message"]["seq"], seq);
        if last {
            return seq;
        }
        // Ten a second or so: the deadline of a read is the pause.
        writer.quiet(Duration::from_millis(50));
    }
    0
}

fn read(reader: &mut Peer) -> u64 {
    for seq in 1.. {
        let event = reader.event("message");
        assert_eq!(event["payload"]["seq"], seq, "a message was lost or came twice");
        if event["payload"]["content"] == "last" {
            return seq;
        }
    }
    0
}

#[test]
fn a_descriptor_that_stays_open_is_seen() {
    let server = Server::start(&[]);
    let (_, descriptors) = server.baseline.expect("a baseline");
    let guest = Peer::websocket(&server.address);
    assert!(!server.is_left(descriptors, Duration::from_millis(200)));
    drop(guest);
    assert!(server.is_left(descriptors, PATIENCE));
    server.judge();
}

#[test]
fn a_server_that_dies_is_seen_by_the_bystanders() {
    let mut server = Server::start(&[]);
    server.child.kill().expect("killed");
    let bystander = server.bystander.take().expect("bystanders");
    let judged = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| bystander.end()));
    assert!(judged.is_err(), "nobody noticed");
}

#[test]
fn a_message_out_of_its_order_is_seen_by_the_bystanders() {
    let server = Server::start(&[]);
    // Somebody else writes into their chat: the numbers that each of them expects are not those.
    let mut stranger = Peer::lines(&server.address);
    stranger
        .ok(json!({"type": "login", "username": "bystander.reads", "password": "correct horse"}));
    let chats = stranger.ok(json!({"type": "get_user_chats"}));
    let chat = &chats["chats"][0]["id"];
    stranger.ok(json!({"type": "message", "chat_id": chat, "content": "not yours"}));
    let judged = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| server.judge()));
    assert!(judged.is_err(), "nobody noticed");
}
