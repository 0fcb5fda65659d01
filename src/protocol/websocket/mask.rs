//! Masking: RFC 6455 section 5.3, octet i XOR octet i mod 4 of the key; its own inverse.
//!
//! In words of eight octets, which the compiler widens to vectors; the octet-wise law is in the
//! tests, over all lengths and offsets.

/// Masks or unmasks `bytes`, whose first octet meets the first of `key`.
pub fn apply(bytes: &mut [u8], key: [u8; 4]) {
    let [a, b, c, d] = key;
    let twice = [a, b, c, d, a, b, c, d];
    let word_key = u64::from_ne_bytes(twice);
    let (words, tail) = bytes.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ word_key).to_ne_bytes();
    }
    for (octet, key) in tail.iter_mut().zip(twice) {
        *octet ^= key;
    }
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
                apply(&mut fast[offset..offset + length], key);
                octet_wise(&mut slow[offset..offset + length], key);
                assert_eq!(fast, slow, "offset {offset}, length {length}");
                apply(&mut fast[offset..offset + length], key);
                assert_eq!(fast, source);
            }
        }
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
