//! Reads: pages of messages, of the log and of rooms, the order of chats, and who may ask.

use std::sync::Arc;

use stentor::base::id::{Id, UserId};
use stentor::message::record::Visibility;
use stentor::store::{Error, Found, Read, Refusal, Write};

use crate::backends::{Fixture, contract};

fn page(
    f: &mut Fixture,
    chat: Id,
    before: Option<u64>,
    after: Option<u64>,
    limit: u32,
) -> (Vec<u64>, bool) {
    let user = UserId::parse("ann").expect("an id");
    match f.found(&Read::Messages { chat, user, before, after, limit }) {
        Found::Messages { messages, more } => (messages.iter().map(|m| m.seq).collect(), more),
        other => panic!("{other:?}"),
    }
}

fn log(f: &mut Fixture, chat: Id, after: Option<u64>, limit: u32) -> (Vec<u64>, u64, bool) {
    let user = UserId::parse("ann").expect("an id");
    match f.found(&Read::Log { chat, user, after, limit }) {
        Found::Log { events, top, more } => (events.iter().map(|e| e.offset).collect(), top, more),
        other => panic!("{other:?}"),
    }
}

fn rooms(
    f: &mut Fixture,
    query: Option<&str>,
    limit: u32,
    after: Option<Id>,
) -> (Vec<String>, bool) {
    match f.found(&Read::Rooms { query: query.map(Arc::from), limit, after }) {
        Found::Rooms { rooms, more } => {
            (rooms.iter().map(|r| r.name.as_deref().unwrap_or("").to_owned()).collect(), more)
        }
        other => panic!("{other:?}"),
    }
}

