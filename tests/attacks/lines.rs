//! Lines that do not end, JSON that means two things, and requests that ask for too much.

use std::io::Write;
use std::net::Shutdown;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::peer::{Peer, answer, connect, each_way, objects, pour, rest};
use crate::server::Server;

/// The last two objects of an answer.
fn last_two(said: &[u8]) -> (Value, Value) {
    let mut said = objects(said);
    let bye = said.pop().expect("a last object");
    (said.pop().expect("one before it"), bye)
}

/// Each text gets this code from a user, on either door, and the connection stays.
fn refused(server: &Server, user: &str, code: &str, texts: &[&str]) {
    let mut lines = Peer::lines(&server.address);
    lines.register(user);
    let mut frames = Peer::websocket(&server.address);
    let login = json!({"type": "login", "username": user, "password": "correct horse"});
    frames.ok(login);
    for text in texts {
        pour(&mut lines.stream, format!("{text}\n").as_bytes());
        pour(&mut frames.stream, &crate::peer::text(text));
        for peer in [&mut lines, &mut frames] {
            let reply = peer.next().expect("a reply");
            assert_eq!(reply["code"], code, "{text}: {reply}");
            peer.ok(json!({"type": "ping"}));
        }
    }
}

#[test]
fn ln_01_a_line_without_end_is_cut_at_its_limit() {
    let server = Server::start(&[]);
    let memory = server.memory();
    for length in [16_385, 1 << 20, 16 << 20] {
        let (error, bye) = last_two(&answer(&server.address, &vec![b'a'; length], false));
        assert_eq!((&error["code"], &bye["payload"]["code"]), (&"too_large".into(), &1009.into()));
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
    let (error, bye) = last_two(&rest(&mut user.stream));
    assert_eq!((&error["code"], &bye["payload"]["code"]), (&"too_large".into(), &1009.into()));
    assert!(server.memory() < memory + 16 * 1024, "{} KiB", server.memory());
    drop(user);
    server.judge();
}

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

#[test]
fn ln_04_text_that_is_no_text() {
    let server = Server::start(&[]);
    for line in [
        &b"{\"type\":\"ping\",\"x\":\"\xff\"}"[..],
        b"{\"type\":\"ping\",\"x\":\"\xed\xa0\x80\"}",
        b"{\"type\":\"ping\",\"x\":\"\\ud800\"}",
        b"{\"type\":\"ping\",\"x\":\"\\udc00\\ud800\"}",
        b"{\"type\":\"ping\",\"x\":\"a\0b\"}",
        b"{\"type\":\"ping\"}\0",
        b"\xef\xbb\xbf{}",
        b"{\"type\":\"ping\"} {\"type\":\"ping\"}",
        b"{'type':'ping'}",
        b"{\"type\":\"ping\",}",
        b"[{\"type\":\"ping\"}]",
        b"\"ping\"",
        b"{\"type\":\"ping\",\"x\":NaN}",
        b"{\"type\":",
        b"{\"type\":\"ping\",\"x\":01}",
        b"{\"type\":\"ping\",\"x\":+1}",
        b"{\"type\":\"ping\"}}",
    ] {
        each_way(&server.address, &[line, b"\nping\n"].concat(), true, |said| {
            let said = objects(said);
            assert_eq!(said.len(), 3, "{}: {said:?}", line.escape_ascii());
            assert_eq!(said[1]["code"], "bad_json", "{}", line.escape_ascii());
            assert_eq!(said[2]["status"], "ok", "{said:?}");
        });
    }
    server.judge();
}

#[test]
fn ln_05_and_06_depth_and_keys_said_twice() {
    let server = Server::start(&[]);
    let publish = |payload: &str| {
        format!("{{\"type\":\"publish\",\"channel\":\"public:x\",\"payload\":{payload}}}")
    };
    let deep = |n: usize| publish(&format!("{}{}", "[".repeat(n), "]".repeat(n)));
    let objects = |n: usize| publish(&format!("{}1{}", "{\"a\":".repeat(n), "}".repeat(n)));
    let open = publish(&"[".repeat(60_000));
    let (closed, named) = (deep(30_000), objects(10_000));
    refused(&server, "deep", "bad_json", &[&deep(16), &objects(16), &open, &closed, &named]);
    let twice = [
        "{\"type\":\"ping\",\"type\":\"whoami\"}",
        "{\"type\":\"message\",\"to\":\"a\",\"to\":\"b\",\"content\":\"x\"}",
        "{\"type\":\"ping\",\"x\":1,\"\\u0078\":2}",
        "{\"type\":\"ping\",\"x\":{\"a\":[{\"b\":1,\"b\":1}]}}",
        &publish("{\"a\":{\"k\":1,\"\\u006b\":2}}"),
    ];
    refused(&server, "twice", "bad_json", &twice);
    let mut user = Peer::lines(&server.address);
    user.register("shallow");
    pour(&mut user.stream, format!("{}\n", deep(15)).as_bytes());
    assert_eq!(user.next().expect("a greeting or reply")["status"], "ok");
    drop(user);
    server.judge();
}

#[test]
fn ln_07_numbers_that_are_none_and_numbers_that_are_kept() {
    let server = Server::start(&[]);
    let digits = format!("{{\"type\":\"ping\",\"x\":{}}}", "9".repeat(60_000));
    let texts = ["{\"type\":\"ping\",\"x\":1e400}", "{\"type\":\"ping\",\"x\":-1e999}", &digits];
    refused(&server, "numbers", "bad_json", &texts);
    let mut user = Peer::lines(&server.address);
    user.register("kept");
    for id in ["0", "-5", "9007199254740993", "\"0\"", "\"\\u0041\\n\""] {
        pour(&mut user.stream, format!("{{\"type\":\"ping\",\"request_id\":{id}}}\n").as_bytes());
        let reply = user.next().expect("a reply");
        assert_eq!(reply["request_id"], serde_json::from_str::<Value>(id).expect("JSON"));
    }
    for id in ["1.5", "1e3", "null", "[]", "true", "{}"] {
        pour(&mut user.stream, format!("{{\"type\":\"ping\",\"request_id\":{id}}}\n").as_bytes());
        let reply = user.next().expect("a reply");
        let refused = reply["code"] == "bad_request" && reply["field"] == "request_id";
        assert!(refused || id == "null", "{id}: {reply}");
    }
    let payload = json!({"type": "publish", "channel": "public:n", "payload": 0});
    user.ok(json!({"type": "subscribe", "channel": "public:n"}));
    let exact = payload.to_string().replace("\"payload\":0", "\"payload\":[12345678901234567890]");
    pour(&mut user.stream, format!("{exact}\n").as_bytes());
    user.next().expect("the reply");
    assert_eq!(user.event("publication")["payload"].to_string(), "[12345678901234567890]");
    drop(user);
    server.judge();
}

#[test]
fn ln_08_pages_that_nobody_can_serve() {
    let server = Server::start(&[]);
    let mut user = Peer::lines(&server.address);
    user.register("pages");
    let group = json!({"type": "create_group", "group_name": "g", "member_ids": []});
    let chat = user.ok(group)["chat"]["id"].clone();
    for n in 0..3 {
        user.ok(json!({"type": "message", "chat_id": chat, "content": n.to_string()}));
    }
    let page = |extra: Value| {
        let mut request = json!({"type": "get_messages", "chat_id": chat});
        request.as_object_mut().expect("an object").extend(extra.as_object().expect("one").clone());
        request
    };
    for extra in [
        json!({"limit": -1}),
        json!({"limit": 1.5}),
        json!({"limit": "5"}),
        json!({"limit": 1e30}),
        json!({"before_seq": -1}),
        json!({"after_seq": u64::MAX}),
        json!({"before_seq": []}),
    ] {
        assert_eq!(user.code(page(extra.clone())), "bad_request", "{extra}");
        user.ok(json!({"type": "ping"}));
    }
    let top = (1_u64 << 53) - 1;
    for (extra, seqs) in [
        (json!({"limit": 1_000_000_000}), vec![1, 2, 3]),
        (json!({"limit": 2, "before_seq": top}), vec![2, 3]),
        (json!({"after_seq": top}), vec![]),
        (json!({"before_seq": 0}), vec![]),
        (json!({"after_seq": 0, "limit": 2}), vec![1, 2]),
    ] {
        let data = user.ok(page(extra.clone()));
        let messages = data["messages"].as_array().expect("a list");
        let found: Vec<_> = messages.iter().map(|m| m["seq"].as_u64().expect("a seq")).collect();
        assert_eq!(found, seqs, "{extra}");
    }
    drop(user);
    server.judge();
}

#[test]
fn ln_09_wrong_types_are_told_by_field() {
    let server = Server::start(&[]);
    refused(
        &server,
        "types",
        "bad_request",
        &[
            "{}",
            "{\"type\":null}",
            "{\"type\":5}",
            "{\"type\":[\"ping\"]}",
            "{\"Type\":\"ping\"}",
            "{\"type\":\"message\",\"to\":null,\"content\":\"x\"}",
            "{\"type\":\"message\",\"to\":\"a\",\"content\":{}}",
            "{\"type\":\"create_group\",\"group_name\":\"g\",\"member_ids\":{}}",
            "{\"type\":\"create_group\",\"group_name\":\"g\",\"member_ids\":[null]}",
            "{\"type\":\"create_room\",\"name\":\"r\",\"visibility\":true}",
            "{\"type\":\"typing\",\"chat_id\":\"x\",\"active\":\"yes\"}",
            "{\"type\":\"publish\",\"channel\":\"public:x\"}",
            "{\"type\":\"mark_read\",\"chat_id\":\"x\",\"seq\":\"1\"}",
            "{\"type\":\"get_messages\",\"chat_id\":\"__proto__\"}",
        ],
    );
    refused(
        &server,
        "verbs",
        "unknown_type",
        &[
            "{\"type\":\"\"}",
            "{\"type\":\"toString\"}",
            "{\"type\":\"__proto__\"}",
            "{\"type\":\"PING\"}",
            "{\"type\":\"hello\"}",
            "{\"type\":\"ping\\u0000\"}",
        ],
    );
    server.judge();
}

#[test]
fn ln_10_names_that_look_like_others() {
    let server = Server::start(&[]);
    let mut stranger = Peer::websocket(&server.address);
    for name in ["", "a b", "a\n", "é", "e\u{301}", "\u{202e}nimda", "*", "a/b", "a:b", "null\u{0}"]
    {
        let request = json!({"type": "register", "username": name, "password": "correct horse"});
        let mut peer = Peer::lines(&server.address);
        assert_eq!(peer.code(request), "bad_request", "{name:?}");
    }
    stranger.register("Twin");
    for twin in ["twin", "TWIN", "tWiN"] {
        let request = json!({"type": "register", "username": twin, "password": "correct horse"});
        assert_eq!(Peer::lines(&server.address).code(request), "conflict");
    }
    let long = "c".repeat(129);
    for channel in ["", "public:*", "public:>", "public:a/b", "public:\n", "public:é", &long] {
        let request = json!({"type": "subscribe", "channel": channel});
        assert_eq!(stranger.code(request), "bad_request", "{channel:?}");
    }
    for channel in ["room:1", "user:*x"[..5].trim_end_matches('*'), "stentor:events", "elsewhere:x"]
    {
        let request = json!({"type": "subscribe", "channel": channel});
        assert!(["forbidden", "bad_request"].contains(&stranger.code(request).as_str()));
    }
    drop(stranger);
    server.judge();
}

#[test]
fn ln_11_keys_by_the_thousand_take_no_longer_than_their_bytes() {
    let server = Server::start(&["limits.message_bytes=1000000"]);
    let mut user = Peer::lines(&server.address);
    user.register("keys");
    let keys: Vec<String> = (0..60_000).map(|n| format!("\"k{n:05}\":1")).collect();
    let payload = format!("{{{}}}", keys.join(","));
    let begun = Instant::now();
    let request = format!("{{\"type\":\"ping\",\"x\":{payload}}}\n");
    pour(&mut user.stream, request.as_bytes());
    assert_eq!(user.next().expect("a reply")["status"], "ok");
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    drop(user);
    server.judge();
}

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
