//! From a text to a request, or to the reason why not: both passes and the lookup between them.

use std::borrow::Cow;

use super::scan::{RequestId, Scanned, scan};
use super::suggest::did_you_mean;
use crate::message::client::{Request, Verb};
use crate::message::fault::{Code, Fault};

/// The longest unknown `type` that is echoed, in bytes.
pub(super) const WORD_BYTES_MAX: usize = 64;

/// A request of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded<'a> {
    /// What is asked.
    pub verb: Verb,
    /// To be echoed in the reply.
    pub request_id: Option<RequestId<'a>>,
    /// Its parameters.
    pub request: Request<'a>,
}

/// A message that is none of ours, with what its error reply needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused<'a> {
    /// The `type` of the reply: the verb or the unknown word; `error` when none could be read.
    pub word: Cow<'a, str>,
    /// To be echoed in the reply, if it could be read.
    pub request_id: Option<RequestId<'a>>,
    /// Why.
    pub fault: Fault,
}

impl Refused<'_> {
    /// A line that holds no request at all: there is nothing to echo.
    #[must_use]
    pub const fn line(fault: Fault) -> Self {
        Self { word: Cow::Borrowed("error"), request_id: None, fault }
    }
}

/// Decodes the first object of `text`, and gives what follows it without leading white space.
///
/// A frame may hold several objects: call again until nothing follows. On lines something that
/// follows is an error of the caller's to tell (SPEC §2: one object per line).
///
/// # Errors
/// `bad_json` (then nothing follows), `bad_request`, or `unknown_type`.
pub fn decode(text: &str) -> (Result<Decoded<'_>, Box<Refused<'_>>>, &str) {
    let (scanned, rest) = scan(text);
    (scanned.and_then(request), rest)
}

fn request(scanned: Scanned<'_>) -> Result<Decoded<'_>, Box<Refused<'_>>> {
    let Scanned { word, request_id, text } = scanned;
    let Some(verb) = Verb::parse(&word) else {
        let fault = unknown(&word);
        let word = if word.len() <= WORD_BYTES_MAX { word } else { "error".into() };
        return Err(Box::new(Refused { word, request_id, fault }));
    };
    match Request::from_json(verb, text) {
        Ok(request) => Ok(Decoded { verb, request_id, request }),
        Err(fault) => Err(Box::new(Refused { word: verb.word().into(), request_id, fault })),
    }
}

/// The fault of a `type` that is no verb.
fn unknown(word: &str) -> Fault {
    let fault = Fault::new(Code::UnknownType, format!("unknown type \"{}\"", excerpt(word)));
    match did_you_mean(word) {
        Some(verb) => fault.hint(format!("did you mean \"{verb}\"?")),
        None => fault.hint(r#"{"type":"help"} lists all types"#),
    }
}

/// The beginning of what a stranger wrote, safe to show: at most 64 bytes of it, controls escaped.
#[must_use]
pub fn excerpt(text: &str) -> String {
    let mut shown = String::new();
    for (at, c) in text.char_indices() {
        if at >= WORD_BYTES_MAX {
            shown.push('…');
            break;
        }
        if c.is_control() {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}
