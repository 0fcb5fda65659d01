//! What is kept for one user, as it is written and read: notifications, the inbox, its cursors.
//!
//! Law: an event of an inbox gets its offset in the transaction that keeps it; a cursor never moves
//! back and never beyond the newest event. Limit: [`Bounds`], which come with each write.

use std::sync::Arc;

use crate::base::id::{Id, UserId};
use crate::message::inbox::{InboxEvent, Level, Notification};
use crate::message::record::Raw;

/// How much is kept for one user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Events of the inbox (1,000). Effect: the oldest goes, devices that miss it are told by `gap`.
    pub events: u32,
    /// Their age in milliseconds (30 days). Effect: the same.
    pub age_ms: u64,
    /// Notifications (1,000). Effect: the oldest goes.
    pub notifications: u32,
    /// Devices with a cursor of their own (64). Effect: the one that moved longest ago is forgotten.
    pub devices: u32,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { events: 1000, age_ms: 30 * 86_400_000, notifications: 1000, devices: 64 }
    }
}

/// Events that one [`InboxWrite::Sweep`] lets go, after which it looks at no other user.
pub(super) const SWEPT_MAX: u64 = 4096;

/// The name of a device without a `client_id`.
pub const DEFAULT_DEVICE: &str = "default";

/// How far a device has come in the inbox of its user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Whose inbox.
    pub user: UserId,
    /// Which device.
    pub device: Arc<str>,
    /// The last event that it has.
    pub offset: u64,
}

/// What can be written for a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InboxWrite {
    /// An event for each of these users → [`InboxWritten::Sent`].
    Send {
        /// Who sends it.
        by: UserId,
        /// To whom; a repeat counts once.
        users: Vec<UserId>,
        /// Its `type`.
        word: Arc<str>,
        /// What it tells.
        payload: Raw,
        /// Whether a full queue must not cost it.
        critical: bool,
        /// How much is kept.
        bounds: Bounds,
    },
    /// A notification → [`InboxWritten::Notified`].
    Notify {
        /// The id it gets.
        id: Id,
        /// Who makes it.
        by: UserId,
        /// For whom.
        user: UserId,
        /// How urgent it is.
        level: Level,
        /// In a few words.
        title: Arc<str>,
        /// In more.
        message: Arc<str>,
        /// What the client may offer to do.
        action: Option<Raw>,
        /// How much is kept.
        bounds: Bounds,
    },
    /// The user has read one notification, or all; again is no error → [`InboxWritten::Read`].
    MarkRead {
        /// Who.
        user: UserId,
        /// Which; none: all.
        notification: Option<Id>,
        /// How much is kept.
        bounds: Bounds,
    },
    /// A device that was not seen before gets its cursor: the furthest of the user's
    /// → [`InboxWritten::Moved`].
    Open {
        /// Whose.
        user: UserId,
        /// Which device.
        device: Arc<str>,
        /// How many there may be.
        bounds: Bounds,
    },
    /// What is too old goes from the inboxes of the next users by id → [`InboxWritten::Swept`].
    Sweep {
        /// They come after this one; none: from the first.
        after: Option<UserId>,
        /// At most so many.
        users: u32,
        /// How old is too old, milliseconds.
        age_ms: u64,
    },
    /// Cursors move → [`InboxWritten::Moved`]. Who is unknown is passed over.
    Move {
        /// Up to where.
        cursors: Vec<Cursor>,
        /// How many there may be.
        bounds: Bounds,
    },
}

/// What came of it. `kept` is what the users' connections are to hear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InboxWritten {
    /// An event for many; when one of the users is unknown, nothing is kept for anybody.
    Sent {
        /// For whom, and what.
        kept: Vec<Kept>,
        /// Whom nobody knows.
        unknown: Vec<UserId>,
    },
    /// A notification.
    Notified {
        /// As it is stored.
        notification: Box<Notification>,
        /// Its event.
        kept: Vec<Kept>,
    },
    /// Notifications were read.
    Read {
        /// How many are not.
        unread: u64,
        /// The event, when something changed.
        kept: Vec<Kept>,
    },
    /// Cursors are where they were to be.
    Moved,
    /// What was too old is gone.
    Swept {
        /// The last user looked at; none: there is no other after.
        last: Option<UserId>,
        /// How many events went.
        dropped: u64,
    },
}

impl InboxWritten {
    /// Takes out what connections are to hear.
    pub fn take_kept(&mut self) -> Vec<Kept> {
        match self {
            Self::Sent { kept, .. } | Self::Notified { kept, .. } | Self::Read { kept, .. } => {
                std::mem::take(kept)
            }
            Self::Moved | Self::Swept { .. } => Vec::new(),
        }
    }
}

/// An event in the inbox of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Whose inbox.
    pub user: UserId,
    /// The event.
    pub event: InboxEvent,
    /// How many older ones went for it.
    pub dropped: u64,
}

/// Where a device stands in an inbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The last event that it has; of a device not seen before, the furthest of the user's cursors.
    pub cursor: u64,
    /// Whether it was seen before.
    pub known: bool,
    /// The newest offset, 0 when there is no event.
    pub top: u64,
}

/// What can be asked of what is kept for a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InboxRead {
    /// A page of the inbox, ascending → [`InboxFound::Page`].
    Page {
        /// Whose.
        user: UserId,
        /// The page begins after this offset; none: the latest page.
        after: Option<u64>,
        /// At most this many events,
        limit: u32,
        /// and no further one when their payloads have so many bytes together.
        bytes: usize,
        /// What is older is gone, unix milliseconds.
        since_ms: u64,
    },
    /// Notifications, newest first → [`InboxFound::Notifications`].
    Notifications {
        /// Whose.
        user: UserId,
        /// Only those that were not read.
        unread_only: bool,
        /// The page begins after (is older than) this one.
        before: Option<Id>,
        /// At most this many.
        limit: u32,
    },
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InboxFound {
    /// A page of the inbox.
    Page {
        /// Ascending, without holes.
        events: Vec<InboxEvent>,
        /// The offset that the oldest event kept has, or the next one would have.
        first: u64,
        /// The newest offset, 0 when there is none.
        top: u64,
    },
    /// A page of notifications.
    Notifications {
        /// Newest first.
        notifications: Vec<Notification>,
        /// How many of all were not read.
        unread: u64,
    },
}

/// What is kept as JSON of our own.
pub(super) fn json(value: &impl serde::Serialize) -> Raw {
    // Our own records are written without fail; should one refuse, it is `null`.
    serde_json::to_string(value).ok().and_then(|text| Raw::new(&text)).unwrap_or_else(Raw::null)
}
