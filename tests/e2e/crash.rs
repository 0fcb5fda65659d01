//! `kill -9` in the middle of things: an ack is a promise, and a retry is no second message.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::doors::Client;
use crate::server::{Folder, Server};

/// What was acknowledged, by `client_id`: the seq.
type Ledger = BTreeMap<String, u64>;

fn message(room: &Value, id: &str) -> Value {
    json!({"type": "message", "chat_id": room, "content": id, "client_id": id, "request_id": id})
}

/// Notes an ok; gives whether it was a duplicate.
fn note(ledger: &mut Ledger, reply: &Value) -> bool {
    assert_eq!(reply["status"], "ok", "{reply}");
    let message = &reply["data"]["message"];
    let id = message["client_id"].as_str().expect("an id").to_owned();
    let seq = message["seq"].as_u64().expect("a seq");
    let before = ledger.insert(id, seq);
    assert!(before.is_none_or(|before| before == seq), "{reply} was at {before:?}");
    let duplicate = reply["data"]["duplicate"] == true;
    assert!(before.is_none() || duplicate, "a retry that is not flagged: {reply}");
    duplicate
}

/// The whole history of the room, page by page.
fn history(client: &mut Client, room: &Value) -> Vec<(u64, String)> {
    let mut all: Vec<(u64, String)> = Vec::new();
    loop {
        let after = all.last().map_or(0, |(seq, _)| *seq);
        let page = client.ok(&json!({"type": "get_messages", "chat_id": room, "after_seq": after,
                                     "limit": 300}));
        for message in page["messages"].as_array().expect("messages") {
            let id = message["client_id"].as_str().expect("an id").to_owned();
            all.push((message["seq"].as_u64().expect("a seq"), id));
        }
        if page["has_more"] != true {
            return all;
        }
    }
}

#[test]
fn what_was_acknowledged_survives_kills_at_its_place() {
    let folder = Folder::new("crash");
    let arguments = ["--data", "kept", "--no-limits", "--loops", "2"];
    let mut server = Some(Server::start(&folder, &arguments));
    let mut address = server.as_ref().expect("it runs").address.clone();
    let (mut ana, data) = Client::register(&address, false, "ana");
    let token = data["token"].clone();
    let room = json!({"type": "create_room", "name": "r", "visibility": "private"});
    let room = ana.ok(&room)["chat"]["id"].clone();
    let (mut ledger, mut duplicates, mut sent) = (Ledger::new(), 0, 0);
    for round in 0..4 {
        // Fifty on their way, and death after some of their acks.
        let ids: Vec<String> = (sent..sent + 50).map(|n| format!("m{n}")).collect();
        sent += 50;
        ids.iter().for_each(|id| ana.say(&message(&room, id)).expect("sent"));
        for _ in 0..10 * round {
            duplicates += usize::from(note(&mut ledger, &ana.object().expect("a reply")));
        }
        server.take().expect("it runs").kill();
        // What came before the end counts too.
        while let Some(reply) = ana.object() {
            note(&mut ledger, &reply);
        }
        let next = Server::start(&folder, &arguments);
        address.clone_from(&next.address);
        server = Some(next);
        ana = Client::new(&address, round % 2 == 0);
        // The token is as good as before, and every message is sent again.
        ana.ok(&json!({"type": "auth", "token": token}));
        for id in &ids {
            let reply = ana.ask(&message(&room, id)).expect("a reply");
            duplicates += usize::from(note(&mut ledger, &reply));
        }
    }
    let stored = history(&mut ana, &room);
    let seqs: Vec<u64> = stored.iter().map(|(seq, _)| *seq).collect();
    assert_eq!(seqs, (1..=sent).collect::<Vec<u64>>(), "no hole and no second copy");
    let stored: Ledger = stored.into_iter().map(|(seq, id)| (id, seq)).collect();
    assert_eq!(stored, ledger, "each is where it was said to be");
    assert!(duplicates >= 30, "retries of what was acknowledged were flagged: {duplicates}");
}

#[test]
fn a_refresh_token_used_before_the_kill_is_used_after_it() {
    let folder = Folder::new("refresh");
    let arguments = ["--data", "kept"];
    let server = Server::start(&folder, &arguments);
    let (mut ana, data) = Client::register(&server.address, true, "ana");
    let refresh = json!({"type": "refresh", "refresh_token": data["refresh_token"]});
    ana.ok(&refresh);
    server.kill();
    let server = Server::start(&folder, &arguments);
    let mut eve = Client::new(&server.address, false);
    let reply = eve.ask(&refresh).expect("a reply");
    assert_eq!(reply["code"], "token_revoked");
    let auth = json!({"type": "auth", "token": data["token"]});
    assert_eq!(eve.ask(&auth).expect("a reply")["code"], "token_revoked");
}
