//! The seam for extensions that transform whole messages: RFC 6455 sections 5.8 and 9.
//!
//! Limit: one extension per connection, which marks its messages by RSV1 on their first frame. That
//! is all that the one registered extension, permessage-deflate (RFC 7692), asks for.

use std::fmt;

use super::error::Error;

/// An extension that was negotiated for one connection.
pub trait Extension: fmt::Debug {
    /// Takes the next piece of a message marked by RSV1 and appends what it unfolds to.
    ///
    /// `last` is true on the final piece of the final fragment, which may be empty. Pieces are cut
    /// anywhere. When an error is returned, what was unfolded before it has been appended.
    ///
    /// # Errors
    ///
    /// [`ExtensionError::TooLarge`] as soon as `out` would grow past `cap` bytes in all, without
    /// having unfolded the rest; [`ExtensionError::Invalid`] when the piece cannot be read. No
    /// call follows an error.
    fn decode(
        &mut self,
        piece: &[u8],
        last: bool,
        cap: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), ExtensionError>;

    /// Appends the payload for `message`, to be sent as one frame with RSV1; false, with `out` as it
    /// was, when the message is better sent as it is.
    fn encode(&mut self, message: &[u8], out: &mut Vec<u8>) -> bool;
}

/// Why an extension gives up on a message, and with it on the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExtensionError {
    /// The payload is not what the extension's standard allows.
    Invalid,
    /// The message is larger than the cap.
    TooLarge,
}

impl From<ExtensionError> for Error {
    fn from(error: ExtensionError) -> Self {
        match error {
            ExtensionError::Invalid => Self::InvalidExtensionData,
            ExtensionError::TooLarge => Self::TooLarge,
        }
    }
}
