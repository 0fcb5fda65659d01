//! What holds between the two codecs on any input; called by tests and by the target `protobuf_message`.
//!
//! The JSON of a message is written from its Protobuf bytes by the catalogue alone, field by field, so
//! it is another reader of both. Limit: bytes that are no JSON have no like in JSON.

use std::borrow::Cow;

use prost::Message as _;

use super::protobuf::wire::{Said, ServerMessage};
use super::{json, protobuf};
use crate::message::client::wire::{ClientMessage, MessageType, Publish};
use crate::message::client::{Kind, Parameter, Presence, Request, Verb};
use crate::message::fault::Code;
use crate::message::json::has_control;

/// What is decoded is no larger than what was sent, and comes back when it is encoded; a request is
/// the same, or refused for the same field, as the one in JSON that says the same.
///
/// Nothing is refused without its reason, and a refusal is said in Protobuf as in JSON.
///
/// Input: a `ClientMessage`.
///
/// # Panics
///
/// When a law is broken.
pub fn protobuf_message(data: &[u8]) {
    both_ways(data, protobuf::translate);
    law(data, |text| {
        let (decoded, rest) = json::decode(text);
        assert!(rest.is_empty(), "one object for one message");
        decoded.map(|decoded| decoded.request).map_err(|refused| {
            assert_ne!(refused.fault.code, Code::BadJson, "{text}");
            refused.fault.field
        })
    });
}

/// How the law puts JSON into Protobuf.
type Translate = fn(&str, &mut Vec<u8>) -> bool;

/// What is asked is answered, in Protobuf as in JSON; and a payload comes out as it went in.
fn both_ways(data: &[u8], translate: Translate) {
    let message = protobuf::Message::decode(data);
    let asked = message.request();
    let read = ClientMessage::decode(data);
    let (word, request_id, fault) = match &asked {
        Ok(decoded) => {
            let twin = read.as_ref().map(|read| read.message_type.as_ref());
            let verb = twin.map(|twin| twin.map(MessageType::verb));
            assert!(verb == Ok(Some(decoded.verb)), "prost reads the same verb");
            (decoded.verb.word(), decoded.request_id, None)
        }
        Err(refused) => (&*refused.word, refused.request_id, Some(&refused.fault)),
    };
    let mut json = Vec::new();
    match fault {
        Some(fault) => {
            assert!(fault.code.is_bad_request(), "{fault:?}");
            json::reply_error(&mut json, word, request_id.map(|id| id.as_json()), fault, true);
        }
        None => json::reply_raw(&mut json, word, request_id.map(|id| id.as_json()), "{}"),
    }
    let reply = match told(&json, translate) {
        Some(Said::Reply(reply)) => reply,
        other => unreachable!("a reply is a reply: {other:?}"),
    };
    assert_eq!(reply.r#type, word);
    assert_eq!(reply.code, fault.map_or("", |fault| fault.code.word()));
    assert_eq!(reply.message, fault.map_or("", |fault| &*fault.message));
    if asked.is_ok() {
        assert!(read.is_ok_and(|read| echoed(&read) == reply.request_id), "the id is echoed");
    }
    let asked = MessageType::Publish(Publish { payload: data.to_vec(), ..Publish::default() });
    let Ok(Request::Publish(publish)) = Request::from_wire(&asked, json::check) else { return };
    json.clear();
    let event = json::Event { word: "publication", ..json::Event::default() };
    json::event_payload(&mut json, &event, &publish.payload);
    let Some(Said::Event(event)) = told(&json, translate) else {
        unreachable!("an event is an event");
    };
    // What JSON holds between and around its tokens may go (SPEC §2).
    if json::check(data).is_none() {
        assert_eq!(event.payload, data, "a payload comes out as it went in");
    } else if !has_control(data) {
        assert_eq!(event.payload.trim_ascii(), data.trim_ascii(), "and so does one of JSON");
    }
}

/// The `request_id` that a reply echoes: that of the request itself when it has one and it is set.
fn echoed(message: &ClientMessage) -> String {
    let encoded = message.encode_to_vec();
    let of_request = message.message_type.as_ref().and_then(|asked| {
        let asked = asked.verb();
        let own = asked.parameters().iter().find(|own| own.kind() == Kind::RequestId)?;
        let request = Fields(&encoded).last(asked.tag())?;
        let id = str::from_utf8(Fields(request.bytes).last(own.tag)?.bytes).ok()?;
        (!id.is_empty()).then(|| id.to_owned())
    });
    of_request.unwrap_or_else(|| message.request_id.clone())
}

fn told(json: &[u8], translate: Translate) -> Option<Said> {
    let mut out = Vec::new();
    assert!(translate(str::from_utf8(json).ok()?, &mut out), "our own JSON is translated");
    ServerMessage::decode(&out[..]).ok()?.message_type
}

/// How the law reads JSON: a request, or the field that is wrong.
type Read = for<'a> fn(&'a str) -> Result<Request<'a>, Option<Cow<'static, str>>>;

