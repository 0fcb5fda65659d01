//! The grammar of scenes, and how one is played.
//!
//! ```text
//! # a remark
//! set connections_per_user 2         before the first connection; also namespaces.NAME.KEY VALUE
//! set loops 3                        connections go to them in turn
//! ana = lines [local]                a TCP connection from afar, or from this machine
//! bob = ws [PATH] [; Header: value]… a WebSocket
//! t = token SUB ROLE SECONDS [TEAM]… a token of ours, then known as TOKENn
//! ana > TEXT                         a line, or a text message; ⏎ is a line feed in it, ⋯9⋯ nine letters
//! ana >> TEXT                        a binary message
//! ana >>> TEXT                       the Protobuf message of this request (`binary.rs`)
//! ana |                              the client sends no more
//! ana stops | reads                  takes nothing of what is sent to it | all of it
//! ana drops                          the connection breaks
//! fail full|unavailable              of the next commit
//! pass 10s | 1500ms
//! jobs wait | once | go              none is done | those there are, once | all, as ever
//! ana < TEXT                         heard; (end) and (closed) are ends of the stream
//! ```

use std::time::Duration;

use stentor::auth::{Claims, Role, Tokens};
use stentor::base::id::{Id, UserId};
use stentor::config::Config;
use stentor::protocol::websocket::handshake::client::Request;
use stentor::store::memory::Fail;

use crate::bench::Bench;
use crate::names::Names;
use crate::parts::{self, Limits};

/// Plays a scene; gives it as it happened.
pub(crate) fn play(scene: &str) -> String {
    let mut limits = Limits::default();
    let mut config = Config::default();
    let mut loops = 1;
    for line in scene.lines().filter_map(|line| line.strip_prefix("set ")) {
        match line.strip_prefix("loops ") {
            Some(number) => loops = number.parse().expect("a number"),
            None if line.starts_with("namespaces.") => {
                config.set_pair(&line.replacen(' ', "=", 1)).expect("a key and its value");
            }
            None => set(&mut limits, line),
        }
    }
    config.finish().expect("namespaces that can be");
    limits.router.policies = config.router.policies;
    let mut bench = Bench::new(&limits, loops);
    let mut names = Names::default();
    let mut played = String::new();
    for line in scene.lines() {
        let words: Vec<&str> = line.splitn(3, ' ').collect();
        if words.get(1) == Some(&"<") {
            continue;
        }
        played.push_str(line);
        played.push('\n');
        if line.is_empty() || line.starts_with('#') || line.starts_with("set ") {
            continue;
        }
        step(&mut bench, &mut names, &words);
        for (name, text) in bench.heard() {
            played.push_str(&format!("{name} < {}\n", names.hide(&text)));
        }
    }
    played
}

fn set(limits: &mut Limits, line: &str) {
    let (key, value) = line.split_once(' ').expect("set KEY VALUE");
    let value: u32 = value.parse().expect("a number");
    match key {
        "alerts_connections" => limits.router.alerts.connections = Some(value),
        "actions_per_worker" => limits.router.calls.actions_per_worker = value,
        "in_flight_per_worker" => limits.router.calls.in_flight_per_worker = value,
        "cache_bytes" => limits.router.calls.cache_bytes = value as usize,
        "connections_per_user" => limits.guard.connections_per_user = Some(value),
        "inbox_events" => limits.router.inbox.events = value,
        "executions_per_team" => limits.router.executions_per_team = value,
        "history_page" => limits.router.history_page = value,
        "channels_per_connection" => limits.router.channels_per_connection = Some(value),
        "outbox_bytes" => limits.engine.outbox_bytes = value as usize,
        "outbox_soft_bytes" => limits.engine.outbox_soft_bytes = value as usize,
        "requests_burst" => limits.guard.requests_burst = value,
        "messages_per_minute" => limits.guard.messages_per_minute = Some(value),
        _ => panic!("{key} cannot be set in scenes"),
    }
}

