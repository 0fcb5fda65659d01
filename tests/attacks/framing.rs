//! Frames that break RFC 6455 §5: headers, lengths, control frames, fragments, kinds of data.

use std::io::{ErrorKind, Write};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::peer::{
    DEADLINE, Peer, UPGRADE, after_upgrade, answer, close, close_code, connect, frame, frames,
    pour, rest, text,
};
use crate::server::Server;
use crate::siege::Attack;

pub(crate) const PING: &str = "{\"type\":\"ping\"}";
pub(crate) const PINGS: &str = "stentor_requests_total{verb=\"ping\"}";

/// Frames behind an upgrade.
pub(crate) fn behind(bytes: impl Into<Vec<u8>>, expect: impl Fn(&[u8]) + 'static) -> Attack {
    Attack::new(bytes, expect).after(UPGRADE)
}

/// Frames behind an upgrade after which the connection ends with this code.
pub(crate) fn closes(bytes: impl Into<Vec<u8>>, code: u16) -> Attack {
    behind(bytes, move |said| assert_eq!(close_code(said), code))
}

/// The same, because they break the rules.
pub(crate) fn fails(bytes: impl Into<Vec<u8>>, code: u16) -> Attack {
    closes(bytes, code).counted("stentor_protocol_violations_total", 1)
}

/// The texts that are answered behind an upgrade, `hello` and the Close frame taken off.
pub(crate) fn replies(said: &[u8]) -> Vec<String> {
    let mut said = frames(after_upgrade(said));
    assert_eq!(said.pop().expect("a Close frame").0, 0x88);
    said.into_iter().skip(1).map(|(_, text)| String::from_utf8(text).expect("text")).collect()
}

/// An object of so many bytes that is answered.
pub(crate) fn object(length: usize) -> Vec<u8> {
    let empty = "{\"type\":\"ping\",\"x\":\"\"}".len();
    format!("{{\"type\":\"ping\",\"x\":\"{}\"}}", "x".repeat(length - empty)).into_bytes()
}

/// A frame without a mask: 1002.
#[test]
fn fr_01_an_unmasked_frame() {
    let server = Server::start_secure(&[]);
    server.endures(&[
        fails(b"\x81\x02{}", 1002),
        fails(b"\x89\x00", 1002),
        fails(b"\x88\x02\x03\xe8", 1002),
        fails(b"\x81\x7e\x01\x00", 1002),
    ]);
    server.judge();
}

/// Reserved bits that nothing gives a meaning, reserved opcodes: 1002.
#[test]
fn fr_02_reserved_bits_and_opcodes() {
    let server = Server::start_secure(&[]);
    let firsts = [
        0xc1, 0xa1, 0x91, 0xf1, 0xc2, 0x83, 0x84, 0x85, 0x86, 0x87, 0x8b, 0x8c, 0x8d, 0x8e, 0x8f,
        0x03, 0x0b,
    ];
    server.endures(&firsts.map(|first| fails(frame(first, PING.as_bytes()), 1002)));
    server.judge();
}

/// Lengths with the top bit: 1002; over the limit: 1009; both by the header, before any memory.
#[test]
fn fr_03_lengths_that_nobody_can_send() {
    let server = Server::start_secure(&[]);
    let memory = server.memory();
    let header = |length: u64| [&[0x81, 0xff][..], &length.to_be_bytes(), &[0; 4]].concat();
    let impossible = [1 << 63, u64::MAX].map(|length| fails(header(length), 1002));
    let lengths = [(1 << 63) - 1, 1 << 62, 1 << 40, 1 << 32, (1 << 32) + 2, 65_537, 1 << 24];
    let too_long = lengths.map(|length| fails(header(length), 1009));
    server.endures(&impossible);
    server.endures(&too_long);
    // Before authentication a quarter of it; the header alone is enough to refuse.
    server.endures(&[
        fails([0x81, 0xfe, 0x40, 0x01, 0, 0, 0, 0], 1009),
        fails([0x01, 0xfe, 0x40, 0x01, 0, 0, 0, 0], 1009),
    ]);
    assert!(server.memory() < memory + 16 * 1024, "a length is not an allocation");
    server.judge();
}

