//! The strict pass: one JSON object of a message, held to SPEC §3 from its first byte to its last.
//!
//! RFC 8259 and, beyond it: no duplicate keys, depth at most 16, no lone surrogates, numbers within
//! f64, an object at the top. Law: what is accepted here every JSON parser reads, and reads the same.

use std::borrow::Cow;

use super::decode::Refused;
use super::scanner::Scanner;
use super::unique::Span;
use crate::message::fault::Fault;

/// How deep objects and arrays may nest; the message itself is 1.
pub const DEPTH_MAX: u32 = 16;
/// The longest `request_id` in bytes, unescaped; an integer has at most as many digits.
pub const REQUEST_ID_BYTES_MAX: usize = 128;

/// A `request_id` as its raw JSON text: quoted or a number, echoed as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestId<'a>(&'a str);

impl<'a> RequestId<'a> {
    /// The id of a message in another codec, as JSON text.
    pub(in crate::codec) const fn quoted(json: &'a str) -> Self {
        Self(json)
    }

    /// The raw JSON text.
    #[must_use]
    pub const fn as_json(&self) -> &'a str {
        self.0
    }
}

/// A message that is JSON as SPEC §3 asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scanned<'a> {
    /// Its `type`, unescaped.
    pub word: Cow<'a, str>,
    /// Its `request_id`, if any.
    pub request_id: Option<RequestId<'a>>,
    /// The object, without white space around it.
    pub text: &'a str,
}

/// Scans the first object of `text`, and gives what follows it without leading white space.
///
/// After a `bad_json` nothing follows: where the next object begins cannot be known.
///
/// # Errors
/// `bad_json`, or `bad_request` for a `type` or `request_id` that is missing or wrong.
pub fn scan(text: &str) -> (Result<Scanned<'_>, Box<Refused<'_>>>, &str) {
    let text = text.trim_start_matches(WHITE);
    let mut scanner = Scanner::new(text);
    let mut head = Head::default();
    if let Err(flaw) = scanner.message(&mut head) {
        let request_id = head.request_id(text).unwrap_or_default();
        let fault = flaw.fault(text);
        return (Err(Box::new(Refused { word: "error".into(), request_id, fault })), "");
    }
    let (object, rest) = text.split_at_checked(scanner.at()).unwrap_or((text, ""));
    (head.read(object), rest.trim_start_matches(WHITE))
}

/// The text of `bytes` when they are one JSON text that may stand in a message (SPEC §8).
///
/// The message around it counts as one level of depth.
#[must_use]
pub fn check(bytes: &[u8]) -> Option<&str> {
    let text = simdutf8::basic::from_utf8(bytes).ok()?;
    let mut scanner = Scanner::new(text);
    scanner.whole(2).ok().map(|()| text)
}

const WHITE: [char; 4] = [' ', '\t', '\n', '\r'];

/// Where `type` and `request_id` stand.
#[derive(Default)]
pub(super) struct Head {
    pub(super) word: Option<(usize, usize)>,
    pub(super) request_id: Option<(usize, usize)>,
}

impl Head {
    fn read<'a>(&self, text: &'a str) -> Result<Scanned<'a>, Box<Refused<'a>>> {
        let refuse = |request_id, fault: Fault| {
            let fault = fault.hint(r#"{"type":"help","request_id":1}"#);
            Box::new(Refused { word: "error".into(), request_id, fault })
        };
        let request_id = self.request_id(text);
        let word = match slice(text, self.word).map(unquote) {
            Some(Some(word)) => word,
            Some(None) => {
                let fault = Fault::field("type", "\"type\" must be a string");
                return Err(refuse(request_id.unwrap_or_default(), fault));
            }
            None => {
                let fault = Fault::field("type", "\"type\" is required");
                return Err(refuse(request_id.unwrap_or_default(), fault));
            }
        };
        let Some(request_id) = request_id else {
            let fault = Fault::field(
                "request_id",
                "\"request_id\" must be a string of at most 128 bytes or an integer",
            );
            let mut refused = refuse(None, fault);
            if word.len() <= super::decode::WORD_BYTES_MAX {
                refused.word = word;
            }
            return Err(refused);
        };
        Ok(Scanned { word, request_id, text })
    }

    /// `Some(None)` when there is none or it is `null`, `None` when it is wrong.
    fn request_id<'a>(&self, text: &'a str) -> Option<Option<RequestId<'a>>> {
        let Some(raw) = slice(text, self.request_id).filter(|raw| *raw != "null") else {
            return Some(None);
        };
        let right = match unquote(raw) {
            Some(name) => name.len() <= REQUEST_ID_BYTES_MAX,
            None => {
                let digits = raw.strip_prefix('-').unwrap_or(raw);
                digits.len() <= REQUEST_ID_BYTES_MAX && digits.bytes().all(|b| b.is_ascii_digit())
            }
        };
        right.then_some(Some(RequestId(raw)))
    }
}

fn slice(text: &str, place: Option<(usize, usize)>) -> Option<&str> {
    place.and_then(|(start, end)| text.get(start..end))
}

/// The string that a validated JSON value is, if it is one.
fn unquote(json: &str) -> Option<Cow<'_, str>> {
    let raw = json.strip_prefix('"')?.strip_suffix('"')?;
    let span = Span { start: 0, end: raw.len() as u32, escaped: raw.contains('\\') };
    Some(span.unescape(raw))
}
