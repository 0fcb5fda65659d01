//! What a handler is told: who is there, by which door, and what was said.

use std::net::{IpAddr, SocketAddr};

use crate::protocol::http::Request;

/// The other end of a connection: its address, or none on a Unix socket or in a simulation.
///
/// Kept several times for each connection, so it holds no more than address and port (20 bytes).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    ip: Option<IpAddr>,
    port: u16,
}

impl From<SocketAddr> for Peer {
    fn from(address: SocketAddr) -> Self {
        Self { ip: Some(address.ip()), port: address.port() }
    }
}

impl Peer {
    /// Somebody without an address.
    pub const LOCAL: Self = Self { ip: None, port: 0 };

    /// Its IP address.
    #[must_use]
    pub const fn ip(&self) -> Option<IpAddr> {
        self.ip
    }

    /// Its address with the port.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.ip.map(|ip| SocketAddr::new(ip, self.port))
    }

    /// Whether it is on this machine: such peers get time to type, and no limits per address.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.ip.is_none_or(|ip| ip.to_canonical().is_loopback())
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
