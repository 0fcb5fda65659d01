//! One room, two doors, three loops: everybody sees the same.

use serde_json::{Value, json};

use crate::doors::Client;
use crate::server::{Folder, Server};

/// Events until `count` messages of a room were heard, as they came.
fn messages(client: &mut Client, count: usize) -> Vec<String> {
    let mut heard = Vec::new();
    while heard.len() < count {
        let text = client.text().expect("an event");
        let object: Value = serde_json::from_str(&text).expect("one object");
        if object["type"] == "message" && object.get("status").is_none() {
            heard.push(text);
        }
    }
    heard
}

#[test]
fn an_event_is_the_same_bytes_at_both_doors() {
    let folder = Folder::new("rooms");
    let server = Server::start(&folder, &["--ephemeral", "--loops", "3"]);
    let (mut ana, _) = Client::register(&server.address, false, "ana");
    let room = json!({"type": "create_room", "name": "lobby", "visibility": "public"});
    let room = ana.ok(&room)["chat"]["id"].clone();
    let mut hearers: Vec<Client> = (0..6)
        .map(|n| {
            let (mut client, _) = Client::register(&server.address, n % 2 == 0, &format!("u{n}"));
            client.ok(&json!({"type": "join_room", "room_id": room}));
            client
        })
        .collect();
    for n in 0..20 {
        let strange = format!("{n} é𝄞\n{{\"type\":\"bye\"}}\n\u{0}");
        ana.say(&json!({"type": "message", "chat_id": room, "content": strange})).expect("sent");
    }
    let all: Vec<Vec<String>> = hearers.iter_mut().map(|client| messages(client, 20)).collect();
    for (n, text) in all[0].iter().enumerate() {
        let event: Value = serde_json::from_str(text).expect("one object");
        assert_eq!(event["payload"]["seq"], n + 1);
        assert!(event["payload"]["content"].as_str().is_some_and(|c| c.ends_with("\n\u{0}")));
    }
    assert!(all.iter().all(|heard| *heard == all[0]), "everybody hears the same");
}

#[test]
fn what_is_not_for_all_is_for_nobody_else() {
    let folder = Folder::new("private");
    let server = Server::start(&folder, &["--ephemeral", "--loops", "2"]);
    let (mut ana, _) = Client::register(&server.address, true, "ana");
    let (mut bob, _) = Client::register(&server.address, false, "bob");
    let (mut eve, _) = Client::register(&server.address, true, "eve");
    let sent = ana.ok(&json!({"type": "message", "to": "BOB", "content": "psst"}));
    let chat = sent["message"]["chat_id"].clone();
    assert_eq!(bob.object().expect("an event")["payload"], sent["message"]);
    // What eve hears next is the answer to what she asks.
    for verb in ["get_messages", "typing", "mark_read"] {
        eve.say(&json!({"type": verb, "chat_id": chat, "seq": 1})).expect("sent");
        assert_eq!(eve.object().expect("a reply")["code"], "not_found", "{verb}");
    }
}
