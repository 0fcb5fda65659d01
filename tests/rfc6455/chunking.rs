//! Chunk invariance: TCP may cut a stream anywhere, and nothing may depend on where.

use super::*;

/// The trace of `wire`, after comparing it with the traces of the same bytes one by one, and cut in
/// two at every place (every 97th beyond the first and last hundred of a long stream).
pub(crate) fn same_at_every_cut(role: Role, limits: Limits, wire: &[u8]) -> Trace {
    let whole = trace(role, limits, wire, &[]);
    assert_eq!(whole, trace(role, limits, wire, &[1]), "one by one");
    let near_an_end = |cut: usize| cut <= 100 || wire.len() - cut <= 100;
    for cut in (1..wire.len()).filter(|&cut| near_an_end(cut) || cut % 97 == 0) {
        assert_eq!(whole, trace(role, limits, wire, &[cut, wire.len() - cut]), "cut at {cut}");
    }
    whole
}

#[test]
fn a_stream_of_everything() {
    let mut wire = Vec::new();
    for piece in [
        masked(0x81, "grüße 🎺".as_bytes()),
        masked(0x82, &[0; 126]),
        masked(0x01, b"\xf0\x9f"),
        masked(0x89, &[7; 125]),
        masked(0x00, b"\x8e"),
        masked(0x00, b""),
        masked(0x8a, b""),
        masked(0x80, b"\xba"),
        masked(0x82, &vec![9; 40_000]),
        masked(0x88, b"\x03\xe8bye"),
    ] {
        wire.extend(piece);
    }
    let trace = read(&wire);
    let kinds: Vec<Opcode> = trace.events.iter().map(|(opcode, ..)| *opcode).collect();
    use Opcode::{Binary, Close, Ping, Pong, Text};
    assert_eq!(kinds, [Text, Binary, Ping, Pong, Text, Binary, Close]);
    assert_eq!(trace.events[4], event(Text, "🎺".as_bytes()));
    let normal = Some(CloseCode::NORMAL);
    assert_eq!(trace.events[6], (Close, normal, b"bye".to_vec()));
    assert_eq!(trace.error, None);
}

#[test]
fn every_error_comes_at_the_same_event_whatever_the_cut() {
    let good = masked(0x81, b"good");
    let huge = b"\x82\xff\x00\x00\x00\x00\x00\x01\x00\x01\x00\x00\x00\x00";
    let top = b"\x82\xff\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00";
    let long = b"\x82\xfe\x00\x05\x00\x00\x00\x00";
    let rows: [(Vec<u8>, Error); 17] = [
        (masked(0xc1, b"x"), Error::ReservedBits),
        (masked(0x83, b"x"), Error::ReservedOpcode),
        (frame(0x81, b"x", None), Error::Unmasked),
        (top.to_vec(), Error::LengthTopBit),
        (long.to_vec(), Error::LengthNotMinimal),
        (masked(0x09, b"x"), Error::ControlFragmented),
        (masked(0x89, &[0; 126]), Error::ControlTooLong),
        (masked(0x80, b"x"), Error::UnexpectedContinuation),
        ([masked(0x01, b"x"), masked(0x81, b"y")].concat(), Error::InterruptedMessage),
        (masked(0x88, b"\x03"), Error::CloseTooShort),
        (masked(0x88, b"\x03\xed"), Error::CloseCodeInvalid),
        (masked(0x88, b"\x03\xe8\xff"), Error::InvalidUtf8),
        (masked(0x81, b"ab\xffcd"), Error::InvalidUtf8),
        (masked(0x81, b"ab\xe2\x82"), Error::InvalidUtf8),
        ([masked(0x01, b"\xe2"), masked(0x80, b"\x28")].concat(), Error::InvalidUtf8),
        (huge.to_vec(), Error::TooLarge),
        (
            (0..17).flat_map(|n| masked(if n == 0 { 2 } else { 0 }, b"")).collect(),
            Error::TooManyParts,
        ),
    ];
    for (bad, error) in rows {
        let wire = [&good[..], &bad, &good].concat();
        let trace = read(&wire);
        assert_eq!(trace.events, [event(Opcode::Text, b"good")], "{error}");
        assert_eq!(trace.error, Some(error));
    }
}

/// The harness catches a reader that depends on its cuts: one with another limit per cut does.
#[test]
#[should_panic(expected = "cut at 7")]
fn a_dependence_on_cuts_is_caught() {
    let wire = masked(0x82, &[0; 20]);
    let whole = trace(Role::Server, LIMITS, &wire, &[]);
    for cut in 1..wire.len() {
        let message_bytes = if cut == 7 { 19 } else { 20 };
        let planted = Limits { message_bytes, ..LIMITS };
        assert_eq!(whole, trace(Role::Server, planted, &wire, &[cut, 20]), "cut at {cut}");
    }
}
