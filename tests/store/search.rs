//! Search: which messages are found, by whom, in which order; SQLite against memory over random chats;
//! the index of a database from before search.

use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestError, TestRunner};

use stentor::base::id::{Id, UserId};
use stentor::message::record::{ChatMessage, Visibility};
use stentor::store::memory::MemoryStore;
use stentor::store::search::Query;
use stentor::store::sync::BYTES_MAX;
use stentor::store::{
    Error, Found, NewMessage, Read, Reader, Refusal, Store, Target, Write, Written,
};

use crate::backends::{Dir, Fixture, START_MS, contract, now, planted_runner, user};

/// More than SQLite puts into its index at once, so that some are in it and some are not.
const MANY: usize = 300;

fn search(user: &UserId, chat: Option<Id>, text: &str, limit: u32) -> Read {
    let query = Query::parse(text).expect("a query");
    Read::Search { user: user.clone(), chat, query, limit }
}

fn page(f: &mut Fixture, read: &Read) -> (Vec<Arc<ChatMessage>>, bool) {
    match f.found(read) {
        Found::Messages { messages, more } => (messages, more),
        other => panic!("{other:?}"),
    }
}

/// The texts that `user` finds, the newest first.
fn texts(f: &mut Fixture, user: &UserId, text: &str) -> Vec<String> {
    let (messages, more) = page(f, &search(user, None, text, 300));
    assert!(!more);
    messages.iter().map(|message| message.content.to_string()).collect()
}

/// Says so many at once.
fn say_many(f: &mut Fixture, chat: Id, by: &UserId, text: impl Fn(usize) -> String) -> Said {
    let drafts: Vec<_> = (0..MANY).map(|n| Write::Message(f.draft(chat, by, &text(n)))).collect();
    let stored = |outcome| match outcome {
        Ok(Written::Message { message, duplicate: false, .. }) => message,
        other => panic!("{other:?}"),
    };
    f.batch(&drafts).into_iter().map(stored).collect()
}

type Said = Vec<Arc<ChatMessage>>;

fn edit(f: &mut Fixture, message: &ChatMessage, text: &str) {
    let by = message.sender.id.clone();
    f.ok(Write::Edit { message: message.id, by, content: Arc::from(text) });
}

fn delete(f: &mut Fixture, message: &ChatMessage) {
    f.ok(Write::Delete { message: message.id, by: message.sender.id.clone() });
}

