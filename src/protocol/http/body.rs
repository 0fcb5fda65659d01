//! The body of a request: by length or by chunks, whole in memory (RFC 9112 §6).
//!
//! Law: a body over the limit is refused before it is read when its length is known, at the limit
//! when not. Limit: the one of the caller; memory grows with what has come, not with what is said.

use super::Error;
use super::chunked::Decoder;
use super::framing::Framing;

/// Gathers a body.
pub(super) enum Reader {
    /// So many bytes are still to come.
    Length { bytes: Vec<u8>, left: usize },
    /// Chunks, and a trailer after the last.
    Chunked(Decoder),
}

impl Reader {
    /// A reader of a body framed so.
    pub(super) fn new(framing: &Framing, limit: usize) -> Result<Self, Error> {
        match framing {
            Framing::Chunked => Ok(Self::Chunked(Decoder::default())),
            Framing::Length(length) => match usize::try_from(*length) {
                Ok(left) if left <= limit => Ok(Self::Length { bytes: Vec::new(), left }),
                Ok(_) | Err(_) => Err(Error::ContentTooLarge),
            },
        }
    }

    /// Whether nothing is to come.
    pub(super) const fn is_whole(&self) -> bool {
        match self {
            Self::Length { left, .. } => *left == 0,
            Self::Chunked(decoder) => decoder.is_done(),
        }
    }

    /// Reads on; true when the body is whole.
    pub(super) fn read(
        &mut self,
        bytes: &[u8],
        at: &mut usize,
        limit: usize,
    ) -> Result<bool, Error> {
        match self {
            Self::Length { bytes: body, left } => take(body, left, bytes, at),
            Self::Chunked(decoder) => decoder.read(bytes, at, limit)?,
        }
        Ok(self.is_whole())
    }

    /// What has come.
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Length { bytes, .. } => bytes,
            Self::Chunked(decoder) => decoder.body(),
        }
    }
}

/// Moves up to `left` bytes of `bytes[*at..]` into `body`.
pub(super) fn take(body: &mut Vec<u8>, left: &mut usize, bytes: &[u8], at: &mut usize) {
    let rest = bytes.get(*at..).unwrap_or_default();
    let piece = rest.get(..*left).unwrap_or(rest);
    body.extend_from_slice(piece);
    *left = left.saturating_sub(piece.len());
    *at = at.saturating_add(piece.len());
}
