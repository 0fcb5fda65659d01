//! What an administrator sees of a server of three loops, and does to those on it.

use serde_json::json;

use crate::doors::Client;
use crate::server::{Folder, Server, token};

#[test]
fn an_administrator_sees_every_loop_and_closes_on_any() {
    let folder = Folder::new("admin");
    let token = token(&folder, "root", "admin");
    let server = Server::start(&folder, &["--data", "kept", "--loops", "3"]);
    let mut root = Client::new(&server.address, false);
    root.ok(&json!({"type": "auth", "token": token}));
    let mut users: Vec<(Client, String)> = (0..6)
        .map(|n| {
            let (client, data) = Client::register(&server.address, n % 2 == 0, &format!("u{n}"));
            (client, data["user"]["id"].as_str().expect("an id").to_owned())
        })
        .collect();
    let stats = root.ok(&json!({"type": "stats"}));
    assert_eq!(stats["connections"], 7, "{stats}");
    assert_eq!((&stats["authenticated"], &stats["users"]), (&json!(7), &json!(7)));
    let loops = stats["loops"].as_array().expect("loops");
    assert_eq!(loops.len(), 3);
    assert!(loops.iter().all(|one| one["connections"].as_u64() >= Some(2)), "{stats}");
    assert_eq!(stats["metrics"]["stentor_authenticated_connections"], 7);

    let (mut seen, mut after) = (Vec::new(), json!(null));
    loop {
        let page = root.ok(&json!({"type": "connections", "limit": 3, "after": after}));
        for record in page["connections"].as_array().expect("records") {
            seen.push((record["user"]["username"].clone(), record["door"].clone()));
        }
        match page.get("after") {
            Some(next) => after = next.clone(),
            None => break,
        }
    }
    let mut expected = vec![(json!("root"), json!("lines"))];
    let door = |n: usize| json!(if n.is_multiple_of(2) { "websocket" } else { "lines" });
    expected.extend((0..6).map(|n| (json!(format!("u{n}")), door(n))));
    assert_eq!(seen, expected, "in the order in which they came");

    for (client, user) in &mut users {
        assert_eq!(root.ok(&json!({"type": "kick", "user_id": user}))["closed"], 1);
        match client.object() {
            Some(bye) => assert_eq!(bye["payload"]["code"], 4000),
            None => assert!(matches!(client, Client::Web(_))),
        }
    }
}