contract! {
    fn messages_come_in_pages(f) {
        let a = f.user("ann");
        let chat = f.group(&a, &[]);
        assert_eq!(page(f, chat, None, None, 5), (vec![], false));
        for _ in 0..5 {
            f.say(chat, &a, "x");
        }
        const TOP: u64 = u64::MAX;
        for (before, after, limit, seqs, more) in [
            (None, None, 5, &[1, 2, 3, 4, 5][..], false),
            (None, None, 2, &[4, 5], true),
            (Some(4), None, 2, &[2, 3], true),
            (Some(3), None, 2, &[1, 2], false),
            (Some(1), None, 2, &[], false),
            (Some(0), None, 2, &[], false),
            (Some(TOP), None, 2, &[4, 5], true),
            (None, Some(0), 2, &[1, 2], true),
            (None, Some(3), 2, &[4, 5], false),
            (None, Some(5), 2, &[], false),
            (None, Some(TOP), 2, &[], false),
            (Some(5), Some(1), 2, &[2, 3], true),
            (Some(4), Some(1), 2, &[2, 3], false),
            (Some(2), Some(3), 2, &[], false),
            (None, None, 0, &[], true),
        ] {
            let asked = format!("before {before:?} after {after:?} limit {limit}");
            assert_eq!(page(f, chat, before, after, limit), (seqs.to_vec(), more), "{asked}");
        }
    }

    fn the_log_comes_in_pages(f) {
        let a = f.user("ann");
        let chat = f.group(&a, &[]);
        assert_eq!(log(f, chat, None, 5), (vec![], 0, false));
        for _ in 0..4 {
            f.say(chat, &a, "x");
        }
        for (after, limit, offsets, more) in [
            (None, 9, &[1, 2, 3, 4][..], false),
            (None, 2, &[3, 4], false),
            (Some(0), 2, &[1, 2], true),
            (Some(2), 2, &[3, 4], false),
            (Some(4), 2, &[], false),
            (Some(u64::MAX), 2, &[], false),
            (Some(1), 0, &[], true),
        ] {
            assert_eq!(log(f, chat, after, limit), (offsets.to_vec(), 4, more), "{after:?} {limit}");
        }
    }

    fn who_is_no_member_reads_nothing(f) {
        let (a, b) = (f.user("ann"), f.user("bob"));
        let chat = f.room(&a, Visibility::Public, "open");
        f.say(chat, &a, "x");
        let nowhere = f.id();
        for (chat, user) in [(chat, b), (nowhere, a)] {
            let messages =
                Read::Messages { chat, user: user.clone(), before: None, after: None, limit: 9 };
            assert_eq!(f.read(&messages), Err(Error::Refused(Refusal::NoChat)));
            let log = Read::Log { chat, user, after: None, limit: 9 };
            assert_eq!(f.read(&log), Err(Error::Refused(Refusal::NoChat)));
        }
        // Who may read every chat reads what a member does.
        for (after, limit) in [(None, 9), (Some(0), 0), (Some(1), 9)] {
            let user = UserId::parse("ann").expect("an id");
            let member = f.found(&Read::Log { chat, user, after, limit });
            assert_eq!(f.found(&Read::AnyLog { chat, after, limit }), member);
        }
        let log = Read::AnyLog { chat: nowhere, after: None, limit: 9 };
        assert_eq!(f.read(&log), Err(Error::Refused(Refusal::NoChat)));
    }

    fn the_chat_with_the_newest_message_comes_first(f) {
        let a = f.user("ann");
        let one = f.group(&a, &[]);
        f.now_ms += 1;
        let two = f.group(&a, &[]);
        f.now_ms += 1;
        let three = f.room(&a, Visibility::Private, "r");
        f.now_ms += 1;
        let order = |f: &mut Fixture| match f.found(&Read::Chats { user: a.clone() }) {
            Found::Chats(chats) => chats.iter().map(|view| view.chat.id).collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        };
        assert_eq!(order(f), [three, two, one]);
        f.say(one, &UserId::parse("ann").expect("an id"), "x");
        assert_eq!(order(f), [one, three, two]);
        let ids = f.found(&Read::ChatIds { user: UserId::parse("ann").expect("an id") });
        assert_eq!(ids, Found::ChatIds(vec![one, two, three]));
    }

    fn public_rooms_are_listed_by_name_in_pages(f) {
        let (a, b) = (f.user("ann"), f.user("bob"));
        let mut ids = Vec::new();
        for name in ["beta", "Alpha", "alphabet", "Äther", "100%"] {
            ids.push(f.room(&a, Visibility::Public, name));
        }
        let hidden = f.room(&a, Visibility::Private, "alpha hidden");
        f.group(&a, &[]);
        assert_eq!(
            rooms(f, None, 9, None),
            (["100%", "Alpha", "alphabet", "beta", "Äther"].map(str::to_owned).to_vec(), false)
        );
        assert_eq!(rooms(f, Some("PHA"), 9, None).0, ["Alpha", "alphabet"]);
        assert_eq!(rooms(f, Some("ä"), 9, None).0, ["Äther"]);
        assert_eq!(rooms(f, Some("%"), 9, None).0, ["100%"]);
        assert_eq!(rooms(f, Some("_"), 9, None).0, [""; 0]);
        assert_eq!(rooms(f, None, 2, None), (vec!["100%".into(), "Alpha".into()], true));
        assert_eq!(rooms(f, None, 2, Some(ids[1])), (vec!["alphabet".into(), "beta".into()], true));
        assert_eq!(rooms(f, None, 2, Some(ids[0])), (vec!["Äther".into()], false));
        assert_eq!(rooms(f, None, 2, Some(ids[3])), (vec![], false));
        for after in [hidden, f.id()] {
            let read = Read::Rooms { query: None, limit: 2, after: Some(after) };
            assert_eq!(f.read(&read), Err(Error::Refused(Refusal::NoChat)));
        }
        f.ok(Write::Join { chat: ids[0], user: b.clone() });
        let beta = Read::Rooms { query: Some(Arc::from("beta")), limit: 2, after: None };
        let Found::Rooms { rooms: found, .. } = f.found(&beta) else { panic!("?") };
        assert_eq!(found[0].member_count, 2);
        for user in [a.clone(), b] {
            f.ok(Write::Leave { chat: ids[0], user });
        }
        let Found::Rooms { rooms: found, .. } = f.found(&beta) else { panic!("?") };
        assert_eq!(found[0].member_count, 0);
        let (name, visibility) = (Some(Arc::from("Zeta")), None);
        f.ok(Write::UpdateChat { chat: ids[1], by: a.clone(), name, visibility, metadata: None });
        let (name, visibility) = (None, Some(Visibility::Private));
        f.ok(Write::UpdateChat { chat: ids[2], by: a, name, visibility, metadata: None });
        assert_eq!(rooms(f, None, 9, None).0, ["100%", "beta", "Zeta", "Äther"]);
    }

    fn a_reader_sees_what_was_committed_before(f) {
        let a = f.user("ann");
        let chat = f.group(&a, &[]);
        let mut second = f.store.reader().expect("another reader");
        f.say(chat, &a, "x");
        let read = Read::Log { chat, user: a, after: None, limit: 9 };
        assert_eq!(second.read(&read), f.read(&read));
        assert!(matches!(f.found(&read), Found::Log { top: 1, .. }));
    }
}

