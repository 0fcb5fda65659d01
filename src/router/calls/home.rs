//! At the home of an action: an answer that is kept, or the worker that is to give one, and its end.
//!
//! Law: a call that began ends here exactly once: by its worker, by its deadline, or with its worker.
//! A `ui_action` that is the same as one on its way, as the cache sees it, ends with that, however.

use std::sync::Arc;
use std::time::Duration;

use super::metrics::Called as Outcome;
use super::too_late;
use super::words::{Answer, CallWord, Called, Calling, Verdict};
use crate::base::arena::Key;
use crate::base::id::{Address, Id};
use crate::base::now::Moment;
use crate::base::timer::TimerId;
use crate::handler::Context;
use crate::hub::calls::breaker::Phase;
use crate::hub::calls::responses::key;
use crate::hub::calls::workers::{InFlight, Refused};
use crate::hub::calls::{Action, CallKind};
use crate::message::fault::{Code, Fault};
use crate::metrics::Label;

use crate::router::words::{CallRef, Word};
use crate::router::{Router, Timer};

/// What the home of an action needs to end a call.
#[derive(Debug)]
pub(in crate::router) struct Pending {
    call: CallRef,
    began: Moment,
    timer: Option<TimerId>,
    keep: Keep,
}

/// Whether the answer is kept for a repeat, and under which key.
#[derive(Debug)]
enum Keep {
    Never,
    /// Of a `ui_action` with a request id.
    Always(String),
    /// Of a `data_request`, if its worker says so: the user's key, and that of all.
    IfAllowed(String, String),
}

fn keep(calling: &Calling) -> Keep {
    let (action, params) = (&calling.action, &*calling.params);
    let user = Some(&calling.caller.id);
    match (action.kind, calling.request_id.as_deref()) {
        (CallKind::UiAction, Some(id)) => Keep::Always(key(action, user, Some(id), params)),
        (CallKind::UiAction, None) | (CallKind::Command, _) => Keep::Never,
        (CallKind::DataRequest, _) => {
            Keep::IfAllowed(key(action, user, None, params), key(action, None, None, params))
        }
    }
}

fn answer(cx: &mut Context<'_, Router>, to: CallRef, answer: Answer) {
    let word = CallWord::Answer { call: to.key, answer };
    cx.tell(to.home, Word::Backend(Box::new(word)));
}

impl Router {
    /// A connection serves these actions too.
    pub(super) fn serve_at_home(
        &mut self,
        cx: &mut Context<'_, Self>,
        call: CallRef,
        worker: Address,
        actions: Vec<Action>,
    ) {
        for action in &actions {
            log::info!("{action} is served by {:?} of loop {}", worker.connection, worker.home.0);
        }
        self.backends.workers.serve(worker, actions, cx.now.monotonic);
        self.gauge_calls();
        cx.tell(call.home, Word::Backend(Box::new(CallWord::Served { call: call.key })));
    }

    /// A worker is gone: what it was called for has failed.
    pub(super) fn worker_left(&mut self, cx: &mut Context<'_, Self>, worker: Address) {
        let Some(lost) = self.backends.workers.leave(worker, cx.now.monotonic) else { return };
        for call in lost {
            let fault = Fault::new(Code::WorkerError, "the backend went away");
            self.end_call(cx, call, Outcome::WorkerLost, Answer::Fault(fault));
        }
        self.gauge_calls();
    }

    /// An action is called.
    pub(super) fn call_at_home(&mut self, cx: &mut Context<'_, Self>, calling: Calling) {
        let (now, kind) = (cx.now.monotonic, calling.action.kind);
        let keep = keep(&calling);
        if let Keep::Always(key) = &keep
            && self.backends.joined.join(key, calling.call)
        {
            self.backends.metrics.calls.add_at((kind, Outcome::Joined), 1);
            return;
        }
        if let Some(data) = self.kept(&keep, now) {
            self.backends.metrics.calls.add_at((kind, Outcome::Cached), 1);
            return answer(cx, calling.call, Answer::Data { data, cached: true });
        }
        let bytes = calling.params.len();
        let chosen = self.backends.workers.choose(&calling.action, bytes, self.call_limits(), now);
        let worker = match chosen {
            Ok(worker) => worker,
            Err(refused) => {
                let (outcome, fault) = refusal(refused, &calling.action);
                self.backends.metrics.calls.add_at((kind, outcome), 1);
                return answer(cx, calling.call, Answer::Fault(fault));
            }
        };
        let id = Id::new(cx.now.unix_ms, &cx.rng.bytes());
        let deadline_ms = self.config.calls.timeout_ms;
        let Calling { call, action, params, caller, .. } = calling;
        if let Keep::Always(key) = &keep
            && self.config.calls.cache_ms > 0
        {
            self.backends.joined.begin(key);
        }
        let pending = Pending { call, began: now.into(), timer: None, keep };
        let key = self.backends.workers.begin(id, action.clone(), worker, bytes, pending);
        let timer = cx.set_timer(Duration::from_millis(deadline_ms), Timer::Backend(key));
        let mut probe = false;
        if let Some(call) = self.backends.workers.get_mut(key) {
            call.caller.timer = Some(timer);
            probe = call.probe;
        }
        if probe {
            self.breaker_changed(&action, Phase::HalfOpen);
            self.breaker_is(cx, &action, Phase::HalfOpen);
        }
        self.gauge_calls();
        let worker_id = worker.connection;
        let called = Called { worker: worker_id, id, key, action, params, caller, deadline_ms };
        cx.tell(worker.home, Word::Backend(Box::new(CallWord::Called(called))));
    }

