//! Rows of the tables as records of the port, and the searches that writer and readers share.

use std::sync::Arc;

use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row};

use crate::base::id::{Id, UserId};
use crate::base::time::Timestamp;
use crate::message::record::{
    Chat, ChatKind, ChatMessage, ChatView, Member, MemberRole, Profile, Raw, RoomListing, UserCard,
    Visibility,
};

/// A member of a chat with the keys of both and the chat's counters.
pub(super) struct Seat {
    pub(super) chat: i64,
    pub(super) user: i64,
    pub(super) username: Arc<str>,
    pub(super) role: MemberRole,
    pub(super) read_seq: u64,
    pub(super) last_seq: u64,
    pub(super) last_offset: u64,
    /// Up to which message the chat is in the index of words.
    pub(super) indexed_seq: u64,
}

/// SQLite's integer for one of ours; what is beyond its range is as good as its end.
pub(super) fn int(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Our integer for one of SQLite's.
pub(super) fn count(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let value: i64 = row.get(column)?;
    u64::try_from(value).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, value))
}

pub(super) fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    count(row, column).map(Timestamp)
}

fn time_if(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    let value: Option<i64> = row.get(column)?;
    value.map(|_| time(row, column)).transpose()
}

pub(super) fn id(row: &Row<'_>, column: usize) -> rusqlite::Result<Id> {
    row.get(column).map(|bytes| Id(u128::from_be_bytes(bytes)))
}

pub(super) fn blob(id: Id) -> [u8; 16] {
    id.0.to_be_bytes()
}

pub(super) fn user_id(row: &Row<'_>, column: usize) -> rusqlite::Result<UserId> {
    row.get(column).map(UserId)
}

pub(super) fn raw_if(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Raw>> {
    let Some(text) = row
        .get_ref(column)?
        .as_str_or_null()
        .map_err(|_| unreadable(column, "stored JSON is no text"))?
    else {
        return Ok(None);
    };
    Raw::new(text).map(Some).ok_or_else(|| unreadable(column, "stored JSON is none"))
}

pub(super) fn unreadable(column: usize, what: &'static str) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, what.into())
}

pub(super) fn role(row: &Row<'_>, column: usize) -> rusqlite::Result<MemberRole> {
    let owner: bool = row.get(column)?;
    Ok(if owner { MemberRole::Owner } else { MemberRole::Member })
}

pub(super) fn visibility(row: &Row<'_>, column: usize) -> rusqlite::Result<Visibility> {
    let public: bool = row.get(column)?;
    Ok(if public { Visibility::Public } else { Visibility::Private })
}

pub(super) const fn kind_number(kind: ChatKind) -> i64 {
    match kind {
        ChatKind::Dm => 1,
        ChatKind::Group => 2,
        ChatKind::Room => 3,
    }
}

pub(super) fn chat_kind(row: &Row<'_>, column: usize) -> rusqlite::Result<ChatKind> {
    match row.get(column)? {
        1_i64 => Ok(ChatKind::Dm),
        2 => Ok(ChatKind::Group),
        3 => Ok(ChatKind::Room),
        other => Err(rusqlite::Error::IntegralValueOutOfRange(column, other)),
    }
}

/// The columns of a message, for the tables `m` (messages), `u` (its sender) and `c` (its chat).
macro_rules! message_columns {
    () => {
        "m.id, c.id, m.seq, u.id, u.username, m.content, m.client_id, m.reply_to, m.metadata, \
         m.created_at, m.edited_at, m.deleted_at"
    };
}
/// The tables of [`message_columns`], in the order in which they are searched.
macro_rules! message_tables {
    () => {
        "messages m CROSS JOIN users u ON u.key = m.sender CROSS JOIN chats c ON c.key = m.chat"
    };
}
pub(super) use {message_columns, message_tables};

/// A message of [`message_columns`].
pub(super) fn message(row: &Row<'_>) -> rusqlite::Result<ChatMessage> {
    let reply_to: Option<[u8; 16]> = row.get(7)?;
    Ok(ChatMessage {
        id: id(row, 0)?,
        chat_id: id(row, 1)?,
        seq: count(row, 2)?,
        sender: UserCard { id: user_id(row, 3)?, username: row.get(4)? },
        content: row.get(5)?,
        client_id: row.get(6)?,
        reply_to: reply_to.map(|bytes| Id(u128::from_be_bytes(bytes))),
        metadata: raw_if(row, 8)?,
        created_at: time(row, 9)?,
        edited_at: time_if(row, 10)?,
        deleted_at: time_if(row, 11)?,
    })
}

/// The message at a place.
pub(super) fn message_at(
    conn: &Connection,
    chat: i64,
    seq: u64,
) -> rusqlite::Result<Option<ChatMessage>> {
    const SQL: &str = concat!(
        "SELECT ",
        message_columns!(),
        " FROM ",
        message_tables!(),
        " WHERE m.chat = ?1 AND m.seq = ?2"
    );
    conn.prepare_cached(SQL)?.query_row((chat, int(seq)), message).optional()
}

/// `user`'s place in the chat `chat`, if it is a member there.
pub(super) fn seat(conn: &Connection, chat: Id, user: &UserId) -> rusqlite::Result<Option<Seat>> {
    const SQL: &str = "SELECT c.key, u.key, u.username, m.role, m.read_seq, n.last_seq, \
        n.last_offset, n.indexed_seq FROM chats c CROSS JOIN users u CROSS JOIN members m ON m.chat = c.key AND m.user = u.key \
        CROSS JOIN counters n ON n.chat = c.key WHERE c.id = ?1 AND u.id = ?2";
    let seat = |row: &Row<'_>| {
        Ok(Seat {
            chat: row.get(0)?,
            user: row.get(1)?,
            username: row.get(2)?,
            role: role(row, 3)?,
            read_seq: count(row, 4)?,
            last_seq: count(row, 5)?,
            last_offset: count(row, 6)?,
            indexed_seq: count(row, 7)?,
        })
    };
    conn.prepare_cached(SQL)?.query_row((blob(chat), user.as_str()), seat).optional()
}

