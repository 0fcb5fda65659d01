//! SQLite against memory: random writes, step by step the same outcomes, at the end the same answers.
//!
//! Ids are drawn from small sets, so that they collide, repeat and miss. A planted bug shows that a
//! difference would be found.

mod kept;

use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestError, TestRunner};

use stentor::base::id::{Id, UserId};
use stentor::base::now::Now;
use stentor::base::time::Timestamp;
use stentor::message::record::{ClientInfo, Role, Visibility};
use stentor::store::execution::ExecutionRead;
use stentor::store::inbox::InboxRead;
use stentor::store::memory::MemoryStore;
use stentor::store::publication::{Keep, NewPublication};
use stentor::store::search::Query;
use stentor::store::sync::Missed;
use stentor::store::{
    Error, Found, NewMessage, NewSession, Read, Reader, Store, Target, Write, Written,
};

use kept::{execution_writes, inbox_reads, inbox_writes};

use crate::backends::user as user_of;
use crate::backends::{Dir, START_MS, now, planted_runner, raw, register, user};

#[derive(Clone, Debug)]
enum Step {
    /// Commits a batch so long after the last one (or before).
    Commit(i64, Vec<Write>),
    /// Closes the database and opens it again.
    Reopen,
    Ask(Read),
}

fn users() -> impl Strategy<Value = UserId> {
    (0..4u8).prop_map(|n| user(&format!("u{n}")))
}

fn chats() -> impl Strategy<Value = Id> {
    (1..6u128).prop_map(Id)
}

fn messages() -> impl Strategy<Value = Id> {
    (100..114u128).prop_map(Id)
}

fn sessions() -> impl Strategy<Value = Id> {
    (200..203u128).prop_map(Id)
}

fn digests() -> impl Strategy<Value = [u8; 32]> {
    (0..3u8).prop_map(|n| [n; 32])
}

fn roles() -> impl Strategy<Value = Role> {
    prop::sample::select(&[Role::User, Role::Service, Role::Admin][..])
}

fn names() -> impl Strategy<Value = Arc<str>> {
    prop::sample::select(&["u0", "U1", "Ann", "aNN", "bob", "Ä", "ä-x"][..]).prop_map(Arc::from)
}

