//! Inboxes and notifications: offsets without holes, one transaction for all users, bounds, cursors.

use std::sync::Arc;

use stentor::base::id::{Id, UserId};
use stentor::message::inbox::{InboxEvent, Level, Notification};
use stentor::store::inbox::{
    Bounds, Cursor, InboxFound, InboxRead, InboxWrite, InboxWritten, Place,
};
use stentor::store::{Found, Read, Refusal, Write, Written};

use crate::backends::{Fixture, contract, raw, user};

const BOUNDS: Bounds = Bounds { events: 3, age_ms: 10_000, notifications: 2, devices: 2 };

fn written(f: &mut Fixture, write: InboxWrite) -> InboxWritten {
    match f.ok(Write::Inbox(write)) {
        Written::Inbox(written) => *written,
        other => panic!("{other:?}"),
    }
}

fn tick(by: &UserId, users: &[&UserId], n: u64) -> InboxWrite {
    InboxWrite::Send {
        by: by.clone(),
        users: users.iter().map(|&user| user.clone()).collect(),
        word: "tick".into(),
        payload: raw(&n.to_string()),
        critical: n > 100,
        bounds: BOUNDS,
    }
}

fn notify(f: &mut Fixture, by: &UserId, to: &UserId, title: &str) -> Notification {
    let write = InboxWrite::Notify {
        id: f.id(),
        by: by.clone(),
        user: to.clone(),
        level: Level::Warning,
        title: Arc::from(title),
        message: "m".into(),
        action: Some(raw(r#"{"type":"open"}"#)),
        bounds: BOUNDS,
    };
    match written(f, write) {
        InboxWritten::Notified { notification, .. } => *notification,
        other => panic!("{other:?}"),
    }
}

fn page(f: &mut Fixture, user: &UserId, after: Option<u64>, since_ms: u64) -> (Vec<u64>, u64, u64) {
    let (events, first, top) = events(f, user, after, (99, usize::MAX), since_ms);
    (events.iter().map(|event| event.offset).collect(), first, top)
}

fn events(
    f: &mut Fixture,
    user: &UserId,
    after: Option<u64>,
    (limit, bytes): (u32, usize),
    since_ms: u64,
) -> (Vec<InboxEvent>, u64, u64) {
    let read = InboxRead::Page { user: user.clone(), after, limit, bytes, since_ms };
    match f.found(&Read::Inbox(read)) {
        Found::Inbox(InboxFound::Page { events, first, top }) => (events, first, top),
        other => panic!("{other:?}"),
    }
}

fn titles(f: &mut Fixture, user: &UserId, unread_only: bool, before: Option<Id>) -> (String, u64) {
    let read = InboxRead::Notifications { user: user.clone(), unread_only, before, limit: 99 };
    match f.found(&Read::Inbox(read)) {
        Found::Inbox(InboxFound::Notifications { notifications, unread }) => {
            (notifications.iter().map(|one| &*one.title).collect(), unread)
        }
        other => panic!("{other:?}"),
    }
}

fn place(f: &mut Fixture, user: &UserId, device: &str) -> Place {
    match f.found(&Read::Arrival { user: user.clone(), device: device.into() }) {
        Found::Arrival { place, .. } => place,
        other => panic!("{other:?}"),
    }
}

fn moved(f: &mut Fixture, user: &UserId, device: &str, offset: u64) {
    let cursor = Cursor { user: user.clone(), device: device.into(), offset };
    let write = InboxWrite::Move { cursors: vec![cursor], bounds: BOUNDS };
    assert_eq!(written(f, write), InboxWritten::Moved);
}

contract! {
    fn what_is_too_old_goes_though_nothing_comes(f) {
        let names = ["ann", "bob", "cid", "dan", "eve"];
        let s = f.user("svc");
        let all = names.map(|name| f.user(name));
        let send = |f: &mut Fixture, to: &UserId, n| drop(written(f, tick(&s, &[to], n)));
        (1..=2).for_each(|n| send(f, &all[0], n));
        send(f, &all[3], 1);
        f.now_ms += 5_000;
        send(f, &all[0], 3);
        send(f, &all[1], 1);
        f.now_ms += 5_001;
        // In the order of their ids, so many at a time, until the last.
        let sweep = |f: &mut Fixture, after: Option<&UserId>, users| {
            let write = InboxWrite::Sweep { after: after.cloned(), users, age_ms: 10_000 };
            match written(f, write) {
                InboxWritten::Swept { last, dropped } => (last, dropped),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(sweep(f, None, 2), (Some(all[1].clone()), 2));
        assert_eq!(page(f, &all[0], Some(0), 0), (vec![3], 3, 3));
        assert_eq!(page(f, &all[1], Some(0), 0), (vec![1], 1, 1));
        assert_eq!(page(f, &all[3], Some(0), 0), (vec![1], 1, 1), "not yet");
        assert_eq!(sweep(f, Some(&all[1]), 2), (Some(all[3].clone()), 1));
        assert_eq!(page(f, &all[3], Some(0), 0), (vec![], 2, 1));
        assert_eq!(sweep(f, Some(&all[3]), 3), (None, 0));
        assert_eq!(sweep(f, None, 99), (None, 0), "again is nothing");
        // Numbers go on, and cursors stand.
        moved(f, &all[3], "a", 1);
        let InboxWritten::Sent { kept, .. } = written(f, tick(&s, &[&all[3]], 2)) else { panic!("?") };
        assert_eq!((kept[0].event.offset, kept[0].dropped), (2, 0));
        assert_eq!(place(f, &all[3], "a"), Place { cursor: 1, known: true, top: 2 });
    }

    fn an_event_is_kept_for_all_or_for_nobody(f) {
        let (s, a, b) = (f.user("svc"), f.user("ann"), f.user("bob"));
        let InboxWritten::Sent { kept, unknown } = written(f, tick(&s, &[&a, &b, &a], 1)) else {
            panic!("not sent");
        };
        let told: Vec<_> =
            kept.iter().map(|kept| (kept.user.as_str(), kept.event.offset)).collect();
        assert_eq!((told, unknown), (vec![("ann", 1), ("bob", 1)], vec![]));
        let nobody = user("nobody");
        let write = tick(&s, &[&a, &nobody], 2);
        assert_eq!(written(f, write), InboxWritten::Sent { kept: vec![], unknown: vec![nobody.clone()] });
        assert_eq!(f.refused(Write::Inbox(tick(&nobody, &[&a], 3))), Refusal::NoUser);
        let (found, first, top) = events(f, &a, Some(0), (9, usize::MAX), 0);
        assert_eq!((found, first, top), (vec![kept[0].event.clone()], 1, 1));
        assert_eq!(page(f, &nobody, Some(0), 0), (vec![], 1, 0));
    }

    fn what_is_too_much_or_too_old_goes(f) {
        let (s, a) = (f.user("svc"), f.user("ann"));
        let mut dropped = Vec::new();
        for n in 1..=5 {
            let InboxWritten::Sent { kept, .. } = written(f, tick(&s, &[&a], n)) else { panic!("?") };
            dropped.push(kept[0].dropped);
        }
        assert_eq!(dropped, [0, 0, 0, 1, 1]);
        assert_eq!(page(f, &a, Some(0), 0), (vec![3, 4, 5], 3, 5));
        f.now_ms += 10_001;
        // A reader sees that they are old before the next one makes them go.
        let since = f.now_ms - BOUNDS.age_ms;
        assert_eq!(page(f, &a, Some(0), since), (vec![], 6, 5));
        let InboxWritten::Sent { kept, .. } = written(f, tick(&s, &[&a], 6)) else { panic!("?") };
        assert_eq!((kept[0].event.offset, kept[0].dropped), (6, 3));
        assert_eq!(page(f, &a, Some(4), 0), (vec![6], 6, 6));
    }

    fn pages_are_bounded_by_count_and_by_bytes(f) {
        let (s, a) = (f.user("svc"), f.user("ann"));
        for n in [101, 102, 103] {
            written(f, tick(&s, &[&a], n));
        }
        let offsets = |f: &mut Fixture, after, limit| {
            let (events, ..) = events(f, &a, after, limit, 0);
            events.iter().map(|event| event.offset).collect::<Vec<_>>()
        };
        assert_eq!(offsets(f, Some(0), (2, 999)), [1, 2]);
        assert_eq!(offsets(f, Some(1), (2, 999)), [2, 3]);
        assert_eq!(offsets(f, None, (2, 999)), [2, 3], "no position: the latest");
        // A page that has the bytes ends, and has one at least.
        assert_eq!(offsets(f, Some(0), (9, 0)), [1]);
        assert_eq!(offsets(f, Some(0), (9, 3)), [1]);
        assert_eq!(offsets(f, Some(0), (9, 4)), [1, 2]);
        assert_eq!(offsets(f, Some(3), (9, 999)), [] as [u64; 0]);
    }

    fn a_cursor_moves_forward_and_no_further_than_there_is_something(f) {
        let (s, a) = (f.user("svc"), f.user("ann"));
        for n in 1..=3 {
            written(f, tick(&s, &[&a], n));
        }
        assert_eq!(place(f, &a, "x"), Place { cursor: 0, known: false, top: 3 });
        for (to, stands) in [(2, 2), (1, 2), (99, 3)] {
            moved(f, &a, "x", to);
            assert_eq!(place(f, &a, "x"), Place { cursor: stands, known: true, top: 3 });
        }
        moved(f, &user("nobody"), "x", 1);
        assert_eq!(place(f, &user("nobody"), "x"), Place::default());
    }

    fn a_new_device_begins_where_the_furthest_is(f) {
        let (s, a) = (f.user("svc"), f.user("ann"));
        for n in 1..=3 {
            written(f, tick(&s, &[&a], n));
        }
        moved(f, &a, "x", 1);
        assert_eq!(place(f, &a, "y"), Place { cursor: 1, known: false, top: 3 });
        let open = |device: &str| InboxWrite::Open { user: user("ann"), device: device.into(), bounds: BOUNDS };
        assert_eq!(written(f, open("y")), InboxWritten::Moved);
        f.now_ms += 1;
        moved(f, &a, "x", 3);
        // It has a place of its own from then on.
        assert_eq!(written(f, open("y")), InboxWritten::Moved);
        assert_eq!(place(f, &a, "y"), Place { cursor: 1, known: true, top: 3 });
        // One too many: the one that moved longest ago is forgotten.
        f.now_ms += 1;
        assert_eq!(written(f, open("z")), InboxWritten::Moved);
        assert!(!place(f, &a, "y").known);
        assert_eq!((place(f, &a, "x").known, place(f, &a, "z").cursor), (true, 3));
        let nobody = InboxWrite::Open { user: user("nobody"), device: "x".into(), bounds: BOUNDS };
        assert_eq!(f.refused(Write::Inbox(nobody)), Refusal::NoUser);
    }

    fn notifications_are_listed_counted_and_read(f) {
        let (s, a, b) = (f.user("svc"), f.user("ann"), f.user("bob"));
        let one = notify(f, &s, &a, "1");
        assert_eq!((one.read, one.level, one.user_id.clone()), (false, Level::Warning, a.clone()));
        let two = notify(f, &s, &a, "2");
        assert_eq!(titles(f, &a, false, None), ("21".into(), 2));
        assert_eq!(titles(f, &a, false, Some(two.id)), ("1".into(), 2));
        assert_eq!(titles(f, &a, false, Some(Id(1))), (String::new(), 2));
        let mark = |user: &UserId, notification| InboxWrite::MarkRead {
            user: user.clone(),
            notification,
            bounds: BOUNDS,
        };
        assert_eq!(f.refused(Write::Inbox(mark(&b, Some(one.id)))), Refusal::NoNotification);
        let InboxWritten::Read { unread: 1, kept } = written(f, mark(&a, Some(one.id))) else {
            panic!("not read");
        };
        let payload = kept[0].event.payload.as_str();
        assert_eq!((kept[0].event.offset, payload.contains(&one.id.to_string())), (3, true));
        // Again is no error, and no event.
        assert_eq!(written(f, mark(&a, Some(one.id))), InboxWritten::Read { unread: 1, kept: vec![] });
        assert_eq!(titles(f, &a, true, None), ("2".into(), 1));
        let InboxWritten::Read { unread: 0, kept } = written(f, mark(&a, None)) else { panic!("?") };
        assert_eq!(kept[0].event.payload.as_str(), r#"{"all":true}"#);
        assert_eq!(written(f, mark(&a, None)), InboxWritten::Read { unread: 0, kept: vec![] });
        // The oldest goes when there are too many.
        notify(f, &s, &a, "3");
        assert_eq!(titles(f, &a, false, None), ("32".into(), 1));
        let again = InboxWrite::Notify {
            id: two.id,
            by: s,
            user: a,
            level: Level::Info,
            title: "t".into(),
            message: "m".into(),
            action: None,
            bounds: BOUNDS,
        };
        assert_eq!(f.refused(Write::Inbox(again)), Refusal::IdTaken);
    }
}
