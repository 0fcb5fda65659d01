//! The header of a frame as it is read: RFC 6455 section 5.2.
//!
//! Two octets say how long the header is; a header is at most [`HEADER_BYTES_MAX`] long. What the
//! first two octets may be depends on the connection and is judged by the decoder.

use super::error::Error;

/// The longest header: two octets, a 64-bit length, a masking key.
pub(super) const HEADER_BYTES_MAX: usize = 14;

/// The longest payload of a control frame, RFC 6455 section 5.5.
pub(super) const CONTROL_BYTES_MAX: usize = 125;

/// The bit FIN of the first octet.
pub(super) const FIN: u8 = 0x80;
/// The bit RSV1 of the first octet.
pub(super) const RSV1: u8 = 0x40;
/// The bits RSV1, RSV2 and RSV3 of the first octet.
pub(super) const RSV: u8 = 0x70;
/// The bit MASK of the second octet.
pub(super) const MASK: u8 = 0x80;
/// The low bits of the second octet: a length, or where to find it.
pub(super) const LENGTH: u8 = 0x7f;
/// The length follows in 16 bits.
pub(super) const LENGTH_16: u8 = 126;
/// The length follows in 64 bits.
pub(super) const LENGTH_64: u8 = 127;

/// Which end of the connection this is: it decides who masks, RFC 6455 section 5.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Takes masked frames, sends bare ones.
    Server,
    /// Takes bare frames, sends masked ones.
    Client,
}

/// The length of the header whose second octet this is.
pub(super) const fn header_len(second: u8) -> usize {
    match (second & LENGTH, second & MASK != 0) {
        (LENGTH_64, true) => 14,
        (LENGTH_64, false) => 10,
        (LENGTH_16, true) => 8,
        (LENGTH_16, false) => 4,
        (_, true) => 6,
        (_, false) => 2,
    }
}

/// The payload length and the masking key (zeros when there is none) of a whole header.
///
/// # Errors
///
/// A length that is not in its shortest form, or whose top bit is set.
pub(super) fn length_and_key(header: &[u8]) -> Result<(u64, [u8; 4]), Error> {
    let second = header.get(1).copied().unwrap_or_default();
    let rest = header.get(2..).unwrap_or_default();
    let (length, rest) = match second & LENGTH {
        LENGTH_16 => match rest.split_first_chunk::<2>() {
            Some((length, rest)) => (u64::from(u16::from_be_bytes(*length)), rest),
            None => (0, rest),
        },
        LENGTH_64 => match rest.split_first_chunk::<8>() {
            Some((length, rest)) => (u64::from_be_bytes(*length), rest),
            None => (0, rest),
        },
        length => (u64::from(length), rest),
    };
    // "the most significant bit MUST be 0" and "the minimal number of bytes MUST be used".
    if length >> 63 != 0 {
        return Err(Error::LengthTopBit);
    }
    let shortest = match second & LENGTH {
        LENGTH_16 => length > 125,
        LENGTH_64 => length > 0xffff,
        _ => true,
    };
    if !shortest {
        return Err(Error::LengthNotMinimal);
    }
    Ok((length, rest.first_chunk().copied().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_in_their_three_forms() {
        let key = [1, 2, 3, 4];
        type Row = (&'static [u8], Result<u64, Error>);
        let rows: &[Row] = &[
            (&[0x82, 0x00], Ok(0)),
            (&[0x82, 0x7d], Ok(125)),
            (&[0x82, 0x7e, 0x00, 0x7e], Ok(126)),
            (&[0x82, 0x7e, 0xff, 0xff], Ok(65_535)),
            (&[0x82, 0x7e, 0x00, 0x7d], Err(Error::LengthNotMinimal)),
            (&[0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0], Ok(65_536)),
            (&[0x82, 0x7f, 0, 0, 0, 0, 0, 0, 0xff, 0xff], Err(Error::LengthNotMinimal)),
            (&[0x82, 0x7f, 0x80, 0, 0, 0, 0, 0, 0, 0], Err(Error::LengthTopBit)),
            (&[0x82, 0x7f, 0x7f, 255, 255, 255, 255, 255, 255, 255], Ok(u64::MAX >> 1)),
        ];
        for (bare, expected) in rows {
            assert_eq!(header_len(bare[1]), bare.len(), "{bare:?}");
            assert_eq!(length_and_key(bare).map(|(length, _)| length), *expected, "{bare:?}");
            let mut masked = bare.to_vec();
            masked[1] |= MASK;
            masked.extend(key);
            assert_eq!(header_len(masked[1]), masked.len(), "{masked:?}");
            assert_eq!(length_and_key(&masked), expected.map(|length| (length, key)));
        }
    }
}
