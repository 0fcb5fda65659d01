//! JSON and other bytes that pass through unread: `payload`, `params`, `metadata`, `resume`.
//!
//! Law: no value here holds a byte below 0x20, so whatever a client wrapped in white space of its own
//! leaves on one line (SPEC §2). Limit: the JSON is validated by the codecs, not here.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use serde::{Deserialize, Deserializer, de};
use serde_json::value::RawValue;

/// The name by which a deserializer that has the text of a value is asked for just that.
pub(crate) const RAW: &str = "stentor::Json";

/// Whether `bytes` hold one JSON text as SPEC §3 asks for; the codec brings the answer.
pub type JsonCheck = for<'b> fn(&'b [u8]) -> Option<&'b str>;

/// Whether a byte below 0x20 is among `bytes`.
#[must_use]
pub fn has_control(bytes: &[u8]) -> bool {
    // Whole chunks without an early exit: the compiler makes vector code of it.
    let control = |chunk: &[u8]| chunk.iter().fold(false, |found, byte| found | (*byte < 0x20));
    bytes.chunks(64).any(control)
}

/// JSON text that holds a byte below 0x20 without its white space; any other as it is.
///
/// In validated JSON such a byte is white space between tokens, so the value stays the same.
#[must_use]
pub fn compact(json: &str) -> Cow<'_, str> {
    if !has_control(json.as_bytes()) {
        return Cow::Borrowed(json);
    }
    Cow::Owned(minified(json))
}

/// Validated JSON text without the white space between its tokens.
#[must_use]
pub fn minified(json: &str) -> String {
    let (mut quoted, mut escaped) = (false, false);
    let kept = |c: &char| {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = quoted,
            '"' => quoted = !quoted,
            _ => {}
        }
        *c > ' ' || (quoted && *c == ' ')
    };
    json.chars().filter(kept).collect()
}

/// One JSON text of a client, kept as it came but for white space with control bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Json<'a>(Cow<'a, str>);

impl<'a> Json<'a> {
    /// Takes JSON that was validated.
    #[must_use]
    pub fn new(json: &'a str) -> Self {
        Self(compact(json))
    }

    /// The JSON text, on one line.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Json<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Json<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }

            fn visit_borrowed_str<E: de::Error>(self, json: &'de str) -> Result<Json<'de>, E> {
                Ok(Json::new(json))
            }

            fn visit_newtype_struct<D: Deserializer<'de>>(
                self,
                of: D,
            ) -> Result<Json<'de>, D::Error> {
                <&RawValue>::deserialize(of).map(|raw| Json::new(raw.get()))
            }
        }

        deserializer.deserialize_newtype_struct(RAW, Visitor)
    }
}

/// What a publication carries.
///
/// In JSON other bytes are `{"b64":"…"}`. A client's own JSON that begins so is kept with one space
/// more after its brace, which changes nothing of what it says: so wherever the text of a payload
/// comes to, it tells which of the two it is ([`told_apart`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload<'a> {
    /// JSON: the same on both codecs.
    Json(Json<'a>),
    /// Other bytes, from a Protobuf client; JSON clients get `{"b64":"…"}` (SPEC §8).
    Bytes(&'a [u8]),
}

impl<'de: 'a, 'a> Deserialize<'de> for Payload<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Json::deserialize(deserializer).map(Self::of_client)
    }
}

/// How other bytes begin in JSON.
const BYTES_HEAD: &str = "{\"b64\":\"";
const BYTES_TAIL: &str = "\"}";

impl<'a> Payload<'a> {
    /// The JSON of a client.
    #[must_use]
    pub fn of_client(json: Json<'a>) -> Self {
        match json.as_str().strip_prefix('{').filter(|rest| is_like_bytes(rest)) {
            Some(rest) => Self::Json(Json(Cow::Owned(format!("{{ {rest}")))),
            None => Self::Json(json),
        }
    }

    /// Its text in JSON.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Json(json) => Cow::Borrowed(json.as_str()),
            Self::Bytes(bytes) => {
                Cow::Owned(format!("{BYTES_HEAD}{}{BYTES_TAIL}", STANDARD.encode(bytes)))
            }
        }
    }
}

/// Whether an object whose brace is before `rest` may be taken for other bytes.
fn is_like_bytes(rest: &str) -> bool {
    rest.trim_start_matches(' ').starts_with("\"b64\"")
}

/// What was published, from the text of a payload: the JSON as the client said it, or other bytes.
#[must_use]
pub fn told_apart(text: &str) -> Cow<'_, [u8]> {
    let other = text.strip_prefix(BYTES_HEAD).and_then(|rest| rest.strip_suffix(BYTES_TAIL));
    if let Some(bytes) = other.and_then(|text| STANDARD.decode(text).ok()) {
        return Cow::Owned(bytes);
    }
    match text.strip_prefix("{ ").filter(|rest| is_like_bytes(rest)) {
        Some(rest) => Cow::Owned([b"{", rest.as_bytes()].concat()),
        None => Cow::Borrowed(text.as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_and_other_bytes_are_told_apart_by_their_text() {
        for json in [
            r#"{"b64":"aGk="}"#,
            r#"{ "b64":"aGk="}"#,
            r#"{   "b64" : 1, "c":2}"#,
            r#"{"b64":"aGk","x":1}"#,
            r#"{"b6":"aGk="}"#,
            "null",
            "{}",
            "[1]",
        ] {
            let payload = Payload::of_client(Json::new(json));
            assert_eq!(&*told_apart(&payload.text()), json.as_bytes());
            let (read, meant): (serde_json::Value, serde_json::Value) = (
                serde_json::from_str(&payload.text()).unwrap(),
                serde_json::from_str(json).unwrap(),
            );
            assert_eq!(read, meant);
        }
        for bytes in [&b""[..], b"\0\xff", b"hi", br#"{"b64":"aGk="}"#] {
            assert_eq!(&*told_apart(&Payload::Bytes(bytes).text()), bytes);
        }
        assert_eq!(Payload::Bytes(b"hi").text(), r#"{"b64":"aGk="}"#);
    }

    #[test]
    fn compact_removes_white_space_only_with_a_control_byte_about() {
        const CASES: &[(&str, &str)] = &[
            ("{}", "{}"),
            (r#"{ "a" : 1 }"#, r#"{ "a" : 1 }"#),
            ("{ \"a\" :\n1 }", r#"{"a":1}"#),
            ("[\"a b\",\t\"\\\" \\\\\", 1]", r#"["a b","\" \\",1]"#),
            ("\r\n\"é \\n\"", r#""é \n""#),
        ];
        for (json, expected) in CASES {
            assert_eq!(compact(json), *expected);
        }
        assert!(matches!(compact("[1, 2]"), Cow::Borrowed(_)));
    }
}
