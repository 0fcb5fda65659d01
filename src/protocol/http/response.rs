//! Responses: status, fields and a body, written as HTTP/1.1 (RFC 9110 §15, RFC 9112 §4).
//!
//! Law: nothing a caller puts in can end a line, because a [`FieldValue`] cannot hold a control
//! and names are the program's own. `Content-Length` and `Transfer-Encoding` are written here and
//! nowhere else. Limit: a body is whole in memory, or runs until the connection ends.

use super::text::{is_field_byte, is_tchar};
use std::borrow::Cow;
use std::io::Write;

/// The value of a field: text without controls, so without line ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldValue(Cow<'static, str>);

impl FieldValue {
    /// Takes `text` as it is.
    ///
    /// `None` when it holds a control character other than a tab.
    #[must_use]
    pub fn new(text: impl Into<Cow<'static, str>>) -> Option<Self> {
        let text = text.into();
        text.bytes().all(is_field_byte).then_some(Self(text))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Controls are left out: for values that are known to have none.
impl<T: Into<Cow<'static, str>>> From<T> for FieldValue {
    fn from(text: T) -> Self {
        let text = text.into();
        if text.bytes().all(is_field_byte) {
            return Self(text);
        }
        let kept = |c: &char| u8::try_from(*c).map_or(true, is_field_byte);
        Self(Cow::Owned(text.chars().filter(kept).collect()))
    }
}

/// How the end of a body is known.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Body {
    Whole(Cow<'static, [u8]>),
    UntilClose,
}

/// A response to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    status: u16,
    fields: Vec<(&'static str, FieldValue)>,
    body: Body,
}

impl Response {
    /// A response with `status` and no body; a number that is no status (RFC 9110 §15) becomes 500.
    #[must_use]
    pub const fn new(status: u16) -> Self {
        let status = if 100 <= status && status <= 599 { status } else { 500 };
        Self { status, fields: Vec::new(), body: Body::Whole(Cow::Borrowed(&[])) }
    }

    /// Adds a field. Of `name` only what a name may hold is written; the fields that frame the
    /// message are not written at all, they follow from the body.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<FieldValue>) -> Self {
        if !["content-length", "transfer-encoding"].iter().any(|n| n.eq_ignore_ascii_case(name)) {
            self.fields.push((name, value.into()));
        }
        self
    }

    /// Sets the body and its `Content-Type`.
    #[must_use]
    pub fn body(mut self, content_type: &'static str, body: impl Into<Cow<'static, [u8]>>) -> Self {
        self.body = Body::Whole(body.into());
        self.header("Content-Type", content_type)
    }

    /// Sets a body of plain text.
    #[must_use]
    pub fn text(self, text: impl Into<Cow<'static, str>>) -> Self {
        let bytes = match text.into() {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        };
        self.body("text/plain; charset=utf-8", bytes)
    }

    /// Sets a body of JSON.
    #[must_use]
    pub fn json(self, json: impl Into<Cow<'static, [u8]>>) -> Self {
        self.body("application/json", json)
    }

    /// A body that the caller writes after the head and ends by closing (RFC 9112 §6.3, 8).
    #[must_use]
    pub fn until_close(mut self, content_type: &'static str) -> Self {
        self.body = Body::UntilClose;
        self.header("Content-Type", content_type)
    }

    /// The status.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// Whether the connection has to be closed after this response whatever was asked.
    #[must_use]
    pub const fn closes(&self) -> bool {
        matches!(self.body, Body::UntilClose)
    }

