//! What a handler can cause, and whose deadlines there are: closed lists, which the engine carries out.

use std::ops::Range;

use super::{Close, Handler, Segment, Tag};
use crate::base::id::{ConnectionId, LoopId};
use crate::protocol::frame::Common;
use crate::protocol::http::Response;

/// What a handler asked for: a closed list that the engine carries out in order.
#[derive(Debug)]
pub enum Effect<H: Handler> {
    /// Send to a connection of this loop.
    Send {
        /// To whom.
        to: ConnectionId,
        /// What.
        segment: Segment,
        /// For its queue.
        tag: Tag,
    },
    /// Send to many connections of this loop.
    Broadcast {
        /// To whom: a part of what [`Context::broadcast`] was given in this call.
        to: Range<usize>,
        /// What.
        frame: Common,
        /// For their queues.
        tag: Tag,
    },
    /// Answer the request that the connection waits with.
    Respond {
        /// To whom.
        to: ConnectionId,
        /// What.
        response: Box<Response>,
    },
    /// Close with a code, after what is queued.
    Close {
        /// Whom.
        connection: ConnectionId,
        /// Why.
        close: Close,
    },
    /// Close without a word, after what is queued.
    Finish {
        /// Whom.
        connection: ConnectionId,
    },
    /// Hand over no more messages of this connection, or go on.
    Pause {
        /// Whom.
        connection: ConnectionId,
        /// Stop, or go on.
        paused: bool,
    },
    /// Let messages be this long from now on.
    Limit {
        /// Whose.
        connection: ConnectionId,
        /// How long.
        message_bytes: usize,
    },
    /// Say when everything queued for it until now is sent.
    WhenSent {
        /// Whose.
        connection: ConnectionId,
    },
    /// Work for a worker.
    Job(H::Job),
    /// A word to a loop.
    Peer {
        /// Which.
        to: LoopId,
        /// What.
        message: H::Peer,
    },
}

/// Whose deadline it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimerKey<T> {
    /// The engine's, of a connection.
    Transport(ConnectionId),
    /// The handler's.
    Handler(T),
}

/// The message being handled goes back: the one effect that is not listed, for it is the only one
/// of so many messages that a list costs more than what it is of.
#[derive(Debug)]
pub(crate) struct Back {
    pub(crate) to: ConnectionId,
    pub(crate) part: Range<usize>,
    pub(crate) tag: Tag,
}
