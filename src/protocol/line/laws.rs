//! What holds for lines on any input; called by tests and by the fuzz target `line`.

use super::{Decoder, Error, Line};
use crate::protocol::split::same_however_split;

/// However the input is cut the same lines come out, they are the input, and none is over the limit.
///
/// # Panics
///
/// When a law is broken.
pub fn line(data: &[u8]) {
    for limit in [0, 7, 64, 65_536] {
        let (lines, error) = same_however_split(data, |pieces| run(limit, pieces));
        assert_eq!(error, model(limit, data), "the limit of {limit} did not hold as it should");
        assert!(lines.iter().all(|line| line.len() <= limit));
        let mut rest = data;
        for (index, line) in lines.iter().enumerate() {
            let after = rest.strip_prefix(line.as_slice());
            assert!(after.is_some(), "line {index} is not what was sent");
            let after = after.unwrap_or_default();
            rest = match after {
                [b'\n', tail @ ..] | [b'\r', b'\n', tail @ ..] => tail,
                [] | [b'\r'] => &[],
                _ => {
                    assert!(after.is_empty(), "line {index} ends in its middle");
                    after
                }
            };
        }
        assert!(error.is_some() || rest.is_empty(), "something was left out");
    }
}

/// What the limit has to say, found by looking at the whole.
fn model(limit: usize, data: &[u8]) -> Option<Error> {
    data.split(|byte| *byte == b'\n')
        .any(|line| line.strip_suffix(b"\r").unwrap_or(line).len() > limit)
        .then_some(Error::TooLong { limit })
}

fn run(limit: usize, pieces: &[&[u8]]) -> (Vec<Vec<u8>>, Option<Error>) {
    let mut decoder = Decoder::new(limit);
    let mut lines = Vec::new();
    for piece in pieces {
        let mut at = 0;
        loop {
            let before = at;
            let found = decoder.decode(piece, &mut at);
            assert!(before <= at && at <= piece.len());
            assert!(decoder.buffer_bytes() <= limit.saturating_add(1).max(8));
            match found {
                Ok(Some(Line::Lent(range))) => {
                    lines.push(piece.get(range).unwrap_or_default().to_vec());
                }
                Ok(Some(Line::Assembled)) => lines.push(decoder.assembled().to_vec()),
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(at, piece.len(), "bytes behind an error are left over");
                    return (lines, Some(error));
                }
            }
        }
        assert_eq!(at, piece.len(), "not everything was taken");
        assert!(decoder.is_inside_line() || decoder.buffer_bytes() == 0, "a buffer while idle");
    }
    lines.extend(decoder.finish().map(|line| line.to_vec()));
    (lines, None)
}
