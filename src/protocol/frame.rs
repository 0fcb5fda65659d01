//! One message in one block, framed for every door at once: WebSocket header, payload, `\n`.
//!
//! A WebSocket receiver gets the block without its last byte, a line receiver the block without
//! its header, so a broadcast is encoded once and allocated once however many receive it. The
//! payload holds no `\n` of its own: that is the encoder's duty.

use std::sync::Arc;

use super::websocket::{Opcode, encoder};

/// Room in front of the payload for the longest server header (RFC 6455 §5.2).
const HEADER_BYTES_MAX: usize = 10;

/// A payload being written, with room for its framing.
///
/// Made from a buffer that is used again, so that a reply need not allocate.
#[derive(Debug)]
pub struct Draft {
    bytes: Vec<u8>,
}

impl Draft {
    /// An empty payload; `buffer` lends its capacity.
    #[must_use]
    pub fn new(mut buffer: Vec<u8>) -> Self {
        buffer.clear();
        buffer.extend_from_slice(&[0; HEADER_BYTES_MAX]);
        Self { bytes: buffer }
    }

    /// Where the payload is appended. What stands there already must stay.
    pub const fn payload(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Closes the payload as one message with `opcode` on WebSocket.
    #[must_use]
    pub fn finish(self, opcode: Opcode) -> OwnFrame {
        self.finish_as(opcode, false)
    }

    /// Closes the payload, which is compressed (RSV1, RFC 7692 section 6): for WebSocket only.
    #[must_use]
    pub fn finish_compressed(self, opcode: Opcode) -> OwnFrame {
        self.finish_as(opcode, true)
    }

    fn finish_as(mut self, opcode: Opcode, rsv1: bool) -> OwnFrame {
        let payload_bytes = self.bytes.len().saturating_sub(HEADER_BYTES_MAX);
        let header = encoder::header(opcode, true, rsv1, payload_bytes as u64);
        let start = HEADER_BYTES_MAX.saturating_sub(header.len());
        if let Some(place) = self.bytes.get_mut(start..HEADER_BYTES_MAX) {
            place.copy_from_slice(&header);
        }
        self.bytes.push(b'\n');
        OwnFrame { bytes: self.bytes, start: start as u8, plain: rsv1 }
    }

    /// The buffer, to be used again.
    #[must_use]
    pub fn into_buffer(self) -> Vec<u8> {
        self.bytes
    }
}

/// A message for one receiver.
#[derive(Debug)]
pub struct OwnFrame {
    bytes: Vec<u8>,
    start: u8,
    plain: bool,
}

impl OwnFrame {
    /// Header and payload.
    #[must_use]
    pub fn websocket(&self) -> &[u8] {
        let end = self.bytes.len().saturating_sub(1);
        self.bytes.get(usize::from(self.start)..end).unwrap_or_default()
    }

    /// Payload and `\n`.
    #[must_use]
    pub fn line(&self) -> &[u8] {
        self.bytes.get(HEADER_BYTES_MAX..).unwrap_or_default()
    }

    /// The payload alone.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        let end = self.bytes.len().saturating_sub(1);
        self.bytes.get(HEADER_BYTES_MAX..end).unwrap_or_default()
    }

    /// The same message, never to be compressed: it holds a secret beside what others may choose,
    /// and the length of the two together would tell (CRIME, BREACH).
    #[must_use]
    pub fn uncompressed(self) -> Self {
        Self { plain: true, ..self }
    }

    /// Whether it may be compressed, and is not yet.
    #[must_use]
    pub const fn may_be_compressed(&self) -> bool {
        !self.plain
    }

    /// The same message for any number of receivers: the one allocation of a broadcast.
    #[must_use]
    pub fn share(&self) -> Frame {
        Frame(Arc::from(self.bytes.get(usize::from(self.start)..).unwrap_or_default()))
    }

    /// The buffer, to be used again.
    #[must_use]
    pub fn into_buffer(self) -> Vec<u8> {
        self.bytes
    }
}

/// A message for any number of receivers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame(Arc<[u8]>);

/// A message for many, who have it in common only if they must: whoever hands it out decides.
#[derive(Debug)]
pub enum Common {
    /// Its buffer is still its own, and serves again.
    Own(OwnFrame),
    /// Others have it too.
    Shared(Frame),
}

impl Common {
    /// Header and payload.
    #[must_use]
    pub fn websocket(&self) -> &[u8] {
        match self {
            Self::Own(frame) => frame.websocket(),
            Self::Shared(frame) => frame.websocket(),
        }
    }

    /// Payload and `\n`.
    #[must_use]
    pub fn line(&self) -> &[u8] {
        match self {
            Self::Own(frame) => frame.line(),
            Self::Shared(frame) => frame.line(),
        }
    }

    /// The payload alone.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        match self {
            Self::Own(frame) => frame.payload(),
            Self::Shared(frame) => frame.payload(),
        }
    }

    /// Whether it may be compressed, and is not yet.
    #[must_use]
    pub const fn may_be_compressed(&self) -> bool {
        match self {
            Self::Own(frame) => frame.may_be_compressed(),
            Self::Shared(_) => true,
        }
    }

    /// The same message for any number of receivers.
    #[must_use]
    pub fn share(&self) -> Frame {
        match self {
            Self::Own(frame) => frame.share(),
            Self::Shared(frame) => frame.clone(),
        }
    }
}

impl From<OwnFrame> for Common {
    fn from(frame: OwnFrame) -> Self {
        Self::Own(frame)
    }
}

impl From<Frame> for Common {
    fn from(frame: Frame) -> Self {
        Self::Shared(frame)
    }
}

impl Frame {
    /// Whether the two are one block, not only equal.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Header and payload.
    #[must_use]
    pub fn websocket(&self) -> &[u8] {
        self.0.split_last().map_or(&[], |(_, bytes)| bytes)
    }

    /// Payload and `\n`.
    #[must_use]
    pub fn line(&self) -> &[u8] {
        self.0.get(self.header_bytes()..).unwrap_or_default()
    }

    /// The payload alone.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        self.line().split_last().map_or(&[], |(_, bytes)| bytes)
    }

    /// The header tells its own length (RFC 6455 §5.2, Payload length).
    fn header_bytes(&self) -> usize {
        match self.0.get(1).map_or(0, |length| length & 0x7f) {
            126 => 4,
            127 => 10,
            _ => 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_framings_of_every_length_form() {
        for bytes in [0, 1, 125, 126, 65_535, 65_536] {
            let text = "x".repeat(bytes);
            let mut draft = Draft::new(b"old".to_vec());
            draft.payload().extend_from_slice(text.as_bytes());
            let own = draft.finish(Opcode::Text);
            let header = encoder::header(Opcode::Text, true, false, bytes as u64);
            let shared = own.share();
            for (websocket, line, payload) in [
                (own.websocket(), own.line(), own.payload()),
                (shared.websocket(), shared.line(), shared.payload()),
            ] {
                assert_eq!(websocket, [&header, text.as_bytes()].concat());
                assert_eq!(line, format!("{text}\n").as_bytes());
                assert_eq!(payload, text.as_bytes());
            }
        }
    }
}
