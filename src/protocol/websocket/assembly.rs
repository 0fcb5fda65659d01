//! Fragments and pieces put together: RFC 6455 section 5.4. What only some connections need, boxed.
//!
//! Law: memory grows with what arrived, never by what a header announced. A connection between
//! messages owns none of this.

use super::error::Error;
use super::extension::Extension;
use super::header::CONTROL_BYTES_MAX;
use super::utf8::Utf8;

/// What does not lie in one piece in the caller's bytes.
#[derive(Debug, Default)]
pub(super) struct Assembly {
    /// The message that is under way.
    pub(super) message: Option<Message>,
    /// The control frame that is under way, perhaps between two fragments.
    pub(super) control: Option<Control>,
    /// What the last event told of.
    pub(super) done: Option<Done>,
}

/// A payload that was reported as assembled.
#[derive(Debug)]
pub(super) enum Done {
    Message(Vec<u8>),
    /// A control frame, of which the first `skip` octets (a status code) are not told.
    Control {
        control: Control,
        skip: usize,
    },
}

impl Done {
    pub(super) fn payload(&mut self) -> &mut [u8] {
        match self {
            Self::Message(buffer) => buffer,
            Self::Control { control, skip } => {
                let len = usize::from(control.len);
                control.bytes.get_mut(*skip..len).unwrap_or_default()
            }
        }
    }
}

/// A message of which more is to come.
#[derive(Debug)]
pub(super) struct Message {
    /// Unmasked, with its extension undone.
    pub(super) buffer: Vec<u8>,
    /// Payload octets announced so far, as they are on the wire.
    pub(super) wire: u64,
    /// Frames so far.
    pub(super) parts: u32,
    pub(super) text: bool,
    /// Whether the extension claims it (RSV1 on the first frame).
    pub(super) claimed: bool,
    utf8: Utf8,
}

impl Message {
    pub(super) fn new(text: bool, claimed: bool, wire: u64) -> Self {
        Self { buffer: Vec::new(), wire, parts: 1, text, claimed, utf8: Utf8::default() }
    }

    /// Takes the next piece, unmasked; `last` when the message ends with it.
    ///
    /// # Errors
    ///
    /// Text that is not UTF-8, at the first octet that shows it; what the extension refuses.
    pub(super) fn push(
        &mut self,
        piece: &[u8],
        last: bool,
        cap: usize,
        extension: Option<&mut (dyn Extension + Send + 'static)>,
    ) -> Result<(), Error> {
        let before = self.buffer.len();
        let verdict = match extension {
            Some(extension) if self.claimed => {
                extension.decode(piece, last, cap, &mut self.buffer).map_err(Error::from)
            }
            _ => append(&mut self.buffer, piece),
        };
        if self.text {
            // Before the verdict: what was unfolded first is judged first, whatever the cuts.
            self.utf8.push(self.buffer.get(before..).unwrap_or_default())?;
        }
        verdict?;
        if last && self.text { self.utf8.finish() } else { Ok(()) }
    }
}

fn append(buffer: &mut Vec<u8>, piece: &[u8]) -> Result<(), Error> {
    buffer.try_reserve(piece.len()).map_err(|_| Error::OutOfMemory)?;
    buffer.extend_from_slice(piece);
    Ok(())
}

/// A control frame of which more is to come.
#[derive(Debug)]
pub(super) struct Control {
    bytes: [u8; CONTROL_BYTES_MAX],
    len: u8,
}

impl Control {
    pub(super) const fn new() -> Self {
        Self { bytes: [0; CONTROL_BYTES_MAX], len: 0 }
    }

    /// Takes the next piece, unmasked; the header has promised that it fits.
    pub(super) fn push(&mut self, piece: &[u8]) {
        let free = self.bytes.get_mut(usize::from(self.len)..).unwrap_or_default();
        for (place, &octet) in free.iter_mut().zip(piece) {
            *place = octet;
            self.len = self.len.saturating_add(1);
        }
    }

    pub(super) fn payload(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}
