//! The event bus: what happens on the server, for administrators and for a program round it (SPEC §10).
//!
//! Who is subscribed to `stentor:events` gets each [`Happening`] as an event without an offset: it is
//! not kept. An [`Observer`] of an embedder is told on the loop where it happens. Law: while nobody
//! listens a happening is not even made; nothing that the bus sends is itself a happening.
//! Limit: on several loops a subscriber sees the order of each loop, not one order of all.

pub mod alerts;

use std::borrow::Cow;
use std::fmt::Debug;
use std::net::IpAddr;
use std::sync::Arc;

use serde::Serialize;

use super::Router;
use super::words::{Delivery, Word};
use crate::base::id::{Address, ConnectionId, Id, UserId};
use crate::base::now::Now;
use crate::base::time::Timestamp;
use crate::codec::json;
use crate::handler::{Close, Context, Door};
use crate::hub::Channel;
use crate::hub::calls::Action;
use crate::hub::calls::breaker::Phase;
use crate::message::close::HEARTBEAT;
use crate::message::record::UserCard;
use crate::metrics::Label;
use crate::protocol::websocket::Opcode;
use alerts::Alert;

/// The channel of what happens; role `admin` may hear it.
pub const CHANNEL: &str = "stentor:events";

/// Something of importance that happened: a closed list.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Happening {
    /// A connection speaks.
    Connect {
        /// Its id, as its `hello` tells it.
        connection_id: Id,
        /// `websocket` or `lines`.
        door: &'static str,
        /// Where it comes from; nothing on a Unix socket.
        #[serde(skip_serializing_if = "Option::is_none")]
        client_ip: Option<IpAddr>,
        /// Whether it comes over TLS that ends here.
        encrypted: bool,
    },
    /// A connection is gone.
    Disconnect {
        /// Its id.
        connection_id: Id,
        /// Who was on it.
        #[serde(skip_serializing_if = "Option::is_none")]
        user_id: Option<UserId>,
        /// Our close code; nothing when the peer went.
        #[serde(skip_serializing_if = "Option::is_none")]
        code: Option<u16>,
        /// Why.
        reason: Cow<'static, str>,
        /// How long it was there, milliseconds.
        age_ms: u64,
    },
    /// A password or token was refused.
    AuthFailure {
        /// On which connection.
        #[serde(skip_serializing_if = "Option::is_none")]
        connection_id: Option<Id>,
        /// From where.
        #[serde(skip_serializing_if = "Option::is_none")]
        client_ip: Option<IpAddr>,
        /// Why, in a word.
        why: &'static str,
    },
    /// A connection listens to a channel.
    Subscribe {
        /// Which connection.
        connection_id: Id,
        /// Whose.
        #[serde(skip_serializing_if = "Option::is_none")]
        user_id: Option<UserId>,
        /// To which channel.
        channel: Box<str>,
    },
    /// A user became a member of a chat.
    Join {
        /// Which chat.
        chat_id: Id,
        /// Who.
        user_id: UserId,
    },
    /// A user ceased to be one.
    Leave {
        /// Which chat.
        chat_id: Id,
        /// Who.
        user_id: UserId,
    },
    /// Something was published.
    Publish {
        /// Where.
        channel: Box<str>,
        /// Its place there.
        offset: u64,
        /// By whom.
        user_id: UserId,
    },
    /// The breaker of an action changed.
    Breaker {
        /// Which action.
        action: String,
        /// `closed`, `open` or `half_open`.
        state: &'static str,
    },
    /// A connection gave no sign of life and is being closed.
    Zombie {
        /// Which.
        connection_id: Id,
        /// Who was on it.
        #[serde(skip_serializing_if = "Option::is_none")]
        user_id: Option<UserId>,
    },
    /// A limit that operators watch was passed, in one direction or the other.
    Alert {
        /// Which: `connections`, `errors` or `round_trip`.
        alert: &'static str,
        /// Whether it is over the limit now.
        raised: bool,
        /// What was measured, in the unit of the limit.
        value: f64,
        /// The limit.
        limit: u32,
    },
}

