//! A reader: a connection that cannot write, each read in one transaction, so in one snapshot.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::{Connection, OptionalExtension, Row};

use super::super::{Error, Found, Read, Reader, Refusal, fold};
use super::execution;
use super::failure::Failure;
use super::grant;
use super::inbox;
use super::log;
use super::publication;
use super::rows::{self, Seat, blob, int, message_columns, message_tables};
use super::search;
use super::sync::{self, Asked};
use crate::base::id::{Id, UserId};
use crate::base::time::Timestamp;
use crate::message::record::{ClientInfo, Profile, Session};

/// One of the readers.
pub(super) struct SqliteReader {
    conn: Connection,
    /// The stamp of the last commit, shared with the writer.
    committed: Arc<AtomicU64>,
    /// The same before the snapshot of this read.
    snapshot: Timestamp,
}

impl SqliteReader {
    pub(super) const fn new(conn: Connection, committed: Arc<AtomicU64>) -> Self {
        Self { conn, committed, snapshot: Timestamp(0) }
    }

    fn begin(&self, sql: &str) -> rusqlite::Result<()> {
        self.conn.prepare_cached(sql)?.execute([]).map(|_| ())
    }

    fn find(&self, read: &Read) -> Result<Found, Failure> {
        Ok(match read {
            Read::Credentials { username } => {
                self.credentials(Credentials::Named, &fold(username))?
            }
            Read::CredentialsOf { user } => self.credentials(Credentials::Of, user.as_str())?,
            Read::Standing { user, session, jti, issued_s, now_ms } => {
                self.standing(user, *session, jti.as_deref(), *issued_s, *now_ms)?
            }
            Read::Sessions { user, now_ms } => self.sessions(user, *now_ms)?,
            Read::SearchUsers { query, limit } => self.search_users(&fold(query), *limit)?,
            Read::ChatIds { user } => Found::ChatIds(self.chat_ids(user)?),
            Read::Arrival { user, device } => {
                let place = inbox::place(&self.conn, user, device)?;
                Found::Arrival { chats: self.chat_ids(user)?, place }
            }
            Read::Chats { user } => self.chats(user)?,
            Read::Rooms { query, limit, after } => self.rooms(query.as_deref(), *limit, *after)?,
            Read::Messages { chat, user, before, after, limit } => {
                self.messages(self.seat(*chat, user)?.chat, *before, *after, *limit)?
            }
            Read::Search { user, chat, query, limit } => {
                let seat = chat.map(|chat| self.seat(chat, user)).transpose()?;
                search::find(&self.conn, user, seat.as_ref(), query, *limit)?
            }
            Read::Log { chat, user, after, limit } => {
                let seat = self.seat(*chat, user)?;
                self.log((seat.chat, seat.last_offset), *after, *limit)?
            }
            Read::AnyLog { chat, after, limit } => {
                const SQL: &str = "SELECT c.key, n.last_offset \
                    FROM chats c CROSS JOIN counters n ON n.chat = c.key WHERE c.id = ?1";
                let found = |row: &Row<'_>| Ok((row.get(0)?, rows::count(row, 1)?));
                let known = self.conn.prepare_cached(SQL)?.query_row([blob(*chat)], found);
                self.log(known.optional()?.ok_or(Refusal::NoChat)?, *after, *limit)?
            }
            Read::Inbox(read) => inbox::find(&self.conn, read)?,
            Read::Execution(read) => execution::read(&self.conn, read)?,
            Read::Sync { user, teams, since_ms, limit } => {
                let asked = Asked { user, teams, since_ms: *since_ms, limit: *limit };
                sync::missed(&self.conn, &asked, self.snapshot)?
            }
            Read::Publications { channel, after, limit, keep, now_ms } => {
                let found = publication::page(&self.conn, channel, *after, *limit, *keep, *now_ms);
                Found::Publications(found?)
            }
        })
    }

    fn seat(&self, chat: Id, user: &UserId) -> Result<Seat, Failure> {
        Ok(rows::seat(&self.conn, chat, user)?.ok_or(Refusal::NoChat)?)
    }

    /// A page of the log of a chat, given by its key and its newest offset.
    fn log(
        &self,
        (chat, top): (i64, u64),
        after: Option<u64>,
        limit: u32,
    ) -> rusqlite::Result<Found> {
        let from = after.unwrap_or_else(|| top.saturating_sub(u64::from(limit)));
        let events = log::log_page(&self.conn, chat, from, limit)?;
        let end = from.saturating_add(u64::from(limit));
        Ok(Found::Log { events, top, more: end < top })
    }

