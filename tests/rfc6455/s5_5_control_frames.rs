//! Section 5.5: Close, Ping, Pong.

use super::*;

#[test]
fn s5_5_control_frames_must_have_125_bytes_or_less() {
    for opcode in [0x88, 0x89, 0x8a] {
        assert_eq!(fault(&masked(opcode, &[0; 126])), Some(Error::ControlTooLong));
        assert_eq!(fault(&masked(opcode, &vec![0; 70_000])), Some(Error::ControlTooLong));
    }
    let full = [b'x'; 125];
    assert_eq!(events(read(&masked(0x89, &full))), [event(Opcode::Ping, &full)]);
    assert_eq!(events(read(&masked(0x8a, &full))), [event(Opcode::Pong, &full)]);
    assert_eq!(Error::ControlTooLong.close_code(), CloseCode::PROTOCOL_ERROR);
}

#[test]
fn s5_5_1_a_close_may_be_empty() {
    assert_eq!(events(read(&masked(0x88, b""))), [event(Opcode::Close, b"")]);
}

#[test]
fn s5_5_1_the_first_two_bytes_must_be_the_code_in_network_order() {
    let close = |code: u16, reason: &[u8]| (Opcode::Close, Some(CloseCode(code)), reason.to_vec());
    assert_eq!(events(read(&masked(0x88, b"\x03\xe8"))), [close(1000, b"")]);
    assert_eq!(events(read(&masked(0x88, b"\x10\x68bye"))), [close(4200, b"bye")]);
    let long = [&b"\x03\xe9"[..], &[b'r'; 123]].concat();
    assert_eq!(events(read(&masked(0x88, &long))), [close(1001, &[b'r'; 123])]);
}

#[test]
fn s5_5_1_half_a_code_is_an_error() {
    assert_eq!(fault(&masked(0x88, b"\x03")), Some(Error::CloseTooShort));
    assert_eq!(Error::CloseTooShort.close_code(), CloseCode::PROTOCOL_ERROR);
}

#[test]
fn s5_5_1_the_reason_must_be_utf8() {
    for reason in [&b"\xff"[..], b"\xed\xa0\x80", b"ok\xe2\x82"] {
        let payload = [b"\x03\xe8", reason].concat();
        assert_eq!(fault(&masked(0x88, &payload)), Some(Error::InvalidUtf8));
    }
    assert_eq!(Error::InvalidUtf8.close_code(), CloseCode::INVALID_PAYLOAD);
}

#[test]
fn s5_5_2_a_ping_is_any_bytes() {
    let bytes = b"\x00\xff\xfe\xed\xa0\x80";
    assert_eq!(events(read(&masked(0x89, bytes))), [event(Opcode::Ping, bytes)]);
    assert_eq!(events(read(&masked(0x89, b""))), [event(Opcode::Ping, b"")]);
}

#[test]
fn s5_5_3_a_pong_may_come_unasked() {
    assert_eq!(events(read(&masked(0x8a, b"hm"))), [event(Opcode::Pong, b"hm")]);
}

#[test]
fn s7_4_every_code_is_accepted_or_refused() {
    for code in 0..=u16::MAX {
        let fine = matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
        let trace = trace(Role::Server, LIMITS, &masked(0x88, &code.to_be_bytes()), &[]);
        if fine {
            assert_eq!(events(trace), [(Opcode::Close, Some(CloseCode(code)), Vec::new())]);
        } else {
            assert_eq!(trace.error, Some(Error::CloseCodeInvalid), "{code}");
        }
    }
    assert_eq!(Error::CloseCodeInvalid.close_code(), CloseCode::PROTOCOL_ERROR);
}
