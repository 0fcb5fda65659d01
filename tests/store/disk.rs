//! What only a disk can break: restarts, stops without warning, a full disk, foreign and damaged files.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use stentor::message::record::Visibility;
use stentor::store::sqlite::{OpenError, Options, SqliteStore};
use stentor::store::{Error, Found, NewMessage, Read, Refusal, Store, Write, Written};

use crate::backends::{Dir, Fixture, START_MS, now, register, session, user};

fn refused(dir: &Dir) -> OpenError {
    match SqliteStore::open(&dir.0, Options::default()) {
        Ok(_) => panic!("opened"),
        Err(error) => error,
    }
}

/// The files as another process would find them after this one was killed now.
fn killed(dir: &Dir) -> Dir {
    let copy = Dir::new();
    fs::create_dir_all(&copy.0).expect("a directory");
    for entry in fs::read_dir(&dir.0).expect("the directory") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name");
        // The shared index is memory; it is not there after a power cut.
        if name != "stentor.db-shm" && name != "stentor.lock" {
            fs::copy(&path, copy.0.join(name)).expect("a copy");
        }
    }
    copy
}

/// Everything a user can see, for comparing before and after.
fn seen(f: &mut Fixture) -> String {
    let mut all = String::new();
    for name in ["u-1", "ann", "bob"] {
        let user = user(name);
        let Found::Chats(chats) = f.found(&Read::Chats { user: user.clone() }) else {
            panic!("not chats");
        };
        for view in chats {
            let chat = view.chat.id;
            let (messages, log) = (f.messages(chat, &user), f.log(chat, &user));
            all.push_str(&format!("{view:?}\n{messages:?}\n{log:?}\n"));
        }
        let sessions = f.found(&Read::Sessions { user, now_ms: START_MS });
        all.push_str(&format!("{sessions:?}\n"));
    }
    all
}

#[test]
fn everything_is_there_after_a_restart_and_after_a_stop_without_warning() {
    for kill in [false, true] {
        let dir = Dir::new();
        let mut f = Fixture::new(Box::new(dir.open()), None);
        let (a, b) = (f.user("ann"), f.user("bob"));
        let one = f.id();
        f.ok(register(&user("u-1"), "carol", session(one, 1)));
        let rotate = |used, next| Write::Rotate {
            session: one,
            used: [used; 32],
            next: [next; 32],
            expires_ms: START_MS + 9_000_000,
        };
        f.ok(rotate(1, 2));
        f.ok(Write::RevokeToken { jti: Arc::from("j"), expires_ms: START_MS + 1 });
        let chat = f.room(&a, Visibility::Public, "room");
        f.ok(Write::Join { chat, user: b.clone() });
        let mut draft = f.draft(chat, &a, "first");
        draft.client_id = Some(Arc::from("c"));
        f.ok(Write::Message(draft.clone()));
        let gone = f.say(chat, &b, "gone");
        f.now_ms += 50_000;
        f.ok(Write::Delete { message: gone.id, by: b.clone() });
        f.ok(Write::MarkRead { chat, user: a.clone(), seq: 2 });
        let before = seen(&mut f);

        let copy = kill.then(|| killed(&dir));
        let again = draft.clone();
        let again = NewMessage { id: f.id(), ..again };
        drop(f);
        let store = copy.as_ref().unwrap_or(&dir).open();
        let mut f = Fixture::new(Box::new(store), None);
        assert_eq!(seen(&mut f), before, "killed: {kill}");
        let Written::Message { message, duplicate: true, .. } = f.ok(Write::Message(again)) else {
            panic!("a duplicate was stored");
        };
        assert_eq!(message.id, draft.id);
        // The clock stands where it began; time does not go back all the same.
        let next = NewMessage { id: one, client_id: None, ..draft };
        let Written::Message { message, logged: Some(logged), .. } = f.ok(Write::Message(next))
        else {
            panic!("not stored");
        };
        assert_eq!((message.seq, logged.offset), (3, 6));
        assert_eq!(logged.at.0, START_MS + 50_000);
        assert_eq!(f.refused(rotate(1, 3)), Refusal::TokenReused);
        let standing = Read::Standing {
            user: a,
            session: None,
            jti: Some(Arc::from("j")),
            issued_s: None,
            now_ms: START_MS,
        };
        assert!(matches!(f.found(&standing), Found::Standing { stands: false, .. }));
    }
}

