//! A write error of the operating system: nothing is acknowledged after it, nothing before is lost.
//!
//! Law: SPEC §5, "an fsync error is fatal: no ack after it". The kernel is made to refuse writes by
//! `RLIMIT_FSIZE`, which holds for a whole process: this file is a test of its own for that reason.
#![cfg(all(feature = "sqlite", feature = "net"))]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use stentor::base::id::{Id, UserId};
use stentor::base::now::Now;
use stentor::store::sqlite::{Options, SqliteStore};
use stentor::store::{Error, Found, NewMessage, Read, Store, Target, Write, Written};

const CHAT: Id = Id(1);

fn user() -> UserId {
    UserId::parse("ann").expect("an id")
}

fn commit(store: &mut SqliteStore, write: Write) -> Result<Written, Error> {
    let now = Now { monotonic: Duration::ZERO, unix_ms: 1_800_000_000_000 };
    let mut out = Vec::new();
    store.commit(now, &[write], &mut out);
    out.remove(0)
}

fn say(store: &mut SqliteStore, id: u128) -> Result<Written, Error> {
    let message = NewMessage {
        id: Id(id),
        target: Target::Chat(CHAT),
        sender: user(),
        content: "x".repeat(5_000).into(),
        client_id: None,
        reply_to: None,
        metadata: None,
    };
    commit(store, Write::Message(message))
}

fn stored(store: &SqliteStore) -> Vec<u128> {
    let read = Read::Messages { chat: CHAT, user: user(), before: None, after: None, limit: 300 };
    match store.reader().expect("a reader").read(&read) {
        Ok(Found::Messages { messages, .. }) => messages.iter().map(|m| m.id.0).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn after_a_write_error_nothing_is_acknowledged_and_a_restart_has_all_that_was() {
    // The kernel kills who writes beyond the limit, unless the signal is caught.
    let caught = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(signal_hook::consts::SIGXFSZ, caught).expect("registers");
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fatal-{}", std::process::id()));
    let mut store = SqliteStore::open(&dir, Options::default()).expect("opens");
    commit(&mut store, Write::Admit { user: user(), name: None }).expect("admitted");
    let name = Arc::from("g");
    let members = vec![];
    commit(&mut store, Write::CreateGroup { chat: CHAT, by: user(), name, members }).expect("made");
    say(&mut store, 10).expect("stored");

    let (soft, hard) = rlimit::Resource::FSIZE.get().expect("a limit");
    let wal = std::fs::metadata(dir.join("stentor.db-wal")).expect("a WAL").len();
    rlimit::Resource::FSIZE.set(wal + 1_000, hard).expect("lowered");
    assert!(matches!(say(&mut store, 11), Err(Error::Fatal(_))));
    rlimit::Resource::FSIZE.set(soft, hard).expect("raised");

    // The disk works again; what it lost meanwhile nobody knows.
    assert!(matches!(say(&mut store, 12), Err(Error::Fatal(_))));
    store.idle();
    assert!(matches!(say(&mut store, 12), Err(Error::Fatal(_))));
    assert_eq!(stored(&store), [10]);
    drop(store);

    let mut store = SqliteStore::open(&dir, Options::default()).expect("opens");
    assert_eq!(stored(&store), [10]);
    let Ok(Written::Message { message, .. }) = say(&mut store, 12) else { panic!("not stored") };
    assert_eq!(message.seq, 2);
    drop(store);
    std::fs::remove_dir_all(&dir).expect("removed");
}