/// Lengths in more bytes than they need: 1002.
#[test]
fn fr_04_lengths_in_more_bytes_than_needed() {
    let server = Server::start_secure(&[]);
    server.endures(&[
        fails([&[0x81, 0xfe, 0, 5, 0, 0, 0, 0][..], b"hello"].concat(), 1002),
        fails([0x81, 0xfe, 0, 125, 0, 0, 0, 0], 1002),
        fails([0x81, 0xfe, 0, 0, 0, 0, 0, 0], 1002),
        fails([0x81, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0], 1002),
        fails([0x81, 0xff, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0], 1002),
    ]);
    server.judge();
}

/// Control frames over 125 bytes, in parts, or with a reserved bit: 1002.
#[test]
fn fr_05_control_frames_that_are_long_or_in_parts() {
    let server = Server::start_secure(&[]);
    let long = [0x88, 0x89, 0x8a].map(|first| fails(&frame(first, &[b'x'; 126])[..8], 1002));
    server.endures(&long);
    let firsts = [0x09, 0x0a, 0x08, 0xc9, 0xa9, 0x99, 0xca, 0xc8];
    server.endures(&firsts.map(|first| fails(frame(first, b"x"), 1002)));
    server.judge();
}

/// Pings between the fragments of a message: each is answered at once, and the message is whole.
#[test]
fn fr_06_pings_are_answered_between_fragments() {
    let server = Server::start_secure(&[]);
    let parts = [frame(0x01, b"{\"type\""), frame(0x89, b"one"), frame(0x80, b":\"ping\"}")];
    let attack = behind([parts.concat(), close(1000)].concat(), |said| {
        let said = frames(after_upgrade(said));
        assert_eq!(said[1], (0x8a, b"one".to_vec()));
        assert!(said[2].0 == 0x81 && said[2].1.ends_with(b"\"data\":{}}"), "{said:?}");
    });
    server.endures(&[attack.counted(PINGS, 1)]);
    server.judge();
}

/// Ten thousand pings in one go: they are answered, the last one too, and nobody is held up.
#[test]
fn fr_06_a_flood_of_pings_is_answered() {
    let server = Server::start(&[]);
    let flood = [UPGRADE.as_bytes(), &frame(0x89, b"p").repeat(10_000), &close(1000)].concat();
    let said = answer(&server.address, &flood, false);
    let said = frames(after_upgrade(&said));
    let pongs = said.iter().filter(|(first, payload)| *first == 0x8a && payload == b"p").count();
    assert!((1..=10_000).contains(&pongs), "{pongs}");
    server.judge();
}

/// Pings of a client that never reads the pongs: what waits for it has a bound, then it is closed.
#[test]
fn fr_07_pongs_that_nobody_reads_are_not_kept_without_end() {
    let server = Server::start(&["limits.outbox_soft_ms=500"]);
    let memory = server.memory();
    let mut stream = connect(&server.address);
    pour(&mut stream, UPGRADE.as_bytes());
    let pings = frame(0x89, &[b'p'; 125]).repeat(500);
    stream.set_write_timeout(Some(Duration::from_millis(100))).expect("a deadline");
    let (begun, mut at) = (Instant::now(), 0);
    loop {
        match stream.write(&pings[at..]) {
            Ok(taken) => at = (at + taken) % pings.len(),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            // Whoever does not read is closed, not kept.
            Err(_) => break,
        }
        assert!(begun.elapsed() < DEADLINE, "the server takes pings without end");
    }
    assert!(server.memory() < memory + 16 * 1024, "{} KiB", server.memory());
    server.judge();
}

/// NUL, lone CR, U+2028 and an escape sequence in a chat message: they arrive as they were sent.
#[test]
fn fr_08_characters_that_end_lines_elsewhere_arrive_as_they_were() {
    let server = Server::start(&[]);
    let content = "a\u{0}b\rc\nd\u{2028}e\u{7f}\u{1b}[2J";
    let mut lines = Peer::lines(&server.address);
    let reader = lines.register("exact.reads");
    let mut writer = Peer::websocket(&server.address);
    writer.register("exact.writes");
    let group = json!({"type": "create_group", "group_name": "g", "member_ids": [reader]});
    let chat = writer.ok(group)["chat"]["id"].clone();
    writer.ok(json!({"type": "message", "chat_id": chat, "content": content}));
    lines.event("group:created");
    assert_eq!(lines.event("message")["payload"]["content"], content);
    drop((lines, writer));
    server.judge();
}

