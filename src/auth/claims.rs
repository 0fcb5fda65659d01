//! The claims of a token as JSON (RFC 7519 §4), read strictly.
//!
//! Law: a claim of the wrong type is an error, never an absence; `null` is a wrong type. Claims
//! that are not named here are ignored.

use super::names::valid_name;
use super::{Claims, Role, TokenError};
use crate::base::id::{Id, UserId};
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;

/// The last whole number that JSON numbers can name without loss.
const SECONDS_MAX: u64 = 1 << 53;

/// A NumericDate (RFC 7519 §2): seconds since 1970, a fraction is cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seconds(pub(super) u64);

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumericDate;
        impl Visitor<'_> for NumericDate {
            type Value = Seconds;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("seconds since 1970")
            }

            fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<Seconds, E> {
                if seconds <= SECONDS_MAX {
                    Ok(Seconds(seconds))
                } else {
                    Err(E::custom("out of range"))
                }
            }

            fn visit_f64<E: de::Error>(self, seconds: f64) -> Result<Seconds, E> {
                if (0.0..=SECONDS_MAX as f64).contains(&seconds) {
                    Ok(Seconds(seconds as u64))
                } else {
                    Err(E::custom("out of range"))
                }
            }
        }
        deserializer.deserialize_any(NumericDate)
    }
}

/// One or many: `aud` may be either (RFC 7519 §4.1.3).
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

/// What stands in a token, before anything of it is believed.
#[derive(Debug, Deserialize)]
struct Written {
    sub: String,
    exp: Seconds,
    #[serde(default, deserialize_with = "present")]
    nbf: Option<Seconds>,
    #[serde(default, deserialize_with = "present")]
    iat: Option<Seconds>,
    #[serde(default, deserialize_with = "present")]
    iss: Option<String>,
    #[serde(default, deserialize_with = "present")]
    aud: Option<Audience>,
    #[serde(default, deserialize_with = "present")]
    sid: Option<String>,
    #[serde(default, deserialize_with = "present")]
    jti: Option<String>,
    #[serde(default, deserialize_with = "present")]
    role: Option<String>,
    #[serde(default, deserialize_with = "present")]
    name: Option<String>,
    #[serde(default)]
    teams: Vec<String>,
}

/// A value that is there: unlike `Option`'s own rule, `null` is not an absence.
pub(super) fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// Whose token it is said to be: our own, or of a backend with these rules.
#[derive(Clone, Copy, Debug)]
pub(super) enum Issuer<'a> {
    Own,
    Foreign { issuer: Option<&'a str>, audience: Option<&'a str> },
}

/// Reads the claims of a token whose signature was good, and when it starts to be valid.
pub(super) fn parse(json: &[u8], from: Issuer<'_>) -> Result<(Claims, u64), TokenError> {
    // A sequence would be taken for a struct by position.
    if json.trim_ascii_start().first() != Some(&b'{') {
        return Err(TokenError::Invalid("the claims are not an object"));
    }
    let written: Written = serde_json::from_slice(json)
        .map_err(|_| TokenError::Invalid("a claim is missing or of the wrong type"))?;
    if let Issuer::Foreign { issuer, audience } = from {
        check_origin(&written, issuer, audience)?;
    }
    let (sid, jti) = ids(&written, from)?;
    let role = match &written.role {
        None => Role::User,
        Some(word) => Role::parse(word).ok_or(TokenError::Invalid("unknown role"))?,
    };
    let claims = Claims {
        sub: UserId::parse(&written.sub).ok_or(TokenError::Invalid("sub is no user id"))?,
        sid,
        jti,
        iat: written.iat.map(|iat| iat.0),
        exp: written.exp.0,
        role,
        name: written.name.filter(|name| valid_name(name)).map(Into::into),
        teams: written.teams.into(),
    };
    Ok((claims, written.nbf.map_or(0, |nbf| nbf.0)))
}

/// `iss` and `aud`, as far as the key asks for them.
fn check_origin(
    written: &Written,
    issuer: Option<&str>,
    audience: Option<&str>,
) -> Result<(), TokenError> {
    if issuer.is_some() && written.iss.as_deref() != issuer {
        return Err(TokenError::Invalid("wrong iss"));
    }
    let meant = audience.is_none_or(|audience| match &written.aud {
        Some(Audience::One(one)) => one == audience,
        Some(Audience::Many(many)) => many.iter().any(|one| one == audience),
        None => false,
    });
    if meant { Ok(()) } else { Err(TokenError::Invalid("wrong aud")) }
}

/// The ids of the session and of the token.
///
/// Sessions are ours only. A backend's `jti` may be any text: one that is no UUID is told apart by
/// its hash, together with who issued it.
fn ids(written: &Written, from: Issuer<'_>) -> Result<(Option<Id>, Option<Id>), TokenError> {
    let id = |text: &String| Id::parse(text).ok_or(TokenError::Invalid("sid or jti is no UUID"));
    if let Issuer::Own = from {
        return Ok((
            written.sid.as_ref().map(id).transpose()?,
            written.jti.as_ref().map(id).transpose()?,
        ));
    }
    let hashed = |jti: &String| {
        let mut hash = Sha256::new();
        hash.update(written.iss.as_deref().unwrap_or_default());
        hash.update([0]);
        hash.update(jti);
        let digest: [u8; 32] = hash.finalize().into();
        let (front, _) = digest.split_at(16);
        Id(front.iter().fold(0, |id, byte| id << 8 | u128::from(*byte)))
    };
    Ok((None, written.jti.as_ref().map(|jti| Id::parse(jti).unwrap_or_else(|| hashed(jti)))))
}

/// The claims of a token of our own.
#[derive(Debug, Serialize)]
struct Ours<'a> {
    sub: &'a UserId,
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<Id>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<Id>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iat: Option<u64>,
    exp: u64,
    role: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    teams: &'a [String],
}

/// The claims as JSON.
pub(super) fn write(claims: &Claims) -> Result<Vec<u8>, TokenError> {
    serde_json::to_vec(&Ours {
        sub: &claims.sub,
        sid: claims.sid,
        jti: claims.jti,
        iat: claims.iat,
        exp: claims.exp,
        role: claims.role.as_str(),
        name: claims.name.as_deref(),
        teams: &claims.teams,
    })
    .map_err(|_| TokenError::Signing)
}
