//! A socket and what is known about its readiness.
//!
//! A stream that is encrypted here is a socket like the others; what encrypts it is kept elsewhere
//! (`secure/`), so that who is not encrypted pays nothing for it.

use std::io::{self, IoSlice, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};

use mio::event::Source;
use mio::net::TcpStream;
use mio::net::UnixStream;
use mio::{Interest, Registry, Token};
use rustix::net::{RecvFlags, SendFlags, recv, send};

use crate::base::id::ConnectionId;
use crate::handler::Peer;

/// A stream of bytes to a peer.
#[derive(Debug)]
pub(crate) enum Stream {
    /// TCP as it is.
    Plain(TcpStream),
    /// TCP that may turn out to be encrypted: nothing was read yet.
    Fresh(TcpStream),
    /// TCP whose bytes are encrypted.
    Secure(TcpStream),
    /// A Unix socket.
    Unix(UnixStream),
}

impl Stream {
    /// Registers for both directions once and for all: edges make turning interest off needless.
    pub(super) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        let interest = Interest::READABLE | Interest::WRITABLE;
        match self {
            Self::Plain(stream) | Self::Fresh(stream) | Self::Secure(stream) => {
                stream.register(registry, token, interest)
            }
            Self::Unix(stream) => stream.register(registry, token, interest),
        }
    }

    fn descriptor(&self) -> BorrowedFd<'_> {
        match self {
            Self::Plain(stream) | Self::Fresh(stream) | Self::Secure(stream) => stream.as_fd(),
            Self::Unix(stream) => stream.as_fd(),
        }
    }

    /// The system call itself: the C library's is a point at which a thread may be cancelled, which
    /// costs a program of several threads two atomic exchanges each time.
    pub(super) fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let (taken, _) = recv(self.descriptor(), buffer, RecvFlags::empty())?;
        Ok(taken)
    }

    /// Whether a read that did not fill its buffer has emptied the socket. A Unix socket may also
    /// stop at a descriptor that was passed along.
    pub(super) const fn short_read_drains(&self) -> bool {
        !matches!(self, Self::Unix(_))
    }

    /// Whether its bytes are encrypted, or may be.
    pub(super) const fn is_special(&self) -> bool {
        matches!(self, Self::Fresh(_) | Self::Secure(_))
    }

    pub(super) const fn is_secure(&self) -> bool {
        matches!(self, Self::Secure(_))
    }

    /// The first byte, left where it is; none at the end of the stream.
    pub(super) fn peek(&self) -> io::Result<Option<u8>> {
        let mut first = [0];
        let came = match self {
            Self::Plain(stream) | Self::Fresh(stream) | Self::Secure(stream) => {
                stream.peek(&mut first)?
            }
            Self::Unix(_) => 0,
        };
        Ok((came > 0).then_some(first[0]))
    }

    /// The same socket, taken for another kind of stream.
    pub(super) fn become_kind(self, kind: fn(TcpStream) -> Self) -> Self {
        match self {
            Self::Plain(stream) | Self::Fresh(stream) | Self::Secure(stream) => kind(stream),
            unix @ Self::Unix(_) => unix,
        }
    }

    /// As [`read`](Self::read), and no SIGPIPE.
    pub(super) fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        Ok(send(self.descriptor(), bytes, SendFlags::NOSIGNAL)?)
    }

    pub(super) fn write_vectored(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) | Self::Fresh(stream) | Self::Secure(stream) => {
                (&*stream).write_vectored(parts)
            }
            Self::Unix(stream) => (&*stream).write_vectored(parts),
        }
    }

    pub(super) fn shutdown_write(&self) -> io::Result<()> {
        match self {
            Self::Plain(stream) | Self::Fresh(stream) | Self::Secure(stream) => {
                stream.shutdown(Shutdown::Write)
            }
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
