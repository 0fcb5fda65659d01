//! Full-text search in SQLite: an FTS5 table that says in which messages a word stands.
//!
//! The messages of a chat go into it [`CHUNK`] at a time, in the transaction of the one that fills the
//! chunk; up to which it was done says `counters.indexed_seq`, and what is after that is looked
//! through. So a message costs a share of one chunk, whatever the size of its commit, the entries
//! of a chat lie side by side, and a database from before search is brought up by the same steps.
//! Chats fill their chunks at different numbers, or chats of equal traffic would do so all at once.
//! Law: after every commit each message is in the index with its words as they are now, or is after
//! the mark. No text is in it. Limit: of the first 2^31 chats the first 2^32 messages are found.

use std::sync::Arc;

use rusqlite::wal::CheckpointMode;
use rusqlite::{Connection, DEFAULT_NAME, OptionalExtension, Row};

use super::super::Found;
use super::super::search::{Newest, Query, Words};
use super::failure::Failure;
use super::rows::{self, Seat, count, int, message_at, time};
use crate::base::failpoint::{self, Point};
use crate::base::id::UserId;
use crate::base::time::Timestamp;

/// The index, and up to where it goes in each chat. The words come as `search::Words` makes them: what
/// is left to the tokenizer is to part them at spaces.
pub(super) const SCHEMA: &str = "
CREATE VIRTUAL TABLE search USING fts5
    (words, content = '', columnsize = 0, detail = none, tokenize = 'ascii');
ALTER TABLE counters ADD COLUMN indexed_seq INTEGER NOT NULL DEFAULT 0;
";

/// Messages of a chat that go into the index together.
///
/// More would cost searches more, which look through what is not yet there; fewer, every message.
pub(super) const CHUNK: u64 = 128;
/// Messages of an old database that one transaction brings in.
const ROUND: u64 = 32 * CHUNK;

/// The row of a message in the index: those of a chat are side by side, in their order.
fn place(chat: i64, seq: u64) -> Option<i64> {
    let (chat, seq) = (u32::try_from(chat).ok()?, u32::try_from(seq).ok()?);
    (chat < 1 << 31).then(|| i64::from(chat) << 32 | i64::from(seq))
}

/// Puts the words of `text` into `words`, one space before each; whether there are any.
fn part(text: &str, words: &mut String, word: &mut String) -> bool {
    words.clear();
    let mut rest = Words(text);
    while rest.next_into(word) {
        words.push(' ');
        words.push_str(word);
    }
    !words.is_empty()
}

/// Brings the index up to `seq`, the chat's newest message, when that fills a chunk.
pub(super) fn keep_up(conn: &Connection, seat: &Seat, seq: u64) -> rusqlite::Result<()> {
    if !seat.chat.unsigned_abs().wrapping_add(seq).is_multiple_of(CHUNK) {
        return Ok(());
    }
    index(conn, seat.chat, seat.indexed_seq, seq)
}

/// Puts the messages of a chat from the one after `from` to `to` into the index.
fn index(conn: &Connection, chat: i64, from: u64, to: u64) -> rusqlite::Result<()> {
    const TEXTS: &str = "SELECT seq, content FROM messages \
        WHERE chat = ?1 AND seq > ?2 AND seq <= ?3 ORDER BY seq";
    const ADD: &str = "INSERT INTO search (rowid, words) VALUES (?1, ?2)";
    const MARK: &str = "UPDATE counters SET indexed_seq = ?2 WHERE chat = ?1";
    let (mut words, mut word) = (String::new(), String::new());
    let (mut texts, mut add) = (conn.prepare_cached(TEXTS)?, conn.prepare_cached(ADD)?);
    let mut rows = texts.query((chat, int(from), int(to)))?;
    while let Some(row) = rows.next()? {
        if let Some(place) = place(chat, count(row, 0)?)
            && part(text(row, 1)?, &mut words, &mut word)
        {
            add.execute((place, &words))?;
        }
    }
    conn.prepare_cached(MARK)?.execute((chat, int(to))).map(|_| ())
}

fn text<'r>(row: &'r Row<'_>, column: usize) -> rusqlite::Result<&'r str> {
    row.get_ref(column)?.as_str().map_err(|_| rows::unreadable(column, "a text is none"))
}