#[test]
fn a_clean_stop_leaves_nothing_in_the_wal() {
    let dir = Dir::new();
    let mut f = Fixture::new(Box::new(dir.open()), None);
    f.user("ann");
    let wal = dir.0.join("stentor.db-wal");
    assert!(fs::metadata(&wal).expect("a WAL").len() > 0);
    let Fixture { store, reader, .. } = f;
    drop(store);
    assert_eq!(fs::metadata(&wal).map_or(0, |wal| wal.len()), 0);
    drop(reader);
}

#[test]
fn a_batch_that_was_not_committed_is_not_there() {
    let dir = Dir::new();
    let mut f = Fixture::new(Box::new(dir.open()), None);
    f.user("ann");
    let wal = dir.0.join("stentor.db-wal");
    let committed = fs::metadata(&wal).expect("a WAL").len();
    f.user("bob");
    let copy = killed(&dir);
    // The second commit had not reached the disk.
    let file = fs::OpenOptions::new().write(true).open(copy.0.join("stentor.db-wal"));
    file.expect("the WAL").set_len(committed + 1000).expect("cut");
    let mut f = Fixture::new(Box::new(copy.open()), None);
    let known = |name: &str| Read::Standing {
        user: user(name),
        session: None,
        jti: None,
        issued_s: None,
        now_ms: 0,
    };
    assert!(matches!(f.found(&known("ann")), Found::Standing { user: Some(_), .. }));
    assert!(matches!(f.found(&known("bob")), Found::Standing { user: None, .. }));
}

