//! The catalogue tested as a whole: every row by its own example, and what each refuses.

use std::collections::HashSet;

use super::*;
use crate::message::fault::Code;

#[test]
fn every_example_is_a_request_of_its_verb() {
    for verb in Verb::ALL {
        let request = Request::from_json(*verb, verb.example()).unwrap();
        assert_eq!(request.verb(), *verb);
    }
}

#[test]
fn words_and_numbers_are_unique() {
    let mut words = HashSet::new();
    let mut tags = HashSet::new();
    for (place, verb) in Verb::ALL.iter().enumerate() {
        assert_eq!(verb.index(), place);
        assert_eq!(Verb::parse(verb.word()), Some(*verb));
        assert!(words.insert(verb.word()) && tags.insert(verb.tag()), "{}", verb.word());
        assert!(!verb.about().is_empty() && verb.about().len() < 80, "{}", verb.about());
    }
    assert_eq!(Verb::parse("Ping"), None);
}

/// A verb, what it is asked, the field that is named, and in which words.
const WRONG: &[(Verb, &str, &str, &str)] = &[
    (Verb::Message, r#"{"to":"bia"}"#, "content", "\"content\" is required"),
    (Verb::Message, r#"{"content":null}"#, "content", "\"content\" is required"),
    (Verb::Message, r#"{"content":7}"#, "content", "\"content\" must be a string"),
    (Verb::Message, r#"{"content":"","to":[]}"#, "to", "\"to\" must be a string"),
    (Verb::GetMessages, r#"{"chat_id":"c","limit":"9"}"#, "limit", "\"limit\" must be an integer"),
    (Verb::GetMessages, r#"{"chat_id":"c","limit":1.5}"#, "limit", "\"limit\" must be an integer"),
    (
        Verb::GetMessages,
        r#"{"chat_id":"c","limit":-1}"#,
        "limit",
        "\"limit\" must be an integer from 0 to 9007199254740991",
    ),
    (
        Verb::MarkRead,
        r#"{"chat_id":"c","seq":9007199254740992}"#,
        "seq",
        "\"seq\" must be an integer from 0 to 9007199254740991",
    ),
    (
        Verb::CreateGroup,
        r#"{"group_name":"g","member_ids":["a",1]}"#,
        "member_ids",
        "\"member_ids\" must be a list of strings",
    ),
    (Verb::CreateGroup, r#"{"group_name":"g"}"#, "member_ids", "\"member_ids\" is required"),
    (
        Verb::CreateRoom,
        r#"{"name":"g","visibility":"open"}"#,
        "visibility",
        "\"visibility\" must be \"public\" or \"private\"",
    ),
    (Verb::Typing, r#"{"chat_id":"c","active":1}"#, "active", "\"active\" must be true or false"),
    (Verb::Publish, r#"{"channel":"c"}"#, "payload", "\"payload\" is required"),
    (
        Verb::Auth,
        r#"{"token":"t","client_info":[]}"#,
        "client_info",
        "\"client_info\" must be an object",
    ),
    (
        Verb::Auth,
        r#"{"token":"t","client_info":{"version":2}}"#,
        "client_info.version",
        "\"client_info.version\" must be a string",
    ),
    (
        Verb::Subscribe,
        r#"{"channel":"c","since":{"offset":1}}"#,
        "since.epoch",
        "\"since.epoch\" is required",
    ),
    (
        Verb::Subscribe,
        r#"{"channel":"c","since":{"offset":9007199254740992,"epoch":"e"}}"#,
        "since.offset",
        "\"since.offset\" must be an integer from 0 to 9007199254740991",
    ),
    (Verb::Subscribe, r#"{"channel":"c","since":[1,"e"]}"#, "since", "\"since\" must be an object"),
];

#[test]
fn the_field_that_is_wrong_is_named() {
    for (verb, text, field, message) in WRONG {
        let fault = Request::from_json(*verb, text).unwrap_err();
        assert_eq!(fault.code, Code::BadRequest);
        assert_eq!((fault.field.as_deref(), fault.message.as_ref()), (Some(*field), *message));
        assert_eq!(fault.hint.as_deref(), Some(verb.example()));
    }
}

/// Values of every JSON type, right and wrong ones for each kind.
const VALUES: &[&str] = &[
    "null",
    "true",
    "0",
    "-0",
    "-1",
    "1.0",
    "1e3",
    "9007199254740991",
    "9007199254740992",
    "18446744073709551616",
    "\"\"",
    "\"public\"",
    "\"\\u0061\"",
    "[]",
    "[\"a\"]",
    "[1]",
    "[null]",
    "{}",
    "{\"offset\":1,\"epoch\":\"e\"}",
    "{\"offset\":-1,\"epoch\":\"e\"}",
    "{\"version\":null}",
    "{\"version\":{}}",
];

#[test]
fn whatever_serde_refuses_the_second_look_names() {
    for verb in Verb::ALL {
        let example: serde_json::Value = serde_json::from_str(verb.example()).unwrap();
        for parameter in verb.parameters() {
            for value in VALUES {
                let mut changed = example.clone();
                changed[parameter.name] = serde_json::Value::Null;
                let text = changed.to_string().replace(
                    &format!("\"{}\":null", parameter.name),
                    &format!("\"{}\":{value}", parameter.name),
                );
                let Err(fault) = Request::from_json(*verb, &text) else { continue };
                let field = fault.field.unwrap();
                assert_eq!(field.split('.').next(), Some(parameter.name), "{text}");
            }
            let mut without = example.clone();
            without.as_object_mut().unwrap().remove(parameter.name);
            let taken = Request::from_json(*verb, &without.to_string()).is_ok();
            assert_eq!(taken, parameter.optional(), "{} {}", verb.word(), parameter.name);
        }
    }
}

#[test]
fn null_is_absent_and_unknown_fields_are_ignored() {
    let text = r#"{"type":"login","username":"b\u0069a","password":"p","client_info":null,"acks":null,"resume":null,"x":{"y":[1]}}"#;
    let Request::Login(login) = Request::from_json(Verb::Login, text).unwrap() else { panic!() };
    assert_eq!(login.username.as_str(), "bia");
    assert_eq!(login.password.expose(), "p");
    assert_eq!((login.client_info, login.acks, login.resume), (None, None, None));
}

#[test]
fn no_log_shows_a_secret() {
    for verb in [Verb::Register, Verb::Login, Verb::Auth, Verb::Refresh, Verb::ChangePassword] {
        let shown = format!("{:?}", Request::from_json(verb, verb.example()).unwrap());
        assert!(shown.contains("(secret)"), "{shown}");
        assert!(!shown.contains("password\"") && !shown.contains("eyJ"), "{shown}");
    }
    let twin =
        wire::Login { username: "bia".into(), password: "hunter2".into(), ..Default::default() };
    let message = wire::ClientMessage {
        message_type: Some(wire::MessageType::Login(twin)),
        request_id: String::new(),
    };
    assert!(!format!("{message:?}").contains("hunter2"));
}
