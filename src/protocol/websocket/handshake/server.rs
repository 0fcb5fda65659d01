//! The server's handshake: RFC 6455 sections 4.2 and 4.4.
//!
//! Law: 101 only after every check. What is written back are constants and what the caller passes;
//! nothing of the request but the accept value derived from its key.

use std::fmt;

use base64::Engine;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

use super::{accept_bytes, extensions, has_token, is_field_value, is_token, list};

/// Keys as they come: section 4.2.1 asks for 16 bytes, not for zeros in the bits beyond them.
const KEYS: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

/// The head of a request, as the handshake reads it, whoever parsed it.
pub trait Head {
    /// The method, as it was sent.
    fn method(&self) -> &str;
    /// The minor version: 1 for HTTP/1.1.
    fn version_minor(&self) -> u8;
    /// Names as they were sent, values without the white space round them.
    fn headers(&self) -> impl Iterator<Item = (&str, &[u8])>;
}

impl Head for httparse::Request<'_, '_> {
    fn method(&self) -> &str {
        self.method.unwrap_or_default()
    }

    fn version_minor(&self) -> u8 {
        self.version.unwrap_or_default()
    }

    fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.headers.iter().map(|header| (header.name, header.value))
    }
}

/// Why a request is not upgraded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// Not the head of an HTTP request, or one of too many header lines.
    NotHttp,
    /// Not GET.
    Method,
    /// HTTP/1.0.
    HttpVersion,
    /// No `Host`, an empty one, or two.
    Host,
    /// `Upgrade` does not list `websocket`, or `Connection` does not list `upgrade`.
    Upgrade,
    /// `Sec-WebSocket-Version` is not 13, once.
    Version,
    /// No `Sec-WebSocket-Key`, two, or one that is not 16 bytes in base64.
    Key,
    /// `Sec-WebSocket-Protocol` lists what cannot be a subprotocol.
    Subprotocol,
    /// A body is announced.
    Body,
}

impl Refusal {
    /// The HTTP status.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Method => 405,
            Self::Upgrade | Self::Version => 426,
            _ => 400,
        }
    }

    /// Header fields beside the usual ones.
    #[must_use]
    pub const fn headers(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Method => &[("Allow", "GET")],
            Self::Upgrade => &[("Upgrade", "websocket")],
            Self::Version => &[("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13")],
            _ => &[],
        }
    }

    /// What is wrong, in a sentence without a line end: the body of the response.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::NotHttp => "This is not an HTTP/1.1 request.",
            Self::Method => "A WebSocket handshake is a GET.",
            Self::HttpVersion => "A WebSocket handshake needs HTTP/1.1.",
            Self::Host => "Exactly one Host header is needed.",
            Self::Upgrade => {
                "This is a WebSocket endpoint: send Upgrade: websocket and Connection: Upgrade."
            }
            Self::Version => "Sec-WebSocket-Version must be 13, once.",
            Self::Key => "Sec-WebSocket-Key must be 16 bytes in base64, once.",
            Self::Subprotocol => "Sec-WebSocket-Protocol must be a list of tokens.",
            Self::Body => "A WebSocket handshake has no body.",
        }
    }

    /// Appends the whole response, after which the connection is to be closed.
    pub fn write_into(self, out: &mut Vec<u8>) {
        write_refusal(self.status(), self.headers(), self.text(), out);
    }
}

/// Appends a response that refuses the upgrade and closes; `headers` and `text` are the caller's.
pub fn write_refusal(status: u16, headers: &[(&str, &str)], text: &str, out: &mut Vec<u8>) {
    let phrase = match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        503 => "Service Unavailable",
        _ => "Refused",
    };
    let line = format!("HTTP/1.1 {status} {phrase}\r\n");
    out.extend_from_slice(line.as_bytes());
    for (name, value) in headers {
        field(out, name, value);
    }
    // RFC 9110 section 7.8: a sender of Upgrade must name it in Connection.
    let upgrade = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("Upgrade"));
    field(out, "Connection", if upgrade { "close, Upgrade" } else { "close" });
    field(out, "Content-Type", "text/plain; charset=utf-8");
    field(out, "Content-Length", &text.len().saturating_add(1).to_string());
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(text.as_bytes());
    out.push(b'\n');
}

fn field(out: &mut Vec<u8>, name: &str, value: &str) {
    for part in [name, ": ", value, "\r\n"] {
        out.extend_from_slice(part.as_bytes());
    }
}

/// A request that may be upgraded.
#[derive(Clone, Debug)]
pub struct Upgrade<'a> {
    key: &'a str,
    subprotocols: Vec<&'a str>,
    extensions: Vec<&'a [u8]>,
}

impl<'a> Upgrade<'a> {
    /// The value of `Sec-WebSocket-Key`.
    #[must_use]
    pub const fn key(&self) -> &'a str {
        self.key
    }

    /// The subprotocols on offer, all of them tokens, the client's favourite first.
    pub fn subprotocols(&self) -> impl Iterator<Item = &'a str> {
        let lists = self.subprotocols.iter();
        lists.flat_map(|&value| list(value))
    }

    /// The first subprotocol on offer that is `supported`, in the words of `supported`.
    #[must_use]
    pub fn choose<'s>(&self, supported: &[&'s str]) -> Option<&'s str> {
        self.subprotocols().find_map(|offer| supported.iter().find(|&&name| name == offer).copied())
    }

    /// The values of `Sec-WebSocket-Extensions`, for [`extensions::parse`].
    pub fn extensions(&self) -> impl Iterator<Item = &'a [u8]> {
        self.extensions.iter().copied()
    }

    /// The extensions on offer; none when the header is malformed, which declines them all.
    #[must_use]
    pub fn offers(&self) -> Vec<extensions::Offer<'a>> {
        extensions::parse(self.extensions()).unwrap_or_default()
    }
}

