//! Publications of durable channels in SQLite.
//!
//! A publication costs two searches (channel, sender), an insert and an update; one search more when
//! it has a `client_id`. What is over goes a few rows at a time, with the next publication.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row};

use super::super::Written;
use super::super::publication::{Keep, NewPublication, Publication, Publications};
use super::batch::Batch;
use super::failure::Failure;
use super::rows::{count, int, time, unreadable, user_id};
use crate::base::failpoint::{self, Plant, Point};
use crate::message::record::{Raw, UserCard};

/// The tables; see `schema.rs`. A channel's row says where its log begins and ends.
pub(super) const SCHEMA: &str = "
CREATE TABLE channels (
    key INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    first_offset INTEGER NOT NULL,
    last_offset INTEGER NOT NULL,
    last_at INTEGER NOT NULL
) STRICT;

CREATE TABLE publications (
    channel INTEGER NOT NULL,
    number INTEGER NOT NULL,
    sender INTEGER NOT NULL,
    at INTEGER NOT NULL,
    event TEXT NOT NULL,
    payload TEXT NOT NULL,
    client_id TEXT,
    PRIMARY KEY (channel, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX publications_by_client ON publications (channel, sender, client_id, number)
    WHERE client_id IS NOT NULL;
";

/// Rows of what is over that one publication removes at most.
const TRIMMED_MAX: u64 = 64;

/// A channel with the bounds of its log.
#[derive(Clone, Copy)]
struct Line {
    key: i64,
    /// The oldest row that is there, or the next one.
    oldest: u64,
    top: u64,
}

fn line(conn: &Connection, name: &str) -> rusqlite::Result<Option<Line>> {
    const SQL: &str = "SELECT key, first_offset, last_offset FROM channels WHERE name = ?1";
    let line =
        |row: &Row<'_>| Ok(Line { key: row.get(0)?, oldest: count(row, 1)?, top: count(row, 2)? });
    conn.prepare_cached(SQL)?.query_row([name], line).optional()
}

impl Line {
    /// The offset of the oldest that is not over, or the next one: time stamps ascend with numbers,
    /// so it is found by halves.
    fn first(self, conn: &Connection, keep: Keep, now_ms: u64) -> rusqlite::Result<u64> {
        const SQL: &str = "SELECT at FROM publications WHERE channel = ?1 AND number = ?2";
        let mut low = keep.first(self.top).max(self.oldest);
        let Some(over_ms) = keep.over_ms(now_ms) else { return Ok(low) };
        let mut at = conn.prepare_cached(SQL)?;
        let mut is_over = |number: u64| {
            let at = at.query_row((self.key, int(number)), |row| count(row, 0));
            at.map(|at| at <= over_ms)
        };
        // The usual case first: nothing has ended, or nothing since the last publication.
        if low > self.top || !is_over(low)? {
            return Ok(low);
        }
        let mut high = self.top + 1;
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if is_over(middle)? {
                low = middle;
            } else {
                high = middle;
            }
        }
        Ok(high)
    }
}

impl Batch<'_> {
    pub(super) fn publish(&self, new: &NewPublication) -> Result<Written, Failure> {
        const CHANNEL: &str = "INSERT INTO channels (name, first_offset, last_offset, last_at) \
            VALUES (?1, 1, 0, 0)";
        const INSERT: &str = "INSERT INTO publications \
            (channel, number, sender, at, event, payload, client_id) \
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let (sender, profile) = self.user(&new.sender)?;
        let channel = Arc::clone(&new.channel);
        let line = match line(self.conn, &new.channel)? {
            Some(line) => line,
            None => {
                self.execute(CHANNEL, [&new.channel])?;
                Line { key: self.conn.last_insert_rowid(), oldest: 1, top: 0 }
            }
        };
        let first = line.first(self.conn, new.keep, self.stamp.0)?;
        if let Some(offset) = self.named(line, sender, new.client_id.as_deref(), first)? {
            return Ok(Written::Published { channel, offset, publication: None });
        }
        let line = Line { top: line.top + 1, ..line };
        let at = int(self.stamp.0);
        let (event, payload) = (&new.event, new.payload.as_str());
        let client_id =
            new.client_id.as_ref().filter(|_| !failpoint::planted(Plant::NoPublicationKey));
        self.execute(INSERT, (line.key, int(line.top), sender, at, event, payload, client_id))?;
        self.end_line(line, first.max(new.keep.first(line.top)))?;
        failpoint::hit(Point::AfterInsert);
        let publication = Publication {
            offset: line.top,
            sender: profile.card(),
            at: self.stamp,
            event: Arc::clone(event),
            payload: new.payload.clone(),
        };
        let publication = Some(Box::new(publication));
        Ok(Written::Published { channel, offset: line.top, publication })
    }

    /// The offset of what is kept under this name of the sender's.
    fn named(
        &self,
        line: Line,
        sender: i64,
        client_id: Option<&str>,
        first: u64,
    ) -> rusqlite::Result<Option<u64>> {
        const SQL: &str = "SELECT number FROM publications \
            WHERE channel = ?1 AND sender = ?2 AND client_id = ?3 AND number >= ?4 \
            ORDER BY number DESC LIMIT 1";
        let Some(client_id) = client_id else { return Ok(None) };
        let key = (line.key, sender, client_id, int(first));
        self.conn.prepare_cached(SQL)?.query_row(key, |row| count(row, 0)).optional()
    }

    /// Says where the log ends now, and lets some of what is over before `first` go.
    fn end_line(&self, line: Line, first: u64) -> rusqlite::Result<()> {
        const TRIM: &str = "DELETE FROM publications WHERE channel = ?1 AND number < ?2";
        const END: &str = "UPDATE channels SET first_offset = ?2, last_offset = ?3, last_at = ?4 \
            WHERE key = ?1";
        let oldest = first.min(line.oldest + TRIMMED_MAX).max(line.oldest);
        if oldest > line.oldest {
            self.execute(TRIM, (line.key, int(oldest)))?;
        }
        let row = (line.key, int(oldest), int(line.top), int(self.stamp.0));
        self.execute(END, row).map(|_| ())
    }
}

