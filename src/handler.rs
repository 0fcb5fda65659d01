//! What an application is to the engine: the [`Handler`] trait, and the [`Context`] by which it acts.
//!
//! A handler is told of connections, messages, requests, deadlines, finished jobs and other loops;
//! whatever it wants to happen it asks of the context, which is the only way to cause an effect.
//! There is one handler per loop, made by a factory; it never blocks and shares nothing. The
//! messaging server is one handler, `examples/echo.rs` another.

mod endpoints;
mod sent;
mod told;

use std::fmt::Debug;
use std::ops::Range;
use std::time::Duration;

pub use endpoints::Endpoints;
pub use sent::{Class, Close, Gap, Segment, Tag};
pub use told::{Accept, Door, Kind, Message, Opening, Peer, Upgrade};

use crate::base::id::{ConnectionId, LoopId};
use crate::base::now::Now;
use crate::base::rng::Rng;
use crate::base::timer::{TimerId, Wheel};
use crate::protocol::frame::{Common, Draft, OwnFrame};
use crate::protocol::http::{Request, Response};

/// An application on the loops: one instance per loop, called by that loop's engine only.
///
/// Every call gets the [`Context`] of the moment. What is asked of it happens when the call
/// returns, in the order asked.
pub trait Handler: Sized + Send {
    /// Work that blocks, done on a worker. [`std::convert::Infallible`] when there is none.
    type Job: Send + Debug;
    /// What came of such work.
    type Done: Send + Debug;
    /// What loops say to each other.
    type Peer: Send + Debug;
    /// What a deadline of the handler's own stands for.
    type Timer: Copy + Send + Debug;

    /// A WebSocket upgrade that is in order (RFC 6455 §4.2.1): accept it, or say why not.
    ///
    /// # Errors
    /// The response to send instead, after which the connection closes.
    fn upgrade(
        &mut self,
        cx: &mut Context<'_, Self>,
        connection: ConnectionId,
        request: &Upgrade<'_>,
    ) -> Result<Accept, Response> {
        let _ = (cx, connection, request);
        Ok(Accept::default())
    }

    /// The connection speaks: after the upgrade, or when its first bytes are known to be lines.
    fn open(&mut self, cx: &mut Context<'_, Self>, connection: ConnectionId, opening: &Opening) {
        let _ = (cx, connection, opening);
    }

    /// A whole message. Its bytes can be sent back uncopied, as [`Segment::Lent`].
    fn message(
        &mut self,
        cx: &mut Context<'_, Self>,
        connection: ConnectionId,
        message: Message<'_>,
    );

    /// An HTTP request that is no upgrade. The answer is [`Context::respond`], now or later; until
    /// then nothing more is read from the connection.
    fn request(
        &mut self,
        cx: &mut Context<'_, Self>,
        connection: ConnectionId,
        request: &Request<'_>,
    ) {
        let _ = request;
        cx.respond(connection, Response::new(404).text("not found\n"));
    }

    /// The peer sends no more, everything it sent was handed over; it may still read. Closing when
    /// every answer is sent is [`Context::finish`], the default.
    fn finished(&mut self, cx: &mut Context<'_, Self>, connection: ConnectionId) {
        cx.finish(connection);
    }

    /// Nothing was sent to this line connection for a heartbeat: a word from us finds out whether
    /// the peer is still there.
    fn idle(&mut self, cx: &mut Context<'_, Self>, connection: ConnectionId) {
        let _ = (cx, connection);
    }

    /// The peer broke the rules of its door, and nothing more of it is read: close it with this,
    /// at once (the default) or when what it asked before is answered.
    fn failed(&mut self, cx: &mut Context<'_, Self>, connection: ConnectionId, close: Close) {
        cx.close(connection, close);
    }

