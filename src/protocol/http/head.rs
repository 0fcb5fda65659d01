//! The head of a request: gathered line by line, parsed once (RFC 9112 §2, §3, §5).
//!
//! Law: the blank line is searched in newly arrived bytes only, so a head sent byte by byte costs
//! what it costs in one piece. Limits: bytes, bytes of the request line, number of fields; of the
//! empty lines before a request (RFC 9112 §2.2 asks to skip one) four.

use super::framing::{self, Framing};
use super::request::Request;
use super::text::read_line;
use super::{Error, Limits};
use std::mem::MaybeUninit;
use std::ops::Range;

/// Empty lines skipped before a request line.
const EMPTY_LINES_MAX: u8 = 4;
/// Few lines of a head are longer.
const LINE_BYTES_USUAL: usize = 128;
/// Few heads have more lines.
const LINES_USUAL: usize = 32;

/// Gathers a head. Owns no memory before the first byte.
#[derive(Default)]
pub(super) struct Reader {
    /// Everything up to the last whole line.
    bytes: Vec<u8>,
    /// The line that is being read.
    line: Vec<u8>,
    /// Whole lines, the request line included.
    lines: usize,
    empty_lines: u8,
}

impl Reader {
    /// Whether no byte of a request has come.
    pub(super) const fn is_untouched(&self) -> bool {
        self.bytes.is_empty() && self.line.is_empty()
    }

    /// Reads on; true when the head is whole.
    pub(super) fn read(
        &mut self,
        bytes: &[u8],
        at: &mut usize,
        limits: &Limits,
    ) -> Result<bool, Error> {
        if self.is_untouched() {
            let rest = bytes.get(*at..).unwrap_or_default();
            if self.lines == 0 && self.empty_lines == 0 && self.take_whole(rest, limits) {
                *at = at.saturating_add(self.bytes.len());
                return Ok(true);
            }
            let come = rest.len().min(limits.head_bytes);
            self.bytes.reserve_exact(come);
            self.line.reserve_exact(come.min(LINE_BYTES_USUAL));
        }
        loop {
            let left = limits.head_bytes.saturating_sub(self.bytes.len());
            let line_bytes = limits.request_line_bytes.saturating_add(2);
            let (most, too_long) = if self.lines == 0 && line_bytes < left {
                (line_bytes, Error::UriTooLong)
            } else {
                (left, Error::HeaderFieldsTooLarge)
            };
            if bytes.get(*at..).unwrap_or_default().is_empty()
                || !read_line(&mut self.line, most, too_long, bytes, at)?
            {
                return Ok(false);
            }
            let blank = self.line == b"\r\n";
            if blank && self.lines == 0 {
                self.empty_lines = self.empty_lines.saturating_add(1);
                if self.empty_lines > EMPTY_LINES_MAX {
                    return Err(Error::BadRequest("empty lines instead of a request"));
                }
                self.line = Vec::new();
                continue;
            }
            self.bytes.append(&mut self.line);
            if blank {
                return Ok(true);
            }
            self.lines = self.lines.saturating_add(1);
            if self.lines > limits.headers.saturating_add(1) {
                return Err(Error::HeaderFieldsTooLarge);
            }
        }
    }

    /// Takes a head that begins `rest` and breaks no limit, as most do, in one copy; false for any
    /// other, which is read line by line.
    fn take_whole(&mut self, rest: &[u8], limits: &Limits) -> bool {
        let window = rest.get(..limits.head_bytes).unwrap_or(rest);
        let (mut start, mut lines) = (0, 0_usize);
        for end in memchr::memchr_iter(b'\n', window) {
            let Some(line) = window.get(start..=end) else { return false };
            let blank = line == b"\r\n";
            let first_fits = lines > 0 || line.len() <= limits.request_line_bytes.saturating_add(2);
            if !line.ends_with(b"\r\n") || !first_fits || (blank && lines == 0) {
                return false;
            }
            start = end.saturating_add(1);
            if blank {
                if lines > limits.headers.saturating_add(1) {
                    return false;
                }
                self.lines = lines;
                self.bytes = window.get(..start).unwrap_or_default().to_vec();
                return true;
            }
            lines = lines.saturating_add(1);
        }
        false
    }

    /// Parses the head that is whole.
    pub(super) fn finish(self) -> Result<Head, Error> {
        let mut usual = [const { MaybeUninit::uninit() }; LINES_USUAL];
        let mut many = Vec::new();
        let fields = if self.lines <= LINES_USUAL {
            &mut usual[..]
        } else {
            many.resize_with(self.lines, MaybeUninit::uninit);
            &mut many[..]
        };
        let mut request = httparse::Request::new(&mut []);
        match request.parse_with_uninit_headers(&self.bytes, fields) {
            Ok(httparse::Status::Complete(length)) if length == self.bytes.len() => {}
            Ok(_) => return Err(Error::BadRequest("the head is malformed")),
            Err(error) => return Err(refusal(error, &self.bytes)),
        }
        let (Some(method), Some(target), Some(minor_version)) =
            (request.method, request.path, request.version)
        else {
            return Err(Error::BadRequest("the request line is malformed"));
        };
        let form = target_form(method, target)?;
        let facts = framing::read(minor_version, request.headers)?;
        let span = |part: &[u8]| span(&self.bytes, part);
        let path = span(form.path.as_bytes());
        let head = Head {
            method: span(method.as_bytes()),
            target: span(target.as_bytes()),
            path,
            query: form.query.map(|query| span(query.as_bytes())),
            authority: form.authority.map(|authority| span(authority.as_bytes())),
            minor_version,
            fields: request
                .headers
                .iter()
                .map(|field| (span(field.name.as_bytes()), span(field.value)))
                .collect(),
            framing: facts.framing,
            asks_for_websocket: facts.asks_for_websocket,
            // What follows a CONNECT may be meant for a tunnel, never for us.
            keep_alive: facts.keep_alive && method != "CONNECT",
            expects_continue: facts.expects_continue,
            bytes: Bytes::Other(Vec::new()),
        };
        Ok(Head { bytes: Bytes::new(self.bytes), ..head })
    }
}

