//! `proto/` and the catalogue say the same (SPEC §8): names, numbers, types and presence of every row.
//!
//! Law: what a client encodes by the published schema is, parameter by parameter, what the same request
//! is in JSON. A failure says which line to add or change.

use prost::Message as _;
use protox::prost_reflect::{
    Cardinality, DescriptorPool, DynamicMessage, FieldDescriptor, Kind as Type, MessageDescriptor,
    Value,
};
use stentor::codec::json::check;
use stentor::message::client::{Kind, Parameter, Presence, Request, Verb, wire};

fn pool() -> DescriptorPool {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/proto");
    let files = protox::compile(["stentor/v1/stentor.proto"], [root]).expect("proto/ compiles");
    DescriptorPool::from_file_descriptor_set(files).expect("proto/ is complete")
}

fn client_message() -> MessageDescriptor {
    pool().get_message_by_name("stentor.v1.ClientMessage").expect("message ClientMessage")
}

/// The type of a parameter as the schema writes it.
fn declared(parameter: &Parameter) -> String {
    let name = match parameter.kind() {
        Kind::Text | Kind::Visibility | Kind::RequestId => "string",
        Kind::Integer => "uint64",
        Kind::Boolean => "bool",
        Kind::Json | Kind::Payload => "bytes",
        Kind::ClientInfo => "ClientInfo",
        Kind::Position => "Position",
    };
    let presence = match parameter.presence() {
        Presence::Required | Presence::Implicit => "",
        Presence::Optional => "optional ",
        Presence::Repeated | Presence::Listed => "repeated ",
    };
    format!("{presence}{name} {} = {};", parameter.name, parameter.tag)
}

/// A field of the schema, as it is written there.
fn written(field: &FieldDescriptor) -> String {
    let name = match field.kind() {
        Type::String => "string".to_owned(),
        Type::Uint64 => "uint64".to_owned(),
        Type::Bool => "bool".to_owned(),
        Type::Bytes => "bytes".to_owned(),
        Type::Message(message) => message.name().to_owned(),
        other => format!("{other:?}"),
    };
    let optional = field.field_descriptor_proto().proto3_optional();
    let presence = match field.cardinality() {
        Cardinality::Repeated => "repeated ",
        _ if optional => "optional ",
        _ => "",
    };
    format!("{presence}{name} {} = {};", field.name(), field.number())
}

#[test]
fn every_verb_is_in_the_oneof_and_nothing_else() {
    let oneof = client_message()
        .oneofs()
        .find(|oneof| oneof.name() == "message_type")
        .expect("oneof message_type");
    let lines: Vec<_> = oneof.fields().map(|field| written(&field)).collect();
    let rows: Vec<_> = Verb::ALL.iter().map(|verb| row(*verb)).collect();
    for line in &rows {
        assert!(lines.contains(line), "proto/: add to oneof message_type: {line}");
    }
    for line in &lines {
        assert!(rows.contains(line), "rows/ has no row for this line of proto/: {line}");
    }
}

/// The line of a verb in the oneof.
fn row(verb: Verb) -> String {
    let camel: String = verb
        .word()
        .split('_')
        .map(|part| format!("{}{}", part[..1].to_uppercase(), &part[1..]))
        .collect();
    format!("{camel} {} = {};", verb.word(), verb.tag())
}

#[test]
fn every_parameter_is_in_the_schema_and_nothing_else() {
    for (verb, message) in messages() {
        let lines: Vec<_> = message.fields().map(|field| written(&field)).collect();
        let rows: Vec<_> = verb.parameters().iter().map(declared).collect();
        for line in &rows {
            assert!(lines.contains(line), "proto/: add to message {}: {line}", message.name());
        }
        for line in &lines {
            assert!(rows.contains(line), "rows/, {}: no parameter for {line}", verb.word());
        }
    }
}

#[test]
fn numbers_are_where_the_readme_says() {
    for verb in Verb::ALL {
        let tag = verb.tag();
        assert!(
            (1..=4).contains(&tag) || (10..100).contains(&tag) || tag > 100,
            "{}: {tag}",
            verb.word()
        );
        for (place, parameter) in verb.parameters().iter().enumerate() {
            assert_eq!(parameter.tag as usize, place + 1, "{}.{}", verb.word(), parameter.name);
        }
    }
    let request_id = client_message().get_field_by_name("request_id").expect("request_id");
    assert_eq!(written(&request_id), "string request_id = 100;");
}

#[test]
fn the_server_side_is_that_of_spec() {
    const MESSAGES: &[(&str, &[&str])] = &[
        ("ServerMessage", &["Hello hello = 1;", "Reply reply = 2;", "Event event = 3;"]),
        ("Hello", &["bytes payload = 1;"]),
        (
            "Reply",
            &[
                "string type = 1;",
                "string status = 2;",
                "string request_id = 3;",
                "bytes data = 4;",
                "string code = 5;",
                "string message = 6;",
                "bool retryable = 7;",
                "uint64 retry_after_ms = 8;",
                "string field = 9;",
                // Not in SPEC: what JSON has beside `data`.
                "bool cached = 10;",
            ],
        ),
        (
            "Event",
            &[
                "string type = 1;",
                "string channel = 2;",
                "uint64 offset = 3;",
                "string epoch = 4;",
                "string id = 5;",
                "Sender sender = 6;",
                "string timestamp = 7;",
                "bytes payload = 8;",
            ],
        ),
        ("Sender", &["string id = 1;", "string username = 2;"]),
        ("Heartbeat", &["uint64 client_time_ms = 1;"]),
        ("UiAction", &["string action_type = 1;", "string request_id = 2;", "bytes params = 3;"]),
        ("DataRequest", &["string resource = 1;", "string request_id = 2;", "bytes params = 3;"]),
    ];
    for (name, expected) in MESSAGES {
        let message = pool().get_message_by_name(&format!("stentor.v1.{name}")).expect(name);
        let lines: Vec<_> = message.fields().map(|field| written(&field)).collect();
        assert_eq!(lines, *expected, "message {name}");
    }
}

