//! What holds for every text that a stranger sends: checked by the fuzzer and by a replay of its seeds.
//!
//! A law panics when it is broken. Limit: serde_json is the model of what other parsers read; at the
//! very edge of f64 the two may round differently, so there the model may refuse.

use serde_json::Value;

use super::{Event, decode, event_payload, reply_error, reply_raw, scan};
use crate::message::client::Request;
use crate::message::fault::Code;
use crate::message::json::{Json, compact};

/// The laws of one message or several in one frame.
pub fn json_message(data: &[u8]) {
    let Ok(mut rest) = std::str::from_utf8(data) else { return };
    while !rest.is_empty() {
        let (decoded, after) = decode(rest);
        assert!(after.len() < rest.len(), "an object was taken");
        let mut out = Vec::new();
        match &decoded {
            Ok(decoded) => {
                let id = decoded.request_id.map(|id| id.as_json());
                reply_raw(&mut out, decoded.verb.word(), id, "{}");
                one_object(&out, decoded.verb.word());
                if let Request::Publish(publish) = &decoded.request {
                    out.clear();
                    let head = Event { word: "publication", ..Event::default() };
                    event_payload(&mut out, &head, &publish.payload);
                    one_object(&out, "publication");
                }
            }
            Err(refused) => {
                let id = refused.request_id.map(|id| id.as_json());
                reply_error(&mut out, &refused.word, id, &refused.fault, true);
                one_object(&out, &refused.word);
                assert_eq!(refused.fault.code == Code::BadRequest, refused.fault.field.is_some());
            }
        }
        accepted(rest);
        rest = after;
    }
}

/// What was written is one line and one strict object of that `type`.
fn one_object(out: &[u8], word: &str) {
    assert!(out.iter().all(|byte| *byte >= 0x20), "a raw control byte was written");
    let text = std::str::from_utf8(out).unwrap_or_default();
    let (scanned, rest) = scan(text);
    assert!(scanned.is_ok_and(|scanned| scanned.word == word) && rest.is_empty(), "{text}");
}

/// What the strict pass accepts, the model reads the same.
fn accepted(text: &str) {
    let (Ok(scanned), _) = scan(text) else { return };
    let compacted = compact(scanned.text);
    let (again, _) = scan(&compacted);
    let same = again
        .is_ok_and(|again| again.word == scanned.word && again.request_id == scanned.request_id);
    assert!(same, "white space changes nothing");
    match serde_json::from_str::<Value>(scanned.text) {
        Ok(model) => {
            assert_eq!(model.get("type").and_then(Value::as_str), Some(&*scanned.word));
            assert_eq!(keys(&model), colons(scanned.text), "a key was lost: it was there twice");
            let text = model.to_string();
            let (again, rest) = scan(&text);
            let word = match again {
                Ok(again) => again.word,
                // An integer of many digits becomes a double in the model.
                Err(refused) => refused.word,
            };
            assert!(rest.is_empty() && (word == scanned.word || word == "error"));
        }
        Err(error) => assert!(error.to_string().contains("out of range"), "{error}"),
    }
}

/// The number of keys of all objects in `value`.
fn keys(value: &Value) -> usize {
    match value {
        Value::Object(map) => map.values().map(keys).sum::<usize>().saturating_add(map.len()),
        Value::Array(items) => items.iter().map(keys).sum(),
        _ => 0,
    }
}

/// The number of colons outside strings, one per key that was written.
fn colons(json: &str) -> usize {
    let (mut quoted, mut escaped) = (false, false);
    let outside = json.bytes().filter(|byte| {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = quoted,
            b'"' => quoted = !quoted,
            _ => {}
        }
        !quoted && *byte == b':'
    });
    outside.count()
}

/// The law of JSON that is kept raw: it stays on one line.
pub fn json_value(data: &[u8]) {
    if let Some(text) = super::check(data) {
        assert!(serde_json::from_str::<&serde_json::value::RawValue>(text).is_ok());
        assert!(Json::new(text).as_str().bytes().all(|byte| byte >= 0x20));
    }
}
