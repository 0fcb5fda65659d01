//! Calls as they must be: who asked for what, which worker got it, what was answered.
//!
//! Law: a worker gets a call at most as often as somebody asked for it and it was not answered before;
//! an answer is of the call, and of its user unless its worker gave it for all; what was answered
//! before is said to be so. Limit: that an answer kept is forgotten in time is the hub's own test.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

use crate::law::Law;
use crate::model::Model;

/// How long after an answer a repeat is surely answered from the cache, where it keeps for 300 s.
const SURELY_KEPT: Duration = Duration::from_secs(120);
/// How much longer than its deadline a call may take where nothing is slow.
const SLACK: Duration = Duration::from_secs(15);

/// The codes that may answer a call.
const REFUSALS: [&str; 7] = [
    "circuit_open",
    "no_worker",
    "not_authenticated",
    "overloaded",
    "rate_limited",
    "worker_error",
    "worker_timeout",
];

/// A call that somebody makes, maybe more than once.
pub(crate) struct Call {
    pub(crate) user: String,
    /// `ui_action:NAME`
    pub(crate) action: String,
    /// The same in every call that may be answered alike.
    pub(crate) params: Value,
    /// How often a worker may get it.
    may: u32,
    got: u32,
    /// When the attempt was sent that a worker answered, and in which life of the server.
    answered: Option<(Duration, u64)>,
}

/// A call without its reply.
pub(crate) struct Ringing {
    pub(crate) op: u64,
    pub(crate) word: String,
    pub(crate) at: Duration,
    /// It was answered before, and that is kept.
    kept: bool,
    /// Nothing was to be answered before it.
    pub(crate) first: bool,
}

/// What a worker said, by a number of its own.
#[derive(Clone)]
struct Given {
    action: String,
    params: Value,
    user: String,
    ok: bool,
    /// The answer may be given again…
    again: bool,
    /// …to everybody.
    to_all: bool,
    heard: bool,
    /// As what is given for the first time.
    heard_new: bool,
}

#[derive(Default)]
pub(crate) struct Calls {
    pub(crate) made: BTreeMap<u64, Call>,
    given: BTreeMap<u64, Given>,
    /// The ids that workers know calls by.
    ids: BTreeSet<String>,
    /// How long a worker may take.
    pub(crate) timeout: Duration,
    /// Whether answers are kept for long.
    pub(crate) keeps: bool,
}

impl Calls {
    /// Somebody calls, or calls again.
    pub(crate) fn begins(&mut self, op: u64, now: Duration, life: u64) -> Ringing {
        let keeps = self.keeps;
        let call = self.made.get_mut(&op).expect("it was made before");
        let kept = call.action.starts_with("ui_action:")
            && keeps
            && call.answered.is_some_and(|(at, of)| of == life && now < at + SURELY_KEPT);
        call.may += u32::from(!kept);
        let word = call.action.split(':').next().unwrap_or_default().to_owned();
        Ringing { op, word, at: now, kept, first: false }
    }

    pub(crate) fn makes(&mut self, op: u64, user: String, action: String, params: Value) {
        let call = Call { user, action, params, may: 0, got: 0, answered: None };
        self.made.insert(op, call);
    }
}

/// What a worker makes of a call.
pub(crate) struct Work {
    pub(crate) call_id: String,
    pub(crate) action: String,
    pub(crate) params: Value,
    pub(crate) user: String,
}

