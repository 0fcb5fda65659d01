//! What is counted of calls, each at the home of its action.

use crate::hub::calls::CallKind;
use crate::hub::calls::breaker::Phase;
use crate::metrics::{Seconds, labels, rows};

labels! {
    /// What came of a call of a backend.
    pub enum Called: "outcome" {
        /// It was done.
        Ok = "ok",
        /// It was answered as before.
        Cached = "cached",
        /// It was answered with a call that was the same and on its way.
        Joined = "joined",
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
    /// The rows of one loop's backends.
    pub struct Metrics {
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
    }
}
