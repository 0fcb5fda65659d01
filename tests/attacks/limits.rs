//! What can be used up: descriptors, connections, channels, workers, patience.

use std::process::Command;
use std::time::Duration;

use serde_json::json;

use crate::peer::{
    Peer, UPGRADE, after_upgrade, answer, connect, frames, http_get, objects, pour, rest, status,
    text,
};
use crate::server::{Server, spawn};

/// More clients than descriptors: the server waits, and accepts again by itself.
#[test]
fn rx_01_without_descriptors_it_waits_and_goes_on_by_itself() {
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -Hn 64; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_stentor")]);
    let server = Server::start_by(shell, &[]);
    for _ in 0..3 {
        let crowd: Vec<_> = (0..200).map(|_| connect(&server.address)).collect();
        for mut stream in crowd {
            pour(&mut stream, b"ping\n");
            drop(stream);
        }
        assert_eq!(http_get(&server.address, "/healthz").0, 200, "it accepts again");
    }
    server.judge();
}

/// More clients than places: each is told so in its own protocol, and a free place is given.
#[test]
fn rx_03_a_full_house_says_so_on_every_door_and_has_room_again() {
    let server = Server::start(&["limits.connections=6"]);
    let mut guests: Vec<_> = (0..4).map(|_| Peer::lines(&server.address)).collect();
    for guest in &mut guests {
        guest.ok(json!({"type": "ping"}));
    }
    let said = objects(&answer(&server.address, b"ping\n", false));
    assert_eq!(said.last().expect("a last word")["payload"]["code"], 4100, "{said:?}");
    for request in [UPGRADE, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"] {
        let said = answer(&server.address, request.as_bytes(), false);
        let text = String::from_utf8_lossy(&said);
        assert!(status(&said) == 503 && text.contains("Retry-After: "), "{text}");
    }
    guests.pop();
    // The server sees the end of that one when it sees it.
    let again = (0..1000).any(|_| {
        let said = objects(&answer(&server.address, b"ping\n", true));
        said.iter().any(|object| object["status"] == "ok")
    });
    assert!(again, "a place that is free again is given");
    drop(guests);
    server.judge();
}

/// Three thousand who come and go: memory and descriptors as before.
#[test]
fn rx_04_thousands_who_come_and_go_leave_nothing() {
    let server = Server::start(&[]);
    let openings: [&[u8]; 5] = [b"", b"p", b"ping\n", UPGRADE.as_bytes(), b"GET / HTTP/1.1\r\n"];
    for n in 0..3000 {
        let mut stream = connect(&server.address);
        pour(&mut stream, openings[n % openings.len()]);
    }
    server.judge();
}

/// One subscription more than there may be: `conflict`; after one less, there is room.
#[test]
fn rx_06_channels_of_a_connection_are_counted() {
    let server = Server::start(&["limits.requests_per_second=none"]);
    let mut user = Peer::lines(&server.address);
    user.register("collector");
    for n in 0..128 {
        user.ok(json!({"type": "subscribe", "channel": format!("public:{n}")}));
    }
    assert_eq!(user.code(json!({"type": "subscribe", "channel": "public:one.more"})), "conflict");
    user.ok(json!({"type": "subscribe", "channel": "public:5"}));
    user.ok(json!({"type": "unsubscribe", "channel": "public:5"}));
    user.ok(json!({"type": "subscribe", "channel": "public:one.more"}));
    drop(user);
    server.judge();
}

