//! Inboxes and their cursors in SQLite.
//!
//! Law: offsets have no holes, so the oldest event of a full inbox is known by its number; an event
//! too many or too old goes when the next one comes, or with a sweep. Limit: the bounds that come with each write.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row};

use super::super::inbox::{
    Bounds, Cursor, InboxFound, InboxRead, InboxWrite, InboxWritten, Kept, Place, SWEPT_MAX,
};
use super::super::{Found, Written};
use super::batch::Batch;
use super::failure::Failure;
use super::notification;
use super::rows::{self, count, int, time, user_id};
use crate::base::failpoint::{self, Plant, Point};
use crate::base::id::UserId;
use crate::message::inbox::InboxEvent;
use crate::message::record::{Raw, UserCard};

/// `inboxes` is apart from `users` because it changes with every event.
pub(super) const TABLES: &str = "
CREATE TABLE inboxes (
    user INTEGER PRIMARY KEY REFERENCES users (key),
    top INTEGER NOT NULL,
    last_at INTEGER NOT NULL
) STRICT;

CREATE TABLE inbox (
    user INTEGER NOT NULL,
    number INTEGER NOT NULL,
    at INTEGER NOT NULL,
    sender INTEGER NOT NULL,
    word TEXT NOT NULL,
    payload TEXT NOT NULL,
    critical INTEGER NOT NULL,
    PRIMARY KEY (user, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE cursors (
    user INTEGER NOT NULL REFERENCES users (key),
    device TEXT NOT NULL,
    number INTEGER NOT NULL,
    moved_at INTEGER NOT NULL,
    PRIMARY KEY (user, device)
) STRICT, WITHOUT ROWID;

CREATE TABLE notifications (
    user INTEGER NOT NULL,
    number INTEGER NOT NULL,
    id BLOB NOT NULL,
    level TEXT NOT NULL,
    title TEXT NOT NULL,
    message TEXT NOT NULL,
    action TEXT,
    read INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (user, number)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX notifications_by_id ON notifications (user, id);
CREATE INDEX notifications_unread ON notifications (user, number) WHERE read = 0;
";

/// An event without its place.
pub(super) struct New<'a> {
    pub(super) by: (i64, UserCard),
    pub(super) word: &'a Arc<str>,
    pub(super) payload: &'a Raw,
    pub(super) critical: bool,
}

impl Batch<'_> {
    pub(super) fn write_inbox(&self, write: &InboxWrite) -> Result<Written, Failure> {
        let written = match write {
            InboxWrite::Send { by, users, word, payload, critical, bounds } => {
                let by = self.known(by)?;
                self.send(&New { by, word, payload, critical: *critical }, users, *bounds)?
            }
            InboxWrite::Notify { id, by, user, level, title, message, action, bounds } => {
                let new = notification::New {
                    id: *id,
                    user,
                    level: *level,
                    title,
                    message,
                    action: action.as_ref(),
                };
                self.notify(self.known(by)?, &new, *bounds)?
            }
            InboxWrite::MarkRead { user, notification, bounds } => {
                self.mark_notifications(user, *notification, *bounds)?
            }
            InboxWrite::Open { user, device, bounds } => {
                const FIND: &str = "SELECT 1 FROM cursors WHERE user = ?1 AND device = ?2";
                const FURTHEST: &str = "SELECT ifnull(max(number), 0) FROM cursors WHERE user = ?1";
                let (key, _) = self.user(user)?;
                if !self.conn.prepare_cached(FIND)?.exists((key, device))? {
                    let mut furthest = self.conn.prepare_cached(FURTHEST)?;
                    let offset = furthest.query_row([key], |row| count(row, 0))?;
                    self.set_cursor(key, device, offset, *bounds)?;
                }
                InboxWritten::Moved
            }
            InboxWrite::Sweep { after, users, age_ms } => {
                self.sweep(after.as_ref(), *users, *age_ms)?
            }
            InboxWrite::Move { cursors, bounds } => {
                for cursor in cursors {
                    self.move_cursor(cursor, *bounds)?;
                }
                InboxWritten::Moved
            }
        };
        Ok(Written::Inbox(Box::new(written)))
    }

    /// The user as a sender.
    pub(super) fn known(&self, id: &UserId) -> Result<(i64, UserCard), Failure> {
        self.user(id).map(|(key, profile)| (key, profile.card()))
    }

    fn send(
        &self,
        new: &New<'_>,
        users: &[UserId],
        bounds: Bounds,
    ) -> Result<InboxWritten, Failure> {
        let mut unique: Vec<&UserId> = users.iter().collect();
        unique.sort_unstable();
        unique.dedup();
        let (mut keys, mut unknown) = (Vec::new(), Vec::new());
        for user in unique {
            match rows::user(self.conn, user)? {
                Some((key, _)) => keys.push((key, user)),
                None => unknown.push(user.clone()),
            }
        }
        let mut kept = Vec::new();
        if unknown.is_empty() {
            for user in keys {
                kept.push(self.keep(user, new, bounds)?);
            }
        }
        Ok(InboxWritten::Sent { kept, unknown })
    }

    /// Appends an event to the inbox of a user.
    pub(super) fn keep(
        &self,
        (key, user): (i64, &UserId),
        new: &New<'_>,
        bounds: Bounds,
    ) -> Result<Kept, Failure> {
        const TOP: &str = "INSERT INTO inboxes (user, top, last_at) VALUES (?1, 1, ?2) \
            ON CONFLICT (user) DO UPDATE SET top = top + 1, last_at = ?2 RETURNING top";
        const EVENT: &str = "INSERT INTO inbox \
            (user, number, at, sender, word, payload, critical) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let at = int(self.stamp.0);
        let offset = self.conn.prepare_cached(TOP)?.query_row((key, at), |row| count(row, 0))?;
        self.execute(
            EVENT,
            (key, int(offset), at, new.by.0, new.word, new.payload.as_str(), new.critical),
        )?;
        failpoint::hit(Point::AfterInsert);
        let event = InboxEvent {
            offset,
            at: self.stamp,
            sender: new.by.1.clone(),
            word: Arc::clone(new.word),
            payload: new.payload.clone(),
            critical: new.critical,
        };
        Ok(Kept { user: user.clone(), event, dropped: self.trim(key, offset, bounds)? })
    }

    /// Drops what is too old from the inboxes of the next users.
    fn sweep(
        &self,
        after: Option<&UserId>,
        users: u32,
        age_ms: u64,
    ) -> Result<InboxWritten, Failure> {
        // No id is empty.
        const NEXT: &str = "SELECT key, id FROM users WHERE id > ?1 ORDER BY id LIMIT ?2";
        let mut next = self.conn.prepare_cached(NEXT)?;
        let row = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, user_id(row, 1)?));
        let found = next.query_map((after.map_or("", UserId::as_str), users), row)?;
        let found = found.collect::<rusqlite::Result<Vec<_>>>()?;
        let whole = found.len() == users as usize;
        let (mut dropped, mut last) = (0, None);
        for (key, id) in found {
            dropped += self.drop_old(key, age_ms)? as u64;
            last = Some(id);
            if dropped >= SWEPT_MAX {
                return Ok(InboxWritten::Swept { last, dropped });
            }
        }
        Ok(InboxWritten::Swept { last: last.filter(|_| whole), dropped })
    }

    /// Drops what is too old; how many that were.
    fn drop_old(&self, key: i64, age_ms: u64) -> Result<usize, Failure> {
        const OLDEST: &str = "SELECT at FROM inbox WHERE user = ?1 ORDER BY number LIMIT 1";
        const OLD: &str = "DELETE FROM inbox WHERE user = ?1 AND at < ?2";
        let oldest = int(self.stamp.0.saturating_sub(age_ms));
        let at = self.conn.prepare_cached(OLDEST)?.query_row([key], |row| row.get::<_, i64>(0));
        if at.optional()?.is_some_and(|at| at < oldest) {
            return Ok(self.execute(OLD, (key, oldest))?);
        }
        Ok(0)
    }

    /// Drops what is too much or too old; how many that were.
    fn trim(&self, key: i64, top: u64, bounds: Bounds) -> Result<u64, Failure> {
        const MANY: &str = "DELETE FROM inbox WHERE user = ?1 AND number <= ?2";
        let last = top.saturating_sub(u64::from(bounds.events));
        let mut dropped = 0;
        if last > 0 {
            dropped = self.execute(MANY, (key, int(last)))?;
        }
        dropped += self.drop_old(key, bounds.age_ms)?;
        Ok(dropped as u64)
    }

    fn move_cursor(&self, cursor: &Cursor, bounds: Bounds) -> Result<(), Failure> {
        const KNOWN: &str = "SELECT number FROM cursors WHERE user = ?1 AND device = ?2";
        let Some((key, _)) = rows::user(self.conn, &cursor.user)? else { return Ok(()) };
        let mut known = self.conn.prepare_cached(KNOWN)?;
        let known = known.query_row((key, &cursor.device), |row| count(row, 0)).optional()?;
        let everything = failpoint::planted(Plant::AckOfEverything);
        let offset = if everything { u64::MAX } else { cursor.offset };
        let offset = offset.min(top(self.conn, key)?).max(known.unwrap_or(0));
        self.set_cursor(key, &cursor.device, offset, bounds)
    }

    fn set_cursor(
        &self,
        user: i64,
        device: &Arc<str>,
        offset: u64,
        bounds: Bounds,
    ) -> Result<(), Failure> {
        const SET: &str = "INSERT INTO cursors (user, device, number, moved_at) \
            VALUES (?1, ?2, ?3, ?4) \
            ON CONFLICT (user, device) DO UPDATE SET number = ?3, moved_at = ?4";
        const COUNT: &str = "SELECT count(*) FROM cursors WHERE user = ?1";
        const FORGET: &str = "DELETE FROM cursors WHERE user = ?1 AND device IN (SELECT device \
            FROM cursors WHERE user = ?1 AND device <> ?2 ORDER BY moved_at, device LIMIT ?3)";
        self.execute(SET, (user, device, int(offset), int(self.stamp.0)))?;
        let devices = self.conn.prepare_cached(COUNT)?.query_row([user], |row| count(row, 0))?;
        let over = devices.saturating_sub(u64::from(bounds.devices).max(1));
        if over > 0 {
            self.execute(FORGET, (user, device, int(over)))?;
        }
        Ok(())
    }
}