mod missed {
    use super::*;
    use stentor::base::time::Timestamp;
    use stentor::store::sync::{CHANGES_MAX, Missed};

    use crate::backends::START_MS;

    fn missed(f: &mut Fixture, user: &UserId, since_ms: u64) -> Missed {
        let teams = Arc::from(Vec::new());
        let read = Read::Sync { user: user.clone(), teams, since_ms, limit: 9 };
        match f.found(&read) {
            Found::Missed(missed) => *missed,
            other => panic!("{other:?}"),
        }
    }

    contract! {
        fn whoever_asks_with_the_stamp_of_the_last_answer_misses_nothing(f) {
            let (a, b) = (f.user("ann"), f.user("bob"));
            let (chat, quiet) = (f.group(&a, &[&b]), f.group(&a, &[&b]));
            let (first, second) = (f.say(chat, &a, "1"), f.say(chat, &a, "2"));
            f.say(quiet, &a, "0");
            f.now_ms += 10;
            f.say(chat, &a, "3");
            let stamp = missed(f, &b, 0).server_time;
            assert_eq!(stamp, Timestamp(START_MS + 10));
            // The clock goes back; stamps do not.
            f.now_ms -= 5;
            f.say(chat, &a, "4");
            f.ok(Write::Edit { message: first.id, by: a.clone(), content: "eins".into() });
            f.ok(Write::Delete { message: second.id, by: a.clone() });
            let found = missed(f, &b, stamp.0);
            let texts: Vec<&str> = found.chats[0].messages.iter().map(|m| &*m.content).collect();
            assert_eq!((found.chats.len(), texts), (1, vec!["eins", "", "3", "4"]));
            assert_eq!(missed(f, &b, stamp.0 + 1).chats, []);
            // Not a member any more: nothing of it, however it is asked.
            f.ok(Write::RemoveMember { chat, by: a, user: b.clone() });
            assert!(missed(f, &b, 0).chats.iter().all(|missed| missed.chat.chat.id == quiet));
        }

        fn of_many_changes_the_newest_are_told(f) {
            let (a, b) = (f.user("ann"), f.user("bob"));
            let chat = f.group(&a, &[&b]);
            for n in 0..=CHANGES_MAX {
                f.say(chat, &a, &n.to_string());
            }
            let found = missed(f, &b, 0);
            let seqs: Vec<u64> = found.chats[0].messages.iter().map(|m| m.seq).collect();
            let all: Vec<u64> = (2..=CHANGES_MAX as u64 + 1).collect();
            assert_eq!((found.chats[0].more, seqs), (true, all));
            // Long texts are told until there is no more room.
            let long = "x".repeat(60_000);
            (0..10).for_each(|_| drop(f.say(chat, &a, &long)));
            let found = missed(f, &b, 0);
            assert_eq!((found.chats[0].more, found.chats[0].messages.len()), (true, 8));
        }
    }
}
