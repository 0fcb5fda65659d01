//! Binary messages that are no Protobuf, or none of ours: every one is answered by its reason.

use serde_json::Value;

use crate::binary::{asked, told};
use crate::framing::{PING, PINGS};
use crate::peer::{UPGRADE, after_upgrade, close, close_code, frame, frames, text};
use crate::server::Server;
use crate::siege::Attack;

/// An upgrade to Protobuf.
fn upgrade() -> String {
    UPGRADE.replacen("Sec-", "Sec-WebSocket-Protocol: stentor.v1.protobuf\r\nSec-", 1)
}

/// What was said behind an upgrade to Protobuf, `hello` and the Close frame taken off.
fn replies(said: &[u8]) -> Vec<Value> {
    let mut said = frames(after_upgrade(said));
    assert_eq!(said.pop().expect("a Close frame").0, 0x88);
    let read = |(first, message): (u8, Vec<u8>)| {
        assert_eq!(first, 0x82, "a binary message");
        let json = told(&message).expect("Protobuf that is written as others write it");
        serde_json::from_str::<Value>(&json).expect("JSON in it")
    };
    let mut said: Vec<Value> = said.into_iter().map(read).collect();
    assert_eq!(said.remove(0)["type"], "hello");
    said
}

/// A binary message that is refused with this code and word, and a `ping` behind it that is not.
fn refused(message: &[u8], word: &'static str, code: &'static str, field: &'static str) -> Attack {
    let ping = asked(PING).expect("the schema has it");
    let bytes = [frame(0x82, message), frame(0x82, &ping), close(1000)].concat();
    let attack = Attack::new(bytes, move |said| {
        let said = replies(said);
        assert_eq!(said.len(), 2);
        let reply = &said[0];
        assert_eq!(
            (&reply["type"], &reply["code"], reply["field"].as_str().unwrap_or_default()),
            (&word.into(), &code.into(), field)
        );
        assert_eq!(said[1]["status"], "ok");
    });
    attack
        .after(upgrade())
        .counted("stentor_requests_total{verb=\"other\"}", 1)
        .counted(&format!("stentor_errors_total{{code=\"{code}\"}}"), 1)
        .counted(PINGS, 1)
}

/// Cut short, claiming more than there is, numbers without end, groups, no field at all.
#[test]
fn pb_01_messages_that_are_no_protobuf() {
    let server = Server::start_secure(&[]);
    let messages: &[&[u8]] = &[
        b"\xa2",
        b"\xa2\x02",
        b"\xa2\x02\x7f",
        b"\xa2\x02\xff\xff\xff\xff\x0f",
        b"\xa2\x02\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
        b"\x00\x00",
        b"\x07",
        b"\xa6\x02",
        b"\xa3\x02\xa4\x02",
        b"\xa4\x02",
        b"\xa1\x02aaaaaaa",
        b"{\"type\":\"ping\"}",
    ];
    server.endures(
        &messages.iter().map(|m| refused(m, "error", "bad_request", "")).collect::<Vec<_>>(),
    );
    let within: &[&[u8]] = &[
        // Of a `subscribe`: its channel is longer than it is, is a number, is no UTF-8; and groups.
        b"\xb2\x02\x02\x0a\x7f",
        b"\xb2\x02\x02\x08\x01",
        b"\xb2\x02\x03\x0a\x01\xff",
        b"\xb2\x02\x01\x0b",
        &[&b"\xb2\x02\xc8\x01"[..], &b"\x0b".repeat(200)].concat(),
    ];
    server.endures(
        &within.iter().map(|m| refused(m, "subscribe", "bad_request", "")).collect::<Vec<_>>(),
    );
    server.judge();
}

/// Nothing is asked, two things are, an id is said twice, or is no text, or is too long.
#[test]
fn pb_02_messages_that_ask_not_one_thing() {
    let server = Server::start_secure(&[]);
    let id = [&b"\xa2\x02\x00\xa2\x06\x81\x01"[..], &b"x".repeat(129)].concat();
    server.endures(&[
        refused(b"", "error", "bad_request", "message_type"),
        refused(b"\xa2\x06\x01r", "error", "bad_request", "message_type"),
        refused(b"\xa2\x02\x00\xa2\x02\x00", "error", "bad_request", "message_type"),
        refused(b"\xa2\x02\x00\xaa\x02\x00", "error", "bad_request", "message_type"),
        refused(b"\xa2\x02\x00\xa2\x06\x01r\xa2\x06\x01s", "ping", "bad_request", "request_id"),
        refused(b"\xa2\x02\x00\xa0\x06\x01", "ping", "bad_request", "request_id"),
        refused(b"\xa2\x02\x00\xa2\x06\x01\xff", "ping", "bad_request", "request_id"),
        refused(&id, "ping", "bad_request", "request_id"),
        refused(b"\xea\x05\x00", "error", "unknown_type", ""),
        refused(b"\xe8\x05\x00", "error", "unknown_type", ""),
    ]);
    server.judge();
}

