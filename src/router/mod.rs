//! The messaging server as a [`Handler`]: sessions in, replies and events out.
//!
//! `dispatch.rs` takes a message apart and finds the handler of each verb; the handlers are one
//! file per topic (`accounts`, `tokens`, `chats`, `messages`, `channels`, `calls`, `basics`), each with the
//! completions of what it has to wait for. `events.rs` is where a commit or a publication becomes
//! events; `words.rs` lists what loops and workers are told.

mod accounts;
pub mod admin;
mod arrival;
mod ask;
mod basics;
pub mod bus;
pub mod calls;
mod channels;
mod chats;
mod config;
mod departure;
mod dispatch;
mod door;
mod events;
mod executions;
mod homes;
mod inbox;
mod inbox_log;
mod invariants;
mod lanes;
mod may;
mod messages;
mod metrics;
mod notifications;
mod parts;
mod presence;
mod queues;
mod resume;
mod revoked;
mod sending;
mod session;
mod slots;
mod sync;
mod tokens;
mod waiting;
pub mod words;
mod work;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub use calls::Calls;
pub use config::Config;
pub use metrics::Metrics;
pub use parts::Parts;
pub use words::{Done, Job, Word};

use crate::auth::{self, Secrets, Tokens};
use crate::base::arena::{Arena, Key};
use crate::base::id::{Address, ConnectionId, LoopId, UserId};
use crate::base::now::Now;
use crate::base::timer::TimerId;
use crate::codec::protobuf;
use crate::guard;
use crate::guard::login::Logins;
use crate::guard::origin::Origins;
use crate::guard::rate::{Budget, Budgets};
use crate::handler::{
    Accept, Close, Context, Door, Endpoints, Gap, Handler, Kind, Message, Opening, Tag, Upgrade,
};
use crate::hub::Channel;
use crate::hub::attendance::Attendance;
use crate::hub::channels::Channels;
use crate::hub::homes::Homes;
use crate::hub::patterns::{Everywhere, Patterns};
use crate::hub::revocations::Revocations;
use crate::hub::subscriptions::Subscriptions;
use crate::hub::users::{LocalUsers, UserHomes};
use crate::metrics::Registry;
use crate::protocol::frame::{Common, Draft, Frame, OwnFrame};
use crate::protocol::http::{Request, Response};
use session::Sessions;
use slots::Spares;
use waiting::{Call, Step};

/// The messaging server on one loop.
pub struct Router {
    config: Config,
    auth: auth::Config,
    guard: guard::Config,
    homes: Homes,
    tokens: Arc<dyn Tokens>,
    secrets: Box<dyn Secrets>,
    origins: Arc<Origins>,
    endpoints: Box<dyn Endpoints>,
    sessions: Sessions,
    spares: Spares,
    calls: Arena<Call>,
    /// What follows the reply that goes out now.
    after_reply: Option<After>,
    /// What came with an upgrade, until the connection opens.
    upgrades: Vec<door::Upgraded>,
    subscriptions: Subscriptions,
    /// Which of this loop's connections hear all of a namespace, and which loops do.
    patterns: Patterns,
    everywhere: Everywhere,
    revocations: Revocations,
    channels: Channels,
    /// Whether the timer runs that frees what nobody uses.
    tidies: bool,
    local_users: LocalUsers,
    user_homes: UserHomes<Budget>,
    attendance: Attendance,
    /// For what it has to tell next, and when that is.
    attendance_timer: Option<(TimerId, Duration)>,
    /// How many users it counted last.
    present: i64,
    budgets: Budgets,
    logins: Logins,
    /// Of inboxes, by user and device: those that moved and are not stored yet.
    cursors: BTreeMap<(UserId, Arc<str>), u64>,
    /// How far what is too old in inboxes was looked for.
    sweep: inbox::Sweep,
    backends: calls::Backends,
    bus: bus::Bus,
    watch: bus::alerts::Watch,
    registry: Registry,
    metrics: Arc<Metrics>,
    guard_metrics: Arc<guard::Metrics>,
}

impl std::fmt::Debug for Router {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Router").field("sessions", &self.sessions.len()).finish_non_exhaustive()
    }
}

/// What follows a reply.
#[derive(Debug)]
enum After {
    /// The event of what was published.
    Echo(Echo),
    /// What this connection missed.
    Missed(ConnectionId, Vec<(Tag, Frame)>),
}

/// A publication that was numbered and answered; its event follows the answer.
#[derive(Debug)]
struct Echo {
    channel: Channel,
    offset: u64,
    frame: Common,
    /// Whom it does not reach.
    except: Option<Address>,
}

/// Deadlines of the router.
#[derive(Clone, Copy, Debug)]
pub enum Timer {
    /// Authenticate by now.
    Auth(ConnectionId),
    /// The token is over.
    Expiry(ConnectionId),
    /// Something took too long.
    Call(Key),
    /// Who came and went is to be told.
    Attendance,
    /// A backend took too long.
    Backend(Key),
    /// Cursors of inboxes are to be stored.
    Cursors,
    /// Look at what operators are woken for.
    Watch,
    /// Free what of channels nobody has used for long.
    Tidy,
}

