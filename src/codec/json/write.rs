//! The envelopes of SPEC §3, written by hand round what serde or a client wrote.
//!
//! Law: what is appended is one JSON object without a byte below 0x20, whatever came in, so nobody
//! can forge a line for another. A `request_id` is raw JSON, as [`RequestId::as_json`] gave it. Framing
//! (`\n`, WebSocket headers) is added by the caller.
//!
//! [`RequestId::as_json`]: super::RequestId::as_json

use serde::Serialize;

use super::plain::plain_len;
use crate::base::id::Id;
use crate::base::time::Timestamp;
use crate::message::fault::{Code, Fault};
use crate::message::json::{Payload, compact, has_control};
use crate::message::record::UserCard;

/// The head of an event; what is `None` is left out.
#[derive(Clone, Copy, Debug, Default)]
pub struct Event<'a> {
    /// Its `type`.
    pub word: &'a str,
    /// The channel it was published to.
    pub channel: Option<&'a str>,
    /// Its place in that channel.
    pub offset: Option<u64>,
    /// The numbering that `offset` belongs to.
    pub epoch: Option<&'a str>,
    /// Its id.
    pub id: Option<Id>,
    /// Who caused it.
    pub sender: Option<&'a UserCard>,
    /// When.
    pub timestamp: Option<Timestamp>,
}

/// Appends the reply `ok`, with `data` an object.
///
/// Should `data` refuse to be written, the reply is `internal` instead.
pub fn reply_ok(out: &mut Vec<u8>, word: &str, request_id: Option<&str>, data: &impl Serialize) {
    let start = out.len();
    reply_head(out, word, "ok", request_id);
    out.extend_from_slice(b",\"data\":");
    if value(out, data) {
        out.push(b'}');
    } else {
        out.truncate(start);
        let fault = Fault::new(Code::Internal, "the reply could not be written");
        reply_error(out, word, request_id, &fault, true);
    }
}

/// Appends the reply `ok`, with `data` the JSON text of an object.
pub fn reply_raw(out: &mut Vec<u8>, word: &str, request_id: Option<&str>, data: &str) {
    reply_head(out, word, "ok", request_id);
    out.extend_from_slice(b",\"data\":");
    out.extend_from_slice(compact(data).as_bytes());
    out.push(b'}');
}

/// Appends the reply `ok` to a call of a backend: `data` is the JSON text that it gave, and beside it
/// stands `cached` when it was given before.
pub fn reply_called(
    out: &mut Vec<u8>,
    word: &str,
    request_id: Option<&str>,
    data: &str,
    cached: bool,
) {
    reply_raw(out, word, request_id, data);
    if cached {
        out.pop();
        out.extend_from_slice(b",\"cached\":true}");
    }
}

/// Appends the reply `error`; `hints` says whether this client wants to know what to type.
pub fn reply_error(
    out: &mut Vec<u8>,
    word: &str,
    request_id: Option<&str>,
    fault: &Fault,
    hints: bool,
) {
    reply_head(out, word, "error", request_id);
    out.extend_from_slice(b",\"code\":\"");
    out.extend_from_slice(fault.code.word().as_bytes());
    out.extend_from_slice(b"\",\"message\":");
    string(out, &fault.message);
    let retryable: &[u8] =
        if fault.code.retryable() { b",\"retryable\":true" } else { b",\"retryable\":false" };
    out.extend_from_slice(retryable);
    if let Some(ms) = fault.retry_after_ms {
        out.extend_from_slice(b",\"retry_after_ms\":");
        integer(out, ms);
    }
    if let Some(field) = &fault.field {
        out.extend_from_slice(b",\"field\":");
        string(out, field);
    }
    if let Some(hint) = fault.hint.as_ref().filter(|_| hints) {
        out.extend_from_slice(b",\"hint\":");
        string(out, hint);
    }
    out.push(b'}');
}

