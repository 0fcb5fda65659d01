//! Who somebody is: names, roles, tokens, passwords. What they may do is decided elsewhere.
//!
//! Tokens and password hashing are behind the traits [`Tokens`] and [`Passwords`], so that a
//! simulation can do without cryptography. Law: a verdict depends on the [`Now`] that was given and
//! never on a clock of a library; no secret can be printed.

#[cfg(feature = "jwt")]
mod claims;
#[cfg(feature = "jwt")]
pub mod jwt;
#[cfg(feature = "jwt")]
pub mod key_file;
pub mod names;
#[cfg(feature = "password")]
pub mod password;
pub mod refresh;

pub use crate::message::record::Role;

use crate::base::id::{Id, UserId};
use crate::base::now::Now;
use std::fmt;
use std::sync::Arc;

/// How long tokens live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Life of an access token, seconds.
    pub access_s: u64,
    /// Life of a refresh token, seconds.
    pub refresh_s: u64,
    /// How long a connection outlives its token, milliseconds.
    pub expired_close_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self { access_s: 900, refresh_s: 2_592_000, expired_close_ms: 25_000 }
    }
}

/// Teams without a member, shared: most users have none.
#[must_use]
pub fn no_teams() -> Arc<[String]> {
    Arc::default()
}

/// What a token says of its bearer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// Whose token it is.
    pub sub: UserId,
    /// The session it belongs to; a token of the application's own backend has none.
    pub sid: Option<Id>,
    /// The token itself, for revocation and one-time tickets.
    pub jti: Option<Id>,
    /// When it was issued, seconds since 1970.
    pub iat: Option<u64>,
    /// When it ends, seconds since 1970.
    pub exp: u64,
    /// What it allows.
    pub role: Role,
    /// A name to call the bearer by.
    pub name: Option<Arc<str>>,
    /// The teams whose executions the bearer may see.
    pub teams: Arc<[String]>,
}

impl Claims {
    /// The identity of a connection that showed this token; `username` is the account's.
    #[must_use]
    pub fn identity(&self, username: Arc<str>) -> Identity {
        Identity {
            user: self.sub.clone(),
            username,
            role: self.role,
            session: self.sid,
            jti: self.jti,
            teams: self.teams.clone(),
            expires_at_unix_s: self.exp,
        }
    }
}

/// Who is on a connection, as long as the token lives; cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The user.
    pub user: UserId,
    /// The account's name.
    pub username: Arc<str>,
    /// What the user may be.
    pub role: Role,
    /// The session, for accounts of our own.
    pub session: Option<Id>,
    /// The token, when it has an id.
    pub jti: Option<Id>,
    /// The teams whose executions the user may see.
    pub teams: Arc<[String]>,
    /// When the token ends, seconds since 1970.
    pub expires_at_unix_s: u64,
}

/// Why a token was refused or could not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenError {
    /// It is no token, not ours, or says what it must not; with the reason, for people.
    Invalid(&'static str),
    /// It was good until its `exp`.
    Expired,
    /// Its session, its `jti` or its user was revoked.
    Revoked,
    /// A token could not be signed; our fault.
    Signing,
}

impl TokenError {
    /// The error code of the reply (SPEC §3).
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Invalid(_) => "token_invalid",
            Self::Expired => "token_expired",
            Self::Revoked => "token_revoked",
            Self::Signing => "internal",
        }
    }
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(reason) => write!(f, "token invalid: {reason}"),
            Self::Expired => f.write_str("token expired"),
            Self::Revoked => f.write_str("token revoked"),
            Self::Signing => f.write_str("token could not be signed"),
        }
    }
}

impl std::error::Error for TokenError {}

/// Makes tokens and tells good ones from bad ones; revocation is not known here.
pub trait Tokens: Send + Sync {
    /// A token that says `claims`.
    ///
    /// # Errors
    /// [`TokenError::Signing`] when it cannot be signed, [`TokenError::Invalid`] when it would be
    /// longer than any token that [`verify`](Self::verify) accepts.
    fn issue(&self, claims: &Claims) -> Result<String, TokenError>;

    /// What `token` says, when it is good at `now`.
    ///
    /// # Errors
    /// [`TokenError::Invalid`] and [`TokenError::Expired`]; the latter only for good signatures.
    fn verify(&self, now: Now, token: &str) -> Result<Claims, TokenError>;
}

/// Unpredictable bytes, for refresh tokens; a simulation brings its own.
pub trait Secrets: Send {
    /// 32 bytes that nobody can guess.
    ///
    /// # Errors
    /// When the system has none to give.
    fn secret(&mut self) -> std::io::Result<[u8; 32]>;
}

/// Hashes passwords: slow by design, so on worker threads only. Each worker owns one.
pub trait Passwords: Send {
    /// The hash of a password as text, with the salt and the parameters in it.
    ///
    /// # Errors
    /// [`PasswordRefused`] outside 8 to 1,024 bytes.
    fn hash(&mut self, password: &str, salt: &[u8; 16]) -> Result<String, PasswordRefused>;

    /// Whether `password` has the hash `stored`; takes as long for a wrong one as for a right one.
    fn verify(&mut self, password: &str, stored: &str) -> bool;

    /// A hash that no password has, to verify against when there is no such user.
    fn dummy(&self) -> &'static str;
}

/// A password that is too short, too long, or could not be hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PasswordRefused;

impl fmt::Display for PasswordRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a password has 8 to 1,024 bytes")
    }
}

impl std::error::Error for PasswordRefused {}

/// Compares secrets in a time that depends on their length only.
#[must_use]
pub fn same_secret(a: &[u8], b: &[u8]) -> bool {
    let difference = a.iter().zip(b).fold(0, |bits, (a, b)| std::hint::black_box(bits | (a ^ b)));
    a.len() == b.len() && difference == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_its_exact_word() {
        for role in [Role::User, Role::Service, Role::Admin] {
            assert_eq!(Role::parse(role.as_str()), Some(role));
        }
        for wrong in ["", "Admin", "root", "user "] {
            assert_eq!(Role::parse(wrong), None, "{wrong}");
        }
        assert!(Role::Admin.serves() && Role::Service.serves() && !Role::User.serves());
    }

    #[test]
    fn secrets_are_the_same_only_when_every_byte_is() {
        assert!(same_secret(b"", b"") && same_secret(b"abc", b"abc"));
        for (a, b) in [("abc", "abd"), ("abc", "bbc"), ("abc", "ab"), ("", "a")] {
            assert!(!same_secret(a.as_bytes(), b.as_bytes()), "{a} {b}");
        }
    }

    #[test]
    fn each_token_error_has_its_code() {
        let codes = [TokenError::Invalid("x"), TokenError::Expired, TokenError::Revoked];
        assert_eq!(
            codes.map(TokenError::code),
            ["token_invalid", "token_expired", "token_revoked"]
        );
    }
}