/// Whether a request asks for a WebSocket, however wrongly: what to call [`validate`] for.
pub fn is_upgrade(head: &impl Head) -> bool {
    head.headers()
        .any(|(name, value)| name.eq_ignore_ascii_case("Upgrade") && has_token(value, "websocket"))
}

/// What the headers say; `seen` counts the header lines of one name.
#[derive(Default)]
struct Fields<'a> {
    host: Seen<'a>,
    key: Seen<'a>,
    version: Seen<'a>,
    upgrade: bool,
    connection: bool,
    body: bool,
    subprotocols: Vec<&'a [u8]>,
    extensions: Vec<&'a [u8]>,
}

/// A header that must come exactly once.
#[derive(Clone, Copy, Default)]
enum Seen<'a> {
    #[default]
    Never,
    Once(&'a [u8]),
    Twice,
}

impl<'a> Seen<'a> {
    fn add(&mut self, value: &'a [u8]) {
        *self = if matches!(self, Self::Never) { Self::Once(value) } else { Self::Twice };
    }

    const fn once(self) -> Option<&'a [u8]> {
        if let Self::Once(value) = self { Some(value) } else { None }
    }
}

impl<'a> Fields<'a> {
    fn add(&mut self, name: &str, value: &'a [u8]) {
        let is = |wanted: &str| name.eq_ignore_ascii_case(wanted);
        if is("Host") {
            self.host.add(value);
        } else if is("Upgrade") {
            self.upgrade |= has_token(value, "websocket");
        } else if is("Connection") {
            self.connection |= has_token(value, "upgrade");
        } else if is("Content-Length") {
            self.body |= value != b"0";
        } else if is("Transfer-Encoding") {
            self.body = true;
        } else if is("Sec-WebSocket-Key") {
            self.key.add(value);
        } else if is("Sec-WebSocket-Version") {
            self.version.add(value);
        } else if is("Sec-WebSocket-Protocol") {
            self.subprotocols.push(value);
        } else if is("Sec-WebSocket-Extensions") {
            self.extensions.push(value);
        }
    }
}

/// Judges a request by section 4.2.1.
///
/// # Errors
///
/// The first [`Refusal`] in the order method, HTTP version, host, upgrade, version, key,
/// subprotocols, body.
pub fn validate<H: Head>(head: &H) -> Result<Upgrade<'_>, Refusal> {
    if head.method() != "GET" {
        return Err(Refusal::Method);
    }
    if head.version_minor() != 1 {
        return Err(Refusal::HttpVersion);
    }
    let mut fields = Fields::default();
    for (name, value) in head.headers() {
        fields.add(name, value);
    }
    if fields.host.once().is_none_or(<[u8]>::is_empty) {
        return Err(Refusal::Host);
    }
    if !fields.upgrade || !fields.connection {
        return Err(Refusal::Upgrade);
    }
    if fields.version.once() != Some(b"13") {
        return Err(Refusal::Version);
    }
    let key = fields.key.once().and_then(|key| str::from_utf8(key).ok());
    let Some(key) = key.filter(|key| is_key(key)) else { return Err(Refusal::Key) };
    let mut subprotocols = Vec::with_capacity(fields.subprotocols.len());
    for value in fields.subprotocols {
        let value = str::from_utf8(value).map_err(|_| Refusal::Subprotocol)?;
        if !list(value).all(is_token) {
            return Err(Refusal::Subprotocol);
        }
        subprotocols.push(value);
    }
    if fields.body {
        return Err(Refusal::Body);
    }
    Ok(Upgrade { key, subprotocols, extensions: fields.extensions })
}

fn is_key(key: &str) -> bool {
    let mut bytes = [0; 18];
    key.len() == 24 && KEYS.decode_slice(key, &mut bytes) == Ok(16)
}

/// A response that would break section 4.2.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotOffered;

impl fmt::Display for NotOffered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the client did not offer this, or asks for nothing")
    }
}

impl std::error::Error for NotOffered {}

impl From<Refusal> for NotOffered {
    fn from(_: Refusal) -> Self {
        Self
    }
}

/// Appends the 101 of section 4.2.2, step 5: `subprotocol` is one of the client's, `extensions` the
/// value of `Sec-WebSocket-Extensions` that answers one of its offers.
///
/// # Errors
///
/// [`NotOffered`], with nothing written, when the client did not offer `subprotocol`, offered no
/// extension, or the value could not stand in a header.
pub fn response(
    upgrade: &Upgrade<'_>,
    subprotocol: Option<&str>,
    extensions: Option<&str>,
    out: &mut Vec<u8>,
) -> Result<(), NotOffered> {
    let subprotocol_fine = subprotocol.is_none_or(|name| upgrade.subprotocols().any(|o| o == name));
    let extensions_fine =
        extensions.is_none_or(|value| is_field_value(value) && !upgrade.extensions.is_empty());
    if !subprotocol_fine || !extensions_fine {
        return Err(NotOffered);
    }
    out.extend_from_slice(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
          Sec-WebSocket-Accept: ",
    );
    out.extend_from_slice(&accept_bytes(upgrade.key));
    out.extend_from_slice(b"\r\n");
    if let Some(subprotocol) = subprotocol {
        field(out, "Sec-WebSocket-Protocol", subprotocol);
    }
    if let Some(extensions) = extensions {
        field(out, "Sec-WebSocket-Extensions", extensions);
    }
    out.extend_from_slice(b"\r\n");
    Ok(())
}

#[cfg(test)]
mod tests;
