//! Why the server says no: stable codes for programs, words and hints for people (SPEC §3).

mod told;

use std::borrow::Cow;

/// A stable error code. Its word never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// The text is not the JSON that SPEC §3 asks for.
    BadJson,
    /// A field is missing, of the wrong type, or out of its bounds.
    BadRequest,
    /// No such verb.
    UnknownType,
    /// The verb needs a user.
    NotAuthenticated,
    /// Wrong name or password, no matter which.
    InvalidCredentials,
    /// The token is no token of ours.
    TokenInvalid,
    /// The token is over.
    TokenExpired,
    /// The token was revoked.
    TokenRevoked,
    /// Known, but not allowed.
    Forbidden,
    /// Does not exist, or not for the caller.
    NotFound,
    /// Against something that exists already.
    Conflict,
    /// A step that an execution cannot take.
    InvalidTransition,
    /// Over a size limit.
    TooLarge,
    /// Over a rate limit.
    RateLimited,
    /// The server has too much to do.
    Overloaded,
    /// The backend failed too often lately, and is left alone for a while.
    CircuitOpen,
    /// No backend does this.
    NoWorker,
    /// The backend did not answer in time.
    WorkerTimeout,
    /// The backend failed, or went away.
    WorkerError,
    /// The disk is full.
    StorageFull,
    /// The store does not answer.
    StorageUnavailable,
    /// Known, but not in this server.
    Unsupported,
    /// Our fault.
    Internal,
}

impl Code {
    /// All codes, in the order of [`Code::index`].
    pub const ALL: [Self; 23] = [
        Self::BadJson,
        Self::BadRequest,
        Self::UnknownType,
        Self::NotAuthenticated,
        Self::InvalidCredentials,
        Self::TokenInvalid,
        Self::TokenExpired,
        Self::TokenRevoked,
        Self::Forbidden,
        Self::NotFound,
        Self::Conflict,
        Self::InvalidTransition,
        Self::TooLarge,
        Self::RateLimited,
        Self::Overloaded,
        Self::CircuitOpen,
        Self::NoWorker,
        Self::WorkerTimeout,
        Self::WorkerError,
        Self::StorageFull,
        Self::StorageUnavailable,
        Self::Unsupported,
        Self::Internal,
    ];

    /// Where it stands in [`Code::ALL`], for counters.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The `code` on the wire.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::BadJson => "bad_json",
            Self::BadRequest => "bad_request",
            Self::UnknownType => "unknown_type",
            Self::NotAuthenticated => "not_authenticated",
            Self::InvalidCredentials => "invalid_credentials",
            Self::TokenInvalid => "token_invalid",
            Self::TokenExpired => "token_expired",
            Self::TokenRevoked => "token_revoked",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::InvalidTransition => "invalid_transition",
            Self::TooLarge => "too_large",
            Self::RateLimited => "rate_limited",
            Self::Overloaded => "overloaded",
            Self::CircuitOpen => "circuit_open",
            Self::NoWorker => "no_worker",
            Self::WorkerTimeout => "worker_timeout",
            Self::WorkerError => "worker_error",
            Self::StorageFull => "storage_full",
            Self::StorageUnavailable => "storage_unavailable",
            Self::Unsupported => "unsupported",
            Self::Internal => "internal",
        }
    }

    /// Whether the same request may succeed later.
    #[must_use]
    pub const fn retryable(self) -> bool {
        matches!(
            self,
            Self::RateLimited
                | Self::Overloaded
                | Self::CircuitOpen
                | Self::NoWorker
                | Self::WorkerTimeout
                | Self::StorageFull
                | Self::StorageUnavailable
                | Self::Internal
        )
    }

    /// Whether the request itself was wrong: ten of these in a row close the connection (4002).
    #[must_use]
    pub const fn is_bad_request(self) -> bool {
        matches!(self, Self::BadJson | Self::BadRequest | Self::UnknownType)
    }
}

/// An error reply before it is encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// For programs.
    pub code: Code,
    /// For people; may change.
    pub message: Cow<'static, str>,
    /// The parameter that is wrong.
    pub field: Option<Cow<'static, str>>,
    /// What to type instead.
    pub hint: Option<Cow<'static, str>>,
    /// How long to wait before trying again.
    pub retry_after_ms: Option<u64>,
}

impl Fault {
    /// A fault with its message.
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into(), field: None, hint: None, retry_after_ms: None }
    }

    /// A parameter that is missing or wrong.
    pub fn field(
        field: impl Into<Cow<'static, str>>,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { field: Some(field.into()), ..Self::new(Code::BadRequest, message) }
    }

    /// The same with what to type instead.
    #[must_use]
    pub fn hint(self, hint: impl Into<Cow<'static, str>>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// The same with how long to wait.
    #[must_use]
    pub fn retry_after(self, ms: u64) -> Self {
        Self { retry_after_ms: Some(ms), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_of_a_code_is_its_place() {
        for (place, code) in Code::ALL.iter().enumerate() {
            assert_eq!(code.index(), place);
        }
    }
}
