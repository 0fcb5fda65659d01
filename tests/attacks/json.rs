//! JSON that is none, that means two things, or that asks for what cannot be (RFC 8259).
//!
//! What a user sends is sent by a user: every run shows a token first.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::peer::{Peer, UPGRADE, after_upgrade, close, frames, objects, pour, text};
use crate::server::Server;
use crate::siege::Attack;
use crate::sniffing::no_json;

const PING: &str = "{\"type\":\"ping\"}";
const PINGS: &str = "stentor_requests_total{verb=\"ping\"}";

/// A server on which one user may have any number of connections and requests.
fn lavish() -> Server {
    Server::start_secure(&["limits.connections_per_user=none", "limits.requests_per_second=none"])
}

/// The request that shows a token of a new user.
fn token(server: &Server) -> String {
    let mut user = Peer::lines(&server.address);
    let request = json!({"type": "register", "username": "user", "password": "correct horse"});
    json!({"type": "auth", "token": user.ok(request)["token"]}).to_string()
}

/// A user sends one text and a ping behind it, by either door: what is said to the text, and then
/// the ping is answered.
fn sent(auth: &str, sent: &str, expect: impl Fn(&Value) + Clone + 'static) -> [Attack; 2] {
    let judge = move |said: &[Value]| {
        assert_eq!(said.len(), 4, "hello, whoever it is, the reply, the ping: {said:?}");
        assert_eq!(said[3]["type"], "ping");
        expect(&said[2]);
    };
    let (on_lines, in_frames) = (judge.clone(), judge);
    let lines = Attack::new(format!("{sent}\n{PING}\n"), move |said| on_lines(&objects(said)))
        .after(format!("{auth}\n"))
        .ending();
    let bytes = [text(sent), text(PING), close(1000)].concat();
    let frames = Attack::new(bytes, move |said| {
        let said = frames(after_upgrade(said)).into_iter().filter(|(first, _)| *first == 0x81);
        let said = said.map(|(_, text)| serde_json::from_slice(&text).expect("JSON"));
        in_frames(&said.collect::<Vec<_>>());
    });
    let frames = frames.after([UPGRADE.as_bytes(), &text(auth)].concat());
    [lines, frames]
        .map(|attack| attack.counted("stentor_requests_total{verb=\"auth\"}", 1).counted(PINGS, 1))
}

/// Texts that are no JSON of ours.
fn not_json(auth: &str, texts: &[&str]) -> Vec<Attack> {
    let attacks = texts.iter().flat_map(|text| {
        sent(auth, text, |reply| assert_eq!(reply["code"], "bad_json", "{reply}"))
    });
    attacks.map(|attack| no_json(attack, 1)).collect()
}

/// Texts that are refused with this code. What does not decode is counted as no verb.
fn refused(auth: &str, code: &'static str, texts: &[(&str, &str)]) -> Vec<Attack> {
    let attacks = texts.iter().flat_map(|(verb, text)| {
        let attacks = sent(auth, text, move |reply| assert_eq!(reply["code"], code, "{reply}"));
        attacks.map(|attack| {
            // Chat messages are sent by the bystanders too.
            let times = u64::from(*verb != "message");
            attack
                .counted(&format!("stentor_requests_total{{verb=\"{verb}\"}}"), times)
                .counted(&format!("stentor_errors_total{{code=\"{code}\"}}"), 1)
        })
    });
    attacks.collect()
}

fn publish(payload: &str) -> String {
    format!("{{\"type\":\"publish\",\"channel\":\"public:x\",\"payload\":{payload}}}")
}

