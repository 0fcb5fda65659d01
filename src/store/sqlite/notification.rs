//! Notifications in SQLite. Their tables are made in `inbox.rs`.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row};

use super::super::Refusal;
use super::super::inbox::{Bounds, InboxFound, InboxWritten, Kept, json};
use super::batch::Batch;
use super::failure::Failure;
use super::inbox;
use super::rows::{self, blob, count, id, int, time, unreadable};
use crate::base::id::{Id, UserId};
use crate::message::inbox::{Level, Marked, NOTIFICATION, NOTIFICATION_READ, Notification};
use crate::message::record::{Raw, UserCard};

/// A notification to be made.
pub(super) struct New<'a> {
    pub(super) id: Id,
    pub(super) user: &'a UserId,
    pub(super) level: Level,
    pub(super) title: &'a Arc<str>,
    pub(super) message: &'a Arc<str>,
    pub(super) action: Option<&'a Raw>,
}

impl Batch<'_> {
    pub(super) fn notify(
        &self,
        by: (i64, UserCard),
        new: &New<'_>,
        bounds: Bounds,
    ) -> Result<InboxWritten, Failure> {
        const TAKEN: &str = "SELECT 1 FROM notifications WHERE user = ?1 AND id = ?2";
        const LAST: &str = "SELECT number FROM notifications WHERE user = ?1 \
            ORDER BY number DESC LIMIT 1";
        const INSERT: &str = "INSERT INTO notifications \
            (user, number, id, level, title, message, action, created_at) \
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
        const FORGET: &str = "DELETE FROM notifications WHERE user = ?1 AND number <= ?2";
        let (user, _) = self.user(new.user)?;
        if self.conn.prepare_cached(TAKEN)?.exists((user, blob(new.id)))? {
            return Err(Refusal::IdTaken.into());
        }
        let mut last = self.conn.prepare_cached(LAST)?;
        let last = last.query_row([user], |row| count(row, 0)).optional()?;
        let number = last.unwrap_or(0) + 1;
        let notification = Notification {
            id: new.id,
            user_id: new.user.clone(),
            level: new.level,
            title: Arc::clone(new.title),
            message: Arc::clone(new.message),
            read: false,
            created_at: self.stamp,
            action: new.action.cloned(),
        };
        let at = int(self.stamp.0);
        let action = new.action.map(Raw::as_str);
        let (id, level) = (blob(new.id), new.level.word());
        self.execute(INSERT, (user, int(number), id, level, new.title, new.message, action, at))?;
        let over = number.saturating_sub(u64::from(bounds.notifications));
        if over > 0 {
            self.execute(FORGET, (user, int(over)))?;
        }
        let kept = self.tell((user, new.user), by, NOTIFICATION, &json(&notification), bounds)?;
        Ok(InboxWritten::Notified { notification: Box::new(notification), kept: vec![kept] })
    }

    fn tell(
        &self,
        to: (i64, &UserId),
        by: (i64, UserCard),
        word: &str,
        payload: &Raw,
        bounds: Bounds,
    ) -> Result<Kept, Failure> {
        let word = Arc::from(word);
        self.keep(to, &inbox::New { by, word: &word, payload, critical: false }, bounds)
    }

    pub(super) fn mark_notifications(
        &self,
        user: &UserId,
        which: Option<Id>,
        bounds: Bounds,
    ) -> Result<InboxWritten, Failure> {
        const FIND: &str = "SELECT 1 FROM notifications WHERE user = ?1 AND id = ?2";
        const ONE: &str =
            "UPDATE notifications SET read = 1 WHERE user = ?1 AND id = ?2 AND read = 0";
        const ALL: &str = "UPDATE notifications SET read = 1 WHERE user = ?1 AND read = 0";
        let by = self.known(user)?;
        let key = by.0;
        let changed = match which {
            Some(id) => {
                if !self.conn.prepare_cached(FIND)?.exists((key, blob(id)))? {
                    return Err(Refusal::NoNotification.into());
                }
                self.execute(ONE, (key, blob(id)))?
            }
            None => self.execute(ALL, [key])?,
        };
        let mut kept = Vec::new();
        if changed > 0 {
            let marked = which.map_or(Marked::All, Marked::One);
            kept.push(self.tell((key, user), by, NOTIFICATION_READ, &json(&marked), bounds)?);
        }
        Ok(InboxWritten::Read { unread: unread(self.conn, key)?, kept })
    }
}

fn unread(conn: &Connection, user: i64) -> rusqlite::Result<u64> {
    const SQL: &str = "SELECT count(*) FROM notifications INDEXED BY notifications_unread \
        WHERE user = ?1 AND read = 0";
    conn.prepare_cached(SQL)?.query_row([user], |row| count(row, 0))
}

/// A page, newest first.
pub(super) fn page(
    conn: &Connection,
    user: i64,
    user_id: &UserId,
    unread_only: bool,
    before: Option<Id>,
    limit: u32,
) -> rusqlite::Result<InboxFound> {
    const PLACE: &str = "SELECT number FROM notifications WHERE user = ?1 AND id = ?2";
    const PAGE: &str = "SELECT id, level, title, message, read, created_at, action \
        FROM notifications WHERE user = ?1 AND number < ?2 AND read <= ?3 \
        ORDER BY number DESC LIMIT ?4";
    let before = match before {
        None => i64::MAX,
        Some(id) => {
            let mut place = conn.prepare_cached(PLACE)?;
            place.query_row((user, blob(id)), |row| row.get(0)).optional()?.unwrap_or(0)
        }
    };
    let mut page = conn.prepare_cached(PAGE)?;
    let found = page.query_map((user, before, !unread_only, limit), |row| one(row, user_id))?;
    let notifications = found.collect::<rusqlite::Result<_>>()?;
    Ok(InboxFound::Notifications { notifications, unread: unread(conn, user)? })
}

/// Those made since, newest first: one more than `limit` at most.
pub(super) fn since(
    conn: &Connection,
    user: &UserId,
    since_ms: u64,
    limit: u32,
) -> rusqlite::Result<Vec<Notification>> {
    const SQL: &str = "SELECT n.id, n.level, n.title, n.message, n.read, n.created_at, n.action \
        FROM users u CROSS JOIN notifications n ON n.user = u.key \
        WHERE u.id = ?1 AND n.created_at >= ?2 ORDER BY n.number DESC LIMIT ?3";
    let mut found = conn.prepare_cached(SQL)?;
    let params = (user.as_str(), int(since_ms), i64::from(limit) + 1);
    let found = found.query_map(params, |row| one(row, user))?;
    found.collect()
}

fn one(row: &Row<'_>, user: &UserId) -> rusqlite::Result<Notification> {
    let level: String = row.get(1)?;
    Ok(Notification {
        id: id(row, 0)?,
        user_id: user.clone(),
        level: Level::parse(&level).ok_or_else(|| unreadable(1, "no level"))?,
        title: row.get(2)?,
        message: row.get(3)?,
        read: row.get(4)?,
        created_at: time(row, 5)?,
        action: rows::raw_if(row, 6)?,
    })
}
