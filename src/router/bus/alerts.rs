//! What operators are woken for (SPEC §9): too many connections, too many errors, slow round trips.
//!
//! While there are connections, each loop asks loop 0 now and then to look at what all loops have
//! counted. Law: an alert is told when it begins and when it ends, once. Limit: errors and round
//! trips are of the time since the look before; too few of them say nothing.

use std::sync::Arc;
use std::time::Duration;

use crate::base::id::LoopId;
use crate::handler::Context;
use crate::metrics::{Registry, labels, rows};
use crate::router::admin::words::AdminWord;
use crate::router::words::Word;
use crate::router::{Router, Timer};

/// Fewer requests than this have no share of errors.
const REQUESTS_MIN: u64 = 100;
/// Fewer round trips have no mean.
const ROUND_TRIPS_MIN: u64 = 3;

labels! {
    /// What is watched.
    pub enum Alert: "alert" {
        /// Open connections.
        Connections = "connections",
        /// The share of requests that were answered by an error.
        Errors = "errors",
        /// From a ping to its pong.
        RoundTrip = "round_trip",
    }
}

rows! {
    /// Alerts; loop 0 tells them.
    pub struct Metrics {
        /// Alerts that are raised.
        raised: Gauge[Alert] = "stentor_alerts",
    }
}

/// When operators are woken; `None` is never.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alerts {
    /// Open connections (1,000).
    pub connections: Option<u32>,
    /// Of requests answered by an error, percent (1).
    pub errors_percent: Option<u32>,
    /// Mean of the round trips of WebSocket pings, milliseconds (100).
    pub round_trip_ms: Option<u32>,
    /// How often is looked, milliseconds (10 s).
    pub interval_ms: u64,
}

impl Default for Alerts {
    fn default() -> Self {
        Self {
            connections: Some(1000),
            errors_percent: Some(1),
            round_trip_ms: Some(100),
            interval_ms: 10_000,
        }
    }
}

/// What all loops had counted at a look.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Counted {
    connections: u64,
    requests: u64,
    errors: u64,
    round_trips: u64,
    /// Nanoseconds, all together.
    round_trip_ns: u64,
}

impl Counted {
    fn now(registry: &Registry) -> Self {
        let total = |name| registry.total(name).unwrap_or_default().max(0).cast_unsigned();
        let (round_trips, round_trip_ns) =
            registry.distribution("stentor_round_trip_seconds").unwrap_or_default();
        Self {
            connections: total("stentor_connections"),
            requests: total("stentor_requests_total"),
            errors: total("stentor_errors_total"),
            round_trips,
            round_trip_ns,
        }
    }
}

/// What was measured for an alert.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Seen {
    pub(super) raised: bool,
    pub(super) value: f64,
    pub(super) limit: u32,
}

/// The watch of loop 0, and whether a loop asks for it.
#[derive(Debug)]
pub(in crate::router) struct Watch {
    metrics: Arc<Metrics>,
    /// Whether a timer of this loop runs.
    armed: bool,
    before: Counted,
    looked_at: Option<Duration>,
    raised: [bool; 3],
}

impl Watch {
    pub(in crate::router) fn new(registry: &Registry) -> Self {
        Self {
            metrics: registry.block(),
            armed: false,
            before: Counted::default(),
            looked_at: None,
            raised: [false; 3],
        }
    }

