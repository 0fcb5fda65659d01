//! What holds for chunked bodies on any input; called by tests and by the target `http_chunked`.

use super::super::Error;
use super::super::chunked::{Decoder, OVERHEAD_BYTES_MAX};
use crate::protocol::split::same_however_split;

/// What came of a body.
#[derive(Debug, Default, PartialEq, Eq)]
struct Outcome {
    /// What the chunks held, as far as they came.
    body: Vec<u8>,
    /// How many bytes the body took with its framing, when it is whole.
    taken: Option<usize>,
    /// The status of the refusal.
    status: Option<u16>,
}

/// However a body is cut the same comes out, which is what a reader of the whole finds by the grammar;
/// it is within the limit; and a body that is written in chunks comes back as it was.
///
/// Input: a chunked body, and what follows it. To be written, it is cut at each of its zero bytes.
///
/// # Panics
///
/// When a law is broken.
pub fn http_chunked(data: &[u8]) {
    law(data, run);
}

/// How the law decodes: [`run`], or something planted to see the law fail.
type Run = fn(usize, &[&[u8]]) -> Outcome;

fn law(data: &[u8], run: Run) {
    for limit in [16, 4096] {
        let outcome = same_however_split(data, |pieces| run(limit, pieces));
        assert!(outcome.body.len() <= limit, "a body over its cap");
        assert_eq!(outcome, model(limit, data), "the grammar says otherwise");
    }
    let (wire, body) = written(data);
    let outcome = run(usize::MAX, &[&wire, b"GET"]);
    assert_eq!(outcome.taken, Some(wire.len()), "a good body ends where it ends");
    assert!(outcome.body == body, "a good body comes back");
}

fn run(limit: usize, pieces: &[&[u8]]) -> Outcome {
    let mut decoder = Decoder::default();
    let (mut taken, mut status) = (0_usize, None);
    for piece in pieces {
        let mut at = 0;
        let result = decoder.read(piece, &mut at, limit);
        assert!(at <= piece.len(), "more was read than given");
        if let Err(error) = result {
            status = Some(error.status());
            break;
        }
        taken = taken.saturating_add(at);
        if decoder.is_done() {
            break;
        }
        assert_eq!(at, piece.len(), "not everything was taken");
    }
    let taken = decoder.is_done().then_some(taken);
    Outcome { body: decoder.body().to_vec(), taken, status }
}

/// The same by looking at the whole: line by line, RFC 9112 §7.1.
fn model(limit: usize, data: &[u8]) -> Outcome {
    let mut reader = Whole { limit, ..Whole::default() };
    let result = reader.body(data);
    Outcome {
        body: reader.body,
        taken: result.ok().flatten().and_then(|rest| data.len().checked_sub(rest.len())),
        status: result.err().map(Error::status),
    }
}

#[derive(Default)]
struct Whole {
    body: Vec<u8>,
    limit: usize,
    extensions: usize,
    trailers: usize,
}

/// The rest of the input behind something; none when that is not whole.
type Rest<'a> = Result<Option<&'a [u8]>, Error>;

impl Whole {
    fn body<'a>(&mut self, mut rest: &'a [u8]) -> Rest<'a> {
        loop {
            // A line: sixteen digits, the extensions that are left to it, its end.
            let most = OVERHEAD_BYTES_MAX.saturating_sub(self.extensions).saturating_add(18);
            let Some((line, after)) = line(rest, most, Error::BadRequest(""))? else {
                return Ok(None);
            };
            let size = self.size(line)?;
            if size == 0 {
                return self.trailer(after);
            }
            let (chunk, after) = after.split_at_checked(size).unwrap_or((after, &[]));
            self.body.extend_from_slice(chunk);
            rest = match after {
                [b'\r', b'\n', rest @ ..] => rest,
                [] | [b'\r'] => return Ok(None),
                _ => return Err(Error::BadRequest("")),
            };
        }
    }

    fn size(&mut self, line: &[u8]) -> Result<usize, Error> {
        let text = str::from_utf8(line).unwrap_or("").trim_end_matches("\r\n");
        // Bytes over 0x7f are allowed in extensions, so only the digits have to be text.
        let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let extension = line.get(digits..).and_then(|rest| rest.strip_suffix(b"\r\n"));
        let extension = extension.unwrap_or_default();
        let trimmed = extension.trim_ascii_start();
        let named = trimmed.strip_prefix(b";").map(<[u8]>::trim_ascii_start);
        let named = named.and_then(<[u8]>::first).is_some_and(|byte| token(*byte));
        let controls = extension.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t');
        if !(1..=16).contains(&digits) || !(extension.is_empty() || named) || controls {
            return Err(Error::BadRequest(""));
        }
        self.extensions = self.extensions.saturating_add(extension.len());
        if self.extensions > OVERHEAD_BYTES_MAX {
            return Err(Error::BadRequest(""));
        }
        let theirs = httparse::parse_chunk_size(line);
        let size = match theirs {
            Ok(httparse::Status::Complete((end, size))) if end == line.len() => size,
            // It takes no byte over 0x7f in an extension, and no blank in front of a semicolon.
            _ => {
                let digits = line.get(..digits).and_then(|digits| str::from_utf8(digits).ok());
                assert!(text.is_empty() || !extension.is_empty(), "httparse refuses {text}");
                digits.and_then(|digits| u64::from_str_radix(digits, 16).ok()).unwrap_or(u64::MAX)
            }
        };
        let room = self.limit.saturating_sub(self.body.len());
        usize::try_from(size).ok().filter(|size| *size <= room).ok_or(Error::ContentTooLarge)
    }

    fn trailer<'a>(&mut self, mut rest: &'a [u8]) -> Rest<'a> {
        loop {
            let most = OVERHEAD_BYTES_MAX.saturating_sub(self.trailers).saturating_add(2);
            let Some((line, after)) = line(rest, most, Error::HeaderFieldsTooLarge)? else {
                return Ok(None);
            };
            if line == b"\r\n" {
                return Ok(Some(after));
            }
            self.trailers = self.trailers.saturating_add(line.len());
            let mut parts = line.splitn(2, |byte| *byte == b':');
            let name = parts.next().unwrap_or_default();
            let value = parts.next().and_then(|value| value.strip_suffix(b"\r\n"));
            let good = !name.is_empty() && name.iter().all(|byte| token(*byte));
            let control = |byte: &u8| byte.is_ascii_control() && *byte != b'\t';
            if !good || value.is_none_or(|value| value.iter().any(control)) {
                return Err(Error::BadRequest(""));
            }
            rest = after;
        }
    }
}

