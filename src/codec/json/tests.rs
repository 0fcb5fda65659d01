//! The strict pass, the faults and the envelopes, by tables and by random input.

mod envelopes;
mod random;

use super::*;
use crate::message::client::Verb;
use crate::message::fault::{Code, Fault};

fn fault(text: &str) -> Fault {
    decode(text).0.unwrap_err().fault
}

#[test]
fn what_is_not_strict_json_is_refused_wherever_it_stands() {
    const VALUES: &[(&str, &str)] = &[
        (r#"{"a":1,"a":2}"#, "duplicate key \"a\""),
        (r#"{"a":1,"\u0061":2}"#, "duplicate key \"a\""),
        (r#"[{"b":{"":1,"":2}}]"#, "duplicate key \"\""),
        (r#""\ud800""#, "lone surrogate"),
        (r#""\udc00""#, "lone surrogate"),
        (r#""\ud800\ud800""#, "lone surrogate"),
        (r#""\ud800\n""#, "lone surrogate"),
        (r#"{"\udfff":1}"#, "lone surrogate"),
        ("1e400", "number out of range"),
        ("-1E+309", "number out of range"),
        ("01", "expected a comma or \"}\""),
        ("+1", "expected a value"),
        ("1.", "expected a digit"),
        (".5", "expected a value"),
        ("1e", "expected a digit"),
        ("-", "expected a digit"),
        ("NaN", "expected a value"),
        ("nul", "expected a value"),
        ("[1,]", "expected a value"),
        ("[1 2]", "expected a comma or \"]\""),
        ("{\"a\":1,}", "expected a key in double quotes"),
        ("{\"a\" 1}", "expected a colon"),
        ("{a:1}", "expected a key in double quotes"),
        ("'a'", "expected a value"),
        ("\"a\u{1}b\"", "unescaped control character"),
        ("\"\n\"", "unescaped control character"),
        (r#""\x""#, "expected an escape"),
        (r#""\u12g4""#, "expected a hexadecimal digit"),
        ("\u{feff}1", "expected a value"),
        ("/**/1", "expected a value"),
    ];
    for (value, message) in VALUES {
        let text = format!(r#"{{"type":"publish","channel":"public:a","payload":{value}}}"#);
        let fault = fault(&text);
        assert_eq!(fault.code, Code::BadJson, "{text}");
        assert!(fault.message.contains(message), "{text}: {}", fault.message);
        assert_eq!(check(value.as_bytes()), None, "{value}");
        assert_eq!(decode(&text).1, "", "nothing follows what cannot be read");
    }
}

#[test]
fn what_is_strict_json_is_taken() {
    const VALUES: &[&str] = &[
        "0",
        "-0",
        "-0.0e-0",
        "1e308",
        "-1.5E+3",
        "1e-400",
        "true",
        "false",
        "null",
        "\"\"",
        "[]",
        "{}",
        "[ ]",
        "{ }",
        "[[],{}]",
        r#""\"\\\/\b\f\n\r\t\u0000""#,
        r#""\ud83d\ude00""#,
        r#"{"a":{"a":{"a":[]}},"b":{"a":1}}"#,
        "\"\u{7f}\u{2028}é😀\"",
        " \t\n\r1 ",
        "123456789012345678901234567890",
    ];
    for value in VALUES {
        let text = format!(r#"{{"type":"publish","channel":"public:a","payload":{value}}}"#);
        assert!(decode(&text).0.is_ok(), "{text}");
        assert_eq!(check(value.as_bytes()), Some(*value));
    }
    let digits = "9".repeat(308);
    assert!(
        check(digits.as_bytes()).is_some() && check(format!("{digits}99").as_bytes()).is_none()
    );
}

#[test]
fn depth_counts_the_message_as_one() {
    let nested = |depth: usize| {
        let (open, close) = ("[".repeat(depth), "]".repeat(depth));
        format!(r#"{{"type":"ping","x":{open}{close}}}"#)
    };
    assert!(scan(&nested(15)).0.is_ok());
    assert_eq!(fault(&nested(16)).message, "nested deeper than 16 at byte 35");
    assert_eq!(fault(&"[".repeat(100_000)).code, Code::BadJson);
    assert_eq!(fault(&r#"{"a":"#.repeat(100_000)).code, Code::BadJson);
    assert!(check("[".repeat(15).as_bytes()).is_none());
    assert!(check(format!("{}{}", "[".repeat(15), "]".repeat(15)).as_bytes()).is_some());
    assert!(check(format!("{}{}", "[".repeat(16), "]".repeat(16)).as_bytes()).is_none());
}

#[test]
fn many_keys_are_compared_too() {
    for count in [15, 16, 17, 31, 32, 33, 34, 10_000] {
        let keys: Vec<_> = (0..count).map(|n| format!("\"k{n}\":{{\"k\":1}}")).collect();
        let unique = format!("{{\"type\":\"ping\",{}}}", keys.join(","));
        assert!(decode(&unique).0.is_ok(), "{count}");
        let twice = format!("{{\"type\":\"ping\",{},\"k{}\":0}}", keys.join(","), count / 2);
        let message = fault(&twice).message;
        let at = twice.rfind("\"k").unwrap() + 2;
        assert_eq!(message, format!("duplicate key \"k{}\" at byte {at}", count / 2));
    }
}

#[test]
fn faults_of_the_head() {
    type Case<'a> = (&'a str, Code, Option<&'a str>, &'a str, Option<&'a str>);
    const CASES: &[Case<'_>] = &[
        ("", Code::BadJson, None, "error", None),
        ("  \n", Code::BadJson, None, "error", None),
        ("hello", Code::BadJson, None, "error", None),
        ("[]", Code::BadJson, None, "error", None),
        ("\"ping\"", Code::BadJson, None, "error", None),
        ("{", Code::BadJson, None, "error", None),
        (r#"{"type":"ping","request_id":7,"x":01}"#, Code::BadJson, None, "error", Some("7")),
        (r#"{"type":"ping","request_id":1.5,"x":01}"#, Code::BadJson, None, "error", None),
        ("{}", Code::BadRequest, Some("type"), "error", None),
        (r#"{"request_id":"a"}"#, Code::BadRequest, Some("type"), "error", Some("\"a\"")),
        (r#"{"type":1,"request_id":-5}"#, Code::BadRequest, Some("type"), "error", Some("-5")),
        (r#"{"type":null}"#, Code::BadRequest, Some("type"), "error", None),
        (r#"{"type":["ping"]}"#, Code::BadRequest, Some("type"), "error", None),
        (r#"{"type":"ping","request_id":1.0}"#, Code::BadRequest, Some("request_id"), "ping", None),
        (r#"{"type":"ping","request_id":1e2}"#, Code::BadRequest, Some("request_id"), "ping", None),
        (r#"{"type":"ping","request_id":{}}"#, Code::BadRequest, Some("request_id"), "ping", None),
        (
            r#"{"type":"ping","request_id":true}"#,
            Code::BadRequest,
            Some("request_id"),
            "ping",
            None,
        ),
        (r#"{"type":"Ping","request_id":1}"#, Code::UnknownType, None, "Ping", Some("1")),
        (r#"{"type":"","request_id":1}"#, Code::UnknownType, None, "", Some("1")),
    ];
    for (text, code, field, word, request_id) in CASES {
        let refused = decode(text).0.unwrap_err();
        assert_eq!(refused.fault.code, *code, "{text}");
        assert_eq!(refused.fault.field.as_deref(), *field, "{text}");
        assert_eq!(refused.word, *word, "{text}");
        assert_eq!(refused.request_id.map(|id| id.as_json()), *request_id, "{text}");
    }
    let long = "x".repeat(65);
    let refused = decode(&format!(r#"{{"type":"{long}"}}"#)).0.unwrap_err().fault.message;
    assert_eq!(refused, format!("unknown type \"{}…\"", "x".repeat(64)));
}

#[test]
fn a_request_id_is_echoed_as_it_came() {
    let most = format!("\"{}\"", "é".repeat(64));
    let escaped = format!("\"{}\"", r"\u00e9".repeat(64));
    for id in ["0", "-7", "9007199254740993", "\"\"", r#""\u0041\n""#, &most, &escaped] {
        let text = format!(r#" {{ "type" : "ping" , "request_id" : {id} }} "#);
        let decoded = decode(&text).0.unwrap();
        assert_eq!(decoded.request_id.unwrap().as_json(), id);
    }
    assert_eq!(decode(r#"{"type":"ping","request_id":null}"#).0.unwrap().request_id, None);
    for id in [format!("\"{}\"", "x".repeat(129)), "1".repeat(129)] {
        let text = format!(r#"{{"type":"ping","request_id":{id}}}"#);
        assert_eq!(fault(&text).field.as_deref(), Some("request_id"));
    }
}

#[test]
fn several_objects_follow_one_another() {
    let text =
        "\n{\"type\":\"ping\"}\r\n {\"type\" : \"he\\u006cp\"}{\"x\":1} {\"type\":\"whoami\"} \n";
    let (first, rest) = decode(text);
    assert_eq!(first.unwrap().verb, Verb::Ping);
    let (second, rest) = decode(rest);
    assert_eq!(second.unwrap().verb, Verb::Help);
    let (third, rest) = decode(rest);
    assert_eq!(third.unwrap_err().fault.field.as_deref(), Some("type"));
    let (fourth, rest) = decode(rest);
    assert_eq!((fourth.unwrap().verb, rest), (Verb::Whoami, ""));
}

#[test]
fn people_are_told_what_to_type() {
    const CASES: &[(&str, &str, Option<&str>)] = &[
        (
            "hello",
            "expected a JSON object at byte 1, found \"h\"",
            Some(r#"each line must hold one whole JSON object, like {"type":"help"}"#),
        ),
        (
            r#"{"type":"ping""#,
            "the JSON ends at byte 15, expected a comma or \"}\"",
            Some(r#"each line must hold one whole JSON object, like {"type":"help"}"#),
        ),
        (
            "{'type':'ping'}",
            "expected a key in double quotes at byte 2, found \"'\"",
            Some("strings and keys are in double quotes"),
        ),
        (r#"{"type":"mesage"}"#, "unknown type \"mesage\"", Some("did you mean \"message\"?")),
        (
            r#"{"type":"a\u001bb\u0007"}"#,
            "unknown type \"a\\u{1b}b\\u{7}\"",
            Some(r#"{"type":"help"} lists all types"#),
        ),
        (
            r#"{"type":"message","to":"bia"}"#,
            "\"content\" is required",
            Some(r#"{"type":"message","to":"bia","content":"hello"}"#),
        ),
    ];
    for (text, message, hint) in CASES {
        let fault = fault(text);
        assert_eq!((fault.message.as_ref(), fault.hint.as_deref()), (*message, *hint));
    }
}
