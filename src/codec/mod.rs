//! From bytes of a message to a request, and from replies and events to bytes (SPEC §2, §3, §8).
//!
//! Knows neither frames nor connections. Law: what is decoded borrows from the message, and what is
//! encoded never holds a raw control byte.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

pub mod json;
#[doc(hidden)]
pub mod laws;
pub mod protobuf;

/// How requests, replies and events are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    /// Text.
    Json,
    /// Binary messages (SPEC §8).
    Protobuf,
}

impl Codec {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Json, Self::Protobuf];

    /// The subprotocol by which a WebSocket client asks for it (SPEC §2).
    #[must_use]
    pub const fn subprotocol(self) -> &'static str {
        match self {
            Self::Json => "stentor.v1.json",
            Self::Protobuf => "stentor.v1.protobuf",
        }
    }
}
