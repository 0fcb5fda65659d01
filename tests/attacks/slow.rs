//! Peers that do not read, read too slowly, answer nothing, or vanish.

use std::io::{ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::peer::{DEADLINE, Peer, UPGRADE, close_code, connect, objects, pour, rest};
use crate::server::Server;

/// Room enough for no backlog: what a kernel would hold is not what the server holds.
fn narrow(peer: &Peer) {
    socket2::SockRef::from(&peer.stream).set_recv_buffer_size(65_536).expect("a small buffer");
}

/// A publisher and a listener that reads; both lift no limit of anybody.
fn pair(server: &Server) -> (Peer, Peer) {
    let mut publisher = Peer::websocket(&server.address);
    publisher.register("publisher");
    let mut listener = Peer::lines(&server.address);
    listener.register("listener");
    listener.ok(json!({"type": "subscribe", "channel": "public:busy"}));
    (publisher, listener)
}

/// Publishes `count` times and sees each event arrive at the listener, in order, without delay.
fn publish(publisher: &mut Peer, listener: &mut Peer, from: u64, count: u64, bytes: usize) {
    let payload = "x".repeat(bytes);
    for offset in from..from + count {
        let begun = Instant::now();
        let request = json!({"type": "publish", "channel": "public:busy", "payload": payload});
        assert_eq!(publisher.ok(request)["offset"], offset);
        assert_eq!(listener.event("publication")["offset"], offset);
        assert!(begun.elapsed() < Duration::from_secs(3), "a slow reader slows others");
    }
}

/// A reader that stops: closed with 4101 after what was queued, and nobody else waits.
#[test]
fn sl_01_and_03_a_reader_that_stops_is_closed_and_others_do_not_notice() {
    let server = Server::start(&["limits.requests_per_second=none"]);
    let (mut publisher, mut listener) = pair(&server);
    let memory = server.memory();
    let mut slow = Peer::lines(&server.address);
    narrow(&slow);
    slow.register("slow");
    slow.ok(json!({"type": "subscribe", "channel": "public:busy"}));
    publish(&mut publisher, &mut listener, 1, 200, 50_000);
    // Whatever was queued before comes first, in order; then the reason.
    let mut said = objects(&rest(&mut slow.stream));
    let bye = said.pop().expect("a last word");
    assert_eq!(bye["payload"]["code"], 4101, "{bye}");
    assert!(said.iter().map(|event| event["offset"].as_u64()).eq((1..).take(said.len()).map(Some)));
    assert!(said.len() < 200, "nothing of 10 MB was refused");
    assert!(server.memory() < memory + 32 * 1024, "{} KiB", server.memory());
    drop((publisher, listener, slow));
    server.judge();
}

/// A reader of one byte at a time: judged by its queue, closed with 4101.
#[test]
fn sl_02_a_reader_of_a_byte_at_a_time_is_judged_by_its_queue() {
    let server = Server::start(&[
        "limits.requests_per_second=none",
        "limits.outbox_soft_bytes=65536",
        "limits.outbox_soft_ms=500",
    ]);
    let (mut publisher, mut listener) = pair(&server);
    let mut slow = Peer::lines(&server.address);
    narrow(&slow);
    slow.register("slow");
    slow.ok(json!({"type": "subscribe", "channel": "public:busy"}));
    let refused = || server.metric("stentor_slow_consumers_total");
    let begun = Instant::now();
    let mut from = 1;
    // Below what is refused at once, above what may be queued for half a second.
    while refused() < 1.0 {
        publish(&mut publisher, &mut listener, from, 5, 30_000);
        from += 5;
        let mut byte = [0];
        slow.stream.read_exact(&mut byte).expect("a byte");
        assert!(begun.elapsed() < DEADLINE, "it is never closed");
    }
    drop((publisher, listener, slow));
    server.judge();
}

/// A peer that answers no ping: 4102; one that is silent on lines stays.
#[test]
fn sl_04_who_answers_no_ping_is_dead_and_who_is_silent_on_lines_is_not() {
    let server = Server::start(&["limits.heartbeat_ms=200", "limits.dead_ms=700"]);
    let mut mute = connect(&server.address);
    pour(&mut mute, UPGRADE.as_bytes());
    let mut person = Peer::lines(&server.address);
    person.register("silent");
    let mut said = Vec::new();
    let mut buffer = [0; 4096];
    let begun = Instant::now();
    // Reads, and answers nothing; our Close frame comes last.
    while said.len() < 4 || said[said.len() - 18..][..2] != [0x0f, 0xa6] && close(&said) != 4102 {
        let length = mute.read(&mut buffer).expect("bytes");
        said.extend_from_slice(&buffer[..length]);
        assert!(length > 0 && begun.elapsed() < DEADLINE, "{}", said.escape_ascii());
    }
    drop(mute);
    for _ in 0..8 {
        person.event("ping");
    }
    person.ok(json!({"type": "whoami"}));
    drop(person);
    server.judge();
}

fn close(said: &[u8]) -> u16 {
    if said.windows(4).any(|four| four == b"\r\n\r\n") { close_code(said) } else { 0 }
}

/// Pages asked for by the hundred and never read: closed, and memory as before.
#[test]
fn sl_06_pages_that_nobody_reads_are_not_kept_without_end() {
    let server = Server::start(&["limits.outbox_soft_ms=500"]);
    let memory = server.memory();
    let mut stream = connect(&server.address);
    socket2::SockRef::from(&stream).set_recv_buffer_size(4096).expect("a small buffer");
    stream.set_write_timeout(Some(Duration::from_millis(100))).expect("a deadline");
    let pages = b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n".repeat(500);
    let (begun, mut at) = (Instant::now(), 0);
    loop {
        match stream.write(&pages[at..]) {
            Ok(taken) => at = (at + taken) % pages.len(),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => break,
        }
        assert!(begun.elapsed() < DEADLINE, "pages are rendered without end");
    }
    assert!(server.memory() < memory + 24 * 1024, "{} KiB", server.memory());
    server.judge();
}

/// A writer that vanishes before its answer and asks again: its message is stored once.
#[test]
fn sl_07_who_vanishes_before_the_answer_asks_again_and_is_stored_once() {
    let server = Server::start(&["limits.requests_per_second=none"]);
    let mut owner = Peer::lines(&server.address);
    owner.register("owner");
    let group = json!({"type": "create_group", "group_name": "g", "member_ids": []});
    let chat = owner.ok(group)["chat"]["id"].clone();
    let login = json!({"type": "auth", "token": token(&mut owner)});
    for n in 0..50 {
        let client_id = format!("m{n}");
        let message = json!({"type": "message", "chat_id": chat, "content": "once",
            "client_id": client_id});
        let mut gone = Peer::websocket(&server.address);
        gone.send(&login);
        gone.send(&message);
        // Sometimes before it is read, sometimes after it is stored: a reset with no farewell.
        if n % 2 == 0 {
            gone.next().expect("a greeting");
            gone.next().expect("who it is");
        }
        let linger = Some(Duration::ZERO);
        socket2::SockRef::from(&gone.stream).set_linger(linger).expect("a reset");
        drop(gone);
        assert_eq!(owner.ok(message)["message"]["client_id"], *client_id);
    }
    // A late first try is a duplicate of the second.
    let page = owner.ok(json!({"type": "get_messages", "chat_id": chat, "limit": 300}));
    let messages = page["messages"].as_array().expect("a list");
    let seqs: Vec<_> = messages.iter().map(|message| message["seq"].as_u64()).collect();
    assert!(seqs.iter().copied().eq((1..=50).map(Some)), "{seqs:?}");
    drop(owner);
    server.judge();
}

/// A token of the user who is there: made by a second login.
fn token(owner: &mut Peer) -> String {
    let login = json!({"type": "login", "username": "owner", "password": "correct horse"});
    owner.ok(login)["token"].as_str().expect("a token").to_owned()
}
