//! One connection: how it speaks, what is queued for it, and where in its life it stands.
//!
//! ```text
//! Open ──close()──▶ Closing ──their Close──▶ Finishing ──all sent──▶ Shut ──their end──▶ (gone)
//!   └──their Close, finish(), a failure──────────┘
//! ```
//! Only WebSocket has `Closing` (RFC 6455 §7.1.2); each stage after `Open` has one deadline, after
//! which the connection is gone without further ceremony.

use super::compression::Terms;
use super::config::Config;
use super::io::{Accepted, Output, Outputs};
use super::outbox::{Outbox, Slow};
use super::transport::{Prefix, Transport};
use crate::base::id::ConnectionId;
use crate::base::now::{Moment, Now};
use crate::base::timer::TimerId;
use crate::handler::{Close, Handler, Peer};

/// Where in its life a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Both sides may speak.
    Open,
    /// Our Close frame is queued or sent; theirs is awaited, nothing else is looked at.
    Closing,
    /// What is queued goes out, then our side is shut; what comes is thrown away.
    Finishing,
    /// Our side is shut; the end of theirs is awaited.
    Shut,
}

/// Whether what is said can be read on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Secrecy {
    /// By everybody.
    Plain,
    /// A TLS handshake is under way, and nothing is said.
    Securing,
    /// By nobody.
    Secured,
}

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) transport: Transport,
    pub(super) stage: Stage,
    /// How what it is sent is compressed.
    pub(super) terms: Terms,
    /// Whether text for it is translated first.
    pub(super) translated: bool,
    pub(super) outbox: Outbox,
    pub(super) peer: Peer,
    /// What few have.
    rare: Option<Box<Rare>>,
    /// The handler was told of it.
    pub(super) opened: bool,
    /// The handler wants no more messages for now.
    pub(super) paused: bool,
    /// A request is with the handler.
    pub(super) answering: Option<Answering>,
    /// Too much is queued to take more requests.
    pub(super) throttled: bool,
    /// The peer sends no more.
    pub(super) peer_finished: bool,
    /// Everything it sent was handed over, and the handler knows.
    pub(super) ended: bool,
    /// It broke the rules: nothing more of it is looked at.
    pub(super) failed: bool,
    /// What our driver was last told: whether to read from it.
    reading: bool,
    /// Whether anybody on the way can read along.
    pub(super) secrecy: Secrecy,
    /// The end of its stream is not its own word.
    pub(super) truncated: bool,
    /// A ping of ours has no pong yet.
    pub(super) pinged: bool,
    pub(super) received_at: Moment,
    /// When it was last given bytes; a WebSocket: when it was last pinged, for what it is told says
    /// nothing of whether it lives.
    pub(super) sent_at: Moment,
    /// Since when it has been at its stage, or at its present request or unfinished message.
    pub(super) since: Moment,
    /// The deadline that is set, so that a later one need not be.
    pub(super) timer: Option<(TimerId, Moment)>,
}

/// What few connections have at a time, kept out of the others.
#[derive(Debug, Default)]
pub(super) struct Rare {
    /// There was no room for it: it is told so as soon as it has said how it speaks.
    pub(super) refused: Option<Close>,
    /// Bytes that came while nobody was to have them.
    pub(super) held: Vec<u8>,
    /// Its queue is too long, or something was dropped of it.
    pub(super) slow: Option<Box<Slow>>,
    /// When it is to be closed because the server goes down.
    pub(super) drain_at: Option<Moment>,
}

/// What the answer to a request depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answering {
    /// The method was HEAD.
    pub(super) head: bool,
    /// Another request may follow.
    pub(super) keep_alive: bool,
}

impl Connection {
    pub(super) fn new(now: Now, accepted: Accepted) -> Self {
        let now = Moment::from(now.monotonic);
        let refused = |close| Box::new(Rare { refused: Some(close), ..Rare::default() });
        Self {
            transport: Transport::Sniffing(Prefix::default()),
            stage: Stage::Open,
            terms: Terms::Plain,
            translated: false,
            outbox: Outbox::default(),
            peer: accepted.peer,
            rare: accepted.refused.map(refused),
            opened: false,
            paused: false,
            answering: None,
            throttled: false,
            peer_finished: false,
            ended: false,
            failed: false,
            reading: true,
            secrecy: Secrecy::Plain,
            truncated: false,
            pinged: false,
            received_at: now,
            sent_at: now,
            since: now,
            timer: None,
        }
    }

    pub(super) fn rare(&self) -> Option<&Rare> {
        self.rare.as_deref()
    }

