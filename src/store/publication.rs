//! Publications of durable channels, as they are written and read.
//!
//! Law: the offset is given in the transaction that stores the publication, 1, 2, 3… in its channel;
//! numbers and time stamps never go back. What is over by its [`Keep`] is not found, whether it is
//! still on the disk or not. Limit: who may publish is decided before a write is made.

use std::sync::Arc;

use crate::base::id::UserId;
use crate::base::time::Timestamp;
use crate::message::record::{Raw, UserCard};

/// How much of a channel is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keep {
    /// The newest publications; none: all.
    pub messages: Option<u32>,
    /// Those that are younger, in seconds; none: all.
    pub seconds: Option<u32>,
}

impl Keep {
    /// Of a channel whose newest publication has offset `top`: the first that its number allows.
    pub(super) fn first(self, top: u64) -> u64 {
        self.messages.map_or(1, |messages| (top + 1).saturating_sub(u64::from(messages)).max(1))
    }

    /// The time stamp up to which publications are over at `now_ms`; none: they never are.
    pub(super) fn over_ms(self, now_ms: u64) -> Option<u64> {
        self.seconds.map(|seconds| now_ms.saturating_sub(u64::from(seconds) * 1000))
    }
}

/// A publication to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPublication {
    /// The channel's whole name.
    pub channel: Arc<str>,
    /// Who publishes.
    pub sender: UserId,
    /// The `type` of the event.
    pub event: Arc<str>,
    /// The text of its payload.
    pub payload: Raw,
    /// The publisher's own id for it: as long as one of the same name is kept, that one stands.
    pub client_id: Option<Arc<str>>,
    /// How much of the channel is kept.
    pub keep: Keep,
}

/// A publication as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// Its place in the channel.
    pub offset: u64,
    /// Who published it.
    pub sender: UserCard,
    /// When it was committed.
    pub at: Timestamp,
    /// The `type` of the event.
    pub event: Arc<str>,
    /// The text of its payload.
    pub payload: Raw,
}

/// A part of what a channel keeps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Publications {
    /// Ascending, without holes.
    pub events: Vec<Publication>,
    /// The offset of the oldest that is kept, or of the next one when none is.
    pub first: u64,
    /// The newest offset, 0 when there is none.
    pub top: u64,
    /// Whether there are more after the last.
    pub more: bool,
}