/// A binary message where JSON is spoken, first or behind a text: 1003.
#[test]
fn fr_09_binary_where_json_is_spoken() {
    let server = Server::start_secure(&[]);
    let chosen = UPGRADE.replacen("Sec-", "Sec-WebSocket-Protocol: stentor.v1.json\r\nSec-", 1);
    // The server waits for our Close frame: the kind of data is wrong, the framing is not.
    let binary = [frame(0x82, b"\x0a\x00"), close(1003)].concat();
    server.endures(&[
        closes(binary.clone(), 1003).after(chosen),
        closes([text(PING), binary.clone()].concat(), 1003).counted(PINGS, 1),
        closes([frame(0x02, b"\x0a"), frame(0x80, b"\x00"), close(1003)].concat(), 1003)
            .after(UPGRADE.replacen("Sec-", "Sec-WebSocket-Protocol: stentor.v1.json\r\nSec-", 1)),
    ]);
    server.judge();
}

/// A continuation of nothing, a new message inside another: 1002.
#[test]
fn fg_01_parts_out_of_order() {
    let server = Server::start_secure(&[]);
    server.endures(&[
        fails(frame(0x80, PING.as_bytes()), 1002),
        fails(frame(0x00, b""), 1002),
        fails([frame(0x01, b"{"), frame(0x81, b"}")].concat(), 1002),
        fails([frame(0x01, b"{"), frame(0x02, b"}")].concat(), 1002),
        fails([frame(0x01, b"{"), frame(0x01, b"}")].concat(), 1002),
        fails([text(PING), frame(0x80, b"")].concat(), 1002).counted(PINGS, 1),
    ]);
    server.judge();
}

/// 1,024 parts are a message, one more is 1008; so are a hundred thousand, empty or not.
#[test]
fn fg_02_a_message_of_too_many_parts() {
    let server = Server::start_secure(&[]);
    for part in [&b" "[..], b""] {
        let most = [frame(0x01, b""), frame(0x00, part).repeat(1022), frame(0x80, PING.as_bytes())];
        let most = behind([most.concat(), close(1000)].concat(), |said| {
            assert_eq!(replies(said).len(), 1, "1,024 parts are a message");
        });
        let one_more = [frame(0x01, b""), frame(0x00, part).repeat(1024)].concat();
        server.endures(&[most.counted(PINGS, 1), fails(one_more, 1008)]);
        let more = [frame(0x01, b""), frame(0x00, part).repeat(100_000)].concat();
        let mut stream = connect(&server.address);
        pour(&mut stream, &[UPGRADE.as_bytes(), &more].concat());
        rest(&mut stream);
    }
    server.judge();
}

/// Parts of as many bytes as a message may have are a message; of one more, 1009.
#[test]
fn fg_03_parts_count_together_for_the_limit() {
    let server = Server::start_secure(&[]);
    let parts = |length| {
        let object = object(length);
        [frame(0x01, &object[..length / 2]), frame(0x80, &object[length / 2..])].concat()
    };
    let most = behind([parts(16_384), close(1000)].concat(), |said| {
        assert_eq!(replies(said).len(), 1);
    });
    server.endures(&[most.counted(PINGS, 1), fails(parts(16_385), 1009)]);
    // Of a user, four times as many.
    let mut user = Peer::websocket(&server.address);
    user.register("parts");
    pour(&mut user.stream, &parts(65_536));
    assert_eq!(user.next().expect("a reply")["status"], "ok");
    pour(&mut user.stream, &parts(65_537));
    let said = rest(&mut user.stream);
    assert_eq!(&said[..4], [0x88, said.len() as u8 - 2, 0x03, 0xf1], "{}", said.escape_ascii());
    drop(user);
    server.judge();
}
