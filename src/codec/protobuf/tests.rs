//! Messages byte by byte, and both directions against prost.

use super::wire::{Event, Hello, Reply, Said, Sender, ServerMessage};
use super::{Message, translate};
use crate::codec::json;
use crate::message::client::Verb;
use crate::message::client::wire::{
    ClientMessage, DataRequest, MessageType, Ping, Publish, UiAction,
};
use crate::message::fault::{Code, Fault};
use crate::message::json::{Json, Payload};
use prost::Message as _;

fn said(text: &str) -> Said {
    let mut bytes = b"before".to_vec();
    assert!(translate(text, &mut bytes), "{text}");
    ServerMessage::decode(&bytes[6..]).unwrap().message_type.unwrap()
}

/// Bytes, the `type` and `request_id` of the reply, its code and how its message begins.
type Refusal<'a> = (&'a [u8], &'a str, Option<&'a str>, Code, &'a str);

/// A `ping` is field 36: its key is a2 02. `request_id` is field 100: its key is a2 06.
const FLAWS: &[Refusal<'_>] = &[
    (b"", "error", None, Code::BadRequest, "the message asks nothing"),
    (b"\xa2\x06\x01r", "error", Some("\"r\""), Code::BadRequest, "the message asks nothing"),
    (b"\xa2\x02", "error", None, Code::BadRequest, "the message ends within the field at byte 1"),
    (
        b"\xa2\x02\x05ab",
        "error",
        None,
        Code::BadRequest,
        "the message ends within the field at byte 1",
    ),
    (
        b"\xa2\x02\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        "error",
        None,
        Code::BadRequest,
        "the message ends within the field at byte 1",
    ),
    (
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        "error",
        None,
        Code::BadRequest,
        "a number at byte 1 is no number of Protobuf",
    ),
    (b"\x02\x00", "error", None, Code::BadRequest, "a number at byte 1 is no number of Protobuf"),
    (
        b"\xa3\x02\xa4\x02",
        "error",
        None,
        Code::BadRequest,
        "the field at byte 1 has a wire type not read here",
    ),
    (
        b"\xa0\x02\x01",
        "error",
        None,
        Code::BadRequest,
        "field 36 at byte 1 must be a message of its own",
    ),
    (
        b"\xa2\x02\x00\xa0\x06\x01",
        "ping",
        None,
        Code::BadRequest,
        "\"request_id\" must be a string",
    ),
    (
        b"\xa2\x02\x00\xa2\x02\x00",
        "error",
        None,
        Code::BadRequest,
        "a second request begins at byte 4",
    ),
    (
        b"\xa2\x02\x00\xaa\x02\x00",
        "error",
        None,
        Code::BadRequest,
        "a second request begins at byte 4",
    ),
    (
        b"\xa2\x06\x01r\xa2\x06\x01s",
        "error",
        Some("\"s\""),
        Code::BadRequest,
        "a second \"request_id\" is at byte 5",
    ),
    (b"\xa2\x06\x01\xff", "error", None, Code::BadRequest, "\"request_id\" must be UTF-8"),
    (
        b"\xa2\x06\x01r\xea\x05\x00",
        "error",
        Some("\"r\""),
        Code::UnknownType,
        "unknown type: ClientMessage has no field 93 here",
    ),
    (b"\x55", "error", None, Code::BadRequest, "the message ends within the field at byte 1"),
    (
        b"\xa2\x06\x01r\xb2\x02\x02\x0a\xff",
        "subscribe",
        Some("\"r\""),
        Code::BadRequest,
        "this is no \"subscribe\" of the schema",
    ),
    (
        b"\xb2\x02\x03\x0a\x01\xff",
        "subscribe",
        None,
        Code::BadRequest,
        "this is no \"subscribe\" of the schema",
    ),
    (
        b"\xb2\x02\x02\x08\x01",
        "subscribe",
        None,
        Code::BadRequest,
        "this is no \"subscribe\" of the schema",
    ),
];

#[test]
fn a_message_that_is_none_is_refused_by_its_reason() {
    for (bytes, word, request_id, code, why) in FLAWS {
        let message = Message::decode(bytes);
        let refused = message.request().unwrap_err();
        assert_eq!(refused.word, *word, "{}", bytes.escape_ascii());
        assert_eq!(refused.request_id.map(|id| id.as_json()), *request_id, "{why}");
        assert_eq!(refused.fault.code, *code, "{why}");
        assert!(refused.fault.message.starts_with(why), "{why}: {}", refused.fault.message);
    }
    let long = ClientMessage {
        message_type: Some(MessageType::Ping(Ping {})),
        request_id: "x".repeat(129),
    };
    let message = Message::decode(&long.encode_to_vec());
    let refused = message.request().unwrap_err();
    assert_eq!(
        (refused.word.as_ref(), refused.fault.field.as_deref()),
        ("ping", Some("request_id"))
    );
}

