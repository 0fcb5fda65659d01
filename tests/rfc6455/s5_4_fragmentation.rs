//! Section 5.4: fragments, and section 10.4: their limits.

use super::*;

#[test]
fn s5_4_a_message_is_its_fragments_in_their_order() {
    for parts in [&[&b"a"[..], b"b"][..], &[b"a", b"", b"b"], &[b"", b"", b"ab"], &[b"ab", b""]] {
        let mut wire = Vec::new();
        for (index, part) in parts.iter().enumerate() {
            let fin = if index + 1 == parts.len() { 0x80 } else { 0 };
            wire.extend(masked(fin | u8::from(index == 0), part));
        }
        assert_eq!(events(read(&wire)), [event(Opcode::Text, b"ab")], "{parts:?}");
    }
}

#[test]
fn s5_4_control_frames_may_be_injected_and_must_be_handled_there() {
    let wire = [
        masked(0x02, b"1"),
        masked(0x89, b"ping"),
        masked(0x00, b"2"),
        masked(0x8a, b"pong"),
        masked(0x80, b"3"),
    ];
    let expected =
        [event(Opcode::Ping, b"ping"), event(Opcode::Pong, b"pong"), event(Opcode::Binary, b"123")];
    assert_eq!(events(read(&wire.concat())), expected);
}

#[test]
fn s5_4_control_frames_must_not_be_fragmented() {
    for first in [0x08, 0x09, 0x0a] {
        assert_eq!(fault(&masked(first, b"")), Some(Error::ControlFragmented));
    }
    assert_eq!(Error::ControlFragmented.close_code(), CloseCode::PROTOCOL_ERROR);
}

#[test]
fn s5_4_fragments_of_two_messages_must_not_be_interleaved() {
    for first in [0x01, 0x02, 0x81, 0x82] {
        let wire = [masked(0x01, b"a"), masked(first, b"b")].concat();
        assert_eq!(fault(&wire), Some(Error::InterruptedMessage));
    }
    assert_eq!(Error::InterruptedMessage.close_code(), CloseCode::PROTOCOL_ERROR);
}

#[test]
fn s5_4_a_continuation_needs_a_message() {
    for first in [0x00, 0x80] {
        assert_eq!(fault(&masked(first, b"")), Some(Error::UnexpectedContinuation));
        let after = [masked(0x81, b"whole"), masked(first, b"")].concat();
        assert_eq!(fault(&after), Some(Error::UnexpectedContinuation));
        let after = [masked(0x01, b"1"), masked(0x80, b"2"), masked(first, b"3")].concat();
        assert_eq!(fault(&after), Some(Error::UnexpectedContinuation));
    }
    assert_eq!(Error::UnexpectedContinuation.close_code(), CloseCode::PROTOCOL_ERROR);
}

#[test]
fn s10_4_a_message_is_limited_whole_or_in_fragments() {
    let limit = LIMITS.message_bytes;
    let half = vec![0; limit / 2];
    let exact = [masked(0x02, &half), masked(0x80, &half)].concat();
    assert_eq!(events(read(&exact)), [event(Opcode::Binary, &vec![0; limit])]);
    let over = [masked(0x02, &half), masked(0x00, &half), masked(0x80, b"x")].concat();
    assert_eq!(fault(&over), Some(Error::TooLarge));
    assert_eq!(fault(&masked(0x82, &vec![0; limit + 1])), Some(Error::TooLarge));
    assert_eq!(Error::TooLarge.close_code(), CloseCode::TOO_LARGE);
}

#[test]
fn s10_4_an_announced_length_is_refused_before_a_byte_of_it_comes() {
    for length in [65_537, 1 << 32, (1 << 63) - 1_u64] {
        let mut wire = vec![0x82, 0xff];
        wire.extend(length.to_be_bytes());
        wire.extend(KEY);
        assert_eq!(fault(&wire), Some(Error::TooLarge), "{length}");
    }
}

#[test]
fn s10_4_fragments_are_counted_empty_ones_too() {
    let parts = |count: usize| {
        let first = masked(0x02, b"");
        let more = masked(0x00, b"").repeat(count - 2);
        [first, more, masked(0x80, b"")].concat()
    };
    assert_eq!(events(read(&parts(16))), [event(Opcode::Binary, b"")]);
    assert_eq!(fault(&parts(17)), Some(Error::TooManyParts));
    assert_eq!(Error::TooManyParts.close_code(), CloseCode::POLICY_VIOLATION);
}