/// The newest offset of a channel, 0 when there is none.
pub(super) fn top(conn: &Connection, channel: &str) -> rusqlite::Result<u64> {
    Ok(line(conn, channel)?.map_or(0, |line| line.top))
}

/// A part of what a channel keeps, from one snapshot.
pub(super) fn page(
    conn: &Connection,
    channel: &str,
    after: Option<u64>,
    limit: u32,
    keep: Keep,
    now_ms: u64,
) -> rusqlite::Result<Publications> {
    const SQL: &str = "SELECT p.number, u.id, u.username, p.at, p.event, p.payload \
        FROM publications p CROSS JOIN users u ON u.key = p.sender \
        WHERE p.channel = ?1 AND p.number >= ?2 ORDER BY p.number LIMIT ?3";
    let Some(line) = line(conn, channel)? else {
        return Ok(Publications { first: 1, ..Publications::default() });
    };
    let first = line.first(conn, keep, now_ms)?;
    let from = after.map_or_else(
        || (line.top + 1).saturating_sub(u64::from(limit)).max(first),
        |after| after.saturating_add(1).max(first),
    );
    let mut statement = conn.prepare_cached(SQL)?;
    let found = statement.query_map((line.key, int(from), limit), publication)?;
    let events = found.collect::<rusqlite::Result<Vec<_>>>()?;
    let more = from.saturating_add(events.len() as u64) <= line.top;
    Ok(Publications { events, first, top: line.top, more })
}

fn publication(row: &Row<'_>) -> rusqlite::Result<Publication> {
    let payload = row.get_ref(5)?.as_str()?;
    Ok(Publication {
        offset: count(row, 0)?,
        sender: UserCard { id: user_id(row, 1)?, username: row.get(2)? },
        at: time(row, 3)?,
        event: row.get(4)?,
        payload: Raw::new(payload).ok_or_else(|| unreadable(5, "a payload cannot be read"))?,
    })
}