/// Octets that are no UTF-8, lone surrogates, control characters, almost JSON: `bad_json` each.
#[test]
fn ln_04_text_that_is_no_text() {
    let server = Server::start_secure(&[]);
    let lines = [
        &b"{\"type\":\"ping\",\"x\":\"\xff\"}"[..],
        b"{\"type\":\"ping\",\"x\":\"\xed\xa0\x80\"}",
        b"{\"type\":\"ping\",\"x\":\"\\ud800\"}",
        b"{\"type\":\"ping\",\"x\":\"\\udc00\\ud800\"}",
        b"{\"type\":\"ping\",\"x\":\"\\ud800\\u0041\"}",
        b"{\"type\":\"ping\",\"x\":\"\\u12g4\"}",
        b"{\"type\":\"ping\",\"x\":\"\\x41\"}",
        b"{\"type\":\"ping\",\"x\":\"a\0b\"}",
        b"{\"type\":\"ping\",\"x\":\"a\tb\"}",
        b"{\"type\":\"ping\"}\0",
        b"\xef\xbb\xbf{}",
        b"{\"type\":\"ping\"} {\"type\":\"ping\"}",
        b"{\"type\":\"ping\"} // no",
        b"{'type':'ping'}",
        b"{type:\"ping\"}",
        b"{\"type\":\"ping\",}",
        b"{\"type\" \"ping\"}",
        b"[{\"type\":\"ping\"}]",
        b"\"ping\"",
        b"{\"type\":\"ping\",\"x\":NaN}",
        b"{\"type\":\"ping\",\"x\":tru}",
        b"{\"type\":",
        b"{\"type\":\"ping\",\"x\":01}",
        b"{\"type\":\"ping\",\"x\":+1}",
        b"{\"type\":\"ping\",\"x\":1.}",
        b"{\"type\":\"ping\",\"x\":.5}",
        b"{\"type\":\"ping\",\"x\":-}",
        b"{\"type\":\"ping\",\"x\":1e}",
        b"{\"type\":\"ping\"}}",
    ];
    server.endures(&lines.map(|line| {
        let attack = Attack::new([line, b"\nping\n"].concat(), |said| {
            let said = objects(said);
            let codes = (said.len(), &said[1]["code"], &said[2]["status"]);
            assert_eq!(codes, (3, &json!("bad_json"), &json!("ok")));
        });
        no_json(attack.ending().counted(PINGS, 1), 1)
    }));
    server.judge();
}

/// Values sixteen deep and more, up to sixty thousand: `bad_json`; fifteen deep: read.
#[test]
fn ln_05_depth_has_an_end() {
    let server = lavish();
    let auth = token(&server);
    let deep = |n: usize| publish(&format!("{}{}", "[".repeat(n), "]".repeat(n)));
    let named = |n: usize| publish(&format!("{}1{}", "{\"a\":".repeat(n), "}".repeat(n)));
    let open = publish(&"[".repeat(60_000));
    let texts = [deep(16), named(16), deep(128), open, deep(30_000), named(10_000)];
    server.endures(&not_json(&auth, &texts.each_ref().map(String::as_str)));
    let most = format!("{{\"type\":\"ping\",\"x\":{}{}}}", "[".repeat(15), "]".repeat(15));
    let read = sent(&auth, &most, |reply| assert_eq!(reply["status"], "ok", "{reply}"));
    server.endures(&read.map(|attack| attack.counted(PINGS, 1)));
    server.judge();
}

/// A key twice in one object, however it is written and however deep: `bad_json`.
#[test]
fn ln_06_keys_said_twice() {
    let server = lavish();
    let auth = token(&server);
    let nested = publish("{\"a\":{\"k\":1,\"\\u006b\":2}}");
    let texts = [
        "{\"type\":\"ping\",\"type\":\"whoami\"}",
        "{\"type\":\"message\",\"to\":\"a\",\"to\":\"b\",\"content\":\"x\"}",
        "{\"type\":\"ping\",\"x\":1,\"\\u0078\":2}",
        "{\"type\":\"ping\",\"x\":{\"a\":[{\"b\":1,\"b\":1}]}}",
        &nested,
    ];
    server.endures(&not_json(&auth, &texts));
    server.judge();
}

/// Numbers beyond all bounds, of sixty thousand digits: `bad_json`.
#[test]
fn ln_07_numbers_that_are_none() {
    let server = lavish();
    let auth = token(&server);
    let digits = format!("{{\"type\":\"ping\",\"x\":{}}}", "9".repeat(60_000));
    let texts = ["{\"type\":\"ping\",\"x\":1e400}", "{\"type\":\"ping\",\"x\":-1e999}", &digits];
    server.endures(&not_json(&auth, &texts));
    server.judge();
}

