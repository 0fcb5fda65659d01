//! A socket and what is known about its readiness.
//!
//! A stream encrypted by us will be a third kind of [`Stream`]: bytes in, bytes out, and readiness
//! that is not the socket's.

use std::io::{self, IoSlice, Read, Write};
use std::net::Shutdown;

use mio::event::Source;
use mio::net::TcpStream;
use mio::net::UnixStream;
use mio::{Interest, Registry, Token};

use crate::base::id::ConnectionId;
use crate::handler::Peer;

/// A stream of bytes to a peer.
#[derive(Debug)]
pub(crate) enum Stream {
    /// TCP as it is.
    Plain(TcpStream),
    /// A Unix socket.
    Unix(UnixStream),
}

impl Stream {
    /// Registers for both directions once and for all: edges make turning interest off needless.
    pub(super) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        let interest = Interest::READABLE | Interest::WRITABLE;
        match self {
            Self::Plain(stream) => stream.register(registry, token, interest),
            Self::Unix(stream) => stream.register(registry, token, interest),
        }
    }

    pub(super) fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => (&*stream).read(buffer),
            Self::Unix(stream) => (&*stream).read(buffer),
        }
    }

    /// Whether a read that did not fill its buffer has emptied the socket. A Unix socket may also
    /// stop at a descriptor that was passed along.
    pub(super) const fn short_read_drains(&self) -> bool {
        matches!(self, Self::Plain(_))
    }

    pub(super) fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => (&*stream).write(bytes),
            Self::Unix(stream) => (&*stream).write(bytes),
        }
    }

    pub(super) fn write_vectored(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => (&*stream).write_vectored(parts),
            Self::Unix(stream) => (&*stream).write_vectored(parts),
        }
    }

    pub(super) fn shutdown_write(&self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.shutdown(Shutdown::Write),
            Self::Unix(stream) => stream.shutdown(Shutdown::Write),
        }
    }
}

/// A connection of this loop.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) id: ConnectionId,
    pub(super) stream: Stream,
    pub(super) peer: Peer,
    /// Whether it was let in, or is only being told that it was not.
    pub(super) admitted: bool,
    /// There may be something to read.
    pub(super) readable: bool,
    /// The end was announced with an edge: read until it is reached, short reads or not.
    pub(super) ending: bool,
    /// The end was reached; nothing is read any more.
    pub(super) ended: bool,
    /// The engine wants nothing now.
    pub(super) paused: bool,
    /// The kernel takes no more until it says so.
    pub(super) blocked: bool,
    /// Our side is to be closed once everything is sent.
    pub(super) shutting: bool,
    /// The kernel reported an error; nothing that is still unread would come.
    pub(super) broken: bool,
}

impl Connection {
    pub(super) const fn new(id: ConnectionId, stream: Stream, peer: Peer, admitted: bool) -> Self {
        Self {
            id,
            stream,
            peer,
            admitted,
            readable: false,
            ending: false,
            ended: false,
            paused: false,
            blocked: false,
            shutting: false,
            broken: false,
        }
    }

    /// Whether a visit of the reader would find something to do.
    pub(super) const fn wants_read(&self) -> bool {
        self.readable && !self.paused && !self.ended
    }
}
