//! Text that is no UTF-8, and text that is (RFC 6455 §5.5.1, §8.1).

use crate::framing::{PINGS, behind, fails, replies};
use crate::peer::{after_upgrade, close, frame, frames};
use crate::server::Server;

/// Octets that are never UTF-8, surrogates, overlong forms, beyond U+10FFFF: 1007, before the end.
#[test]
fn u8_01_text_that_is_no_utf8_fails_at_once() {
    let server = Server::start_secure(&[]);
    let bad = [
        &b"\xff"[..],
        b"\xed\xa0\x80",
        b"\xc0\xaf",
        b"\xe0\x80\xaf",
        b"\xf4\x90\x80\x80",
        b"\xf8\x88\x80\x80\x80",
        b"\x80",
        b"\xe2\x82\x28",
        b"\xce\xba\xe1\xbd\xb9\xf4\x90",
    ];
    server.endures(&bad.map(|bad| fails(frame(0x81, bad), 1007)));
    // Inside a message that has no end yet.
    server.endures(&bad.map(|bad| fails(frame(0x01, bad), 1007)));
    let second = |bad| [frame(0x01, b"{\"x\":\""), frame(0x00, bad)].concat();
    server.endures(&bad.map(|bad| fails(second(bad), 1007)));
    // Not whole at the end of the message, though it could have become a character.
    let half = [frame(0x01, b"\xe2"), frame(0x80, b"\x82")].concat();
    server.endures(&[fails(frame(0x81, b"\xe2\x82"), 1007), fails(half, 1007)]);
    server.judge();
}

/// A character in two fragments, in fragments of a byte, and in pieces of each: it is whole.
#[test]
fn u8_02_a_character_may_be_split_anywhere() {
    let server = Server::start_secure(&[]);
    let object = "{\"type\":\"ping\",\"request_id\":\"κ𝄞\"}".as_bytes();
    let whole = |said: &[u8]| assert!(replies(said).concat().contains("κ𝄞"));
    let first = object.iter().position(|byte| *byte > 0x7f).expect("a character");
    let mut attacks: Vec<_> = (first..first + 7)
        .map(|at| {
            let parts = [frame(0x01, &object[..at]), frame(0x80, &object[at..]), close(1000)];
            behind(parts.concat(), whole).counted(PINGS, 1)
        })
        .collect();
    let parts: Vec<u8> = object.iter().flat_map(|byte| frame(0x00, &[*byte])).collect();
    let parts = [frame(0x01, b""), parts, frame(0x80, b""), close(1000)].concat();
    attacks.push(behind(parts, whole).counted(PINGS, 1));
    server.endures(&attacks);
    server.judge();
}

/// A reason that is no UTF-8: 1007; a ping that is none: answered with the same bytes.
#[test]
fn u8_03_reasons_are_text_and_pings_are_bytes() {
    let server = Server::start_secure(&[]);
    let ping = behind([frame(0x89, b"\xff\xfe"), close(1000)].concat(), |said| {
        assert_eq!(frames(after_upgrade(said))[1], (0x8a, b"\xff\xfe".to_vec()));
    });
    server.endures(&[
        fails(frame(0x88, b"\x03\xe8\xff"), 1007),
        fails(frame(0x88, b"\x03\xe8ok\xe2\x82"), 1007),
        ping,
    ]);
    server.judge();
}
