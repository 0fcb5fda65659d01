//! Everything that can happen to an engine, and everything it can cause: two closed lists.

use std::ops::Range;
use std::time::Duration;

use crate::base::id::{ConnectionId, LoopId};
use crate::handler::{Close, Handler, Peer};

/// Something that happened.
#[derive(Debug)]
pub enum Input<'a, H: Handler> {
    /// Bytes came. They are unmasked and re-framed where they lie.
    Received {
        /// From whom.
        connection: ConnectionId,
        /// Any part of the stream.
        bytes: &'a mut [u8],
    },
    /// The peer sends no more (end of stream); it may still read.
    Finished {
        /// Who.
        connection: ConnectionId,
    },
    /// The peer has begun a TLS handshake, which its driver holds; nothing comes until it is done.
    Securing {
        /// Who.
        connection: ConnectionId,
    },
    /// The handshake is done: what comes now was encrypted, and is sniffed as if it were the first.
    Secured {
        /// Who.
        connection: ConnectionId,
    },
    /// The end of stream that comes next is not the peer's word (RFC 8446 §6.1): a message that is
    /// not whole by then is none.
    Truncated {
        /// Who.
        connection: ConnectionId,
    },
    /// The connection broke: reset, timed out, or given up by its owner.
    Lost {
        /// Which.
        connection: ConnectionId,
    },
    /// A worker has finished.
    Done(H::Done),
    /// A loop has said something.
    Peer {
        /// Which.
        from: LoopId,
        /// What.
        message: H::Peer,
    },
    /// Time has passed, and nothing else.
    Time,
    /// Close everything with this reason, spread over the given time.
    Drain {
        /// How long the spreading takes.
        over: Duration,
    },
}

/// A connection that was accepted.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// The other end.
    pub peer: Peer,
    /// Set when there is no room for it: it is told so on its door, and closed.
    pub refused: Option<Close>,
}

/// Something to be done by whoever drives the engine.
#[derive(Debug)]
pub enum Output<H: Handler> {
    /// The connection has bytes to send: [`Engine::queued`](super::Engine::queued) until empty.
    Transmit(ConnectionId),
    /// Read no more from it.
    Pause(ConnectionId),
    /// Read from it again.
    Resume(ConnectionId),
    /// Everything was sent: close our side, and read on until the peer closes its own.
    Shutdown(ConnectionId),
    /// Close it now. The engine has forgotten it.
    Close(ConnectionId),
    /// Have a worker do this.
    Job(H::Job),
    /// Tell another loop.
    Peer {
        /// Which.
        to: LoopId,
        /// What.
        message: H::Peer,
    },
}

/// What an input caused.
///
/// `lent` is a part of the bytes just given to [`Input::Received`], framed and ready: it goes out
/// before anything else of that connection, before those bytes are used again. What the kernel
/// does not take of it is given back by [`Engine::refused`](super::Engine::refused).
#[derive(Debug)]
pub struct Outputs<H: Handler> {
    /// Bytes that lie in what was received.
    pub lent: Option<Range<usize>>,
    /// In the order in which it is to be done.
    pub list: Vec<Output<H>>,
}

impl<H: Handler> Default for Outputs<H> {
    fn default() -> Self {
        Self { lent: None, list: Vec::new() }
    }
}