fn law(data: &[u8], read: Read) {
    let Ok(message) = ClientMessage::decode(data) else { return };
    let encoded = message.encode_to_vec();
    assert_eq!(encoded.len(), message.encoded_len());
    assert!(encoded.len() <= data.len(), "more was read than sent");
    let again = ClientMessage::decode(&encoded[..]);
    assert!(again.as_ref() == Ok(&message), "what is encoded comes back");
    let Some(asked) = &message.message_type else { return };
    let verb = asked.verb();
    let ours = Request::from_wire(asked, json::check).map_err(|fault| fault.field);
    assert!(ours.as_ref().map_or(verb, Request::verb) == verb, "a message is of its verb");
    let fields = Fields(&encoded).last(verb.tag()).map(|value| value.bytes).unwrap_or_default();
    if let Some(text) = object(verb, Fields(fields)) {
        assert_eq!(ours, read(&text), "in JSON it is otherwise: {text}");
    }
}

/// The fields of an encoded message.
#[derive(Clone, Copy)]
struct Fields<'a>(&'a [u8]);

/// The value of a field: a number, or what is delimited by its length.
#[derive(Clone, Copy, Default)]
struct Value<'a> {
    number: u64,
    bytes: &'a [u8],
}

impl<'a> Fields<'a> {
    /// All values of field `tag`, in order.
    fn all(self, tag: u32) -> Vec<Value<'a>> {
        let (mut rest, mut found) = (self.0, Vec::new());
        while let Some((key, after)) = varint(rest) {
            let Some((number, after)) = varint(after) else { break };
            let mut value = Value { number, bytes: &[] };
            rest = after;
            if key & 7 == 2 {
                let length = usize::try_from(number).unwrap_or(usize::MAX);
                let Some((bytes, after)) = after.split_at_checked(length) else { break };
                (value.bytes, rest) = (bytes, after);
            }
            if key >> 3 == u64::from(tag) {
                found.push(value);
            }
        }
        found
    }

    fn last(self, tag: u32) -> Option<Value<'a>> {
        self.all(tag).pop()
    }

    fn text(self, tag: u32) -> Option<String> {
        self.last(tag).map(quoted)
    }
}

/// Seven bits an octet, the lowest first.
fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let length = bytes.iter().position(|byte| byte & 0x80 == 0)?.saturating_add(1);
    let (digits, rest) = bytes.split_at_checked(length)?;
    let number = digits
        .iter()
        .rev()
        .try_fold(0_u64, |sum, digit| sum.checked_mul(128)?.checked_add(u64::from(digit & 0x7f)));
    Some((number?, rest))
}

fn quoted(value: Value<'_>) -> String {
    let text = str::from_utf8(value.bytes).unwrap_or_default();
    serde_json::Value::from(text).to_string()
}

/// The same request as a JSON object; none when a part of it is no JSON.
fn object(verb: Verb, fields: Fields<'_>) -> Option<String> {
    let mut text = format!("{{\"type\":\"{}\"", verb.word());
    for parameter in verb.parameters() {
        if let Some(value) = value(parameter, fields)? {
            text.push_str(&format!(",\"{}\":{value}", parameter.name));
        }
    }
    text.push('}');
    Some(text)
}

