//! The words of events (SPEC §3, §4), and which of them a client may choose for its own.
//!
//! Law: no client can publish what looks like an event of the server.

/// The first event on every connection.
pub const HELLO: &str = "hello";
/// The last event on lines, before the server closes.
pub const BYE: &str = "bye";
/// On lines, after a time without output.
pub const PING: &str = "ping";
/// Events of a channel were dropped, or are older than what is kept.
pub const GAP: &str = "gap";
/// Who comes and goes in a channel, or how many are there.
pub const PRESENCE: &str = "presence";
/// A publication that names no event.
pub const PUBLICATION: &str = "publication";
/// A chat was made; sent to its members.
pub const GROUP_CREATED: &str = "group:created";
/// Someone types, or stopped.
pub const TYPING: &str = "typing";

/// A worker is called.
pub const CALL: &str = "call";

/// The longest name of an event, in bytes.
pub const EVENT_BYTES_MAX: usize = 64;

/// The events of SPEC that have a meaning of their own, sorted.
const RESERVED: &[&str] = &[
    BYE,
    CALL,
    "chat:updated",
    "execution_update",
    GAP,
    GROUP_CREATED,
    HELLO,
    "member:joined",
    "member:left",
    "message",
    "message:deleted",
    "message:edited",
    "notification",
    "notification:read",
    PING,
    PRESENCE,
    "read",
    TYPING,
];

/// Whether `word` is an event of the server, which `publish`, `broadcast` and `send` refuse.
#[must_use]
pub fn is_reserved_event(word: &str) -> bool {
    RESERVED.binary_search(&word).is_ok()
}

/// Whether `name` may name an event: 1–64 characters of `A-Za-z0-9._:-`.
#[must_use]
pub fn is_event_name(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b':' | b'-');
    (1..=EVENT_BYTES_MAX).contains(&name.len()) && name.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_of_the_server_are_reserved() {
        assert!(RESERVED.is_sorted());
        for word in RESERVED {
            assert!(is_reserved_event(word), "{word}");
            assert!(is_event_name(word), "{word}");
        }
        for free in [PUBLICATION, "tick", "messages", ""] {
            assert!(!is_reserved_event(free), "{free}");
        }
    }

    #[test]
    fn every_event_of_a_room_is_reserved() {
        use crate::base::id::{Id, UserId};
        use crate::message::record::{RoomEvent, UserCard};

        let chat_id = Id(1);
        let user = UserCard { id: UserId("u".into()), username: "u".into() };
        let events = [
            RoomEvent::Deleted { id: Id(2), chat_id, seq: 1 },
            RoomEvent::Joined { chat_id, user: user.clone() },
            RoomEvent::Left { chat_id, user },
            RoomEvent::Read { chat_id, user_id: UserId("u".into()), seq: 1 },
        ];
        for event in events {
            assert!(is_reserved_event(event.word()), "{}", event.word());
        }
    }

    #[test]
    fn names_of_events() {
        for good in ["a", "price.tick:v2-x_Y", &"x".repeat(64)] {
            assert!(is_event_name(good), "{good}");
        }
        for wrong in ["", "a b", "é", "a/b", "a\n", &"x".repeat(65)] {
            assert!(!is_event_name(wrong), "{wrong:?}");
        }
    }
}
