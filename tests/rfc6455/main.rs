//! RFC 6455, one test per MUST, in a file per section; the name of a test begins with its section.
//!
//! Law: every stream that `read` sees is also read in all the cuts of `chunking`.

mod chunking;
mod s4_1_client_handshake;
mod s4_2_server_handshake;
mod s5_1_masking_roles;
mod s5_2_base_framing;
mod s5_4_fragmentation;
mod s5_5_control_frames;
mod s5_6_data_frames;
mod s5_8_extensions;
mod s6_messages;
mod s7_closing;
mod s8_1_utf8;
mod s9_1_negotiation;

use stentor::protocol::websocket::laws::{Trace, trace};
use stentor::protocol::websocket::{CloseCode, Error, Limits, Opcode, Role, mask};

/// The masking key of the examples in section 5.7.
const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

const LIMITS: Limits = Limits { message_bytes: 64 * 1024, parts_per_message: 16 };

/// A frame by hand: `first` is FIN, the RSV bits and the opcode; the length in its shortest form.
fn frame(first: u8, payload: &[u8], key: Option<[u8; 4]>) -> Vec<u8> {
    let mask_bit = if key.is_some() { 0x80 } else { 0 };
    let mut out = vec![first];
    match payload.len() {
        len @ 0..=125 => out.push(mask_bit | len as u8),
        len @ 126..=65_535 => {
            out.push(mask_bit | 126);
            out.extend((len as u16).to_be_bytes());
        }
        len => {
            out.push(mask_bit | 127);
            out.extend((len as u64).to_be_bytes());
        }
    }
    out.extend(key.into_iter().flatten());
    let start = out.len();
    out.extend(payload);
    if let Some(key) = key {
        mask::apply(&mut out[start..], key);
    }
    out
}

/// A client's frame.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    frame(first, payload, Some(KEY))
}

/// What a server makes of `wire`, which is the same at every cut.
fn read(wire: &[u8]) -> Trace {
    chunking::same_at_every_cut(Role::Server, LIMITS, wire)
}

/// What a client makes of `wire`.
fn read_as_client(wire: &[u8]) -> Trace {
    chunking::same_at_every_cut(Role::Client, LIMITS, wire)
}

/// The error that `wire` ends with at a server.
fn fault(wire: &[u8]) -> Option<Error> {
    read(wire).error
}

/// Events in short.
fn event(opcode: Opcode, payload: &[u8]) -> (Opcode, Option<CloseCode>, Vec<u8>) {
    (opcode, None, payload.to_vec())
}

/// What came out, without an error.
fn events(trace: Trace) -> Vec<(Opcode, Option<CloseCode>, Vec<u8>)> {
    assert_eq!(trace.error, None);
    trace.events
}

#[test]
fn the_harness_masks_as_the_rfc_does() {
    // Section 5.7: a masked "Hello".
    assert_eq!(masked(0x81, b"Hello"), b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
    assert_eq!(trace(Role::Server, LIMITS, &[], &[]), Trace::default());
}