impl Router {
    /// A router without connections.
    #[must_use]
    pub fn new(parts: Parts, registry: &Registry) -> Self {
        let Parts {
            config,
            auth,
            guard,
            homes,
            tokens,
            secrets,
            origins,
            endpoints,
            seed,
            observer,
        } = parts;
        let backends = calls::Backends::new(seed, &config.calls, homes.len(), registry);
        let bounds = config.channel_bounds(homes.len());
        let channels = Channels::new(seed, homes.len(), config.policies.clone(), bounds);
        let grace = Duration::from_millis(config.presence_grace_ms);
        Self {
            patterns: Patterns::default(),
            everywhere: Everywhere::default(),
            subscriptions: Subscriptions::new(seed, &config.policies),
            attendance: Attendance::new(seed, &config.policies, grace),
            attendance_timer: None,
            present: 0,
            config,
            auth,
            homes,
            tokens,
            secrets,
            origins,
            endpoints,
            sessions: Sessions::default(),
            spares: Spares::default(),
            calls: Arena::new(),
            after_reply: None,
            upgrades: Vec::new(),
            revocations: Revocations::new(seed),
            channels,
            tidies: false,
            local_users: LocalUsers::new(seed),
            user_homes: UserHomes::new(seed),
            budgets: Budgets::new(&guard),
            logins: Logins::new(&guard, seed),
            backends,
            guard,
            bus: bus::Bus::new(observer),
            watch: bus::alerts::Watch::new(registry),
            registry: registry.clone(),
            cursors: BTreeMap::new(),
            sweep: inbox::Sweep::default(),
            metrics: registry.block(),
            guard_metrics: registry.block(),
        }
    }
}

impl Handler for Router {
    type Job = Job;
    type Done = Done;
    type Peer = Word;
    type Timer = Timer;

    fn upgrade(
        &mut self,
        cx: &mut Context<'_, Self>,
        connection: ConnectionId,
        upgrade: &Upgrade<'_>,
    ) -> Result<Accept, Response> {
        let _ = cx;
        self.admit_upgrade(connection, upgrade)
    }

    fn open(&mut self, cx: &mut Context<'_, Self>, connection: ConnectionId, opening: &Opening) {
        self.welcome(cx, connection, opening);
    }

    fn message(&mut self, cx: &mut Context<'_, Self>, id: ConnectionId, message: Message<'_>) {
        match message.kind {
            Kind::Line => self.line(cx, id, message.bytes),
            Kind::Text | Kind::Binary if !self.speaks(cx, id, message.kind) => {}
            // The engine has validated it; looking again costs less than an unchecked promise.
            Kind::Text => match simdutf8::basic::from_utf8(message.bytes) {
                Ok(text) => self.objects(cx, id, text),
                Err(_) => cx.close(id, Close::new(1007, "text must be UTF-8")),
            },
            Kind::Binary => self.binary(cx, id, message.bytes),
        }
        self.tell_visits(cx);
    }

    fn translate(text: &[u8], out: &mut Vec<u8>) -> bool {
        let said = std::str::from_utf8(text).is_ok_and(|text| protobuf::translate(text, out));
        debug_assert!(said, "whatever is written here can be translated");
        said
    }

    fn request(&mut self, cx: &mut Context<'_, Self>, id: ConnectionId, request: &Request<'_>) {
        let response = self.endpoints.answer(cx.now, request);
        cx.respond(id, response);
    }

    fn finished(&mut self, cx: &mut Context<'_, Self>, id: ConnectionId) {
        match self.sessions.get_mut(id) {
            Some(session) if !session.slots.is_empty() => session.finishing = true,
            _ => cx.finish(id),
        }
    }

    fn idle(&mut self, cx: &mut Context<'_, Self>, id: ConnectionId) {
        self.ping_line(cx, id);
    }

    fn failed(&mut self, cx: &mut Context<'_, Self>, id: ConnectionId, close: Close) {
        match self.sessions.get_mut(id) {
            // What was asked before is answered first, in its order.
            Some(session) if !session.slots.is_empty() => {
                session.close_after(close);
            }
            _ => cx.close(id, close),
        }
    }

    fn closing(&mut self, cx: &mut Context<'_, Self>, id: ConnectionId, door: Door, close: &Close) {
        self.closing_for(cx, id, close);
        self.farewell(cx, id, door, close);
    }

    fn sent(&mut self, cx: &mut Context<'_, Self>, id: ConnectionId) {
        self.went_out(cx, id);
    }

    fn closed(&mut self, cx: &mut Context<'_, Self>, id: ConnectionId) {
        self.gone(cx, id);
        self.tell_visits(cx);
    }

    fn deadline(&mut self, cx: &mut Context<'_, Self>, timer: Timer) {
        match timer {
            Timer::Auth(id) => self.auth_is_late(cx, id),
            Timer::Expiry(id) => self.token_is_over(cx, id),
            Timer::Attendance => self.attendance_is_due(cx),
            Timer::Backend(key) => self.call_is_late(cx, key),
            Timer::Cursors => self.save_cursors(cx),
            Timer::Watch => self.watch_is_due(cx),
            Timer::Tidy => self.tidy(cx),
            Timer::Call(key) => {
                let fault = ask::refused(&crate::store::Error::Unavailable("no answer".into()));
                self.metrics.job_timeouts.add(1);
                self.fail_call(cx, key, fault);
            }
        }
        self.tell_visits(cx);
    }

    fn done(&mut self, cx: &mut Context<'_, Self>, done: Done) {
        self.committed(cx, done);
        self.tell_visits(cx);
    }

    fn peer(&mut self, cx: &mut Context<'_, Self>, from: LoopId, word: Word) {
        self.hear_word(cx, from, word);
        self.tell_visits(cx);
    }

    fn draining(&mut self, cx: &mut Context<'_, Self>) {
        self.save_cursors(cx);
        self.endpoints.draining();
    }

    fn gap(&mut self, now: Now, gap: &Gap, draft: Draft) -> Option<OwnFrame> {
        self.write_gap(now, gap, draft)
    }

    fn check_invariants(&self) {
        self.check();
    }
}
