//! One connection: how it speaks, what is queued for it, and where in its life it stands.
//!
//! ```text
//! Open ──close()──▶ Closing ──their Close──▶ Finishing ──all sent──▶ Shut ──their end──▶ (gone)
//!   └──their Close, finish(), a failure──────────┘
//! ```
//! Only WebSocket has `Closing` (RFC 6455 §7.1.2); each stage after `Open` has one deadline, after
//! which the connection is gone without further ceremony.

use std::time::Duration;

use super::compression::Terms;
use super::config::Config;
use super::io::{Accepted, Output, Outputs};
use super::outbox::Outbox;
use super::transport::{Prefix, Transport};
use crate::base::id::ConnectionId;
use crate::base::now::Now;
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
    pub(super) outbox: Outbox,
    pub(super) peer: Peer,
    /// There was no room for it: it is told so as soon as it has said how it speaks.
    pub(super) refused: Option<Box<Close>>,
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
    /// Bytes that came while nobody was to have them.
    pub(super) held: Vec<u8>,
    pub(super) received_at: Duration,
    pub(super) sent_at: Duration,
    /// Since when it has been at its stage, or at its present request.
    pub(super) since: Duration,
    /// When it is to be closed because the server goes down.
    pub(super) drain_at: Option<Duration>,
    /// The deadline that is set, so that a later one need not be.
    pub(super) timer: Option<(TimerId, Duration)>,
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
        Self {
            transport: Transport::Sniffing(Prefix::default()),
            stage: Stage::Open,
            terms: Terms::Plain,
            outbox: Outbox::default(),
            peer: accepted.peer,
            refused: accepted.refused.map(Box::new),
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
            held: Vec::new(),
            received_at: now.monotonic,
            sent_at: now.monotonic,
            since: now.monotonic,
            drain_at: None,
            timer: None,
        }
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
        id: ConnectionId,
        out: &mut Outputs<H>,
    ) -> bool {
        let wants = self.wants_bytes();
        if wants != self.reading {
            self.reading = wants;
            out.list.push(if wants { Output::Resume(id) } else { Output::Pause(id) });
        }
        self.hears() && (!self.held.is_empty() || (self.peer_finished && !self.ended))
    }

    /// The next moment at which something is due without anything happening.
    pub(super) fn deadline(&self, config: &Config) -> Option<Duration> {
        let ms = Duration::from_millis;
        let stage = match (self.stage, &self.transport) {
            (Stage::Closing | Stage::Finishing | Stage::Shut, _) => {
                Some(self.since + ms(config.close_timeout_ms))
            }
            (Stage::Open, Transport::Sniffing(_)) => Some(self.since + self.opening(config)),
            (Stage::Open, Transport::Http(decoder)) => self.http_deadline(config, decoder),
            (Stage::Open, Transport::WebSocket(_)) => {
                let dead = self.received_at + ms(config.dead_ms);
                let quiet = self.received_at.max(self.sent_at) + ms(config.heartbeat_ms);
                Some(dead.min(quiet))
            }
            (Stage::Open, Transport::Lines(_)) => Some(self.sent_at + ms(config.heartbeat_ms)),
        };
        let slow = self.outbox.over_since.map(|since| since + ms(config.outbox_soft_ms));
        [stage, slow, self.drain_at].into_iter().flatten().min()
    }

    /// How long it may take to say how it speaks.
    pub(super) fn opening(&self, config: &Config) -> Duration {
        match self.secrecy {
            Secrecy::Securing => Duration::from_millis(config.tls_timeout_ms),
            Secrecy::Plain | Secrecy::Secured => config.sniff_timeout(self.peer),
        }
    }

    fn http_deadline(
        &self,
        config: &Config,
        decoder: &crate::protocol::http::Decoder,
    ) -> Option<Duration> {
        use crate::protocol::http::Awaiting;
        let ms = match decoder.awaiting() {
            _ if self.answering.is_some() => return None,
            Awaiting::Nothing => return None,
            Awaiting::Request => config.dead_ms,
            Awaiting::Head | Awaiting::Body => config.http_head_timeout_ms,
        };
        Some(self.since + Duration::from_millis(ms))
    }

    pub(super) fn enter(&mut self, stage: Stage, now: Now) {
        debug_assert!(stage as u8 >= self.stage as u8, "{:?} to {stage:?}", self.stage);
        self.stage = stage;
        self.since = now.monotonic;
        if matches!(stage, Stage::Finishing | Stage::Shut) {
            self.held = Vec::new();
        }
    }
}