fn step(bench: &mut Bench, names: &mut Names, words: &[&str]) {
    let rest = words.get(2).copied().unwrap_or_default();
    match (words[0], words.get(1).copied().unwrap_or_default()) {
        ("pass", time) => bench.pass(duration(time)),
        ("jobs", "wait") => bench.wait(true),
        ("jobs", "once") => bench.work_once(),
        ("jobs", "go") => bench.wait(false),
        ("fail", "full") => bench.store.fail_next(Fail::Full),
        ("fail", "unavailable") => bench.store.fail_next(Fail::Unavailable),
        (name, "=") => open(bench, names, name, rest),
        (name, ">") => {
            bench.say(name, long(&names.meant(rest).replace('⏎', "\n")).as_bytes(), false);
        }
        (name, ">>") => bench.say(name, rest.as_bytes(), true),
        (name, ">>>") => {
            let request = long(&names.meant(rest));
            let message = crate::binary::asked(&request).expect("the schema has this request");
            bench.say(name, &message, true);
        }
        (name, "|") => bench.finish(name),
        (name, "stops") => bench.stop(name),
        (name, "reads") => bench.read(name),
        (name, "drops") => bench.lose(name),
        (name, what) => panic!("no such step: {name} {what}"),
    }
}

/// `⋯N⋯` stands for so many letters.
fn long(text: &str) -> String {
    let mut parts = text.split('⋯');
    let mut long = parts.next().unwrap_or_default().to_owned();
    while let (Some(number), Some(after)) = (parts.next(), parts.next()) {
        long.push_str(&"x".repeat(number.parse().expect("a number")));
        long.push_str(after);
    }
    long
}

fn duration(text: &str) -> Duration {
    let number = |unit: &str| text.strip_suffix(unit).and_then(|number| number.parse().ok());
    number("ms")
        .map(Duration::from_millis)
        .or_else(|| number("s").map(Duration::from_secs))
        .expect("a time in s or ms")
}

fn open(bench: &mut Bench, names: &mut Names, name: &str, how: &str) {
    let how = names.meant(how);
    let words: Vec<&str> = how.split(' ').collect();
    match words[0] {
        "lines" if words.get(1) == Some(&"local") => bench.lines(name, [127, 0, 0, 1]),
        "lines" => bench.lines(name, [192, 0, 2, 1]),
        "ws" => web(bench, name, &how),
        "token" => {
            let ttl: i64 = words[3].parse().expect("seconds");
            let now = bench.now.unix_s();
            let claims = Claims {
                sub: UserId::parse(words[1]).expect("a user's id"),
                sid: None,
                jti: Some(Id::new(bench.now.unix_ms, &[words[1].len() as u8; 10])),
                iat: Some(now.saturating_add_signed(ttl.min(0))),
                exp: now.saturating_add_signed(ttl),
                role: Role::parse(words[2]).expect("a role"),
                name: Some(words[1].into()),
                teams: words[4..].iter().map(|team| (*team).to_owned()).collect(),
            };
            let token = parts::tokens().issue(&claims).expect("it can be signed");
            names.name(1, &token);
        }
        other => panic!("{other} is no way to connect"),
    }
}

fn web(bench: &mut Bench, name: &str, how: &str) {
    let mut parts = how.split(" ; ");
    let first = parts.next().unwrap_or_default();
    let target = first.split(' ').nth(1).unwrap_or("/ws");
    let headers: Vec<(&str, &str)> = parts.filter_map(|header| header.split_once(": ")).collect();
    let value = |wanted: &str| headers.iter().find(|(name, _)| *name == wanted).map(|(_, v)| *v);
    let offered: Vec<&str> =
        value("Sec-WebSocket-Protocol").into_iter().flat_map(|list| list.split(", ")).collect();
    let own = ["Sec-WebSocket-Protocol", "Origin"];
    let others: Vec<_> = headers.iter().copied().filter(|(name, _)| !own.contains(name)).collect();
    let request = Request {
        host: "stentor.example",
        target,
        origin: value("Origin"),
        subprotocols: &offered,
        headers: &others,
        ..Request::default()
    };
    bench.web(name, &request);
}