contract! {
    fn whole_words_are_found_without_case_and_accents(f) {
        let a = f.user("ann");
        let chat = f.group(&a, &[]);
        for text in ["Meet me at the Café, 8:30", "the cafeteria", "東京タワー", "cre\u{300}me"] {
            f.say(chat, &a, text);
        }
        for (query, found) in [
            ("cafe", &["Meet me at the Café, 8:30"][..]),
            ("THE", &["the cafeteria", "Meet me at the Café, 8:30"]),
            ("the CAFÉ! at", &["Meet me at the Café, 8:30"]),
            ("8 30", &["Meet me at the Café, 8:30"]),
            ("the tower", &[]),
            ("caf", &[]),
            ("京東", &["東京タワー"]),
            ("crème", &["cre\u{300}me"]),
        ] {
            assert_eq!(texts(f, &a, query), found, "{query}");
        }
    }

    fn a_query_is_no_language(f) {
        let a = f.user("ann");
        let chat = f.group(&a, &[]);
        say_many(f, chat, &a, |_| "alpha words beta".to_owned());
        for query in [
            "alpha OR gamma", "alpha NOT beta", "alph*", "words:alpha gamma",
            "NEAR(alpha beta)", "^alpha gamma", "-words alpha gamma", "alpha') OR 1=1 --", "alpha AND",
        ] {
            assert_eq!(texts(f, &a, query), [""; 0], "{query}");
        }
        for query in ["\"alpha beta", "\"beta alpha\"", "alpha + beta", "(words)", "'alpha'"] {
            assert_eq!(texts(f, &a, query).len(), MANY, "{query}");
        }
    }

    fn the_newest_of_all_chats_come_first(f) {
        let (a, b) = (f.user("ann"), f.user("bob"));
        let chats = [f.group(&a, &[&b]), f.group(&b, &[&a]), f.room(&a, Visibility::Private, "r")];
        let mut said = Vec::new();
        for round in 0..3 {
            f.now_ms += 1;
            said.extend(say_many(f, chats[0], &a, |n| format!("number {n}")));
            // Here and there some of the same moment, and some later than all.
            said.push(f.say(chats[1], &a, &format!("number {round} here")));
            f.now_ms += 1;
            said.push(f.say(chats[2], &a, &format!("number {round} there")));
            said.push(f.say(chats[1], &a, "number"));
        }
        said.sort_by_key(|m| std::cmp::Reverse((m.created_at, m.chat_id, m.seq)));
        let all = said.len();
        for (limit, more) in [(1, true), (7, true), (all - 1, true), (all, false), (all + 1, false)] {
            let (found, there) = page(f, &search(&a, None, "number", limit as u32));
            assert_eq!((&found[..], there), (&said[..limit.min(all)], more), "{limit}");
        }
        let (found, more) = page(f, &search(&a, Some(chats[1]), "number", 300));
        let there: Vec<_> = said.iter().filter(|m| m.chat_id == chats[1]).take(300).cloned().collect();
        assert_eq!((found.len(), &found), (there.len(), &there));
        assert!(!more);
        assert_eq!(page(f, &search(&a, None, "299 number", 9)).0.len(), 3);
        // Nobody else's: the room is ann's alone.
        let (found, _) = page(f, &search(&b, None, "number", 999));
        assert!(found.iter().all(|message| message.chat_id != chats[2]) && !found.is_empty());
    }

    fn only_who_may_read_finds(f) {
        let (a, b, c) = (f.user("ann"), f.user("bob"), f.user("cat"));
        let group = f.group(&a, &[&b]);
        let open = f.room(&a, Visibility::Public, "open");
        for chat in [group, open] {
            say_many(f, chat, &a, |_| "secret".to_owned());
        }
        let nowhere = f.id();
        for (user, chat) in [(&c, group), (&c, open), (&b, open), (&a, nowhere)] {
            let read = search(user, Some(chat), "secret", 9);
            assert_eq!(f.read(&read), Err(Error::Refused(Refusal::NoChat)));
        }
        assert_eq!(texts(f, &c, "secret"), [""; 0]);
        assert_eq!(texts(f, &user("nobody"), "secret"), [""; 0]);
        assert_eq!(texts(f, &b, "secret").len(), MANY);
        // Who comes reads what was there before; who goes reads nothing of it any more.
        f.ok(Write::Join { chat: open, user: c.clone() });
        assert_eq!(texts(f, &c, "secret").len(), MANY);
        f.ok(Write::Leave { chat: open, user: c.clone() });
        f.ok(Write::RemoveMember { chat: group, by: a.clone(), user: b.clone() });
        for user in [&b, &c] {
            assert_eq!(texts(f, user, "secret"), [""; 0]);
            let read = search(user, Some(group), "secret", 9);
            assert_eq!(f.read(&read), Err(Error::Refused(Refusal::NoChat)));
        }
    }

    fn what_is_edited_or_deleted_is_found_as_it_is_now(f) {
        let a = f.user("ann");
        let chat = f.group(&a, &[]);
        let said = say_many(f, chat, &a, |n| format!("word{n} old"));
        // Some of the first messages, and some of the last.
        for n in [0, 1, 126, 127, MANY - 2, MANY - 1] {
            edit(f, &said[n], &format!("new other{n}"));
        }
        assert_eq!(texts(f, &a, "old").len(), MANY - 6);
        assert_eq!(texts(f, &a, "new").len(), 6);
        assert_eq!(texts(f, &a, "word126"), [""; 0]);
        assert_eq!(texts(f, &a, "other126"), ["new other126"]);
        for n in [1, 2, 127, MANY - 1] {
            delete(f, &said[n]);
        }
        assert_eq!((texts(f, &a, "old").len(), texts(f, &a, "new").len()), (MANY - 7, 3));
        // To no words and back, and the same twice in a batch.
        edit(f, &said[0], "…");
        assert_eq!(texts(f, &a, "new").len(), 2);
        let again = |text: &str| {
            let (message, by) = (said[0].id, said[0].sender.id.clone());
            Write::Edit { message, by, content: Arc::from(text) }
        };
        assert!(f.batch(&[again("new once"), again("new twice")]).iter().all(Result::is_ok));
        assert_eq!((texts(f, &a, "once"), texts(f, &a, "twice")), (vec![], vec!["new twice".into()]));
        // Deleted before its chunk is full, it never comes up.
        say_many(f, chat, &a, |_| "filler".to_owned());
        assert_eq!((texts(f, &a, "old").len(), texts(f, &a, "new").len()), (MANY - 7, 3));
    }

    fn a_message_is_found_as_soon_as_it_is_stored(f) {
        let a = f.user("ann");
        let chat = f.group(&a, &[]);
        say_many(f, chat, &a, |n| format!("n{n}"));
        for n in MANY..MANY + 20 {
            f.say(chat, &a, &format!("n{n}"));
            assert_eq!(texts(f, &a, &format!("n{n}")), [format!("n{n}")]);
        }
        // All of them in one commit, some of which are refused.
        let stranger = f.user("bob");
        let drafts: Vec<_> = (0..MANY)
            .map(|n| f.draft(chat, if n % 9 == 0 { &stranger } else { &a }, "together"))
            .map(Write::Message)
            .collect();
        let stored = f.batch(&drafts).iter().filter(|outcome| outcome.is_ok()).count();
        assert_eq!(texts(f, &a, "together").len(), stored);
    }

    fn an_answer_is_bounded(f) {
        let a = f.user("ann");
        let chat = f.group(&a, &[]);
        let long = format!("needle {}", "x".repeat(60_000));
        (0..12).for_each(|_| drop(f.say(chat, &a, &long)));
        let (found, more) = page(f, &search(&a, None, "needle", 300));
        assert_eq!((found.len(), more), (BYTES_MAX / long.len(), true));
        // One is told however long it is.
        f.say(chat, &a, &format!("haystack {}", "y ".repeat(BYTES_MAX / 2)));
        assert_eq!(page(f, &search(&a, None, "haystack", 300)).0.len(), 1);
        assert_eq!(page(f, &search(&a, None, "needle haystack", 300)), (vec![], false));
    }
}

