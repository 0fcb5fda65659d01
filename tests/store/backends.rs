//! The stores under test, and short words for writing to them and reading from them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use stentor::base::id::{Id, UserId};
use stentor::base::now::Now;
use stentor::message::record::{ChatMessage, ChatView, Raw, Visibility};
use stentor::store::memory::MemoryStore;
use stentor::store::sqlite::{Options, SqliteStore};
use stentor::store::{
    Error, Found, Logged, NewMessage, NewSession, Read, Reader, Refusal, Store, Target, Write,
    Written,
};

/// Runs each law on every store.
macro_rules! contract {
    ($(fn $name:ident($f:ident) $body:block)*) => { $(
        mod $name {
            use super::*;
            fn law($f: &mut Fixture) $body
            #[test]
            fn memory() {
                law(&mut Fixture::memory());
            }
            #[test]
            fn sqlite() {
                law(&mut Fixture::sqlite());
            }
        }
    )* };
}
pub(crate) use contract;

/// A directory that goes with the test.
pub(crate) struct Dir(pub(crate) PathBuf);

impl Dir {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("store-{}-{number}", std::process::id());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = std::fs::remove_dir_all(&path);
        Self(path)
    }

    pub(crate) fn open(&self) -> SqliteStore {
        SqliteStore::open(&self.0, Options::default()).expect("opens")
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A store, a reader of it, and a clock.
pub(crate) struct Fixture {
    pub(crate) store: Box<dyn Store>,
    pub(crate) reader: Box<dyn Reader>,
    pub(crate) now_ms: u64,
    next: u64,
    _dir: Option<Dir>,
}

pub(crate) const START_MS: u64 = 1_800_000_000_000;

impl Fixture {
    pub(crate) fn new(store: Box<dyn Store>, dir: Option<Dir>) -> Self {
        let reader = store.reader().expect("a reader");
        Self { store, reader, now_ms: START_MS, next: 0, _dir: dir }
    }

    pub(crate) fn memory() -> Self {
        Self::new(Box::new(MemoryStore::new()), None)
    }

    pub(crate) fn sqlite() -> Self {
        let dir = Dir::new();
        Self::new(Box::new(dir.open()), Some(dir))
    }

    /// An id that was not used before.
    pub(crate) fn id(&mut self) -> Id {
        self.next += 1;
        let mut entropy = [0; 10];
        entropy[2..].copy_from_slice(&self.next.to_be_bytes());
        Id::new(START_MS, &entropy)
    }

    pub(crate) fn batch(&mut self, batch: &[Write]) -> Vec<Result<Written, Error>> {
        let mut out = Vec::new();
        self.store.commit(now(self.now_ms), batch, &mut out);
        assert_eq!(out.len(), batch.len());
        out
    }

    pub(crate) fn one(&mut self, write: Write) -> Result<Written, Error> {
        self.batch(&[write]).remove(0)
    }

    #[track_caller]
    pub(crate) fn ok(&mut self, write: Write) -> Written {
        let told = format!("{write:?}");
        self.one(write).unwrap_or_else(|error| panic!("{told}: {error:?}"))
    }

    #[track_caller]
    pub(crate) fn refused(&mut self, write: Write) -> Refusal {
        match self.one(write) {
            Err(Error::Refused(refusal)) => refusal,
            other => panic!("not refused: {other:?}"),
        }
    }

    pub(crate) fn read(&mut self, read: &Read) -> Result<Found, Error> {
        self.reader.read(read)
    }

    #[track_caller]
    pub(crate) fn found(&mut self, read: &Read) -> Found {
        self.read(read).unwrap_or_else(|error| panic!("{read:?}: {error:?}"))
    }

    /// A user of this name, whose id is the name.
    pub(crate) fn user(&mut self, name: &str) -> UserId {
        let id = user(name);
        self.ok(Write::Admit { user: id.clone(), name: None });
        id
    }

    pub(crate) fn room(&mut self, owner: &UserId, visibility: Visibility, name: &str) -> Id {
        let chat = self.id();
        let (by, name) = (owner.clone(), Arc::from(name));
        self.ok(Write::CreateRoom { chat, by, name, visibility, metadata: None });
        chat
    }

    pub(crate) fn group(&mut self, owner: &UserId, members: &[&UserId]) -> Id {
        let chat = self.id();
        let members = members.iter().map(|&member| member.clone()).collect();
        self.ok(Write::CreateGroup { chat, by: owner.clone(), name: Arc::from("group"), members });
        chat
    }

    /// A message as it is to be written.
    pub(crate) fn draft(&mut self, chat: Id, sender: &UserId, text: &str) -> NewMessage {
        NewMessage {
            id: self.id(),
            target: Target::Chat(chat),
            sender: sender.clone(),
            content: Arc::from(text),
            client_id: None,
            reply_to: None,
            metadata: None,
        }
    }

    #[track_caller]
    pub(crate) fn say(&mut self, chat: Id, sender: &UserId, text: &str) -> Arc<ChatMessage> {
        let draft = self.draft(chat, sender, text);
        match self.ok(Write::Message(draft)) {
            Written::Message { message, duplicate: false, .. } => message,
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    pub(crate) fn view(&mut self, chat: Id, user: &UserId) -> ChatView {
        let Found::Chats(chats) = self.found(&Read::Chats { user: user.clone() }) else {
            panic!("not chats");
        };
        chats.into_iter().find(|view| view.chat.id == chat).expect("a chat of the user's")
    }

    #[track_caller]
    pub(crate) fn messages(&mut self, chat: Id, user: &UserId) -> Vec<Arc<ChatMessage>> {
        let page =
            Read::Messages { chat, user: user.clone(), before: None, after: None, limit: 300 };
        match self.found(&page) {
            Found::Messages { messages, .. } => messages,
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    pub(crate) fn log(&mut self, chat: Id, user: &UserId) -> Vec<Logged> {
        let page = Read::Log { chat, user: user.clone(), after: Some(0), limit: 300 };
        match self.found(&page) {
            Found::Log { events, .. } => events,
            other => panic!("{other:?}"),
        }
    }
}

pub(crate) fn now(unix_ms: u64) -> Now {
    Now { monotonic: Duration::from_millis(unix_ms - START_MS / 2), unix_ms }
}

pub(crate) fn user(name: &str) -> UserId {
    UserId::parse(name).expect("a user's id")
}

pub(crate) fn raw(json: &str) -> Raw {
    Raw::new(json).expect("JSON")
}

/// A session whose refresh token's digest is `refresh` 32 times, for an hour.
pub(crate) fn session(id: Id, refresh: u8) -> NewSession {
    NewSession { id, refresh: [refresh; 32], expires_ms: START_MS + 3_600_000, client_info: None }
}

/// A local account named `name`; its password's hash is `name-hash`.
pub(crate) fn register(id: &UserId, name: &str, session: NewSession) -> Write {
    Write::Register {
        user: id.clone(),
        username: Arc::from(name),
        display_name: None,
        password: Arc::from(format!("{name}-hash")),
        session,
    }
}

/// Runs the same cases each time: chance must not decide whether one of them shows a planted bug.
pub(crate) fn planted_runner(config: Config) -> TestRunner {
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}
