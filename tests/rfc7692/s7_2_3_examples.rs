//! Section 7.2.3: the examples, octet by octet.

use super::*;

const HELLO: &[u8] = &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];

fn is_hello(trace: Trace) {
    assert_eq!(trace, Trace { events: vec![(Opcode::Text, b"Hello".to_vec())], error: None });
}

fn both_roles(frames: &[(u8, &[u8])]) {
    for direction in [Direction::ALONE, Direction::DEFAULT] {
        let wire: Vec<u8> = frames.iter().flat_map(|(first, p)| masked(*first, p)).collect();
        is_hello(read(Role::Server, both(direction), &wire));
        let wire: Vec<u8> = frames.iter().flat_map(|(first, p)| bare(*first, p)).collect();
        is_hello(read(Role::Client, both(direction), &wire));
    }
}

#[test]
fn s7_2_3_1_one_compressed_block() {
    both_roles(&[(0xc1, HELLO)]);
    assert_eq!(bare(0xc1, HELLO), [&[0xc1, 0x07][..], HELLO].concat());
    let mut ours = Vec::new();
    assert!(Compressor::new(WindowBits::MAX, 6, 8).unwrap().next(b"Hello", &mut ours));
    assert_eq!(ours, HELLO);
}

#[test]
fn s7_2_3_1_the_same_in_two_frames() {
    both_roles(&[(0x41, &HELLO[..3]), (0x80, &HELLO[3..])]);
}

#[test]
fn s7_2_3_2_sharing_the_window() {
    let second = &[0xf2, 0x00, 0x11, 0x00, 0x00][..];
    let trace = read_payloads(Direction::DEFAULT, &[HELLO, second]);
    assert_eq!(messages(trace), [b"Hello", b"Hello"]);
    let again = read_payloads(Direction::DEFAULT, &[HELLO, HELLO]);
    assert_eq!(messages(again), [b"Hello", b"Hello"]);
    let mut compressor = Compressor::new(WindowBits::MAX, 6, 8).unwrap();
    let (mut first, mut then) = (Vec::new(), Vec::new());
    assert!(compressor.next(b"Hello", &mut first) && compressor.next(b"Hello", &mut then));
    assert_eq!((&first[..], &then[..]), (HELLO, second));
}

#[test]
fn s7_2_3_3_a_block_without_compression() {
    let stored = [0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00];
    both_roles(&[(0xc1, &stored)]);
}

#[test]
fn s7_2_3_4_a_block_with_bfinal_set() {
    let last = [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00];
    both_roles(&[(0xc1, &last)]);
    // Some leave the empty block away; the message is as complete.
    both_roles(&[(0xc1, &last[..7])]);
    // What follows may still refer back over it.
    let second = &[0xf2, 0x00, 0x11, 0x00, 0x00][..];
    assert_eq!(messages(read_payloads(Direction::DEFAULT, &[&last, second])), [b"Hello"; 2]);
    // A fragment of two streams, the second of which refers back to the first.
    let two = [&last[..7], second].concat();
    assert_eq!(messages(read_payloads(Direction::ALONE, &[&two])), [b"HelloHello"]);
}

#[test]
fn s7_2_3_5_two_blocks() {
    let two = [0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00];
    both_roles(&[(0xc1, &two)]);
}

#[test]
fn s7_2_3_6_an_empty_message() {
    for payload in [&[0x00][..], &[0x02, 0x00], &[]] {
        let trace = read_payloads(Direction::DEFAULT, &[payload, HELLO]);
        assert_eq!(messages(trace), [&b""[..], b"Hello"], "{payload:?}");
    }
    for _ in 0..2 {
        let mut out = Vec::new();
        assert!(Compressor::new(WindowBits::MAX, 1, 8).unwrap().next(b"", &mut out));
        assert_eq!(out, [0x00]);
    }
}
