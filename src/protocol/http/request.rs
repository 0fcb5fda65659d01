//! A request as its readers see it, borrowed from the decoder (RFC 9110 §3.4).
//!
//! Limit: names of fields are compared without case, values are bytes (RFC 9110 §5.5 leaves their
//! character set open). Nothing here prints a target or a value: they may hold tokens.

use super::head::Head;
use std::fmt;

/// A whole request.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// The method as sent; any token. Methods are case-sensitive.
    pub method: &'a str,
    /// The request target as sent.
    pub target: &'a str,
    /// The path, still percent-encoded: empty for `CONNECT`, `*` for `OPTIONS *`.
    pub path: &'a str,
    /// What stands after the first `?`, still percent-encoded.
    pub query: Option<&'a str>,
    /// The host of a target that names one; it overrides `Host` (RFC 9112 §3.2.2).
    pub authority: Option<&'a str>,
    /// 1 for HTTP/1.1, 0 for HTTP/1.0.
    pub minor_version: u8,
    /// Whether the client lets the connection stay after the response (RFC 9112 §9.3).
    pub keep_alive: bool,
    /// Whether `Upgrade` lists `websocket` (RFC 6455 §4.2.1), however wrong the rest may be.
    pub asks_for_websocket: bool,
    /// The body, chunks joined; empty where there was none.
    pub body: &'a [u8],
    pub(super) head: &'a Head,
}

/// A field that may stand once stood more than once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeated;

impl<'a> Request<'a> {
    /// Every field in the order sent: its name as sent, its value without white space round it.
    #[must_use]
    pub const fn headers(&self) -> Headers<'a> {
        Headers { head: self.head, index: 0 }
    }

    /// The value of the first field called `name`, compared without case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'a [u8]> {
        self.headers().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// As [`header`](Self::header), when it is text of visible ASCII, spaces and tabs.
    #[must_use]
    pub fn header_text(&self, name: &str) -> Option<&'a str> {
        self.header(name).filter(|value| value.is_ascii()).and_then(|v| str::from_utf8(v).ok())
    }

    /// The value of the only field called `name`.
    ///
    /// # Errors
    ///
    /// [`Repeated`] when there are several.
    pub fn only_header(&self, name: &str) -> Result<Option<&'a [u8]>, Repeated> {
        let mut values = self.headers().filter(|(other, _)| other.eq_ignore_ascii_case(name));
        match (values.next(), values.next()) {
            (_, Some(_)) => Err(Repeated),
            (first, None) => Ok(first.map(|(_, value)| value)),
        }
    }

    /// Whether a field called `name`, a comma list over however many lines, holds `token`.
    #[must_use]
    pub fn header_has(&self, name: &str, token: &str) -> bool {
        self.headers()
            .filter(|(other, _)| other.eq_ignore_ascii_case(name))
            .flat_map(|(_, value)| super::text::list(value))
            .any(|element| element.eq_ignore_ascii_case(token.as_bytes()))
    }

    /// The host and port that the client asked for: of the target, else of `Host`.
    ///
    /// `None` only in HTTP/1.0; the characters are checked, so it is ASCII.
    #[must_use]
    pub fn host(&self) -> Option<&'a str> {
        self.authority.or_else(|| self.header_text("host"))
    }
}

impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("minor_version", &self.minor_version)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// The fields of a request, in the order sent.
#[derive(Clone)]
pub struct Headers<'a> {
    head: &'a Head,
    index: usize,
}

impl<'a> Iterator for Headers<'a> {
    type Item = (&'a str, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let field = self.head.field(self.index)?;
        self.index = self.index.saturating_add(1);
        Some(field)
    }
}

impl fmt::Debug for Headers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone().map(|(name, _)| name)).finish()
    }
}
