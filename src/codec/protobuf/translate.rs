//! What the server says in JSON, said in Protobuf: one reply or event, whose values stay JSON.
//!
//! The JSON is our own, so it is taken apart by its brackets and not judged again. Law: each field of
//! the schema is what the member of that name is; a payload that stands for other bytes is those
//! bytes again. Limit: members that the schema has not, such as `hint`, are left out.

use serde::{Deserialize, Deserializer};

use crate::message::client::{Text, read_object};
use crate::message::json::{Json, told_apart};
use crate::message::server;

/// A reply or an event.
#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct Said<'a> {
    r#type: Text<'a>,
    status: Option<Text<'a>>,
    request_id: Option<Json<'a>>,
    data: Option<Json<'a>>,
    code: Option<Text<'a>>,
    message: Option<Text<'a>>,
    retryable: Option<bool>,
    retry_after_ms: Option<u64>,
    field: Option<Text<'a>>,
    cached: Option<bool>,
    channel: Option<Text<'a>>,
    offset: Option<u64>,
    epoch: Option<Text<'a>>,
    id: Option<Text<'a>>,
    sender: Option<Sender<'a>>,
    timestamp: Option<Text<'a>>,
    #[serde(default, deserialize_with = "any")]
    payload: Option<Json<'a>>,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct Sender<'a> {
    id: Text<'a>,
    username: Text<'a>,
}

/// A `null` is a payload too.
fn any<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Json<'a>>, D::Error> {
    Json::deserialize(deserializer).map(Some)
}

/// Appends the `ServerMessage` of one reply or event in JSON; appends nothing and says `false` if
/// `text` is neither.
pub fn translate(text: &str, out: &mut Vec<u8>) -> bool {
    let Ok(said) = read_object::<Said<'_>>(text) else { return false };
    let start = out.len();
    let of = match &said.status {
        Some(status) => {
            reply(out, &said, status);
            2
        }
        None if *said.r#type == *server::HELLO => {
            bytes(out, 1, json(said.payload.as_ref()));
            1
        }
        None => {
            event(out, &said);
            3
        }
    };
    enclose(out, start, of);
    true
}

fn reply(out: &mut Vec<u8>, said: &Said<'_>, status: &str) {
    text(out, 1, Some(&said.r#type));
    bytes(out, 2, status.as_bytes());
    if let Some(id) = &said.request_id {
        let raw = id.as_str();
        // A number stands for itself, a string for what is in it.
        let plain = serde_json::from_str::<Text<'_>>(raw).unwrap_or_else(|_| Text::from(raw));
        text(out, 3, Some(&plain));
    }
    bytes(out, 4, json(said.data.as_ref()));
    text(out, 5, said.code.as_ref());
    text(out, 6, said.message.as_ref());
    number(out, 7, said.retryable.map_or(0, u64::from));
    number(out, 8, said.retry_after_ms.unwrap_or_default());
    text(out, 9, said.field.as_ref());
    number(out, 10, said.cached.map_or(0, u64::from));
}

fn event(out: &mut Vec<u8>, said: &Said<'_>) {
    text(out, 1, Some(&said.r#type));
    text(out, 2, said.channel.as_ref());
    number(out, 3, said.offset.unwrap_or_default());
    text(out, 4, said.epoch.as_ref());
    text(out, 5, said.id.as_ref());
    if let Some(sender) = &said.sender {
        let start = out.len();
        text(out, 1, Some(&sender.id));
        text(out, 2, Some(&sender.username));
        enclose(out, start, 6);
    }
    text(out, 7, said.timestamp.as_ref());
    if let Some(payload) = &said.payload {
        bytes(out, 8, &told_apart(payload.as_str()));
    }
}

fn json<'a>(value: Option<&'a Json<'_>>) -> &'a [u8] {
    value.map(|json| json.as_str().as_bytes()).unwrap_or_default()
}

/// Makes what was appended since `start` the value of field `tag`.
fn enclose(out: &mut Vec<u8>, start: usize, tag: u32) {
    let length = out.len().saturating_sub(start);
    let mut head = [0; 15];
    let key = varint(&mut head, 0, u64::from(tag) << 3 | 2);
    let end = varint(&mut head, key, length as u64);
    out.splice(start..start, head.into_iter().take(end));
}

fn text(out: &mut Vec<u8>, tag: u32, value: Option<&Text<'_>>) {
    bytes(out, tag, value.map(|text| text.as_bytes()).unwrap_or_default());
}

/// A field delimited by its length; proto3 leaves out an empty one.
fn bytes(out: &mut Vec<u8>, tag: u32, value: &[u8]) {
    if !value.is_empty() {
        let mut head = [0; 15];
        let key = varint(&mut head, 0, u64::from(tag) << 3 | 2);
        let end = varint(&mut head, key, value.len() as u64);
        out.extend_from_slice(head.get(..end).unwrap_or_default());
        out.extend_from_slice(value);
    }
}

/// A number; proto3 leaves out a zero.
fn number(out: &mut Vec<u8>, tag: u32, value: u64) {
    if value > 0 {
        let mut head = [0; 15];
        let key = varint(&mut head, 0, u64::from(tag) << 3);
        let end = varint(&mut head, key, value);
        out.extend_from_slice(head.get(..end).unwrap_or_default());
    }
}

/// Writes seven bits an octet from `at` on, the lowest first; gives where it ends. A key has at most
/// five octets here, a value ten.
fn varint(head: &mut [u8; 15], at: usize, value: u64) -> usize {
    let (mut at, mut rest) = (at, value);
    loop {
        let more = if rest > 0x7f { 0x80 } else { 0 };
        if let Some(place) = head.get_mut(at) {
            *place = (rest & 0x7f) as u8 | more;
        }
        at = at.saturating_add(1);
        rest >>= 7;
        if rest == 0 {
            return at;
        }
    }
}
