//! Frames that break RFC 6455: headers, fragments, text that is none, and ways to say goodbye.

use std::io::{ErrorKind, Write};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::peer::{
    DEADLINE, Peer, UPGRADE, after_upgrade, answer, close, close_code, connect, each_way, frame,
    frames, pour, rest, text,
};
use crate::server::Server;

/// What the server says to these bytes behind an upgrade.
fn behind(bytes: &[u8]) -> Vec<u8> {
    [UPGRADE.as_bytes(), bytes].concat()
}

/// Sends frames behind an upgrade, whole and split; the connection is failed with this code.
fn fails(server: &Server, bytes: &[u8], code: u16) {
    each_way(&server.address, &behind(bytes), false, |said| {
        assert_eq!(close_code(said), code, "{}: {}", bytes.escape_ascii(), said.escape_ascii());
    });
}

/// The same in one piece only, for long ones.
fn fails_whole(server: &Server, bytes: &[u8], code: u16) {
    let said = answer(&server.address, &behind(bytes), false);
    assert_eq!(close_code(&said), code, "{}", said.escape_ascii());
}

/// The texts that are answered behind an upgrade, `hello` and the Close frame taken off.
fn replies(said: &[u8]) -> Vec<String> {
    let mut said = frames(after_upgrade(said));
    assert_eq!(said.pop().expect("a Close frame").0, 0x88);
    said.into_iter().skip(1).map(|(_, text)| String::from_utf8(text).expect("text")).collect()
}

const PING: &str = "{\"type\":\"ping\"}";

#[test]
fn fr_01_an_unmasked_frame() {
    let server = Server::start(&[]);
    fails(&server, b"\x81\x02{}", 1002);
    fails(&server, b"\x89\x00", 1002);
    fails(&server, b"\x88\x02\x03\xe8", 1002);
    server.judge();
}

#[test]
fn fr_02_reserved_bits_and_opcodes() {
    let server = Server::start(&[]);
    for first in
        [0xc1, 0xa1, 0x91, 0xf1, 0x83, 0x84, 0x85, 0x86, 0x87, 0x8b, 0x8c, 0x8d, 0x8e, 0x8f]
    {
        fails(&server, &frame(first, PING.as_bytes()), 1002);
    }
    server.judge();
}

#[test]
fn fr_03_lengths_that_nobody_can_send() {
    let server = Server::start(&[]);
    let memory = server.memory();
    let header = |length: u64| [&[0x81, 0xff][..], &length.to_be_bytes(), &[0; 4]].concat();
    fails(&server, &header(1 << 63), 1002);
    fails(&server, &header(u64::MAX), 1002);
    for length in [(1 << 63) - 1, 1 << 62, 1 << 40, 1 << 32, (1 << 32) + 2, 65_537, 1 << 24] {
        fails(&server, &header(length), 1009);
    }
    // Before authentication a quarter of it; the header alone is enough to refuse.
    fails(&server, &[0x81, 0xfe, 0x40, 0x01, 0, 0, 0, 0], 1009);
    fails(&server, &[0x01, 0xfe, 0x40, 0x01, 0, 0, 0, 0], 1009);
    assert!(server.memory() < memory + 16 * 1024, "a length is not an allocation");
    server.judge();
}

#[test]
fn fr_04_lengths_in_more_bytes_than_needed() {
    let server = Server::start(&[]);
    fails(&server, &[&[0x81, 0xfe, 0, 5, 0, 0, 0, 0][..], b"hello"].concat(), 1002);
    fails(&server, &[0x81, 0xfe, 0, 125, 0, 0, 0, 0], 1002);
    fails(&server, &[0x81, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0], 1002);
    fails(&server, &[0x81, 0xff, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0], 1002);
    server.judge();
}

#[test]
fn fr_05_control_frames_that_are_long_or_in_parts() {
    let server = Server::start(&[]);
    fails(&server, &frame(0x89, &[b'x'; 126])[..8], 1002);
    fails(&server, &frame(0x8a, &[b'x'; 126])[..8], 1002);
    for first in [0x09, 0x0a, 0x08, 0xc9] {
        fails(&server, &frame(first, b"x"), 1002);
    }
    server.judge();
}

