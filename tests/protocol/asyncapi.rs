//! `docs/asyncapi.yaml`: the catalogue as AsyncAPI 3, for tools.

use serde_json::{Map, Value, json};
use stentor::message::client::{Kind, Parameter, Presence, Verb};
use stentor::message::fault::Code;
use stentor::message::told::{EVENTS, SHAPES};

use crate::shape::{Member, Shape, members, read};
use crate::yaml;

const INTEGER_MAX: u64 = (1 << 53) - 1;

pub(crate) fn write() -> String {
    let (mut messages, mut operations) = (Map::new(), Map::new());
    for verb in Verb::ALL {
        let word = verb.word();
        messages.insert(word.to_owned(), request(*verb));
        messages.insert(format!("{word}.reply"), reply(*verb));
        let operation = json!({
            "action": "receive",
            "channel": {"$ref": "#/channels/socket"},
            "summary": verb.about(),
            "messages": [reference(word)],
            "reply": {
                "channel": {"$ref": "#/channels/socket"},
                "messages": [reference(&format!("{word}.reply")), reference("error")],
            },
        });
        operations.insert(format!("ask_{word}"), operation);
    }
    messages.insert("error".to_owned(), error());
    for row in EVENTS {
        let name = format!("event.{}", row.word.replace(':', "_"));
        let payload = object(&[
            ("type", json!({"const": row.word})),
            ("timestamp", json!({"type": "string", "format": "date-time"})),
            ("payload", schema(&read(row.payload))),
        ]);
        messages.insert(name.clone(), json!({"summary": row.about, "payload": payload}));
        let operation = json!({
            "action": "send",
            "channel": {"$ref": "#/channels/socket"},
            "summary": row.about,
            "messages": [reference(&name)],
        });
        operations.insert(format!("tell_{}", row.word.replace(':', "_")), operation);
    }
    let listed = messages.keys().map(|name| (name.clone(), component("messages", name))).collect();
    let document = json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Stentor",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Generated from the catalogue of verbs; docs/protocol.md says the same for people.",
            "license": {"name": "MIT"},
        },
        "defaultContentType": "application/json",
        "servers": {"local": {"host": "127.0.0.1:5000", "protocol": "ws", "pathname": "/ws"}},
        "channels": {"socket": {
            "address": "/ws",
            "description": "One object in a message; on TCP, one in a line.",
            "messages": Value::Object(listed),
        }},
        "operations": operations,
        "components": {"messages": messages, "schemas": schemas()},
    });
    let head = "# Generated: STENTOR_WRITE_DOCS=1 cargo test --test protocol\n";
    format!("{head}{}", yaml::document(&document))
}

fn component(kind: &str, name: &str) -> Value {
    json!({"$ref": format!("#/components/{kind}/{name}")})
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/channels/socket/messages/{name}")})
}

/// An object all of whose members must be there.
fn object(members: &[(&str, Value)]) -> Value {
    let properties: Map<_, _> =
        members.iter().map(|(name, schema)| ((*name).to_owned(), schema.clone())).collect();
    let required: Vec<_> = members.iter().map(|(name, _)| *name).collect();
    json!({"type": "object", "required": required, "properties": properties})
}

fn request_id() -> Value {
    json!({"oneOf": [{"type": "string", "maxLength": 128}, {"type": "integer"}]})
}

fn request(verb: Verb) -> Value {
    let mut payload = object(&[("type", json!({"const": verb.word()}))]);
    payload["properties"]["request_id"] = request_id();
    for parameter in verb.parameters() {
        if parameter.name == "request_id" {
            continue;
        }
        let mut schema = of_parameter(parameter);
        schema["description"] = json!(parameter.about);
        payload["properties"][parameter.name] = schema;
        if let (false, Some(required)) = (parameter.optional(), payload["required"].as_array_mut())
        {
            required.push(json!(parameter.name));
        }
    }
    let example: Value = serde_json::from_str(verb.example()).expect("an example is JSON");
    json!({"summary": verb.about(), "payload": payload, "examples": [{"payload": example}]})
}