impl Happening {
    /// The `type` of its event.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Connect { .. } => "connect",
            Self::Disconnect { .. } => "disconnect",
            Self::AuthFailure { .. } => "auth_failure",
            Self::Subscribe { .. } => "subscribe",
            Self::Join { .. } => "join",
            Self::Leave { .. } => "leave",
            Self::Publish { .. } => "publish",
            Self::Breaker { .. } => "breaker",
            Self::Zombie { .. } => "zombie",
            Self::Alert { .. } => "alert",
        }
    }
}

/// Whoever embeds the server and wants to be told.
pub trait Observer: Send + Sync + Debug {
    /// Something happened. Called on a loop, between two inputs: whatever takes time belongs on a
    /// thread of the observer's own.
    fn happened(&self, now: Now, happening: &Happening);
}

/// Who is told on one loop.
#[derive(Debug, Default)]
pub(super) struct Bus {
    observer: Option<Arc<dyn Observer>>,
    /// Whether anybody is subscribed, on any loop.
    subscribed: bool,
    /// At the home of the channel: what the others were told last.
    told: bool,
}

impl Bus {
    pub(super) fn new(observer: Option<Arc<dyn Observer>>) -> Self {
        Self { observer, ..Self::default() }
    }
}

fn channel() -> Channel {
    Channel::Named(CHANNEL.into())
}

/// The word of a door.
pub(super) const fn door(door: Door) -> &'static str {
    match door {
        Door::WebSocket => "websocket",
        Door::Lines => "lines",
    }
}

impl Router {
    /// Something happened, which is made only when somebody listens.
    #[inline]
    pub(super) fn emit(
        &mut self,
        cx: &mut Context<'_, Self>,
        happening: impl FnOnce(&Self) -> Option<Happening>,
    ) {
        if (self.bus.subscribed || self.bus.observer.is_some())
            && let Some(happening) = happening(self)
        {
            self.tell_bus(cx, &happening, None);
        }
    }

    #[cold]
    fn tell_bus(
        &mut self,
        cx: &mut Context<'_, Self>,
        happening: &Happening,
        except: Option<Address>,
    ) {
        if let Some(observer) = &self.bus.observer {
            observer.happened(cx.now, happening);
        }
        if !self.bus.subscribed {
            return;
        }
        let channel = channel();
        let event = json::Event {
            word: happening.word(),
            channel: Some(CHANNEL),
            timestamp: Some(Timestamp(cx.now.unix_ms)),
            ..json::Event::default()
        };
        let mut draft = cx.draft();
        json::event(draft.payload(), &event, happening);
        let own = draft.finish(Opcode::Text);
        let frames = vec![(0, own.share())];
        cx.recycle(own);
        let home = self.homes.of_channel(&channel);
        let (joined, left, generation) = (Vec::new(), None, None);
        let delivery = Delivery { channel, frames, except, joined, left, generation };
        cx.tell(home, Word::Ephemeral(Box::new(delivery)));
    }

    /// At the home of a channel: the interest in it may have changed.
    pub(super) fn bus_interest(&mut self, cx: &mut Context<'_, Self>, of: &Channel) {
        if !matches!(of, Channel::Named(name) if **name == *CHANNEL) {
            return;
        }
        let subscribed = self.listeners(of).next().is_some();
        if std::mem::replace(&mut self.bus.told, subscribed) != subscribed {
            self.tell_all(cx, || Word::Bus { subscribed });
        }
    }

    /// Whether anybody listens, says the home of the channel.
    pub(super) const fn bus_subscribed(&mut self, subscribed: bool) {
        self.bus.subscribed = subscribed;
    }

    /// A password or token was refused.
    pub(super) fn auth_failed(
        &mut self,
        cx: &mut Context<'_, Self>,
        id: ConnectionId,
        why: &'static str,
    ) {
        self.metrics.auth_failures.add(1);
        self.emit(cx, |router| {
            let session = router.sessions.get(id);
            let connection_id = session.map(|session| session.id);
            let client_ip = session.and_then(|session| session.peer.ip());
            Some(Happening::AuthFailure { connection_id, client_ip, why })
        });
    }

