//! The strict pass: the fields of `ClientMessage` itself, each looked at once, nothing copied.
//!
//! Protobuf lets a field come twice and takes the last; here that is refused, as a key that comes
//! twice in JSON is: two readers must not disagree about what was asked. Unknown fields are passed
//! over. Law: no length is believed before the bytes are there. Limit: groups, which proto3 has not,
//! are refused.

use crate::message::client::Verb;

/// The field number of `request_id`.
const REQUEST_ID: u32 = 100;

/// What stands in a `ClientMessage`.
#[derive(Debug, Default)]
pub(super) struct Head<'a> {
    /// What is asked.
    pub(super) verb: Option<Verb>,
    /// The last field that this server does not know.
    pub(super) unknown: Option<u32>,
    pub(super) request_id: Option<&'a str>,
}

/// What is wrong with a message, and at which byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flaw {
    pub(super) at: usize,
    pub(super) what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// It ends within a field.
    Cut,
    /// A number of more than 64 bits, or a field number that is none.
    Number,
    /// A group, or a wire type that is none.
    WireType,
    /// A field of this server with the wire type of another.
    WrongType(u32),
    /// More than one request.
    Requests,
    /// More than one `request_id`.
    RequestIds,
    /// A `request_id` that is no UTF-8.
    Utf8,
}

/// Reads `bytes` to their end or to the first flaw; what was found before it stays in `head`.
pub(super) fn scan<'a>(bytes: &'a [u8], head: &mut Head<'a>) -> Result<(), Flaw> {
    let mut rest = bytes;
    while !rest.is_empty() {
        let at = bytes.len().saturating_sub(rest.len());
        let flaw = |what| Flaw { at, what };
        let (tag, value, after) = field(rest).map_err(flaw)?;
        rest = after;
        match (Verb::of_tag(tag), value) {
            (None, Some(id)) if tag == REQUEST_ID => {
                let id = simdutf8::basic::from_utf8(id).map_err(|_| flaw(What::Utf8))?;
                if head.request_id.replace(id).is_some() {
                    return Err(flaw(What::RequestIds));
                }
            }
            (None, None) if tag == REQUEST_ID => return Err(flaw(What::WrongType(tag))),
            (None, _) => head.unknown = Some(tag),
            (Some(_), None) => return Err(flaw(What::WrongType(tag))),
            (Some(verb), Some(_)) => {
                if head.verb.replace(verb).is_some() {
                    head.verb = None;
                    return Err(flaw(What::Requests));
                }
            }
        }
    }
    Ok(())
}

/// The first field of `bytes`: its number, its value if that is delimited by a length, and what
/// follows.
#[expect(clippy::type_complexity, reason = "three parts, named above")]
fn field(bytes: &[u8]) -> Result<(u32, Option<&[u8]>, &[u8]), What> {
    let (key, rest) = varint(bytes)?;
    let tag = u32::try_from(key >> 3).ok().filter(|tag| (1..1 << 29).contains(tag));
    let tag = tag.ok_or(What::Number)?;
    let fixed = |length| rest.split_at_checked(length).ok_or(What::Cut);
    match key & 7 {
        0 => varint(rest).map(|(_, rest)| (tag, None, rest)),
        1 => fixed(8).map(|(_, rest)| (tag, None, rest)),
        2 => {
            let (length, rest) = varint(rest)?;
            let length = usize::try_from(length).map_err(|_| What::Cut)?;
            let (value, rest) = rest.split_at_checked(length).ok_or(What::Cut)?;
            Ok((tag, Some(value), rest))
        }
        5 => fixed(4).map(|(_, rest)| (tag, None, rest)),
        _ => Err(What::WireType),
    }
}

/// A number, seven bits an octet, the lowest first; at most ten octets.
fn varint(bytes: &[u8]) -> Result<(u64, &[u8]), What> {
    let mut number = 0_u64;
    for (place, byte) in bytes.iter().take(10).enumerate() {
        let shift = place.saturating_mul(7);
        let bits = u64::from(byte & 0x7f);
        if place == 9 && bits > 1 {
            return Err(What::Number);
        }
        number |= bits << shift;
        if byte & 0x80 == 0 {
            let rest = bytes.get(place.saturating_add(1)..).unwrap_or_default();
            return Ok((number, rest));
        }
    }
    Err(if bytes.len() < 10 { What::Cut } else { What::Number })
}
