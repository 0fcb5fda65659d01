//! Each refusal of section 4.2.1 by one change to a good request.

use super::*;

const GOOD: &str = "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Origin: http://example.com\r\nSec-WebSocket-Protocol: chat, superchat\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

fn judge<T>(head: &str, then: impl FnOnce(Result<Upgrade<'_>, Refusal>) -> T) -> T {
    let mut headers = [httparse::EMPTY_HEADER; 100];
    let mut request = httparse::Request::new(&mut headers);
    assert!(request.parse(head.as_bytes()).unwrap().is_complete(), "{head}");
    then(validate(&request))
}

#[test]
fn one_change_one_refusal() {
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let host = "Host: server.example.com\r\n";
    let version = "Sec-WebSocket-Version: 13\r\n";
    let protocol = "chat, superchat";
    let rows: &[(&str, &str, Option<Refusal>)] = &[
        ("GET", "POST", Some(Refusal::Method)),
        ("GET", "get", Some(Refusal::Method)),
        ("HTTP/1.1", "HTTP/1.0", Some(Refusal::HttpVersion)),
        (host, "", Some(Refusal::Host)),
        (host, "Host: \r\n", Some(Refusal::Host)),
        (host, "Host: a\r\nhost: a\r\n", Some(Refusal::Host)),
        ("Upgrade: websocket\r\n", "", Some(Refusal::Upgrade)),
        ("Upgrade: websocket", "Upgrade: h2c", Some(Refusal::Upgrade)),
        ("Upgrade: websocket", "Upgrade: h2c, WebSocket", None),
        ("Connection: Upgrade\r\n", "", Some(Refusal::Upgrade)),
        ("Connection: Upgrade", "Connection: close", Some(Refusal::Upgrade)),
        ("Connection: Upgrade", "Connection: keep-alive, UPGRADE", None),
        ("Connection: Upgrade", "Connection: keep-alive\r\nConnection: upgrade", None),
        (version, "", Some(Refusal::Version)),
        ("Version: 13", "Version: 12", Some(Refusal::Version)),
        ("Version: 13", "Version: 13, 8", Some(Refusal::Version)),
        ("Version: 13", "Version: 013", Some(Refusal::Version)),
        (
            version,
            "Sec-WebSocket-Version: 13\r\nsec-websocket-version: 13\r\n",
            Some(Refusal::Version),
        ),
        (key, "", Some(Refusal::Key)),
        ("dGhlIHNhbXBsZSBub25jZQ==", "", Some(Refusal::Key)),
        ("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25j", Some(Refusal::Key)),
        ("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZWU=", Some(Refusal::Key)),
        ("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ", Some(Refusal::Key)),
        ("dGhlIHNhbXBsZSBub25jZQ==", "dGhl_HNhbXBsZSBub25jZQ==", Some(Refusal::Key)),
        ("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZR==", None),
        (
            key,
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
            Some(Refusal::Key),
        ),
        (protocol, "chat, super chat", Some(Refusal::Subprotocol)),
        (protocol, "chat;q=1", Some(Refusal::Subprotocol)),
        (protocol, "\u{e4}", Some(Refusal::Subprotocol)),
        (protocol, "", None),
        (version, "Sec-WebSocket-Version: 13\r\nContent-Length: 5\r\n", Some(Refusal::Body)),
        (version, "Sec-WebSocket-Version: 13\r\nContent-Length: 0\r\n", None),
        (
            version,
            "Sec-WebSocket-Version: 13\r\nTransfer-Encoding: chunked\r\n",
            Some(Refusal::Body),
        ),
        ("GET", "GET", None),
    ];
    for (from, to, expected) in rows {
        let head = GOOD.replacen(from, to, 1);
        judge(&head, |verdict| assert_eq!(verdict.err(), *expected, "{from:?} -> {to:?}"));
    }
}

#[test]
fn the_response_of_the_rfc() {
    let mut out = Vec::new();
    judge(GOOD, |upgrade| {
        let upgrade = upgrade.unwrap();
        assert_eq!(upgrade.subprotocols().collect::<Vec<_>>(), ["chat", "superchat"]);
        assert_eq!(upgrade.choose(&["superchat", "chat"]), Some("chat"));
        assert_eq!(upgrade.choose(&["Chat"]), None);
        response(&upgrade, upgrade.choose(&["chat"]), None, &mut out).unwrap();
        for (subprotocol, extension) in [(Some("other"), None), (None, Some("permessage-deflate"))]
        {
            let mut nothing = Vec::new();
            let refused = response(&upgrade, subprotocol, extension, &mut nothing);
            assert_eq!((refused, nothing.len()), (Err(NotOffered), 0));
        }
    });
    let expected = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat\r\n\r\n";
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}

#[test]
fn extensions_are_answered_only_when_offered() {
    let head = GOOD.replace("Origin: ", "Sec-WebSocket-Extensions: foo; a=1\r\nOrigin: ");
    judge(&head, |upgrade| {
        let upgrade = upgrade.unwrap();
        assert_eq!(upgrade.offers()[0].name, "foo");
        let mut out = Vec::new();
        assert_eq!(response(&upgrade, None, Some("foo\r\nX: y"), &mut out), Err(NotOffered));
        response(&upgrade, None, Some("foo; a=1"), &mut out).unwrap();
        assert!(out.ends_with(b"\r\nSec-WebSocket-Extensions: foo; a=1\r\n\r\n"));
    });
    let head = GOOD.replace("Origin: ", "Sec-WebSocket-Extensions: foo; a=\"1\r\nOrigin: ");
    judge(&head, |upgrade| assert_eq!(upgrade.unwrap().offers(), [], "malformed is declined"));
}

#[test]
fn long_lists_take_linear_time() {
    // Quadratic, half a mebibyte of white space would take minutes.
    let hostile = format!("b{}x", " ".repeat(1 << 19));
    judge(&GOOD.replace("chat, superchat", &hostile), |verdict| {
        assert_eq!(verdict.err(), Some(Refusal::Subprotocol));
    });
    let many = vec!["a"; 1 << 17].join(",");
    judge(&GOOD.replace("chat, superchat", &many), |upgrade| {
        assert_eq!(upgrade.unwrap().choose(&["chat"]), None);
    });
}

#[test]
fn a_refusal_is_a_whole_response() {
    for refusal in [
        Refusal::NotHttp,
        Refusal::Method,
        Refusal::HttpVersion,
        Refusal::Host,
        Refusal::Upgrade,
        Refusal::Version,
        Refusal::Key,
        Refusal::Subprotocol,
        Refusal::Body,
    ] {
        let mut out = Vec::new();
        refusal.write_into(&mut out);
        let mut headers = [httparse::EMPTY_HEADER; 16];
        let mut response = httparse::Response::new(&mut headers);
        let head = response.parse(&out).unwrap().unwrap();
        assert_eq!(response.code, Some(refusal.status()));
        let value = |name: &str| {
            let header = response.headers.iter().find(|header| header.name == name);
            header.map(|header| str::from_utf8(header.value).unwrap())
        };
        assert_eq!(value("Content-Length").unwrap(), (out.len() - head).to_string());
        assert_eq!(out[head..], *format!("{}\n", refusal.text()).as_bytes());
        assert_eq!(value("Allow").is_some(), refusal == Refusal::Method);
        assert_eq!(value("Sec-WebSocket-Version").is_some(), refusal == Refusal::Version);
        assert_eq!(value("Upgrade").is_some(), refusal.status() == 426);
        assert!(value("Connection").unwrap().starts_with("close"));
    }
}

#[test]
fn who_asks_for_an_upgrade() {
    let rows = [
        (GOOD.to_owned(), true),
        (GOOD.replace("GET", "POST"), true),
        (GOOD.replace("Upgrade: websocket", "Upgrade: h2c"), false),
        ("GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(), false),
    ];
    for (head, expected) in rows {
        let mut headers = [httparse::EMPTY_HEADER; 100];
        let mut request = httparse::Request::new(&mut headers);
        assert!(request.parse(head.as_bytes()).unwrap().is_complete());
        assert_eq!(is_upgrade(&request), expected, "{head}");
    }
}
