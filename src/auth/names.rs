//! What names may look like (SPEC §4): users, and everything else that has a name.

/// Whether `name` may be a user's: `[A-Za-z0-9._-]{1,32}`.
#[must_use]
pub fn valid_username(name: &str) -> bool {
    (1..=32).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

/// The form of a user's name by which names are compared: without case.
#[must_use]
pub fn fold(username: &str) -> String {
    username.to_ascii_lowercase()
}

/// Whether `name` may be that of a chat or the display name of a user: 1 to 64 characters.
///
/// Refused are controls, line separators, and the marks that turn the direction of what follows:
/// a name must not be able to rewrite the line in which it is shown.
#[must_use]
pub fn valid_name(name: &str) -> bool {
    // No longer loop than needed over what a stranger sent: a character has at most four bytes.
    name.len() <= 256
        && (1..=64).contains(&name.chars().count())
        && !name.chars().any(|c| c.is_control() || is_separator_or_bidi(c))
}

/// U+2028, U+2029 and the bidirectional controls (UAX #9 §2).
const fn is_separator_or_bidi(c: char) -> bool {
    matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{61c}')
}

/// Whether `password` has the allowed length: 8 to 1,024 bytes.
#[must_use]
pub const fn valid_password(password: &str) -> bool {
    password.len() >= 8 && password.len() <= 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usernames() {
        for name in ["a", "Ann.B_9-", &"x".repeat(32)] {
            assert!(valid_username(name), "{name}");
        }
        for name in ["", "a b", "é", "a/b", "a\n", "ann@x", &"x".repeat(33)] {
            assert!(!valid_username(name), "{name:?}");
        }
        assert_eq!(fold("Ann.B_9-"), "ann.b_9-");
    }

    #[test]
    fn other_names() {
        for name in ["x", "Ann Bé 🎉", "مرحبا", &"é".repeat(64), &"🎉".repeat(64)] {
            assert!(valid_name(name), "{name}");
        }
        for name in ["", "a\nb", "a\0", "\u{85}", "a\u{202e}b", "\u{2028}", "\u{2066}", "\u{61c}"] {
            assert!(!valid_name(name), "{name:?}");
        }
        assert!(!valid_name(&"x".repeat(65)) && !valid_name(&"🎉".repeat(65)));
    }

    #[test]
    fn passwords() {
        for (length, valid) in [(0, false), (7, false), (8, true), (1024, true), (1025, false)] {
            assert_eq!(valid_password(&"p".repeat(length)), valid, "{length}");
        }
    }
}
