//! The subset of HTTP/1.1 (RFC 9112) that a server of small requests needs: a head, a bounded body.
//!
//! Tokenising is httparse's; the limits, the framing and the refusals are here, and stricter:
//! whatever two readers of HTTP could understand differently is refused, because behind a proxy
//! that difference is another user's request (RFC 9112 §11.2). Law: however the stream is cut, the
//! same requests or the same error come out, and no request begins inside the body of another.
//! Limits: [`Limits`]; every byte is looked at once; nothing is allocated by a number a client sent.
//!
//! ```text
//! Head ──head ends──▶ Body ──body ends──▶ Ready ──next call──▶ Head
//!   └──────────error──────┴─▶ Dead
//! ```

mod body;
mod chunked;
mod framing;
mod head;
#[doc(hidden)]
pub mod laws;
mod percent;
mod request;
mod response;
mod text;

pub use percent::percent_decode;
pub use request::{Headers, Repeated, Request};
pub use response::{FieldValue, Response, reason_phrase};

use std::fmt;

/// What a request may be at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a head, request line and blank line included; beyond: 431.
    pub head_bytes: usize,
    /// Bytes of a request line without its end; beyond: 414.
    pub request_line_bytes: usize,
    /// Header fields; beyond: 431.
    pub headers: usize,
    /// Bytes of a body, counted without chunk framing; beyond: 413.
    pub body_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head_bytes: 16 * 1024,
            request_line_bytes: 8 * 1024,
            headers: 100,
            body_bytes: 64 * 1024,
        }
    }
}

/// Why a request was refused. The connection is closed after the answer: where the next request
/// would begin is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// 400: not HTTP, or HTTP that could be understood in two ways; the text says what.
    BadRequest(&'static str),
    /// 413: the body is over [`Limits::body_bytes`].
    ContentTooLarge,
    /// 414: the request line is over [`Limits::request_line_bytes`].
    UriTooLong,
    /// 431: the head is over [`Limits::head_bytes`] or [`Limits::headers`], or trailers are long.
    HeaderFieldsTooLarge,
    /// 505: neither HTTP/1.0 nor HTTP/1.1, the HTTP/2 preface included.
    VersionNotSupported,
}

impl Error {
    /// The status to answer with (RFC 9110 §15).
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::BadRequest(_) => 400,
            Self::ContentTooLarge => 413,
            Self::UriTooLong => 414,
            Self::HeaderFieldsTooLarge => 431,
            Self::VersionNotSupported => 505,
        }
    }

    /// The answer: status, short text, to be sent with the connection closed behind it.
    #[must_use]
    pub fn response(self) -> Response {
        Response::new(self.status()).text(format!("{self}\n"))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadRequest(why) => f.write_str(why),
            Self::ContentTooLarge => f.write_str("the body is too large"),
            Self::UriTooLong => f.write_str("the request line is too long"),
            Self::HeaderFieldsTooLarge => f.write_str("the header fields are too large"),
            Self::VersionNotSupported => f.write_str("only HTTP/1.1 and HTTP/1.0 are spoken here"),
        }
    }
}

impl std::error::Error for Error {}

/// What happened on the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A head with `Expect: 100-continue` is whole and acceptable: send [`CONTINUE`] and go on.
    Continue,
    /// A request is whole: read it by [`Decoder::request`] before the next call.
    Request,
}

/// The interim response to [`Event::Continue`] (RFC 9110 §15.2.1).
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// What a decoder waits for; each has its own deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Awaiting {
    /// The first byte of a request.
    Request,
    /// The rest of a head.
    Head,
    /// The rest of a body.
    Body,
    /// Nothing: a request waits to be read, or an error was found.
    Nothing,
}

/// Finds requests in a stream that comes in pieces.
pub struct Decoder {
    limits: Limits,
    state: State,
}

enum State {
    Head(head::Reader),
    Body(head::Head, body::Reader),
    Ready(head::Head, body::Reader),
    Dead(Error),
}

impl Decoder {
    /// A decoder that waits for a request; it owns no memory until one begins.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { limits, state: State::Head(head::Reader::default()) }
    }

    /// Changes the limits; they hold from the next call of [`decode`](Self::decode) on.
    pub const fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Reads on in `bytes[*at..]` up to the next event and moves `at` behind what was read.
    ///
    /// `None`: everything was taken and more is needed. A request is never read beyond its end, so
    /// after an upgrade what a client sent early is in `bytes[*at..]`, for the new protocol. The
    /// request before is freed.
    ///
    /// # Errors
    ///
    /// [`Error`] when the stream is not a request within the limits; every later call says the same.
    /// What came behind it counts as taken.
    pub fn decode(&mut self, bytes: &[u8], at: &mut usize) -> Result<Option<Event>, Error> {
        let result = self.step(bytes, at);
        if let Err(error) = result {
            self.state = State::Dead(error);
            *at = bytes.len();
        }
        result
    }

    fn step(&mut self, bytes: &[u8], at: &mut usize) -> Result<Option<Event>, Error> {
        self.release();
        if let State::Head(reader) = &mut self.state {
            if !reader.read(bytes, at, &self.limits)? {
                return Ok(None);
            }
            let head = std::mem::take(reader).finish()?;
            let body = body::Reader::new(&head.framing, self.limits.body_bytes)?;
            if body.is_whole() {
                self.state = State::Ready(head, body);
                return Ok(Some(Event::Request));
            }
            let asks = head.expects_continue;
            self.state = State::Body(head, body);
            if asks {
                return Ok(Some(Event::Continue));
            }
        }
        match std::mem::replace(&mut self.state, State::Head(head::Reader::default())) {
            State::Body(head, mut body) => {
                let whole = body.read(bytes, at, self.limits.body_bytes)?;
                self.state = if whole { State::Ready(head, body) } else { State::Body(head, body) };
                Ok(whole.then_some(Event::Request))
            }
            State::Dead(error) => Err(error),
            State::Head(_) | State::Ready(..) => Ok(None),
        }
    }

    /// The request of the last [`Event::Request`], until the next call or [`release`](Self::release).
    #[must_use]
    pub fn request(&self) -> Option<Request<'_>> {
        match &self.state {
            State::Ready(head, body) => Some(head.request(body.bytes())),
            State::Head(_) | State::Body(..) | State::Dead(_) => None,
        }
    }

    /// Frees a request that was read.
    pub fn release(&mut self) {
        if matches!(self.state, State::Ready(..)) {
            self.state = State::Head(head::Reader::default());
        }
    }

    /// What is waited for.
    #[must_use]
    pub const fn awaiting(&self) -> Awaiting {
        match &self.state {
            State::Head(reader) if reader.is_untouched() => Awaiting::Request,
            State::Head(_) => Awaiting::Head,
            State::Body(..) => Awaiting::Body,
            State::Ready(..) | State::Dead(_) => Awaiting::Nothing,
        }
    }
}

/// What was sent is not shown: it may hold tokens.
impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder").field("awaiting", &self.awaiting()).finish_non_exhaustive()
    }
}
