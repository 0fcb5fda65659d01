//! `ui_action`, `data_request`, `command`: a user calls a backend; `serve`, `call_result`: a backend
//! is called (SPEC §4 "Calls").
//!
//! The request waits on its connection's loop and holds up nobody; `home.rs` is where its action is
//! at home: cache, breaker, choice of a worker, deadline; `worker.rs` is the worker's loop.
//! Law: every call is answered once, at its deadline at the latest. A caller that leaves takes nothing
//! back: its worker goes on, what it answers is kept for a repeat, and the rest is dropped. A repeat
//! that comes before the answer waits for it, and no worker is called again.

mod config;
mod home;
mod metrics;
pub mod words;
mod worker;

use std::sync::Arc;
use std::time::Duration;

use super::Router;
use super::ask::{
    Answer as Reply, Ask, Event, Outcome, answers, id, not_authenticated, not_found, unexpected,
};
use super::slots::FREE;
use super::words::{CallRef, Word};
use crate::base::arena::Key;
use crate::base::id::ConnectionId;
use crate::codec::json;
use crate::handler::Context;
use crate::hub::calls::joined::Joined;
use crate::hub::calls::responses::Responses;
use crate::hub::calls::serving::Serving;
use crate::hub::calls::workers::{Limits, Workers};
use crate::hub::calls::{Action, CallKind};
use crate::message::client;
use crate::message::fault::{Code, Fault};
use crate::message::json::Json;
use crate::metrics::Registry;
use crate::protocol::websocket::Opcode;
pub use config::Calls;
pub use metrics::Metrics;
use words::{Answer, CallWord, Caller, Calling, Verdict};

answers! { ask, request:
    UiAction<'a> => ui_action(ask, request),
    DataRequest<'a> => data_request(ask, request),
    Command<'a> => command(ask, request),
    Serve<'a> => serve(ask, request),
    CallResult<'a> => call_result(ask, request),
}

/// How much longer than a call may take its loop waits to be told how it ended.
const SLACK: Duration = Duration::from_secs(5);
/// The longest that an answer is given again, whatever its worker says.
const TTL_MAX_MS: u64 = 86_400_000;
/// The longest message of a worker that a caller is told, in bytes.
const MESSAGE_BYTES_MAX: usize = 1024;
/// What is given for parameters and data that are absent.
const NOTHING: &str = "{}";

/// What one loop knows of backends.
#[derive(Debug)]
pub(super) struct Backends {
    /// Of the actions whose home it is.
    workers: Workers<home::Pending>,
    /// Of the same actions.
    responses: Responses,
    /// Of the same actions: calls on their way for which others wait, too.
    joined: Joined<CallRef>,
    /// Of its own connections.
    serving: Serving,
    metrics: Arc<Metrics>,
}

impl Backends {
    pub(super) fn new(seed: u64, config: &Calls, loops: usize, registry: &Registry) -> Self {
        let responses = Responses::new(seed, config.cache_bytes / loops.max(1));
        Self {
            workers: Workers::new(seed),
            responses,
            joined: Joined::new(seed),
            serving: Serving::new(seed),
            metrics: registry.block(),
        }
    }

    /// How many workers there are, of this loop and for its actions.
    pub(super) fn len(&self) -> usize {
        self.serving.len() + self.workers.len()
    }

    /// How many calls are on their way to workers.
    pub(super) const fn in_flight(&self) -> usize {
        self.workers.in_flight()
    }

    pub(super) fn check(&self) {
        self.workers.check();
        assert!(self.joined.len() <= self.workers.in_flight(), "only what is on its way is joined");
    }
}

/// What a request about calls waits for.
#[derive(Debug)]
pub(super) enum Step {
    /// An answer.
    Call,
    /// That so many homes know of a worker.
    Serve { homes: usize },
}

impl From<Step> for super::Step {
    fn from(step: Step) -> Self {
        Self::Backend(step)
    }
}

/// Something was done in a user interface.
pub(super) fn ui_action(ask: &mut Ask<'_, '_>, request: &client::UiAction<'_>) -> Outcome {
    let params = request.params.0.as_ref();
    call(ask, CallKind::UiAction, "action_type", &request.action_type, params)
}