/// Has the index follow a message whose text was `old` and is `new`.
pub(super) fn change(
    conn: &Connection,
    seat: &Seat,
    seq: u64,
    old: &str,
    new: &str,
) -> rusqlite::Result<()> {
    // An index without texts has to be told what it is to forget.
    const FORGET: &str = "INSERT INTO search (search, rowid, words) VALUES ('delete', ?1, ?2)";
    const ADD: &str = "INSERT INTO search (rowid, words) VALUES (?1, ?2)";
    if seq > seat.indexed_seq {
        return Ok(());
    }
    let Some(place) = place(seat.chat, seq) else { return Ok(()) };
    let (mut words, mut word) = (String::new(), String::new());
    for (sql, text) in [(FORGET, old), (ADD, new)] {
        if part(text, &mut words, &mut word) {
            conn.prepare_cached(sql)?.execute((place, &words))?;
        }
    }
    Ok(())
}

/// Brings in what a database from before search holds: whoever is stopped goes on where it was.
pub(super) fn catch_up(conn: &Connection) -> rusqlite::Result<()> {
    let mut from = None;
    while let Some(chat) = catch_up_once(conn, from)? {
        if from.is_none() {
            log::info!("the messages of this database are being indexed for search");
        }
        from = Some(chat);
        // Else the WAL would grow by all of it; what cannot be copied now is copied later.
        let _ = conn.wal_checkpoint_v2(DEFAULT_NAME, CheckpointMode::PASSIVE);
    }
    Ok(())
}

/// Brings in some messages of the first chat, from the one given on, that has a chunk of them left, in a
/// transaction; the chat, if there is one.
fn catch_up_once(conn: &Connection, from: Option<i64>) -> rusqlite::Result<Option<i64>> {
    const BEHIND: &str = "SELECT chat, indexed_seq, last_seq FROM counters \
        WHERE chat >= ?1 AND last_seq - indexed_seq >= ?2 ORDER BY chat LIMIT 1";
    let behind = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, count(row, 1)?, count(row, 2)?));
    let place = (from.unwrap_or(i64::MIN), int(CHUNK));
    let next = conn.prepare_cached(BEHIND)?.query_row(place, behind).optional()?;
    let Some((chat, indexed, last)) = next else { return Ok(None) };
    conn.execute_batch("BEGIN IMMEDIATE")?;
    failpoint::hit(Point::Migration);
    let to = last.min(indexed + ROUND);
    let done = index(conn, chat, indexed, to).and_then(|()| conn.execute_batch("COMMIT"));
    failpoint::hit(Point::Migration);
    if let Err(error) = done {
        // The first error is the one to tell; a failed rollback leaves it to the next start.
        let _ = conn.execute_batch("ROLLBACK");
        return Err(error);
    }
    Ok(Some(chat))
}

/// A chat that may be searched.
struct Searched {
    chat: i64,
    indexed_seq: u64,
    active_at: Timestamp,
}

/// The messages of one chat of `user`'s, or of all.
pub(super) fn find(
    conn: &Connection,
    user: &UserId,
    seat: Option<&Seat>,
    query: &Query,
    limit: u32,
) -> Result<Found, Failure> {
    // The one with the newest message first: when there are enough, older ones need not be searched.
    const CHATS: &str = "SELECT m.chat, n.indexed_seq, n.active_at FROM users u \
        JOIN members m ON m.user = u.key JOIN counters n ON n.chat = m.chat \
        WHERE u.id = ?1 ORDER BY n.active_at DESC";
    let mut newest = Newest::new(limit);
    let words = expression(query);
    if let Some(seat) = seat {
        let (chat, indexed_seq, active_at) = (seat.chat, seat.indexed_seq, Timestamp(0));
        search(conn, &Searched { chat, indexed_seq, active_at }, query, &words, &mut newest)?;
        return Ok(newest.found());
    }
    let searched = |row: &Row<'_>| {
        Ok(Searched { chat: row.get(0)?, indexed_seq: count(row, 1)?, active_at: time(row, 2)? })
    };
    let mut chats = conn.prepare_cached(CHATS)?;
    for chat in chats.query_map([user.as_str()], searched)? {
        let chat = chat?;
        if newest.is_past(chat.active_at) {
            break;
        }
        search(conn, &chat, query, &words, &mut newest)?;
    }
    Ok(newest.found())
}

/// The query as FTS5 reads it: all of these words. They hold letters and digits only.
fn expression(query: &Query) -> String {
    query.words().iter().map(|word| format!("\"{word}\" ")).collect()
}