    /// The connection is about to be closed by us: the last chance to send something. WebSocket
    /// connections get their Close frame after it. It may never have been opened, when it was
    /// refused.
    fn closing(
        &mut self,
        cx: &mut Context<'_, Self>,
        connection: ConnectionId,
        door: Door,
        close: &Close,
    ) {
        let _ = (cx, connection, door, close);
    }

    /// Everything that was queued for the connection at [`Context::when_sent`] is with the kernel.
    /// That is not yet with the peer.
    fn sent(&mut self, cx: &mut Context<'_, Self>, connection: ConnectionId) {
        let _ = (cx, connection);
    }

    /// The connection is gone; its id finds nothing any more. Told once for each `open`.
    fn closed(&mut self, cx: &mut Context<'_, Self>, connection: ConnectionId) {
        let _ = (cx, connection);
    }

    /// A deadline of the handler's own has passed.
    fn deadline(&mut self, cx: &mut Context<'_, Self>, timer: Self::Timer) {
        let _ = (cx, timer);
    }

    /// A worker has finished.
    fn done(&mut self, cx: &mut Context<'_, Self>, done: Self::Done) {
        let _ = (cx, done);
    }

    /// Another loop, or this one, has said something.
    fn peer(&mut self, cx: &mut Context<'_, Self>, from: LoopId, message: Self::Peer) {
        let _ = (cx, from, message);
    }

    /// The server is going down; connections will be closed one after the other.
    fn draining(&mut self, cx: &mut Context<'_, Self>) {
        let _ = cx;
    }

    /// Events for a slow connection were dropped, as their [`Class`] allows: writes what is sent in
    /// their place, before the next event of that channel. Without a frame nothing is told.
    fn gap(&mut self, now: Now, gap: &Gap, draft: Draft) -> Option<OwnFrame> {
        let _ = (now, gap, draft);
        None
    }

    /// Writes `text`, a text message, in the language of a connection that asked for it by
    /// [`Context::translate`]; it is sent as a binary message, translated once however many get it.
    /// False when it cannot be said there: then it is not sent.
    fn translate(text: &[u8], out: &mut Vec<u8>) -> bool {
        let _ = (text, out);
        false
    }

    /// Panics when the handler's state contradicts itself. Called after every input in debug builds.
    fn check_invariants(&self) {}
}

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
    /// What is queued of a channel has nothing to do with what comes of it later.
    Settle {
        /// For whom.
        connection: ConnectionId,
        /// Which, as in [`Tag::channel`].
        channel: u32,
    },
    /// Let messages be this long from now on.
    Limit {
        /// Whose.
        connection: ConnectionId,
        /// How long.
        message_bytes: usize,
    },
    /// Send binary messages in place of text from now on, as [`Handler::translate`] writes them.
    Translate {
        /// To whom.
        connection: ConnectionId,
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

/// The moment in which a handler is called, and everything it can do in it.
#[derive(Debug)]
pub struct Context<'a, H: Handler> {
    /// The time.
    pub now: Now,
    /// Seeded, not for secrets.
    pub rng: &'a mut Rng,
    /// The loop that this is.
    pub here: LoopId,
    pub(crate) timers: &'a mut Wheel<TimerKey<H::Timer>>,
    pub(crate) effects: &'a mut Vec<Effect<H>>,
    /// What goes back to where it came from, when that is the first effect.
    pub(crate) back: &'a mut Option<Back>,
    /// To whom the broadcasts among the effects go, one after the other.
    pub(crate) receivers: &'a mut Vec<ConnectionId>,
    pub(crate) buffers: &'a mut Vec<Vec<u8>>,
}

