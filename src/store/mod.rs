//! What is kept, as two traits over closed lists: [`Store::commit`] writes batches, [`Reader::read`] reads.
//!
//! A batch is one transaction and one fsync; each write in it stands or falls alone. What a write
//! needs to know (member, owner, author, seen before) is checked inside the transaction. The log of
//! a channel gets its event in the same transaction as what it tells of. Calls block: they belong
//! on a worker, never on a loop.
//!
//! What the stores agree on beyond the types, each settled where the specification is silent:
//! - A user who joins or is added has read what was there before.
//! - Who is no member learns nothing, not even that the chat is of a kind that has no owner.
//! - Of a room that everyone left, whoever joins next is the owner.
//! - An event of the log that tells of a message shows the message as it stands when the log is read.
//! - `null` as metadata is none.

pub mod execution;
pub mod inbox;
pub mod memory;
pub mod publication;
mod read;
pub mod search;
#[cfg(feature = "sqlite")]
pub mod sqlite;
pub mod sync;
mod write;

use std::sync::Arc;

use crate::base::now::Now;
use crate::message::record::Raw;

pub use read::{Found, Read};
pub use write::{Logged, NewMessage, NewSession, Target, Write, Written};

/// The one writer of a store.
pub trait Store: Send {
    /// Commits `batch` as one transaction and appends one outcome per write to `out`, in order.
    ///
    /// Each write is numbered and stamped here: one time stamp per batch, never before the last
    /// one's. When the commit itself fails, every write of the batch fails with its error, and
    /// nothing of it is stored.
    fn commit(&mut self, now: Now, batch: &[Write], out: &mut Vec<Result<Written, Error>>);

    /// Does what can wait; the writer calls it when nothing is queued. May take some milliseconds.
    fn idle(&mut self) {}

    /// Another reader of the same data; sees what was committed before each of its reads.
    ///
    /// # Errors
    /// When the store cannot be opened once more.
    fn reader(&self) -> Result<Box<dyn Reader>, Error>;
}

/// One of the readers beside the writer.
pub trait Reader: Send {
    /// Answers `read` from one snapshot.
    ///
    /// # Errors
    /// [`Error::Refused`] when the caller may not see it, [`Error::Unavailable`] when the store fails.
    fn read(&mut self, read: &Read) -> Result<Found, Error>;
}

/// Why a write or a read did not happen. Nothing of it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// A rule said no.
    Refused(Refusal),
    /// No room on the disk.
    Full,
    /// The database failed, with its own words for the log.
    Unavailable(Arc<str>),
    /// An fsync failed: what is on the disk is unknown, and no write will be accepted any more.
    Fatal(Arc<str>),
}

/// The rules that only stored state can decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No such chat, or not the caller's.
    NoChat,
    /// No such message, or not of a chat of the caller's.
    NoMessage,
    /// No such user.
    NoUser,
    /// No such session of this user.
    NoSession,
    /// The message named by `reply_to` is not of this chat.
    NoReplyTarget,
    /// A member, but neither owner nor author.
    Forbidden,
    /// A DM has no members to add or remove, no name and no owner.
    NotForDm,
    /// The username is taken.
    NameTaken,
    /// The id of the user, chat, message or session is taken by another one.
    IdTaken,
    /// A refresh token that was used before: its whole family is revoked now.
    TokenReused,
    /// The session is revoked or over.
    SessionOver,
    /// A deleted message cannot be edited.
    Deleted,
    /// A DM with oneself.
    Oneself,
    /// No such notification of this user.
    NoNotification,
    /// An execution that is finished, that would pass over a step, or whose progress would go back.
    Transition,
    /// The execution is of another team.
    OtherTeam,
}

/// How long what has ended (sessions, refresh and access tokens) is remembered, milliseconds.
const KEPT_AFTER_END_MS: u64 = 86_400_000;

/// `text` without case, letter by letter, for comparing and sorting.
fn fold(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

/// The metadata to keep: `null` is none.
fn kept(metadata: Option<&Raw>) -> Option<Raw> {
    metadata.filter(|raw| raw.as_str() != "null").cloned()
}

/// The name that an admitted user gets: `name` when free, else the id, else the id and a number.
fn free_name<E>(
    id: &str,
    name: Option<&str>,
    mut taken: impl FnMut(&str) -> Result<bool, E>,
) -> Result<String, E> {
    for wish in name.into_iter().chain([id]) {
        if !taken(&fold(wish))? {
            return Ok(wish.to_owned());
        }
    }
    let mut number: u64 = 2;
    loop {
        let wish = format!("{id}-{number}");
        if !taken(&fold(&wish))? {
            return Ok(wish);
        }
        number += 1;
    }
}