/// A character of a token, by RFC 9110 §5.6.2: visible, and no delimiter.
fn token(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"\"(),/:;<=>?@[\\]{}".contains(&byte)
}

/// A line with its end, and the rest.
type Cut<'a> = (&'a [u8], &'a [u8]);

/// The first line of the input; none when there is no end yet.
fn line(data: &[u8], most: usize, too_long: Error) -> Result<Option<Cut<'_>>, Error> {
    let Some(end) = data.iter().take(most).position(|byte| *byte == b'\n') else {
        return if data.len() >= most { Err(too_long) } else { Ok(None) };
    };
    let (line, rest) = data.split_at_checked(end.saturating_add(1)).unwrap_or((data, &[]));
    if line.ends_with(b"\r\n") { Ok(Some((line, rest))) } else { Err(Error::BadRequest("")) }
}

/// A body in chunks, and the same without: chunks end at zero bytes, and differ in how their sizes
/// are written.
fn written(data: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let (mut wire, mut body) = (Vec::new(), Vec::new());
    for (index, chunk) in data.split(|byte| *byte == 0).filter(|part| !part.is_empty()).enumerate()
    {
        let size = match index % 4 {
            0 => format!("{:x}\r\n", chunk.len()),
            1 => format!("{:04X}\r\n", chunk.len()),
            2 if index < 100 => format!("{:x};a=\"b\"\r\n", chunk.len()),
            _ => format!("{:016x}\r\n", chunk.len()),
        };
        wire.extend_from_slice(size.as_bytes());
        wire.extend_from_slice(chunk);
        wire.extend_from_slice(b"\r\n");
        body.extend_from_slice(chunk);
    }
    wire.extend_from_slice(if data.len().is_multiple_of(2) {
        b"0\r\n\r\n"
    } else {
        b"00\r\na: b\r\n\r\n"
    });
    (wire, body)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEED: &[u8] = b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\na: b\r\n\r\nGET";

    #[test]
    fn a_body_with_everything_obeys() {
        http_chunked(SEED);
        let outcome = model(16, SEED);
        assert_eq!((&outcome.body[..], outcome.taken), (&b"abcde"[..], Some(SEED.len() - 3)));
    }

    /// Planted: takes the CRLF behind a chunk without looking at it.
    fn trusting(limit: usize, pieces: &[&[u8]]) -> Outcome {
        let mut whole = pieces.concat();
        if let Some(place) = whole.windows(2).skip(6).position(|two| two == b"XX") {
            whole[place + 6..place + 8].copy_from_slice(b"\r\n");
        }
        run(limit, &[&whole])
    }

    #[test]
    #[should_panic(expected = "the grammar says otherwise")]
    fn a_decoder_that_trusts_sizes_breaks_the_law() {
        law(b"3\r\nabcXX0\r\n\r\n", trusting);
    }

    /// Planted: begins anew at every cut.
    fn forgetful(limit: usize, pieces: &[&[u8]]) -> Outcome {
        run(limit, &pieces[pieces.len() - 1..])
    }

    #[test]
    #[should_panic(expected = "the result changed")]
    fn a_decoder_that_forgets_breaks_the_law() {
        law(SEED, forgetful);
    }
}
