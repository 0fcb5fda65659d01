//! One message in one block, framed for every door at once: WebSocket header, payload, `\n`.
//!
//! A WebSocket receiver gets the block without its last byte, a line receiver the block without
//! its header, so a broadcast is encoded once and allocated once however many receive it. The
//! payload holds no `\n` of its own: that is the encoder's duty.

use std::sync::Arc;

use super::websocket::{Opcode, encoder};

/// Room in front of the payload for the longest server header (RFC 6455 §5.2).
const HEADER_BYTES_MAX: usize = 10;

/// To what the block of a message that is kept is rounded up, bytes.
const BLOCK_STEP: usize = 64;

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
        Frame::of(self.bytes.get(usize::from(self.start)..).unwrap_or_default())
    }

    /// The same message for any number of receivers and for later: in the block of `spare`, if nobody
    /// else has that and it is neither too short nor much too long, else in a block of its own.
    #[must_use]
    pub fn share_in(&mut self, spare: Option<Frame>) -> Frame {
        let start = usize::from(self.start);
        let bytes = self.bytes.get(start..).unwrap_or_default();
        let len = bytes.len();
        if let Some(mut frame) = spare
            && (len..=len.saturating_mul(2).saturating_add(BLOCK_STEP)).contains(&frame.block.len())
            && let Some(place) =
                Arc::get_mut(&mut frame.block).and_then(|block| block.get_mut(..len))
        {
            place.copy_from_slice(bytes);
            return Frame { len: len as u32, ..frame };
        }
        // Of a round length, so that the next message of about this length fits in.
        let whole = self.bytes.len();
        self.bytes.resize(start.saturating_add(len.next_multiple_of(BLOCK_STEP)), 0);
        let frame = Frame { len: len as u32, ..self.share() };
        self.bytes.truncate(whole);
        frame
    }

    /// The buffer, to be used again.
    #[must_use]
    pub fn into_buffer(self) -> Vec<u8> {
        self.bytes
    }
}

/// A message for any number of receivers.
#[derive(Clone, Debug)]
pub struct Frame {
    /// May be longer than the message.
    block: Arc<[u8]>,
    /// Of the message with its framing. A message is at most 256 MiB.
    len: u32,
}

impl PartialEq for Frame {
    fn eq(&self, other: &Self) -> bool {
        self.bytes() == other.bytes()
    }
}

impl Eq for Frame {}

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
    fn of(bytes: &[u8]) -> Self {
        Self { block: Arc::from(bytes), len: bytes.len() as u32 }
    }

    fn bytes(&self) -> &[u8] {
        self.block.get(..self.len as usize).unwrap_or_default()
    }

    /// Whether the two are one block, not only equal.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.block, &other.block)
    }

    /// The memory that it holds, in bytes.
    #[must_use]
    pub fn block_bytes(&self) -> usize {
        self.block.len()
    }

    /// Header and payload.
    #[must_use]
    pub fn websocket(&self) -> &[u8] {
        self.bytes().split_last().map_or(&[], |(_, bytes)| bytes)
    }

    /// Payload and `\n`.
    #[must_use]
    pub fn line(&self) -> &[u8] {
        self.bytes().get(self.header_bytes()..).unwrap_or_default()
    }

    /// The payload alone.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        self.line().split_last().map_or(&[], |(_, bytes)| bytes)
    }

    /// The header tells its own length (RFC 6455 §5.2, Payload length).
    fn header_bytes(&self) -> usize {
        match self.block.get(1).map_or(0, |length| length & 0x7f) {
            126 => 4,
            127 => 10,
            _ => 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(text: &str) -> OwnFrame {
        let mut draft = Draft::new(Vec::new());
        draft.payload().extend_from_slice(text.as_bytes());
        draft.finish(Opcode::Text)
    }

    #[test]
    fn a_block_serves_again_when_nobody_else_has_it() {
        let first = own(&"a".repeat(70)).share_in(None);
        assert_eq!((first.payload().len(), first.block_bytes()), (70, 128));
        assert_eq!(first, own(&"a".repeat(70)).share(), "the rest of the block is no part of it");
        let place = first.block.as_ptr();
        for (bytes, kept) in [(125, true), (40, true), (120, true), (1, false), (130, false)] {
            let before = own(&"b".repeat(70)).share_in(None);
            let place = before.block.as_ptr();
            let text = "c".repeat(bytes);
            let mut message = own(&text);
            let after = message.share_in(Some(before));
            assert_eq!(after.block.as_ptr() == place && kept, kept, "{bytes}");
            for frame in [&after, &message.share()] {
                assert_eq!(frame.payload(), text.as_bytes());
                assert_eq!(frame.line(), format!("{text}\n").as_bytes());
                assert_eq!(frame.websocket(), message.websocket());
            }
        }
        let reader = first.clone();
        let other = own("d").share_in(Some(first));
        assert_ne!(other.block.as_ptr(), place, "somebody reads it");
        assert_eq!(reader.payload(), "a".repeat(70).as_bytes());
        let long = own(&"e".repeat(1000)).share_in(None);
        assert!(own("f").share_in(Some(long)).block_bytes() < 100, "much too long");
    }

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
