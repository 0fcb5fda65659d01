//! What a handler is told: who is there, by which door, and what was said.

use std::net::SocketAddr;

use crate::protocol::http::Request;

/// The other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its address; none on a Unix socket or in a simulation.
    pub address: Option<SocketAddr>,
}

impl Peer {
    /// Whether it is on this machine: such peers get time to type, and no limits per address.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.address.is_none_or(|address| address.ip().to_canonical().is_loopback())
    }
}

/// An upgrade to be accepted or refused.
#[derive(Debug)]
pub struct Upgrade<'a> {
    /// The request, checked against RFC 6455 §4.2.1.
    pub request: &'a Request<'a>,
    /// `Sec-WebSocket-Protocol` as offered, in the client's order.
    pub subprotocols: &'a [&'a str],
    /// The other end.
    pub peer: Peer,
    /// Whether it comes over TLS that ends here.
    pub encrypted: bool,
}

/// How an upgrade is accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accept {
    /// One of those offered, or none.
    pub subprotocol: Option<&'static str>,
}

/// A connection that speaks now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opening {
    /// How it speaks.
    pub door: Door,
    /// The other end.
    pub peer: Peer,
    /// Whether it comes over TLS that ends here.
    pub encrypted: bool,
}

/// How a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Door {
    /// RFC 6455.
    WebSocket,
    /// Newline-delimited lines.
    Lines,
}

/// What kind of message it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A WebSocket text message: valid UTF-8.
    Text,
    /// A WebSocket binary message.
    Binary,
    /// A line without its end: any bytes but `\n`.
    Line,
}

/// A message that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// What kind it is.
    pub kind: Kind,
    /// Its bytes.
    pub bytes: &'a [u8],
}
