//! System 003 of SPEC §1: a chat on raw TCP lines and on WebSocket, one port, the same verbs.
//!
//! The clients are `nc`, a plain `TcpStream`, and tungstenite. Limit: without `nc` its part is left out,
//! and the test says so.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tungstenite::Message;

use crate::doors::Client;
use crate::server::{Folder, Server};
use crate::tools::left_out;

fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a deadline");
    stream
}

/// What the server says to these bytes, until it closes.
fn answer(address: &str, bytes: &[u8], half_close: bool) -> String {
    let mut stream = connect(address);
    stream.write_all(bytes).expect("sent");
    if half_close {
        stream.shutdown(Shutdown::Write).expect("half closed");
    }
    let mut said = Vec::new();
    stream.read_to_end(&mut said).expect("an end");
    String::from_utf8(said).expect("text")
}

fn objects(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("an object")).collect()
}

/// The names of a reply's members, which are all that SPEC §3 has.
fn shape(reply: &Value) -> BTreeSet<&str> {
    reply.as_object().expect("an object").keys().map(String::as_str).collect()
}

/// Asks with an id; the reply has it, and the shape of a reply.
fn ask(client: &mut Client, mut request: Value) -> Value {
    request["request_id"] = json!("003");
    let reply = client.ask(&request).expect("a reply");
    assert_eq!(reply["request_id"], "003");
    let ok = BTreeSet::from(["type", "status", "request_id", "data"]);
    let error = BTreeSet::from(["type", "status", "request_id", "code", "message", "retryable"]);
    let optional = BTreeSet::from(["field", "hint", "retry_after_ms"]);
    match reply["status"].as_str() {
        Some("ok") => assert_eq!(shape(&reply), ok, "{reply}"),
        Some("error") => {
            let shape: BTreeSet<&str> = shape(&reply).difference(&optional).copied().collect();
            assert_eq!(shape, error, "{reply}");
        }
        other => panic!("{other:?}: {reply}"),
    }
    reply
}

fn ok(client: &mut Client, request: Value) -> Value {
    let mut reply = ask(client, request);
    assert_eq!(reply["status"], "ok", "{reply}");
    reply["data"].take()
}

fn refused(client: &mut Client, code: &str, request: Value) {
    let reply = ask(client, request);
    assert_eq!(reply["code"], code, "{reply}");
}