/// A request's id comes back as it was sent, a number too large for a float too; no others do.
#[test]
fn ln_07_numbers_that_are_kept() {
    let server = lavish();
    let auth = token(&server);
    let asked = |id: &str| format!("{{\"type\":\"ping\",\"request_id\":{id}}}");
    let kept = ["0", "-5", "9007199254740993", "\"0\"", "\"\\u0041\\n\""];
    let kept = kept.map(|id| {
        let wanted: Value = serde_json::from_str(id).expect("JSON");
        sent(&auth, &asked(id), move |reply| assert_eq!(reply["request_id"], wanted))
    });
    let kept = kept.into_iter().flatten().map(|attack| attack.counted(PINGS, 1));
    server.endures(&kept.collect::<Vec<_>>());
    let none = ["1.5", "1e3", "[]", "true", "{}"].map(asked);
    let none = none.each_ref().map(|text| ("other", text.as_str()));
    server.endures(&refused(&auth, "bad_request", &none));
    let mut user = Peer::lines(&server.address);
    user.register("kept");
    user.ok(json!({"type": "subscribe", "channel": "public:n"}));
    let exact = publish("[12345678901234567890]").replace("public:x", "public:n");
    pour(&mut user.stream, format!("{exact}\n").as_bytes());
    user.next().expect("the reply");
    assert_eq!(user.event("publication")["payload"].to_string(), "[12345678901234567890]");
    drop(user);
    server.judge();
}

/// Pages of less than nothing or of a billion: `bad_request`, or as many as there may be.
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

/// Fields of another type than theirs, or missing: `bad_request`, and the connection stays.
#[test]
fn ln_09_wrong_types_are_told_by_field() {
    let server = lavish();
    let texts = [
        ("other", "{}"),
        ("other", "{\"type\":null}"),
        ("other", "{\"type\":5}"),
        ("other", "{\"type\":[\"ping\"]}"),
        ("other", "{\"Type\":\"ping\"}"),
        ("message", "{\"type\":\"message\",\"to\":null,\"content\":\"x\"}"),
        ("other", "{\"type\":\"message\",\"to\":\"a\",\"content\":{}}"),
        ("other", "{\"type\":\"create_group\",\"group_name\":\"g\",\"member_ids\":{}}"),
        ("other", "{\"type\":\"create_group\",\"group_name\":\"g\",\"member_ids\":[null]}"),
        ("other", "{\"type\":\"create_room\",\"name\":\"r\",\"visibility\":true}"),
        ("other", "{\"type\":\"typing\",\"chat_id\":\"x\",\"active\":\"yes\"}"),
        ("other", "{\"type\":\"publish\",\"channel\":\"public:x\"}"),
        ("other", "{\"type\":\"mark_read\",\"chat_id\":\"x\",\"seq\":\"1\"}"),
        ("get_messages", "{\"type\":\"get_messages\",\"chat_id\":\"__proto__\"}"),
    ];
    server.endures(&refused(&token(&server), "bad_request", &texts));
    server.judge();
}

/// Verbs that are the names of other things: `unknown_type`, and the connection stays.
#[test]
fn ln_09_verbs_that_are_none() {
    let server = lavish();
    let texts = [
        "{\"type\":\"\"}",
        "{\"type\":\"toString\"}",
        "{\"type\":\"__proto__\"}",
        "{\"type\":\"PING\"}",
        "{\"type\":\"hello\"}",
        "{\"type\":\"ping\\u0000\"}",
    ];
    server.endures(&refused(&token(&server), "unknown_type", &texts.map(|text| ("other", text))));
    server.judge();
}

/// Channels that are empty, patterns, paths or too long: `bad_request`.
#[test]
fn ln_10_channels_that_are_no_names() {
    let server = lavish();
    let long = "c".repeat(129);
    let channels =
        ["", "public:a*", "public:>", "public:a/b", "public:\\n", "public:é", "public:\\u202ea"];
    let channels = channels.into_iter().chain([long.as_str()]);
    let texts: Vec<_> = channels
        .map(|channel| format!("{{\"type\":\"subscribe\",\"channel\":\"{channel}\"}}"))
        .collect();
    let texts: Vec<_> = texts.iter().map(|text| ("subscribe", text.as_str())).collect();
    server.endures(&refused(&token(&server), "bad_request", &texts));
    server.judge();
}

/// Names with blanks, marks or another script, and twins of a name: `bad_request`, `conflict`.
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
    for channel in ["room:1", "user:", "stentor:events", "elsewhere:x", "public:*", "user:*"] {
        let request = json!({"type": "subscribe", "channel": channel});
        assert!(["forbidden", "bad_request"].contains(&stranger.code(request).as_str()));
    }
    drop(stranger);
    server.judge();
}

/// Sixty thousand keys in one object: read in time that grows with its bytes.
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