#[test]
fn a_full_disk_stores_nothing_and_leaves_no_hole() {
    let dir = Dir::new();
    let mut store = dir.open();
    let mut reader = store.reader().expect("a reader");
    let mut out = Vec::new();
    let (chat, a) = (stentor::base::id::Id(1), user("ann"));
    let room = Write::CreateGroup { chat, by: a.clone(), name: Arc::from("g"), members: vec![] };
    store.commit(now(START_MS), &[Write::Admit { user: a.clone(), name: None }, room], &mut out);
    assert!(out.iter().all(Result::is_ok));
    let message = |id: u128| {
        Write::Message(NewMessage {
            id: stentor::base::id::Id(id),
            target: stentor::store::Target::Chat(chat),
            sender: a.clone(),
            content: "x".repeat(2000).into(),
            client_id: None,
            reply_to: None,
            metadata: None,
        })
    };
    store.set_pages_max(Some(60)).expect("a bound");
    let (mut stored, mut full) = (0, 0);
    for round in 0..40 {
        let batch: Vec<_> = (0..3).map(|n| message(10 + round * 3 + n)).collect();
        out.clear();
        store.commit(now(START_MS), &batch, &mut out);
        match &out[..] {
            [Ok(_), Ok(_), Ok(_)] => stored += 3,
            [Err(Error::Full), Err(Error::Full), Err(Error::Full)] => full += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(stored > 0 && full > 1, "{stored} {full}");
    let all = Read::Messages { chat, user: a.clone(), before: None, after: None, limit: 300 };
    let mut seqs = || match reader.read(&all) {
        Ok(Found::Messages { messages, .. }) => messages.iter().map(|m| m.seq).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    // Reads go on, and show what was acknowledged.
    assert_eq!(seqs(), (1..=stored).collect::<Vec<_>>());
    store.set_pages_max(None).expect("no bound");
    out.clear();
    store.commit(now(START_MS), &[message(9)], &mut out);
    assert!(out[0].is_ok());
    assert_eq!(seqs(), (1..=stored + 1).collect::<Vec<_>>());
}

#[test]
fn a_long_run_keeps_the_wal_short() {
    let dir = Dir::new();
    let mut f = Fixture::new(Box::new(dir.open()), None);
    let a = f.user("ann");
    let chat = f.group(&a, &[]);
    let text = "x".repeat(30_000);
    let longest = |dir: &Dir| fs::metadata(dir.0.join("stentor.db-wal")).expect("a WAL").len();
    for idle in [false, true] {
        for _ in 0..60 {
            let batch: Vec<_> = (0..30).map(|_| Write::Message(f.draft(chat, &a, &text))).collect();
            assert!(f.batch(&batch).iter().all(Result::is_ok));
            if idle {
                f.store.idle();
            }
        }
    }
    // 110 MB went through it.
    assert!(longest(&dir) < 24 << 20, "{}", longest(&dir));
    assert_eq!(f.view(chat, &a).chat.last_seq, 3600);
}

#[test]
fn a_second_server_is_refused_until_the_first_is_gone() {
    let dir = Dir::new();
    let first = dir.open();
    let error = refused(&dir);
    assert!(
        matches!(error, OpenError::InUse { process: Some(id), .. } if id == std::process::id())
    );
    let told = error.to_string();
    assert!(told.contains("--data") && told.contains(&std::process::id().to_string()), "{told}");
    drop(first);
    dir.open();
}

#[test]
fn the_files_are_their_owner_s_only() {
    let dir = Dir::new();
    let mut f = Fixture::new(Box::new(dir.open()), None);
    f.user("ann");
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(&dir.0), 0o700);
    for name in ["stentor.db", "stentor.db-wal", "stentor.db-shm", "stentor.lock"] {
        assert_eq!(mode(&dir.0.join(name)), 0o600, "{name}");
    }
}

#[test]
fn a_file_that_is_not_ours_is_refused_and_left_alone() {
    let sqlite = {
        let dir = Dir::new();
        fs::create_dir_all(&dir.0).expect("a directory");
        let path = dir.0.join("other.db");
        let conn = rusqlite::Connection::open(&path).expect("opens");
        conn.execute_batch("CREATE TABLE t (x); INSERT INTO t VALUES (1)").expect("runs");
        drop(conn);
        fs::read(path).expect("reads")
    };
    for content in [b"x".to_vec(), vec![0; 4096], b"SQLite format 3\0".to_vec(), sqlite] {
        let dir = Dir::new();
        fs::create_dir_all(&dir.0).expect("a directory");
        let path = dir.0.join("stentor.db");
        fs::write(&path, &content).expect("writes");
        let error = refused(&dir);
        assert!(matches!(error, OpenError::Foreign(_)), "{error:?}");
        assert!(error.to_string().contains("not a Stentor database"));
        assert_eq!(fs::read(&path).expect("reads"), content);
    }
}

#[test]
fn an_empty_file_is_a_new_database_but_not_beside_a_wal() {
    let dir = Dir::new();
    fs::create_dir_all(&dir.0).expect("a directory");
    fs::write(dir.0.join("stentor.db"), b"").expect("writes");
    let mut f = Fixture::new(Box::new(dir.open()), None);
    f.user("ann");
    let copy = killed(&dir);
    for truncate in [true, false] {
        if truncate {
            fs::write(copy.0.join("stentor.db"), b"").expect("writes");
        } else {
            fs::remove_file(copy.0.join("stentor.db")).expect("removes");
        }
        assert!(matches!(refused(&copy), OpenError::Damaged(..)));
        assert!(fs::metadata(copy.0.join("stentor.db-wal")).expect("kept").len() > 0);
    }
}

#[test]
fn a_newer_schema_is_refused_and_an_unfinished_migration_begins_again() {
    let dir = Dir::new();
    drop(dir.open());
    let path = dir.0.join("stentor.db");
    let set = |version: u32| {
        let conn = rusqlite::Connection::open(&path).expect("opens");
        conn.pragma_update(None, "user_version", version).expect("sets");
    };
    set(999);
    let error = refused(&dir);
    assert!(matches!(error, OpenError::Newer { found: 999, .. }), "{error:?}");
    assert!(error.to_string().contains("newer"), "{error}");
    let fresh = Dir::new();
    fs::create_dir_all(&fresh.0).expect("a directory");
    // Killed between the mark of the file and the first migration.
    let conn = rusqlite::Connection::open(fresh.0.join("stentor.db")).expect("opens");
    conn.pragma_update(None, "application_id", 0x5374_656e).expect("sets");
    drop(conn);
    let mut f = Fixture::new(Box::new(fresh.open()), None);
    f.user("ann");
}

#[test]
fn a_damaged_file_is_found_after_an_unclean_stop() {
    let dir = Dir::new();
    let mut f = Fixture::new(Box::new(dir.open()), None);
    let a = f.user("ann");
    let chat = f.group(&a, &[]);
    for _ in 0..200 {
        f.say(chat, &a, &"x".repeat(300));
    }
    drop(f);
    let mut f = Fixture::new(Box::new(dir.open()), None);
    f.user("bob");
    let copy = killed(&dir);
    copy.open();
    let copy = killed(&dir);
    let path = copy.0.join("stentor.db");
    let mut bytes = fs::read(&path).expect("reads");
    for page in bytes.chunks_mut(4096).skip(2) {
        page[..64].fill(0x5a);
    }
    fs::write(&path, &bytes).expect("writes");
    let error = refused(&copy);
    assert!(matches!(error, OpenError::Damaged(..)), "{error:?}");
    assert!(error.to_string().contains("backup"));
    let truncated = killed(&dir);
    let path = truncated.0.join("stentor.db");
    fs::write(&path, &fs::read(&path).expect("reads")[..8192]).expect("writes");
    assert!(matches!(refused(&truncated), OpenError::Damaged(..)));
}

#[test]
fn a_busy_database_is_unavailable_and_then_available_again() {
    let dir = Dir::new();
    let options = Options { busy_timeout: std::time::Duration::ZERO, ..Options::default() };
    let store = SqliteStore::open(&dir.0, options).expect("opens");
    let mut f = Fixture::new(Box::new(store), None);
    let a = f.user("ann");
    let chat = f.group(&a, &[]);
    let other = rusqlite::Connection::open(dir.0.join("stentor.db")).expect("opens");
    other.execute_batch("BEGIN IMMEDIATE").expect("locks");
    let draft = f.draft(chat, &a, "x");
    assert!(matches!(f.one(Write::Message(draft.clone())), Err(Error::Unavailable(_))));
    assert_eq!(f.messages(chat, &a), []);
    other.execute_batch("COMMIT").expect("unlocks");
    assert!(matches!(f.ok(Write::Message(draft)), Written::Message { duplicate: false, .. }));
}

#[test]
fn a_write_that_sqlite_refuses_does_not_take_the_others_down() {
    let dir = Dir::new();
    let mut f = Fixture::new(Box::new(dir.open()), None);
    let a = f.user("ann");
    let chat = f.group(&a, &[]);
    let other = rusqlite::Connection::open(dir.0.join("stentor.db")).expect("opens");
    let trigger = "CREATE TRIGGER t AFTER INSERT ON log WHEN NEW.number = 2 \
        BEGIN SELECT RAISE(ABORT, 'planted'); END";
    other.execute_batch(trigger).expect("planted");
    let batch: Vec<_> = (0..3).map(|_| Write::Message(f.draft(chat, &a, "x"))).collect();
    let out = f.batch(&batch);
    assert!(matches!(&out[..], [Ok(_), Err(Error::Unavailable(_)), Err(Error::Unavailable(_))]));
    assert_eq!(f.messages(chat, &a).len(), 1);
    other.execute_batch("DROP TRIGGER t").expect("dropped");
    assert_eq!(f.say(chat, &a, "x").seq, 2);
}

#[test]
fn a_directory_that_cannot_be_used_is_named() {
    let dir = Dir::new();
    fs::create_dir_all(&dir.0).expect("a directory");
    fs::write(dir.0.join("file"), b"").expect("writes");
    let error =
        SqliteStore::open(&dir.0.join("file/data"), Options::default()).expect_err("refused");
    assert!(matches!(error, OpenError::Io(..)), "{error:?}");
    assert!(error.to_string().contains("file/data"), "{error}");
}
