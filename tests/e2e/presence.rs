//! Who is there, told over three loops to whoever wants it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::doors::Client;
use crate::server::{Folder, Server};

const LOBBY: &str = "public:lobby";

fn subscribe(client: &mut Client, presence: bool) -> Value {
    client.ok(&json!({"type": "subscribe", "channel": LOBBY, "presence": presence}))
}

/// What a watcher was told: name to status, until `done`.
fn told(
    watcher: &mut Client,
    known: &mut BTreeMap<String, String>,
    done: impl Fn(&BTreeMap<String, String>) -> bool,
) {
    while !done(known) {
        let event = watcher.object().expect("an event");
        assert_eq!(event["type"], "presence", "{event}");
        let (payload, name) = (&event["payload"], event["payload"]["username"].to_string());
        let status = payload["status"].as_str().expect("a status").to_owned();
        match payload["change"].as_str().expect("a change") {
            "leave" => assert!(known.remove(&name).is_some(), "{event}: was not there"),
            "join" => assert!(known.insert(name, status).is_none(), "{event}: was there"),
            "update" => assert!(known.insert(name, status).is_some(), "{event}: was not there"),
            other => panic!("{other}"),
        }
    }
}

#[test]
fn a_watcher_is_told_who_comes_and_goes_on_every_loop() {
    let folder = Folder::new("presence");
    let grace = ["--ephemeral", "--loops", "3", "--set", "presence.grace_ms=200"];
    let server = Server::start(&folder, &grace);
    let (mut watcher, _) = Client::register(&server.address, true, "watcher");
    let there = subscribe(&mut watcher, true)["presence"].take();
    assert_eq!((&there["count"], &there["users"][0]["username"]), (&json!(1), &json!("watcher")));
    let mut known = BTreeMap::from([("\"watcher\"".to_owned(), "online".to_owned())]);
    // Each of them by both doors, on whatever loop.
    let mut users: Vec<[Client; 2]> = (0..6)
        .map(|n| {
            let (mut one, data) = Client::register(&server.address, n % 2 == 0, &format!("u{n}"));
            let mut two = Client::new(&server.address, n % 2 == 1);
            two.ok(&json!({"type": "auth", "token": data["token"]}));
            subscribe(&mut one, false);
            subscribe(&mut two, false);
            [one, two]
        })
        .collect();
    told(&mut watcher, &mut known, |known| known.len() == 7);
    let who = users[5][1].ok(&json!({"type": "presence", "channel": LOBBY}));
    assert_eq!(who["count"], 7);
    let connections = |name: &str| {
        let users = who["users"].as_array().expect("a list").iter();
        users
            .filter(|user| user["username"] == name)
            .map(|user| user["connections"].as_u64())
            .next()
    };
    assert_eq!((connections("u3"), connections("watcher")), (Some(Some(2)), Some(Some(1))));
    // A status is of the user, whichever connection says it, and is set when the reply says so.
    users[0][1].ok(&json!({"type": "set_status", "status": "busy"}));
    told(&mut watcher, &mut known, |known| known["\"u0\""] == "busy");
    users[1][0].ok(&json!({"type": "set_status", "status": "invisible"}));
    told(&mut watcher, &mut known, |known| known.len() == 6);
    for (name, online) in [("u0", true), ("u1", false)] {
        let found = watcher.ok(&json!({"type": "search_users", "query": name}));
        assert_eq!(found["users"][0]["online"], online, "{name}");
    }
    // Unsubscribing is leaving, once it is all of a user's; a connection that breaks has its grace.
    users[2].iter_mut().for_each(|client| {
        client.ok(&json!({"type": "unsubscribe", "channel": LOBBY}));
    });
    told(&mut watcher, &mut known, |known| !known.contains_key("\"u2\""));
    drop(users.drain(3..5));
    told(&mut watcher, &mut known, |known| known.len() == 3);
    // Whoever watches only now knows the same.
    let there = subscribe(&mut users[2][0], true)["presence"].take();
    let now: BTreeMap<String, String> = there["users"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|user| (user["username"].to_string(), user["status"].as_str().unwrap().to_owned()))
        .collect();
    told(&mut watcher, &mut known, |known| known.contains_key("\"u2\""));
    assert_eq!(now, known);
}

#[test]
fn a_crowd_is_a_number() {
    let folder = Folder::new("crowd");
    let server = Server::start(
        &folder,
        &["--ephemeral", "--loops", "3", "--set", "namespaces.public.presence=count"],
    );
    let (mut watcher, _) = Client::register(&server.address, false, "watcher");
    assert_eq!(subscribe(&mut watcher, true)["presence"], json!({"count": 1, "users": []}));
    let crowd: Vec<Client> = (0..20)
        .map(|n| {
            let (mut client, _) = Client::register(&server.address, false, &format!("u{n}"));
            subscribe(&mut client, false);
            client
        })
        .collect();
    let (mut count, mut events) = (1, 0);
    while count < 21 {
        let event = watcher.object().expect("an event");
        let now = event["payload"]["count"].as_u64().expect("a number");
        assert!(now != count && event["payload"].get("users").is_none(), "{event}");
        (count, events) = (now, events + 1);
    }
    assert!(events <= 20, "{events} events for {} users", crowd.len());
}