/// The schema's message of every verb.
fn messages() -> impl Iterator<Item = (Verb, MessageDescriptor)> {
    let client = client_message();
    Verb::ALL.iter().map(move |verb| {
        let field = client.get_field_by_name(verb.word()).map(|field| field.kind());
        let Some(Type::Message(message)) = field else { panic!("{}: no message", verb.word()) };
        (*verb, message)
    })
}

/// A value of a parameter as JSON, and as the schema has it.
fn sample(parameter: &Parameter, field: &FieldDescriptor) -> (serde_json::Value, Value) {
    let name = parameter.name;
    let nested = |parts: &[(&str, Value)]| {
        let Type::Message(descriptor) = field.kind() else { panic!("{name}: no message") };
        let mut message = DynamicMessage::new(descriptor);
        for (part, value) in parts {
            message.set_field_by_name(part, value.clone());
        }
        Value::Message(message)
    };
    match (parameter.kind(), parameter.presence()) {
        (Kind::Text, Presence::Repeated | Presence::Listed) => (
            serde_json::json!([name, "é"]),
            Value::List(vec![Value::String(name.into()), Value::String("é".into())]),
        ),
        (Kind::Text, _) => (name.into(), Value::String(name.into())),
        // The envelope's, so the same request whatever it is.
        (Kind::RequestId, _) => ("x".into(), Value::String("y".into())),
        (Kind::Integer, _) => (parameter.tag.into(), Value::U64(parameter.tag.into())),
        (Kind::Boolean, _) => (true.into(), Value::Bool(true)),
        (Kind::Json | Kind::Payload, _) => (
            serde_json::json!({name: [1, "x"]}),
            Value::Bytes(format!("{{\"{name}\":[1,\"x\"]}}").into()),
        ),
        (Kind::Visibility, _) => ("private".into(), Value::String("private".into())),
        (Kind::ClientInfo, _) => {
            let text = |text: &str| Value::String(text.to_owned());
            (
                serde_json::json!({"client_id": "c", "version": "v", "platform": "p"}),
                nested(&[
                    ("client_id", text("c")),
                    ("version", text("v")),
                    ("platform", text("p")),
                ]),
            )
        }
        (Kind::Position, _) => (
            serde_json::json!({"offset": 5, "epoch": "e"}),
            nested(&[("offset", Value::U64(5)), ("epoch", Value::String("e".into()))]),
        ),
    }
}

/// One request by the schema and in JSON: those parameters that `keep` lets through.
fn both(verb: Verb, message: &MessageDescriptor, keep: impl Fn(&Parameter) -> bool) {
    let mut json = serde_json::Map::new();
    let mut inner = DynamicMessage::new(message.clone());
    for parameter in verb.parameters().iter().filter(|parameter| keep(parameter)) {
        let field = message.get_field_by_name(parameter.name).expect(parameter.name);
        let (as_json, as_wire) = sample(parameter, &field);
        json.insert(parameter.name.to_owned(), as_json);
        inner.set_field(&field, as_wire);
    }
    let mut outer = DynamicMessage::new(client_message());
    outer.set_field_by_name(verb.word(), Value::Message(inner));
    outer.set_field_by_name("request_id", Value::String("r1".into()));

    let decoded = wire::ClientMessage::decode(outer.encode_to_vec().as_slice()).expect("decodes");
    assert_eq!(decoded.request_id, "r1");
    let twin = decoded.message_type.expect("the oneof is known");
    assert_eq!(twin.verb(), verb);
    let text = serde_json::Value::Object(json).to_string();
    let from_json = Request::from_json(verb, &text).expect("the JSON is right");
    let from_wire = Request::from_wire(&twin, check).expect("the message is right");
    assert_eq!(from_json, from_wire, "{}", verb.word());
}

#[test]
fn both_codecs_read_the_same_request() {
    for (verb, message) in messages() {
        both(verb, &message, |_| true);
        both(verb, &message, |parameter| !parameter.optional());
    }
}

#[test]
fn out_of_range_is_refused_by_name() {
    let seq = |seq| wire::MessageType::MarkRead(wire::MarkRead { chat_id: "c".into(), seq });
    assert!(Request::from_wire(&seq((1 << 53) - 1), check).is_ok());
    let fault = Request::from_wire(&seq(1 << 53), check).unwrap_err();
    assert_eq!(fault.field.as_deref(), Some("seq"));

    let room = |visibility: &str, metadata: &[u8]| {
        wire::MessageType::CreateRoom(wire::CreateRoom {
            name: "n".into(),
            visibility: visibility.into(),
            metadata: Some(metadata.to_vec()),
        })
    };
    assert!(Request::from_wire(&room("public", b"{}"), check).is_ok());
    let field = |message| Request::from_wire(&message, check).unwrap_err().field;
    assert_eq!(field(room("open", b"{}")).as_deref(), Some("visibility"));
    assert_eq!(field(room("public", b"{\"a\":1,\"a\":2}")).as_deref(), Some("metadata"));
    assert_eq!(field(room("public", b"")).as_deref(), Some("metadata"));
}
