//! What the router counts.

use crate::hub::calls::CallKind;
use crate::hub::calls::breaker::Phase;
use crate::message::client::Verb;
use crate::message::fault::Code;
use crate::metrics::{Label, LabelSet, Seconds, labels, rows};

/// A verb as a label; what is no verb is `other`.
#[derive(Clone, Copy, Debug)]
pub struct VerbLabel(usize);

const VERBS: usize = Verb::ALL.len();

const VERB_WORDS: [&str; VERBS + 1] = {
    let mut words = ["other"; VERBS + 1];
    let mut at = 0;
    while at < VERBS {
        words[at] = Verb::ALL[at].word();
        at += 1;
    }
    words
};

impl VerbLabel {
    /// Whatever is no verb.
    pub const OTHER: Self = Self(VERBS);

    pub(super) const fn of(verb: Verb) -> Self {
        Self(verb.index())
    }
}

impl Label for VerbLabel {
    const SETS: &'static [LabelSet] = &[LabelSet { name: "verb", values: &VERB_WORDS }];
    const COUNT: usize = VERBS + 1;

    fn index(self) -> usize {
        self.0
    }
}

/// An error code as a label.
#[derive(Clone, Copy, Debug)]
pub struct CodeLabel(pub(super) Code);

const CODES: usize = Code::ALL.len();

const CODE_WORDS: [&str; CODES] = {
    let mut words = [""; CODES];
    let mut at = 0;
    while at < CODES {
        words[at] = Code::ALL[at].word();
        at += 1;
    }
    words
};

impl Label for CodeLabel {
    const SETS: &'static [LabelSet] = &[LabelSet { name: "code", values: &CODE_WORDS }];
    const COUNT: usize = CODES;

    fn index(self) -> usize {
        self.0.index()
    }
}

labels! {
    /// What came of a call of a backend.
    pub enum Called: "outcome" {
        /// It was done.
        Ok = "ok",
        /// It was answered as before.
        Cached = "cached",
        /// Its worker said no.
        WorkerError = "worker_error",
        /// Its worker said nothing in time.
        WorkerTimeout = "worker_timeout",
        /// Its worker went away.
        WorkerLost = "worker_lost",
        /// Nobody serves it.
        NoWorker = "no_worker",
        /// Its breaker is open.
        CircuitOpen = "circuit_open",
        /// All workers have enough to do.
        Overloaded = "overloaded",
    }
}

rows! {
    /// The rows of one loop's router.
    pub struct Metrics {
        /// Requests, by verb.
        requests: Counter[VerbLabel] = "stentor_requests_total",
        /// Error replies, by code.
        errors: Counter[CodeLabel] = "stentor_errors_total",
        /// Chat messages stored.
        messages: Counter = "stentor_chat_messages_total",
        /// Retries of chat messages that had been stored before.
        duplicates: Counter = "stentor_chat_duplicates_total",
        /// Publications to channels that are kept in memory.
        publications: Counter = "stentor_publications_total",
        /// Events handed to connections.
        deliveries: Counter = "stentor_deliveries_total",
        /// Connections that did not authenticate in time.
        auth_timeouts: Counter = "stentor_auth_timeouts_total",
        /// Connections closed because their token was over.
        tokens_expired: Counter = "stentor_tokens_expired_total",
        /// Connections closed because their session was revoked.
        revoked: Counter = "stentor_connections_revoked_total",
        /// Wrong passwords and tokens.
        auth_failures: Counter = "stentor_auth_failures_total",
        /// Work that workers did not finish in time.
        job_timeouts: Counter = "stentor_job_timeouts_total",
        /// Calls of backends, by verb and by what came of them.
        calls: Counter[(CallKind, Called)] = "stentor_calls_total",
        /// How long workers took, by verb.
        call_seconds: Histogram[Seconds, CallKind] = "stentor_call_seconds",
        /// Calls that a worker has not answered yet.
        calls_in_flight: Gauge = "stentor_calls_in_flight",
        /// Workers, one for each connection and loop where one of its actions is at home.
        workers: Gauge = "stentor_workers",
        /// Calls that were answered as before.
        cache_hits: Counter = "stentor_call_cache_hits_total",
        /// Calls that could have been, and were not.
        cache_misses: Counter = "stentor_call_cache_misses_total",
        /// Answers that were given up for newer ones.
        cache_evictions: Counter = "stentor_call_cache_evictions_total",
        /// Bytes of answers that are kept.
        cache_bytes: Gauge = "stentor_call_cache_bytes",
        /// Actions, by the state of their breaker.
        breakers: Gauge[Phase] = "stentor_breakers",
        /// Changes of breakers, by the state they came to.
        breaker_changes: Counter[Phase] = "stentor_breaker_changes_total",
        /// Authenticated connections.
        users: Gauge = "stentor_authenticated_connections",
    }
}
