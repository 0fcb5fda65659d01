//! Sections 5.1 and 5.3: who masks, and how.

use super::*;
use stentor::protocol::websocket::encoder;

#[test]
fn s5_1_a_server_must_close_on_a_frame_that_is_not_masked() {
    for first in [0x81, 0x82, 0x88, 0x89, 0x8a] {
        assert_eq!(fault(&frame(first, b"", None)), Some(Error::Unmasked));
        assert_eq!(fault(&frame(first, b"\x03\xe8", None)), Some(Error::Unmasked));
    }
    assert_eq!(Error::Unmasked.close_code(), CloseCode::PROTOCOL_ERROR);
}

#[test]
fn s5_1_a_client_must_close_on_a_masked_frame() {
    for first in [0x81, 0x82, 0x88, 0x89, 0x8a] {
        assert_eq!(read_as_client(&masked(first, b"")).error, Some(Error::Masked));
    }
    assert_eq!(Error::Masked.close_code(), CloseCode::PROTOCOL_ERROR);
}

#[test]
fn s5_1_a_server_must_not_mask_and_a_client_must() {
    let (mut server, mut client) = (Vec::new(), Vec::new());
    encoder::encode_into(&mut server, Opcode::Text, b"Hello");
    encoder::encode_masked_into(&mut client, Opcode::Text, b"Hello", KEY);
    assert_eq!(server, b"\x81\x05Hello");
    assert_eq!(client, b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
}

#[test]
fn s5_3_octet_i_of_the_payload_meets_octet_i_mod_4_of_the_key() {
    let plain: Vec<u8> = (0..=255).collect();
    for key in [[0; 4], [0xff; 4], [1, 2, 4, 8], KEY] {
        let wire: Vec<u8> = plain.iter().zip(key.iter().cycle()).map(|(a, b)| a ^ b).collect();
        let mut whole = vec![0x82, 0xfe, 1, 0];
        whole.extend(key);
        whole.extend(wire);
        assert_eq!(events(read(&whole)), [event(Opcode::Binary, &plain)]);
    }
}