/// The value of a parameter in JSON, if it is there; the outer none when JSON cannot say it.
#[expect(clippy::option_option, reason = "not to be said, not there, there")]
fn value(parameter: &Parameter, fields: Fields<'_>) -> Option<Option<String>> {
    let values = fields.all(parameter.tag);
    if parameter.presence() == Presence::Repeated {
        let texts: Vec<_> = values.into_iter().map(quoted).collect();
        return Some(Some(format!("[{}]", texts.join(","))));
    }
    // proto3 leaves out what is as it would be without it.
    let given = values.last().copied();
    // What is the envelope's is none of the request's.
    if parameter.kind() == Kind::RequestId {
        return Some(None);
    }
    let Some(value) = given.or((parameter.presence() == Presence::Required).then(Value::default))
    else {
        return Some(None);
    };
    let inner = Fields(value.bytes);
    Some(Some(match parameter.kind() {
        Kind::Text | Kind::Visibility | Kind::RequestId => quoted(value),
        Kind::Integer => value.number.to_string(),
        Kind::Boolean => (value.number != 0).to_string(),
        Kind::Json if value.bytes.is_empty() && parameter.presence() == Presence::Implicit => {
            return Some(None);
        }
        Kind::Json | Kind::Payload => json::check(value.bytes)?.to_owned(),
        Kind::ClientInfo => {
            let names = ["client_id", "version", "platform"];
            let parts = (1..)
                .zip(names)
                .filter_map(|(tag, name)| inner.text(tag).map(|text| format!("\"{name}\":{text}")));
            format!("{{{}}}", parts.collect::<Vec<_>>().join(","))
        }
        Kind::Position => {
            let offset = inner.last(1).unwrap_or_default().number;
            let epoch = inner.text(2).unwrap_or_else(|| "\"\"".to_owned());
            format!("{{\"offset\":{offset},\"epoch\":{epoch}}}")
        }
    }))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::message::client::wire::{Position, Subscribe};

    fn publish() -> Vec<u8> {
        let publish = Publish {
            channel: "public:é\"".to_owned(),
            payload: b"{\"a\": [1]}".to_vec(),
            echo: Some(false),
            ..Publish::default()
        };
        let message_type = Some(MessageType::Publish(publish));
        ClientMessage { message_type, request_id: "r".to_owned() }.encode_to_vec()
    }

    proptest! {
        #[test]
        fn any_bytes_obey(data in prop::collection::vec(any::<u8>(), 0..64)) {
            protobuf_message(&data);
        }

        #[test]
        fn a_message_with_some_bytes_changed_obeys(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
            length in any::<prop::sample::Index>(),
        ) {
            let mut data = publish();
            for (at, byte) in changes {
                let at = at.index(data.len());
                data[at] = byte;
            }
            protobuf_message(&data);
            protobuf_message(&data[..length.index(data.len())]);
        }
    }

    #[test]
    fn the_json_of_a_message_is_what_it_says() {
        let data = publish();
        protobuf_message(&data);
        let fields = Fields(Fields(&data).last(Verb::Publish.tag()).unwrap().bytes);
        let expected =
            r#"{"type":"publish","channel":"public:é\"","payload":{"a": [1]},"echo":false}"#;
        assert_eq!(object(Verb::Publish, fields).as_deref(), Some(expected));
    }

    #[test]
    fn a_number_that_json_has_not_is_refused_in_both() {
        let since = Some(Position { offset: 1 << 60, epoch: String::new() });
        let subscribe = Subscribe { channel: "a".to_owned(), since, presence: None };
        let message_type = Some(MessageType::Subscribe(subscribe));
        protobuf_message(
            &ClientMessage { message_type, request_id: String::new() }.encode_to_vec(),
        );
    }

    #[test]
    #[should_panic(expected = "and so does one of JSON")]
    fn a_translation_that_cannot_tell_bytes_from_json_breaks_the_law() {
        both_ways(br#"{"b64":"aGk="}"#, |text, out| {
            protobuf::translate(&text.replace("{ ", "{"), out)
        });
    }

    #[test]
    #[should_panic(expected = "in JSON it is otherwise")]
    fn a_codec_that_refuses_more_breaks_the_law() {
        law(&publish(), |_| Err(Some("channel".into())));
    }

    #[test]
    #[should_panic(expected = "in JSON it is otherwise")]
    fn a_codec_that_reads_otherwise_breaks_the_law() {
        law(&publish(), |_| {
            Request::from_json(Verb::Publish, Verb::Publish.example()).map_err(|fault| fault.field)
        });
    }
}
