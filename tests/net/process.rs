//! What needs a process of its own: limits of descriptors, their count, signals.
//!
//! Each test starts this test binary again with its own name and `STENTOR_NET_CHILD` set to the
//! milliseconds over which the child is to spread a drain; the child is the server, the parent its
//! clients.

use std::io::{BufRead, BufReader, Lines};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Client, echo, roomy, until};

const CHILD: &str = "STENTOR_NET_CHILD";

/// The child, killed when dropped.
struct Process {
    child: Child,
    address: SocketAddr,
    /// Kept, so that the child can write.
    _stdout: Lines<BufReader<ChildStdout>>,
}

impl Process {
    /// `None` in the child.
    fn start(test: &str, spread_ms: u64) -> Option<Self> {
        if std::env::var_os(CHILD).is_some() {
            return None;
        }
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", &format!("process::{test}"), "--nocapture"])
            .env(CHILD, spread_ms.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let told = lines.by_ref().map_while(Result::ok).find_map(|line| {
            line.split_once("listening ").and_then(|(_, address)| address.parse().ok())
        });
        let address = told.expect("the child says where it listens");
        Some(Self { child, address, _stdout: lines })
    }

    fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count()
    }

    /// Time on the processor, user and system, in ticks of 10 ms.
    fn ticks(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<_> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    }

    fn signal(&self, name: &str) {
        let kill = Command::new("kill").args([name, &self.child.id().to_string()]).status();
        assert!(kill.unwrap().success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The child's part.
#[expect(clippy::print_stdout, reason = "the parent reads it")]
fn serve(loops: usize) {
    let spread_ms = std::env::var(CHILD).unwrap().parse().unwrap();
    let config = stentor::net::Config {
        drain_spread: Duration::from_millis(spread_ms),
        drain_max: Duration::from_hours(1),
        raise_descriptors: false,
        ..stentor::net::Config::default()
    };
    let server = echo(loops).config(config, roomy()).handle_signals().build().unwrap();
    println!("\nlistening {}", server.local_addrs()[0]);
    server.run().unwrap();
}

#[test]
fn two_thousand_come_and_go_and_leave_no_descriptor() {
    let Some(server) = Process::start("two_thousand_come_and_go_and_leave_no_descriptor", 0) else {
        return serve(2);
    };
    // One round trip per loop, so that everything that is there for good is there.
    for _ in 0..2 {
        assert_eq!(Client::to(server.address).ask("x").as_deref(), Some("x"));
    }
    let mut before = usize::MAX;
    until(|| std::mem::replace(&mut before, server.descriptors()) == server.descriptors());
    for round in 0..2000 {
        let mut client = Client::to(server.address);
        if round % 2 == 0 {
            assert_eq!(client.ask("x").as_deref(), Some("x"));
        }
    }
    until(|| server.descriptors() <= before);
}

#[test]
fn out_of_descriptors_is_survived_without_spinning_or_forgetting_anyone() {
    let Some(server) =
        Process::start("out_of_descriptors_is_survived_without_spinning_or_forgetting_anyone", 0)
    else {
        rlimit::setrlimit(rlimit::Resource::NOFILE, 64, 64).unwrap();
        return serve(1);
    };
    let first_outside = 64 - server.descriptors();
    let mut clients: Vec<_> = (0..200).map(|_| Client::to(server.address)).collect();
    // The reserve lets in one after the other, to be closed at once.
    assert_eq!(clients[first_outside + 5].line(), None);
    let (ticks, began) = (server.ticks(), Instant::now());
    assert_eq!(clients[first_outside + 7].line(), None);
    let waited = began.elapsed();
    let spent = Duration::from_millis(10) * (server.ticks() - ticks) as u32;
    assert!(spent < Duration::from_millis(20) + waited / 10, "{spent:?} of {waited:?}");

    // Those who wait in the kernel come in when others leave, though nobody new knocks.
    let mut last = clients.split_off(190);
    drop(clients);
    assert!(last.iter_mut().all(|client| client.ask("me?").as_deref() == Some("me?")));
}

#[test]
fn a_signal_drains_and_a_second_one_stops() {
    const TEST: &str = "a_signal_drains_and_a_second_one_stops";
    let Some(mut server) = Process::start(TEST, 10) else { return serve(2) };
    let mut client = Client::to(server.address);
    assert_eq!(client.ask("x").as_deref(), Some("x"));
    server.signal("-TERM");
    assert_eq!(client.line(), None);
    drop(client);
    until(|| server.child.try_wait().unwrap().is_some());
    assert!(server.child.wait().unwrap().success());

    // This drain would take an hour.
    let mut server = Process::start(TEST, 3_600_000).unwrap();
    let mut client = Client::to(server.address);
    assert_eq!(client.ask("x").as_deref(), Some("x"));
    server.signal("-INT");
    until(|| std::net::TcpStream::connect(server.address).is_err());
    assert_eq!(client.ask("y").as_deref(), Some("y"));
    server.signal("-INT");
    until(|| server.child.try_wait().unwrap().is_some());
    assert!(server.child.wait().unwrap().success());
    assert_eq!(client.line(), None);
}