/// The newest offset of an inbox.
fn top(conn: &Connection, user: i64) -> rusqlite::Result<u64> {
    const SQL: &str = "SELECT top FROM inboxes WHERE user = ?1";
    let top = conn.prepare_cached(SQL)?.query_row([user], |row| count(row, 0)).optional()?;
    Ok(top.unwrap_or(0))
}

/// Where a device stands.
pub(super) fn place(conn: &Connection, user: &UserId, device: &str) -> rusqlite::Result<Place> {
    const OWN: &str = "SELECT number FROM cursors WHERE user = ?1 AND device = ?2";
    const FURTHEST: &str = "SELECT ifnull(max(number), 0) FROM cursors WHERE user = ?1";
    let Some((user, _)) = rows::user(conn, user)? else { return Ok(Place::default()) };
    let mut own = conn.prepare_cached(OWN)?;
    let own = own.query_row((user, device), |row| count(row, 0)).optional()?;
    let cursor = match own {
        Some(cursor) => cursor,
        None => conn.prepare_cached(FURTHEST)?.query_row([user], |row| count(row, 0))?,
    };
    Ok(Place { cursor, known: own.is_some(), top: top(conn, user)? })
}

/// What a reader finds.
pub(super) fn find(conn: &Connection, read: &InboxRead) -> Result<Found, Failure> {
    // A user whom nobody knows has nothing: no key is 0.
    let key = |user| Ok::<_, rusqlite::Error>(rows::user(conn, user)?.map_or(0, |(key, _)| key));
    Ok(Found::Inbox(match read {
        InboxRead::Page { user, after, limit, bytes, since_ms } => {
            page(conn, key(user)?, *after, *limit, *bytes, *since_ms)?
        }
        InboxRead::Notifications { user, unread_only, before, limit } => {
            notification::page(conn, key(user)?, user, *unread_only, *before, *limit)?
        }
    }))
}

