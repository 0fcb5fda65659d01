//! Who hears what: channels by name, their homes, their subscribers, and where users are.
//!
//! Plain tables. Nothing here sends, encodes or waits; the router asks and acts.

pub mod channels;
pub mod homes;
pub mod revocations;
pub mod subscriptions;
pub mod users;

use std::fmt;
use std::sync::Arc;

use crate::base::id::{Id, UserId};

/// The longest channel name in bytes.
const CHANNEL_BYTES_MAX: usize = 128;

/// A channel by its name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Channel {
    /// `room:{chat_id}`: the log of a chat, for its members.
    Room(Id),
    /// `user:{id}`: the inbox of a user.
    User(UserId),
    /// Any other, its whole name.
    Named(Arc<str>),
}

impl Channel {
    /// Takes `[A-Za-z0-9._:-]{1,128}`. A `room:` without the id of a chat stays a name: it leads
    /// nowhere, exactly as one that does not exist.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b':' | b'-');
        if !(1..=CHANNEL_BYTES_MAX).contains(&name.len()) || !name.bytes().all(allowed) {
            return None;
        }
        let known = match name.split_once(':') {
            Some(("room", id)) => Id::parse(id).map(Self::Room),
            Some(("user", id)) => UserId::parse(id).map(Self::User),
            _ => None,
        };
        Some(known.unwrap_or_else(|| Self::Named(Arc::from(name))))
    }

    /// The part of the name before the first `:`; its policy is configuration.
    #[must_use]
    pub fn namespace(&self) -> &str {
        match self {
            Self::Room(_) => "room",
            Self::User(_) => "user",
            Self::Named(name) => name.split_once(':').map_or(name, |(namespace, _)| namespace),
        }
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