    fn credentials(&self, which: Credentials, key: &str) -> rusqlite::Result<Found> {
        let sql = match which {
            Credentials::Named => {
                "SELECT id, username, display_name, password FROM users \
                 WHERE name_fold = ?1 AND password IS NOT NULL"
            }
            Credentials::Of => {
                "SELECT id, username, display_name, password FROM users \
                 WHERE id = ?1 AND password IS NOT NULL"
            }
        };
        let found = |row: &Row<'_>| Ok((rows::profile(row, 0)?, row.get(3)?));
        self.conn.prepare_cached(sql)?.query_row([key], found).optional().map(Found::Credentials)
    }

    fn standing(
        &self,
        user: &UserId,
        session: Option<Id>,
        jti: Option<&str>,
        issued_s: Option<u64>,
        now_ms: u64,
    ) -> rusqlite::Result<Found> {
        const SESSION: &str = "SELECT 1 FROM sessions s JOIN users u ON u.key = s.user \
            WHERE s.id = ?1 AND u.id = ?2 AND s.revoked = 0 AND s.expires_ms > ?3";
        const TOKEN: &str = "SELECT 1 FROM revoked_tokens WHERE jti = ?1";
        let known = rows::user(&self.conn, user)?;
        let mut stands = true;
        if let Some(session) = session {
            let row = (blob(session), user.as_str(), int(now_ms));
            stands = self.conn.prepare_cached(SESSION)?.exists(row)?;
        } else if let Some((key, _)) = &known {
            stands = grant::stands(&self.conn, *key, issued_s)?;
        }
        if let Some(jti) = jti {
            stands &= !self.conn.prepare_cached(TOKEN)?.exists([jti])?;
        }
        Ok(Found::Standing { user: known.map(|(_, profile)| profile), stands })
    }