/// JSON within the message is held to the rules of JSON, and numbers to its range.
#[test]
fn pb_03_values_that_json_would_not_take() {
    let server = Server::start_secure(&[]);
    let room = |metadata: &[u8]| {
        let inner = [&b"\x0a\x01n\x12\x06public\x1a"[..], &[metadata.len() as u8], metadata];
        let inner = inner.concat();
        [&b"\xb2\x01"[..], &[inner.len() as u8], &inner].concat()
    };
    let deep = [b"[".repeat(16), b"]".repeat(16)].concat();
    let metadata: [&[u8]; 6] =
        [b"", b"{\"a\":1,\"a\":2}", b"1e999", b"\"\\ud800\"", b"\xff", &deep];
    server.endures(
        &metadata.map(|json| refused(&room(json), "create_room", "bad_request", "metadata")),
    );
    let seq = b"\x92\x02\x0c\x0a\x01c\x10\x80\x80\x80\x80\x80\x80\x80\x10";
    server.endures(&[refused(seq, "mark_read", "bad_request", "seq")]);
    server.judge();
}

/// The longest message is taken, one byte more is not; many small parts of one cost their length.
#[test]
fn pb_04_messages_that_are_too_long() {
    let server = Server::start_secure(&[]);
    // A `ping` with a field that nobody knows.
    let ping = |length: usize| {
        let inner = length - 8;
        let varint = |n: usize| [n as u8 | 0x80, (n >> 7) as u8 | 0x80, (n >> 14) as u8];
        [
            &b"\xa2\x02"[..],
            &varint(inner + 3),
            b"\x0a",
            &[
                0x80 | (inner - 1) as u8 & 0x7f,
                0x80 | ((inner - 1) >> 7) as u8,
                ((inner - 1) >> 14) as u8,
            ],
            &vec![b'x'; inner - 1],
        ]
        .concat()
    };
    let most = 16 * 1024;
    assert_eq!(ping(most).len(), most);
    // `create_group` with five thousand members without a name.
    let members = b"\x12\x00".repeat(5000);
    let group = [&b"\xaa\x01\x90\x4e"[..], &members].concat();
    server.endures(&[
        Attack::new([frame(0x82, &ping(most)), close(1000)].concat(), |said| {
            assert_eq!(replies(said)[0]["status"], "ok");
        })
        .after(upgrade())
        .counted(PINGS, 1),
        Attack::new(frame(0x82, &ping(most + 1)), |said| assert_eq!(close_code(said), 1009))
            .after(upgrade())
            .counted("stentor_protocol_violations_total", 1),
        Attack::new([frame(0x82, &group), close(1000)].concat(), |said| {
            assert_eq!(replies(said)[0]["code"], "not_authenticated");
        })
        .after(upgrade())
        .counted("stentor_requests_total{verb=\"create_group\"}", 1)
        .counted("stentor_errors_total{code=\"not_authenticated\"}", 1),
    ]);
    server.judge();
}

/// Text where Protobuf is spoken, first or behind a message: 1003.
#[test]
fn pb_05_text_where_protobuf_is_spoken() {
    let server = Server::start_secure(&[]);
    let ping = asked(PING).expect("the schema has it");
    let closed = |bytes: Vec<u8>| Attack::new(bytes, |said| assert_eq!(close_code(said), 1003));
    server.endures(&[
        closed([text(PING), close(1003)].concat()).after(upgrade()),
        closed([frame(0x82, &ping), text(PING), close(1003)].concat())
            .after(upgrade())
            .counted(PINGS, 1),
        // The first message has decided, without a subprotocol too.
        closed([frame(0x82, &ping), text(PING), close(1003)].concat())
            .after(UPGRADE)
            .counted(PINGS, 1),
        closed([frame(0x82, b""), text(PING), close(1003)].concat())
            .after(UPGRADE)
            .counted("stentor_requests_total{verb=\"other\"}", 1)
            .counted("stentor_errors_total{code=\"bad_request\"}", 1),
    ]);
    server.judge();
}

/// Wrong messages without end: 4002 at the tenth in a row.
#[test]
fn pb_06_wrong_messages_without_end() {
    let server = Server::start_secure(&[]);
    let bytes = [frame(0x82, b"\x07").repeat(12), close(4002)].concat();
    server.endures(&[Attack::new(bytes, |said| {
        assert_eq!(close_code(said), 4002);
        assert_eq!(replies(said).len(), 10);
    })
    .after(upgrade())
    .counted("stentor_requests_total{verb=\"other\"}", 10)
    .counted("stentor_errors_total{code=\"bad_request\"}", 10)]);
    server.judge();
}
