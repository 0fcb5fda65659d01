//! What the decoder tells: RFC 6455 sections 5.5 and 6.2.
//!
//! An event borrows nothing: a payload is a place, in the caller's bytes or in the decoder.

use std::ops::Range;

use super::close_code::CloseCode;
use super::error::Error;
use super::opcode::Opcode;

/// A whole message or control frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A message, its fragments put together, its extension undone.
    Message {
        /// Whether it is text, and so valid UTF-8.
        text: bool,
        /// Where it lies.
        payload: Payload,
    },
    /// A Ping, to be answered with a Pong of the same payload (section 5.5.2).
    Ping(Payload),
    /// A Pong, asked for or not (section 5.5.3).
    Pong(Payload),
    /// The peer starts or answers the closing handshake (section 5.5.1).
    Close(CloseFrame),
}

impl Event {
    /// The event of a control frame; `place` says where its payload lies without so many octets.
    pub(super) fn of_control(
        opcode: Opcode,
        payload: &[u8],
        place: impl FnOnce(usize) -> Payload,
    ) -> Result<Self, Error> {
        match opcode {
            Opcode::Ping => return Ok(Self::Ping(place(0))),
            Opcode::Pong => return Ok(Self::Pong(place(0))),
            _ => {}
        }
        match payload {
            [] => Ok(Self::Close(CloseFrame { code: None, reason: place(0) })),
            [_] => Err(Error::CloseTooShort),
            [high, low, reason @ ..] => {
                let code = CloseCode(u16::from_be_bytes([*high, *low]));
                if !code.may_be_received() {
                    return Err(Error::CloseCodeInvalid);
                }
                if std::str::from_utf8(reason).is_err() {
                    return Err(Error::InvalidUtf8);
                }
                Ok(Self::Close(CloseFrame { code: Some(code), reason: place(2) }))
            }
        }
    }
}

/// Where a payload lies, unmasked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// In the bytes that were given to `decode`, at this range.
    Lent(Range<usize>),
    /// In the decoder, until its next `decode`: see `Decoder::assembled`.
    Assembled,
}

/// The body of a Close frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloseFrame {
    /// The status code; none when the frame was empty.
    pub code: Option<CloseCode>,
    /// Where the reason lies; UTF-8, at most 123 octets.
    pub reason: Payload,
}
