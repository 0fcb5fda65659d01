//! The law of every decoder of this row, as a function: however the bytes are cut, the same comes out.
//!
//! Used by tests and by the fuzz targets, so that both check the same thing. Limit: input of more
//! than 128 bytes is cut in two at some places only, so that `WORK_BYTES` are looked at, not the
//! square of its length; which ones depends on the input, so inputs that differ little are cut apart.

use crate::base::rng::Rng;
use std::fmt::{Arguments, Debug};

/// How many bytes all ways of cutting in two may have together.
const WORK_BYTES: usize = 16 * 1024;

/// Runs `run` on `data` whole, cut in two at every place, byte by byte, with empty pieces and at
/// random places, and returns what it gave.
///
/// # Panics
///
/// When two ways of cutting give two results: that is the check.
pub fn same_however_split<T: PartialEq + Debug>(
    data: &[u8],
    mut run: impl FnMut(&[&[u8]]) -> T,
) -> T {
    let whole = run(&[data]);
    let mut check = |pieces: &[&[u8]], how: Arguments<'_>| {
        let got = run(pieces);
        assert_eq!(got, whole, "the result changed when the input was cut {how}");
    };
    let mut rng =
        Rng::new(data.iter().fold(data.len() as u64, |sum, byte| {
            sum.wrapping_mul(31).wrapping_add(u64::from(*byte))
        }));
    let cuts = WORK_BYTES.div_euclid(data.len().max(1)).max(1);
    let step = data.len().div_ceil(cuts).max(1);
    let first = usize::try_from(rng.below(step as u64)).unwrap_or_default();
    for cut in (first..=data.len()).step_by(step) {
        if let Some((head, tail)) = data.split_at_checked(cut) {
            check(&[head, tail], format_args!("at {cut}"));
        }
    }
    check(&data.chunks(1).collect::<Vec<_>>(), format_args!("byte by byte"));
    let twos = data.chunks(2).flat_map(|two| [two, &[]]).collect::<Vec<_>>();
    check(&twos, format_args!("by twos and nothings"));
    for longest in [4, 32, 512] {
        let mut rest = data;
        let mut pieces = Vec::new();
        while !rest.is_empty() {
            let length = usize::try_from(rng.below(longest)).unwrap_or_default().saturating_add(1);
            let (piece, after) = rest.split_at_checked(length).unwrap_or((rest, &[]));
            pieces.push(piece);
            rest = after;
        }
        check(&pieces, format_args!("at random places"));
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_look_at_the_cuts_passes() {
        assert_eq!(same_however_split(b"a,b,c", |pieces| pieces.concat()), b"a,b,c");
        assert_eq!(same_however_split(b"", |pieces| pieces.concat()), b"");
    }

    #[test]
    fn short_input_is_cut_everywhere_and_long_input_seldom() {
        for (length, fewest, most) in [(0, 1, 9), (127, 128, 140), (4096, 4, 40), (65_536, 1, 8)] {
            let (mut cuts, data) = (0, vec![0; length]);
            same_however_split(&data, |pieces| cuts += usize::from(pieces.len() == 2));
            assert!((fewest..=most).contains(&cuts), "{length}: {cuts}");
        }
    }

    #[test]
    #[should_panic(expected = "the result changed")]
    fn a_planted_bug_is_caught() {
        // A separator that lies across two pieces is missed.
        same_however_split(b"one\r\ntwo", |pieces| {
            pieces.iter().filter(|piece| piece.windows(2).any(|two| two == b"\r\n")).count()
        });
    }
}
