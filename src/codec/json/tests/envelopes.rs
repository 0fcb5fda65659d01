//! What is written: the exact bytes of SPEC §3, and never a raw control byte.

use super::super::{Event, decode, event, event_payload, reply_error, reply_ok, reply_raw};
use crate::base::id::{Id, UserId};
use crate::base::time::Timestamp;
use crate::message::client::Request;
use crate::message::fault::{Code, Fault};
use crate::message::json::{Json, Payload};
use crate::message::record::UserCard;

fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = b"before ".to_vec();
    write(&mut out);
    assert!(out.iter().all(|byte| *byte >= 0x20));
    let text = String::from_utf8(out).unwrap();
    text.strip_prefix("before ").unwrap().to_owned()
}

#[test]
fn replies() {
    let ok = written(|out| reply_ok(out, "ping", Some("7"), &serde_json::json!({})));
    assert_eq!(ok, r#"{"type":"ping","status":"ok","request_id":7,"data":{}}"#);
    let raw = written(|out| reply_raw(out, "whoami", None, "{\n\"a\": 1\n}"));
    assert_eq!(raw, r#"{"type":"whoami","status":"ok","data":{"a":1}}"#);

    let fault = Fault::new(Code::NotAuthenticated, "Not authenticated");
    let error = written(|out| reply_error(out, "whoami", Some("\"é\""), &fault, true));
    assert_eq!(
        error,
        r#"{"type":"whoami","status":"error","request_id":"é","code":"not_authenticated","message":"Not authenticated","retryable":false}"#
    );
    let fault = Fault { field: Some("to".into()), ..Fault::new(Code::RateLimited, "a\n\"b\"") }
        .hint("wait")
        .retry_after(1500);
    let expected = r#"{"type":"error","status":"error","code":"rate_limited","message":"a\n\"b\"","retryable":true,"retry_after_ms":1500,"field":"to""#;
    let with = written(|out| reply_error(out, "error", None, &fault, true));
    assert_eq!(with, format!("{expected},\"hint\":\"wait\"}}"));
    let without = written(|out| reply_error(out, "error", None, &fault, false));
    assert_eq!(without, format!("{expected}}}"));
}

#[test]
fn data_that_cannot_be_written_is_our_fault() {
    let odd = std::collections::BTreeMap::from([((1, 2), 3)]);
    let reply = written(|out| reply_ok(out, "stats", Some("1"), &odd));
    assert!(
        reply.starts_with(r#"{"type":"stats","status":"error","request_id":1,"code":"internal""#)
    );
}

#[test]
fn events() {
    let sender = UserCard { id: UserId("u1".into()), username: "b\"a".into() };
    let full = Event {
        word: "tick",
        channel: Some("public:a"),
        offset: Some(u64::MAX),
        epoch: Some("e1"),
        id: Some(Id::new(1_700_000_000_123, &[0; 10])),
        sender: Some(&sender),
        timestamp: Some(Timestamp(0)),
    };
    let payload = Payload::Json(Json::new("[1,\t2]"));
    assert_eq!(
        written(|out| event_payload(out, &full, &payload)),
        r#"{"type":"tick","channel":"public:a","offset":18446744073709551615,"epoch":"e1","id":"018bcfe5-687b-7000-8000-000000000000","sender":{"id":"u1","username":"b\"a"},"timestamp":"1970-01-01T00:00:00.000Z","payload":[1,2]}"#
    );
    let bye = Event { word: "bye", ..Event::default() };
    assert_eq!(
        written(|out| event(out, &bye, &serde_json::json!({"code": 4200}))),
        r#"{"type":"bye","payload":{"code":4200}}"#
    );
    assert_eq!(
        written(|out| event_payload(out, &bye, &Payload::Bytes(b"\x00\xff"))),
        r#"{"type":"bye","payload":{"b64":"AP8="}}"#
    );
    for offset in [0, 9, 10, 1234567890] {
        let event_of = Event { word: "e", offset: Some(offset), ..Event::default() };
        let expected = format!(r#"{{"type":"e","offset":{offset},"payload":0}}"#);
        assert_eq!(written(|out| event(out, &event_of, &0)), expected);
    }
}

#[test]
fn no_client_can_forge_a_line() {
    let forged = "{\"type\":\"publish\",\"channel\":\"public:a\",\"payload\":{\"a\":\n{\"type\":\"bye\"}\n}}";
    let decoded = decode(forged).0.unwrap();
    let Request::Publish(publish) = decoded.request else { panic!("not a publish") };
    let head = Event { word: "publication", ..Event::default() };
    let line = written(|out| event_payload(out, &head, &publish.payload));
    assert_eq!(line, r#"{"type":"publication","payload":{"a":{"type":"bye"}}}"#);

    // Raw JSON that reached a record by another way.
    let raw = serde_json::value::RawValue::from_string("{\"a\":\n1}".to_owned()).unwrap();
    let line = written(|out| reply_ok(out, "x", None, &raw));
    assert_eq!(line, r#"{"type":"x","status":"ok","data":{"a":1}}"#);
}
