//! What a user missed, in SQLite.

use std::cmp::Reverse;
use std::sync::Arc;

use rusqlite::{Connection, Row};

use super::super::Found;
use super::super::sync::{BYTES_MAX, Missed, MissedChat, changed, fill};
use super::log::kind;
use super::rows::{self, count, int, message_at};
use super::{execution, notification};
use crate::base::id::UserId;
use crate::base::time::Timestamp;
use crate::message::record::ChatMessage;

/// What is asked.
pub(super) struct Asked<'a> {
    pub(super) user: &'a UserId,
    pub(super) teams: &'a [String],
    pub(super) since_ms: u64,
    pub(super) limit: u32,
}

/// What `asked.user` missed; `server_time` is no later than the snapshot.
pub(super) fn missed(
    conn: &Connection,
    asked: &Asked<'_>,
    server_time: Timestamp,
) -> rusqlite::Result<Found> {
    const CHATS: &str = "SELECT m.chat, m.user FROM users u JOIN members m ON m.user = u.key \
        JOIN chats c ON c.key = m.chat JOIN counters n ON n.chat = m.chat \
        WHERE u.id = ?1 AND n.last_at >= ?2 ORDER BY n.last_at DESC, c.id DESC LIMIT ?3";
    let Asked { user, teams, since_ms, limit } = *asked;
    let most = limit as usize;
    let mut found = conn.prepare_cached(CHATS)?;
    let keys = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?));
    let found = found.query_map((user.as_str(), int(since_ms), i64::from(limit) + 1), keys)?;
    let mut found = found.collect::<rusqlite::Result<Vec<_>>>()?;
    let mut more = found.len() > most;
    found.truncate(most);
    let (mut chats, mut left) = (Vec::new(), BYTES_MAX);
    for (chat, user) in found {
        let (messages, more) = messages(conn, chat, since_ms, &mut left)?;
        chats.push(MissedChat { chat: rows::view(conn, chat, user)?, messages, more });
    }
    let mut notifications = notification::since(conn, user, since_ms, limit)?;
    more |= notifications.len() > most;
    notifications.truncate(most);
    let mut executions = Vec::new();
    for team in teams {
        let of_team = execution::of_team(conn, team, None, since_ms, limit)?;
        if let Found::Executions { executions: of_team, more: cut } = of_team {
            more |= cut;
            executions.extend(of_team);
        }
    }
    executions.sort_by_key(|one| Reverse((one.updated_at, one.execution_id.clone())));
    more |= executions.len() > most;
    executions.truncate(most);
    let missed = Missed { chats, notifications, executions, server_time, more };
    Ok(Found::Missed(Box::new(missed)))
}

/// What changed in a chat.
fn messages(
    conn: &Connection,
    chat: i64,
    since_ms: u64,
    left: &mut usize,
) -> rusqlite::Result<(Vec<Arc<ChatMessage>>, bool)> {
    const LOG: &str = "SELECT at, kind, subject FROM log WHERE chat = ?1 ORDER BY number DESC";
    let entry = |row: &Row<'_>| {
        let about = matches!(row.get(1)?, kind::MESSAGE | kind::EDITED | kind::DELETED);
        Ok((count(row, 0)?, if about { Some(count(row, 2)?) } else { None }))
    };
    let mut log = conn.prepare_cached(LOG)?;
    // Read no further than it is looked at.
    let (seqs, cut) = changed(log.query_map([chat], entry)?, since_ms)?;
    let message = |seq| -> rusqlite::Result<_> { Ok(message_at(conn, chat, seq)?.map(Arc::new)) };
    let (messages, full) = fill(seqs, left, message)?;
    Ok((messages, cut || full))
}