/// Data is wanted.
pub(super) fn data_request(ask: &mut Ask<'_, '_>, request: &client::DataRequest<'_>) -> Outcome {
    let params = request.params.0.as_ref();
    call(ask, CallKind::DataRequest, "resource", &request.resource, params)
}

/// Something is to be done.
pub(super) fn command(ask: &mut Ask<'_, '_>, request: &client::Command<'_>) -> Outcome {
    call(ask, CallKind::Command, "command", &request.command, request.params.as_ref())
}

fn call(
    ask: &mut Ask<'_, '_>,
    kind: CallKind,
    field: &'static str,
    name: &str,
    params: Option<&Json<'_>>,
) -> Outcome {
    let action = Action::new(kind, name).ok_or_else(|| {
        Fault::field(field, format!("\"{field}\" must be 1 to 128 visible ASCII characters"))
    })?;
    let identity = &ask.user()?.identity;
    let caller = Caller {
        id: identity.user.clone(),
        username: Arc::clone(&identity.username),
        role: identity.role.as_str(),
        teams: Arc::clone(&identity.teams),
    };
    let timeout = Duration::from_millis(ask.router.config.calls.timeout_ms) + SLACK;
    let call = ask.call_for(Step::Call, timeout);
    ask.session_mut()?.slots.calls(call.key);
    let calling = Calling {
        call,
        params: params.map_or(NOTHING, Json::as_str).into(),
        request_id: ask.request_id.map(Box::from),
        caller,
        action,
    };
    let home = ask.router.homes.of_action(&calling.action);
    ask.cx.tell(home, Word::Backend(Box::new(CallWord::Call(calling))));
    Ok(Reply::Later)
}

/// The connection becomes a worker, or serves more.
pub(super) fn serve(ask: &mut Ask<'_, '_>, request: &client::Serve<'_>) -> Outcome {
    let mut actions = Vec::with_capacity(request.actions.len().min(64));
    for text in &request.actions {
        actions.push(Action::parse(text).ok_or_else(|| {
            Fault::field("actions", format!("\"{}\" is no action", json::excerpt(text)))
                .hint("ui_action:NAME, data_request:NAME or command:NAME, of visible ASCII")
        })?);
    }
    if actions.is_empty() {
        return Err(Fault::field("actions", "\"actions\" must name at least one"));
    }
    let most = ask.router.config.calls.actions_per_worker as usize;
    let new = ask.router.backends.serving.add(ask.connection, actions, most).ok_or_else(|| {
        Fault::new(Code::Conflict, "too many actions on this connection")
            .hint(format!("{most} at most; serve the others on another connection"))
    })?;
    let mut by_home: Vec<Vec<Action>> = vec![Vec::new(); ask.router.homes.len()];
    for action in new {
        let home = ask.router.homes.of_action(&action);
        by_home[usize::from(home.0)].push(action);
    }
    let homes = by_home.iter().filter(|actions| !actions.is_empty()).count();
    if homes == 0 {
        return ask.ok_empty();
    }
    let (call, worker) = (ask.call(Step::Serve { homes }), ask.address());
    for (home, actions) in ask.router.homes.all().zip(by_home) {
        if !actions.is_empty() {
            let word = CallWord::Serve { call, worker, actions };
            ask.cx.tell(home, Word::Backend(Box::new(word)));
        }
    }
    Ok(Reply::Later)
}

/// A worker answers. Whoever called may have gone; the worker need not know.
pub(super) fn call_result(ask: &mut Ask<'_, '_>, request: &client::CallResult<'_>) -> Outcome {
    let call_id = id("call_id", &request.call_id)?;
    let verdict = verdict(request)?;
    let call = ask.router.backends.serving.over(ask.connection, call_id);
    let (home, key) = call.ok_or_else(|| {
        not_found("no such call").hint("it was answered, it took too long, or another was called")
    })?;
    let worker = ask.address();
    let word = CallWord::Result { key, worker, verdict };
    ask.cx.tell(home, Word::Backend(Box::new(word)));
    ask.ok_empty()
}

