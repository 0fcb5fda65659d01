//! Section 6: RSV1 on the first frame of a compressed message, and nowhere else.

use super::*;

fn server(wire: &[u8]) -> Trace {
    read(Role::Server, both(Direction::ALONE), wire)
}

fn client(wire: &[u8]) -> Trace {
    read(Role::Client, both(Direction::ALONE), wire)
}

#[test]
fn s6_1_compressed_and_plain_messages_mix() {
    let hello = compressed(b"Hello");
    let wire = [masked(0xc1, &hello), masked(0x81, b"plain"), masked(0xc2, &hello)].concat();
    let expected = [
        (Opcode::Text, b"Hello".to_vec()),
        (Opcode::Text, b"plain".to_vec()),
        (Opcode::Binary, b"Hello".to_vec()),
    ];
    assert_eq!(server(&wire).events, expected);
    let wire = [bare(0xc1, &hello), bare(0x81, b"plain"), bare(0xc2, &hello)].concat();
    assert_eq!(client(&wire).events, expected);
}

#[test]
fn s6_1_a_message_is_fragmented_at_any_octet() {
    let message = text(600);
    let payload = compressed(&message);
    for cut in 0..=payload.len() {
        let (first, rest) = payload.split_at(cut);
        let wire = [masked(0x41, first), masked(0x00, b""), masked(0x80, rest)].concat();
        let trace = read_cut(Role::Server, both(Direction::ALONE), LIMITS, &wire, None);
        assert_eq!(messages(trace), [&message[..]], "{cut}");
    }
    let (first, rest) = payload.split_at(payload.len() / 2);
    let wire = [masked(0x42, first), masked(0x80, rest)].concat();
    assert_eq!(messages(server(&wire)), [message]);
}

#[test]
fn s6_1_one_octet_to_a_fragment() {
    let message = text(900);
    let payload = compressed(&message);
    let last = payload.len() - 1;
    let wire: Vec<u8> = payload
        .iter()
        .enumerate()
        .flat_map(|(at, &octet)| {
            let first = if at == 0 { 0x41 } else { 0x00 } | if at == last { 0x80 } else { 0x00 };
            masked(first, &[octet])
        })
        .collect();
    assert_eq!(messages(server(&wire)), [message]);
}

#[test]
fn s6_1_rsv1_on_a_continuation_is_an_error() {
    let hello = compressed(b"Hello");
    for first in [0xc0, 0x40] {
        let wire = [masked(0x41, &hello[..3]), masked(first, &hello[3..])].concat();
        assert_eq!(server(&wire), Trace { events: vec![], error: Some(Error::ReservedBits) });
        // Also behind a plain beginning, which is no compressed message at all.
        let wire = [masked(0x01, b"pl"), masked(first, b"ain")].concat();
        assert_eq!(server(&wire).error, Some(Error::ReservedBits));
    }
    assert_eq!(Error::ReservedBits.close_code().0, 1002);
}

#[test]
fn s6_1_control_frames_pass_between_fragments_and_are_never_compressed() {
    let hello = compressed(b"Hello");
    let wire = [
        masked(0x41, &hello[..2]),
        masked(0x89, b"ping"),
        masked(0x00, &hello[2..4]),
        masked(0x8a, b""),
        masked(0x80, &hello[4..]),
        masked(0x88, b"\x03\xe8bye"),
    ]
    .concat();
    let expected = [
        (Opcode::Ping, b"ping".to_vec()),
        (Opcode::Pong, Vec::new()),
        (Opcode::Text, b"Hello".to_vec()),
        (Opcode::Close, b"bye".to_vec()),
    ];
    assert_eq!(server(&wire), Trace { events: expected.to_vec(), error: None });
    for first in [0xc8, 0xc9, 0xca] {
        assert_eq!(server(&masked(first, b"")).error, Some(Error::ReservedBits));
    }
}

#[test]
fn s6_1_rsv2_and_rsv3_keep_no_meaning() {
    for first in [0xe1, 0xd1, 0xa1, 0x91] {
        assert_eq!(server(&masked(first, &compressed(b"x"))).error, Some(Error::ReservedBits));
    }
}

#[test]
fn s6_without_an_agreement_rsv1_is_an_error() {
    let mut wire = masked(0xc1, &compressed(b"Hello"));
    let mut decoder = Decoder::new(Role::Server, LIMITS);
    assert_eq!(decoder.decode(&mut wire, &mut 0), Err(Error::ReservedBits));
}

#[test]
fn s6_text_is_utf8_once_unfolded() {
    let good = masked(0xc1, &compressed("grüße 🎺".as_bytes()));
    assert_eq!(messages(server(&good)), ["grüße 🎺".as_bytes()]);
    let bad = masked(0xc1, &compressed(b"gr\xfc\xdfe"));
    assert_eq!(server(&bad).error, Some(Error::InvalidUtf8));
    let cut = masked(0xc1, &compressed(b"gr\xc3"));
    assert_eq!(server(&cut).error, Some(Error::InvalidUtf8));
    let binary = masked(0xc2, &compressed(b"gr\xfc\xdfe"));
    assert_eq!(messages(server(&binary)), [b"gr\xfc\xdfe"]);
}