    /// An answer that was given before to the same call.
    fn kept(&mut self, keep: &Keep, now: Duration) -> Option<Arc<str>> {
        let found = match keep {
            Keep::Never => return None,
            Keep::Always(key) => self.backends.responses.get(key, now),
            Keep::IfAllowed(own, all) => self
                .backends
                .responses
                .get(own, now)
                .or_else(|| self.backends.responses.get(all, now)),
        };
        let counter = if found.is_some() {
            &self.backends.metrics.cache_hits
        } else {
            &self.backends.metrics.cache_misses
        };
        counter.add(1);
        found
    }

    /// A worker has answered.
    pub(super) fn worker_answered(
        &mut self,
        cx: &mut Context<'_, Self>,
        key: Key,
        worker: Address,
        verdict: Verdict,
    ) {
        let Some(call) = self.backends.workers.end(key, worker) else { return };
        match verdict {
            Verdict::Ok { data, ttl, to_all } => {
                let now = cx.now.monotonic;
                let kept = match &call.caller.keep {
                    Keep::Never => None,
                    Keep::Always(key) => Some((key, self.config.calls.cache_ms)),
                    Keep::IfAllowed(own, all) => {
                        let ms = ttl.map_or(0, |ttl| ttl.as_millis() as u64);
                        Some((if to_all { all } else { own }, ms))
                    }
                };
                if let Some((key, ms)) = kept {
                    let ttl = Duration::from_millis(ms);
                    let evicted = self.backends.responses.put(key, Arc::clone(&data), ttl, now);
                    self.backends.metrics.cache_evictions.add(evicted as u64);
                }
                self.end_call(cx, call, Outcome::Ok, Answer::Data { data, cached: false });
            }
            Verdict::Error(message) => {
                let fault = Fault::new(Code::WorkerError, String::from(message));
                self.end_call(cx, call, Outcome::WorkerError, Answer::Fault(fault));
            }
        }
        self.gauge_calls();
    }

    /// A call has taken too long.
    pub(in crate::router) fn call_is_late(&mut self, cx: &mut Context<'_, Self>, key: Key) {
        let Some(call) = self.backends.workers.get_mut(key) else { return };
        call.caller.timer = None;
        let worker = call.worker;
        let Some(call) = self.backends.workers.end(key, worker) else { return };
        let over = CallWord::Over { worker: worker.connection, id: call.id };
        cx.tell(worker.home, Word::Backend(Box::new(over)));
        self.end_call(cx, call, Outcome::WorkerTimeout, Answer::Fault(too_late()));
        self.gauge_calls();
    }

    /// A call has left the table: its breaker and its caller are told.
    fn end_call(
        &mut self,
        cx: &mut Context<'_, Self>,
        call: InFlight<Pending>,
        outcome: Outcome,
        told: Answer,
    ) {
        let kind = call.action.kind;
        self.backends.metrics.calls.add_at((kind, outcome), 1);
        self.backends.metrics.call_seconds.time_at(kind, call.caller.began.elapsed(cx.now));
        let open_for = Duration::from_millis(self.config.calls.breaker_open_ms);
        let failed = outcome != Outcome::Ok;
        let (before, after) =
            self.backends.workers.judge(&call, failed, cx.now.monotonic, open_for);
        if before != after {
            self.breaker_changed(&call.action, after);
            self.breaker_is(cx, &call.action, after);
        }
        if let Some(timer) = call.caller.timer {
            cx.cancel_timer(timer);
        }
        let Pending { call: first, keep, .. } = call.caller;
        let others = match keep {
            Keep::Always(key) => self.backends.joined.end(&key),
            Keep::Never | Keep::IfAllowed(..) => Vec::new(),
        };
        answer(cx, first, told.clone());
        for other in others {
            answer(cx, other, told.clone().again());
        }
    }

    fn breaker_changed(&self, action: &Action, to: Phase) {
        self.backends.metrics.breaker_changes.add_at(to, 1);
        match to {
            Phase::Open => {
                let ms = self.config.calls.breaker_open_ms;
                log::warn!("{action} failed too often: its breaker is open for {ms} ms");
            }
            Phase::HalfOpen => log::info!("{action}: its breaker lets one call through, to see"),
            Phase::Closed => log::info!("{action}: its breaker is closed again"),
        }
    }

    fn gauge_calls(&self) {
        self.backends.metrics.workers.set_at((), self.backends.workers.len() as i64);
        self.backends.metrics.calls_in_flight.set_at((), self.backends.workers.in_flight() as i64);
        self.backends.metrics.cache_bytes.set_at((), self.backends.responses.bytes() as i64);
        let phases = [Phase::Closed, Phase::Open, Phase::HalfOpen];
        for (phase, count) in phases.into_iter().zip(self.backends.workers.phases()) {
            debug_assert_eq!(phases[phase.index()], phase);
            self.backends.metrics.breakers.set_at(phase, count);
        }
    }
}

/// What a caller is told, and what is counted, when a call does not begin.
fn refusal(refused: Refused, action: &Action) -> (Outcome, Fault) {
    match refused {
        Refused::Open(wait) => {
            let fault = Fault::new(Code::CircuitOpen, "the backend failed too often");
            (Outcome::CircuitOpen, fault.retry_after(wait.as_nanos().div_ceil(1_000_000) as u64))
        }
        Refused::NoWorker => {
            let fault = Fault::new(Code::NoWorker, format!("nobody serves \"{action}\""));
            (Outcome::NoWorker, fault)
        }
        Refused::Busy => {
            let fault = Fault::new(Code::Overloaded, "the backend has too much to do");
            (Outcome::Overloaded, fault.retry_after(1000))
        }
    }
}
