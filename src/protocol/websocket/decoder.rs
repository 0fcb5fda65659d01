//! Bytes to messages: RFC 6455 sections 5 and 6.2, for both roles.
//!
//! Law: however the bytes are cut, the same events and the same error come out. A message that lies
//! in one piece is unmasked and lent where it lies: no copy, no allocation. After an error the
//! decoder is dead and repeats it.
//! Limit: [`Limits`], judged by the header alone, before a payload octet is kept.

use super::assembly::{Assembly, Control, Done, Message};
use super::error::Error;
use super::event::{Event, Payload};
use super::extension::Extension;
use super::header::{
    CONTROL_BYTES_MAX, FIN, HEADER_BYTES_MAX, LENGTH, MASK, RSV, RSV1, Role, header_len,
    length_and_key,
};
use super::mask;
use super::opcode::Opcode;

/// How much of a message a peer may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one message, also after its extension is undone.
    pub message_bytes: usize,
    /// Frames of one message, empty ones included.
    pub parts_per_message: u32,
}

/// The receiving half of a connection after its handshake.
#[derive(Debug)]
pub struct Decoder {
    limits: Limits,
    assembly: Option<Box<Assembly>>,
    extension: Option<Box<dyn Extension + Send>>,
    stage: Stage,
    role: Role,
}

/// Where in the stream the decoder stands.
#[derive(Clone, Copy, Debug)]
enum Stage {
    /// Before a header, or `len` octets into it.
    Header { bytes: [u8; HEADER_BYTES_MAX], len: u8 },
    /// Inside a payload.
    Payload(Frame),
    /// Failed, for this reason.
    Dead(Error),
}

const AT_HEADER: Stage = Stage::Header { bytes: [0; HEADER_BYTES_MAX], len: 0 };

/// A frame whose header was read.
#[derive(Clone, Copy, Debug)]
struct Frame {
    /// Payload octets still to come.
    remaining: u64,
    /// The masking key, turned to the next octet.
    key: [u8; 4],
    opcode: Opcode,
    fin: bool,
    /// RSV1: the extension claims the message.
    claimed: bool,
}

impl Decoder {
    /// A decoder for the bytes that follow the handshake.
    #[must_use]
    pub const fn new(role: Role, limits: Limits) -> Self {
        Self { limits, assembly: None, extension: None, stage: AT_HEADER, role }
    }

    /// Sets the limits for frames whose header is still to come.
    pub const fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// The limits in force.
    #[must_use]
    pub const fn limits(&self) -> Limits {
        self.limits
    }

    /// Sets the extension that the handshake agreed on; RSV1 has a meaning from now on.
    pub fn set_extension(&mut self, extension: Box<dyn Extension + Send>) {
        self.extension = Some(extension);
    }

    /// The extension, for encoding; it is one object for both directions.
    pub fn extension_mut(&mut self) -> Option<&mut (dyn Extension + Send + 'static)> {
        self.extension.as_deref_mut()
    }

    /// Whether the peer is inside a message or a frame, so that silence is suspicious.
    #[must_use]
    pub fn is_mid_message(&self) -> bool {
        let between = matches!(self.stage, Stage::Header { len: 0, .. });
        !between || self.assembly.as_ref().is_some_and(|assembly| assembly.message.is_some())
    }

    /// The payload that the last event called [`Payload::Assembled`]; empty when it did not.
    pub fn assembled(&mut self) -> &mut [u8] {
        match &mut self.assembly {
            Some(assembly) => assembly.done.as_mut().map(Done::payload).unwrap_or_default(),
            None => &mut [],
        }
    }

    /// The payload that the last event called [`Payload::Assembled`], given away; a second call, or
    /// [`assembled`](Self::assembled) after it, finds nothing.
    pub fn take_assembled(&mut self) -> Vec<u8> {
        let done = self.assembly.as_mut().and_then(|assembly| assembly.done.take());
        self.release();
        match done {
            Some(Done::Message(buffer)) => buffer,
            Some(mut control) => control.payload().to_vec(),
            None => Vec::new(),
        }
    }

    /// Frees the payload that the last event called [`Payload::Assembled`]; the next
    /// [`decode`](Self::decode) does it too.
    pub fn release(&mut self) {
        if let Some(assembly) = &mut self.assembly {
            assembly.done = None;
            if assembly.message.is_none() && assembly.control.is_none() {
                self.assembly = None;
            }
        }
    }