    fn sessions(&self, user: &UserId, now_ms: u64) -> rusqlite::Result<Found> {
        const SQL: &str = "SELECT s.id, s.created_at, s.last_used_at, s.told, s.client_id, \
            s.client_version, s.client_platform FROM users u JOIN sessions s ON s.user = u.key \
            WHERE u.id = ?1 AND s.revoked = 0 AND s.expires_ms > ?2 \
            ORDER BY s.created_at DESC, s.id DESC";
        let session = |row: &Row<'_>| {
            let info =
                ClientInfo { client_id: row.get(4)?, version: row.get(5)?, platform: row.get(6)? };
            let told: bool = row.get(3)?;
            Ok(Session {
                id: rows::id(row, 0)?,
                created_at: rows::time(row, 1)?,
                last_used_at: rows::time(row, 2)?,
                client_info: told.then_some(info),
            })
        };
        let mut statement = self.conn.prepare_cached(SQL)?;
        let found = statement.query_map((user.as_str(), int(now_ms)), session)?;
        found.collect::<rusqlite::Result<_>>().map(Found::Sessions)
    }

    /// Those whose name begins so, by name; then those of whom only the display name does, by that.
    fn search_users(&self, query: &str, limit: u32) -> rusqlite::Result<Found> {
        const NAMES: &str = "SELECT id, username, display_name FROM users \
            WHERE name_fold >= ?1 AND name_fold < ?2 ORDER BY name_fold LIMIT ?3";
        const DISPLAYS: &str = "SELECT id, username, display_name FROM users \
            WHERE display_fold >= ?1 AND display_fold < ?2 \
            AND NOT (name_fold >= ?1 AND name_fold < ?2) \
            ORDER BY display_fold, name_fold LIMIT ?3";
        let end = format!("{query}{}", char::MAX);
        let mut users: Vec<Profile> = Vec::new();
        for sql in [NAMES, DISPLAYS] {
            let left = i64::from(limit) - users.len() as i64;
            let mut statement = self.conn.prepare_cached(sql)?;
            let found = statement.query_map((query, &end, left), |row| rows::profile(row, 0))?;
            for user in found {
                users.push(user?);
            }
        }
        Ok(Found::Users(users))
    }

    fn chat_ids(&self, user: &UserId) -> rusqlite::Result<Vec<Id>> {
        const SQL: &str = "SELECT c.id FROM users u JOIN members m ON m.user = u.key \
            JOIN chats c ON c.key = m.chat WHERE u.id = ?1 ORDER BY c.id";
        let mut statement = self.conn.prepare_cached(SQL)?;
        let found = statement.query_map([user.as_str()], |row| rows::id(row, 0))?;
        found.collect()
    }

    fn chats(&self, user: &UserId) -> rusqlite::Result<Found> {
        const SQL: &str = "SELECT m.chat, m.user FROM users u JOIN members m ON m.user = u.key \
            JOIN chats c ON c.key = m.chat JOIN counters n ON n.chat = m.chat \
            WHERE u.id = ?1 ORDER BY n.active_at DESC, c.id DESC";
        let mut statement = self.conn.prepare_cached(SQL)?;
        let keys = statement.query_map([user.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let views = keys.map(|keys| {
            let (chat, user) = keys?;
            rows::view(&self.conn, chat, user)
        });
        views.collect::<rusqlite::Result<_>>().map(Found::Chats)
    }

    fn rooms(&self, query: Option<&str>, limit: u32, after: Option<Id>) -> Result<Found, Failure> {
        const AFTER: &str = "SELECT name_fold FROM chats WHERE id = ?1 AND visibility = 1";
        const SQL: &str = "SELECT c.id, c.kind, c.name, c.visibility, c.metadata, n.last_seq, \
            c.created_at, n.member_count \
            FROM chats c INDEXED BY chats_public CROSS JOIN counters n ON n.chat = c.key \
            WHERE c.visibility = 1 AND (c.name_fold, c.id) > (?1, ?2) AND instr(c.name_fold, ?3) > 0 \
            ORDER BY c.name_fold, c.id LIMIT ?4";
        let from: (String, Vec<u8>) = match after {
            // No name and no id is before all.
            None => (String::new(), vec![]),
            Some(after) => {
                let mut find = self.conn.prepare_cached(AFTER)?;
                let name = find.query_row([blob(after)], |row| row.get(0)).optional()?;
                (name.ok_or(Refusal::NoChat)?, blob(after).to_vec())
            }
        };
        let query = fold(query.unwrap_or_default());
        let mut statement = self.conn.prepare_cached(SQL)?;
        let params = (from.0, from.1, query, i64::from(limit) + 1);
        let found = statement.query_map(params, rows::listing)?;
        let mut rooms = found.collect::<rusqlite::Result<Vec<_>>>()?;
        let more = rooms.len() > limit as usize;
        rooms.truncate(limit as usize);
        Ok(Found::Rooms { rooms, more })
    }

    fn messages(
        &self,
        chat: i64,
        before: Option<u64>,
        after: Option<u64>,
        limit: u32,
    ) -> rusqlite::Result<Found> {
        const UP: &str = concat!(
            "SELECT ",
            message_columns!(),
            " FROM ",
            message_tables!(),
            " WHERE m.chat = ?1 AND m.seq > ?2 AND m.seq < ?3 ORDER BY m.seq LIMIT ?4"
        );
        const DOWN: &str = concat!(
            "SELECT ",
            message_columns!(),
            " FROM ",
            message_tables!(),
            " WHERE m.chat = ?1 AND m.seq > ?2 AND m.seq < ?3 ORDER BY m.seq DESC LIMIT ?4"
        );
        let from = after.map_or(0, int);
        let to = before.map_or(i64::MAX, int);
        let mut statement = self.conn.prepare_cached(if after.is_some() { UP } else { DOWN })?;
        let params = (chat, from, to, i64::from(limit) + 1);
        let found = statement.query_map(params, |row| rows::message(row).map(Arc::new))?;
        let mut messages = found.collect::<rusqlite::Result<Vec<_>>>()?;
        let more = messages.len() > limit as usize;
        messages.truncate(limit as usize);
        if after.is_none() {
            messages.reverse();
        }
        Ok(Found::Messages { messages, more })
    }
}

/// By what credentials are looked up.
#[derive(Clone, Copy)]
enum Credentials {
    Named,
    Of,
}

impl Reader for SqliteReader {
    fn read(&mut self, read: &Read) -> Result<Found, Error> {
        let failed = |error: rusqlite::Error| Error::Unavailable(Arc::from(error.to_string()));
        // Before the snapshot: what is committed later than that has a stamp no earlier.
        self.snapshot = Timestamp(self.committed.load(Ordering::Acquire));
        self.begin("BEGIN").map_err(failed)?;
        let found = self.find(read);
        let ended = if self.conn.is_autocommit() { Ok(()) } else { self.begin("COMMIT") };
        match found {
            Ok(found) => ended.map(|()| found).map_err(failed),
            Err(Failure::Refused(refusal) | Failure::RefusedKept(refusal)) => {
                Err(Error::Refused(refusal))
            }
            Err(Failure::Sql(error)) => Err(failed(error)),
        }
    }
}
