//! Tokens as signed JWT (RFC 7519, RFC 7515 compact form, advice of RFC 8725).
//!
//! Law: a key has one algorithm and the token's `alg` must be that one; it never chooses anything.
//! `jku`, `jwk`, `x5u` and `x5c` are not read, `crit` is refused, nothing is looked at before the
//! signature except the header. The library's own checks of time are not used: it would read the
//! clock. Limits: a token has 4,096 bytes, a `kid` 64.

use super::claims::{self, Issuer, present};
use super::{Claims, TokenError, Tokens};
use crate::base::now::Now;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{DecodingKey, EncodingKey, crypto};
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::fmt;

/// The longest token that is looked at, bytes.
pub const TOKEN_BYTES_MAX: usize = 4096;
const KID_BYTES_MAX: usize = 64;
/// How far the clocks of issuer and verifier may be apart, seconds.
const LEEWAY_S: u64 = 30;
/// The `kid` of our own key, which no other key may have.
const OWN_KID: &str = "stentor";

/// The algorithms that a key can have (RFC 7518 §3.1, RFC 8037).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// HMAC with SHA-256.
    Hs256,
    /// HMAC with SHA-384.
    Hs384,
    /// HMAC with SHA-512.
    Hs512,
    /// RSASSA-PKCS1-v1_5 with SHA-256, of 2,048 to 8,192 bits.
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    const ALL: [Self; 6] =
        [Self::Hs256, Self::Hs384, Self::Hs512, Self::Rs256, Self::Es256, Self::EdDsa];

    /// The word of the header.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Hs384 => "HS384",
            Self::Hs512 => "HS512",
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }

    /// The algorithm of a word, which is compared exactly.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == word)
    }

    const fn library(self) -> jsonwebtoken::Algorithm {
        match self {
            Self::Hs256 => jsonwebtoken::Algorithm::HS256,
            Self::Hs384 => jsonwebtoken::Algorithm::HS384,
            Self::Hs512 => jsonwebtoken::Algorithm::HS512,
            Self::Rs256 => jsonwebtoken::Algorithm::RS256,
            Self::Es256 => jsonwebtoken::Algorithm::ES256,
            Self::EdDsa => jsonwebtoken::Algorithm::EdDSA,
        }
    }

    /// The least length of a shared secret (RFC 7518 §3.2); `None` for public keys.
    const fn secret_bytes_min(self) -> Option<usize> {
        match self {
            Self::Hs256 => Some(32),
            Self::Hs384 => Some(48),
            Self::Hs512 => Some(64),
            Self::Rs256 | Self::Es256 | Self::EdDsa => None,
        }
    }
}

/// Why a key cannot be used; for whoever configures it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyError(&'static str);

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for KeyError {}

/// A key of the application's own backend, with what its tokens must say.
#[derive(Clone, Debug)]
pub struct Key {
    algorithm: Algorithm,
    decoding: DecodingKey,
    kid: Option<String>,
    issuer: Option<String>,
    audience: Option<String>,
}

impl Key {
    /// A key from a shared secret (HS*) or the PEM text of a public key.
    ///
    /// # Errors
    /// When the secret is too short or is a PEM, or the PEM is not of a public key of that kind.
    pub fn new(algorithm: Algorithm, material: &[u8]) -> Result<Self, KeyError> {
        let pem = material.trim_ascii_start().starts_with(b"-----BEGIN");
        let private = material.windows(11).any(|window| window == b"PRIVATE KEY");
        let decoding = match algorithm.secret_bytes_min() {
            // Signed with what everybody knows: the classic confusion of HMAC and public keys.
            Some(_) if pem => return Err(KeyError("a PEM is not a shared secret")),
            Some(least) if material.len() < least => {
                return Err(KeyError("the secret is shorter than the output of its hash"));
            }
            Some(_) => Ok(DecodingKey::from_secret(material)),
            None if private => return Err(KeyError("this is a private key; give the public one")),
            None => match algorithm {
                Algorithm::Rs256 => DecodingKey::from_rsa_pem(material),
                Algorithm::Es256 => DecodingKey::from_ec_pem(material),
                _ => DecodingKey::from_ed_pem(material),
            },
        };
        let decoding =
            decoding.map_err(|_| KeyError("not a public key of this algorithm in PEM form"))?;
        Ok(Self { algorithm, decoding, kid: None, issuer: None, audience: None })
    }

    /// Requires this `kid` in the header when several keys are configured.
    #[must_use]
    pub fn with_kid(mut self, kid: impl Into<String>) -> Self {
        self.kid = Some(kid.into());
        self
    }

    /// Requires this `iss`.
    #[must_use]
    pub fn with_issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = Some(issuer.into());
        self
    }

    /// Requires this `aud`, alone or among others.
    #[must_use]
    pub fn with_audience(mut self, audience: impl Into<String>) -> Self {
        self.audience = Some(audience.into());
        self
    }
}

/// The key of this server: 32 random bytes for HS256, kept by `key_file`.
#[derive(Clone)]
pub struct OwnKey([u8; 32]);

impl OwnKey {
    /// The key of these bytes, which must come from the system's own generator.
    #[must_use]
    pub const fn new(secret: [u8; 32]) -> Self {
        Self(secret)
    }

    /// The secret itself, to be written to the key file and nowhere else.
    pub(super) const fn secret(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for OwnKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OwnKey(…)")
    }
}

/// Signs with our own key; verifies with ours and those of the application's backend.
#[derive(Clone, Debug)]
pub struct Jwt {
    encoding: EncodingKey,
    own: Key,
    foreign: Vec<Key>,
}

