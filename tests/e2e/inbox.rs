//! The inbox over kills and cuts: with `acks` nothing is lost, within a connection nothing repeats.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::{Value, json};

use crate::doors::Client;
use crate::server::{Folder, Server};

const USERS: [&str; 3] = ["ana", "bob", "cay"];

fn token(folder: &Folder, sub: &str, role: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stentor"));
    command.args(["token", "--sub", sub, "--role", role, "--data", "kept", "--ttl", "1h"]);
    let output = command.env_clear().current_dir(folder.path()).output().expect("it runs");
    let text = String::from_utf8(output.stdout).expect("text");
    text.split_whitespace().last().expect("a token").to_owned()
}

/// One device of a user, over all its connections.
struct Device {
    user: &'static str,
    web: bool,
    token: String,
    client: Option<Client>,
    /// The last offset that it acknowledged and was told so.
    acked: u64,
    /// On the connection it has now: the last offset.
    last: Option<u64>,
    /// What it was told at each offset.
    heard: BTreeMap<u64, u64>,
}

impl Device {
    fn connect(&mut self, address: &str) {
        let mut client = Client::new(address, self.web);
        client.ok(&json!({"type": "auth", "token": self.token, "acks": true,
                          "client_info": {"client_id": "d"}}));
        (self.client, self.last) = (Some(client), None);
    }

    fn note(&mut self, event: &Value) {
        let offset = event["offset"].as_u64().expect("an offset");
        match self.last {
            // Acks that were under way when the server died may have counted.
            None => assert!(offset > self.acked, "{event} was acknowledged"),
            Some(last) => assert_eq!(offset, last + 1, "{}: {event}", self.user),
        }
        self.last = Some(offset);
        let n = event["payload"]["n"].as_u64().expect("a number");
        assert_eq!(*self.heard.entry(offset).or_insert(n), n, "{event} was another one");
    }

    /// Hears `count` events, or whatever comes until the end.
    fn hear(&mut self, count: usize) {
        for _ in 0..count {
            let event = self.client.as_mut().and_then(Client::object);
            let Some(event) = event else { return };
            assert_eq!(event["type"], "tick", "{event}");
            self.note(&event);
        }
    }

    /// Acknowledges what it has; events may come before the reply.
    fn ack(&mut self) {
        let Some(offset) = self.last else { return };
        let channel = format!("user:{}", self.user);
        let ack = json!({"type": "event_ack", "channel": channel, "offset": offset});
        let client = self.client.as_mut().expect("it is connected");
        if client.say(&ack).is_err() {
            return;
        }
        while let Some(object) = self.client.as_mut().and_then(Client::object) {
            if object["type"] == "event_ack" {
                assert_eq!(object["status"], "ok", "{object}");
                self.acked = offset;
                return;
            }
            self.note(&object);
        }
    }
}

/// Sends `count` events to all, and hears so many of the acks; those are promises.
fn send(svc: &mut Client, numbers: std::ops::Range<u64>, acks: usize, sure: &mut BTreeSet<u64>) {
    for n in numbers {
        svc.say(&json!({"type": "send", "user_ids": USERS, "event": "tick", "request_id": n,
                        "payload": {"n": n}}))
            .expect("sent");
    }
    for _ in 0..acks {
        let reply = svc.object().expect("a reply");
        assert_eq!(reply["status"], "ok", "{reply}");
        sure.insert(reply["request_id"].as_u64().expect("the number"));
    }
}

fn nothing_is_lost(loops: &str) {
    let folder = Folder::new(&format!("inbox-{loops}"));
    let arguments = ["--data", "kept", "--no-limits", "--loops", loops];
    let service = token(&folder, "svc", "service");
    let device = |(at, user): (usize, &'static str)| Device {
        user,
        web: at % 2 == 0,
        token: token(&folder, user, "user"),
        client: None,
        acked: 0,
        last: None,
        heard: BTreeMap::new(),
    };
    let mut devices: Vec<Device> = USERS.into_iter().enumerate().map(device).collect();
    let (mut sure, mut next) = (BTreeSet::new(), 0);
    for round in 0..4_u64 {
        let server = Server::start(&folder, &arguments);
        devices.iter_mut().for_each(|device| device.connect(&server.address));
        let mut svc = Client::new(&server.address, round % 2 == 1);
        svc.ok(&json!({"type": "auth", "token": service}));
        send(&mut svc, next..next + 40, 20, &mut sure);
        next += 40;
        for (at, device) in devices.iter_mut().enumerate() {
            device.hear(5 + at);
            device.ack();
            if at as u64 == round % 3 {
                // Cut in the middle of things, and back at once.
                device.connect(&server.address);
                device.hear(3);
            }
        }
        server.kill();
        // What came before the end counts too.
        while let Some(reply) = svc.object() {
            sure.insert(reply["request_id"].as_u64().expect("the number"));
        }
        devices.iter_mut().for_each(|device| device.hear(usize::MAX));
    }
    let server = Server::start(&folder, &arguments);
    devices.iter_mut().for_each(|device| device.connect(&server.address));
    let mut svc = Client::new(&server.address, false);
    svc.ok(&json!({"type": "auth", "token": service}));
    send(&mut svc, next..next + 1, 1, &mut sure);
    for device in &mut devices {
        while device.heard.last_key_value().is_none_or(|(_, n)| *n != next) {
            device.hear(1);
        }
        let offsets: Vec<u64> = device.heard.keys().copied().collect();
        let all: Vec<u64> = (1..=offsets.len() as u64).collect();
        assert_eq!(offsets, all, "{}: no hole", device.user);
        let numbers: Vec<u64> = device.heard.values().copied().collect();
        assert!(numbers.is_sorted(), "{}: in order", device.user);
        let heard: BTreeSet<u64> = numbers.into_iter().collect();
        assert!(sure.is_subset(&heard), "{}: what was acknowledged is there", device.user);
    }
    assert!(sure.len() > 80, "{} sends were acknowledged", sure.len());
}

#[test]
fn what_was_sent_is_heard_over_kills_and_cuts() {
    for loops in ["1", "3"] {
        nothing_is_lost(loops);
    }
}

#[test]
fn a_broadcast_reaches_every_loop_and_no_stranger() {
    let folder = Folder::new("broadcast");
    std::fs::create_dir(folder.path().join("kept")).expect("a directory");
    let service = token(&folder, "svc", "service");
    let server = Server::start(&folder, &["--data", "kept", "--loops", "3"]);
    let mut users: Vec<Client> =
        (0..6).map(|n| Client::register(&server.address, n % 2 == 0, &format!("u{n}")).0).collect();
    let mut stranger = Client::new(&server.address, false);
    let mut svc = Client::new(&server.address, true);
    svc.ok(&json!({"type": "auth", "token": service}));
    svc.ok(&json!({"type": "broadcast", "event": "news", "payload": {"n": 1}}));
    for user in &mut users {
        let event = user.object().expect("an event");
        assert_eq!((&event["type"], &event["payload"]["n"]), (&json!("news"), &json!(1)));
    }
    let pong = stranger.ask(&json!({"type": "ping"})).expect("a reply");
    assert_eq!(pong["type"], "ping", "and nothing before it");
}