fn metadata() -> impl Strategy<Value = Option<stentor::message::record::Raw>> {
    prop::option::of(prop::sample::select(&["null", "{}", r#"{"a":"\"x"}"#][..]).prop_map(raw))
}

fn visibility() -> impl Strategy<Value = Visibility> {
    prop::sample::select(&[Visibility::Public, Visibility::Private][..])
}

fn new_session() -> impl Strategy<Value = NewSession> {
    (sessions(), digests(), 0..3u64, any::<bool>()).prop_map(|(id, refresh, hours, told)| {
        let expires_ms = START_MS + hours * 3_600_000;
        let client_info = told.then(|| ClientInfo { version: Some("1".into()), ..<_>::default() });
        NewSession { id, refresh, expires_ms, client_info }
    })
}

fn accounts() -> impl Strategy<Value = Write> {
    let hash = || prop::sample::select(&["Ann-hash", "h"][..]).prop_map(Arc::<str>::from);
    let ends = || (0..3u64).prop_map(|hours| START_MS + hours * 3_600_000);
    prop_oneof![
        3 => (users(), names(), prop::option::of(names()), hash(), new_session()).prop_map(
            |(user, username, display_name, password, session)| {
                Write::Register { user, username, display_name, password, session }
            }
        ),
        3 => (users(), prop::option::of(names())).prop_map(|(user, name)| Write::Admit { user, name }),
        2 => (users(), hash(), new_session()).prop_map(|(user, password, session)| {
            Write::OpenSession { user, password, session }
        }),
        4 => (sessions(), digests(), digests(), ends()).prop_map(
            |(session, used, next, expires_ms)| Write::Rotate { session, used, next, expires_ms }
        ),
        1 => (users(), sessions()).prop_map(|(user, session)| Write::RevokeSession { user, session }),
        1 => users().prop_map(|user| Write::RevokeSessions { user }),
        1 => users().prop_map(|user| Write::RevokeUser { user }),
        1 => (users(), roles()).prop_map(|(user, role)| Write::SetRole { user, role }),
        1 => (names(), ends()).prop_map(|(jti, expires_ms)| Write::RevokeToken { jti, expires_ms }),
        1 => (users(), hash(), hash(), prop::option::of(sessions()))
            .prop_map(|(user, old, new, keep)| Write::ChangePassword { user, old, new, keep }),
    ]
}

fn chat_writes() -> impl Strategy<Value = Write> {
    let some_users = || prop::collection::vec(users(), 0..4);
    prop_oneof![
        (chats(), users(), users()).prop_map(|(chat, by, other)| Write::CreateDm {
            chat,
            by,
            other
        }),
        (chats(), users(), names(), some_users())
            .prop_map(|(chat, by, name, members)| Write::CreateGroup { chat, by, name, members }),
        (chats(), users(), names(), visibility(), metadata()).prop_map(
            |(chat, by, name, visibility, metadata)| {
                Write::CreateRoom { chat, by, name, visibility, metadata }
            }
        ),
        (chats(), users()).prop_map(|(chat, user)| Write::Join { chat, user }),
        (chats(), users()).prop_map(|(chat, user)| Write::Leave { chat, user }),
        (chats(), users(), some_users()).prop_map(|(chat, by, users)| Write::AddMembers {
            chat,
            by,
            users
        }),
        (chats(), users(), users()).prop_map(|(chat, by, user)| Write::RemoveMember {
            chat,
            by,
            user
        }),
        (chats(), users(), prop::option::of(names()), prop::option::of(visibility()), metadata())
            .prop_map(|(chat, by, name, visibility, metadata)| Write::UpdateChat {
                chat,
                by,
                name,
                visibility,
                metadata
            }),
    ]
}

fn message_writes() -> impl Strategy<Value = Write> {
    let target = prop_oneof![
        3 => chats().prop_map(Target::Chat),
        1 => (names(), chats()).prop_map(|(username, chat)| Target::User { username, chat }),
    ];
    let content = || names();
    prop_oneof![
        6 => (
            messages(),
            target,
            users(),
            content(),
            prop::option::of(names()),
            prop::option::weighted(0.2, messages()),
            metadata()
        )
            .prop_map(|(id, target, sender, content, client_id, reply_to, metadata)| {
                Write::Message(NewMessage { id, target, sender, content, client_id, reply_to, metadata })
            }),
        2 => (messages(), users(), content())
            .prop_map(|(message, by, content)| Write::Edit { message, by, content }),
        2 => (messages(), users()).prop_map(|(message, by)| Write::Delete { message, by }),
        3 => (chats(), users(), 0..9u64)
            .prop_map(|(chat, user, seq)| Write::MarkRead { chat, user, seq }),
    ]
}

fn keeps() -> impl Strategy<Value = Keep> {
    let seconds = prop::option::of(prop::sample::select(&[1, 60, 600][..]));
    (prop::option::of(1..6u32), seconds).prop_map(|(messages, seconds)| Keep { messages, seconds })
}

fn lines() -> impl Strategy<Value = Arc<str>> {
    prop::sample::select(&["log:a", "log:b"][..]).prop_map(Arc::from)
}

fn publications() -> impl Strategy<Value = Write> {
    let payload = || prop::sample::select(&["1", r#"{"x":"\"y"}"#][..]).prop_map(raw);
    (lines(), users(), names(), payload(), prop::option::of(names()), keeps()).prop_map(
        |(channel, sender, event, payload, client_id, keep)| {
            Write::Publish(NewPublication { channel, sender, event, payload, client_id, keep })
        },
    )
}

fn reads() -> impl Strategy<Value = Read> {
    let place = || prop::option::of(0..12u64);
    let time = || (0..4u64).prop_map(|hours| START_MS + hours * 3_600_000 - 1);
    prop_oneof![
        1 => (users(), prop::option::of(sessions()), prop::option::of(names()), time()).prop_map(
            |(user, session, jti, now_ms)| Read::Standing {
                user,
                session,
                jti,
                issued_s: Some(now_ms / 1000),
                now_ms,
            }
        ),
        1 => (prop::sample::select(&["", "u", "A", "ä", "an"][..]), 0..4u32)
            .prop_map(|(query, limit)| Read::SearchUsers { query: query.into(), limit }),
        1 => (users(), prop::option::of(chats()), prop::sample::select(&["ann", "A", "x a"][..]), 0..4u32)
            .prop_map(|(user, chat, text, limit)| {
                let query = Query::parse(text).expect("a query");
                Read::Search { user, chat, query, limit }
            }),
        1 => (prop::option::of(names()), 0..3u32, prop::option::of(chats()))
            .prop_map(|(query, limit, after)| Read::Rooms { query, limit, after }),
        1 => (chats(), users(), place(), place(), 0..5u32).prop_map(
            |(chat, user, before, after, limit)| Read::Messages {
                chat,
                user,
                before,
                after,
                limit
            }
        ),
        1 => (chats(), users(), place(), 0..5u32).prop_map(|(chat, user, after, limit)| Read::Log {
            chat,
            user,
            after,
            limit
        }),
        2 => (lines(), place(), 0..5u32, keeps(), time()).prop_map(
            |(channel, after, limit, keep, now_ms)| {
                Read::Publications { channel, after, limit, keep, now_ms }
            }
        ),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let writes = prop_oneof![
        2 => accounts(), 4 => chat_writes(), 6 => message_writes(), 4 => inbox_writes(),
        3 => execution_writes(), 2 => publications(),
    ];
    let batch = (-2_000..400_000i64, prop::collection::vec(writes, 1..12));
    let step = prop_oneof![
        12 => batch.prop_map(|(later, batch)| Step::Commit(later, batch)),
        6 => reads().prop_map(Step::Ask),
        3 => inbox_reads().prop_map(Step::Ask),
        1 => Just(Step::Reopen),
    ];
    prop::collection::vec(step, 1..40).prop_map(|mut steps| {
        steps.insert(0, Step::Commit(0, beginning()));
        steps
    })
}

/// Some users, a session and a chat, so that not everything that follows is refused.
fn beginning() -> Vec<Write> {
    let admit = |n| Write::Admit { user: user(&format!("u{n}")), name: None };
    let mut batch: Vec<_> = (1..3).map(admit).collect();
    let new = NewSession {
        id: Id(200),
        refresh: [0; 32],
        expires_ms: START_MS + 7_200_000,
        client_info: None,
    };
    batch.push(register(&user("u0"), "Ann", new));
    let members = vec![user("u1"), user("u2")];
    batch.push(Write::CreateGroup { chat: Id(1), by: user("u0"), name: "g".into(), members });
    batch
}

/// What is asked when all is written.
fn everything() -> Vec<Read> {
    let mut all = vec![Read::Rooms { query: None, limit: 99, after: None }];
    for (user, since) in [("u0", 0), ("u1", 300_000), ("u2", 900_000)] {
        all.push(Read::Sync {
            user: user_of(user),
            teams: Arc::from(["ops".to_owned()]),
            since_ms: START_MS + since,
            limit: 2,
        });
    }
    for team in ["ops", "dev"] {
        let of = ExecutionRead::Of { team: team.into(), status: None, limit: 2 };
        all.push(Read::Execution(of));
    }
    for channel in ["log:a", "log:b", "log:e"] {
        let (keep, now_ms) = (Keep::default(), START_MS);
        let (channel, after) = (channel.into(), Some(0));
        all.push(Read::Publications { channel, after, limit: 999, keep, now_ms });
    }
    for n in 0..4 {
        let user = user(&format!("u{n}"));
        all.push(Read::Arrival { user: user.clone(), device: "a".into() });
        all.push(Read::Inbox(InboxRead::Page {
            user: user.clone(),
            after: Some(0),
            limit: 999,
            bytes: usize::MAX,
            since_ms: 0,
        }));
        all.push(Read::CredentialsOf { user: user.clone() });
        all.push(Read::Sessions { user: user.clone(), now_ms: START_MS });
        all.push(Read::ChatIds { user: user.clone() });
        all.push(Read::Chats { user: user.clone() });
        for chat in (1..6).map(Id) {
            let user = user.clone();
            all.push(Read::Log { chat, user: user.clone(), after: Some(0), limit: 999 });
            all.push(Read::Messages { chat, user, before: None, after: None, limit: 999 });
        }
    }
    all
}

/// Runs `steps` on memory and on SQLite, the latter through `bug`.
fn same(steps: &[Step], bug: fn(&Write) -> Write) -> Result<(), TestCaseError> {
    let dir = Dir::new();
    let (mut memory, mut sqlite) = (MemoryStore::new(), Some(dir.open()));
    let (mut clock, mut latest, mut floor) = (START_MS, START_MS, START_MS / 2);
    let mut answers = memory.reader().map_err(|e| TestCaseError::fail(format!("{e:?}")))?;
    for step in steps {
        let open = sqlite.get_or_insert_with(|| dir.open());
        match step {
            Step::Commit(later, batch) => {
                clock = clock.saturating_add_signed(*later).max(floor);
                latest = latest.max(clock);
                let wanted = outcomes(&mut memory, now(clock), batch);
                let planted: Vec<_> = batch.iter().map(bug).collect();
                prop_assert_eq!(outcomes(open, now(clock), &planted), wanted);
            }
            Step::Reopen => {
                sqlite = None;
                // The last time stamp may have been of a batch that stored nothing, and is forgotten.
                floor = latest;
            }
            Step::Ask(read) => {
                let mut reader =
                    open.reader().map_err(|e| TestCaseError::fail(format!("{e:?}")))?;
                prop_assert_eq!(reader.read(read), answers.read(read), "{:?}", read);
            }
        }
    }
    let open = sqlite.unwrap_or_else(|| dir.open());
    let mut reader: Box<dyn Reader> =
        open.reader().map_err(|e| TestCaseError::fail(format!("{e:?}")))?;
    for read in everything() {
        prop_assert_eq!(timeless(reader.read(&read)), timeless(answers.read(&read)), "{:?}", read);
    }
    Ok(())
}

/// Without the stamp of the snapshot: a database opened again knows only what is in it.
fn timeless(found: Result<Found, Error>) -> Result<Found, Error> {
    found.map(|found| match found {
        Found::Missed(missed) => {
            Found::Missed(Box::new(Missed { server_time: Timestamp(0), ..*missed }))
        }
        found => found,
    })
}

fn outcomes(store: &mut dyn Store, now: Now, batch: &[Write]) -> Vec<Result<Written, Error>> {
    let mut out = Vec::new();
    store.commit(now, batch, &mut out);
    out
}

fn config() -> Config {
    Config { cases: 128, failure_persistence: None, ..Config::default() }
}

fn run(mut runner: TestRunner, bug: fn(&Write) -> Write) -> Result<(), TestError<Vec<Step>>> {
    runner.run(&steps(), |steps| same(&steps, bug))
}

#[test]
fn sqlite_and_memory_agree_on_everything() {
    if let Err(error) = run(TestRunner::new(config()), Write::clone) {
        panic!("{error}");
    }
}

#[test]
fn a_planted_bug_of_publications_is_found() {
    let forgets_client_ids = |write: &Write| match write.clone() {
        Write::Publish(new) => Write::Publish(NewPublication { client_id: None, ..new }),
        other => other,
    };
    assert!(run(planted_runner(config()), forgets_client_ids).is_err());
}

#[test]
fn a_planted_bug_is_found() {
    let forgets_client_ids = |write: &Write| match write.clone() {
        Write::Message(message) => Write::Message(NewMessage { client_id: None, ..message }),
        other => other,
    };
    assert!(run(planted_runner(config()), forgets_client_ids).is_err());
}