/// Offers the messages of a chat, the newest first: those after the mark, then those of the index.
fn search(
    conn: &Connection,
    chat: &Searched,
    query: &Query,
    words: &str,
    newest: &mut Newest,
) -> rusqlite::Result<()> {
    const TAIL: &str =
        "SELECT seq, content FROM messages WHERE chat = ?1 AND seq > ?2 ORDER BY seq DESC";
    const INDEX: &str = "SELECT rowid FROM search \
        WHERE search MATCH ?1 AND rowid > ?2 AND rowid <= ?3 ORDER BY rowid DESC";
    let mut word = String::new();
    let mut tail = conn.prepare_cached(TAIL)?;
    let mut rows = tail.query((chat.chat, int(chat.indexed_seq)))?;
    while let Some(row) = rows.next()? {
        if query.matches(text(row, 1)?, &mut word)
            && !offer(conn, chat.chat, count(row, 0)?, newest)?
        {
            return Ok(());
        }
    }
    let last = chat.indexed_seq.min(u64::from(u32::MAX));
    let (Some(before), Some(last)) = (place(chat.chat, 0), place(chat.chat, last)) else {
        return Ok(());
    };
    if before == last {
        return Ok(());
    }
    let mut index = conn.prepare_cached(INDEX)?;
    let mut rows = index.query((words, before, last))?;
    while let Some(row) = rows.next()? {
        let place: i64 = row.get(0)?;
        if !offer(conn, chat.chat, (place - before).unsigned_abs(), newest)? {
            return Ok(());
        }
    }
    Ok(())
}

/// Offers one; false when none before it has a place any more.
fn offer(conn: &Connection, chat: i64, seq: u64, newest: &mut Newest) -> rusqlite::Result<bool> {
    let Some(message) = message_at(conn, chat, seq)? else { return Ok(true) };
    if newest.is_past(message.created_at) {
        return Ok(false);
    }
    newest.offer(Arc::new(message));
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::super::schema::MIGRATIONS;
    use super::*;

    #[test]
    fn places_are_in_order_and_end() {
        assert!(place(1, 1) < place(1, 2) && place(1, u64::from(u32::MAX)) < place(2, 0));
        assert_eq!(place(1, 1 << 32), None);
        assert_eq!(place(1 << 31, 1), None);
        assert!(place((1 << 31) - 1, u64::from(u32::MAX)).is_some_and(|place| place > 0));
    }

    /// Chats of these lengths that no index knows.
    fn older(lengths: &[u64]) -> Connection {
        let conn = Connection::open_in_memory().expect("opens");
        conn.execute_batch(&MIGRATIONS.concat()).expect("the schema");
        for (chat, length) in (1_i64..).zip(lengths) {
            let chat_row = "INSERT INTO chats (key, id, kind, visibility, created_at) \
                VALUES (?1, randomblob(16), 2, 0, 0)";
            let counters = "INSERT INTO counters (chat, last_seq, active_at, last_at) \
                VALUES (?1, ?2, 0, 0)";
            let message = "INSERT INTO messages (chat, seq, id, sender, content, created_at) \
                VALUES (?1, ?2, randomblob(16), 1, 'word n' || ?2, 0)";
            conn.execute(chat_row, [chat]).expect("a chat");
            conn.execute(counters, (chat, int(*length))).expect("its counters");
            for seq in 1..=*length {
                conn.execute(message, (chat, int(seq))).expect("a message");
            }
        }
        conn
    }

    fn one(conn: &Connection, sql: &str) -> i64 {
        conn.query_row(sql, [], |row| row.get(0)).expect("a number")
    }

    /// However often it is stopped between two transactions, and begun anew.
    #[test]
    fn who_is_stopped_while_catching_up_goes_on_where_it_was() {
        let conn = older(&[10, ROUND + CHUNK + 6, CHUNK - 1, CHUNK, 3 * ROUND]);
        let mut transactions = 0;
        while catch_up_once(&conn, None).expect("it goes on").is_some() {
            transactions += 1;
            let marked = one(&conn, "SELECT sum(indexed_seq) FROM counters");
            let found = one(&conn, "SELECT count(*) FROM search WHERE search MATCH 'word'");
            assert_eq!(found, marked, "what is marked is there, once");
        }
        assert_eq!(transactions, 2 + 1 + 3);
        let left = one(&conn, "SELECT sum(last_seq - indexed_seq) FROM counters");
        assert_eq!(left, 10 + int(CHUNK) - 1);
        catch_up(&conn).expect("there is nothing left");
    }
}