    /// Which alerts begin or end by what is counted now.
    fn look(&mut self, limits: &Alerts, now: Counted) -> Vec<(Alert, Seen)> {
        let before = std::mem::replace(&mut self.before, now);
        let requests = now.requests.saturating_sub(before.requests);
        let errors = now.errors.saturating_sub(before.errors);
        let trips = now.round_trips.saturating_sub(before.round_trips);
        let nanoseconds = now.round_trip_ns.saturating_sub(before.round_trip_ns);
        let share = |part: u64, of: u64, least| (of >= least).then(|| part as f64 / of as f64);
        let measured = [
            (Alert::Connections, limits.connections, Some(now.connections as f64)),
            (
                Alert::Errors,
                limits.errors_percent,
                Some(share(errors, requests, REQUESTS_MIN).unwrap_or_default() * 100.0),
            ),
            (
                Alert::RoundTrip,
                limits.round_trip_ms,
                // Without pings nothing is known, and what was raised stays so.
                share(nanoseconds, trips, ROUND_TRIPS_MIN).map(|mean| mean / 1e6),
            ),
        ];
        let mut changed = Vec::new();
        for (raised, (alert, limit, value)) in self.raised.iter_mut().zip(measured) {
            let (Some(limit), Some(value)) = (limit, value) else { continue };
            let over = value > f64::from(limit);
            if std::mem::replace(raised, over) != over {
                self.metrics.raised.set_at(alert, i64::from(over));
                changed.push((alert, Seen { raised: over, value, limit }));
            }
        }
        changed
    }
}

impl Router {
    /// There is a connection: from now on somebody looks.
    pub(in crate::router) fn arm_watch(&mut self, cx: &mut Context<'_, Self>) {
        if !std::mem::replace(&mut self.watch.armed, true) {
            cx.set_timer(Duration::from_millis(self.config.alerts.interval_ms), Timer::Watch);
        }
    }

    /// It is time to look; while there are connections, again.
    pub(in crate::router) fn watch_is_due(&mut self, cx: &mut Context<'_, Self>) {
        self.watch.armed = false;
        if self.sessions.len() > 0 {
            self.arm_watch(cx);
        }
        cx.tell(LoopId(0), Word::Admin(Box::new(AdminWord::Watch)));
    }

    /// On loop 0: looks, unless another loop has just asked for it.
    pub(in crate::router) fn look_at_alerts(&mut self, cx: &mut Context<'_, Self>) {
        let now = cx.now.monotonic;
        let half = Duration::from_millis(self.config.alerts.interval_ms / 2);
        if self.watch.looked_at.is_some_and(|at| now < at + half) {
            return;
        }
        self.watch.looked_at = Some(now);
        let counted = Counted::now(&self.registry);
        for (alert, seen) in self.watch.look(&self.config.alerts, counted) {
            self.alert_changed(cx, alert, seen);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_are_told_when_they_begin_and_when_they_end() {
        let mut watch = Watch::new(&Registry::new());
        let limits = Alerts::default();
        let mut counted = Counted { connections: 1000, ..Counted::default() };
        let mut look = |counted: Counted| -> Vec<(Alert, bool)> {
            let changed = watch.look(&limits, counted).into_iter();
            changed.map(|(alert, seen)| (alert, seen.raised)).collect()
        };
        assert!(look(counted).is_empty(), "at the limit is not over it");
        counted.connections = 1001;
        assert_eq!(look(counted), [(Alert::Connections, true)]);
        assert!(look(counted).is_empty(), "once");
        // One error of a hundred is at the limit, two are over; of fewer nothing is said.
        (counted.requests, counted.errors) = (100, 1);
        assert!(look(counted).is_empty());
        (counted.requests, counted.errors) = (199, 51);
        assert!(look(counted).is_empty());
        (counted.requests, counted.errors) = (299, 53);
        assert_eq!(look(counted), [(Alert::Errors, true)]);
        assert_eq!(look(counted), [(Alert::Errors, false)]);
        // Three round trips of 101 ms.
        (counted.round_trips, counted.round_trip_ns) = (3, 303_000_000);
        counted.connections = 0;
        let both = [(Alert::Connections, false), (Alert::RoundTrip, true)];
        assert_eq!(look(counted), both);
        assert!(look(counted).is_empty(), "no ping, no news");
        (counted.round_trips, counted.round_trip_ns) = (6, 306_000_000);
        assert_eq!(look(counted), [(Alert::RoundTrip, false)]);
    }

    #[test]
    fn a_limit_that_is_lifted_raises_nothing() {
        let mut watch = Watch::new(&Registry::new());
        let limits = Alerts { connections: None, ..Alerts::default() };
        let counted = Counted { connections: 1_000_000, ..Counted::default() };
        assert_eq!(watch.look(&limits, counted), []);
    }
}
