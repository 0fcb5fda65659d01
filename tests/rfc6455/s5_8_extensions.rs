//! Sections 5.8 and 9: a toy extension through the seam, both directions, both roles.

use super::*;
use stentor::protocol::websocket::{Decoder, Event, Extension, ExtensionError, Payload, encoder};

/// Every octet XOR 0x20; a message counts only when it was marked by RSV1.
#[derive(Debug)]
struct Flip;

impl Extension for Flip {
    fn decode(
        &mut self,
        piece: &[u8],
        _last: bool,
        cap: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), ExtensionError> {
        if out.len() + piece.len() > cap {
            return Err(ExtensionError::TooLarge);
        }
        out.extend(piece.iter().map(|octet| octet ^ 0x20));
        Ok(())
    }

    fn encode(&mut self, message: &[u8], out: &mut Vec<u8>) -> bool {
        out.extend(message.iter().map(|octet| octet ^ 0x20));
        !message.is_empty()
    }
}

fn decoded(role: Role, wire: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
    let mut decoder = Decoder::new(role, LIMITS);
    decoder.set_extension(Box::new(Flip));
    let (mut bytes, mut at, mut messages) = (wire.to_vec(), 0, Vec::new());
    while let Some(event) = decoder.decode(&mut bytes, &mut at)? {
        let Event::Message { payload, .. } = event else { panic!("{event:?}") };
        messages.push(match payload {
            Payload::Lent(range) => bytes[range].to_vec(),
            Payload::Assembled => decoder.take_assembled(),
        });
    }
    Ok(messages)
}

#[test]
fn s5_8_a_marked_message_goes_through_the_extension_and_others_do_not() {
    let mut wire = Vec::new();
    for (message, key) in [("hello", Some(KEY)), ("plain", None)] {
        let mut payload = Vec::new();
        let claimed = key.is_some() && Flip.encode(message.as_bytes(), &mut payload);
        if !claimed {
            payload = message.as_bytes().to_vec();
        }
        let len = payload.len() as u64;
        let header = encoder::masked_header(Opcode::Text, true, claimed, len, KEY);
        wire.extend_from_slice(&header);
        mask::apply(&mut payload, KEY);
        wire.extend(payload);
    }
    assert_eq!(wire[0], 0xc1);
    assert_eq!(decoded(Role::Server, &wire), Ok(vec![b"hello".to_vec(), b"plain".to_vec()]));
    assert_eq!(decoded(Role::Client, b"\xc1\x02HI"), Ok(vec![b"hi".to_vec()]));
}

#[test]
fn s5_8_the_mark_is_on_the_first_fragment_only() {
    let good = [masked(0x41, b"HE"), masked(0x80, b"LLO")].concat();
    assert_eq!(decoded(Role::Server, &good), Ok(vec![b"hello".to_vec()]));
    let bad = [masked(0x41, b"HE"), masked(0xc0, b"LLO")].concat();
    assert_eq!(decoded(Role::Server, &bad), Err(Error::ReservedBits));
}

#[test]
fn s5_8_only_rsv1_is_granted() {
    for first in [0xa1, 0x91, 0xe1, 0xc9, 0xc8] {
        assert_eq!(decoded(Role::Server, &masked(first, b"")), Err(Error::ReservedBits));
    }
}
