//! A client of Protobuf: a request in JSON becomes a `ClientMessage`, a `ServerMessage` JSON.
//!
//! Written from the catalogue and the schema, not by the server's own writer, so that it is another
//! opinion on both. A payload `"0x…"` stands for those bytes, which JSON cannot say.

#![allow(dead_code, reason = "not everybody who includes this needs all of it")]

use prost::Message as _;
use serde_json::Value;
use stentor::codec::protobuf::wire::{Event, Reply, Said, ServerMessage};
use stentor::message::client::{Kind, Parameter, Verb};

/// The binary message of a request in JSON; none when the schema cannot say it.
pub(crate) fn asked(request: &str) -> Option<Vec<u8>> {
    let request: Value = serde_json::from_str(request).ok()?;
    let verb = Verb::parse(request["type"].as_str()?)?;
    let mut inner = Vec::new();
    for parameter in verb.parameters() {
        match &request[parameter.name] {
            Value::Null if parameter.kind() != Kind::Payload => {}
            // It is the one of the envelope, which has its own place.
            _ if parameter.kind() == Kind::RequestId => {}
            Value::Array(list) if parameter.kind() == Kind::Text => {
                list.iter().try_for_each(|value| field(&mut inner, parameter, value))?;
            }
            value => field(&mut inner, parameter, value)?,
        }
    }
    let mut message = Vec::new();
    bytes(&mut message, verb.tag(), &inner);
    match &request["request_id"] {
        Value::Null => {}
        Value::String(id) => bytes(&mut message, 100, id.as_bytes()),
        id => bytes(&mut message, 100, id.to_string().as_bytes()),
    }
    Some(message)
}

fn field(out: &mut Vec<u8>, parameter: &Parameter, value: &Value) -> Option<()> {
    let tag = parameter.tag;
    match parameter.kind() {
        Kind::Integer => number(out, tag, value.as_u64()?),
        Kind::Boolean => number(out, tag, u64::from(value.as_bool()?)),
        Kind::ClientInfo => {
            let parts = [(1, "client_id"), (2, "version"), (3, "platform")];
            let mut inner = Vec::new();
            for (tag, name) in parts {
                if let Some(text) = value[name].as_str() {
                    bytes(&mut inner, tag, text.as_bytes());
                }
            }
            bytes(out, tag, &inner);
        }
        Kind::Position => {
            let mut inner = Vec::new();
            number(&mut inner, 1, value["offset"].as_u64()?);
            bytes(&mut inner, 2, value["epoch"].as_str()?.as_bytes());
            bytes(out, tag, &inner);
        }
        Kind::Payload if value.as_str().is_some_and(|text| text.starts_with("0x")) => {
            let digits = value.as_str()?.strip_prefix("0x")?;
            let pairs = (0..digits.len()).step_by(2).map(|at| digits.get(at..at + 2));
            let octets = pairs.map(|pair| u8::from_str_radix(pair?, 16).ok());
            bytes(out, tag, &octets.collect::<Option<Vec<u8>>>()?);
        }
        Kind::Json | Kind::Payload => bytes(out, tag, value.to_string().as_bytes()),
        _ => bytes(out, tag, value.as_str()?.as_bytes()),
    }
    Some(())
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value > 0x7f {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn number(out: &mut Vec<u8>, tag: u32, value: u64) {
    varint(out, u64::from(tag) << 3);
    varint(out, value);
}

fn bytes(out: &mut Vec<u8>, tag: u32, value: &[u8]) {
    varint(out, u64::from(tag) << 3 | 2);
    varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

/// What a binary message of the server says, as the JSON that says the same; `Err` for anything else.
pub(crate) fn told(message: &[u8]) -> Result<String, String> {
    let said = ServerMessage::decode(message).map_err(|error| error.to_string())?;
    if said.encode_to_vec() != message {
        return Err("it is not written as others write it".to_owned());
    }
    match said.message_type {
        Some(Said::Hello(hello)) => {
            let payload = String::from_utf8(hello.payload).map_err(|error| error.to_string())?;
            Ok(format!(r#"{{"type":"hello","payload":{payload}}}"#))
        }
        Some(Said::Reply(reply)) => replied(reply),
        Some(Said::Event(event)) => Ok(happened(event)),
        None => Err("it says nothing".to_owned()),
    }
}

fn text(out: &mut String, name: &str, value: &str) {
    if !value.is_empty() {
        out.push_str(&format!(",\"{name}\":{}", Value::from(value)));
    }
}

fn replied(reply: Reply) -> Result<String, String> {
    let mut out = format!(
        r#"{{"type":{},"status":{}"#,
        Value::from(reply.r#type),
        Value::from(&*reply.status)
    );
    text(&mut out, "request_id", &reply.request_id);
    if reply.status == "ok" {
        let data = String::from_utf8(reply.data).map_err(|error| error.to_string())?;
        out.push_str(&format!(",\"data\":{data}"));
    } else {
        text(&mut out, "code", &reply.code);
        text(&mut out, "message", &reply.message);
        out.push_str(&format!(",\"retryable\":{}", reply.retryable));
        if reply.retry_after_ms > 0 {
            out.push_str(&format!(",\"retry_after_ms\":{}", reply.retry_after_ms));
        }
        text(&mut out, "field", &reply.field);
    }
    out.push('}');
    Ok(out)
}

fn happened(event: Event) -> String {
    let mut out = format!(r#"{{"type":{}"#, Value::from(event.r#type));
    text(&mut out, "channel", &event.channel);
    if event.offset > 0 {
        out.push_str(&format!(",\"offset\":{}", event.offset));
    }
    text(&mut out, "epoch", &event.epoch);
    text(&mut out, "id", &event.id);
    if let Some(sender) = event.sender {
        let (id, name) = (Value::from(sender.id), Value::from(sender.username));
        out.push_str(&format!(r#","sender":{{"id":{id},"username":{name}}}"#));
    }
    text(&mut out, "timestamp", &event.timestamp);
    let json = serde_json::from_slice::<&serde_json::value::RawValue>(&event.payload);
    match json {
        Ok(json) => out.push_str(&format!(",\"payload\":{json}")),
        Err(_) => {
            let digits: String = event.payload.iter().map(|byte| format!("{byte:02x}")).collect();
            out.push_str(&format!(",\"payload\":\"0x{digits}\""));
        }
    }
    out.push('}');
    out
}