#[test]
fn fr_06_pings_are_answered_between_fragments_and_in_floods() {
    let server = Server::start(&[]);
    let parts = [frame(0x01, b"{\"type\""), frame(0x89, b"one"), frame(0x80, b":\"ping\"}")];
    let bytes = [parts.concat(), close(1000)].concat();
    each_way(&server.address, &behind(&bytes), false, |said| {
        let said = frames(after_upgrade(said));
        assert_eq!(said[1], (0x8a, b"one".to_vec()));
        assert!(said[2].0 == 0x81 && said[2].1.ends_with(b"\"data\":{}}"), "{said:?}");
    });
    let flood = [frame(0x89, b"p").repeat(10_000), close(1000)].concat();
    let said = answer(&server.address, &behind(&flood), false);
    let said = frames(after_upgrade(&said));
    let pongs = said.iter().filter(|(first, payload)| *first == 0x8a && payload == b"p").count();
    assert!((1..=10_000).contains(&pongs), "{pongs}");
    server.judge();
}

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

#[test]
fn fr_09_binary_where_json_is_spoken() {
    let server = Server::start(&[]);
    let chosen = UPGRADE.replacen("Sec-", "Sec-WebSocket-Protocol: stentor.v1.json\r\nSec-", 1);
    // The server waits for our Close frame: the kind of data is wrong, the framing is not.
    let bytes = [chosen.as_bytes(), &frame(0x82, b"\x0a\x00"), &close(1003)].concat();
    each_way(&server.address, &bytes, false, |said| assert_eq!(close_code(said), 1003));
    fails(&server, &[text(PING), frame(0x82, b"\x0a\x00"), close(1003)].concat(), 1003);
    server.judge();
}

#[test]
fn fg_01_parts_out_of_order() {
    let server = Server::start(&[]);
    fails(&server, &frame(0x80, PING.as_bytes()), 1002);
    fails(&server, &frame(0x00, b""), 1002);
    fails(&server, &[frame(0x01, b"{"), frame(0x81, b"}")].concat(), 1002);
    fails(&server, &[frame(0x01, b"{"), frame(0x02, b"}")].concat(), 1002);
    server.judge();
}

#[test]
fn fg_02_a_message_of_too_many_parts() {
    let server = Server::start(&[]);
    for part in [&b" "[..], b""] {
        let most = [frame(0x01, b""), frame(0x00, part).repeat(1022), frame(0x80, PING.as_bytes())];
        let said = answer(&server.address, &behind(&[most.concat(), close(1000)].concat()), false);
        assert_eq!(replies(&said).len(), 1, "1,024 parts are a message");
        let more = [frame(0x01, b""), frame(0x00, part).repeat(100_000)].concat();
        fails_whole(&server, &more[..16 * 1024], 1008);
        let mut stream = connect(&server.address);
        pour(&mut stream, &behind(&more));
        rest(&mut stream);
    }
    server.judge();
}

#[test]
fn fg_03_parts_count_together_for_the_limit() {
    let server = Server::start(&[]);
    let mut user = Peer::websocket(&server.address);
    user.register("parts");
    let object = |length: usize| {
        let empty = "{\"type\":\"ping\",\"x\":\"\"}".len();
        format!("{{\"type\":\"ping\",\"x\":\"{}\"}}", "x".repeat(length - empty)).into_bytes()
    };
    let most = object(65_536);
    let bytes = [frame(0x01, &most[..40_000]), frame(0x80, &most[40_000..])].concat();
    pour(&mut user.stream, &bytes);
    assert_eq!(user.next().expect("a reply")["status"], "ok");
    let more = object(65_537);
    let bytes = [frame(0x01, &more[..40_000]), frame(0x80, &more[40_000..])].concat();
    pour(&mut user.stream, &bytes);
    let said = rest(&mut user.stream);
    assert_eq!(&said[..4], [0x88, said.len() as u8 - 2, 0x03, 0xf1], "{}", said.escape_ascii());
    drop(user);
    server.judge();
}

