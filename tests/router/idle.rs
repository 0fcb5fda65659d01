//! What nobody uses goes in its time: what memory holds of rooms and channels after a day, on every loop
//! (the disk keeps all), and from the disk what is too old in inboxes.

use std::time::Duration;

use serde_json::{Value, json};
use stentor::auth::Role;
use stentor::base::id::UserId;
use stentor::store::inbox::{InboxFound, InboxRead};
use stentor::store::{Found, Read, Store, Write};

use crate::bench::Bench;
use crate::parts::Limits;
use crate::raced::{arrive, say};

const HOUR: Duration = Duration::from_secs(3600);
const ROOMS: usize = 40;

/// How many channels the memory of all loops knows.
fn known(bench: &Bench) -> usize {
    bench.routers().map(stentor::router::Router::known_channels).sum()
}

/// Asks for something; the reply.
fn ask(bench: &mut Bench, name: &str, request: &Value) -> Value {
    bench.heard();
    say(bench, name, request);
    let heard = bench.heard().into_iter().filter(|(who, _)| who == name);
    let all = heard.map(|(_, text)| serde_json::from_str::<Value>(&text).expect("JSON"));
    let reply = all.into_iter().find(|said| said["type"] == request["type"]).expect("a reply");
    assert_eq!(reply["status"], "ok", "{reply}");
    reply["data"].clone()
}

fn bench(loops: u16) -> Bench {
    let mut limits = Limits::default();
    (limits.guard.requests_per_second, limits.guard.messages_per_minute) = (None, None);
    // What is looked at every ten seconds would be most of the work.
    (limits.router.alerts.interval_ms, limits.router.heartbeat_ms) = (3_600_000, 3_600_000);
    Bench::new(&limits, loops)
}

#[test]
fn a_day_after_the_last_one_left_memory_holds_nothing_and_the_disk_everything() {
    for loops in [1, 3] {
        let mut bench = bench(loops);
        arrive(&mut bench, "ana", "ana", Role::User);
        arrive(&mut bench, "bob", "bob", Role::User);
        let mut rooms = Vec::new();
        for n in 0..ROOMS {
            let room =
                json!({"type": "create_room", "name": format!("r{n}"), "visibility": "public"});
            let id = ask(&mut bench, "ana", &room)["chat"]["id"].clone();
            ask(&mut bench, "bob", &json!({"type": "join_room", "room_id": id}));
            ask(&mut bench, "bob", &json!({"type": "message", "chat_id": id, "content": "x"}));
            rooms.push(id);
        }
        let publish = json!({"type": "publish", "channel": "public:a", "payload": 1});
        let place = ask(&mut bench, "ana", &publish);
        assert_eq!(known(&bench), ROOMS + 1);
        bench.lose("ana");
        bench.pass(23 * HOUR);
        assert_eq!(ask(&mut bench, "bob", &publish)["epoch"], place["epoch"]);
        bench.pass(25 * HOUR);
        assert_eq!(known(&bench), ROOMS, "bob is in them, and nobody in the other");
        bench.lose("bob");
        bench.pass(24 * HOUR - Duration::from_secs(1));
        assert_eq!(known(&bench), ROOMS);
        bench.pass(Duration::from_secs(2));
        assert_eq!(known(&bench), 0, "{loops} loops");

        arrive(&mut bench, "back", "bob", Role::User);
        let chats = ask(&mut bench, "back", &json!({"type": "get_user_chats"}));
        assert_eq!(chats["chats"].as_array().map(Vec::len), Some(ROOMS));
        let more = json!({"type": "message", "chat_id": rooms[0], "content": "y"});
        assert_eq!(ask(&mut bench, "back", &more)["message"]["seq"], 2);
        assert_ne!(ask(&mut bench, "back", &publish)["epoch"], place["epoch"]);
    }
}

/// Names that somebody makes up without end take no more room than was given to them.
#[test]
fn names_without_end_are_forgotten_before_their_time() {
    let mut limits = Limits::default();
    (limits.guard.requests_per_second, limits.router.idle_channels) = (None, 60);
    let mut bench = Bench::new(&limits, 3);
    arrive(&mut bench, "eve", "eve", Role::User);
    for n in 0..500 {
        let channel = format!("public:{n}");
        ask(&mut bench, "eve", &json!({"type": "publish", "channel": channel, "payload": n}));
        assert!(known(&bench) <= 60);
    }
    assert!(known(&bench) > 30, "{}", known(&bench));
    let history = json!({"type": "history", "channel": "public:499"});
    let history = ask(&mut bench, "eve", &history);
    assert_eq!(history["events"].as_array().map(Vec::len), Some(1), "the newest is there");
}

/// How many of the users have an event in their inbox, however old.
fn inboxes(bench: &Bench, users: &[UserId]) -> usize {
    let mut reader = bench.store.reader().expect("memory can be read");
    let has_one = |user: &&UserId| {
        let user = (*user).clone();
        let page = InboxRead::Page { user, after: Some(0), limit: 1, bytes: 1, since_ms: 0 };
        let found = reader.read(&Read::Inbox(page)).expect("it can be read");
        matches!(found, Found::Inbox(InboxFound::Page { events, .. }) if !events.is_empty())
    };
    users.iter().filter(has_one).count()
}

#[test]
fn what_is_too_old_in_inboxes_goes_a_few_at_a_time_though_nothing_comes() {
    let mut limits = Limits::default();
    limits.router.inbox.age_ms = 600_000;
    let mut bench = Bench::new(&limits, 3);
    arrive(&mut bench, "svc", "svc", Role::Service);
    let names = (0..600).map(|n| format!("u{n}"));
    let users: Vec<UserId> = names.map(|name| UserId::parse(&name).expect("an id")).collect();
    let admit = |user: &UserId| Write::Admit { user: user.clone(), name: None };
    let (now, writes) = (bench.now, users.iter().map(admit).collect::<Vec<_>>());
    bench.store.commit(now, &writes, &mut Vec::new());
    // While everybody is away, and a while after all inboxes were looked at for the first time.
    bench.pass(Duration::from_secs(60));
    let send = json!({"type": "send", "user_ids": users, "event": "tick", "payload": 1});
    ask(&mut bench, "svc", &send);
    assert_eq!(inboxes(&bench, &users), 600);
    bench.pass(Duration::from_secs(590));
    assert_eq!(inboxes(&bench, &users), 600, "they are not too old");
    bench.pass(HOUR - Duration::from_secs(650));
    let mut steps = vec![600];
    for _ in 0..20 {
        bench.pass(Duration::from_secs(10));
        let left = inboxes(&bench, &users);
        if steps.last() != Some(&left) {
            steps.push(left);
        }
    }
    assert_eq!(steps.len(), 4, "in three steps: {steps:?}");
    assert_eq!(steps.last(), Some(&0), "{steps:?}");
}
