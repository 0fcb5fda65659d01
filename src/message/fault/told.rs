//! What clients and people are told of a code: its status over HTTP (SPEC §7), and what it means.

use super::Code;

impl Code {
    /// The status of an HTTP response with this error.
    #[must_use]
    pub const fn http_status(self) -> u16 {
        match self {
            Self::BadJson | Self::BadRequest | Self::UnknownType | Self::Unsupported => 400,
            Self::NotAuthenticated
            | Self::InvalidCredentials
            | Self::TokenInvalid
            | Self::TokenExpired
            | Self::TokenRevoked => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::Conflict | Self::InvalidTransition => 409,
            Self::TooLarge => 413,
            Self::RateLimited => 429,
            // The request was right; something behind the server was not, or had no room.
            Self::Overloaded
            | Self::CircuitOpen
            | Self::NoWorker
            | Self::WorkerTimeout
            | Self::WorkerError
            | Self::StorageFull
            | Self::StorageUnavailable
            | Self::Internal => 503,
        }
    }

    /// What it means, in one line for people.
    #[must_use]
    pub const fn about(self) -> &'static str {
        match self {
            Self::BadJson => "not the JSON that is asked for",
            Self::BadRequest => "a field is missing, of the wrong type or out of its bounds",
            Self::UnknownType => "no such verb",
            Self::NotAuthenticated => "the verb needs a user",
            Self::InvalidCredentials => "wrong name or password, no matter which",
            Self::TokenInvalid => "no token of this server",
            Self::TokenExpired => "the token is over",
            Self::TokenRevoked => "the token was revoked",
            Self::Forbidden => "known, but not allowed",
            Self::NotFound => "does not exist, or not for the caller",
            Self::InvalidTransition => "a step that an execution cannot take",
            Self::Conflict => "against something that exists already",
            Self::TooLarge => "over a limit of size",
            Self::RateLimited => "over a limit of rate",
            Self::Overloaded => "the server has too much to do",
            Self::CircuitOpen => "the backend failed again and again, and is not asked for a while",
            Self::NoWorker => "no backend is there for it",
            Self::WorkerTimeout => "the backend did not answer in time",
            Self::WorkerError => "the backend said no, in the words of `message`",
            Self::StorageFull => "the disk is full",
            Self::StorageUnavailable => "the store does not answer",
            Self::Unsupported => "known, but not in this server",
            Self::Internal => "the server's fault",
        }
    }
}
