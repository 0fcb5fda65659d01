//! The messaging server as a [`Handler`]: sessions in, replies and events out.
//!
//! `dispatch.rs` takes a message apart and finds the handler of each verb; the handlers are one
//! file per topic (`accounts`, `tokens`, `chats`, `messages`, `channels`, `basics`), each with the
//! completions of what it has to wait for. `events.rs` is where a commit or a publication becomes
//! events; `words.rs` lists what loops and workers are told.

mod accounts;
mod arrival;
mod ask;
mod basics;
mod channels;
mod chats;
mod config;
mod dispatch;
mod door;
mod events;
mod executions;
mod homes;
mod inbox;
mod inbox_log;
mod invariants;
mod messages;
mod metrics;
mod notifications;
mod parts;
mod sending;
mod session;
mod slots;
mod tokens;
pub mod words;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub use config::Config;
pub use metrics::Metrics;
pub use parts::Parts;
pub use words::{Done, Job, Word};

use crate::auth::{self, Secrets, Tokens};
use crate::base::arena::{Arena, Key};
use crate::base::id::{Address, ConnectionId, LoopId, UserId};
use crate::base::timer::TimerId;
use crate::codec::protobuf;
use crate::guard;
use crate::guard::login::Logins;
use crate::guard::origin::Origins;
use crate::guard::rate::{Budget, Budgets};
use crate::handler::{
    Accept, Close, Context, Door, Endpoints, Handler, Kind, Message, Opening, Upgrade,
};
use crate::hub::Channel;
use crate::hub::channels::Channels;
use crate::hub::homes::Homes;
use crate::hub::revocations::Revocations;
use crate::hub::subscriptions::Subscriptions;
use crate::hub::users::{LocalUsers, UserHomes};
use crate::message::client::Verb;
use crate::metrics::Registry;
use crate::protocol::frame::OwnFrame;
use crate::protocol::http::{Request, Response};
use ask::Event;
use session::Sessions;
use slots::Spares;

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
    /// The event of a publication whose reply goes out first.
    after_reply: Option<Echo>,
    /// What came with an upgrade, until the connection opens.
    upgrades: Vec<door::Upgraded>,
    subscriptions: Subscriptions,
    revocations: Revocations,
    channels: Channels,
    local_users: LocalUsers,
    user_homes: UserHomes<Budget>,
    budgets: Budgets,
    logins: Logins,
    /// Of inboxes, by user and device: those that moved and are not stored yet.
    cursors: BTreeMap<(UserId, Arc<str>), u64>,
    metrics: Arc<Metrics>,
    guard_metrics: Arc<guard::Metrics>,
}

impl std::fmt::Debug for Router {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Router").field("sessions", &self.sessions.len()).finish_non_exhaustive()
    }
}

/// A publication that was numbered and answered; its event follows the answer.
#[derive(Debug)]
struct Echo {
    channel: Channel,
    offset: u64,
    frame: OwnFrame,
    /// Whom it does not reach.
    except: Option<Address>,
}

/// A request that waits.
#[derive(Debug)]
struct Call {
    connection: ConnectionId,
    slot: u64,
    verb: Verb,
    request_id: Option<Box<str>>,
    /// Taken while its handler runs.
    step: Option<Step>,
    timer: Option<TimerId>,
}

/// Where a request stands that waits: each topic has its own.
#[derive(Debug)]
enum Step {
    Account(accounts::Step),
    Arrival(Box<arrival::Step>),
    Basic(basics::Step),
    Channel(channels::Step),
    InboxLog(inbox_log::Step),
    Chat(chats::Step),
    Execution(executions::Step),
    Message(messages::Step),
    Notification(notifications::Step),
    Sending(sending::Step),
    /// Not of a request: the inbox of this user is being read for the connection.
    CatchUp(UserId),
    Token(tokens::Step),
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
    /// Cursors of inboxes are to be stored.
    Cursors,
}

impl Router {
    /// A router without connections.
    #[must_use]
    pub fn new(parts: Parts, registry: &Registry) -> Self {
        let Parts { config, auth, guard, homes, tokens, secrets, origins, endpoints, seed } = parts;
        Self {
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
            subscriptions: Subscriptions::new(seed),
            revocations: Revocations::new(seed),
            channels: Channels::new(seed, homes.len()),
            local_users: LocalUsers::new(seed),
            user_homes: UserHomes::new(seed),
            budgets: Budgets::new(&guard),
            logins: Logins::new(&guard, seed),
            guard,
            cursors: BTreeMap::new(),
            metrics: registry.block(),
            guard_metrics: registry.block(),
        }
    }

    /// How many requests wait for something, for tests and simulations.
    #[must_use]
    pub const fn calls(&self) -> usize {
        self.calls.len()
    }

    /// How many channels and users have state on this loop, for tests and simulations: nothing may
    /// be left when everybody has gone.
    #[must_use]
    pub fn residue(&self) -> usize {
        self.subscriptions.len() + self.local_users.len() + self.sessions.len() + self.calls.len()
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
    }

    fn translate(text: &[u8], out: &mut Vec<u8>) -> bool {
        std::str::from_utf8(text).is_ok_and(|text| protobuf::translate(text, out))
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
        self.farewell(cx, id, door, close);
    }