fn verdict(request: &client::CallResult<'_>) -> Result<Verdict, Fault> {
    let to_all = match request.cache_scope.as_deref() {
        None | Some("user") => false,
        Some("all") => true,
        Some(_) => {
            return Err(Fault::field("cache_scope", "\"cache_scope\" must be \"user\" or \"all\""));
        }
    };
    match request.status.as_str() {
        "ok" => {
            let ttl = request.cache_ttl_ms.filter(|ms| *ms > 0);
            let ttl = ttl.map(|ms| Duration::from_millis(ms.min(TTL_MAX_MS)));
            let data = request.data.as_ref().map_or(NOTHING, Json::as_str).into();
            Ok(Verdict::Ok { data, ttl, to_all })
        }
        "error" => {
            let message = request.message.as_deref().unwrap_or("the backend failed");
            let end = message.floor_char_boundary(MESSAGE_BYTES_MAX);
            Ok(Verdict::Error(message[..end].into()))
        }
        _ => Err(Fault::field("status", "\"status\" must be \"ok\" or \"error\"")),
    }
}

/// The next thing that a request waits for has come.
pub(super) fn go_on(ask: &mut Ask<'_, '_>, step: Step, event: Event) -> Outcome {
    match (step, event) {
        (Step::Call, Event::Called(Answer::Data { data, cached })) => {
            let mut draft = ask.cx.draft();
            json::reply_called(draft.payload(), ask.verb.word(), ask.request_id, &data, cached);
            Ok(Reply::Reply(draft.finish(Opcode::Text)))
        }
        (Step::Call, Event::Called(Answer::Fault(fault))) => Err(fault),
        (Step::Serve { .. }, Event::Served) => ask.ok_empty(),
        (_, event) => Err(unexpected(&event)),
    }
}

/// Nothing was heard of a call.
pub(super) fn fault(step: &Step, fault: Fault) -> Fault {
    match step {
        Step::Call if fault.code == Code::StorageUnavailable => too_late(),
        Step::Call | Step::Serve { .. } => fault,
    }
}

fn too_late() -> Fault {
    Fault::new(Code::WorkerTimeout, "the backend did not answer in time")
}

impl Router {
    /// One word about calls.
    pub(super) fn hear_call_word(&mut self, cx: &mut Context<'_, Self>, word: CallWord) {
        match word {
            CallWord::Serve { call, worker, actions } => {
                self.serve_at_home(cx, call, worker, actions);
            }
            CallWord::Served { call } => self.served(cx, call),
            CallWord::Unserve { worker } => self.worker_left(cx, worker),
            CallWord::Call(calling) => self.call_at_home(cx, calling),
            CallWord::Called(called) => self.call_worker(cx, &called),
            CallWord::Over { worker, id } => {
                self.backends.serving.over(worker, id);
            }
            CallWord::Result { key, worker, verdict } => {
                self.worker_answered(cx, key, worker, verdict);
            }
            CallWord::Answer { call, answer } => self.hear_event(cx, call, Event::Called(answer)),
        }
    }

    /// A home knows of a worker; whether all do.
    fn served(&mut self, cx: &mut Context<'_, Self>, call: Key) {
        let step = self.calls.get_mut(call).and_then(|call| call.step.as_mut());
        if let Some(super::Step::Backend(Step::Serve { homes })) = step {
            *homes = homes.saturating_sub(1);
            if *homes > 0 {
                return;
            }
        }
        self.hear_event(cx, call, Event::Served);
    }

    /// The connection is gone: nobody waits for its calls any more.
    pub(super) fn drop_calls(&mut self, cx: &mut Context<'_, Self>, calls: Vec<Key>) {
        for key in calls {
            self.take_call(cx, key);
        }
    }

    /// The user logs out: what still comes would be read by whoever is next on the connection.
    pub(super) fn end_calls(&mut self, cx: &mut Context<'_, Self>, id: ConnectionId) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        for key in session.slots.take_calls() {
            debug_assert!(self.calls.get(key).is_none_or(|call| call.slot == FREE));
            self.fail_call(cx, key, not_authenticated());
        }
    }

    pub(super) const fn call_limits(&self) -> Limits {
        let calls = &self.config.calls;
        Limits {
            per_worker: calls.in_flight_per_worker,
            bytes_per_worker: calls.in_flight_bytes_per_worker,
            per_action: calls.in_flight_per_action,
        }
    }
}
