//! How far a string goes on without anything special: eight bytes at a time.

const ONES: u64 = 0x0101_0101_0101_0101;
const SPACES: u64 = 0x2020_2020_2020_2020;
const QUOTES: u64 = 0x2222_2222_2222_2222;
const BACKSLASHES: u64 = 0x5c5c_5c5c_5c5c_5c5c;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// The number of bytes before the first `"`, `\` or byte below 0x20.
pub(super) fn plain_len(bytes: &[u8]) -> usize {
    let (words, tail) = bytes.as_chunks::<8>();
    for (place, word) in words.iter().enumerate() {
        let special = special(u64::from_le_bytes(*word));
        if special != 0 {
            return place.wrapping_mul(8).wrapping_add((special.trailing_zeros() >> 3) as usize);
        }
    }
    let in_tail = tail.iter().position(|b| matches!(b, b'"' | b'\\' | ..=0x1f));
    in_tail.map_or(bytes.len(), |at| words.len().wrapping_mul(8).wrapping_add(at))
}

/// A word whose lowest set bit is in the first special byte of `word`; 0 when there is none.
///
/// `(x - 1) & !x` has its high bit set where a byte was 0; a borrow can only spoil the bytes after it.
const fn special(word: u64) -> u64 {
    let quote = word ^ QUOTES;
    let backslash = word ^ BACKSLASHES;
    let control = word.wrapping_sub(SPACES) & !word;
    let quote = quote.wrapping_sub(ONES) & !quote;
    let backslash = backslash.wrapping_sub(ONES) & !backslash;
    (control | quote | backslash) & HIGHS
}

#[cfg(test)]
#[expect(clippy::indexing_slicing, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn every_byte_at_every_place_is_told_apart() {
        for special in 0..=255u8 {
            for at in 0..20 {
                let mut bytes = *b"abcdefgh\xc3\xa9ijklmnopqr";
                bytes[at] = special;
                let expected = match special {
                    b'"' | b'\\' | 0..0x20 => at,
                    _ => 20,
                };
                assert_eq!(plain_len(&bytes), expected, "{special:#x} at {at}");
            }
        }
        assert_eq!(plain_len(b""), 0);
    }
}
