//! Section 5.2: the header.

use super::*;
use stentor::protocol::websocket::encoder;

#[test]
fn s5_2_the_reserved_bits_must_be_0_without_an_extension() {
    for rsv in [0x10, 0x20, 0x40, 0x70] {
        for opcode in [0x81, 0x82, 0x88, 0x89, 0x8a] {
            assert_eq!(fault(&masked(opcode | rsv, b"")), Some(Error::ReservedBits));
        }
        let fragments = [masked(0x01, b"a"), masked(0x80 | rsv, b"b")].concat();
        assert_eq!(fault(&fragments), Some(Error::ReservedBits));
    }
    assert_eq!(Error::ReservedBits.close_code(), CloseCode::PROTOCOL_ERROR);
}

#[test]
fn s5_2_an_unknown_opcode_must_fail_the_connection() {
    for opcode in [3, 4, 5, 6, 7, 0xb, 0xc, 0xd, 0xe, 0xf] {
        for fin in [0x80, 0x00] {
            assert_eq!(fault(&masked(fin | opcode, b"")), Some(Error::ReservedOpcode));
        }
    }
    assert_eq!(Error::ReservedOpcode.close_code(), CloseCode::PROTOCOL_ERROR);
}

#[test]
fn s5_2_the_length_must_be_in_its_shortest_form() {
    for length in [0_u16, 5, 125] {
        let mut wire = vec![0x82, 0xfe];
        wire.extend(length.to_be_bytes());
        wire.extend(KEY);
        assert_eq!(fault(&wire), Some(Error::LengthNotMinimal), "{length}");
    }
    for length in [0_u64, 125, 126, 65_535] {
        let mut wire = vec![0x82, 0xff];
        wire.extend(length.to_be_bytes());
        wire.extend(KEY);
        assert_eq!(fault(&wire), Some(Error::LengthNotMinimal), "{length}");
    }
    assert_eq!(Error::LengthNotMinimal.close_code(), CloseCode::PROTOCOL_ERROR);
}

#[test]
fn s5_2_the_top_bit_of_a_64_bit_length_must_be_0() {
    for length in [1 << 63, u64::MAX] {
        let mut wire = vec![0x82, 0xff];
        wire.extend(length.to_be_bytes());
        wire.extend(KEY);
        assert_eq!(fault(&wire), Some(Error::LengthTopBit));
    }
    assert_eq!(Error::LengthTopBit.close_code(), CloseCode::PROTOCOL_ERROR);
}

#[test]
fn s5_2_every_form_of_the_length_is_read() {
    for length in [0, 1, 125, 126, 127, 65_535, 65_536] {
        let payload = vec![b'x'; length];
        assert_eq!(events(read(&masked(0x82, &payload))), [event(Opcode::Binary, &payload)]);
        let bare = frame(0x81, &payload, None);
        assert_eq!(events(read_as_client(&bare)), [event(Opcode::Text, &payload)]);
    }
}

#[test]
fn s5_2_what_is_sent_has_the_shortest_length() {
    for length in [0, 125, 126, 65_535, 65_536] {
        let payload = vec![0; length];
        let mut out = Vec::new();
        encoder::encode_into(&mut out, Opcode::Binary, &payload);
        assert_eq!(out, frame(0x82, &payload, None));
        out.clear();
        encoder::encode_masked_into(&mut out, Opcode::Binary, &payload, KEY);
        assert_eq!(out, masked(0x82, &payload));
    }
}

#[test]
fn s5_7_the_examples() {
    let hello = |wire: &[u8]| events(read_as_client(wire));
    assert_eq!(hello(b"\x81\x05Hello"), [event(Opcode::Text, b"Hello")]);
    assert_eq!(hello(b"\x01\x03Hel\x80\x02lo"), [event(Opcode::Text, b"Hello")]);
    assert_eq!(hello(b"\x89\x05Hello"), [event(Opcode::Ping, b"Hello")]);
    let pong = b"\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
    assert_eq!(events(read(pong)), [event(Opcode::Pong, b"Hello")]);
    let text = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
    assert_eq!(events(read(text)), [event(Opcode::Text, b"Hello")]);
}
