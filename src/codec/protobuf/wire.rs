//! What a client reads: the twins of `ServerMessage` and of what is in it (SPEC §8).
//!
//! The server writes them by hand, in `translate.rs`; clients in Rust and tests read them by these.

/// A message of the server.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct ServerMessage {
    /// `None` when this client does not know it.
    #[prost(oneof = "Said", tags(1, 2, 3))]
    pub message_type: Option<Said>,
}

/// The oneof.
#[derive(Clone, PartialEq, Eq, prost::Oneof)]
pub enum Said {
    /// The first message on every connection.
    #[prost(message, tag = 1)]
    Hello(Hello),
    /// The answer to one request.
    #[prost(message, tag = 2)]
    Reply(Reply),
    /// What happened.
    #[prost(message, tag = 3)]
    Event(Event),
}

/// The first message on every connection.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Hello {
    /// JSON.
    #[prost(bytes = "vec", tag = 1)]
    pub payload: Vec<u8>,
}

/// The answer to one request.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Reply {
    /// The verb, or `error` when none could be read.
    #[prost(string, tag = 1)]
    pub r#type: String,
    /// `ok` or `error`.
    #[prost(string, tag = 2)]
    pub status: String,
    /// Of the request; empty when there was none.
    #[prost(string, tag = 3)]
    pub request_id: String,
    /// JSON; with `ok`.
    #[prost(bytes = "vec", tag = 4)]
    pub data: Vec<u8>,
    /// For programs; with `error`.
    #[prost(string, tag = 5)]
    pub code: String,
    /// For people; with `error`.
    #[prost(string, tag = 6)]
    pub message: String,
    /// Whether the same may succeed later; with `error`.
    #[prost(bool, tag = 7)]
    pub retryable: bool,
    /// How long to wait first; 0 when that is not known.
    #[prost(uint64, tag = 8)]
    pub retry_after_ms: u64,
    /// The parameter that is wrong.
    #[prost(string, tag = 9)]
    pub field: String,
    /// Whether `data` was given before.
    #[prost(bool, tag = 10)]
    pub cached: bool,
}

/// What happened.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Event {
    /// Its name.
    #[prost(string, tag = 1)]
    pub r#type: String,
    /// Where, if in a channel.
    #[prost(string, tag = 2)]
    pub channel: String,
    /// Its place there; 0 for none.
    #[prost(uint64, tag = 3)]
    pub offset: u64,
    /// The numbering of the offset.
    #[prost(string, tag = 4)]
    pub epoch: String,
    /// Its id, if it has one.
    #[prost(string, tag = 5)]
    pub id: String,
    /// Who caused it.
    #[prost(message, optional, tag = 6)]
    pub sender: Option<Sender>,
    /// RFC 3339.
    #[prost(string, tag = 7)]
    pub timestamp: String,
    /// JSON, or what a Protobuf client published.
    #[prost(bytes = "vec", tag = 8)]
    pub payload: Vec<u8>,
}

/// Who caused an event.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Sender {
    /// The user's id.
    #[prost(string, tag = 1)]
    pub id: String,
    /// The user's name.
    #[prost(string, tag = 2)]
    pub username: String,
}
