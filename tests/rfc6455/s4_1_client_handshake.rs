//! Section 4.1: what a client sends, and what it must fail on.

use stentor::protocol::websocket::handshake::client::{Agreed, Error, Handshake, Request};

const REQUEST: Request<'_> = Request {
    host: "example.com:8080",
    target: "/ws?x=1",
    origin: None,
    subprotocols: &["one", "two"],
    extensions: None,
    headers: &[],
};

/// The lines of the request for a nonce of `octet`s.
fn request(octet: u8) -> Vec<String> {
    let mut out = Vec::new();
    Handshake::start(&REQUEST, [octet; 16], &mut out).unwrap();
    String::from_utf8(out).unwrap().split("\r\n").map(str::to_owned).collect()
}

fn answer(lines: &[&str]) -> Result<Agreed, Error> {
    let mut handshake = Handshake::start(&REQUEST, *b"the sample nonce", &mut Vec::new()).unwrap();
    let head = format!("HTTP/1.1 101 x\r\n{}\r\n\r\n", lines.join("\r\n"));
    handshake.receive(head.as_bytes()).map(|agreed| agreed.unwrap().0)
}

const UPGRADE: &str = "Upgrade: websocket";
const CONNECTION: &str = "Connection: Upgrade";
const ACCEPT: &str = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

#[test]
fn s4_1_the_method_must_be_get_and_the_version_at_least_1_1() {
    assert_eq!(request(0)[0], "GET /ws?x=1 HTTP/1.1");
}

#[test]
fn s4_1_the_request_must_hold_host_upgrade_connection_key_version() {
    let lines = request(0);
    for line in [
        "Host: example.com:8080",
        UPGRADE,
        CONNECTION,
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        "Sec-WebSocket-Version: 13",
    ] {
        assert_eq!(lines.iter().filter(|&l| l == line).count(), 1, "{line}");
    }
}

#[test]
fn s4_1_the_nonce_must_be_selected_for_each_connection() {
    assert_ne!(request(1), request(2));
}

#[test]
fn s4_1_subprotocols_come_in_order_of_preference() {
    assert!(request(0).contains(&"Sec-WebSocket-Protocol: one, two".to_owned()));
}

#[test]
fn s4_1_a_good_response_opens() {
    let agreed = Agreed { subprotocol: None, extensions: None };
    assert_eq!(answer(&[UPGRADE, CONNECTION, ACCEPT]), Ok(agreed));
}

#[test]
fn s4_1_a_missing_upgrade_must_fail() {
    assert_eq!(answer(&[CONNECTION, ACCEPT]), Err(Error::Upgrade));
}

#[test]
fn s4_1_a_missing_connection_must_fail() {
    assert_eq!(answer(&[UPGRADE, ACCEPT]), Err(Error::Connection));
}

#[test]
fn s4_1_a_wrong_accept_must_fail() {
    let wrong = "Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    assert_eq!(answer(&[UPGRADE, CONNECTION, wrong]), Err(Error::Accept));
    assert_eq!(answer(&[UPGRADE, CONNECTION]), Err(Error::Accept));
}

#[test]
fn s4_1_the_accept_value_ignores_white_space_round_it() {
    let spaced = "Sec-WebSocket-Accept: \t s3pPLMBiTxaQ9kYGzzhZRbK+xOo= \t";
    assert!(answer(&[UPGRADE, CONNECTION, spaced]).is_ok());
}

#[test]
fn s4_1_an_extension_not_asked_for_must_fail() {
    let extension = "Sec-WebSocket-Extensions: permessage-deflate";
    assert_eq!(answer(&[UPGRADE, CONNECTION, ACCEPT, extension]), Err(Error::Extensions));
}

#[test]
fn s4_1_a_subprotocol_not_asked_for_must_fail() {
    let subprotocol = |name: &str| {
        let line = format!("Sec-WebSocket-Protocol: {name}");
        answer(&[UPGRADE, CONNECTION, ACCEPT, &line]).map(|agreed| agreed.subprotocol)
    };
    assert_eq!(subprotocol("two"), Ok(Some("two".to_owned())));
    assert_eq!(subprotocol("three"), Err(Error::Subprotocol));
    assert_eq!(subprotocol("one, two"), Err(Error::Subprotocol));
}
