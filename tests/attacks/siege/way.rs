//! The ways in which an attack is run: on both doors, whole, in two pieces, and byte by byte.

use std::fmt;
use std::ops::Range;

/// What lies under the bytes of an attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    Plain,
    Tls,
}

/// How the bytes of an attack are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// Not at all.
    Whole,
    /// In two, before the byte at this place.
    At(usize),
    /// One byte in a piece.
    Bytewise,
}

/// One run of an attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Way {
    pub(crate) door: Door,
    pub(crate) cut: Cut,
}

impl Door {
    pub(crate) const ALL: [Self; 2] = [Self::Plain, Self::Tls];
}

impl Way {
    /// All ways of an attack of so many bytes on this door.
    pub(crate) fn all(door: Door, bytes: usize) -> impl Iterator<Item = Self> {
        let cuts = places(bytes).into_iter().map(Cut::At);
        let cuts = std::iter::once(Cut::Whole).chain(cuts).chain([Cut::Bytewise]);
        cuts.map(move |cut| Self { door, cut })
    }
}

impl Cut {
    /// The pieces of so many bytes, in order.
    pub(crate) fn pieces(self, bytes: usize) -> Vec<Range<usize>> {
        match self {
            Self::Whole => std::iter::once(0..bytes).collect(),
            Self::At(place) => vec![0..place, place..bytes],
            Self::Bytewise => {
                let mut ends = places(bytes);
                ends.push(bytes);
                ends.windows(2).map(|pair| pair[0]..pair[1]).collect()
            }
        }
    }
}

/// Where so many bytes are cut: everywhere, 0 included, which parts them from what comes before.
///
/// An attack of more than 300 bytes is long by repetition: a reader in the midst of it is in one
/// state, however far it has come. So it is cut everywhere in its beginning and at its end, and in
/// sixteen places between; and of the very long, which cost their length each time, less of that.
fn places(bytes: usize) -> Vec<usize> {
    let (head, tail) = match bytes {
        0..=300 => return (0..bytes.max(1)).collect(),
        301..=4096 => (200, 50),
        _ => (32, 16),
    };
    let between = (1..=16).map(|n| head + (bytes - tail - head) * n / 17);
    (0..head).chain(between).chain(bytes - tail..bytes).collect()
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.door {
            Door::Plain => "plain, ",
            Door::Tls => "over TLS, ",
        })?;
        match self.cut {
            Cut::Whole => f.write_str("whole"),
            Cut::At(place) => write!(f, "cut at {place}"),
            Cut::Bytewise => f.write_str("byte by byte"),
        }
    }
}

#[test]
fn pieces_are_all_of_the_bytes_in_order() {
    for bytes in [0, 1, 2, 3, 299, 300, 301, 5000, 1 << 20] {
        for way in Way::all(Door::Plain, bytes) {
            let mut at = 0;
            for piece in way.cut.pieces(bytes) {
                assert_eq!(piece.start, at, "{way} of {bytes}");
                at = piece.end;
            }
            assert_eq!(at, bytes, "{way} of {bytes}");
        }
    }
    assert_eq!(Way::all(Door::Tls, 300).count(), 302, "every place of a short attack");
    let long: Vec<_> = Way::all(Door::Tls, 1 << 20).collect();
    assert!(long.len() < 80 && long.contains(&Way { door: Door::Tls, cut: Cut::At(31) }));
    assert!(long.contains(&Way { door: Door::Tls, cut: Cut::At((1 << 20) - 1) }));
}