/// Key and profile of a user.
pub(super) fn user(conn: &Connection, id: &UserId) -> rusqlite::Result<Option<(i64, Profile)>> {
    const SQL: &str = "SELECT key, id, username, display_name FROM users WHERE id = ?1";
    let found = |row: &Row<'_>| Ok((row.get(0)?, profile(row, 1)?));
    conn.prepare_cached(SQL)?.query_row([id.as_str()], found).optional()
}

/// The columns `id, username, display_name` from `first`.
pub(super) fn profile(row: &Row<'_>, first: usize) -> rusqlite::Result<Profile> {
    Ok(Profile {
        id: user_id(row, first)?,
        username: row.get(first + 1)?,
        display_name: row.get(first + 2)?,
    })
}

/// A chat as all its members see it.
pub(super) fn chat(conn: &Connection, key: i64) -> rusqlite::Result<Chat> {
    const CHAT: &str = "SELECT c.id, c.kind, c.name, c.visibility, c.metadata, n.last_seq, c.created_at \
        FROM chats c JOIN counters n ON n.chat = c.key WHERE c.key = ?1";
    const MEMBERS: &str = "SELECT u.id, u.username, m.role \
        FROM members m INDEXED BY members_in_order CROSS JOIN users u ON u.key = m.user \
        WHERE m.chat = ?1 ORDER BY m.joined";
    let member = |row: &Row<'_>| {
        Ok(Member { id: user_id(row, 0)?, username: row.get(1)?, role: role(row, 2)? })
    };
    let mut statement = conn.prepare_cached(MEMBERS)?;
    let members = statement.query_map([key], member)?.collect::<rusqlite::Result<_>>()?;
    conn.prepare_cached(CHAT)?.query_row([key], |row| {
        Ok(Chat {
            id: id(row, 0)?,
            kind: chat_kind(row, 1)?,
            name: row.get(2)?,
            visibility: visibility(row, 3)?,
            members,
            metadata: raw_if(row, 4)?,
            last_seq: count(row, 5)?,
            created_at: time(row, 6)?,
        })
    })
}

/// A chat as the member `user` sees it.
pub(super) fn view(conn: &Connection, key: i64, user: i64) -> rusqlite::Result<ChatView> {
    let chat = chat(conn, key)?;
    let last_message = message_at(conn, key, chat.last_seq)?.map(Arc::new);
    const SQL: &str = "SELECT read_seq FROM members WHERE chat = ?1 AND user = ?2";
    let read_seq = conn.prepare_cached(SQL)?.query_row((key, user), |row| count(row, 0))?;
    let unread = unread(conn, key, read_seq, chat.last_seq)?;
    Ok(ChatView { chat, read_seq, unread, last_message })
}

/// Messages after `read_seq` by others, deleted ones left out.
///
/// Sending moves the sender's mark and who comes has read what is there, so whatever is after a
/// mark is by others, and only deleted messages need to be counted.
pub(super) fn unread(
    conn: &Connection,
    chat: i64,
    read_seq: u64,
    last_seq: u64,
) -> rusqlite::Result<u64> {
    const SQL: &str = "SELECT count(*) FROM messages INDEXED BY messages_deleted \
        WHERE chat = ?1 AND seq > ?2 AND deleted_at IS NOT NULL";
    let deleted =
        conn.prepare_cached(SQL)?.query_row((chat, int(read_seq)), |row| count(row, 0))?;
    Ok(last_seq.saturating_sub(read_seq).saturating_sub(deleted))
}

/// The newest time stamp that is stored.
pub(super) fn last_stamp(conn: &Connection) -> rusqlite::Result<Timestamp> {
    const SQL: &str = "SELECT max(ifnull((SELECT max(last_at) FROM counters), 0), \
        ifnull((SELECT max(last_at) FROM channels), 0), \
        ifnull((SELECT max(last_used_at) FROM sessions), 0), \
        ifnull((SELECT max(last_at) FROM inboxes), 0), \
        ifnull((SELECT max(updated_at) FROM executions), 0), \
        ifnull((SELECT max(created_at) FROM users), 0))";
    conn.query_row(SQL, [], |row| time(row, 0))
}

/// A room of a list: `id, kind, name, visibility, metadata, last_seq, created_at, member_count`.
pub(super) fn listing(row: &Row<'_>) -> rusqlite::Result<RoomListing> {
    Ok(RoomListing {
        id: id(row, 0)?,
        kind: chat_kind(row, 1)?,
        name: row.get(2)?,
        visibility: visibility(row, 3)?,
        metadata: raw_if(row, 4)?,
        last_seq: count(row, 5)?,
        created_at: time(row, 6)?,
        member_count: count(row, 7)?,
    })
}