/// What happens to some chats, for both stores.
#[derive(Clone, Debug)]
enum Step {
    Commit(Vec<Write>),
    Ask(Read),
    Reopen,
}

fn sentences() -> impl Strategy<Value = Arc<str>> {
    let word = prop::sample::select(&["red", "Green", "blüe", "it's", "", "緑青", "NOT", "x*"][..]);
    prop::collection::vec(word, 0..5).prop_map(|words| Arc::from(words.join(" ")))
}

fn queries() -> impl Strategy<Value = Query> {
    const TEXTS: &[&str] =
        &["red", "GREEN", "blue s", "青", "red not", "x it", "red red green", "rede"];
    prop::sample::select(TEXTS).prop_map(|text| Query::parse(text).expect("a query"))
}

/// Batches of messages with an edit or a deletion here and there, and members who come and go.
fn steps() -> impl Strategy<Value = Vec<Step>> {
    let users = || (0..3u8).prop_map(|n| user(&format!("u{n}")));
    let chats = || (1..4u128).prop_map(Id);
    let message = || (100..600u128).prop_map(Id);
    let write = prop_oneof![
        16 => (chats(), users(), sentences()).prop_map(|(chat, sender, content)| {
            let (target, id) = (Target::Chat(chat), Id(0));
            let (client_id, reply_to, metadata) = (None, None, None);
            Write::Message(NewMessage { id, target, sender, content, client_id, reply_to, metadata })
        }),
        2 => (message(), users(), sentences())
            .prop_map(|(message, by, content)| Write::Edit { message, by, content }),
        2 => (message(), users()).prop_map(|(message, by)| Write::Delete { message, by }),
        1 => (chats(), users()).prop_map(|(chat, user)| Write::Join { chat, user }),
        1 => (chats(), users()).prop_map(|(chat, user)| Write::Leave { chat, user }),
    ];
    let ask = (users(), prop::option::of(chats()), queries(), 0..90u32);
    let ask = ask.prop_map(|(user, chat, query, limit)| Read::Search { user, chat, query, limit });
    let step = prop_oneof![
        6 => prop::collection::vec(write, 1..120).prop_map(Step::Commit),
        6 => ask.prop_map(Step::Ask),
        1 => Just(Step::Reopen),
    ];
    prop::collection::vec(step, 1..24)
}

/// Users, and rooms that everybody may join.
fn beginning() -> Vec<Write> {
    let admit = |n| Write::Admit { user: user(&format!("u{n}")), name: None };
    let room = |n: u8| {
        let (chat, by) = (Id(u128::from(n) + 1), user(&format!("u{n}")));
        let (name, visibility) = (Arc::from("room"), Visibility::Public);
        Write::CreateRoom { chat, by, name, visibility, metadata: None }
    };
    (0..3).map(admit).chain((0..3).map(room)).collect()
}

