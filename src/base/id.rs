//! Ids: connections by slot and generation, everything a person can name as UUIDv7.

use std::fmt;
use std::sync::Arc;

/// A connection of one loop: a slot and the generation of its tenant.
///
/// A slot is reused, a generation is not, so an id that outlived its connection finds nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId {
    /// Index into the table of the loop.
    pub slot: u32,
    /// Which tenant of the slot; two tenants never have the same.
    pub generation: u32,
}

impl fmt::Debug for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "c{}.{}", self.slot, self.generation)
    }
}

/// A loop of this process, 0 the one that accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LoopId(pub u16);

/// A connection anywhere in this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address {
    /// The loop that owns it.
    pub home: LoopId,
    /// Which of that loop's connections.
    pub connection: ConnectionId,
}

/// A UUIDv7: of a chat, a message, a session, an event, a connection.
///
/// Aligned like a pointer: beside other fields a bare `u128` wastes up to half its size.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(Rust, packed(8))]
pub struct Id(pub u128);

impl Id {
    /// An id of version 7 (RFC 9562 §5.7) from a time stamp and 10 bytes of entropy.
    #[must_use]
    pub fn new(unix_ms: u64, entropy: &[u8; 10]) -> Self {
        Self(uuid::Builder::from_unix_timestamp_millis(unix_ms, entropy).into_uuid().as_u128())
    }

    /// When it was made, by the clock of whoever made it: milliseconds since 1970.
    #[must_use]
    pub const fn unix_ms(self) -> u64 {
        (self.0 >> 80) as u64
    }

    /// Parses the hyphenated form of 36 characters, and no other.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 36 {
            return None;
        }
        uuid::Uuid::try_parse(text).ok().map(|uuid| Self(uuid.as_u128()))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
        f.write_str(uuid::Uuid::from_u128(self.0).hyphenated().encode_lower(&mut text))
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl serde::Serialize for Id {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
        serializer.serialize_str(uuid::Uuid::from_u128(self.0).hyphenated().encode_lower(&mut text))
    }
}

/// A user's id: the `sub` of a token as it stands, for local accounts a UUIDv7 (SPEC §6).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UserId(pub Arc<str>);

impl UserId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Takes `[A-Za-z0-9._-]{1,64}`, and nothing else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::fits(text).then(|| Self(Arc::from(text)))
    }

    /// Whether `text` can be a user's id.
    #[must_use]
    pub fn fits(text: &str) -> bool {
        (1..=64).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
    }
}

impl fmt::Debug for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl serde::Serialize for UserId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_uuid_of_version_7_and_reads_back() {
        let id = Id::new(1_700_000_000_123, &[0xff; 10]);
        let text = id.to_string();
        assert_eq!(&text[..19], "018bcfe5-687b-7fff-");
        assert_eq!(Id::parse(&text), Some(id));
        assert_eq!(id.unix_ms(), 1_700_000_000_123);
        for wrong in ["", "x", "018bcfe5687b7fffbfffffffffffffff", "{018bcfe5-687b-7fff}"] {
            assert_eq!(Id::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_user_id_is_of_the_allowed_characters() {
        assert!(UserId::parse("a.B_9-").is_some());
        for wrong in ["", "a b", "é", &"x".repeat(65), "a/b"] {
            assert!(UserId::parse(wrong).is_none(), "{wrong}");
        }
    }
}
