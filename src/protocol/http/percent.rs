//! Percent-decoding of a path segment or a query value (RFC 3986 §2.1).
//!
//! Law: what comes out is text without controls. `+` stays a plus: in a path it is one.

use std::borrow::Cow;

/// Decodes `%41` to `A`; borrows when there is nothing to decode.
///
/// `None`: an escape is not two hexadecimal digits, or the result is not UTF-8 (overlong forms and
/// surrogates are not), or it holds a control character, `%00` among them.
#[must_use]
pub fn percent_decode(text: &str) -> Option<Cow<'_, str>> {
    let decoded = if text.contains('%') {
        let mut out = Vec::with_capacity(text.len());
        let mut bytes = text.bytes();
        while let Some(byte) = bytes.next() {
            out.push(match byte {
                b'%' => hex(bytes.next()?)?.checked_mul(16)?.checked_add(hex(bytes.next()?)?)?,
                other => other,
            });
        }
        Cow::Owned(String::from_utf8(out).ok()?)
    } else {
        Cow::Borrowed(text)
    };
    (!decoded.chars().any(char::is_control)).then_some(decoded)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn escapes() {
        for (text, decoded) in [
            ("", ""),
            ("a.b-c_d~e", "a.b-c_d~e"),
            ("%41%62", "Ab"),
            ("a%2Fb%2fc", "a/b/c"),
            ("%2e%2e%2f", "../"),
            ("a+b", "a+b"),
            ("%25%34%31", "%41"),
            ("%C3%A9", "é"),
            ("%F0%9F%98%80", "😀"),
        ] {
            assert_eq!(percent_decode(text).as_deref(), Some(decoded), "{text}");
        }
        for text in [
            "%",
            "%4",
            "%4g",
            "%g4",
            "%%41",
            "%u0041",
            "%00",
            "a%0d%0ab",
            "%7f",
            "%C2%85",
            "%c0%ae",
            "%C0%80",
            "%E0%80%AF",
            "%ed%a0%80",
            "%FF",
            "%C3",
            "%f4%90%80%80",
            "a\0",
            "%+4",
            "% 4",
        ] {
            assert_eq!(percent_decode(text), None, "{text:?}");
        }
        assert!(matches!(percent_decode("abc"), Some(Cow::Borrowed("abc"))));
    }

    proptest! {
        #[test]
        fn what_was_encoded_comes_back(text in "\\PC{0,20}") {
            let encoded: String = text.bytes().map(|byte| format!("%{byte:02x}")).collect();
            let decoded = percent_decode(&encoded);
            prop_assert_eq!(decoded.as_deref(), Some(text.as_str()));
        }
    }
}