    /// A connection speaks.
    pub(super) fn connected(&mut self, cx: &mut Context<'_, Self>, id: ConnectionId) {
        self.emit(cx, |router| {
            let session = router.sessions.get(id)?;
            Some(Happening::Connect {
                connection_id: session.id,
                door: door(session.door),
                client_ip: session.peer.ip(),
                encrypted: session.encrypted,
            })
        });
    }

    /// A connection is being closed by us.
    pub(super) fn closing_for(
        &mut self,
        cx: &mut Context<'_, Self>,
        id: ConnectionId,
        close: &Close,
    ) {
        if let Some(session) = self.sessions.get_mut(id) {
            session.end_with(close);
        }
        if close.code == HEARTBEAT {
            self.emit(cx, |router| {
                let session = router.sessions.get(id)?;
                let user_id = session.user_id().cloned();
                Some(Happening::Zombie { connection_id: session.id, user_id })
            });
        }
    }

    /// A connection is about to be forgotten; its user is still known.
    pub(super) fn disconnected(&mut self, cx: &mut Context<'_, Self>, id: ConnectionId) {
        let now = cx.now;
        self.emit(cx, |router| {
            let session = router.sessions.get(id)?;
            let (code, reason) = session.end();
            Some(Happening::Disconnect {
                connection_id: session.id,
                user_id: session.user_id().cloned(),
                code,
                reason,
                age_ms: session.opened_at.elapsed(now).as_millis() as u64,
            })
        });
    }

    /// A connection listens to a channel that it asked for.
    pub(super) fn subscribed_to(
        &mut self,
        cx: &mut Context<'_, Self>,
        id: ConnectionId,
        channel: &str,
    ) {
        if !self.bus.subscribed && self.bus.observer.is_none() {
            return;
        }
        let Some(session) = self.sessions.get(id) else { return };
        let (connection_id, user_id) = (session.id, session.user_id().cloned());
        let happening = Happening::Subscribe { connection_id, user_id, channel: channel.into() };
        // Who caused an event does not get it (SPEC §3).
        let by = Address { home: cx.here, connection: id };
        self.tell_bus(cx, &happening, Some(by));
    }

    /// A publication has its place.
    pub(super) fn published_at(
        &mut self,
        cx: &mut Context<'_, Self>,
        channel: &Channel,
        offset: u64,
        sender: &UserCard,
    ) {
        self.emit(cx, |_| {
            let channel = channel.to_string().into();
            Some(Happening::Publish { channel, offset, user_id: sender.id.clone() })
        });
    }

    /// A breaker is in another phase.
    pub(super) fn breaker_is(&mut self, cx: &mut Context<'_, Self>, action: &Action, to: Phase) {
        self.emit(cx, |_| {
            let state = Phase::SETS[0].values[to.index()];
            Some(Happening::Breaker { action: action.to_string(), state })
        });
    }

    /// Members came, or one went.
    pub(super) fn members_changed(
        &mut self,
        cx: &mut Context<'_, Self>,
        chat_id: Id,
        joined: &[UserId],
        left: Option<&UserId>,
    ) {
        for user in joined {
            self.emit(cx, |_| Some(Happening::Join { chat_id, user_id: user.clone() }));
        }
        if let Some(user) = left {
            self.emit(cx, |_| Some(Happening::Leave { chat_id, user_id: user.clone() }));
        }
    }

    /// An alert was raised, or is over.
    fn alert_changed(&mut self, cx: &mut Context<'_, Self>, alert: Alert, seen: alerts::Seen) {
        let alerts::Seen { raised, value, limit } = seen;
        let word = Alert::SETS[0].values[alert.index()];
        if raised {
            log::warn!("alert: {word} {value:.2} is over {limit}");
        } else {
            log::info!("alert over: {word} {value:.2} is not over {limit}");
        }
        self.emit(cx, |_| Some(Happening::Alert { alert: word, raised, value, limit }));
    }
}
