//! Decompression: RFC 7692 section 7.2.2.
//!
//! Law: a message is unfolded whole or not at all, and its DEFLATE data must end where the RFC says:
//! at a byte boundary behind a block. What is unfolded depends on the bytes alone. Limit: the cap
//! and one byte are written, then nothing is read any more; [`STREAMS_MAX`] DEFLATE streams in a
//! message.

use std::fmt;

use zlib_rs::{Inflate, InflateError, InflateFlush, Status};

use super::super::extension::ExtensionError;
use super::negotiate::WindowBits;

/// "Append 4 octets of 0x00 0x00 0xff 0xff to the tail end of the payload of the message".
pub(super) const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// A last block with nothing in it: that it is understood shows that the message was complete.
const END: [u8; 2] = [0x03, 0x00];

/// How far back a message may refer: the largest window.
pub(super) const HISTORY_BYTES_MAX: usize = 1 << WindowBits::MAX.get();

/// How often a message may end its stream (BFINAL, section 7.2.3.4) and begin another: each time
/// costs a copy of the window, which a few bytes could ask for.
const STREAMS_MAX: u32 = 32;

/// How much room is made at once for what comes out.
const ROOM_BYTES: usize = 16 * 1024;

/// Undoes the compression of whole messages, one after the other, of whichever connection.
///
/// Takes 48 KiB with its first message, whatever the window.
#[derive(Default)]
pub struct Inflater {
    zlib: Option<Inflate>,
}

impl fmt::Debug for Inflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflater").field("used", &self.zlib.is_some()).finish()
    }
}

/// Where a stream stands when all that was given is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stand {
    /// More may follow.
    Open,
    /// Its last block is over.
    Over,
}

impl Inflater {
    /// Appends to `out` what `wire` unfolds to, the payload of a whole message. `history` is what
    /// the messages before it ended with, if it may refer back to them.
    ///
    /// # Errors
    ///
    /// [`ExtensionError::TooLarge`] as soon as `out` has `cap` bytes and one more, which are in it
    /// then; [`ExtensionError::Invalid`] when `wire` is not what the RFC describes.
    pub fn message(
        &mut self,
        wire: &[u8],
        history: &[u8],
        cap: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), ExtensionError> {
        if wire.is_empty() {
            // An empty message is a zero octet (section 7.2.3.6); no octet at all is as clear.
            return Ok(());
        }
        let begin = out.len();
        let zlib = self.zlib.get_or_insert_with(|| Inflate::new(false, WindowBits::MAX.get()));
        begin_stream(zlib, history, &[])?;
        let mut rest = wire;
        let mut streams = 1_u32;
        while feed(zlib, &mut rest, cap, out)? == Stand::Over {
            if rest.is_empty() {
                return Ok(());
            }
            if streams == STREAMS_MAX {
                return Err(ExtensionError::Invalid);
            }
            streams = streams.saturating_add(1);
            begin_stream(zlib, history, out.get(begin..).unwrap_or_default())?;
        }
        let (mut tail, mut end) = (&TAIL[..], &END[..]);
        let unfolded = out.len();
        let open = feed(zlib, &mut tail, cap, out)? == Stand::Open;
        let over = feed(zlib, &mut end, cap, out)? == Stand::Over;
        let nothing_more = end.is_empty() && out.len() == unfolded;
        if open && over && nothing_more { Ok(()) } else { Err(ExtensionError::Invalid) }
    }
}

/// Begins a stream that may refer back to `history` and `out` behind it.
fn begin_stream(zlib: &mut Inflate, history: &[u8], out: &[u8]) -> Result<(), ExtensionError> {
    zlib.reset(false);
    let from_out = last(out, HISTORY_BYTES_MAX);
    let from_history = last(history, HISTORY_BYTES_MAX.saturating_sub(from_out.len()));
    for part in [from_history, from_out] {
        if !part.is_empty() {
            zlib.set_dictionary(part).map_err(|_| ExtensionError::Invalid)?;
        }
    }
    Ok(())
}

/// The last `most` bytes.
pub(super) fn last(bytes: &[u8], most: usize) -> &[u8] {
    bytes.get(bytes.len().saturating_sub(most)..).unwrap_or_default()
}

/// Reads on until `rest` is empty and nothing more comes out of it, or the stream is over.
fn feed(
    zlib: &mut Inflate,
    rest: &mut &[u8],
    cap: usize,
    out: &mut Vec<u8>,
) -> Result<Stand, ExtensionError> {
    loop {
        let before = out.len();
        let room = cap.saturating_add(1).saturating_sub(before).min(ROOM_BYTES);
        let (read, written) = (zlib.total_in(), zlib.total_out());
        // There is no code of its own for a lack of memory; both end with 1009.
        out.try_reserve(room).map_err(|_| ExtensionError::TooLarge)?;
        out.resize(before.saturating_add(room), 0);
        let place = out.get_mut(before..).unwrap_or_default();
        let status = zlib.decompress(rest, place, InflateFlush::NoFlush);
        let read = usize::try_from(zlib.total_in().saturating_sub(read)).unwrap_or(usize::MAX);
        let written = usize::try_from(zlib.total_out().saturating_sub(written)).unwrap_or_default();
        out.truncate(before.saturating_add(written));
        *rest = rest.get(read..).unwrap_or_default();
        if out.len() > cap {
            return Err(ExtensionError::TooLarge);
        }
        match status {
            Ok(Status::StreamEnd) => return Ok(Stand::Over),
            Ok(Status::Ok | Status::BufError) if written < room => {
                // There was room left, so there was nothing left to read.
                return if rest.is_empty() {
                    Ok(Stand::Open)
                } else {
                    Err(ExtensionError::Invalid)
                };
            }
            Ok(Status::Ok | Status::BufError) => {}
            Err(InflateError::MemError) => return Err(ExtensionError::TooLarge),
            Err(_) => return Err(ExtensionError::Invalid),
        }
    }
}
