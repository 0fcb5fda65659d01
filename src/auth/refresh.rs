//! Refresh tokens: opaque text of a session's id and 32 random bytes, `ID.RANDOM`.
//!
//! Law: the store keeps only [`digest`] of the random bytes, so a stolen database refreshes
//! nothing. They are random and not guessable, so a plain SHA-256 is enough.

use crate::base::id::Id;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

/// The text of 36 characters of the id, a dot, and 43 of base64url (RFC 4648 §5, no padding).
const LENGTH: usize = 36 + 1 + 43;

/// The token of `session` with this secret, which comes from the system's own generator.
#[must_use]
pub fn mint(session: Id, secret: &[u8; 32]) -> String {
    format!("{session}.{}", URL_SAFE_NO_PAD.encode(secret))
}

/// The session and the secret of a token; `None` when it is no refresh token.
#[must_use]
pub fn parse(token: &str) -> Option<(Id, [u8; 32])> {
    if token.len() != LENGTH {
        return None;
    }
    let (session, secret) = token.split_once('.')?;
    let secret = URL_SAFE_NO_PAD.decode(secret).ok()?.try_into().ok()?;
    Some((Id::parse(session)?, secret))
}

/// What is stored of a secret. Compare with [`same_secret`](super::same_secret).
#[must_use]
pub fn digest(secret: &[u8; 32]) -> [u8; 32] {
    Sha256::digest(secret).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_reads_back_and_nothing_else_does() {
        let session = Id::new(1_700_000_000_000, &[7; 10]);
        let token = mint(session, &[0xfe; 32]);
        assert_eq!(parse(&token), Some((session, [0xfe; 32])));
        let mut damaged = token.clone();
        damaged.replace_range(79.., "5"); // bits beyond the 32 bytes
        let wrong = [&token[..79], &format!("{token}A"), &token.replace('.', "x"), &damaged, ""];
        for wrong in wrong {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
        for at in 0..token.len() {
            let mut other = token.clone();
            other.replace_range(at..=at, "!");
            assert_eq!(parse(&other), None, "{other}");
        }
        assert_eq!(parse(&"é".repeat(40)), None);
    }

    #[test]
    fn the_digest_is_sha_256() {
        // FIPS 180-4: 32 zero bytes.
        let hex: String = digest(&[0; 32]).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925");
    }
}