/// Appends an event whose payload serde writes; an empty object should it refuse.
pub fn event(out: &mut Vec<u8>, event: &Event<'_>, payload: &(impl Serialize + ?Sized)) {
    event_head(out, event);
    if !value(out, payload) {
        out.extend_from_slice(b"{}");
    }
    out.push(b'}');
}

/// Appends an event whose payload a client brought: its JSON, or its bytes as `{"b64":"…"}`.
pub fn event_payload(out: &mut Vec<u8>, event: &Event<'_>, payload: &Payload<'_>) {
    event_head(out, event);
    out.extend_from_slice(payload.text().as_bytes());
    out.push(b'}');
}

/// Appends `text` as a JSON string.
pub fn string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    loop {
        let (plain, special) = rest.split_at_checked(plain_len(rest)).unwrap_or((rest, &[]));
        out.extend_from_slice(plain);
        let [byte, after @ ..] = special else { break };
        escape(out, *byte);
        rest = after;
    }
    out.push(b'"');
}

fn escape(out: &mut Vec<u8>, byte: u8) {
    let short = match byte {
        b'"' | b'\\' => byte,
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        _ => {
            let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0') as u8;
            out.extend_from_slice(b"\\u00");
            out.extend_from_slice(&[digit(byte >> 4), digit(byte & 0xf)]);
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

fn integer(out: &mut Vec<u8>, value: u64) {
    let mut digits = [0; 20];
    let mut rest = value;
    let mut len = 0_usize;
    for place in digits.iter_mut().rev() {
        *place = b'0' | (rest % 10) as u8;
        rest /= 10;
        len = len.wrapping_add(1);
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(digits.len().wrapping_sub(len)..).unwrap_or_default());
}

/// Appends what serde makes of `data` on one line; appends nothing and says `false` if it refuses.
fn value(out: &mut Vec<u8>, data: &(impl Serialize + ?Sized)) -> bool {
    let start = out.len();
    if serde_json::to_writer(&mut *out, data).is_err() {
        out.truncate(start);
        return false;
    }
    // Raw JSON inside may have been made by anyone: the law is kept here, not hoped for there.
    let written = out.get(start..).unwrap_or_default();
    if has_control(written) {
        let rewritten = compact(std::str::from_utf8(written).unwrap_or("null")).into_owned();
        out.truncate(start);
        out.extend_from_slice(rewritten.as_bytes());
    }
    true
}

fn reply_head(out: &mut Vec<u8>, word: &str, status: &str, request_id: Option<&str>) {
    out.extend_from_slice(b"{\"type\":");
    string(out, word);
    out.extend_from_slice(b",\"status\":\"");
    out.extend_from_slice(status.as_bytes());
    out.push(b'"');
    if let Some(id) = request_id {
        out.extend_from_slice(b",\"request_id\":");
        out.extend_from_slice(compact(id).as_bytes());
    }
}

fn event_head(out: &mut Vec<u8>, event: &Event<'_>) {
    out.extend_from_slice(b"{\"type\":");
    string(out, event.word);
    if let Some(channel) = event.channel {
        out.extend_from_slice(b",\"channel\":");
        string(out, channel);
    }
    if let Some(offset) = event.offset {
        out.extend_from_slice(b",\"offset\":");
        integer(out, offset);
    }
    if let Some(epoch) = event.epoch {
        out.extend_from_slice(b",\"epoch\":");
        string(out, epoch);
    }
    if let Some(id) = event.id {
        out.extend_from_slice(b",\"id\":\"");
        let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
        let text = uuid::Uuid::from_u128(id.0).hyphenated().encode_lower(&mut text);
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    }
    if let Some(sender) = event.sender {
        out.extend_from_slice(b",\"sender\":{\"id\":");
        string(out, sender.id.as_str());
        out.extend_from_slice(b",\"username\":");
        string(out, &sender.username);
        out.push(b'}');
    }
    if let Some(timestamp) = event.timestamp {
        out.extend_from_slice(b",\"timestamp\":\"");
        out.extend_from_slice(&timestamp.encode());
        out.push(b'"');
    }
    out.extend_from_slice(b",\"payload\":");
}
