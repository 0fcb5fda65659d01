//! What a peer can do wrong after the handshake, and the code it is told so with.
//!
//! A close is not an error. Errors of the handshake are `handshake::Refusal` and
//! `handshake::client::Error`; errors of our own caller are `SendError`.

use std::fmt;

use super::close_code::CloseCode;

/// Why a connection must be failed, RFC 6455 section 7.1.7.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// RSV2 or RSV3, or RSV1 where no extension gave it a meaning (section 5.2).
    ReservedBits,
    /// An opcode of 3-7 or B-F (section 5.2).
    ReservedOpcode,
    /// A frame from a client without a masking key (section 5.1).
    Unmasked,
    /// A frame from a server with a masking key (section 5.1).
    Masked,
    /// A 64-bit length with its top bit set (section 5.2).
    LengthTopBit,
    /// A length that would have fitted a shorter form (section 5.2).
    LengthNotMinimal,
    /// A control frame without FIN (section 5.5).
    ControlFragmented,
    /// A control frame with more than 125 octets (section 5.5).
    ControlTooLong,
    /// A continuation where no message is under way (section 5.4).
    UnexpectedContinuation,
    /// A new message before the last was finished (section 5.4).
    InterruptedMessage,
    /// A Close frame with half a status code (section 5.5.1).
    CloseTooShort,
    /// A Close frame with a code that may not be sent (section 7.4).
    CloseCodeInvalid,
    /// Text, or the reason of a close, that is not UTF-8 (sections 5.5.1 and 8.1).
    InvalidUtf8,
    /// A payload that its extension cannot read (RFC 7692 section 7.2.2).
    InvalidExtensionData,
    /// A message over the limit, as it came or as its extension unfolds it.
    TooLarge,
    /// A message of more frames than the limit, empty ones included.
    TooManyParts,
    /// No memory for a message within the limit.
    OutOfMemory,
}

impl Error {
    /// The status code of the Close frame that answers it.
    #[must_use]
    pub const fn close_code(self) -> CloseCode {
        match self {
            Self::ReservedBits
            | Self::ReservedOpcode
            | Self::Unmasked
            | Self::Masked
            | Self::LengthTopBit
            | Self::LengthNotMinimal
            | Self::ControlFragmented
            | Self::ControlTooLong
            | Self::UnexpectedContinuation
            | Self::InterruptedMessage
            | Self::CloseTooShort
            | Self::CloseCodeInvalid => CloseCode::PROTOCOL_ERROR,
            Self::InvalidUtf8 | Self::InvalidExtensionData => CloseCode::INVALID_PAYLOAD,
            Self::TooLarge | Self::OutOfMemory => CloseCode::TOO_LARGE,
            Self::TooManyParts => CloseCode::POLICY_VIOLATION,
        }
    }

    /// What happened, short enough for the reason of a Close frame.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::ReservedBits => "a reserved bit is set",
            Self::ReservedOpcode => "reserved opcode",
            Self::Unmasked => "frames from a client must be masked",
            Self::Masked => "frames from a server must not be masked",
            Self::LengthTopBit => "the top bit of the length is set",
            Self::LengthNotMinimal => "the length is not in its shortest form",
            Self::ControlFragmented => "control frames must not be fragmented",
            Self::ControlTooLong => "control frame of more than 125 bytes",
            Self::UnexpectedContinuation => "continuation without a message",
            Self::InterruptedMessage => "new message inside a fragmented one",
            Self::CloseTooShort => "close frame with one byte",
            Self::CloseCodeInvalid => "invalid close code",
            Self::InvalidUtf8 => "not UTF-8",
            Self::InvalidExtensionData => "payload not readable by its extension",
            Self::TooLarge => "message too large",
            Self::TooManyParts => "message of too many fragments",
            Self::OutOfMemory => "no memory for the message",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

impl std::error::Error for Error {}
