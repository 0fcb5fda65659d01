//! Who hears what: channels by name, their homes, their subscribers, and where users are.
//!
//! Plain tables. Nothing here sends, encodes or waits; the router asks and acts.

pub mod attendance;
pub mod calls;
pub mod channels;
pub mod homes;
pub mod patterns;
pub mod policy;
pub mod revocations;
pub mod subscriptions;
pub mod users;

use std::borrow::Borrow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::base::id::{Id, UserId};

/// The longest channel name in bytes.
const CHANNEL_BYTES_MAX: usize = 128;

/// A channel by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Channel {
    /// `room:{chat_id}`: the log of a chat, for its members.
    Room(Id),
    /// `user:{id}`: the inbox of a user.
    User(UserId),
    /// Any other, its whole name.
    Named(Arc<str>),
}

/// A channel whose name is borrowed: maps of channels are searched with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChannelRef<'a> {
    /// [`Channel::Room`].
    Room(Id),
    /// [`Channel::User`], its id.
    User(&'a str),
    /// [`Channel::Named`].
    Named(&'a str),
}

impl<'a> ChannelRef<'a> {
    /// Takes `[A-Za-z0-9._:-]{1,128}`. A `room:` without the id of a chat stays a name: it leads
    /// nowhere, exactly as one that does not exist.
    #[must_use]
    pub fn parse(name: &'a str) -> Option<Self> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b':' | b'-');
        if !(1..=CHANNEL_BYTES_MAX).contains(&name.len()) || !name.bytes().all(allowed) {
            return None;
        }
        let known = match name.split_once(':') {
            Some(("room", id)) => Id::parse(id).map(Self::Room),
            Some(("user", id)) => UserId::fits(id).then_some(Self::User(id)),
            _ => None,
        };
        Some(known.unwrap_or(Self::Named(name)))
    }

    /// The part of the name before the first `:`; its policy is configuration.
    #[must_use]
    pub fn namespace(&self) -> &'a str {
        match self {
            Self::Room(_) => "room",
            Self::User(_) => "user",
            Self::Named(name) => name.split_once(':').map_or(name, |(namespace, _)| namespace),
        }
    }
}

impl From<ChannelRef<'_>> for Channel {
    fn from(channel: ChannelRef<'_>) -> Self {
        match channel {
            ChannelRef::Room(id) => Self::Room(id),
            ChannelRef::User(id) => Self::User(UserId(Arc::from(id))),
            ChannelRef::Named(name) => Self::Named(Arc::from(name)),
        }
    }
}

/// A channel, borrowed or not: what a map of channels hashes and compares.
pub trait AsChannel {
    /// The channel, borrowed.
    fn as_channel(&self) -> ChannelRef<'_>;
}

impl AsChannel for Channel {
    fn as_channel(&self) -> ChannelRef<'_> {
        match self {
            Self::Room(id) => ChannelRef::Room(*id),
            Self::User(id) => ChannelRef::User(id.as_str()),
            Self::Named(name) => ChannelRef::Named(name),
        }
    }
}

impl AsChannel for ChannelRef<'_> {
    fn as_channel(&self) -> ChannelRef<'_> {
        *self
    }
}

impl PartialEq for dyn AsChannel + '_ {
    fn eq(&self, other: &Self) -> bool {
        self.as_channel() == other.as_channel()
    }
}

impl Eq for dyn AsChannel + '_ {}

impl Hash for dyn AsChannel + '_ {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_channel().hash(state);
    }
}

impl Hash for Channel {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_channel().hash(state);
    }
}

impl<'a> Borrow<dyn AsChannel + 'a> for Channel {
    fn borrow(&self) -> &(dyn AsChannel + 'a) {
        self
    }
}

impl Channel {
    /// As [`ChannelRef::parse`].
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        ChannelRef::parse(name).map(Self::from)
    }

    /// The part of the name before the first `:`; its policy is configuration.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.as_channel().namespace()
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Room(id) => write!(f, "room:{id}"),
            Self::User(id) => write!(f, "user:{id}"),
            Self::Named(name) => f.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_their_namespaces() {
        let id = Id(7).to_string();
        for (name, namespace) in [
            (format!("room:{id}"), "room"),
            ("room:x".into(), "room"),
            ("user:ana".into(), "user"),
            ("public:a:b".into(), "public"),
            ("broadcast".into(), "broadcast"),
        ] {
            let channel = Channel::parse(&name).expect("a good name");
            assert_eq!(channel.namespace(), namespace);
            assert_eq!(channel.to_string(), name);
        }
        assert_eq!(Channel::parse(&format!("room:{id}")), Some(Channel::Room(Id(7))));
        for wrong in ["", "a b", "public:é", "a/b", "public:*", &"x".repeat(129)] {
            assert_eq!(Channel::parse(wrong), None, "{wrong}");
        }
    }
}
