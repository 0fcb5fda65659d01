//! The client's handshake: RFC 6455 section 4.1.
//!
//! Law: a connection is open only when the response proves that the server took this very request.
//! Limit: a response head of at most [`HEAD_BYTES_MAX`] and [`HEADERS_MAX`] header lines.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::head::{HeadBuffer, HeadTooLarge};
use super::{accept, extensions, has_token, is_field_value, is_token};

/// The longest response head in bytes.
pub const HEAD_BYTES_MAX: usize = 16 * 1024;

/// The most header lines of a response.
pub const HEADERS_MAX: usize = 100;

/// What the client asks for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Request<'a> {
    /// `Host`: the name, with the port when it is not the scheme's own.
    pub host: &'a str,
    /// The path with its query; begins with `/`.
    pub target: &'a str,
    /// `Origin`, as a browser would send it.
    pub origin: Option<&'a str>,
    /// Subprotocols, the favourite first.
    pub subprotocols: &'a [&'a str],
    /// The value of `Sec-WebSocket-Extensions`.
    pub extensions: Option<&'a str>,
    /// Further headers, such as `Authorization`; those of the handshake itself are refused.
    pub headers: &'a [(&'a str, &'a str)],
}

/// Why a handshake fails, section 4.1.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The caller's request cannot be written: this part of it would break the head.
    Request(&'static str),
    /// The response's head is over its limit.
    HeadTooLarge,
    /// The response is not HTTP.
    NotHttp,
    /// A status other than 101.
    Status(u16),
    /// `Upgrade` is missing or is not `websocket`.
    Upgrade,
    /// `Connection` does not list `upgrade`.
    Connection,
    /// `Sec-WebSocket-Accept` is missing or belongs to another key.
    Accept,
    /// A subprotocol that was not asked for, or two.
    Subprotocol,
    /// An extension that was not asked for, or a malformed answer.
    Extensions,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(part) => write!(f, "the request's {part} cannot be sent"),
            Self::HeadTooLarge => f.write_str("the response's head is too large"),
            Self::NotHttp => f.write_str("the response is not HTTP/1.1"),
            Self::Status(status) => write!(f, "the server answered {status}"),
            Self::Upgrade => f.write_str("the response does not upgrade to websocket"),
            Self::Connection => f.write_str("the response has no Connection: Upgrade"),
            Self::Accept => f.write_str("Sec-WebSocket-Accept does not fit the key"),
            Self::Subprotocol => f.write_str("the server chose a subprotocol not asked for"),
            Self::Extensions => f.write_str("the server chose an extension not asked for"),
        }
    }
}

impl std::error::Error for Error {}

/// What the handshake agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// The subprotocol, one of those asked for.
    pub subprotocol: Option<String>,
    /// The value of `Sec-WebSocket-Extensions`; its names are among those asked for.
    pub extensions: Option<String>,
}

/// A handshake whose request was written and whose response is awaited.
#[derive(Clone, Debug)]
pub struct Handshake {
    accept: String,
    subprotocols: Vec<String>,
    extensions: Vec<String>,
    head: HeadBuffer,
}

const OWN: [&str; 8] = [
    "Host",
    "Upgrade",
    "Connection",
    "Sec-WebSocket-Key",
    "Sec-WebSocket-Version",
    "Sec-WebSocket-Protocol",
    "Sec-WebSocket-Extensions",
    "Content-Length",
];