/// A flood of logins, half of them abandoned: refused or `overloaded`, and nobody else waits.
#[test]
fn rx_07_a_flood_of_logins_waits_for_workers_and_delays_nobody() {
    let server = Server::start(&[]);
    let mut flood: Vec<_> = (0..120).map(|_| Peer::lines(&server.address)).collect();
    for (n, peer) in flood.iter_mut().enumerate() {
        let name = format!("nobody{n}");
        peer.send(&json!({"type": "login", "username": name, "password": "wrong horse"}));
    }
    // Some do not wait for the answer.
    flood.truncate(60);
    for mut peer in flood {
        let reply = loop {
            let object = peer.next().expect("an answer");
            if object.get("status").is_some() {
                break object;
            }
        };
        let code = reply["code"].as_str().expect("a code");
        assert!(["invalid_credentials", "overloaded"].contains(&code), "{reply}");
    }
    server.judge();
}

/// Passwords of a byte, of a kibibyte and of a mebibyte: refused before they are hashed.
#[test]
fn rx_08_long_passwords_are_refused_before_they_are_hashed() {
    let server = Server::start(&[]);
    let mut peer = Peer::lines(&server.address);
    for length in [0, 7, 1025, 10_000] {
        let password = "p".repeat(length);
        let request = json!({"type": "register", "username": "long", "password": password});
        let reply = peer.ask(request);
        assert_eq!((&reply["code"], &reply["field"]), (&"bad_request".into(), &"password".into()));
    }
    let request = json!({"type": "register", "username": "l", "password": "p".repeat(1 << 20)});
    let said = objects(&answer(&server.address, request.to_string().as_bytes(), false));
    assert_eq!(said[1]["code"], "too_large", "{said:?}");
    drop(peer);
    server.judge();
}

/// The 21st connection of a user: it is closed with 4003, and the others stay.
#[test]
fn rx_14_the_21st_connection_of_a_user_is_closed_and_none_else() {
    let server = Server::start(&[]);
    let mut first = Peer::lines(&server.address);
    let request = json!({"type": "register", "username": "many", "password": "correct horse"});
    let token = first.ok(request)["token"].clone();
    let auth = json!({"type": "auth", "token": token});
    let mut others: Vec<_> = (0..19).map(|_| Peer::websocket(&server.address)).collect();
    for peer in &mut others {
        peer.ok(auth.clone());
    }
    let mut one_more = Peer::lines(&server.address);
    assert_eq!(one_more.code(auth.clone()), "forbidden");
    assert_eq!(one_more.event("bye")["payload"]["code"], 4003);
    for peer in others.iter_mut().chain([&mut first]) {
        peer.ok(json!({"type": "whoami"}));
    }
    drop((first, others, one_more));
    server.judge();
}

/// More requests than a stranger may make, ten bad ones in a row: 4104, 4002.
#[test]
fn rx_15_requests_without_a_user_and_bad_ones_in_a_row_are_counted() {
    let server = Server::start(&[]);
    let said = objects(&answer(&server.address, "whoami\n".repeat(20).as_bytes(), false));
    assert_eq!(said.len(), 13, "hello, ten refusals, the eleventh, bye: {said:?}");
    assert!(said[1..11].iter().all(|reply| reply["code"] == "not_authenticated"));
    assert_eq!(said[11]["code"], "rate_limited");
    assert_eq!(said[12]["payload"]["code"], 4104);
    let free = "ping\nhelp\n{\"type\":\"heartbeat\"}\n".repeat(30);
    let said = objects(&answer(&server.address, free.as_bytes(), true));
    assert_eq!(said.iter().filter(|reply| reply["status"] == "ok").count(), 90);
    let mut user = Peer::lines(&server.address);
    user.register("clumsy");
    pour(&mut user.stream, "nope\n".repeat(9).as_bytes());
    user.ok_after_errors(9);
    pour(&mut user.stream, "nope\n".repeat(12).as_bytes());
    let said = objects(&rest(&mut user.stream));
    assert_eq!(said.len(), 11, "ten errors and bye: {said:?}");
    assert_eq!(said[10]["payload"]["code"], 4002);
    drop(user);
    server.judge();
}

