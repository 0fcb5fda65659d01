//! The law of every decoder of this row, as a function: however the bytes are cut, the same comes out.
//!
//! Used by tests and by the fuzz targets, so that both check the same thing. Limit: input of more
//! than 512 bytes is cut in two at evenly spaced places, not at every one.

use crate::base::rng::Rng;
use std::fmt::Debug;

/// How many ways of cutting in two are tried.
const CUTS_MAX: usize = 512;

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
    let mut check = |pieces: &[&[u8]], how: &str| {
        let got = run(pieces);
        assert_eq!(got, whole, "the result changed when the input was cut {how}");
    };
    let step = data.len().div_euclid(CUTS_MAX).max(1);
    for cut in (0..=data.len()).step_by(step) {
        if let Some((head, tail)) = data.split_at_checked(cut) {
            check(&[head, tail], &format!("at {cut}"));
        }
    }
    check(&data.chunks(1).collect::<Vec<_>>(), "byte by byte");
    check(&data.chunks(2).flat_map(|two| [two, &[]]).collect::<Vec<_>>(), "by twos and nothings");
    let mut rng =
        Rng::new(data.iter().fold(data.len() as u64, |sum, byte| {
            sum.wrapping_mul(31).wrapping_add(u64::from(*byte))
        }));
    for longest in [4, 32, 512] {
        let mut rest = data;
        let mut pieces = Vec::new();
        while !rest.is_empty() {
            let length = usize::try_from(rng.below(longest)).unwrap_or_default().saturating_add(1);
            let (piece, after) = rest.split_at_checked(length).unwrap_or((rest, &[]));
            pieces.push(piece);
            rest = after;
        }
        check(&pieces, "at random places");
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
    #[should_panic(expected = "the result changed")]
    fn a_planted_bug_is_caught() {
        // A separator that lies across two pieces is missed.
        same_however_split(b"one\r\ntwo", |pieces| {
            pieces.iter().filter(|piece| piece.windows(2).any(|two| two == b"\r\n")).count()
        });
    }
}