fn page(
    conn: &Connection,
    user: i64,
    after: Option<u64>,
    limit: u32,
    bytes: usize,
    since_ms: u64,
) -> rusqlite::Result<InboxFound> {
    const FIRST: &str = "SELECT number FROM inbox WHERE user = ?1 AND at >= ?2 \
        ORDER BY number LIMIT 1";
    const PAGE: &str = "SELECT i.number, i.at, u.id, u.username, i.word, i.payload, i.critical \
        FROM inbox i CROSS JOIN users u ON u.key = i.sender \
        WHERE i.user = ?1 AND i.number > ?2 AND i.number >= ?3 ORDER BY i.number LIMIT ?4";
    let top = top(conn, user)?;
    let mut first = conn.prepare_cached(FIRST)?;
    let first = first.query_row((user, int(since_ms)), |row| count(row, 0)).optional()?;
    let first = first.unwrap_or(top + 1);
    let latest = (top + 1).saturating_sub(u64::from(limit)).max(first) - 1;
    let from = after.unwrap_or(latest);
    let mut page = conn.prepare_cached(PAGE)?;
    let found = page.query_map((user, int(from), int(first), limit), event)?;
    let (mut events, mut size) = (Vec::new(), 0);
    for event in found {
        let event = event?;
        size += event.payload.as_str().len();
        events.push(event);
        if size >= bytes {
            break;
        }
    }
    Ok(InboxFound::Page { events, first, top })
}

fn event(row: &Row<'_>) -> rusqlite::Result<InboxEvent> {
    Ok(InboxEvent {
        offset: count(row, 0)?,
        at: time(row, 1)?,
        sender: UserCard { id: user_id(row, 2)?, username: row.get(3)? },
        word: row.get(4)?,
        payload: rows::raw_if(row, 5)?.unwrap_or_else(Raw::null),
        critical: row.get(6)?,
    })
}