    fn sent(&mut self, cx: &mut Context<'_, Self>, id: ConnectionId) {
        self.went_out(cx, id);
    }

    fn closed(&mut self, cx: &mut Context<'_, Self>, id: ConnectionId) {
        self.leave(cx, id);
        if let Some(session) = self.sessions.remove(id) {
            if let Some(codec) = session.codec {
                self.metrics.codecs.add_at(metrics::CodecName(codec), -1);
            }
            if let Some((timer, _)) = session.stranger.and_then(|stranger| stranger.timer) {
                cx.cancel_timer(timer);
            }
            let age = session.opened_at.elapsed(cx.now);
            log::debug!("[{}] connection closed after {} ms", session.id, age.as_millis());
        }
    }

    fn deadline(&mut self, cx: &mut Context<'_, Self>, timer: Timer) {
        match timer {
            Timer::Auth(id) => self.auth_is_late(cx, id),
            Timer::Expiry(id) => self.token_is_over(cx, id),
            Timer::Call(key) => {
                let fault = ask::refused(&crate::store::Error::Unavailable("no answer".into()));
                self.metrics.job_timeouts.add(1);
                self.fail_call(cx, key, fault);
            }
            Timer::Cursors => self.save_cursors(cx),
        }
    }

    fn done(&mut self, cx: &mut Context<'_, Self>, done: Done) {
        self.committed(cx, done);
    }

    fn peer(&mut self, cx: &mut Context<'_, Self>, from: LoopId, word: Word) {
        self.hear_word(cx, from, word);
    }

    fn draining(&mut self, cx: &mut Context<'_, Self>) {
        self.save_cursors(cx);
        self.endpoints.draining();
    }

    fn check_invariants(&self) {
        self.check();
    }
}

impl Router {
    /// Hands an event to the request that waits for it; it may be gone.
    fn hear_event(&mut self, cx: &mut Context<'_, Self>, key: Key, event: Event) {
        let call = self.take_call(cx, key);
        let Some(Call { connection, slot, verb, request_id, step: Some(step), .. }) = call else {
            return tokens::unattended(self, cx, None, event);
        };
        if let Step::CatchUp(whose) = &step {
            return self.caught_up(cx, connection, whose, Some(event));
        }
        if self.sessions.get(connection).is_none() {
            return tokens::unattended(self, cx, Some(&step), event);
        }
        let request_id = request_id.as_deref();
        let mut ask = ask::Ask { router: self, cx, connection, slot, verb, request_id };
        let outcome = match step {
            Step::Account(step) => accounts::go_on(&mut ask, step, event),
            Step::Arrival(step) => arrival::go_on(&mut ask, *step, event),
            Step::Basic(step) => basics::go_on(&mut ask, step, event),
            Step::Channel(step) => channels::go_on(&mut ask, step, event),
            Step::InboxLog(step) => inbox_log::go_on(&mut ask, step, event),
            Step::Chat(step) => chats::go_on(&mut ask, step, event),
            Step::Execution(step) => executions::go_on(&mut ask, step, event),
            Step::Message(step) => messages::go_on(&mut ask, step, event),
            Step::Notification(step) => notifications::go_on(&mut ask, step, event),
            Step::Sending(step) => sending::go_on(&mut ask, step, event),
            Step::CatchUp(_) => return,
            Step::Token(step) => tokens::go_on(&mut ask, step, event),
        };
        self.conclude(cx, connection, slot, verb.word(), request_id, outcome);
    }

    /// A request that waited gets an error.
    fn fail_call(
        &mut self,
        cx: &mut Context<'_, Self>,
        key: Key,
        fault: crate::message::fault::Fault,
    ) {
        if let Some(Call { step: Some(Step::Arrival(step)), .. }) = self.calls.get(key)
            && step.goes_on_after(&fault)
        {
            return self.hear_event(cx, key, Event::Unstored);
        }
        let Some(call) = self.take_call(cx, key) else { return };
        if let Some(Step::CatchUp(whose)) = &call.step {
            return self.caught_up(cx, call.connection, whose, None);
        }
        let fault = match &call.step {
            Some(Step::Token(step)) => tokens::fault(self, cx, call.connection, step, fault),
            Some(Step::Account(step)) => accounts::fault(step, fault),
            Some(Step::Execution(step)) => {
                executions::fault(self, cx, call.connection, step, fault)
            }
            Some(Step::Message(step)) => messages::fault(step, fault),
            _ => fault,
        };
        if matches!(call.step, Some(Step::Arrival(_))) {
            self.leave(cx, call.connection);
        }
        let request_id = call.request_id.as_deref();
        self.conclude(cx, call.connection, call.slot, call.verb.word(), request_id, Err(fault));
    }

    fn take_call(&mut self, cx: &mut Context<'_, Self>, key: Key) -> Option<Call> {
        let call = self.calls.remove(key)?;
        if let Some(timer) = call.timer {
            cx.cancel_timer(timer);
        }
        Some(call)
    }

    fn auth_timeout(&self, peer: crate::handler::Peer) -> Duration {
        let usual = if peer.is_loopback() { 300_000 } else { 10_000 };
        Duration::from_millis(self.config.auth_timeout_ms.unwrap_or(usual))
    }
}