#[test]
fn what_is_unknown_is_passed_over_and_an_empty_request_id_is_none() {
    for bytes in [
        &b"\xa2\x02\x00"[..],
        b"\xa2\x02\x00\xa2\x06\x00",
        b"\xa2\x02\x03\x0a\x01x\xea\x05\x00\xe9\x05aaaaaaaa\xed\x05aaaa\xe8\x05\x07",
    ] {
        let message = Message::decode(bytes);
        let decoded = message.request().unwrap();
        assert_eq!((decoded.verb, decoded.request_id), (Verb::Ping, None));
    }
    let message = Message::decode(b"\xa2\x02\x00\xa2\x06\x03a\"\n");
    assert_eq!(message.request().unwrap().request_id.unwrap().as_json(), r#""a\"\n""#);
}

#[test]
fn an_inner_request_id_wins_when_it_is_set() {
    let long = "x".repeat(129);
    for (outer, inner, expected) in [
        ("a", "b", Some(Some(r#""b""#))),
        ("", "b", Some(Some(r#""b""#))),
        ("a", "", Some(Some(r#""a""#))),
        ("", "", Some(None)),
        ("a", &long, None),
        (&long, "b", Some(Some(r#""b""#))),
    ] {
        let (request_id, params) = (inner.to_owned(), Vec::new());
        let action = UiAction { action_type: "a".to_owned(), request_id, params };
        let request_id = action.request_id.clone();
        let data = DataRequest { resource: "a".to_owned(), request_id, params: Vec::new() };
        for asked in [MessageType::UiAction(action), MessageType::DataRequest(data)] {
            let message_type = Some(asked);
            let message = ClientMessage { message_type, request_id: outer.to_owned() };
            let message = Message::decode(&message.encode_to_vec());
            let got = message.request();
            let got = got.as_ref().map(|got| got.request_id.map(|id| id.as_json())).ok();
            assert_eq!(got, expected, "{outer} {inner}");
        }
    }
}

#[test]
fn replies_are_said_field_by_field() {
    let mut text = Vec::new();
    let fault = Fault::field("channel", "\"channel\" é").hint("type this").retry_after(300);
    json::reply_error(&mut text, "subscribe", Some(r#""r\u00e9\n""#), &fault, true);
    let error = Reply {
        r#type: "subscribe".to_owned(),
        status: "error".to_owned(),
        request_id: "ré\n".to_owned(),
        code: "bad_request".to_owned(),
        message: "\"channel\" é".to_owned(),
        retry_after_ms: 300,
        field: "channel".to_owned(),
        ..Reply::default()
    };
    assert_eq!(said(std::str::from_utf8(&text).unwrap()), Said::Reply(error));
    let ok =
        r#"{"type":"ping","status":"ok","request_id":-7,"data":{"a":[1,"}"]},"retryable":true}"#;
    let expected = Reply {
        r#type: "ping".to_owned(),
        status: "ok".to_owned(),
        request_id: "-7".to_owned(),
        data: br#"{"a":[1,"}"]}"#.to_vec(),
        retryable: true,
        ..Reply::default()
    };
    assert_eq!(said(ok), Said::Reply(expected.clone()));
    let cached = ok.replace(r#""retryable":true"#, r#""cached":true"#);
    assert_eq!(said(&cached), Said::Reply(Reply { retryable: false, cached: true, ..expected }));
}

#[test]
fn events_are_said_field_by_field() {
    let text = r#"{"type":"x","channel":"public:a","offset":300,"epoch":"e","id":"i","sender":{"id":"u","username":"\u00fc"},"timestamp":"t","payload":null}"#;
    let expected = Event {
        r#type: "x".to_owned(),
        channel: "public:a".to_owned(),
        offset: 300,
        epoch: "e".to_owned(),
        id: "i".to_owned(),
        sender: Some(Sender { id: "u".to_owned(), username: "ü".to_owned() }),
        timestamp: "t".to_owned(),
        payload: b"null".to_vec(),
    };
    assert_eq!(said(text), Said::Event(expected));
    let hello = said(r#"{"type":"hello","timestamp":"t","payload":{"protocol":1}}"#);
    assert_eq!(hello, Said::Hello(Hello { payload: br#"{"protocol":1}"#.to_vec() }));
    for wrong in ["", "{}", "[]", "x", r#"{"type":1}"#, r#"{"type":"a","offset":-1}"#] {
        let mut out = Vec::new();
        assert!(!translate(wrong, &mut out) && out.is_empty(), "{wrong}");
    }
}

#[test]
fn a_payload_reaches_protobuf_clients_as_it_was_published() {
    let text = "x".repeat(200);
    let long = format!("{{\"t\":\"{text}\"}}");
    for bytes in [
        &b""[..],
        b"\0\xff",
        br#"{"a":1}"#,
        br#"{"b64":"aGk="}"#,
        br#"{ "b64":1}"#,
        b"7",
        long.as_bytes(),
    ] {
        let publish = Publish {
            channel: "public:a".to_owned(),
            payload: bytes.to_vec(),
            ..Publish::default()
        };
        let asked = MessageType::Publish(publish);
        let request = crate::message::client::Request::from_wire(&asked, json::check).unwrap();
        let crate::message::client::Request::Publish(publish) = request else { unreachable!() };
        let event = json::Event { word: "publication", ..json::Event::default() };
        let mut written = Vec::new();
        json::event_payload(&mut written, &event, &publish.payload);
        let Said::Event(event) = said(std::str::from_utf8(&written).unwrap()) else {
            unreachable!()
        };
        assert_eq!(event.payload, bytes, "{}", bytes.escape_ascii());
    }
    let json = Payload::of_client(Json::new(r#"{"b64":"aGk="}"#));
    assert_eq!(json.text(), r#"{ "b64":"aGk="}"#);
}
