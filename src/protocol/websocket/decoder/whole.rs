//! The common case: a short message in one frame that lies whole in what was received.
//!
//! Law: what comes out is what the general way would give, byte for byte and error for error; what
//! is no such frame is left untouched for it. `decoder/tests.rs` compares the two.

use std::ops::Range;

use super::{Decoder, Limits, Stage};
use crate::protocol::websocket::error::Error;
use crate::protocol::websocket::header::{FIN, LENGTH_16, MASK, Role};
use crate::protocol::websocket::mask;
use crate::protocol::websocket::opcode::Opcode;

const TEXT: u8 = FIN | Opcode::Text.bits();
const BINARY: u8 = FIN | Opcode::Binary.bits();
const MASKED_16: u8 = MASK | LENGTH_16;
/// A masking key, which only clients send: by so much their header is longer.
const KEY_BYTES: usize = 4;

impl Decoder {
    /// The message at `at`, with `at` moved behind it; none when it is not of the common kind.
    pub(super) fn whole(
        &mut self,
        bytes: &mut [u8],
        at: &mut usize,
    ) -> Result<Option<(bool, Range<usize>)>, Error> {
        self.common().map_or(Ok(None), |limits| lent(limits, bytes, at, None))
    }

    /// The limits to read messages of the common kind by, with [`lent`]; none while it stands
    /// inside of something.
    #[inline]
    pub(crate) fn common(&self) -> Option<Limits> {
        let between = matches!(self.stage, Stage::Header { len: 0, .. });
        let common = between && self.assembly.is_none() && self.role == Role::Server;
        (common && self.limits.parts_per_message > 0).then_some(self.limits)
    }
}

/// Whether the message at `at` is text, and where its payload lies, with `at` moved behind it; none
/// when it is not of the common kind.
///
/// With a `floor`, which is where the server's last frame ends, it is moved down so far that a
/// server's header fits between that and the payload.
#[inline]
pub(crate) fn lent(
    limits: Limits,
    bytes: &mut [u8],
    at: &mut usize,
    floor: Option<usize>,
) -> Result<Option<(bool, Range<usize>)>, Error> {
    let Some(found) = find(bytes.get(*at..).unwrap_or_default()) else { return Ok(None) };
    let Found { text, head, len, key } = found;
    if len > limits.message_bytes {
        return Ok(None);
    }
    // Nothing wraps: `find` has seen that all of it is there.
    let start = at.wrapping_add(head);
    let end = start.wrapping_add(len);
    let to = match floor {
        Some(floor) => floor.wrapping_add(head).wrapping_sub(KEY_BYTES).min(start),
        None => start,
    };
    let Some(ascii) = mask::apply_down(bytes, start..end, to, key) else { return Ok(None) };
    *at = end;
    let place = to..to.wrapping_add(len);
    if text && !ascii {
        let payload = bytes.get(place.clone()).unwrap_or_default();
        simdutf8::basic::from_utf8(payload).map_err(|_| Error::InvalidUtf8)?;
    }
    Ok(Some((text, place)))
}

struct Found {
    text: bool,
    /// Octets of the header.
    head: usize,
    len: usize,
    key: [u8; 4],
}

/// A masked data frame without extension bits, of less than 64 KiB, whole.
#[inline]
fn find(rest: &[u8]) -> Option<Found> {
    let (&[first, second, a, b, c, d], _) = rest.split_first_chunk()?;
    let text = first == TEXT;
    if !text && first != BINARY {
        return None;
    }
    let found = if second == MASKED_16 {
        // A length that had to be told in one octet is for the general way to refuse.
        let len = usize::from(u16::from_be_bytes([a, b]));
        if len < usize::from(LENGTH_16) {
            return None;
        }
        Found { text, head: 8, len, key: *rest.get(4..)?.first_chunk()? }
    } else {
        // Less than MASK: a bare frame. Above: its length is in 64 bits.
        let len = usize::from(second.checked_sub(MASK)?);
        if len > usize::from(LENGTH_16) {
            return None;
        }
        Found { text, head: 6, len, key: [a, b, c, d] }
    };
    (rest.len() >= found.head.wrapping_add(found.len)).then_some(found)
}
