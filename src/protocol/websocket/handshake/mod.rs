//! The opening handshake, RFC 6455 section 4: what its two ends share.
//!
//! Law: everything is linear in the length of the head, whose limit is its reader's.

pub mod client;
pub mod extensions;
mod head;
pub mod server;

pub use head::{HeadBuffer, HeadTooLarge};
pub use server::{Head, NotOffered, Refusal, Upgrade, is_upgrade, response, validate};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

/// The GUID of section 1.3, which proves that the server meant WebSocket.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Bytes of a value of `Sec-WebSocket-Accept`: 20 in base64.
const ACCEPT_BYTES: usize = 28;

/// The value of `Sec-WebSocket-Accept` for the value of `Sec-WebSocket-Key`, section 4.2.2.
#[must_use]
pub fn accept(key: &str) -> String {
    STANDARD.encode(accept_digest(key))
}

/// The same, without memory of its own.
fn accept_bytes(key: &str) -> [u8; ACCEPT_BYTES] {
    let mut value = [0; ACCEPT_BYTES];
    let written = STANDARD.encode_slice(accept_digest(key), &mut value);
    debug_assert_eq!(written, Ok(ACCEPT_BYTES), "20 bytes are 28 in base64");
    value
}

fn accept_digest(key: &str) -> [u8; 20] {
    let mut digest = Sha1::new();
    digest.update(key.as_bytes());
    digest.update(GUID);
    digest.finalize().into()
}

/// Whether `text` is a token of RFC 9110 section 5.6.2.
#[must_use]
pub fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_token_octet)
}

const fn is_token_octet(octet: u8) -> bool {
    octet.is_ascii_alphanumeric()
        || matches!(octet, b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.')
        || matches!(octet, b'^' | b'_' | b'`' | b'|' | b'~')
}

/// The elements of a comma-separated list, without the white space round them; empty ones are
/// skipped, RFC 9110 section 5.6.1.
fn list(value: &str) -> impl Iterator<Item = &str> {
    value.split(',').map(|element| element.trim_matches([' ', '\t'])).filter(|e| !e.is_empty())
}

/// Whether the list `value` has the element `token`, which is ASCII, compared without case.
fn has_token(value: &[u8], token: &str) -> bool {
    // Mostly it is the only element. A word is too short for the comparison by blocks of the library.
    let same = |(a, b): (&u8, u8)| a.eq_ignore_ascii_case(&b);
    (value.len() == token.len() && value.iter().zip(token.bytes()).all(same))
        || str::from_utf8(value)
            .is_ok_and(|value| list(value).any(|e| e.eq_ignore_ascii_case(token)))
}

/// Whether a field value may be written: no line end, no other control but the tab.
fn is_field_value(value: &str) -> bool {
    value.bytes().all(|octet| octet == b'\t' || !octet.is_ascii_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_accept_value_of_the_rfc() {
        assert_eq!(accept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn tokens_and_lists() {
        for (value, expected) in [
            (&b"upgrade"[..], true),
            (b"keep-alive, Upgrade", true),
            (b",,\tUPGRADE ,", true),
            (b"upgrades", false),
            (b"up grade", false),
            (b"\"upgrade\"", false),
            (b"", false),
            (b"upgrade \xff", false),
        ] {
            assert_eq!(has_token(value, "upgrade"), expected, "{value:?}");
        }
        assert!(is_token("stentor.v1.json") && is_token("bearer.eyJh-_."));
        assert!(!is_token("") && !is_token("a b") && !is_token("a\r") && !is_token("a@b"));
    }
}