impl<H: Handler> Context<'_, H> {
    /// A message to be written; its buffer comes from the engine's pool.
    pub fn draft(&mut self) -> Draft {
        Draft::new(self.buffers.pop().unwrap_or_default())
    }

    /// Gives back a buffer that was not sent after all.
    pub fn recycle(&mut self, frame: OwnFrame) {
        self.buffers.push(frame.into_buffer());
    }

    /// Sends to a connection of this loop; nothing happens when it is gone.
    #[inline]
    pub fn send(&mut self, to: ConnectionId, segment: Segment, tag: Tag) {
        match segment {
            Segment::Lent(part) if self.effects.is_empty() && self.back.is_none() => {
                *self.back = Some(Back { to, part, tag });
            }
            segment => self.effects.push(Effect::Send { to, segment, tag }),
        }
    }

    /// Sends to many connections of this loop, but not to `except`; those that are gone are passed
    /// over. What follows
    /// each other for the same connections in the same order costs little more than one message.
    pub fn broadcast(
        &mut self,
        to: &[ConnectionId],
        except: Option<ConnectionId>,
        frame: impl Into<Common>,
        tag: Tag,
    ) {
        let frame = frame.into();
        let start = self.receivers.len();
        self.receivers.extend_from_slice(to);
        if let Some(at) = except.and_then(|except| to.iter().position(|one| *one == except)) {
            self.receivers.remove(start + at);
        }
        let to = start..self.receivers.len();
        self.effects.push(Effect::Broadcast { to, frame, tag });
    }

    /// Answers the HTTP request that `to` waits with.
    pub fn respond(&mut self, to: ConnectionId, response: Response) {
        self.effects.push(Effect::Respond { to, response: Box::new(response) });
    }

    /// Closes with a code, after what is queued.
    pub fn close(&mut self, connection: ConnectionId, close: Close) {
        self.effects.push(Effect::Close { connection, close });
    }

    /// Closes without a word once everything queued is sent.
    pub fn finish(&mut self, connection: ConnectionId) {
        self.effects.push(Effect::Finish { connection });
    }

    /// Hands over no more messages of `connection` until [`Context::resume`].
    pub fn pause(&mut self, connection: ConnectionId) {
        self.effects.push(Effect::Pause { connection, paused: true });
    }

    /// Goes on after [`Context::pause`].
    pub fn resume(&mut self, connection: ConnectionId) {
        self.effects.push(Effect::Pause { connection, paused: false });
    }

    /// Closes the account of a channel whose events may be dropped: gaps are told up to here, and
    /// what is queued so far is never part of a later one. To be asked when a subscription ends, or
    /// when a reply tells anew where the channel stands.
    pub fn settle(&mut self, connection: ConnectionId, channel: u32) {
        self.effects.push(Effect::Settle { connection, channel });
    }

    /// Lets messages of `connection` be up to `message_bytes` long from now on.
    pub fn limit(&mut self, connection: ConnectionId, message_bytes: usize) {
        self.effects.push(Effect::Limit { connection, message_bytes });
    }

    /// Has every text message for `connection` translated from now on ([`Handler::translate`]).
    pub fn translate(&mut self, connection: ConnectionId) {
        self.effects.push(Effect::Translate { connection });
    }

    /// Calls [`Handler::sent`] when the kernel has taken everything queued for `connection` until
    /// now; asked again before, only the later moment counts. Never, when the connection ends first
    /// or what is queued is given up.
    pub fn when_sent(&mut self, connection: ConnectionId) {
        self.effects.push(Effect::WhenSent { connection });
    }

    /// Has `job` done by a worker; its end comes as [`Handler::done`].
    pub fn job(&mut self, job: H::Job) {
        self.effects.push(Effect::Job(job));
    }

    /// Says `message` to a loop, this one included; between two loops words keep their order.
    pub fn tell(&mut self, to: LoopId, message: H::Peer) {
        self.effects.push(Effect::Peer { to, message });
    }

    /// Calls [`Handler::deadline`] with `timer` when `after` has passed.
    pub fn set_timer(&mut self, after: Duration, timer: H::Timer) -> TimerId {
        self.timers.set(TimerKey::Handler(timer), self.now.plus(after))
    }

    /// Forgets a deadline; nothing happens when it has passed.
    pub fn cancel_timer(&mut self, timer: TimerId) {
        self.timers.cancel(timer);
    }
}
