//! The close codes of messaging, 4000–4999, each range telling the client what to do (SPEC §3).
//!
//! `40xx` do not come back · `41xx` back off · `42xx` come back now · `43xx` renew the token first.

/// Kicked by an administrator.
pub const KICKED: u16 = 4000;
/// The user was disabled.
pub const USER_DISABLED: u16 = 4001;
/// Ten bad requests in a row.
pub const BAD_REQUESTS: u16 = 4002;
/// Too many connections of this user; the new one is the one that goes.
pub const USER_CONNECTIONS: u16 = 4003;
/// The server is overloaded, or has too many connections.
pub const OVERLOADED: u16 = 4100;
/// The client does not read what is sent.
pub const SLOW_CONSUMER: u16 = 4101;
/// No sign of life.
pub const HEARTBEAT: u16 = 4102;
/// Took too long to say what it is, or who.
pub const DEADLINE: u16 = 4103;
/// Far over a rate limit.
pub const RATE_ABUSE: u16 = 4104;
/// The server is going down, another one or the next one is there.
pub const DRAIN: u16 = 4200;
/// The session or the user was revoked.
pub const REVOKED: u16 = 4300;
/// The token is over.
pub const TOKEN_EXPIRED: u16 = 4301;
/// The token is no token of ours.
pub const TOKEN_INVALID: u16 = 4302;

/// All of them, with what each means, in order.
pub const ALL: &[(u16, &str)] = &[
    (KICKED, "kicked by an administrator"),
    (USER_DISABLED, "the user was disabled"),
    (BAD_REQUESTS, "ten bad requests in a row"),
    (USER_CONNECTIONS, "too many connections of this user; the new one goes"),
    (OVERLOADED, "overloaded, or too many connections"),
    (SLOW_CONSUMER, "the client does not read what is sent"),
    (HEARTBEAT, "no sign of life"),
    (DEADLINE, "took too long to say how it speaks, or who it is"),
    (RATE_ABUSE, "too many requests without authentication"),
    (DRAIN, "the server goes down; `retry_ms` says when to come back"),
    (REVOKED, "the session or the user was revoked"),
    (TOKEN_EXPIRED, "the token is over"),
    (TOKEN_INVALID, "the token is not valid"),
];
