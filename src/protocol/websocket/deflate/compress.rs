//! Compression: RFC 7692 section 7.2.1.
//!
//! Law: a payload ends behind a block, without the octets 00 00 ff ff that end it; nothing of it
//! refers back further than the window. Limit: what does not shrink alone is not compressed.

use std::fmt;

use zlib_rs::{Deflate, DeflateConfig, DeflateFlush, Status};

use super::inflate::TAIL;
use super::negotiate::WindowBits;

/// "an empty uncompressed DEFLATE block": the payload of an empty message (section 7.2.3.6).
const EMPTY: u8 = 0x00;

/// Compresses messages with one window.
pub struct Compressor {
    zlib: Deflate,
    config: DeflateConfig,
}

impl fmt::Debug for Compressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compressor").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Compressor {
    /// A compressor of zlib's `level` and `mem_level`, 1 to 9 each; none for a window that cannot
    /// be compressed with.
    #[must_use]
    pub fn new(window: WindowBits, level: u8, mem_level: u8) -> Option<Self> {
        let config = DeflateConfig {
            // Below zero: without zlib's own header and checksum.
            window_bits: 0_i32.saturating_sub(i32::from(window.get())),
            level: i32::from(level.clamp(1, 9)),
            mem_level: i32::from(mem_level.clamp(1, 9)),
            ..DeflateConfig::default()
        };
        let made = || Self { zlib: Deflate::new_with_config(config), config };
        window.can_compress().then(made)
    }

    /// How many bytes such a compressor takes at most: the window twice, the links through it,
    /// 128 KiB of hash heads, and what waits to be written.
    #[must_use]
    pub const fn bytes_max(window: WindowBits, mem_level: u8) -> usize {
        let window = 1_usize << window.get();
        let symbols = 64_usize << (if mem_level > 9 { 9 } else { mem_level });
        // Twice the window and two bytes for each place of it; seven bytes for each symbol.
        (window << 2)
            .saturating_add(symbols.saturating_mul(7))
            .saturating_add(128 * 1024 + 12 * 1024)
    }

    /// Appends the payload for `message`, which refers to nothing before it; false, with `out` as
    /// it was, when that would not be shorter.
    pub fn alone(&mut self, message: &[u8], out: &mut Vec<u8>) -> bool {
        let begin = out.len();
        self.zlib.reset();
        let done = self.next(message, out);
        let shrunk = out.len().saturating_sub(begin) < message.len();
        if !shrunk {
            out.truncate(begin);
        }
        done && shrunk
    }

    /// Appends the payload for `message`, which refers back to those before it (context takeover);
    /// false, with `out` as it was and everything before forgotten, when there is no memory for it.
    ///
    /// What this returns has to be sent: the next payload refers to it.
    pub fn next(&mut self, message: &[u8], out: &mut Vec<u8>) -> bool {
        if message.is_empty() {
            out.push(EMPTY);
            return true;
        }
        let begin = out.len();
        let done = self.run(message, out).is_some();
        if !done {
            // Not `reset`: zlib-rs 0.6.8 loses count of what waits to be written, should any.
            self.zlib = Deflate::new_with_config(self.config);
            out.truncate(begin);
        }
        done
    }

    fn run(&mut self, message: &[u8], out: &mut Vec<u8>) -> Option<()> {
        let mut rest = message;
        loop {
            // An eighth more is the worst case, so that one call does.
            let room = rest.len().saturating_add(rest.len() >> 3).saturating_add(64);
            let before = out.len();
            out.try_reserve(room).ok()?;
            out.resize(before.saturating_add(room), 0);
            let (read, written) = (self.zlib.total_in(), self.zlib.total_out());
            let place = out.get_mut(before..)?;
            let status = self.zlib.compress(rest, place, DeflateFlush::SyncFlush).ok()?;
            let read = usize::try_from(self.zlib.total_in().saturating_sub(read)).ok()?;
            let written = usize::try_from(self.zlib.total_out().saturating_sub(written)).ok()?;
            rest = rest.get(read..)?;
            out.truncate(before.saturating_add(written));
            if status == Status::StreamEnd {
                return None;
            }
            if written < room {
                // Room that is left shows that the flush is complete.
                break;
            }
        }
        // "Remove 4 octets (that are 0x00 0x00 0xff 0xff) from the tail end."
        if !rest.is_empty() || !out.ends_with(&TAIL) {
            return None;
        }
        out.truncate(out.len().saturating_sub(TAIL.len()));
        Some(())
    }
}
