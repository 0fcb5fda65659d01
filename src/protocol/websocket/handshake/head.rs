//! The head of an HTTP message, collected until its empty line: RFC 9112 section 2.1.
//!
//! Law: linear, however the bytes are cut. Limit: the caller's, judged before a byte is kept.

use memchr::memmem;

const END: &[u8] = b"\r\n\r\n";

/// A head that is still coming.
#[derive(Clone, Debug)]
pub struct HeadBuffer {
    bytes: Vec<u8>,
    bytes_max: usize,
}

/// A head over its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadTooLarge;

impl HeadBuffer {
    /// An empty buffer for a head of at most `bytes_max` bytes, its empty line included.
    #[must_use]
    pub const fn new(bytes_max: usize) -> Self {
        Self { bytes: Vec::new(), bytes_max }
    }

    /// Takes the next bytes; when the head ends in them, returns how many of them were its.
    ///
    /// # Errors
    ///
    /// [`HeadTooLarge`] when it did not end within its limit.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Option<usize>, HeadTooLarge> {
        let room = self.bytes_max.saturating_sub(self.bytes.len());
        let piece = bytes.get(..room).unwrap_or(bytes);
        // The empty line may have begun in the three bytes before.
        let kept = self.bytes.len();
        let from = kept.saturating_sub(END.len().saturating_sub(1));
        self.bytes.extend_from_slice(piece);
        let fresh = self.bytes.get(from..).unwrap_or_default();
        if let Some(at) = memmem::find(fresh, END) {
            let len = from.saturating_add(at).saturating_add(END.len());
            self.bytes.truncate(len);
            return Ok(Some(len.saturating_sub(kept)));
        }
        if self.bytes.len() >= self.bytes_max { Err(HeadTooLarge) } else { Ok(None) }
    }

    /// What was collected.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_found_at_every_cut() {
        let head = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";
        let wire = [&head[..], b"\r\n\r\nrest"].concat();
        for cut in 0..wire.len() {
            let mut buffer = HeadBuffer::new(64);
            let first = buffer.push(&wire[..cut]).unwrap();
            let taken = match first {
                Some(taken) => taken,
                None => cut + buffer.push(&wire[cut..]).unwrap().unwrap(),
            };
            assert_eq!((taken, buffer.bytes()), (head.len(), &head[..]), "cut {cut}");
        }
    }

    #[test]
    fn the_limit_holds_whatever_the_cut() {
        for (limit, fits) in [(27, true), (26, false), (0, false)] {
            for step in [1, 5, 100] {
                let mut buffer = HeadBuffer::new(limit);
                let head = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";
                let end =
                    head.chunks(step).map(|piece| buffer.push(piece)).find(|r| *r != Ok(None));
                assert_eq!(end.unwrap().is_ok(), fits, "limit {limit}, step {step}");
                assert!(buffer.bytes().len() <= limit);
            }
        }
    }
}
