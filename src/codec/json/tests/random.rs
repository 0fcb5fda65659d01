//! Random JSON: whatever is strict is taken, and one planted fault anywhere is found.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::super::laws;
use super::super::{check, compact, scan, string};
use crate::message::fault::Code;

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_filter_map("finite", |n| n.is_finite().then(|| json!(n))),
        ".{0,40}".prop_map(Value::from),
    ];
    leaf.prop_recursive(13, 60, 20, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::vec((".{0,12}", inner), 0..20)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// An object without keys of meaning, and the number of its keys at all levels.
fn message(value: &Value) -> Value {
    json!({"type": "publish", "channel": "public:a", "payload": value, "request_id": 7})
}

proptest! {
    #[test]
    fn strict_json_is_taken_and_reads_the_same(value in value()) {
        let message = message(&value);
        for text in [message.to_string(), serde_json::to_string_pretty(&message).unwrap()] {
            let (scanned, rest) = scan(&text);
            let scanned = scanned.unwrap();
            prop_assert_eq!(&scanned.word, "publish");
            prop_assert_eq!(scanned.request_id.unwrap().as_json(), "7");
            prop_assert_eq!(rest, "");
            let compacted = compact(&text);
            prop_assert!(compacted.bytes().all(|byte| byte >= 0x20));
            prop_assert_eq!(serde_json::from_str::<Value>(&compacted).unwrap(),
                serde_json::from_str::<Value>(&text).unwrap());
            laws::json_message(text.as_bytes());
        }
    }

    #[test]
    fn a_repeated_key_is_found_at_any_place(value in value(), pick in any::<prop::sample::Index>()) {
        let text = message(&value).to_string();
        // Every key is repeated in turn, with an escape, right where it stands.
        let places: Vec<_> = keys(&text);
        let (start, end) = places[pick.index(places.len())];
        let key = &text[start..end];
        let planted = format!("{}{key}:0,{}", &text[..start], &text[start..]);
        let refused = scan(&planted).0.unwrap_err();
        prop_assert_eq!(refused.fault.code, Code::BadJson);
        prop_assert!(refused.fault.message.starts_with("duplicate key"));
    }

    #[test]
    fn a_cut_message_is_refused(value in value(), pick in any::<prop::sample::Index>()) {
        let text = message(&value).to_string();
        let mut cut = pick.index(text.len());
        while !text.is_char_boundary(cut) {
            cut -= 1;
        }
        prop_assert_eq!(scan(&text[..cut]).0.unwrap_err().fault.code, Code::BadJson);
    }

    #[test]
    fn the_laws_hold_for_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        laws::json_message(&bytes);
        laws::json_value(&bytes);
    }

    #[test]
    fn the_laws_hold_for_what_is_nearly_json(text in r#"(\{"(type|a|\\u0061)":("ping"|"auth"|[0-9e.]{1,3}|\[|\{|\}|\]|,|"|\\| |\n){0,6}\}?){0,3}"#) {
        laws::json_message(text.as_bytes());
        laws::json_value(text.as_bytes());
    }

    #[test]
    fn a_string_is_written_as_serde_json_reads_it(text in any::<String>()) {
        let mut out = Vec::new();
        string(&mut out, &text);
        prop_assert!(out.iter().all(|byte| *byte >= 0x20));
        prop_assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
    }

    #[test]
    fn a_value_alone_is_checked_the_same(value in value()) {
        let text = value.to_string();
        prop_assert_eq!(check(text.as_bytes()), Some(text.as_str()));
    }
}

/// Where the keys of compact JSON stand, quotes included.
fn keys(json: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let (mut open, mut escaped) = (None, false);
    for (at, byte) in json.bytes().enumerate() {
        match (byte, open) {
            _ if escaped => escaped = false,
            (b'\\', Some(_)) => escaped = true,
            (b'"', None) => open = Some(at),
            (b'"', Some(start)) => {
                open = None;
                if json.as_bytes().get(at + 1) == Some(&b':') {
                    found.push((start, at + 1));
                }
            }
            _ => {}
        }
    }
    found
}
