//! Lines that do not end, that are empty, or that come by the thousand.

use std::io::Write;
use std::net::Shutdown;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::peer::{Peer, answer, connect, objects, pour, rest};
use crate::server::Server;
use crate::siege::Attack;

/// The last two objects of an answer.
fn last_two(said: &[u8]) -> (Value, Value) {
    let mut said = objects(said);
    let bye = said.pop().expect("a last object");
    (said.pop().expect("one before it"), bye)
}

/// 16 KiB of a stranger, 64 KiB of a user and no line end: `too_large`, 1009, no memory for it.
#[test]
fn ln_01_a_line_without_end_is_cut_at_its_limit() {
    let server = Server::start_secure(&[]);
    let memory = server.memory();
    let too_large = |said: &[u8]| {
        let (error, bye) = last_two(said);
        assert_eq!((&error["code"], &bye["payload"]["code"]), (&"too_large".into(), &1009.into()));
    };
    let line = Attack::new(vec![b'a'; 16_385], too_large);
    server.endures(&[line.counted("stentor_protocol_violations_total", 1)]);
    for length in [1 << 20, 16 << 20] {
        too_large(&answer(&server.address, &vec![b'a'; length], false));
    }
    let mut user = Peer::lines(&server.address);
    user.register("long");
    let object = |length: usize| {
        let empty = "{\"type\":\"ping\",\"x\":\"\"}".len();
        format!("{{\"type\":\"ping\",\"x\":\"{}\"}}\n", "x".repeat(length - empty))
    };
    pour(&mut user.stream, object(65_536).as_bytes());
    assert_eq!(user.next().expect("a reply")["status"], "ok");
    pour(&mut user.stream, object(65_537).as_bytes());
    too_large(&rest(&mut user.stream));
    assert!(server.memory() < memory + 16 * 1024, "{} KiB", server.memory());
    drop(user);
    server.judge();
}

/// A few empty lines of every kind before a word: nothing is said to them.
#[test]
fn ln_03_empty_lines_are_not_answered() {
    let server = Server::start_secure(&[]);
    let ping = Attack::new("\n\r\n\n\r\n \n\t\r\n \r\r\nping\n\r\n \n", |said| {
        let said = objects(said);
        assert!(said.len() == 2 && said[1]["status"] == "ok", "{said:?}");
    });
    server.endures(&[ping.ending().counted("stentor_requests_total{verb=\"ping\"}", 1)]);
    server.judge();
}

/// A million empty lines of each kind, from a user: none is answered, and nobody else waits.
#[test]
fn ln_03_empty_lines_by_the_million_delay_nobody() {
    let server = Server::start(&[]);
    let mut user = Peer::lines(&server.address);
    user.register("empty");
    let memory = server.memory();
    for empty in ["\n", "\r\n", "\n\r", "  \n"] {
        pour(&mut user.stream, empty.repeat(1_000_000).as_bytes());
        pour(&mut user.stream, b"\n");
        user.ok(json!({"type": "ping"}));
    }
    assert!(server.memory() < memory + 16 * 1024, "{} KiB", server.memory());
    drop(user);
    server.judge();
}

/// Part of a line, then nothing or a byte now and then: 4103 at a time that no byte moves.
#[test]
fn ln_02_part_of_a_line_and_silence_end_with_the_time_to_authenticate() {
    let server = Server::start(&["limits.auth_timeout_ms=500"]);
    for part in ["{\"type\":\"login\"", "x"] {
        let said = objects(&answer(&server.address, part.as_bytes(), false));
        assert_eq!(said[1]["payload"]["code"], 4103, "{said:?}");
    }
    // A byte now and then does not move it.
    let begun = Instant::now();
    let mut slow = connect(&server.address);
    slow.set_read_timeout(Some(Duration::from_millis(100))).expect("a deadline");
    let mut said = Vec::new();
    while !said.ends_with(b"}}\n") || !String::from_utf8_lossy(&said).contains("4103") {
        pour(&mut slow, b"x");
        let mut buffer = [0; 1024];
        let read = std::io::Read::read(&mut slow, &mut buffer);
        said.extend_from_slice(&buffer[..read.unwrap_or(0)]);
        assert!(begun.elapsed() < Duration::from_secs(10), "{}", said.escape_ascii());
    }
    drop(slow);
    server.judge();
}

/// Fifty thousand requests in one go: each is answered in order, and nobody else waits.
#[test]
fn ln_12_who_asks_fifty_thousand_times_at_once_is_answered_and_delays_nobody() {
    let server = Server::start(&[]);
    let mut stream = connect(&server.address);
    let mut writer = stream.try_clone().expect("a second handle");
    let asked = std::thread::spawn(move || {
        let objects: String =
            (0..50_000).map(|n| format!("{{\"type\":\"ping\",\"request_id\":{n}}}\n")).collect();
        writer.write_all(objects.as_bytes()).expect("sent");
        writer.shutdown(Shutdown::Write).expect("half-closed");
    });
    let said = objects(&rest(&mut stream));
    drop(stream);
    asked.join().expect("it was sent");
    let ids: Vec<u64> = said.iter().filter_map(|reply| reply["request_id"].as_u64()).collect();
    assert!(ids.into_iter().eq(0..50_000), "{} replies", said.len());
    server.judge();
}

/// Lines that are none behind a request that takes its time: the same words as alone.
#[test]
fn ln_13_what_waits_its_turn_is_refused_in_the_same_words() {
    let server = Server::start(&[]);
    for line in [&b"hello there"[..], b"[1]", b"{} {}", b"{\"type\":5}", b"\xff\xfe"] {
        let alone = objects(&answer(&server.address, line, true)).pop().expect("an error");
        let name = line.len() + usize::from(line[0]);
        let register = format!(
            "{{\"type\":\"register\",\"username\":\"n{name}\",\"password\":\"correct horse\"}}\n"
        );
        let behind = answer(&server.address, &[register.as_bytes(), line].concat(), true);
        assert_eq!(objects(&behind).pop(), Some(alone), "{}", line.escape_ascii());
    }
    server.judge();
}

/// Long requests right behind a registration: they are read by the limits of a user.
#[test]
fn ln_14_what_follows_a_registration_is_read_by_the_limits_of_a_user() {
    let server = Server::start(&[]);
    let long = format!("{{\"type\":\"ping\",\"x\":\"{}\"}}\n", "x".repeat(60_000));
    for (name, pings) in [("one", 1), ("more", 40)] {
        let register = format!(
            "{{\"type\":\"register\",\"username\":\"{name}\",\"password\":\"correct horse\"}}\n"
        );
        let bytes = register + &long.repeat(pings) + "whoami";
        let said = objects(&answer(&server.address, bytes.as_bytes(), true));
        assert_eq!(said.len(), pings + 3, "{:?}", said.last());
        assert!(said[1..].iter().all(|reply| reply["status"] == "ok"), "{said:?}");
    }
    let upgrade = crate::peer::UPGRADE.as_bytes();
    let register = "{\"type\":\"register\",\"username\":\"w\",\"password\":\"correct horse\"}";
    let frames = [
        upgrade,
        &crate::peer::text(register),
        &crate::peer::text(&long),
        &crate::peer::close(1000),
    ];
    let said = answer(&server.address, &frames.concat(), false);
    let said = crate::peer::frames(crate::peer::after_upgrade(&said));
    let last = said.get(2).expect("hello, the registration, the ping");
    assert!(last.1.starts_with(b"{\"type\":\"ping\",\"status\":\"ok\""), "{said:?}");
    server.judge();
}