fn of_parameter(parameter: &Parameter) -> Value {
    let one = match parameter.kind() {
        Kind::Text => json!({"type": "string"}),
        Kind::Integer => json!({"type": "integer", "minimum": 0, "maximum": INTEGER_MAX}),
        Kind::Boolean => json!({"type": "boolean"}),
        Kind::Visibility => json!({"enum": ["public", "private"]}),
        Kind::ClientInfo => {
            let text = json!({"type": "string", "maxLength": 128});
            let parts = ["client_id", "version", "platform"];
            let properties: Map<_, _> =
                parts.into_iter().map(|part| (part.to_owned(), text.clone())).collect();
            json!({"type": "object", "properties": properties})
        }
        Kind::Position => object(&[
            ("offset", json!({"type": "integer", "minimum": 0, "maximum": INTEGER_MAX})),
            ("epoch", json!({"type": "string"})),
        ]),
        _ => json!({}),
    };
    match parameter.presence() {
        Presence::Repeated => json!({"type": "array", "items": one}),
        _ => one,
    }
}

fn reply(verb: Verb) -> Value {
    let mut payload = object(&[
        ("type", json!({"const": verb.word()})),
        ("status", json!({"const": "ok"})),
        ("data", schema(&read(verb.data().unwrap_or("*")))),
    ]);
    payload["properties"]["request_id"] = request_id();
    json!({"summary": format!("The answer to {}.", verb.word()), "payload": payload})
}

fn error() -> Value {
    let codes: Vec<_> = Code::ALL.iter().map(|code| code.word()).collect();
    let mut payload = object(&[
        ("type", json!({"type": "string"})),
        ("status", json!({"const": "error"})),
        ("code", json!({"enum": codes})),
        ("message", json!({"type": "string"})),
        ("retryable", json!({"type": "boolean"})),
    ]);
    payload["properties"]["request_id"] = request_id();
    payload["properties"]["retry_after_ms"] = json!({"type": "integer", "minimum": 0});
    payload["properties"]["field"] = json!({"type": "string"});
    payload["properties"]["hint"] = json!({"type": "string"});
    json!({"summary": "Any request that is refused.", "payload": payload})
}

fn schemas() -> Value {
    let shape = |shape: &stentor::message::told::Shape| {
        let mut schema = of_members(&members(shape.name));
        schema["description"] = json!(shape.about);
        (shape.name.to_owned(), schema)
    };
    Value::Object(SHAPES.iter().map(shape).collect())
}

fn schema(shape: &Shape) -> Value {
    match shape {
        Shape::Anything => json!({}),
        Shape::Named(name) => component("schemas", name),
        Shape::List(element) => json!({"type": "array", "items": schema(element)}),
        Shape::Object(members) => of_members(members),
    }
}

fn of_members(members: &[Member]) -> Value {
    let named = members.iter().map(|member| (member.name.clone(), schema(&member.shape)));
    let properties: Map<_, _> = named.collect();
    let required: Vec<_> =
        members.iter().filter(|member| !member.optional).map(|member| &member.name).collect();
    let mut object = json!({"type": "object", "properties": properties});
    if !required.is_empty() {
        object["required"] = json!(required);
    }
    object
}

/// Every reference leads somewhere.
#[test]
fn references_are_not_broken() {
    let text = write();
    let references = text.lines().filter_map(|line| line.trim().strip_prefix("\"$ref\": "));
    let mut count = 0;
    for reference in references {
        let path = reference.trim_matches('"');
        let name = path.rsplit('/').next().unwrap_or_default();
        let defined =
            |line: &str| line.trim() == format!("{name}:") || line.trim() == format!("\"{name}\":");
        assert!(text.lines().any(defined), "{path} is not defined");
        count += 1;
    }
    assert!(count > Verb::ALL.len() * 4, "{count} references");
}
