//! What a compressed WebSocket carries, unfolded (RFC 7692 §7.2.2), by a library that the server
//! does not use.

use miniz_oxide::inflate::stream::{InflateState, inflate};
use miniz_oxide::{DataFormat, MZError, MZFlush};

/// The window that lasts as long as the connection.
pub(crate) struct Inflate(Box<InflateState>);

impl Inflate {
    pub(crate) fn new() -> Self {
        Self(InflateState::new_boxed(DataFormat::Raw))
    }

    /// "Append 4 octets of 0x00 0x00 0xff 0xff to the tail end of the payload of the message."
    pub(crate) fn message(&mut self, payload: &[u8]) -> Result<String, String> {
        let bytes = [payload, &[0, 0, 0xff, 0xff]].concat();
        let (mut rest, mut text, mut buffer) = (&bytes[..], Vec::new(), [0; 16384]);
        loop {
            let result = inflate(&mut self.0, rest, &mut buffer, MZFlush::Sync);
            rest = &rest[result.bytes_consumed..];
            text.extend_from_slice(&buffer[..result.bytes_written]);
            match result.status {
                // There is no more of it.
                Err(MZError::Buf) => break,
                Ok(_) if rest.is_empty() && result.bytes_written == 0 => break,
                Ok(_) => {}
                Err(error) => return Err(format!("no DEFLATE: {error:?}")),
            }
        }
        String::from_utf8(text).map_err(|error| error.to_string())
    }
}

/// RFC 7692 §7.2.3.1 and §7.2.3.2.
#[test]
fn the_examples_of_the_standard_are_unfolded() {
    let mut inflate = Inflate::new();
    let first = inflate.message(&[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]);
    assert_eq!(first.as_deref(), Ok("Hello"));
    let second = inflate.message(&[0xf2, 0x00, 0x11, 0x00, 0x00]);
    assert_eq!(second.as_deref(), Ok("Hello"), "by the window of the first");
    assert!(inflate.message(&[0xff, 0xff]).is_err());
}

/// Longer than the window and than the buffer: a block that is stored as it is (RFC 1951 §3.2.4).
#[test]
fn a_long_message_is_unfolded_to_its_end() {
    let mut inflate = Inflate::new();
    for length in [16_384_u16, 33_000, 60_000] {
        let mut message = vec![0];
        message.extend_from_slice(&length.to_le_bytes());
        message.extend_from_slice(&(!length).to_le_bytes());
        message.resize(5 + usize::from(length), b'x');
        // The end of a message that was flushed, as it stands before the four octets are taken off.
        message.push(0);
        assert_eq!(inflate.message(&message), Ok("x".repeat(length.into())));
    }
}