    /// The next event in `bytes` from `at` on, with `at` moved behind it; none when all of it was
    /// taken. Payloads are unmasked where they lie; nothing need be given twice.
    ///
    /// # Errors
    ///
    /// What the peer did wrong; the connection is to be failed (section 7.1.7). Every later call
    /// returns the same error.
    pub fn decode(&mut self, bytes: &mut [u8], at: &mut usize) -> Result<Option<Event>, Error> {
        match self.whole(bytes, at) {
            Ok(Some((text, place))) => {
                return Ok(Some(Event::Message { text, payload: Payload::Lent(place) }));
            }
            Ok(None) => self.release(),
            Err(error) => return Err(self.dead(error)),
        }
        self.next(bytes, at).map_err(|error| self.dead(error))
    }

    /// Takes the error that [`lent`] found, and repeats it from now on.
    #[cold]
    pub(crate) fn dead(&mut self, error: Error) -> Error {
        self.stage = Stage::Dead(error);
        self.assembly = None;
        self.extension = None;
        error
    }

    fn next(&mut self, bytes: &mut [u8], at: &mut usize) -> Result<Option<Event>, Error> {
        loop {
            let frame = match self.stage {
                Stage::Header { .. } => {
                    let Some(frame) = self.header(bytes, at)? else { return Ok(None) };
                    frame
                }
                Stage::Payload(frame) => frame,
                Stage::Dead(error) => return Err(error),
            };
            let start = *at;
            let rest = bytes.get_mut(start..).unwrap_or_default();
            let count = usize::try_from(frame.remaining).unwrap_or(usize::MAX).min(rest.len());
            let piece = rest.get_mut(..count).unwrap_or_default();
            *at = start.saturating_add(count);
            let ascii = self.role == Role::Server && mask::apply(piece, frame.key);
            let left = Frame {
                remaining: frame.remaining.saturating_sub(count as u64),
                key: mask::advance(frame.key, count),
                ..frame
            };
            let whole = left.remaining == 0;
            self.stage = if whole { AT_HEADER } else { Stage::Payload(left) };
            if count == 0 && !whole {
                return Ok(None);
            }
            let event = if frame.opcode.is_control() {
                self.control(frame, whole, piece, start)?
            } else {
                self.data(frame, whole, piece, start, ascii)?
            };
            if event.is_some() || !whole {
                return Ok(event);
            }
        }
    }

    /// Reads the header at `at`, or keeps what there is of it.
    fn header(&mut self, bytes: &[u8], at: &mut usize) -> Result<Option<Frame>, Error> {
        let rest = bytes.get(*at..).unwrap_or_default();
        if rest.is_empty() {
            return Ok(None);
        }
        let Stage::Header { bytes: mut held, len } = self.stage else { return Ok(None) };
        let (header, taken) = if len == 0 {
            (rest, 0)
        } else {
            // The rest of the header joins the start that an earlier call kept.
            let free = held.get_mut(usize::from(len)..).unwrap_or_default();
            let count = free.len().min(rest.len());
            for (place, &octet) in free.iter_mut().zip(rest) {
                *place = octet;
            }
            let filled = usize::from(len).saturating_add(count);
            (held.get(..filled).unwrap_or_default(), usize::from(len))
        };
        let opened = match header {
            [first, second, ..] => {
                let opened = self.open(*first, *second)?;
                header.get(..header_len(*second)).map(|header| (opened, header))
            }
            _ => None,
        };
        let Some((opened, header)) = opened else {
            let mut kept = [0; HEADER_BYTES_MAX];
            let mut count = 0_u8;
            for (place, &octet) in kept.iter_mut().zip(header) {
                *place = octet;
                count = count.saturating_add(1);
            }
            self.stage = Stage::Header { bytes: kept, len: count };
            *at = bytes.len();
            return Ok(None);
        };
        *at = at.saturating_add(header.len().saturating_sub(taken));
        let (remaining, key) = length_and_key(header)?;
        let frame = Frame { remaining, key, ..opened };
        if !frame.opcode.is_control() {
            self.admit(frame)?;
        }
        Ok(Some(frame))
    }

