//! What a user missed since a time: `sync`.
//!
//! Law: inclusive, of one snapshot, whose stamp is told: whoever asks again with that stamp misses
//! nothing, though something may come twice. Only chats of which the user is a member now. Limit: the
//! newest changes first, at most [`CHANGES_MAX`] messages of a chat and [`BYTES_MAX`] of text; `more`
//! says where there were others.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Serialize;

use crate::base::time::Timestamp;
use crate::message::execution::Execution;
use crate::message::inbox::Notification;
use crate::message::record::{ChatMessage, ChatView};

/// Messages of one chat.
pub const CHANGES_MAX: usize = 100;
/// Entries of the log of one chat that are looked at.
pub const ENTRIES_MAX: usize = 2000;
/// Bytes of the texts of all messages together.
pub const BYTES_MAX: usize = 512 * 1024;

/// What a user missed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Missed {
    /// Chats in which something happened, the one where it was last first.
    pub chats: Vec<MissedChat>,
    /// Notifications made since, newest first.
    pub notifications: Vec<Notification>,
    /// Executions that changed since, newest first.
    pub executions: Vec<Execution>,
    /// The stamp of the snapshot.
    pub server_time: Timestamp,
    /// Whether a list was cut.
    pub more: bool,
}

/// What happened in a chat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MissedChat {
    /// As the user sees it now.
    pub chat: ChatView,
    /// Messages written, edited or deleted since, as they are now, ascending.
    pub messages: Vec<Arc<ChatMessage>>,
    /// Whether there were others before these.
    pub more: bool,
}

/// The messages that the newest entries of a log are about, from the time `since_ms`; and whether
/// there were more. `entries` are the time and the message of each, newest first.
pub(super) fn changed<E>(
    entries: impl Iterator<Item = Result<(u64, Option<u64>), E>>,
    since_ms: u64,
) -> Result<(BTreeSet<u64>, bool), E> {
    let mut seqs = BTreeSet::new();
    for (seen, entry) in entries.enumerate() {
        let (at, seq) = entry?;
        if at < since_ms {
            break;
        }
        let full = seqs.len() == CHANGES_MAX && seq.is_some_and(|seq| !seqs.contains(&seq));
        if full || seen == ENTRIES_MAX {
            return Ok((seqs, true));
        }
        seqs.extend(seq);
    }
    Ok((seqs, false))
}

/// Takes messages, newest first, while there is room for their texts.
pub(super) fn fill<E>(
    seqs: BTreeSet<u64>,
    room: &mut usize,
    mut message: impl FnMut(u64) -> Result<Option<Arc<ChatMessage>>, E>,
) -> Result<(Vec<Arc<ChatMessage>>, bool), E> {
    let mut messages = Vec::new();
    let mut more = false;
    for seq in seqs.into_iter().rev() {
        let Some(message) = message(seq)? else { continue };
        let bytes =
            message.content.len() + message.metadata.as_ref().map_or(0, |m| m.as_str().len());
        if bytes > *room {
            more = true;
            break;
        }
        *room -= bytes;
        messages.push(message);
    }
    messages.reverse();
    Ok((messages, more))
}
