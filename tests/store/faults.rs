//! The faults of the store in memory: what the simulator injects, and what a crash leaves.

use stentor::store::memory::{Fail, MemoryStore};
use stentor::store::{Error, Write, Written};

use crate::backends::{Fixture, user};

fn fixture() -> (MemoryStore, Fixture) {
    let store = MemoryStore::new();
    (store.clone(), Fixture::new(Box::new(store), None))
}

fn message_seqs(f: &mut Fixture, chat: stentor::base::id::Id) -> Vec<u64> {
    f.messages(chat, &user("ann")).iter().map(|message| message.seq).collect()
}

#[test]
fn a_failed_commit_stores_nothing_and_the_next_one_leaves_no_hole() {
    let (handle, mut f) = fixture();
    let a = f.user("ann");
    let chat = f.group(&a, &[]);
    handle.fail_next(Fail::Full);
    handle.fail_next(Fail::Unavailable);
    let (one, two) = (f.draft(chat, &a, "1"), f.draft(chat, &a, "2"));
    let batch = [Write::Message(one), Write::Message(two)];
    assert_eq!(f.batch(&batch), [Err(Error::Full), Err(Error::Full)]);
    assert!(matches!(
        &f.batch(&batch)[..],
        [Err(Error::Unavailable(_)), Err(Error::Unavailable(_))]
    ));
    assert!(f.batch(&batch).iter().all(Result::is_ok));
    assert_eq!(message_seqs(&mut f, chat), [1, 2]);
}

#[test]
fn after_a_failed_fsync_nothing_is_acknowledged_until_a_restart() {
    for (fail, survived) in [(Fail::Fatal, &[1][..]), (Fail::FatalButWritten, &[1, 2])] {
        let (handle, mut f) = fixture();
        let a = f.user("ann");
        let chat = f.group(&a, &[]);
        f.say(chat, &a, "1");
        handle.fail_next(fail);
        for _ in 0..2 {
            let draft = f.draft(chat, &a, "2");
            assert!(matches!(f.one(Write::Message(draft)), Err(Error::Fatal(_))));
            assert_eq!(message_seqs(&mut f, chat), [1]);
        }
        let mut f = Fixture::new(Box::new(handle.crash()), None);
        assert_eq!(message_seqs(&mut f, chat), survived);
        f.user("bob");
    }
}

#[test]
fn a_crash_leaves_what_was_acknowledged_and_with_lost_syncs_it_does_not() {
    for (lost, survived) in [(false, &[1, 2, 3][..]), (true, &[1])] {
        let (handle, mut f) = fixture();
        let a = f.user("ann");
        let chat = f.group(&a, &[]);
        f.say(chat, &a, "1");
        handle.set_sync_lost(lost);
        f.say(chat, &a, "2");
        f.say(chat, &a, "3");
        assert_eq!(message_seqs(&mut f, chat), [1, 2, 3]);
        let crashed = handle.crash();
        let draft = f.draft(chat, &a, "dead");
        assert!(matches!(f.one(Write::Message(draft)), Err(Error::Fatal(_))));
        let mut f = Fixture::new(Box::new(crashed), None);
        assert_eq!(message_seqs(&mut f, chat), survived);
        // The numbers go on from what is left.
        let draft = f.draft(chat, &a, "4");
        let written = f.ok(Write::Message(stentor::store::NewMessage {
            id: stentor::base::id::Id(u128::MAX),
            ..draft
        }));
        let Written::Message { message, .. } = written else { panic!("?") };
        assert_eq!(message.seq, survived.len() as u64 + 1);
    }
}

#[test]
fn an_honest_sync_makes_everything_durable_again() {
    let (handle, mut f) = fixture();
    let a = f.user("ann");
    let chat = f.group(&a, &[]);
    handle.set_sync_lost(true);
    f.say(chat, &a, "1");
    handle.set_sync_lost(false);
    f.say(chat, &a, "2");
    let mut f = Fixture::new(Box::new(handle.crash()), None);
    assert_eq!(message_seqs(&mut f, chat), [1, 2]);
}