impl Handshake {
    /// Appends the request to `out`; `nonce` is 16 random bytes of this connection's own.
    ///
    /// # Errors
    ///
    /// [`Error::Request`] when a part of `request` could not stand where it belongs; nothing was
    /// written then.
    pub fn start(request: &Request<'_>, nonce: [u8; 16], out: &mut Vec<u8>) -> Result<Self, Error> {
        let extensions = check(request)?;
        let key = STANDARD.encode(nonce);
        let mut head = format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n",
            request.target, request.host
        );
        let mut field = |name: &str, value: &str| {
            for part in [name, ": ", value, "\r\n"] {
                head.push_str(part);
            }
        };
        if let Some(origin) = request.origin {
            field("Origin", origin);
        }
        if !request.subprotocols.is_empty() {
            field("Sec-WebSocket-Protocol", &request.subprotocols.join(", "));
        }
        if let Some(extensions) = request.extensions {
            field("Sec-WebSocket-Extensions", extensions);
        }
        for (name, value) in request.headers {
            field(name, value);
        }
        head.push_str("\r\n");
        out.extend_from_slice(head.as_bytes());
        let subprotocols = request.subprotocols.iter().map(|&name| name.to_owned()).collect();
        Ok(Self { subprotocols, extensions, ..Self::of(accept(&key), None) })
    }

    /// A handshake whose request was written elsewhere: it awaits this accept value.
    pub(in super::super) fn of(accept: String, subprotocol: Option<String>) -> Self {
        let subprotocols = subprotocol.into_iter().collect();
        let head = HeadBuffer::new(HEAD_BYTES_MAX);
        Self { accept, subprotocols, extensions: Vec::new(), head }
    }

    /// Takes the next bytes of the response; once it is complete and right, returns what was agreed
    /// on and how many of these bytes were its: frames follow.
    ///
    /// # Errors
    ///
    /// Why "the client MUST _Fail the WebSocket Connection_"; the connection is to be dropped.
    pub fn receive(&mut self, bytes: &[u8]) -> Result<Option<(Agreed, usize)>, Error> {
        let taken = self.head.push(bytes).map_err(|HeadTooLarge| Error::HeadTooLarge)?;
        let Some(taken) = taken else { return Ok(None) };
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut response = httparse::Response::new(&mut headers);
        match response.parse(self.head.bytes()) {
            Ok(httparse::Status::Complete(_)) if response.version == Some(1) => {}
            Err(httparse::Error::TooManyHeaders) => return Err(Error::HeadTooLarge),
            _ => return Err(Error::NotHttp),
        }
        if response.code != Some(101) {
            return Err(Error::Status(response.code.unwrap_or_default()));
        }
        self.verify(&response).map(|agreed| Some((agreed, taken)))
    }

    fn verify(&self, response: &httparse::Response<'_, '_>) -> Result<Agreed, Error> {
        let values = |wanted: &'static str| {
            let headers = response.headers.iter();
            headers.filter(move |h| h.name.eq_ignore_ascii_case(wanted)).map(|header| header.value)
        };
        if !only(values("Upgrade")).is_some_and(|value| value.eq_ignore_ascii_case(b"websocket")) {
            return Err(Error::Upgrade);
        }
        if !values("Connection").any(|value| has_token(value, "upgrade")) {
            return Err(Error::Connection);
        }
        if only(values("Sec-WebSocket-Accept")) != Some(self.accept.as_bytes()) {
            return Err(Error::Accept);
        }
        let subprotocol = match values("Sec-WebSocket-Protocol").next() {
            None => None,
            Some(_) => {
                let chosen = only(values("Sec-WebSocket-Protocol"));
                let offer = self.subprotocols.iter().find(|name| Some(name.as_bytes()) == chosen);
                Some(offer.ok_or(Error::Subprotocol)?.clone())
            }
        };
        let answers = extensions::parse(values("Sec-WebSocket-Extensions"));
        let answers = answers.map_err(|extensions::Malformed| Error::Extensions)?;
        if !answers.iter().all(|answer| self.extensions.iter().any(|name| name == answer.name)) {
            return Err(Error::Extensions);
        }
        let lines: Vec<&str> = values("Sec-WebSocket-Extensions")
            .map(|value| str::from_utf8(value).unwrap_or_default())
            .collect();
        let extensions = (!answers.is_empty()).then(|| lines.join(", "));
        Ok(Agreed { subprotocol, extensions })
    }
}

/// The one value; none when there is none, or another.
fn only<'a>(mut values: impl Iterator<Item = &'a [u8]>) -> Option<&'a [u8]> {
    values.next().filter(|_| values.next().is_none())
}

/// Refuses what would break the head; returns the names of the extensions on offer.
fn check(request: &Request<'_>) -> Result<Vec<String>, Error> {
    let graphic =
        |text: &str| !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_graphic());
    if !graphic(request.target) || !request.target.starts_with('/') {
        return Err(Error::Request("target"));
    }
    if !graphic(request.host) {
        return Err(Error::Request("host"));
    }
    if !request.origin.is_none_or(graphic) {
        return Err(Error::Request("origin"));
    }
    if !request.subprotocols.iter().all(|name| is_token(name)) {
        return Err(Error::Request("subprotocol"));
    }
    for (name, value) in request.headers {
        let own = OWN.iter().any(|own| own.eq_ignore_ascii_case(name));
        if own || !is_token(name) || !is_field_value(value) {
            return Err(Error::Request("header"));
        }
    }
    let offers = extensions::parse(request.extensions.iter().map(|value| value.as_bytes()));
    let offers = offers.map_err(|extensions::Malformed| Error::Request("extensions"))?;
    Ok(offers.iter().map(|offer| offer.name.to_owned()).collect())
}

#[cfg(test)]
mod tests;
