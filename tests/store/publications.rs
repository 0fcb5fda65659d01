//! Publications of durable channels: numbers, names, what is kept and what is over.

use std::sync::Arc;

use stentor::base::id::UserId;
use stentor::store::publication::{Keep, NewPublication, Publication, Publications};
use stentor::store::{Found, Read, Refusal, Store, Write, Written};

use crate::backends::{Dir, Fixture, START_MS, contract, now, raw, user};

const ALL: Keep = Keep { messages: None, seconds: None };

fn draft(channel: &str, sender: &UserId, payload: &str) -> NewPublication {
    NewPublication {
        channel: channel.into(),
        sender: sender.clone(),
        event: "tick".into(),
        payload: raw(payload),
        client_id: None,
        keep: ALL,
    }
}

impl Fixture {
    #[track_caller]
    fn publish(&mut self, new: NewPublication) -> (u64, Option<Box<Publication>>) {
        let channel = Arc::clone(&new.channel);
        match self.ok(Write::Publish(new)) {
            Written::Published { channel: told, offset, publication } => {
                assert_eq!(told, channel);
                (offset, publication)
            }
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    fn kept(&mut self, channel: &str, after: Option<u64>, limit: u32, keep: Keep) -> Publications {
        let channel = channel.into();
        let read = Read::Publications { channel, after, limit, keep, now_ms: self.now_ms };
        match self.found(&read) {
            Found::Publications(found) => found,
            other => panic!("{other:?}"),
        }
    }
}

fn offsets(found: &Publications) -> Vec<u64> {
    found.events.iter().map(|publication| publication.offset).collect()
}

contract! {
    fn a_publication_is_read_as_it_was_stored(f) {
        let ana = f.user("ana");
        let (offset, stored) = f.publish(draft("log:a", &ana, r#"{"x": 1}"#));
        let stored = stored.expect("it is new");
        assert_eq!((offset, stored.offset, stored.sender.id.as_str()), (1, 1, "ana"));
        assert_eq!((stored.at.0, &*stored.event), (START_MS, "tick"));
        f.now_ms += 5;
        assert_eq!(f.publish(draft("log:a", &ana, "2")).0, 2);
        assert_eq!(f.publish(draft("log:b", &ana, "1")).0, 1);
        let found = f.kept("log:a", None, 10, ALL);
        assert_eq!((found.first, found.top, found.more), (1, 2, false));
        assert_eq!(found.events[0], *stored);
        assert_eq!(found.events[1].payload.as_str(), "2");
        assert_eq!(found.events[1].at.0, START_MS + 5);
    }

    fn pages_are_from_a_place_or_the_latest(f) {
        let ana = f.user("ana");
        for number in 1..=5 {
            f.publish(draft("log:a", &ana, &number.to_string()));
        }
        for (after, limit, events, more) in [
            (None, 2, vec![4, 5], false),
            (None, 9, vec![1, 2, 3, 4, 5], false),
            (Some(0), 2, vec![1, 2], true),
            (Some(3), 2, vec![4, 5], false),
            (Some(3), 1, vec![4], true),
            (Some(5), 2, vec![], false),
            (Some(9), 2, vec![], false),
            (Some(u64::MAX), 2, vec![], false),
        ] {
            let found = f.kept("log:a", after, limit, ALL);
            assert_eq!((offsets(&found), found.more), (events, more), "{after:?} {limit}");
            assert_eq!((found.first, found.top), (1, 5));
        }
        let nothing = f.kept("log:never", Some(3), 2, ALL);
        assert_eq!((offsets(&nothing), nothing.first, nothing.top), (vec![], 1, 0));
    }

    fn the_same_name_is_the_same_publication_while_it_is_kept(f) {
        let (ana, bob) = (f.user("ana"), f.user("bob"));
        let named = |sender: &UserId, channel: &str| NewPublication {
            client_id: Some("x".into()),
            keep: Keep { messages: Some(2), seconds: None },
            ..draft(channel, sender, "1")
        };
        assert_eq!(f.publish(named(&ana, "log:a")).0, 1);
        assert_eq!(f.publish(named(&ana, "log:a")), (1, None));
        assert!(f.publish(named(&bob, "log:a")).1.is_some());
        assert!(f.publish(named(&ana, "log:b")).1.is_some());
        assert_eq!(f.publish(named(&ana, "log:a")), (1, None));
        let other = NewPublication { client_id: None, ..named(&bob, "log:a") };
        assert_eq!(f.publish(other.clone()).0, 3);
        assert!(f.publish(named(&ana, "log:a")).1.is_some(), "the first is over");
        assert_eq!(f.publish(named(&ana, "log:a")), (4, None));
    }

    fn in_one_batch_the_name_counts_too(f) {
        let ana = f.user("ana");
        let named = NewPublication { client_id: Some("x".into()), ..draft("log:a", &ana, "1") };
        let batch = [Write::Publish(named.clone()), Write::Publish(named)];
        let outcomes = f.batch(&batch);
        let stored = |outcome: &Result<Written, _>| match outcome {
            Ok(Written::Published { offset, publication, .. }) => (*offset, publication.is_some()),
            other => panic!("{other:?}"),
        };
        assert_eq!(outcomes.iter().map(stored).collect::<Vec<_>>(), [(1, true), (1, false)]);
    }

    fn what_is_too_much_or_too_old_is_over_and_the_numbers_go_on(f) {
        let ana = f.user("ana");
        let keep = Keep { messages: Some(3), seconds: Some(10) };
        for number in 1..=5 {
            f.publish(NewPublication { keep, ..draft("log:a", &ana, &number.to_string()) });
            f.now_ms += 4000;
        }
        // They came 20, 16, 12, 8 and 4 seconds ago.
        let found = f.kept("log:a", Some(0), 10, keep);
        assert_eq!((offsets(&found), found.first, found.top), (vec![4, 5], 4, 5));
        let found = f.kept("log:a", None, 1, keep);
        assert_eq!((offsets(&found), found.first), (vec![5], 4));
        f.now_ms += 6000;
        let found = f.kept("log:a", Some(0), 10, keep);
        assert_eq!((offsets(&found), found.first, found.top), (vec![], 6, 5), "exactly ten ago");
        assert_eq!(f.publish(NewPublication { keep, ..draft("log:a", &ana, "6") }).0, 6);
        assert_eq!(offsets(&f.kept("log:a", Some(0), 10, keep)), [6]);
    }

    fn less_may_be_kept_from_now_on(f) {
        let ana = f.user("ana");
        for number in 1..=200 {
            f.publish(draft("log:a", &ana, &number.to_string()));
        }
        let keep = Keep { messages: Some(5), seconds: None };
        assert_eq!(f.kept("log:a", Some(0), 300, keep).first, 196);
        for number in 201..=204 {
            f.publish(NewPublication { keep, ..draft("log:a", &ana, &number.to_string()) });
            let found = f.kept("log:a", Some(0), 300, keep);
            assert_eq!(offsets(&found), (number - 4..=number).collect::<Vec<_>>());
        }
        // What went does not come back when more may be kept again.
        assert_eq!(offsets(&f.kept("log:a", Some(0), 300, ALL)), (200..=204).collect::<Vec<_>>());
    }

    fn who_is_unknown_publishes_nothing(f) {
        f.user("ana");
        assert_eq!(f.refused(Write::Publish(draft("log:a", &user("eve"), "1"))), Refusal::NoUser);
        assert_eq!(f.kept("log:a", None, 1, ALL).top, 0);
    }
}

/// Numbers, names and time stamps outlive the process.
#[test]
fn a_restart_changes_nothing() {
    let dir = Dir::new();
    let ana = user("ana");
    let commit = |store: &mut dyn Store, at, write| {
        let mut out = Vec::new();
        store.commit(now(at), &[write], &mut out);
        match out.remove(0) {
            Ok(Written::Published { offset, publication, .. }) => (offset, publication),
            Ok(_) => (0, None),
            Err(error) => panic!("{error:?}"),
        }
    };
    let named = NewPublication { client_id: Some("x".into()), ..draft("log:a", &ana, "1") };
    let mut store = dir.open();
    commit(&mut store, START_MS, Write::Admit { user: ana.clone(), name: None });
    let first = commit(&mut store, START_MS + 100, Write::Publish(named.clone()));
    drop(store);
    let mut store = dir.open();
    assert_eq!(commit(&mut store, START_MS, Write::Publish(named)), (1, None));
    let (offset, second) = commit(&mut store, START_MS, Write::Publish(draft("log:a", &ana, "2")));
    assert_eq!((offset, second.expect("it is new").at.0), (2, START_MS + 100), "never back");
    let read = Read::Publications {
        channel: "log:a".into(),
        after: Some(0),
        limit: 10,
        keep: ALL,
        now_ms: START_MS,
    };
    let Ok(Found::Publications(found)) = store.reader().expect("a reader").read(&read) else {
        panic!("not publications");
    };
    assert_eq!(found.events[0], *first.1.expect("it was new"));
}
