//! What clients say: the catalogue of verbs (SPEC §4), one row each in `rows/`.
//!
//! From a row come the borrowed struct for JSON, its Protobuf twin, the variants of [`Verb`] and
//! [`Request`], and what `help`, the router, the limits and the metrics need to know of the verb. To
//! add one: its row here, its line in `proto/`, its handler in the router.

#[macro_use]
mod declare;
mod members;
mod nested;
mod refusal;
mod rows;
#[cfg(test)]
mod tests;
mod value;

pub(crate) use members::read as read_object;
pub use rows::*;
pub use value::{ClientInfo, Enveloped, Implicit, ImplicitJson, Position, Secret, Text, Texts};

/// Who answers requests of the kind `R`, with an outcome `O`.
#[diagnostic::on_unimplemented(
    message = "nobody answers the verb `{R}`",
    note = "it wants a line in `answers!` of its topic in `src/router/`"
)]
pub trait Answers<R, O> {
    /// Answers one.
    fn answer(&mut self, request: &R) -> O;
}

/// Who may ask a verb (SPEC §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// Everyone, before authentication too.
    Anyone,
    /// Every user.
    User,
    /// Users of role `service` or `admin`.
    Service,
    /// Users of role `admin`.
    Admin,
}

/// How requests of one connection stand to each other (SPEC §3 "Order").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Order {
    /// Starts when all before it are answered.
    Barrier,
    /// Overlaps with other `Run` requests; replies are put in order again.
    Run,
    /// Answered when ready; delays nobody.
    Free,
}

/// Which limit counts a verb (SPEC §9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rate {
    /// The chat messages of a user, per minute.
    Message,
    /// The requests of a user, per second with a burst.
    Request,
    /// What is never stored, per second.
    Ephemeral,
    /// As `Request`, but not among the few requests allowed before authentication.
    Free,
}

/// What kind of value a parameter takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A string; Protobuf `string`.
    Text,
    /// An integer from 0 to 2^53 − 1; Protobuf `uint64`.
    Integer,
    /// `true` or `false`; Protobuf `bool`.
    Boolean,
    /// Any JSON, passed through; Protobuf `bytes` that hold JSON.
    Json,
    /// Any JSON, passed through; Protobuf `bytes` of any content.
    Payload,
    /// `public` or `private`; Protobuf `string`.
    Visibility,
    /// A [`ClientInfo`]; Protobuf `ClientInfo`.
    ClientInfo,
    /// A [`Position`]; Protobuf `Position`.
    Position,
    /// The `request_id` of the envelope once more; Protobuf `string`.
    RequestId,
}

impl Kind {
    /// What a person is told to write, as `help` shows it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Text => "string",
            Self::Integer => "integer",
            Self::Boolean => "boolean",
            Self::Json | Self::Payload => "json",
            Self::Visibility => "public|private",
            Self::ClientInfo => "{client_id?,version?,platform?}",
            Self::Position => "{offset,epoch}",
            Self::RequestId => "string|integer",
        }
    }
}

/// Whether a parameter has to be there, and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Presence {
    /// Must be there.
    Required,
    /// May be absent or `null`; Protobuf `optional`.
    Optional,
    /// A list that must be there, empty or not; Protobuf `repeated`.
    Repeated,
    /// May be absent, which means 0 or nothing; a plain field in Protobuf.
    Implicit,
    /// A list that may be absent, which means empty; Protobuf `repeated`.
    Listed,
}

/// A parameter of a verb.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its key in JSON and its name in the schema.
    pub name: &'static str,
    /// What it takes, and whether it must.
    pub shape: (Kind, Presence),
    /// Its field number in the verb's Protobuf message.
    pub tag: u32,
    /// What it means, in one line for people.
    pub about: &'static str,
}

impl Parameter {
    /// What kind of value it takes.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.shape.0
    }

    /// Whether it has to be there, and how often.
    #[must_use]
    pub const fn presence(&self) -> Presence {
        self.shape.1
    }

    /// Whether a JSON request may leave it out.
    #[must_use]
    pub const fn optional(&self) -> bool {
        !matches!(self.shape.1, Presence::Required | Presence::Repeated)
    }
}

impl Verb {
    /// Where it stands in [`Verb::ALL`], for counters and labels.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}
