//! The log of a chat's channel: its rows, and the events that they tell of.
//!
//! Law: a row that tells of a message names it by seq and holds no text, so that what was deleted or
//! edited is never replayed.

use std::sync::Arc;

use rusqlite::{Connection, Row};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::super::Logged;
use super::rows::{chat_kind, count, id, int, message_at, time, unreadable, user_id};
use crate::base::id::{Id, UserId};
use crate::base::time::Timestamp;
use crate::message::record::{
    Chat, ChatKind, Member, MemberRole, Raw, RoomEvent, UserCard, Visibility,
};

/// `kind` of a row of `log`.
pub(super) mod kind {
    pub(crate) const MESSAGE: i64 = 1;
    pub(crate) const EDITED: i64 = 2;
    pub(crate) const DELETED: i64 = 3;
    pub(crate) const JOINED: i64 = 4;
    pub(crate) const LEFT: i64 = 5;
    pub(crate) const UPDATED: i64 = 6;
    pub(crate) const READ: i64 = 7;
}

/// At most `limit` events of the log of a chat, from the one after `after`.
pub(super) fn log_page(
    conn: &Connection,
    chat: i64,
    after: u64,
    limit: u32,
) -> rusqlite::Result<Vec<Logged>> {
    const SQL: &str = "SELECT l.number, l.kind, s.id, l.at, l.subject, l.body, c.id, c.kind, c.created_at \
        FROM log l CROSS JOIN users s ON s.key = l.sender CROSS JOIN chats c ON c.key = l.chat \
        WHERE l.chat = ?1 AND l.number > ?2 ORDER BY l.number LIMIT ?3";
    let mut statement = conn.prepare_cached(SQL)?;
    let page = statement.query_map((chat, int(after), limit), |row| logged(conn, chat, row))?;
    page.collect()
}

/// An event of the log; what it tells of a message is as the message stands now.
fn logged(conn: &Connection, chat: i64, row: &Row<'_>) -> rusqlite::Result<Logged> {
    let sender = user_id(row, 2)?;
    let chat_id = id(row, 6)?;
    let message = || {
        let found = message_at(conn, chat, count(row, 4)?)?;
        found.map(Arc::new).ok_or(rusqlite::Error::QueryReturnedNoRows)
    };
    let card = || {
        const SQL: &str = "SELECT id, username FROM users WHERE key = ?1";
        let card = |row: &Row<'_>| Ok(UserCard { id: user_id(row, 0)?, username: row.get(1)? });
        conn.prepare_cached(SQL)?.query_row([row.get::<_, i64>(4)?], card)
    };
    let event = match row.get(1)? {
        kind::MESSAGE => RoomEvent::Message(message()?),
        kind::EDITED => RoomEvent::Edited(message()?),
        kind::DELETED => {
            let message = message()?;
            RoomEvent::Deleted { id: message.id, chat_id, seq: message.seq }
        }
        kind::JOINED => RoomEvent::Joined { chat_id, user: card()? },
        kind::LEFT => RoomEvent::Left { chat_id, user: card()? },
        kind::UPDATED => {
            let body: String = row.get(5)?;
            let chat = decode_updated(&body, chat_id, chat_kind(row, 7)?, time(row, 8)?)?;
            RoomEvent::Updated(Arc::new(chat))
        }
        kind::READ => RoomEvent::Read { chat_id, user_id: sender.clone(), seq: count(row, 4)? },
        other => return Err(rusqlite::Error::IntegralValueOutOfRange(1, other)),
    };
    Ok(Logged { offset: count(row, 0)?, sender, at: time(row, 3)?, event })
}

/// `chat:updated` as it is logged: what can change of a chat.
#[derive(Serialize, Deserialize)]
struct Updated {
    name: Option<Arc<str>>,
    public: bool,
    members: Vec<(Arc<str>, Arc<str>, bool)>,
    metadata: Option<Box<RawValue>>,
    last_seq: u64,
}

/// The body of `chat:updated`.
pub(super) fn encode_updated(chat: &Chat) -> rusqlite::Result<String> {
    let metadata = chat.metadata.as_ref().map(|raw| RawValue::from_string(raw.as_str().to_owned()));
    let failed = |error: serde_json::Error| rusqlite::Error::ToSqlConversionFailure(error.into());
    let row = Updated {
        name: chat.name.clone(),
        public: chat.visibility == Visibility::Public,
        members: chat
            .members
            .iter()
            .map(|m| (m.id.0.clone(), m.username.clone(), m.role == MemberRole::Owner))
            .collect(),
        metadata: metadata.transpose().map_err(failed)?,
        last_seq: chat.last_seq,
    };
    serde_json::to_string(&row).map_err(failed)
}

/// The chat that `chat:updated` told of, from its body and what cannot change.
fn decode_updated(
    body: &str,
    id: Id,
    kind: ChatKind,
    created_at: Timestamp,
) -> rusqlite::Result<Chat> {
    let row: Updated =
        serde_json::from_str(body).map_err(|_| unreadable(0, "a logged chat cannot be read"))?;
    let member = |(id, username, owner): (Arc<str>, Arc<str>, bool)| Member {
        id: UserId(id),
        username,
        role: if owner { MemberRole::Owner } else { MemberRole::Member },
    };
    Ok(Chat {
        id,
        kind,
        name: row.name,
        visibility: if row.public { Visibility::Public } else { Visibility::Private },
        members: row.members.into_iter().map(member).collect(),
        metadata: row.metadata.and_then(|raw| Raw::new(raw.get())),
        last_seq: row.last_seq,
        created_at,
    })
}
