//! DEFLATE unfolded by somebody else: miniz_oxide. Also for `fuzz/` and `tests/fuzz_seeds.rs`.

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress, inflate_flags};

/// No test unfolds more than this.
const BYTES_MAX: usize = 1 << 24;

/// Appends what one raw stream unfolds to, which may refer back to what `out` holds; returns how many
/// bytes the stream took, none when it is cut or wrong.
pub(crate) fn stream(stream: &[u8], out: &mut Vec<u8>) -> Option<usize> {
    let flags = inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
    let mut inflater = Box::new(DecompressorOxide::new());
    let (mut at, mut end) = (0, out.len());
    loop {
        out.resize((end + 4096).min(BYTES_MAX), 0);
        let (status, read, written) = decompress(&mut inflater, &stream[at..], out, end, flags);
        (at, end) = (at + read, end + written);
        match status {
            TINFLStatus::Done => {
                out.truncate(end);
                return Some(at);
            }
            TINFLStatus::HasMoreOutput if end < BYTES_MAX => {}
            _ => return None,
        }
    }
}
