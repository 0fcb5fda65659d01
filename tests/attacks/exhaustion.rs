//! Crowds: of readers that do not read, of receivers, of those who break the rules on purpose.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::peer::{Peer, connect, objects, pour, rest};
use crate::server::Server;

/// A subscriber of the busy channel, whose kernel holds little for it.
fn subscriber(server: &Server, name: &str) -> Peer {
    let mut peer = Peer::lines(&server.address);
    socket2::SockRef::from(&peer.stream).set_recv_buffer_size(65_536).expect("a small buffer");
    peer.register(name);
    peer.ok(json!({"type": "subscribe", "channel": "public:busy"}));
    peer
}

/// Forty that never read: each is closed with what came until then in order and without a hole, they
/// share the bytes of what waits, and the publisher is answered as before.
#[test]
fn sl_05_and_08_a_crowd_that_does_not_read_costs_the_publisher_nothing() {
    let server = Server::start(&["limits.requests_per_second=none"]);
    let crowd: Vec<_> = (0..40).map(|n| subscriber(&server, &format!("mute{n}"))).collect();
    let mut publisher = Peer::websocket(&server.address);
    publisher.register("publisher");
    let memory = server.memory();
    let payload = "x".repeat(50_000);
    for offset in 1..=120 {
        let begun = Instant::now();
        let request = json!({"type": "publish", "channel": "public:busy", "payload": payload});
        assert_eq!(publisher.ok(request)["offset"], offset);
        assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    }
    assert_eq!(server.metric("stentor_slow_consumers_total"), 40.0);
    // One mebibyte for all of them, not for each, and what the kernel took is not ours.
    assert!(server.memory() < memory + 24 * 1024, "{} KiB", server.memory());
    for mut peer in crowd {
        let mut said = objects(&rest(&mut peer.stream));
        assert_eq!(said.pop().expect("a last word")["payload"]["code"], 4101);
        let offsets = said.iter().map(|event| event["offset"].as_u64());
        assert!(offsets.eq((1..).take(said.len()).map(Some)), "a hole that nobody told of");
    }
    drop(publisher);
    server.judge();
}

/// One message to three hundred: enqueued for all of them in the time of a few, in one copy.
#[test]
fn rx_09_a_crowd_hears_one_copy() {
    let server = Server::start(&["limits.requests_per_second=none"]);
    let mut first = Peer::lines(&server.address);
    let account = json!({"type": "register", "username": "crowd", "password": "correct horse"});
    let auth = json!({"type": "auth", "token": first.ok(account)["token"]});
    let mut crowd = vec![first];
    for n in 0..14 {
        // Twenty connections are one user's; a hash for each of them would be the test's time.
        let mut user = Peer::lines(&server.address);
        user.register(&format!("user{n}"));
        crowd.push(user);
    }
    for _ in 0..18 {
        let mut peer = Peer::lines(&server.address);
        peer.ok(auth.clone());
        crowd.push(peer);
    }
    for peer in &mut crowd {
        peer.ok(json!({"type": "subscribe", "channel": "public:crowd"}));
    }
    let mut publisher = Peer::websocket(&server.address);
    publisher.register("publisher");
    let memory = server.memory();
    let payload = "y".repeat(60_000);
    for offset in 1..=15 {
        let request = json!({"type": "publish", "channel": "public:crowd", "payload": payload});
        assert_eq!(publisher.ok(request)["offset"], offset);
        for peer in &mut crowd {
            assert_eq!(peer.event("publication")["offset"], offset);
        }
    }
    // A copy for each would be thirty megabytes.
    assert!(server.memory() < memory + 8 * 1024, "{} KiB", server.memory());
    drop((publisher, crowd));
    server.judge();
}

/// Whoever breaks the rules, however often, adds at most a line to the log for each connection, and
/// a short one.
#[test]
fn rx_12_breaking_the_rules_does_not_fill_the_log() {
    let server = Server::start(&[]);
    let long = "z".repeat(8000);
    let wrong = [
        "nope\n".repeat(12),
        format!("{{\"type\":\"{long}\"}}\n").repeat(12),
        format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n"),
        format!("PROXY {long}\r\n"),
        "\u{16}\u{3}\u{1}".repeat(40),
        format!("GET / HTTP/1.1\r\nHost : {long}\r\n\r\n"),
    ];
    let rounds = 50;
    for bytes in wrong.iter().cycle().take(wrong.len() * rounds) {
        let mut stream = connect(&server.address);
        pour(&mut stream, bytes.as_bytes());
        let _ = stream.shutdown(std::net::Shutdown::Write);
        rest(&mut stream);
    }
    let log = server.judge();
    let lines = log.lines().count();
    assert!(lines < wrong.len() * rounds + 40, "{lines} lines");
    assert!(log.lines().all(|line| line.len() < 400), "{}", log.len());
    assert!(!log.contains("zzz"), "nothing that was sent");
}