/// Two connections of a user, faster than a user may be: `rate_limited`, and when to come back.
#[test]
fn rx_16_rates_are_of_the_user_and_say_when_to_come_back() {
    let server = Server::start(&[]);
    let mut one = Peer::lines(&server.address);
    let request = json!({"type": "register", "username": "fast", "password": "correct horse"});
    let token = one.ok(request)["token"].clone();
    let mut other = Peer::websocket(&server.address);
    other.ok(json!({"type": "auth", "token": token}));
    let refused = (0..200).find_map(|n| {
        let peer = if n % 2 == 0 { &mut one } else { &mut other };
        let reply = peer.ask(json!({"type": "whoami"}));
        (reply["status"] == "error").then_some((n, reply))
    });
    let (n, reply) = refused.expect("two connections are one user");
    assert!(n >= 99, "a hundred at once are allowed, not {n}");
    assert_eq!((&reply["code"], &reply["retryable"]), (&"rate_limited".into(), &true.into()));
    let wait = reply["retry_after_ms"].as_u64().expect("when to come back");
    assert!((1..=1000).contains(&wait), "{reply}");
    one.quiet(Duration::from_millis(wait + 50));
    one.ok(json!({"type": "whoami"}));
    drop((one, other));
    server.judge();
}

/// Hundreds of requests in one frame: answered in order.
#[test]
fn rx_17_hundreds_of_requests_in_one_frame_are_answered_in_order() {
    let server = Server::start(&[]);
    let requests: String =
        (0..400).map(|n| format!("{{\"type\":\"ping\",\"request_id\":{n}}} ")).collect();
    let mut bytes = UPGRADE.as_bytes().to_vec();
    bytes.extend(text(&requests));
    bytes.extend(crate::peer::close(1000));
    let said = answer(&server.address, &bytes, false);
    let replies = frames(after_upgrade(&said));
    let ids = replies.iter().filter(|(first, _)| *first == 0x81).skip(1).map(|(_, reply)| {
        serde_json::from_slice::<serde_json::Value>(reply).expect("JSON")["request_id"].as_u64()
    });
    let count = replies.len() as u64 - 2;
    assert!(count == 400 && ids.eq((0..count).map(Some)), "{count} replies");
    server.judge();
}

/// A limit of file size: the server ends in words, and what was acknowledged is there.
#[test]
fn rx_18_a_limit_of_file_size_ends_the_server_in_words_and_loses_nothing_acknowledged() {
    let data = std::env::temp_dir().join(format!("stentor-attacks-{}", std::process::id()));
    let binary = env!("CARGO_BIN_EXE_stentor");
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -f 1200; exec \"$0\" \"$@\"", binary, "--data"]).arg(&data);
    let (child, address) = spawn(shell, &[]);
    let mut user = Peer::lines(&address);
    user.register("filler");
    let group = json!({"type": "create_group", "group_name": "g", "member_ids": []});
    let chat = user.ok(group)["chat"]["id"].clone();
    let content = "x".repeat(4000);
    let message = json!({"type": "message", "chat_id": chat, "content": content});
    let acked = (0..10_000).find(|_| user.ask(message.clone())["status"] == "error");
    let acked = acked.expect("the limit is reached");
    drop(user);
    let output = child.wait_with_output().expect("it ends");
    let log = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "not by a signal: {}", output.status);
    assert!(log.contains("the store failed") && !log.contains("panicked"), "{log}");

    let mut command = Command::new(binary);
    command.arg("--data").arg(&data);
    let (mut child, address) = spawn(command, &[]);
    let mut user = Peer::lines(&address);
    user.ok(json!({"type": "login", "username": "filler", "password": "correct horse"}));
    let chats = user.ok(json!({"type": "get_user_chats"}));
    let stored = chats["chats"][0]["last_seq"].as_u64().expect("a seq");
    assert!(stored >= acked, "{acked} acknowledged, {stored} stored");
    child.kill().and_then(|()| child.wait()).expect("it ends");
    std::fs::remove_dir_all(&data).expect("removed");
}
