//! The tables, as an ordered list of migrations.
//!
//! Law: a migration that was released is never changed, only followed by another; each runs in one
//! transaction with its `user_version`. Integers are the keys inside, ids are `BLOB(16)` or, for
//! users, `TEXT`; times are unix milliseconds.

use super::{execution, grant, inbox, publication, search};

/// `"Sten"` in the header of the file (`PRAGMA application_id`).
pub(super) const APPLICATION_ID: u32 = 0x5374_656e;

/// Each brings the schema from its index to the next version.
pub(super) const MIGRATIONS: &[&str] =
    &[V1, grant::TABLES, publication::SCHEMA, inbox::TABLES, execution::TABLES, search::SCHEMA];

/// `messages` and `log` declare no foreign keys: both keys come from a row that the same transaction
/// has just read, and each declaration would cost the road of a message one more search.
/// `counters` is apart from `chats` because it changes with every message, and a row is rewritten whole.
const V1: &str = "
CREATE TABLE users (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    username TEXT NOT NULL,
    name_fold TEXT NOT NULL UNIQUE,
    display_name TEXT NOT NULL,
    display_fold TEXT NOT NULL,
    password TEXT,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX users_by_display ON users (display_fold, name_fold);

CREATE TABLE sessions (
    id BLOB PRIMARY KEY,
    user INTEGER NOT NULL REFERENCES users (key),
    refresh BLOB NOT NULL,
    expires_ms INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    last_used_at INTEGER NOT NULL,
    revoked INTEGER NOT NULL DEFAULT 0,
    told INTEGER NOT NULL,
    client_id TEXT,
    client_version TEXT,
    client_platform TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_by_user ON sessions (user, id);
CREATE INDEX sessions_by_end ON sessions (expires_ms);

CREATE TABLE used_digests (
    session BLOB NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    digest BLOB NOT NULL,
    expires_ms INTEGER NOT NULL,
    PRIMARY KEY (session, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX used_digests_by_end ON used_digests (expires_ms);

CREATE TABLE revoked_tokens (
    jti TEXT PRIMARY KEY,
    expires_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX revoked_tokens_by_end ON revoked_tokens (expires_ms);

CREATE TABLE chats (
    key INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    kind INTEGER NOT NULL,
    name TEXT,
    name_fold TEXT,
    visibility INTEGER NOT NULL,
    metadata TEXT,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX chats_public ON chats (name_fold, id) WHERE visibility = 1;

CREATE TABLE counters (
    chat INTEGER PRIMARY KEY REFERENCES chats (key),
    last_seq INTEGER NOT NULL DEFAULT 0,
    last_offset INTEGER NOT NULL DEFAULT 0,
    member_count INTEGER NOT NULL DEFAULT 0,
    active_at INTEGER NOT NULL,
    last_at INTEGER NOT NULL
) STRICT;

CREATE TABLE dms (
    low INTEGER NOT NULL REFERENCES users (key),
    high INTEGER NOT NULL REFERENCES users (key),
    chat INTEGER NOT NULL REFERENCES chats (key),
    PRIMARY KEY (low, high)
) STRICT, WITHOUT ROWID;

CREATE TABLE members (
    chat INTEGER NOT NULL REFERENCES chats (key),
    user INTEGER NOT NULL REFERENCES users (key),
    joined INTEGER NOT NULL,
    role INTEGER NOT NULL,
    read_seq INTEGER NOT NULL,
    PRIMARY KEY (chat, user)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX members_in_order ON members (chat, joined);
CREATE INDEX members_owners ON members (chat) WHERE role = 1;
CREATE INDEX members_by_user ON members (user, chat);

CREATE TABLE messages (
    chat INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    id BLOB NOT NULL,
    sender INTEGER NOT NULL,
    content TEXT NOT NULL,
    client_id TEXT,
    reply_to BLOB,
    metadata TEXT,
    created_at INTEGER NOT NULL,
    edited_at INTEGER,
    deleted_at INTEGER,
    PRIMARY KEY (chat, seq)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX messages_by_id ON messages (id);
CREATE UNIQUE INDEX messages_by_client ON messages (chat, sender, client_id)
    WHERE client_id IS NOT NULL;
CREATE INDEX messages_deleted ON messages (chat, seq) WHERE deleted_at IS NOT NULL;

CREATE TABLE log (
    chat INTEGER NOT NULL,
    number INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    sender INTEGER NOT NULL,
    at INTEGER NOT NULL,
    subject INTEGER NOT NULL,
    body TEXT,
    PRIMARY KEY (chat, number)
) STRICT, WITHOUT ROWID;
";
