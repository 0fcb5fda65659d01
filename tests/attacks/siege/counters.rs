//! The counters of what was refused and of what was done, before and after.
//!
//! Law: what an attack does not say it moves must not move: a refusal of another kind is seen, and
//! so is a request that was born of what should have been no request. Limit: chat messages are not
//! counted, because the bystanders send them.

use std::collections::BTreeMap;

/// With all their labels, but those of [`BYSTANDERS`].
const WATCHED: [&str; 21] = [
    "stentor_auth_failures_total",
    "stentor_auth_timeouts_total",
    "stentor_connections_dead_total",
    "stentor_connections_exposed_refused_total",
    "stentor_connections_refused_total",
    "stentor_connections_unspoken_total",
    "stentor_errors_total",
    "stentor_http_answers_total",
    "stentor_http_hosts_refused_total",
    "stentor_http_requests_refused_total",
    "stentor_http_timeouts_total",
    "stentor_limited_total",
    "stentor_message_timeouts_total",
    "stentor_net_panics_total",
    "stentor_protocol_violations_total",
    "stentor_requests_total",
    "stentor_slow_consumers_total",
    "stentor_sniff_timeouts_total",
    "stentor_tls_handshakes_failed_total",
    "stentor_tls_handshakes_total",
    "stentor_upgrades_refused_total",
];

/// What the bystanders move.
const BYSTANDERS: &str = "stentor_requests_total{verb=\"message\"}";

/// Rows of `/metrics` by name and labels.
pub(crate) struct Counters(BTreeMap<String, u64>);

impl Counters {
    /// Of a page of `/metrics`.
    pub(crate) fn of(page: &str) -> Self {
        let rows = page.lines().filter_map(|row| {
            let (key, value) = row.rsplit_once(' ')?;
            let name = key.split('{').next()?;
            let value = value.parse::<f64>().ok()? as u64;
            let watched = WATCHED.contains(&name) && key != BYSTANDERS;
            watched.then(|| (key.to_owned(), value))
        });
        Self(rows.collect())
    }

    fn get(&self, key: &str) -> u64 {
        self.0.get(key).copied().unwrap_or_default()
    }

    /// Which rows did not move since `before` by what was `expected`, or at all without that.
    pub(crate) fn unlike(&self, before: &Self, expected: &BTreeMap<String, u64>) -> Vec<String> {
        let keys: std::collections::BTreeSet<_> = self.0.keys().chain(expected.keys()).collect();
        let wrong = keys.into_iter().filter_map(|key| {
            let moved = self.get(key) - before.get(key);
            let wanted = expected.get(key).copied().unwrap_or_default();
            (moved != wanted).then(|| format!("{key} moved by {moved}, not by {wanted}"))
        });
        wrong.collect()
    }
}
