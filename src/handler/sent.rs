//! What a handler sends, what may be done with it while it is queued, and how it parts.

use std::borrow::Cow;
use std::ops::Range;

use crate::base::id::ConnectionId;
use crate::protocol::frame::{Frame, OwnFrame};

/// What is sent.
#[derive(Debug)]
pub enum Segment {
    /// This part of the message being handled, in a frame of the same kind: re-framed where it
    /// lies, copied only when the kernel does not take it. Only within
    /// [`Handler::message`](super::Handler::message), only to its connection, at most once.
    Lent(Range<usize>),
    /// A message for many.
    Shared(Frame),
    /// A message for one.
    Own(OwnFrame),
}

/// What becomes of an entry that the queue of a slow receiver has no room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Replies and control: always queued. Whoever does not take them is not read, and closed after a
    /// time.
    Reply,
    /// Events that are never dropped, and make others of their queue give way that may be; the
    /// connection is closed when that is not enough.
    Critical,
    /// Events whose loss is not allowed: the connection is closed.
    Kick,
    /// The oldest queued ones of the same channel are dropped; when none is queued, this one.
    DropOldest,
    /// This one is dropped.
    DropNewest,
    /// All queued ones of the same channel are dropped; when that is not enough, this one too.
    Latest,
}

impl Class {
    /// Whether an entry of this class may be dropped.
    #[must_use]
    pub const fn may_be_dropped(self) -> bool {
        matches!(self, Self::DropOldest | Self::DropNewest | Self::Latest)
    }

    /// Whether what is sent in a row may be one entry: it is dropped by nobody.
    pub(crate) const fn may_be_gathered(self) -> bool {
        matches!(self, Self::Reply | Self::Kick)
    }
}

/// Which event of which channel an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tag {
    /// The channel as a number of this loop; 0 for none.
    pub channel: u32,
    /// The offset there; 0 for none.
    pub offset: u64,
    /// What the queue may do with it.
    pub class: Class,
}

impl Tag {
    /// A reply, or anything else without a channel.
    pub const REPLY: Self = Self { channel: 0, offset: 0, class: Class::Reply };
}

/// Events of a channel that a connection does not get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Who does not get them.
    pub connection: ConnectionId,
    /// Of which channel, as in [`Tag::channel`]; its subscription may have ended in this input.
    pub channel: u32,
    /// The first offset that is missing.
    pub from: u64,
    /// The last one.
    pub to: u64,
}

/// Why we close.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Close {
    /// RFC 6455 §7.4, or of the application (4000–4999).
    pub code: u16,
    /// For people, at most 123 bytes.
    pub reason: Cow<'static, str>,
    /// When to come back.
    pub retry_ms: Option<u64>,
}

impl Close {
    /// A close with its reason.
    pub fn new(code: u16, reason: impl Into<Cow<'static, str>>) -> Self {
        Self { code, reason: reason.into(), retry_ms: None }
    }
}