    /// Appends the response to `out`.
    ///
    /// `head`: it answers a `HEAD`, so the body is counted and not sent (RFC 9110 §9.3.2).
    /// `keep_alive`: whether the connection stays, said in `Connection` unless the response has
    /// one of its own. With 1xx, 204 and 304 there is no body (RFC 9112 §6.3).
    pub fn encode(&self, head: bool, keep_alive: bool, out: &mut Vec<u8>) {
        let bodiless = matches!(self.status, 100..=199 | 204 | 304);
        // Writing to a `Vec` cannot fail.
        let _ = write!(out, "HTTP/1.1 {:03} {}\r\n", self.status, reason_phrase(self.status));
        for (name, value) in &self.fields {
            out.extend(name.bytes().filter(|byte| is_tchar(*byte)));
            out.extend_from_slice(b": ");
            out.extend_from_slice(value.as_str().as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        if !self.fields.iter().any(|(name, _)| name.eq_ignore_ascii_case("connection")) {
            let stays = keep_alive && !self.closes();
            let word = if stays { "keep-alive" } else { "close" };
            let _ = write!(out, "Connection: {word}\r\n");
        }
        match &self.body {
            Body::Whole(body) if !bodiless => {
                let _ = write!(out, "Content-Length: {}\r\n\r\n", body.len());
                if !head {
                    out.extend_from_slice(body);
                }
            }
            Body::Whole(_) | Body::UntilClose => out.extend_from_slice(b"\r\n"),
        }
    }
}

/// The words beside a status (RFC 9110 §15, RFC 6585); empty for one not used here.
#[must_use]
pub const fn reason_phrase(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        101 => "Switching Protocols",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Timeout",
        409 => "Conflict",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        421 => "Misdirected Request",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        507 => "Insufficient Storage",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(response: &Response, head: bool, keep_alive: bool) -> String {
        let mut out = Vec::new();
        response.encode(head, keep_alive, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn responses_as_written() {
        const TEXT: &str = "Content-Type: text/plain; charset=utf-8\r\n";
        let hello = Response::new(200).text("hello");
        for (response, head, keep_alive, expected) in [
            (
                &hello,
                false,
                true,
                format!("HTTP/1.1 200 OK\r\n{TEXT}Connection: keep-alive\r\nContent-Length: 5\r\n\r\nhello"),
            ),
            (
                &hello,
                true,
                false,
                format!("HTTP/1.1 200 OK\r\n{TEXT}Connection: close\r\nContent-Length: 5\r\n\r\n"),
            ),
            (
                &Response::new(204).text("never"),
                false,
                true,
                format!("HTTP/1.1 204 No Content\r\n{TEXT}Connection: keep-alive\r\n\r\n"),
            ),
            (
                &Response::new(101).header("Connection", "Upgrade").header("Upgrade", "websocket"),
                false,
                true,
                "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n".into(),
            ),
            (
                &Response::new(200).until_close("text/event-stream"),
                false,
                true,
                "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n".into(),
            ),
            (
                &Response::new(599),
                false,
                false,
                "HTTP/1.1 599 \r\nConnection: close\r\nContent-Length: 0\r\n\r\n".into(),
            ),
            (
                &Response::new(7).header("content-length", "9").header("Transfer-Encoding", "x"),
                false,
                false,
                "HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".into(),
            ),
        ] {
            assert_eq!(written(response, head, keep_alive), expected);
        }
    }

    #[test]
    fn no_value_ends_a_line() {
        assert_eq!(FieldValue::new("a\r\nSet-Cookie: b"), None);
        assert_eq!(FieldValue::new("a\0"), None);
        assert_eq!(FieldValue::new("é\t").as_ref().map(FieldValue::as_str), Some("é\t"));
        let response = Response::new(200).header("X\r\nY", "a\r\nB: c\u{7f}é".to_owned());
        assert!(written(&response, false, true).contains("\r\nXY: aB: cé\r\n"));
    }

    proptest! {
        #[test]
        fn what_is_written_parses_as_one_response(value in any::<String>(), body in any::<Vec<u8>>()) {
            let response = Response::new(200).header("X-A", value).body("a/b", body.clone());
            let mut out = Vec::new();
            response.encode(false, true, &mut out);
            let mut fields = [httparse::EMPTY_HEADER; 8];
            let mut parsed = httparse::Response::new(&mut fields);
            let length = parsed.parse(&out).unwrap().unwrap();
            prop_assert_eq!(parsed.headers.len(), 4);
            prop_assert_eq!(&out[length..], &body);
        }
    }
}
