//! Masking: RFC 6455 section 5.3, octet i XOR octet i mod 4 of the key; its own inverse.
//!
//! In blocks of 32 octets, which the compiler makes vectors of. What is unmasked is looked at in
//! the same pass: most text is ASCII, and then needs no second look for UTF-8. The octet-wise law
//! is in the tests, over all lengths and offsets.

use std::ops::Range;

const BLOCK_BYTES: usize = 32;

type Block = [u8; BLOCK_BYTES];

/// Masks or unmasks `bytes`, whose first octet meets the first of `key`. Returns whether all of it
/// is ASCII afterwards.
#[inline]
pub fn apply(bytes: &mut [u8], key: [u8; 4]) -> bool {
    let wide = widen(key);
    let mut seen: Block = [0; BLOCK_BYTES];
    let (blocks, tail) = bytes.as_chunks_mut::<BLOCK_BYTES>();
    for block in blocks {
        for ((octet, key), seen) in block.iter_mut().zip(&wide).zip(&mut seen) {
            *octet ^= key;
            *seen |= *octet;
        }
    }
    seen.is_ascii() & (tail.is_empty() || apply_to_tail(tail, key))
}

/// What is behind the blocks. It has a key and a record of its own: those of the blocks stay in
/// registers only while nobody picks an octet of them by its number.
#[inline]
fn apply_to_tail(tail: &mut [u8], key: [u8; 4]) -> bool {
    let mut seen = 0;
    for (octet, key) in tail.iter_mut().zip(&widen(key)) {
        *octet ^= key;
        seen |= *octet;
    }
    seen.is_ascii()
}

/// A key as wide as a block.
#[inline]
fn widen(key: [u8; 4]) -> Block {
    let mut wide = [0; BLOCK_BYTES];
    for place in wide.as_chunks_mut::<4>().0 {
        *place = key;
    }
    wide
}

/// Unmasks what lies in `from` and moves it down to `to`. Returns whether all of it is
/// ASCII; nothing is done and none returned unless `to <= from.start` and both are within `bytes`.
#[inline]
pub(super) fn apply_down(
    bytes: &mut [u8],
    from: Range<usize>,
    to: usize,
    key: [u8; 4],
) -> Option<bool> {
    let gap = from.start.checked_sub(to)?;
    let len = from.end.checked_sub(from.start)?;
    let window = bytes.get_mut(to..from.end)?;
    if gap > 0 {
        window.copy_within(gap.., 0);
    }
    Some(apply(window.get_mut(..len)?, key))
}

/// The key for what follows `count` octets masked with `key`.
#[must_use]
pub const fn advance(key: [u8; 4], count: usize) -> [u8; 4] {
    let [a, b, c, d] = key;
    match count & 3 {
        0 => key,
        1 => [b, c, d, a],
        2 => [c, d, a, b],
        _ => [d, a, b, c],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn octet_wise(bytes: &mut [u8], key: [u8; 4]) {
        for (index, octet) in bytes.iter_mut().enumerate() {
            *octet ^= key[index % 4];
        }
    }

    #[test]
    fn words_do_what_octets_do_at_every_length_and_offset() {
        let key = [0x37, 0xfa, 0x21, 0x3d];
        let source: Vec<u8> = (0..320_u16).map(|n| (n * 7 % 251) as u8).collect();
        for offset in 0..16 {
            for length in 0..=256 {
                let (mut fast, mut slow) = (source.clone(), source.clone());
                let ascii = apply(&mut fast[offset..offset + length], key);
                octet_wise(&mut slow[offset..offset + length], key);
                assert_eq!(fast, slow, "offset {offset}, length {length}");
                assert_eq!(ascii, slow[offset..offset + length].is_ascii());
                apply(&mut fast[offset..offset + length], key);
                assert_eq!(fast, source);
            }
        }
    }

    #[test]
    fn moving_down_is_masking_and_moving() {
        let key = [0x37, 0x1a, 0x21, 0x3d];
        for gap in 0..40 {
            for length in 0..=150_usize {
                for odd in [None, Some(0), Some(length / 2), length.checked_sub(1)] {
                    let mut plain = vec![b'a'; length];
                    if let Some(octet) = odd.and_then(|at| plain.get_mut(at)) {
                        *octet = 0xc3;
                    }
                    let mut bytes = [vec![0xee; 3 + gap], plain.clone(), vec![0xdd; 5]].concat();
                    let from = 3 + gap..3 + gap + length;
                    octet_wise(&mut bytes[from.clone()], key);
                    assert_eq!(apply_down(&mut bytes, from, 3, key), Some(plain.is_ascii()));
                    assert_eq!(bytes[3..3 + length], plain, "gap {gap}, length {length}");
                    assert!(bytes[..3].iter().all(|octet| *octet == 0xee));
                    assert!(bytes[3 + gap + length..].iter().all(|octet| *octet == 0xdd));
                }
            }
        }
        let mut bytes = *b"abcd";
        for (from, to) in [(1..3, 2), (2..5, 0), (Range { start: 3, end: 2 }, 1)] {
            assert_eq!(apply_down(&mut bytes, from, to, key), None);
        }
        assert_eq!(bytes, *b"abcd");
    }

    #[test]
    fn masking_in_two_pieces_is_masking_at_once() {
        let key = [1, 20, 57, 200];
        for cut in 0..=40 {
            let (mut whole, mut pieces) = ([0x5a; 40], [0x5a; 40]);
            octet_wise(&mut whole, key);
            apply(&mut pieces[..cut], key);
            apply(&mut pieces[cut..], advance(key, cut));
            assert_eq!(whole, pieces, "cut {cut}");
        }
    }
}