/// A head that was accepted: its bytes, and where in them the parts are.
pub(super) struct Head {
    bytes: Bytes,
    method: Range<usize>,
    target: Range<usize>,
    path: Range<usize>,
    query: Option<Range<usize>>,
    authority: Option<Range<usize>>,
    minor_version: u8,
    fields: Vec<(Range<usize>, Range<usize>)>,
    pub(super) framing: Framing,
    asks_for_websocket: bool,
    keep_alive: bool,
    pub(super) expects_continue: bool,
}

/// The bytes of a head. Nearly all are text, which is found out once and not for each part.
enum Bytes {
    Text(String),
    Other(Vec<u8>),
}

impl Bytes {
    fn new(bytes: Vec<u8>) -> Self {
        String::from_utf8(bytes).map_or_else(|error| Self::Other(error.into_bytes()), Self::Text)
    }

    fn as_slice(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Other(bytes) => bytes,
        }
    }
}

impl Head {
    /// The view of the request that has this head and `body`.
    pub(super) fn request<'a>(&'a self, body: &'a [u8]) -> Request<'a> {
        let method = self.text(&self.method);
        Request {
            method,
            target: self.text(&self.target),
            path: match self.text(&self.path) {
                // RFC 9110 §4.2.3: an empty path is the same as `/`.
                "" if method != "CONNECT" => "/",
                path => path,
            },
            query: self.query.as_ref().map(|query| self.text(query)),
            authority: self.authority.as_ref().map(|authority| self.text(authority)),
            minor_version: self.minor_version,
            keep_alive: self.keep_alive,
            asks_for_websocket: self.asks_for_websocket,
            body,
            head: self,
        }
    }

    /// The field at `index`: its name as sent, its value without white space round it.
    pub(super) fn field(&self, index: usize) -> Option<(&str, &[u8])> {
        let (name, value) = self.fields.get(index)?;
        Some((self.text(name), self.bytes.as_slice().get(value.clone()).unwrap_or_default()))
    }

    fn text(&self, range: &Range<usize>) -> &str {
        match &self.bytes {
            Bytes::Text(text) => text.get(range.clone()).unwrap_or_default(),
            Bytes::Other(bytes) => {
                let bytes = bytes.get(range.clone()).unwrap_or_default();
                std::str::from_utf8(bytes).unwrap_or_default()
            }
        }
    }
}

/// Where `part`, borrowed from `whole`, lies in it.
fn span(whole: &[u8], part: &[u8]) -> Range<usize> {
    let start = part.as_ptr().addr().wrapping_sub(whole.as_ptr().addr());
    start..start.saturating_add(part.len())
}

fn refusal(error: httparse::Error, head: &[u8]) -> Error {
    Error::BadRequest(match error {
        httparse::Error::HeaderName => "the name of a header is malformed",
        httparse::Error::HeaderValue => "the value of a header is malformed",
        httparse::Error::Token => "the request line is malformed",
        httparse::Error::NewLine => "a line must end in CRLF",
        httparse::Error::TooManyHeaders => return Error::HeaderFieldsTooLarge,
        httparse::Error::Version if names_a_version(head) => return Error::VersionNotSupported,
        httparse::Error::Version | httparse::Error::Status => "the HTTP version is malformed",
    })
}

/// Whether the third and last part of the request line is `HTTP/DIGIT.DIGIT` (RFC 9112 §2.3).
fn names_a_version(head: &[u8]) -> bool {
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let mut parts = line.split(|byte| *byte == b' ').skip(2);
    match (parts.next(), parts.next()) {
        (Some([b'H', b'T', b'T', b'P', b'/', major, b'.', minor]), None) => {
            major.is_ascii_digit() && minor.is_ascii_digit()
        }
        _ => false,
    }
}

/// A target taken apart.
struct Form<'a> {
    authority: Option<&'a str>,
    path: &'a str,
    query: Option<&'a str>,
}

/// The four forms of RFC 9112 §3.2, each only where it belongs.
fn target_form<'a>(method: &str, target: &'a str) -> Result<Form<'a>, Error> {
    const BAD: Error = Error::BadRequest("the request target is malformed");
    // A fragment is never sent (RFC 9110 §7.1), and a URI is ASCII (RFC 3986 §2).
    if !target.is_ascii() || target.contains('#') {
        return Err(BAD);
    }
    if method == "CONNECT" {
        let fits = framing::is_host(target.as_bytes());
        return fits.then_some(Form { authority: Some(target), path: "", query: None }).ok_or(BAD);
    }
    if target == "*" {
        let asterisk = Form { authority: None, path: target, query: None };
        return if method == "OPTIONS" { Ok(asterisk) } else { Err(BAD) };
    }
    let (authority, rest) = if target.starts_with('/') {
        (None, target)
    } else {
        let rest = without_scheme(target).ok_or(BAD)?;
        let (authority, rest) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        if !framing::is_host(authority.as_bytes()) {
            return Err(BAD);
        }
        (Some(authority), rest)
    };
    Ok(match rest.split_once('?') {
        Some((path, query)) => Form { authority, path, query: Some(query) },
        None => Form { authority, path: rest, query: None },
    })
}

fn without_scheme(target: &str) -> Option<&str> {
    ["http://", "https://"].iter().find_map(|scheme| {
        let (start, rest) = target.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    })
}