    /// To be changed; what is empty again need not be given back.
    pub(super) fn rare_mut(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    pub(super) fn take_refused(&mut self) -> Option<Close> {
        self.rare.as_mut().and_then(|rare| rare.refused.take())
    }

    /// Since when more is queued than the soft limit.
    pub(super) fn over_since(&self) -> Option<Moment> {
        self.slow()?.since
    }

    pub(super) fn slow(&self) -> Option<&Slow> {
        self.rare.as_ref()?.slow.as_deref()
    }

    /// The queue with what is known of it while it is too long, which begins now if need be.
    pub(super) fn thinning(&mut self) -> (&mut Outbox, &mut Slow) {
        let outbox = &self.outbox;
        let rare = self.rare.get_or_insert_default();
        let slow = rare.slow.get_or_insert_with(|| Box::new(Slow::of(outbox)));
        (&mut self.outbox, slow)
    }

    /// The same of a queue that is, or was, too long.
    pub(super) fn thinned(&mut self) -> (&mut Outbox, Option<&mut Slow>) {
        (&mut self.outbox, self.rare.as_mut().and_then(|rare| rare.slow.as_deref_mut()))
    }

    /// The queue is not too long any more, and everything is told.
    pub(super) fn forgive(&mut self) {
        if let Some(rare) = &mut self.rare {
            rare.slow = None;
        }
    }

    /// What may be queued for it now: for who is slow for long, no more than the soft limit.
    pub(super) fn room(&self, config: &Config) -> usize {
        match self.slow() {
            Some(slow) if slow.late => config.outbox_bytes.min(config.outbox_soft_bytes),
            _ => config.outbox_bytes,
        }
    }

    /// Whether bytes wait for somebody to have them.
    pub(super) fn holds(&self) -> bool {
        self.rare.as_ref().is_some_and(|rare| !rare.held.is_empty())
    }

    pub(super) fn take_held(&mut self) -> Vec<u8> {
        self.rare.as_mut().map(|rare| std::mem::take(&mut rare.held)).unwrap_or_default()
    }

    /// Whether what comes now is looked at.
    pub(super) const fn hears(&self) -> bool {
        match self.stage {
            _ if self.failed => false,
            Stage::Open => !self.paused && !self.throttled && self.answering.is_none(),
            Stage::Closing => true,
            Stage::Finishing | Stage::Shut => false,
        }
    }

    /// Whether the driver should read from it: also to see the end of a stream that is not heard.
    const fn wants_bytes(&self) -> bool {
        self.hears() || !matches!(self.stage, Stage::Open)
    }

    /// Tells the driver when that has changed; true when what was held back may be looked at.
    pub(super) fn tell_reading<H: Handler>(
        &mut self,
        now: Now,
        id: ConnectionId,
        out: &mut Outputs<H>,
    ) -> bool {
        let wants = self.wants_bytes();
        if wants != self.reading {
            self.reading = wants;
            if wants && self.stage == Stage::Open {
                // What has begun gets its time anew: we did not listen.
                self.begin_message(now);
            }
            out.list.push(if wants { Output::Resume(id) } else { Output::Pause(id) });
        }
        self.hears() && (self.holds() || (self.peer_finished && !self.ended))
    }

    /// The next moment at which something is due without anything happening.
    pub(super) fn deadline(&self, config: &Config) -> Option<Moment> {
        let stage = match (self.stage, &self.transport) {
            (Stage::Closing | Stage::Finishing | Stage::Shut, _) => {
                Some(self.since.plus_ms(config.close_timeout_ms))
            }
            (Stage::Open, Transport::Sniffing(_)) => {
                Some(self.since.plus_ms(self.opening_ms(config)))
            }
            (Stage::Open, Transport::Http(decoder)) => self.http_deadline(config, decoder),
            (Stage::Open, Transport::WebSocket(_)) => {
                let dead = self.received_at.plus_ms(config.dead_ms);
                let quiet = self.received_at.max(self.sent_at).plus_ms(config.heartbeat_ms);
                Some(dead.min(quiet))
            }
            (Stage::Open, Transport::Lines(_)) => Some(self.sent_at.plus_ms(config.heartbeat_ms)),
        };
        if self.stage != Stage::Open {
            // It is on its way out: neither a long queue nor a drain has anything to add, and what
            // nobody acts upon would wake the loop again and again.
            return stage;
        }
        let slow = self.over_since().map(|since| since.plus_ms(config.outbox_soft_ms));
        let message = self.message_deadline(config);
        let drain_at = self.rare.as_ref().and_then(|rare| rare.drain_at);
        [stage, slow, drain_at, message].into_iter().flatten().min()
    }

    /// How long it may take to say how it speaks.
    pub(super) fn opening_ms(&self, config: &Config) -> u64 {
        match self.secrecy {
            Secrecy::Securing => config.tls_timeout_ms,
            Secrecy::Plain | Secrecy::Secured => config.sniff_timeout_ms(self.peer),
        }
    }

    fn http_deadline(
        &self,
        config: &Config,
        decoder: &crate::protocol::http::Decoder,
    ) -> Option<Moment> {
        use crate::protocol::http::Awaiting;
        let ms = match decoder.awaiting() {
            _ if self.answering.is_some() => return None,
            Awaiting::Nothing => return None,
            Awaiting::Request => config.dead_ms,
            Awaiting::Head | Awaiting::Body => config.http_head_timeout_ms,
        };
        Some(self.since.plus_ms(ms))
    }

    /// Bytes went out.
    #[inline]
    pub(super) fn was_given(&mut self, now: Now) {
        if !matches!(self.transport, Transport::WebSocket(_)) {
            self.sent_at = now.monotonic.into();
        }
    }

    pub(super) fn enter(&mut self, stage: Stage, now: Now) {
        debug_assert!(stage as u8 >= self.stage as u8, "{:?} to {stage:?}", self.stage);
        self.stage = stage;
        self.since = now.monotonic.into();
        if matches!(stage, Stage::Finishing | Stage::Shut) {
            self.take_held();
        }
    }
}