/// Runs `steps` on memory and on SQLite, the latter through `bug`; both must find the same.
fn same(steps: &[Step], bug: fn(Write) -> Write) -> Result<(), TestCaseError> {
    let dir = Dir::new();
    let (mut memory, mut sqlite) = (MemoryStore::new(), Some(dir.open()));
    let (mut clock, mut next) = (START_MS, 100);
    let mut answers: Box<dyn Reader> = memory.reader().expect("a reader");
    let mut asked: Vec<&Read> = Vec::new();
    let mut commit = |sqlite: &mut dyn Store, batch: &[Write]| {
        clock += 1;
        let numbered = |write: &Write| match write.clone() {
            Write::Message(message) => {
                next += 1;
                Write::Message(NewMessage { id: Id(next), ..message })
            }
            other => other,
        };
        let batch: Vec<Write> = batch.iter().map(numbered).collect();
        let mut out: Vec<Result<Written, Error>> = Vec::new();
        memory.commit(now(clock), &batch, &mut out);
        let batch: Vec<Write> = batch.into_iter().map(bug).collect();
        sqlite.commit(now(clock), &batch, &mut out);
    };
    let open = sqlite.as_mut().expect("it is open");
    commit(open, &beginning());
    for step in steps {
        let open = sqlite.get_or_insert_with(|| dir.open());
        match step {
            Step::Commit(batch) => commit(open, batch),
            Step::Ask(read) => asked.push(read),
            Step::Reopen => sqlite = None,
        }
        let Step::Ask(read) = step else { continue };
        let found = sqlite.as_ref().expect("it is open").reader().expect("a reader").read(read);
        prop_assert_eq!(found, answers.read(read), "{:?}", read);
    }
    // In the end everything that was asked is asked once more.
    let open = sqlite.unwrap_or_else(|| dir.open());
    let mut reader = open.reader().expect("a reader");
    for read in asked {
        prop_assert_eq!(reader.read(read), answers.read(read), "{:?}", read);
    }
    Ok(())
}

fn config(cases: u32, max_shrink_iters: u32) -> Config {
    Config { cases, max_shrink_iters, failure_persistence: None, ..Config::default() }
}

fn run(mut runner: TestRunner, bug: fn(Write) -> Write) -> Result<(), TestError<Vec<Step>>> {
    runner.run(&steps(), |steps| same(&steps, bug))
}

#[test]
fn sqlite_and_memory_find_the_same() {
    if let Err(error) = run(TestRunner::new(config(32, 500)), |write| write) {
        panic!("{error}");
    }
}

#[test]
fn a_planted_bug_is_found() {
    let forgets_edits = |write| match write {
        Write::Edit { message, by, .. } => Write::Edit { message, by, content: Arc::from("red") },
        other => other,
    };
    assert!(run(planted_runner(config(256, 0)), forgets_edits).is_err());
}

/// The database as a server without search left it.
fn older(dir: &Dir) -> rusqlite::Connection {
    let conn = rusqlite::Connection::open(dir.0.join("stentor.db")).expect("opens");
    conn.execute_batch(
        "DROP TABLE search; ALTER TABLE counters DROP COLUMN indexed_seq; PRAGMA user_version = 5;",
    )
    .expect("an older schema");
    conn
}

#[test]
fn an_older_database_is_indexed_when_it_is_opened() {
    let dir = Dir::new();
    let mut f = Fixture::new(Box::new(dir.open()), None);
    let a = f.user("ann");
    let chats = [f.group(&a, &[]), f.group(&a, &[])];
    for chat in chats {
        let batch: Vec<_> =
            (0..300).map(|n| Write::Message(f.draft(chat, &a, &format!("old n{n}")))).collect();
        assert!(f.batch(&batch).iter().all(Result::is_ok));
    }
    let gone = f.messages(chats[0], &a)[7].clone();
    delete(&mut f, &gone);
    drop(f);
    drop(older(&dir));
    let mut f = Fixture::new(Box::new(dir.open()), None);
    let (found, more) = page(&mut f, &search(&a, None, "old", 999));
    assert_eq!((found.len(), more), (599, false));
    assert_eq!(page(&mut f, &search(&a, Some(chats[1]), "n7 old", 9)).0.len(), 1);
    drop(f);
    let conn = rusqlite::Connection::open(dir.0.join("stentor.db")).expect("opens");
    let count = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, i64>(0)).expect("a count");
    assert_eq!(count("SELECT count(*) FROM search WHERE search MATCH 'old'"), 599);
    assert_eq!(count("SELECT count(*) FROM counters WHERE indexed_seq = 300"), 2);
}
