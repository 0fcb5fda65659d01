//! Frames to bytes: RFC 6455 sections 5 and 6.1. The shortest length form; masks only as a client.

use std::ops::{Deref, Range};

use super::close_code::CloseCode;
use super::header::{CONTROL_BYTES_MAX, FIN, HEADER_BYTES_MAX, LENGTH_16, LENGTH_64, MASK, RSV1};
use super::mask;
use super::opcode::Opcode;

/// The longest reason of a close in bytes: a control frame less the code.
pub const REASON_BYTES_MAX: usize = 123;

/// A header, ready to be written; derefs to its octets.
#[derive(Clone, Copy, Debug)]
pub struct EncodedHeader {
    bytes: [u8; HEADER_BYTES_MAX],
    len: u8,
}

impl Deref for EncodedHeader {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

/// The header of a server's frame with a payload of `len` bytes (below 2^63).
#[must_use]
pub fn header(opcode: Opcode, fin: bool, rsv1: bool, len: u64) -> EncodedHeader {
    let mut bytes = [0; HEADER_BYTES_MAX];
    let fin = if fin { FIN } else { 0 };
    let rsv1 = if rsv1 { RSV1 } else { 0 };
    bytes[0] = fin | rsv1 | opcode.bits();
    let len = match (u8::try_from(len), u16::try_from(len)) {
        (Ok(len @ ..=125), _) => {
            bytes[1] = len;
            2
        }
        (_, Ok(len)) => {
            bytes[1] = LENGTH_16;
            bytes[2..4].copy_from_slice(&len.to_be_bytes());
            4
        }
        _ => {
            bytes[1] = LENGTH_64;
            bytes[2..10].copy_from_slice(&len.to_be_bytes());
            10
        }
    };
    EncodedHeader { bytes, len }
}

/// The header of a client's frame; its payload is to be masked with `key`.
#[must_use]
pub fn masked_header(
    opcode: Opcode,
    fin: bool,
    rsv1: bool,
    len: u64,
    key: [u8; 4],
) -> EncodedHeader {
    let mut header = header(opcode, fin, rsv1, len);
    header.bytes[1] |= MASK;
    let at = usize::from(header.len);
    if let Some(place) = header.bytes.get_mut(at..).and_then(|free| free.first_chunk_mut::<4>()) {
        *place = key;
        header.len = header.len.saturating_add(4);
    }
    header
}

/// Appends a server's frame, unfragmented.
pub fn encode_into(out: &mut Vec<u8>, opcode: Opcode, payload: &[u8]) {
    append(out, opcode, false, payload, None);
}

/// Appends a client's frame, unfragmented, masked with `key`.
pub fn encode_masked_into(out: &mut Vec<u8>, opcode: Opcode, payload: &[u8], key: [u8; 4]) {
    append(out, opcode, false, payload, Some(key));
}

/// Appends an unfragmented frame: a client's when there is a `key`, else a server's.
pub(super) fn append(
    out: &mut Vec<u8>,
    opcode: Opcode,
    rsv1: bool,
    payload: &[u8],
    key: Option<[u8; 4]>,
) {
    let len = payload.len() as u64;
    match key {
        Some(key) => out.extend_from_slice(&masked_header(opcode, true, rsv1, len, key)),
        None => out.extend_from_slice(&header(opcode, true, rsv1, len)),
    }
    let start = out.len();
    out.extend_from_slice(payload);
    if let Some(key) = key {
        mask::apply(out.get_mut(start..).unwrap_or_default(), key);
    }
}

/// The payload of a Close frame; derefs to its octets.
#[derive(Clone, Copy, Debug)]
pub struct ClosePayload {
    bytes: [u8; CONTROL_BYTES_MAX],
    len: u8,
}

impl Deref for ClosePayload {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

/// The payload of a Close frame, section 5.5.1; a `reason` over [`REASON_BYTES_MAX`] is cut before
/// the character that does not fit.
#[must_use]
pub fn close_payload(code: CloseCode, reason: &str) -> ClosePayload {
    let reason = reason.get(..reason.floor_char_boundary(REASON_BYTES_MAX)).unwrap_or_default();
    let mut bytes = [0; CONTROL_BYTES_MAX];
    let payload = code.0.to_be_bytes().into_iter().chain(reason.bytes());
    let mut len = 0_u8;
    for (place, octet) in bytes.iter_mut().zip(payload) {
        *place = octet;
        len = len.saturating_add(1);
    }
    ClosePayload { bytes, len }
}

/// Turns a payload that a decoder lent into a server's frame where it lies: the header is written
/// over the end of the client's, which is the longer one. Returns the range of the frame.
///
/// None when there is no room in front of the payload: the client's header began in an earlier
/// read, or `payload` is not one that a server's decoder lent. Then nothing was written.
#[must_use]
#[inline]
pub fn reframe(bytes: &mut [u8], payload: Range<usize>, opcode: Opcode) -> Option<Range<usize>> {
    let len = payload.end.checked_sub(payload.start)?;
    if let Ok(short @ ..=125) = u8::try_from(len) {
        let start = payload.start.checked_sub(2)?;
        *bytes.get_mut(start..payload.end)?.first_chunk_mut()? = [FIN | opcode.bits(), short];
        return Some(start..payload.end);
    }
    let header = header(opcode, true, false, len as u64);
    let start = payload.start.checked_sub(header.len())?;
    let room = bytes.get_mut(start..payload.end)?.get_mut(..header.len())?;
    room.copy_from_slice(&header);
    Some(start..payload.end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortest_length_form_is_used() {
        let rows: &[(u64, &[u8])] = &[
            (0, &[0x82, 0]),
            (125, &[0x82, 125]),
            (126, &[0x82, 126, 0, 126]),
            (65_535, &[0x82, 126, 0xff, 0xff]),
            (65_536, &[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ];
        for (len, expected) in rows {
            assert_eq!(&*header(Opcode::Binary, true, false, *len), *expected);
            let masked = masked_header(Opcode::Binary, true, false, *len, [9, 8, 7, 6]);
            let mut with_key = expected.to_vec();
            with_key[1] |= 0x80;
            with_key.extend([9, 8, 7, 6]);
            assert_eq!(&*masked, with_key);
        }
        assert_eq!(&*header(Opcode::Text, false, true, 1), [0x41, 1]);
    }

    #[test]
    fn a_long_reason_is_cut_at_a_character() {
        let rows = [
            ("", 0),
            ("bye", 3),
            (&"x".repeat(123), 123),
            (&"x".repeat(124), 123),
            (&"ß".repeat(62), 122),
            (&format!("{}\u{1f600}", "x".repeat(120)), 120),
        ];
        for (reason, len) in rows {
            let payload = close_payload(CloseCode(4200), reason);
            assert_eq!(payload[..2], [0x10, 0x68]);
            assert_eq!(std::str::from_utf8(&payload[2..]).unwrap(), &reason[..len]);
        }
    }

    #[test]
    fn reframing_writes_over_the_clients_header_only() {
        for (len, client, server) in [(0, 6, 2), (125, 6, 2), (126, 8, 4), (70_000, 14, 10)] {
            let mut bytes = vec![0xee; 3 + client + len + 2];
            let start = 3 + client;
            let frame = reframe(&mut bytes, start..start + len, Opcode::Text).unwrap();
            assert_eq!(frame, start - server..start + len);
            assert_eq!(bytes[frame][..server], *header(Opcode::Text, true, false, len as u64));
            assert!(bytes[..start - server].iter().all(|&octet| octet == 0xee));
            assert!(bytes[start..].iter().all(|&octet| octet == 0xee));
        }
        let mut short = [0xee; 4];
        for payload in [1..4, 3..9, Range { start: 4, end: 3 }] {
            assert_eq!(reframe(&mut short, payload, Opcode::Text), None);
        }
        assert_eq!(short, [0xee; 4]);
    }
}