#[test]
fn u8_01_text_that_is_no_utf8_fails_at_once() {
    let server = Server::start(&[]);
    for bad in [
        &b"\xff"[..],
        b"\xed\xa0\x80",
        b"\xc0\xaf",
        b"\xf4\x90\x80\x80",
        b"\xf8\x88\x80\x80\x80",
        b"\x80",
        b"\xe2\x82\x28",
        b"\xce\xba\xe1\xbd\xb9\xf4\x90",
    ] {
        fails(&server, &frame(0x81, bad), 1007);
        // Inside a message that has no end yet.
        fails(&server, &frame(0x01, bad), 1007);
        fails(&server, &[frame(0x01, b"{\"x\":\""), frame(0x00, bad)].concat(), 1007);
    }
    // Not whole at the end of the message.
    fails(&server, &frame(0x81, b"\xe2\x82"), 1007);
    server.judge();
}

#[test]
fn u8_02_a_character_may_be_split_anywhere() {
    let server = Server::start(&[]);
    let object = "{\"type\":\"ping\",\"request_id\":\"κόσμε𝄞\"}".as_bytes();
    for at in 0..=object.len() {
        let parts = [frame(0x01, &object[..at]), frame(0x80, &object[at..]), close(1000)].concat();
        let said = answer(&server.address, &behind(&parts), false);
        assert!(replies(&said).concat().contains("κόσμε𝄞"), "split at {at}");
    }
    let parts: Vec<u8> = object.iter().flat_map(|byte| frame(0x00, &[*byte])).collect();
    let bytes = [frame(0x01, b""), parts, frame(0x80, b""), close(1000)].concat();
    each_way(&server.address, &behind(&bytes), false, |said| {
        assert!(replies(said).concat().contains("κόσμε𝄞"));
    });
    server.judge();
}

#[test]
fn u8_03_reasons_are_text_and_pings_are_bytes() {
    let server = Server::start(&[]);
    fails(&server, &frame(0x88, b"\x03\xe8\xff"), 1007);
    let bytes = [frame(0x89, b"\xff\xfe"), close(1000)].concat();
    each_way(&server.address, &behind(&bytes), false, |said| {
        assert_eq!(frames(after_upgrade(said))[1], (0x8a, b"\xff\xfe".to_vec()));
    });
    server.judge();
}

#[test]
fn cl_01_a_close_frame_of_one_byte() {
    let server = Server::start(&[]);
    fails(&server, &frame(0x88, b"\x03"), 1002);
    server.judge();
}

#[test]
fn cl_02_codes_that_may_be_sent_and_codes_that_may_not() {
    let server = Server::start(&[]);
    for code in [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535] {
        fails(&server, &close(code), 1002);
    }
    let valid = (1000..=1003).chain(1007..=1014).chain([3000, 3999, 4000, 4999]);
    for code in valid {
        fails(&server, &close(code), code);
    }
    // Without a code the answer has none either.
    let said = answer(&server.address, &behind(&frame(0x88, b"")), false);
    assert_eq!(frames(after_upgrade(&said)).pop(), Some((0x88, Vec::new())));
    server.judge();
}

#[test]
fn cl_03_nothing_is_heard_after_a_close_frame() {
    let server = Server::start(&[]);
    for after in [text(PING), close(1001), frame(0x89, b"x"), b"\xff\xff\xff\xff".to_vec()] {
        let bytes = [close(1000), after].concat();
        each_way(&server.address, &behind(&bytes), false, |said| {
            let said = frames(after_upgrade(said));
            assert_eq!(said.len(), 2, "hello and one Close frame: {said:?}");
            assert_eq!(said[1], (0x88, b"\x03\xe8".to_vec()));
        });
    }
    let mid = [frame(0x01, b"{\"type\""), close(1000)].concat();
    fails(&server, &mid, 1000);
    server.judge();
}

#[test]
fn cl_04_who_never_closes_its_side_is_closed() {
    let server = Server::start(&[]);
    let mut stream = connect(&server.address);
    pour(&mut stream, &behind(&close(1000)));
    let said = rest(&mut stream);
    assert_eq!(close_code(&said), 1000);
    // Our side stays open until the judge has counted descriptors.
    server.judge();
    drop(stream);
}

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