    /// Judges the first two octets of a header.
    fn open(&self, first: u8, second: u8) -> Result<Frame, Error> {
        let opcode = Opcode::from_bits(first);
        let begins = matches!(opcode, Some(Opcode::Text | Opcode::Binary));
        // "MUST be 0 unless an extension is negotiated that defines meanings for non-zero values";
        // RFC 7692 section 6.1: only the first frame of a message may carry RSV1.
        let granted = if begins && self.extension.is_some() { RSV1 } else { 0 };
        if first & RSV & !granted != 0 {
            return Err(Error::ReservedBits);
        }
        let Some(opcode) = opcode else { return Err(Error::ReservedOpcode) };
        match (self.role, second & MASK != 0) {
            (Role::Server, false) => return Err(Error::Unmasked),
            (Role::Client, true) => return Err(Error::Masked),
            _ => {}
        }
        let fin = first & FIN != 0;
        if opcode.is_control() {
            if !fin {
                return Err(Error::ControlFragmented);
            }
            if usize::from(second & LENGTH) > CONTROL_BYTES_MAX {
                return Err(Error::ControlTooLong);
            }
        } else {
            match (begins, self.message().is_some()) {
                (true, true) => return Err(Error::InterruptedMessage),
                (false, false) => return Err(Error::UnexpectedContinuation),
                _ => {}
            }
        }
        Ok(Frame { remaining: 0, key: [0; 4], opcode, fin, claimed: first & RSV1 != 0 })
    }

    /// Judges a data frame by the limits, and counts it.
    fn admit(&mut self, frame: Frame) -> Result<(), Error> {
        let limits = self.limits;
        let message = self.assembly.as_mut().and_then(|assembly| assembly.message.as_mut());
        let (parts, before, claimed) = message.as_ref().map_or((0, 0, frame.claimed), |message| {
            (message.parts, message.wire, message.claimed)
        });
        let parts = parts.saturating_add(1);
        let wire = before.saturating_add(frame.remaining);
        let cap = limits.message_bytes as u64;
        // What cannot be compressed grows: an eighth and a little is zlib's worst case.
        let cap = if claimed { cap.saturating_add(cap >> 3).saturating_add(64) } else { cap };
        if wire > cap {
            return Err(Error::TooLarge);
        }
        if parts > limits.parts_per_message {
            return Err(Error::TooManyParts);
        }
        if let Some(message) = message {
            message.parts = parts;
            message.wire = wire;
        }
        Ok(())
    }

    fn message(&self) -> Option<&Message> {
        self.assembly.as_ref().and_then(|assembly| assembly.message.as_ref())
    }

    /// Takes a piece of a data frame, unmasked, that lies at `start`.
    fn data(
        &mut self,
        frame: Frame,
        whole: bool,
        piece: &[u8],
        start: usize,
        ascii: bool,
    ) -> Result<Option<Event>, Error> {
        let last = whole && frame.fin;
        if last && !frame.claimed && self.message().is_none() {
            let text = frame.opcode == Opcode::Text;
            if text && !ascii && simdutf8::basic::from_utf8(piece).is_err() {
                return Err(Error::InvalidUtf8);
            }
            let payload = Payload::Lent(start..start.saturating_add(piece.len()));
            return Ok(Some(Event::Message { text, payload }));
        }
        let assembly = self.assembly.get_or_insert_default();
        let message = assembly.message.get_or_insert_with(|| {
            Message::new(frame.opcode == Opcode::Text, frame.claimed, frame.remaining)
        });
        message.push(piece, last, self.limits.message_bytes, self.extension.as_deref_mut())?;
        if !last {
            return Ok(None);
        }
        let Some(message) = assembly.message.take() else { return Ok(None) };
        assembly.done = Some(Done::Message(message.buffer));
        Ok(Some(Event::Message { text: message.text, payload: Payload::Assembled }))
    }

    /// Takes a piece of a control frame, unmasked, that lies at `start`.
    fn control(
        &mut self,
        frame: Frame,
        whole: bool,
        piece: &[u8],
        start: usize,
    ) -> Result<Option<Event>, Error> {
        let waiting = self.assembly.as_mut().and_then(|assembly| assembly.control.take());
        if whole && waiting.is_none() {
            return Event::of_control(frame.opcode, piece, |skip| {
                Payload::Lent(start.saturating_add(skip)..start.saturating_add(piece.len()))
            })
            .map(Some);
        }
        let mut control = waiting.unwrap_or(const { Control::new() });
        control.push(piece);
        let assembly = self.assembly.get_or_insert_default();
        if !whole {
            assembly.control = Some(control);
            return Ok(None);
        }
        let mut skipped = 0;
        let event = Event::of_control(frame.opcode, control.payload(), |skip| {
            skipped = skip;
            Payload::Assembled
        })?;
        assembly.done = Some(Done::Control { control, skip: skipped });
        Ok(Some(event))
    }
}

mod whole;

pub(crate) use whole::lent;

#[cfg(test)]
mod tests;