/// Every verb of the old server, from this door; `other` listens at the other one.
fn verbs(address: &str, web: bool) {
    let (me, you) = (format!("me{web}"), format!("you{web}"));
    let password = "a long password";
    let mut client = Client::new(address, web);
    refused(&mut client, "not_authenticated", json!({"type": "get_user_chats"}));
    let register = json!({"type": "register", "username": me, "password": password});
    let account = ok(&mut client, register.clone());
    let mut second = Client::new(address, web);
    refused(&mut second, "conflict", register);
    let wrong = json!({"type": "login", "username": me, "password": "another password"});
    refused(&mut second, "invalid_credentials", wrong);
    let login = json!({"type": "login", "username": me, "password": password});
    let login = ok(&mut second, login);
    assert_eq!(login["user"], account["user"]);
    let mut third = Client::new(address, web);
    let auth = ok(&mut third, json!({"type": "auth", "token": login["token"]}));
    assert_eq!(auth["session_id"], login["session_id"]);
    assert_eq!(ok(&mut third, json!({"type": "logout"})), json!({}));
    refused(&mut third, "not_authenticated", json!({"type": "whoami"}));
    refused(&mut third, "token_revoked", json!({"type": "auth", "token": login["token"]}));

    let (mut other, them) = Client::register(address, !web, &you);
    let found = ok(&mut client, json!({"type": "search_users", "query": you}));
    let user = json!({"id": them["user"]["id"], "username": you, "display_name": you,
                      "online": true});
    assert_eq!(found, json!({"users": [user]}));
    let dm = json!({"type": "create_dm", "other_user_id": them["user"]["id"]});
    let dm = [ok(&mut client, dm.clone()), ok(&mut client, dm)];
    assert_eq!(dm[0], dm[1], "the same every time");
    assert_eq!(dm[0]["chat"]["kind"], "dm");
    let group = json!({"type": "create_group", "group_name": "crew",
                       "member_ids": [them["user"]["id"]]});
    let group = ok(&mut client, group)["chat"].take();
    let pushed = other.object().expect("an event");
    assert_eq!(pushed["type"], "group:created");
    assert_eq!(pushed["channel"], format!("room:{}", group["id"].as_str().expect("an id")));
    for member in ["id", "kind", "name", "visibility", "members", "metadata", "created_at"] {
        assert_eq!(pushed["payload"][member], group[member], "{member}");
    }
    let sent: Vec<Value> = (1..=3)
        .map(|seq| {
            let message = json!({"type": "message", "chat_id": group["id"], "content": "hello"});
            let message = ok(&mut client, message)["message"].take();
            assert_eq!(message["seq"], seq);
            let event = other.object().expect("an event");
            assert_eq!((&event["type"], &event["payload"]), (&json!("message"), &message));
            assert_eq!(event["sender"], message["sender"]);
            message
        })
        .collect();
    let page = json!({"type": "get_messages", "chat_id": group["id"], "limit": 2});
    let page = ok(&mut other, page);
    assert_eq!(page, json!({"messages": sent[1..], "has_more": true}));
    let chats = ok(&mut other, json!({"type": "get_user_chats"}));
    let chats = chats["chats"].as_array().expect("a list");
    assert_eq!(chats.len(), 2);
    let crew = chats.iter().find(|chat| chat["id"] == group["id"]).expect("the group");
    assert_eq!((&crew["unread"], &crew["last_message"]), (&json!(3), &sent[2]));
    refused(
        &mut client,
        "not_found",
        json!({"type": "message", "chat_id": them["user"]["id"], "content": "x"}),
    );
    refused(&mut client, "unknown_type", json!({"type": "get_user_chat"}));
    refused(&mut client, "bad_request", json!({"type": "message", "content": "to nobody"}));
}

#[test]
fn both_doors_have_the_same_verbs() {
    for loops in ["1", "3"] {
        let folder = Folder::new(&format!("003-verbs-{loops}"));
        let server = Server::start(&folder, &["--data", "kept", "--loops", loops]);
        verbs(&server.address, false);
        verbs(&server.address, true);
    }
}

#[test]
fn the_first_bytes_decide_and_decide_once() {
    let folder = Folder::new("003-sniff");
    let server = Server::start(&folder, &["--ephemeral"]);
    let address = server.address.as_str();
    let page =
        answer(address, b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", false);
    assert!(page.starts_with("HTTP/1.1 200 "), "{page}");
    // Lines of JSON, with either end; a last one without an end is a line too.
    let said = answer(
        address,
        b"{\"type\":\"ping\",\"request_id\":1}\r\n\n{\"type\":\"ping\",\"request_id\":2}",
        true,
    );
    let said = objects(&said);
    assert_eq!(said[0]["type"], "hello");
    let pong = |id| json!({"type": "ping", "status": "ok", "request_id": id, "data": {}});
    assert_eq!(said[1..], [pong(1), pong(2)], "and no goodbye after a half-close");
    // A request of HTTP in the middle of lines, or a header of one, is somebody's trick.
    for trick in ["GET / HTTP/1.1\r\n", "POST /api/ping HTTP/1.1\r\n", "Host: evil.example\r\n"] {
        let said = answer(address, format!("ping\n{trick}ping\n").as_bytes(), true);
        let said = objects(&said);
        assert_eq!(said[1], json!({"type": "ping", "status": "ok", "data": {}}));
        let bye = said.last().expect("a word");
        assert_eq!(
            (&bye["type"], &bye["payload"]["code"]),
            (&json!("bye"), &json!(1008)),
            "{trick}"
        );
        assert_eq!(said.len(), 3, "{said:?}");
    }
    // TLS, where there is no certificate: not a word.
    assert_eq!(answer(address, b"\x16\x03\x01\x00\x05hello", false), "");
    // Whoever waits for the other to speak first is left alone: browsers do that.
    let mut silent = connect(address);
    silent.set_read_timeout(Some(Duration::from_millis(300))).expect("a deadline");
    let error = silent.read(&mut [0; 16]).expect_err("nothing before the first byte");
    assert!(matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut));
    silent.write_all(b"ping\nquit\n").expect("sent");
    silent.set_read_timeout(Some(Duration::from_secs(30))).expect("a deadline");
    let mut said = String::new();
    silent.read_to_string(&mut said).expect("an end");
    let said = objects(&said);
    let types: Vec<&str> = said.iter().filter_map(|one| one["type"].as_str()).collect();
    assert_eq!(types, ["hello", "ping", "quit", "bye"]);
    assert_eq!(said[3]["payload"]["code"], 1000);
}

