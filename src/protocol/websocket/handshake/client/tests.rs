//! Each failure of section 4.1 by one change to a good response.

use super::*;

/// The nonce of the RFC's example: its key is `dGhlIHNhbXBsZSBub25jZQ==`.
const NONCE: [u8; 16] = *b"the sample nonce";

const GOOD: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
    Sec-WebSocket-Protocol: chat\r\n\r\n";

const REQUEST: Request<'_> = Request {
    host: "server.example.com",
    target: "/chat",
    origin: Some("http://example.com"),
    subprotocols: &["chat", "superchat"],
    extensions: Some("foo; a=1"),
    headers: &[("Authorization", "Bearer x")],
};

fn start() -> (Handshake, String) {
    let mut out = Vec::new();
    let handshake = Handshake::start(&REQUEST, NONCE, &mut out).unwrap();
    (handshake, String::from_utf8(out).unwrap())
}

#[test]
fn the_request_of_the_rfc() {
    let expected = "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        Sec-WebSocket-Version: 13\r\nOrigin: http://example.com\r\n\
        Sec-WebSocket-Protocol: chat, superchat\r\nSec-WebSocket-Extensions: foo; a=1\r\n\
        Authorization: Bearer x\r\n\r\n";
    assert_eq!(start().1, expected);
}

#[test]
fn one_change_one_failure() {
    let chat = Agreed { subprotocol: Some("chat".into()), extensions: None };
    let foo = Agreed { extensions: Some("foo; a=2".into()), ..chat.clone() };
    let bare = Agreed { subprotocol: None, extensions: None };
    let protocol = "Sec-WebSocket-Protocol: chat\r\n";
    let rows: &[(&str, &str, Result<Agreed, Error>)] = &[
        ("101", "101", Ok(chat.clone())),
        ("101 Switching Protocols", "401 Unauthorized", Err(Error::Status(401))),
        ("101 Switching Protocols", "200 OK", Err(Error::Status(200))),
        ("HTTP/1.1", "HTTP/1.0", Err(Error::NotHttp)),
        ("HTTP/1.1", "SSH-2.0", Err(Error::NotHttp)),
        ("Upgrade: websocket\r\n", "", Err(Error::Upgrade)),
        ("Upgrade: websocket", "Upgrade: WebSocket", Ok(chat.clone())),
        ("Upgrade: websocket", "Upgrade: h2c", Err(Error::Upgrade)),
        ("Connection: Upgrade\r\n", "", Err(Error::Connection)),
        ("Connection: Upgrade", "connection: foo, upgrade", Ok(chat.clone())),
        ("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "s3pPLMBiTxaQ9kYGzzhZRbK+xOp=", Err(Error::Accept)),
        ("Sec-WebSocket-Accept", "Sec-WebSocket-Except", Err(Error::Accept)),
        ("Protocol: chat", "Protocol: other", Err(Error::Subprotocol)),
        ("Protocol: chat", "Protocol: chat, superchat", Err(Error::Subprotocol)),
        (
            protocol,
            "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: chat\r\n",
            Err(Error::Subprotocol),
        ),
        (protocol, "", Ok(bare)),
        ("Upgrade: w", "Sec-WebSocket-Extensions: foo; a=2\r\nUpgrade: w", Ok(foo)),
        ("Upgrade: w", "Sec-WebSocket-Extensions: bar\r\nUpgrade: w", Err(Error::Extensions)),
        ("Upgrade: w", "Sec-WebSocket-Extensions: foo;\r\nUpgrade: w", Err(Error::Extensions)),
    ];
    for (from, to, expected) in rows {
        let response = GOOD.replacen(from, to, 1);
        let wire = [response.as_bytes(), b"\x81\x00"].concat();
        for cut in 0..response.len() {
            let (mut handshake, _) = start();
            let taken = match handshake.receive(&wire[..cut]).unwrap() {
                None => handshake.receive(&wire[cut..]),
                some => panic!("{some:?} before the end"),
            };
            let agreed = taken.map(|agreed| {
                let (agreed, taken) = agreed.unwrap();
                assert_eq!(cut + taken, response.len(), "the frame is left");
                agreed
            });
            assert_eq!(agreed, *expected, "{from:?} -> {to:?}, cut {cut}");
        }
    }
}

#[test]
fn a_response_without_end_is_given_up() {
    let (mut handshake, _) = start();
    let wire = [b"HTTP/1.1 101 x\r\n", "A: b\r\n".repeat(4_000).as_bytes()].concat();
    let end = wire.chunks(1_000).map(|piece| handshake.receive(piece)).find(|got| *got != Ok(None));
    assert_eq!(end, Some(Err(Error::HeadTooLarge)));
    let (mut handshake, _) = start();
    let wire = [b"HTTP/1.1 101 x\r\n", "A: b\r\n".repeat(101).as_bytes(), b"\r\n"].concat();
    assert_eq!(handshake.receive(&wire), Err(Error::HeadTooLarge));
}

#[test]
fn a_request_that_would_smuggle_is_not_written() {
    let rows = [
        (Request { target: "/a b", ..REQUEST }, "target"),
        (Request { target: "chat", ..REQUEST }, "target"),
        (Request { target: "/\r\nX: y", ..REQUEST }, "target"),
        (Request { host: "", ..REQUEST }, "host"),
        (Request { host: "a\nb", ..REQUEST }, "host"),
        (Request { origin: Some("a\r\nb"), ..REQUEST }, "origin"),
        (Request { subprotocols: &["a b"], ..REQUEST }, "subprotocol"),
        (Request { extensions: Some("a;"), ..REQUEST }, "extensions"),
        (Request { headers: &[("A", "b\r\nC: d")], ..REQUEST }, "header"),
        (Request { headers: &[("A:", "b")], ..REQUEST }, "header"),
        (Request { headers: &[("host", "b")], ..REQUEST }, "header"),
    ];
    for (request, part) in rows {
        let mut out = Vec::new();
        let refused = Handshake::start(&request, NONCE, &mut out).err();
        assert_eq!((refused, out.len()), (Some(Error::Request(part)), 0));
        assert!(Error::Request(part).to_string().contains(part));
    }
}
