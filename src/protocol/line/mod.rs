//! Lines: messages that end in `\n` or `\r\n`, on raw TCP.
//!
//! Law: however the stream is cut, the same lines come out, and joined with their ends they are the
//! stream again. A line that lies whole in the bytes given is lent, not copied; only the beginning
//! of an unfinished one is kept, so an idle connection owns no buffer.
//! Limit: the line without its end; the buffer never holds more than that and one byte.

mod guard;
#[doc(hidden)]
pub mod laws;
#[cfg(test)]
mod tests;

pub use guard::looks_like_http;

use std::fmt;
use std::ops::Range;

/// Where the line is that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// In the bytes given to [`Decoder::decode`], at this range, without its end.
    Lent(Range<usize>),
    /// It came in pieces: read it by [`Decoder::assembled`] before the next call.
    Assembled,
}

/// What ends a stream of lines before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// More bytes than the limit came without an end of line.
    TooLong {
        /// The limit that held, in bytes.
        limit: usize,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { limit } => write!(f, "a line is longer than {limit} bytes"),
        }
    }
}

impl std::error::Error for Error {}

/// Finds lines in a stream that comes in pieces.
pub struct Decoder {
    limit: usize,
    state: State,
}

enum State {
    /// Between two lines.
    Empty,
    /// The beginning of a line whose end has not come; never empty.
    Partial(Vec<u8>),
    /// A line that came in pieces, without its end, until the next call.
    Assembled(Vec<u8>),
    /// A line was too long, so where the next one begins is not known.
    Dead(Error),
}

impl Decoder {
    /// A decoder for lines of at most `limit` bytes, their ends not counted.
    #[must_use]
    pub const fn new(limit: usize) -> Self {
        Self { limit, state: State::Empty }
    }

    /// Changes the limit, in bytes; it holds from the next call of [`decode`](Self::decode) on.
    pub const fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Takes the next line out of `bytes[*at..]` and moves `at` behind it.
    ///
    /// `None`: everything was taken, and no line has ended. Calling until then frees the buffer of
    /// an assembled line. Each byte is searched once.
    ///
    /// # Errors
    ///
    /// [`Error::TooLong`] as soon as it is certain; every later call says the same.
    /// What came behind it counts as taken.
    pub fn decode(&mut self, bytes: &[u8], at: &mut usize) -> Result<Option<Line>, Error> {
        let result = self.step(bytes, at);
        if let Err(error) = result {
            self.state = State::Dead(error);
            *at = bytes.len();
        }
        result
    }

    fn step(&mut self, bytes: &[u8], at: &mut usize) -> Result<Option<Line>, Error> {
        match &self.state {
            State::Dead(error) => return Err(*error),
            State::Assembled(_) => self.state = State::Empty,
            State::Empty | State::Partial(_) => {}
        }
        let start = *at;
        let rest = bytes.get(start..).unwrap_or_default();
        let Some(length) = memchr::memchr(b'\n', rest) else {
            *at = bytes.len();
            return self.keep(rest).map(|()| None);
        };
        let piece = rest.get(..length).unwrap_or_default();
        *at = start.saturating_add(length).saturating_add(1);
        if matches!(self.state, State::Empty) {
            self.check(piece.len(), piece.last())?;
            let line = without_cr(piece).len();
            return Ok(Some(Line::Lent(start..start.saturating_add(line))));
        }
        self.keep(piece)?;
        self.assemble();
        Ok(Some(Line::Assembled))
    }

    /// The line that came in pieces, after [`Line::Assembled`]; empty at any other time.
    pub fn assembled(&mut self) -> &mut [u8] {
        match &mut self.state {
            State::Assembled(line) => line,
            State::Empty | State::Partial(_) | State::Dead(_) => &mut [],
        }
    }

    /// The line that came in pieces, given away.
    pub fn take_assembled(&mut self) -> Vec<u8> {
        match std::mem::replace(&mut self.state, State::Empty) {
            State::Assembled(line) => line,
            other => {
                self.state = other;
                Vec::new()
            }
        }
    }

    /// At the end of the stream: a last line without an end counts as a line.
    pub fn finish(&mut self) -> Option<&mut [u8]> {
        if !matches!(self.state, State::Partial(_)) {
            return None;
        }
        self.assemble();
        Some(self.assembled())
    }

    /// Bytes of memory owned: nothing between two lines, never more than the limit and one.
    #[must_use]
    pub const fn buffer_bytes(&self) -> usize {
        match &self.state {
            State::Partial(buffer) | State::Assembled(buffer) => buffer.capacity(),
            State::Empty | State::Dead(_) => 0,
        }
    }

    /// Whether a line has begun and not ended.
    #[must_use]
    pub const fn is_inside_line(&self) -> bool {
        matches!(self.state, State::Partial(_))
    }

    /// A `\r` at the end may be half of the line's end, so it is not counted while that is open.
    fn check(&self, length: usize, last: Option<&u8>) -> Result<(), Error> {
        let counted = length.saturating_sub(usize::from(last == Some(&b'\r')));
        if counted > self.limit { Err(Error::TooLong { limit: self.limit }) } else { Ok(()) }
    }

    fn keep(&mut self, piece: &[u8]) -> Result<(), Error> {
        let held = match &self.state {
            State::Partial(buffer) => buffer.as_slice(),
            State::Empty | State::Assembled(_) | State::Dead(_) => &[],
        };
        let length = held.len().saturating_add(piece.len());
        self.check(length, piece.last().or(held.last()))?;
        if piece.is_empty() {
            return Ok(());
        }
        let most = self.limit.saturating_add(1);
        match &mut self.state {
            State::Partial(buffer) => {
                if length > buffer.capacity() {
                    // Doubled, but never beyond what a line may have.
                    let doubled = buffer.capacity().saturating_mul(2).min(most).max(length);
                    buffer.reserve_exact(doubled.saturating_sub(buffer.len()));
                }
                buffer.extend_from_slice(piece);
            }
            state => *state = State::Partial(piece.to_vec()),
        }
        Ok(())
    }

    fn assemble(&mut self) {
        if let State::Partial(buffer) = &mut self.state {
            let mut line = std::mem::take(buffer);
            line.truncate(without_cr(&line).len());
            self.state = State::Assembled(line);
        }
    }
}

/// What was sent is not shown: it may hold passwords.
impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder")
            .field("limit", &self.limit)
            .field("is_inside_line", &self.is_inside_line())
            .finish_non_exhaustive()
    }
}

fn without_cr(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Appends `payload` as one line. The caller guarantees that it holds no `\n`.
pub fn encode(payload: &[u8], out: &mut Vec<u8>) {
    out.reserve(payload.len().saturating_add(1));
    out.extend_from_slice(payload);
    out.push(b'\n');
}