#[test]
fn a_person_with_nc_is_in_the_room() {
    let folder = Folder::new("003-nc");
    let server = Server::start(&folder, &["--data", "kept"]);
    let (mut web, _) = Client::register(&server.address, true, "web");
    let (host, port) = server.address.split_once(':').expect("an address");
    let spawned =
        Command::new("nc").args([host, port]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let Ok(mut nc) = spawned else { return left_out("a person on lines", "nc is not installed") };
    let mut keyboard = nc.stdin.take().expect("a pipe");
    let mut screen = BufReader::new(nc.stdout.take().expect("a pipe")).lines();
    let mut next = || -> Value {
        let line = screen.next().expect("a line").expect("text");
        serde_json::from_str(&line).expect("an object")
    };
    keyboard.write_all(b"Help Message\n").expect("typed");
    assert_eq!(next()["type"], "hello");
    assert_eq!(next()["data"]["verb"]["type"], "message");
    let register =
        b"{\"type\":\"register\",\"username\":\"nan\",\"password\":\"correct horse\"}\r\n";
    keyboard.write_all(register).expect("typed");
    assert_eq!(next()["data"]["user"]["username"], "nan");
    let sent = web.ok(&json!({"type": "message", "to": "nan", "content": "are you there?"}));
    let heard = next();
    assert_eq!(heard["payload"], sent["message"]);
    let reply = json!({"type": "message", "to": "WEB", "content": "on a plain\tterminal"});
    keyboard.write_all(format!("{reply}\n").as_bytes()).expect("typed");
    let reply = next();
    assert_eq!(reply["data"]["message"]["seq"], 2);
    assert_eq!(web.object().expect("an event")["payload"], reply["data"]["message"]);
    keyboard.write_all(b"what now\nQUIT\n").expect("typed");
    let hint = next();
    assert_eq!((&hint["type"], &hint["code"]), (&json!("error"), &json!("bad_json")));
    assert!(hint["hint"].as_str().is_some_and(|hint| hint.contains("help")), "{hint}");
    assert_eq!(next()["type"], "quit");
    assert_eq!(next()["payload"]["code"], 1000);
    drop(keyboard);
    assert!(nc.wait().expect("it ends").success());
}

#[test]
fn pings_are_answered_and_lines_are_pinged() {
    let folder = Folder::new("003-ping");
    let server = Server::start(&folder, &["--ephemeral", "--set", "limits.heartbeat_ms=100"]);
    let url = format!("ws://{}/ws", server.address);
    let (mut web, _) = tungstenite::client(url, connect(&server.address)).expect("an upgrade");
    web.send(Message::Ping("are you there".into())).expect("sent");
    // The server's own pings come between.
    loop {
        match web.read().expect("a message") {
            Message::Pong(payload) => break assert_eq!(payload, "are you there"),
            Message::Ping(_) | Message::Text(_) => {}
            other => panic!("{other:?}"),
        }
    }
    let mut lines = Client::new(&server.address, false);
    for _ in 0..3 {
        let ping = lines.object().expect("an event");
        assert_eq!((&ping["type"], &ping["payload"]), (&json!("ping"), &json!({})));
        assert!(ping["timestamp"].is_string() && ping.get("status").is_none());
    }
    // A person may stay silent; the verb is answered all the same.
    assert_eq!(lines.ok(&json!({"type": "ping"})), json!({}));
}

#[test]
fn a_drain_says_when_to_come_back_and_loses_nothing() {
    let folder = Folder::new("003-drain");
    let options = ["--data", "kept", "--loops", "2", "--set", "limits.drain_ms=0"];
    let mut server = Server::start(&folder, &options);
    let (mut lines, account) = Client::register(&server.address, false, "ana");
    let (mut web, _) = Client::register(&server.address, true, "bob");
    let sent = lines.ok(&json!({"type": "message", "to": "bob", "content": "kept"}));
    assert_eq!(web.object().expect("an event")["payload"], sent["message"]);
    server.terminate();
    let bye = lines.object().expect("a last word");
    assert_eq!((&bye["type"], &bye["payload"]["code"]), (&json!("bye"), &json!(4200)));
    assert!(bye["payload"]["retry_ms"].is_u64() && bye["payload"]["reason"].is_string(), "{bye}");
    assert!(lines.object().is_none(), "nothing follows");
    let Client::Web(socket) = &mut web else { panic!("a WebSocket") };
    match socket.read().expect("a Close frame") {
        Message::Close(Some(frame)) => assert_eq!(u16::from(frame.code), 4200),
        other => panic!("{other:?}"),
    }
    drop(web);
    assert!(server.wait().success(), "a drain is a success");
    let server = Server::start(&folder, &options);
    let mut again = Client::new(&server.address, true);
    again.ok(&json!({"type": "auth", "token": account["token"]}));
    let chat = &sent["message"]["chat_id"];
    let page = again.ok(&json!({"type": "get_messages", "chat_id": chat}));
    assert_eq!(page["messages"], json!([sent["message"]]));
}

#[test]
fn what_happens_at_each_door_is_counted_by_kind() {
    let folder = Folder::new("003-metrics");
    let server = Server::start(&folder, &["--ephemeral", "--loops", "2"]);
    let (mut lines, _) = Client::register(&server.address, false, "ana");
    let (mut web, _) = Client::register(&server.address, true, "bob");
    for client in [&mut lines, &mut web] {
        for _ in 0..5 {
            client.ok(&json!({"type": "ping"}));
        }
        refused(client, "not_found", json!({"type": "message", "to": "nobody", "content": "x"}));
    }
    refused(&mut lines, "unknown_type", json!({"type": "gossip"}));
    let request = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let page = answer(&server.address, request, false);
    let number = |name: &str| -> f64 {
        let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name}")).parse().expect("a number")
    };
    for (name, wanted) in [
        ("stentor_connections_opened_total{door=\"lines\"}", 1.0),
        ("stentor_connections_opened_total{door=\"websocket\"}", 1.0),
        // One to register, five, and the bad ones; on lines the empty one that asks for a greeting.
        ("stentor_messages_received_total{door=\"lines\"}", 9.0),
        ("stentor_messages_received_total{door=\"websocket\"}", 7.0),
        ("stentor_messages_sent_total{door=\"lines\"}", 9.0),
        ("stentor_messages_sent_total{door=\"websocket\"}", 8.0),
        ("stentor_requests_total{verb=\"ping\"}", 10.0),
        ("stentor_errors_total{code=\"not_found\"}", 2.0),
        ("stentor_errors_total{code=\"unknown_type\"}", 1.0),
        ("stentor_authenticated_connections", 2.0),
        // The page itself came by a third.
        ("stentor_connections", 3.0),
    ] {
        assert_eq!(number(name), wanted, "{name}");
    }
}
