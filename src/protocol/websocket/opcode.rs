//! What a frame is: the four bits of RFC 6455 section 5.2, closed to the six that are defined.

/// The opcode of a frame, RFC 6455 section 5.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Opcode {
    /// A further fragment of the message that is under way.
    Continuation = 0x0,
    /// A message of UTF-8 text, or its first fragment.
    Text = 0x1,
    /// A message of bytes, or its first fragment.
    Binary = 0x2,
    /// The start of the closing handshake, or the answer to it.
    Close = 0x8,
    /// A question whether the peer is there.
    Ping = 0x9,
    /// The answer to a Ping, or a sign of life that nobody asked for.
    Pong = 0xa,
}

impl Opcode {
    /// The opcode of the low four bits of `octet`; none for the reserved ones (3-7, B-F).
    #[must_use]
    pub const fn from_bits(octet: u8) -> Option<Self> {
        Some(match octet & 0x0f {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xa => Self::Pong,
            _ => return None,
        })
    }

    /// The four bits.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self as u8
    }

    /// Whether frames of this kind are control frames, RFC 6455 section 5.5.
    #[must_use]
    pub const fn is_control(self) -> bool {
        self.bits() & 0x8 != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_are_defined_and_ten_are_reserved() {
        for bits in 0..16 {
            let opcode = Opcode::from_bits(bits);
            assert_eq!(opcode.is_some(), matches!(bits, 0..=2 | 8..=10), "{bits:#x}");
            if let Some(opcode) = opcode {
                assert_eq!(opcode.bits(), bits);
                assert_eq!(opcode.is_control(), bits >= 8);
                assert_eq!(Opcode::from_bits(bits | 0xf0), Some(opcode), "only the low bits count");
            }
        }
    }
}