impl Model {
    /// A worker hears a call.
    pub(crate) fn worker_called(&mut self, serves: &BTreeSet<String>, value: &Value) -> Work {
        self.checked(Law::Calls);
        let payload = &value["payload"];
        let text = |field: &str| payload[field].as_str().unwrap_or_default().to_owned();
        let action = format!("{}:{}", text("kind"), text("name"));
        let user = payload["user"]["id"].as_str().unwrap_or_default().to_owned();
        let (call_id, params) = (text("call_id"), payload["params"].clone());
        let new = self.calls.ids.insert(call_id.clone());
        let op = params["op"].as_u64().unwrap_or_default();
        let call = self.calls.made.get_mut(&op);
        let is_it = call.as_ref().is_some_and(|call| {
            call.user == user && call.action == action && call.params == params
        });
        // Of data everybody asks the same.
        let shared = action.starts_with("data_request:") && params.get("page").is_some();
        let known = if shared { true } else { is_it };
        let often = call.is_some_and(|call| {
            call.got += 1;
            call.got > call.may
        });
        let why = match (new, known, often, serves.contains(&action)) {
            (false, ..) => Some("it came before"),
            (_, false, ..) => Some("nobody made it"),
            (_, _, true, _) => Some("it came more often than it was made"),
            (.., false) => Some("that is not served here"),
            _ => None,
        };
        if let Some(why) = why {
            self.violation(Law::Calls, &format!("{why}: {value}"));
        }
        Work { call_id, action, params, user }
    }

    /// A worker says something, which gets a number.
    pub(crate) fn worker_says(&mut self, n: u64, work: &Work, ok: bool, kept: (bool, bool)) {
        let (action, params, user) = (work.action.clone(), work.params.clone(), work.user.clone());
        let (again, to_all) = kept;
        let given =
            Given { action, params, user, ok, again, to_all, heard: false, heard_new: false };
        self.calls.given.insert(n, given);
    }

    /// A caller has its reply, from a server of this life; in Protobuf none says that it was kept.
    pub(crate) fn call_answered(
        &mut self,
        ringing: &Ringing,
        (now, life, slow): (Duration, u64, bool),
        value: &Value,
        says_cached: bool,
    ) {
        self.checked(Law::Calls);
        let ok = value["status"] == "ok";
        let cached = says_cached.then_some(value["cached"] == true);
        let code = value["code"].as_str().unwrap_or_default();
        let mut why = None;
        if ringing.first && !slow && now > ringing.at + self.calls.timeout + SLACK {
            why = Some("it took too long");
        }
        if !ok && !REFUSALS.contains(&code)
            || code == "circuit_open" && value["retry_after_ms"].is_null()
        {
            why = Some("that is no answer");
        }
        let said = value["message"].as_str().and_then(|message| message.strip_prefix("said "));
        let n = if ok { value["data"]["n"].as_u64() } else { said.and_then(|n| n.parse().ok()) };
        if let Some(n) = n {
            why = why.or_else(|| self.answer_is(ringing.op, n, (ok, cached)));
        } else if ok {
            why = Some("nobody gave it");
        }
        if ok && ringing.kept && cached == Some(false) {
            why = Some("it was answered before");
        }
        if let Some(why) = why {
            self.violation(Law::Calls, &format!("{why}: {value}"));
        }
        if ok
            && cached == Some(false)
            && let Some(call) = self.calls.made.get_mut(&ringing.op)
        {
            call.answered = Some((ringing.at, life));
        }
    }

    /// Why an answer is not of this call.
    fn answer_is(
        &mut self,
        op: u64,
        n: u64,
        (ok, cached): (bool, Option<bool>),
    ) -> Option<&'static str> {
        let Some(call) = self.calls.made.get(&op) else { return Some("nobody called") };
        let Some(given) = self.calls.given.get_mut(&n) else { return Some("nobody gave it") };
        let mine = given.user == call.user || given.to_all && cached != Some(false);
        if given.action != call.action || given.params != call.params || given.ok != ok {
            return Some("it is of another call");
        }
        if !mine {
            return Some("it is another user's");
        }
        let before = std::mem::replace(&mut given.heard, true);
        let repeats = match cached {
            // Who joined a call on its way hears how that failed.
            Some(false) if !ok && given.again => false,
            Some(false) => std::mem::replace(&mut given.heard_new, true),
            Some(true) => !given.again,
            None => before && !given.again,
        };
        if repeats {
            return Some("it was given again");
        }
        None
    }
}