/// What is read of a header; everything else in it is ignored (RFC 7515 §4).
#[derive(Deserialize)]
struct Header {
    alg: String,
    #[serde(default, deserialize_with = "present")]
    kid: Option<String>,
    #[serde(default, deserialize_with = "present")]
    crit: Option<IgnoredAny>,
}

impl Jwt {
    /// Tokens signed with `own` and accepted from `own` and `foreign`.
    ///
    /// # Errors
    /// When two keys have the same `kid` or none, or a `kid` is longer than 64 bytes or ours.
    pub fn new(own: &OwnKey, foreign: Vec<Key>) -> Result<Self, KeyError> {
        for (at, key) in foreign.iter().enumerate() {
            match key.kid.as_deref() {
                Some(OWN_KID) => return Err(KeyError("the kid `stentor` is the server's own")),
                Some(kid) if kid.is_empty() || kid.len() > KID_BYTES_MAX => {
                    return Err(KeyError("a kid has 1 to 64 bytes"));
                }
                _ => {}
            }
            if foreign.iter().take(at).any(|other| other.kid == key.kid) {
                return Err(KeyError("of several keys each needs a kid of its own"));
            }
        }
        let own_key = Key {
            algorithm: Algorithm::Hs256,
            decoding: DecodingKey::from_secret(own.secret()),
            kid: Some(OWN_KID.to_owned()),
            issuer: None,
            audience: None,
        };
        Ok(Self { encoding: EncodingKey::from_secret(own.secret()), own: own_key, foreign })
    }

    /// The key that a header names, or the only one that can be meant.
    fn key(&self, kid: Option<&str>) -> Option<(&Key, Issuer<'_>)> {
        match (kid, self.foreign.as_slice()) {
            (Some(OWN_KID), _) | (None, []) => Some((&self.own, Issuer::Own)),
            (None, [only]) => Some(foreign_key(only)),
            // A backend may name a key that is configured without a name.
            (Some(_), [only]) if only.kid.is_none() => Some(foreign_key(only)),
            (_, keys) => keys.iter().find(|key| key.kid.as_deref() == kid).map(foreign_key),
        }
    }
}

fn foreign_key(key: &Key) -> (&Key, Issuer<'_>) {
    let (issuer, audience) = (key.issuer.as_deref(), key.audience.as_deref());
    (key, Issuer::Foreign { issuer, audience })
}

impl Tokens for Jwt {
    fn issue(&self, claims: &Claims) -> Result<String, TokenError> {
        let header = format!(r#"{{"alg":"HS256","typ":"JWT","kid":"{OWN_KID}"}}"#);
        let mut token = URL_SAFE_NO_PAD.encode(header);
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(claims::write(claims)?, &mut token);
        let algorithm = jsonwebtoken::Algorithm::HS256;
        let signature = crypto::sign(token.as_bytes(), &self.encoding, algorithm)
            .map_err(|_| TokenError::Signing)?;
        token.push('.');
        token.push_str(&signature);
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::Invalid("longer than 4096 bytes; give fewer teams"));
        }
        Ok(token)
    }

    fn verify(&self, now: Now, token: &str) -> Result<Claims, TokenError> {
        const FORM: TokenError = TokenError::Invalid("not three parts of base64url");
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::Invalid("longer than 4096 bytes"));
        }
        let (message, signature) = token.rsplit_once('.').ok_or(FORM)?;
        let (header, payload) = message.split_once('.').ok_or(FORM)?;
        let header = parse_header(&URL_SAFE_NO_PAD.decode(header).map_err(|_| FORM)?)?;
        let (key, from) =
            self.key(header.kid.as_deref()).ok_or(TokenError::Invalid("unknown kid"))?;
        if header.alg != key.algorithm.as_str() {
            return Err(TokenError::Invalid("alg is not that of the key"));
        }
        let algorithm = key.algorithm.library();
        if !crypto::verify(signature, message.as_bytes(), &key.decoding, algorithm)
            .is_ok_and(|good| good)
        {
            return Err(TokenError::Invalid("wrong signature"));
        }
        let payload = URL_SAFE_NO_PAD.decode(payload).map_err(|_| FORM)?;
        let (claims, not_before) = claims::parse(&payload, from)?;
        check_times(&claims, not_before, now.unix_s())?;
        Ok(claims)
    }
}

fn parse_header(json: &[u8]) -> Result<Header, TokenError> {
    const HEADER: TokenError = TokenError::Invalid("the header is not that of a JWT");
    if json.trim_ascii_start().first() != Some(&b'{') {
        return Err(HEADER);
    }
    let header: Header = serde_json::from_slice(json).map_err(|_| HEADER)?;
    // RFC 7515 §4.1.11: "If any of the listed extension Header Parameters are not understood and
    // supported by the recipient, then the JWS is invalid." We understand none.
    if header.crit.is_some() {
        return Err(TokenError::Invalid("crit is not supported"));
    }
    if header.kid.as_ref().is_some_and(|kid| kid.len() > KID_BYTES_MAX) {
        return Err(TokenError::Invalid("kid is longer than 64 bytes"));
    }
    Ok(header)
}

/// `exp`, `nbf` and `iat` (RFC 7519 §4.1.4 to §4.1.6) with the leeway.
const fn check_times(claims: &Claims, not_before: u64, now: u64) -> Result<(), TokenError> {
    let latest_start = now.saturating_add(LEEWAY_S);
    if now >= claims.exp.saturating_add(LEEWAY_S) {
        return Err(TokenError::Expired);
    }
    if not_before > latest_start {
        return Err(TokenError::Invalid("nbf lies in the future"));
    }
    match claims.iat {
        Some(iat) if iat > latest_start => Err(TokenError::Invalid("iat lies in the future")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
