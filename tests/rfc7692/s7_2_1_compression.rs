//! Section 7.2.1: how a message is compressed.

use super::*;
use stentor::protocol::websocket::deflate::laws::read_by;

#[test]
fn s7_2_1_a_payload_is_raw_deflate_without_its_tail() {
    for level in 1..=9 {
        for message in [text(1), text(300), text(70_000), noise(5_000), vec![0; 100_000]] {
            let mut compressor = Compressor::new(WindowBits::MAX, level, 8).unwrap();
            let mut payload = Vec::new();
            assert!(compressor.next(&message, &mut payload));
            assert!(!payload.ends_with(&[0x00, 0x00, 0xff, 0xff]));
            assert_eq!(read_by(oracle::stream, &payload, &[]), Some(message), "level {level}");
        }
    }
}

#[test]
fn s7_2_1_what_is_sent_is_appended() {
    let mut compressor = Compressor::new(WindowBits::MAX, 1, 8).unwrap();
    let mut out = b"before".to_vec();
    assert!(compressor.alone(&text(2_000), &mut out));
    assert_eq!(read_by(oracle::stream, &out[6..], &[]), Some(text(2_000)));
}

#[test]
fn s7_2_1_alone_nothing_is_sent_compressed_that_does_not_shrink() {
    let mut compressor = Compressor::new(WindowBits::MAX, 1, 8).unwrap();
    for message in [noise(10), noise(3_000), noise(100_000), Vec::new(), b"ab".to_vec()] {
        let mut out = b"before".to_vec();
        assert!(!compressor.alone(&message, &mut out), "{} bytes", message.len());
        assert_eq!(out, b"before");
        // And the next one is none the worse for it.
        assert!(compressor.alone(&text(3_000), &mut out));
        assert_eq!(read_by(oracle::stream, &out[6..], &[]), Some(text(3_000)));
    }
}

#[test]
fn s7_2_1_messages_shorter_than_asked_for_are_sent_plain() {
    let settings = Settings { min_bytes: 100, ..Settings::ALONE };
    let inflater = SharedInflater::default();
    let mut deflate = Deflate::new(both(Direction::ALONE), Role::Server, &settings, inflater);
    for (bytes, expected) in [(0, false), (99, false), (100, true), (101, true)] {
        assert_eq!(deflate.encode(&vec![b'x'; bytes], &mut Vec::new()), expected, "{bytes}");
    }
}

#[test]
fn s7_2_1_with_takeover_every_message_is_understood_in_its_turn() {
    let settings = Settings { min_bytes: 0, ..Settings::TAKEOVER };
    let inflater = SharedInflater::default();
    let mut deflate = Deflate::new(both(Direction::DEFAULT), Role::Client, &settings, inflater);
    let texts =
        [text(40), Vec::new(), noise(9_000), text(40), Vec::new(), Vec::new(), text(50_000)];
    let mut before = Vec::new();
    for message in texts {
        let mut payload = Vec::new();
        assert!(deflate.encode(&message, &mut payload));
        let unfolded = read_by(oracle::stream, &payload, &before);
        assert_eq!(unfolded.as_ref(), Some(&message));
        before.extend(message);
    }
}
