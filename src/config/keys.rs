//! The table of keys: name, where its value lives, bounds, what it does. File, environment, `--set`
//! and the printed reference all come from here.

pub use super::key::Key;
pub(super) use super::key::Place;
use super::key::key;

use Place::{Bytes, Count, Deadline, File, Flag, Limit, Mode, Span, Texts, Time, Word};

const DAY_MS: u64 = 86_400_000;
const YEAR_S: u64 = 31_536_000;
const GIB: u64 = 1 << 30;
const MILLION: u64 = 1_000_000;

/// Every key, by section, in the order of the reference.
pub const KEYS: &[Key] = &[
    key(
        "limits.message_bytes",
        Bytes(|c| &mut c.router.message_bytes),
        (256, GIB / 4),
        "longest message; more: `too_large`, close 1009",
    ),
    key(
        "limits.unauthenticated_message_bytes",
        Bytes(|c| &mut c.router.unauthenticated_message_bytes),
        (256, GIB / 4),
        "the same before authentication",
    ),
    key(
        "limits.unauthenticated_requests",
        Limit(|c| &mut c.router.unauthenticated_requests),
        (1, MILLION),
        "requests before authentication, `ping help heartbeat` not counted; more: close 4104",
    ),
    key(
        "limits.sniff_timeout_ms",
        Deadline(|c| &mut c.engine.sniff_timeout_ms),
        (1, DAY_MS),
        "until the first bytes: 5 s, on loopback 300 s; then closed",
    ),
    key(
        "limits.auth_timeout_ms",
        Deadline(|c| &mut c.router.auth_timeout_ms),
        (1, DAY_MS),
        "until authentication: 10 s, on loopback 300 s; then close 4103",
    ),
    key(
        "limits.tls_timeout_ms",
        Time(|c| &mut c.engine.tls_timeout_ms),
        (1, DAY_MS),
        "for a TLS handshake; then closed",
    ),
    key(
        "limits.http_head_timeout_ms",
        Time(|c| &mut c.engine.http_head_timeout_ms),
        (1, DAY_MS),
        "for the head of an HTTP request and its body; then 408",
    ),
    key(
        "limits.message_timeout_ms",
        Deadline(|c| &mut c.engine.message_timeout_ms),
        (1, DAY_MS),
        "from first to last byte of a message: 30 s, on loopback 300 s; then close 1008",
    ),
    key(
        "limits.heartbeat_ms",
        Time(|c| &mut c.router.heartbeat_ms),
        (1, DAY_MS),
        "silence before a ping; less than dead_ms",
    ),
    key(
        "limits.dead_ms",
        Time(|c| &mut c.engine.dead_ms),
        (2, DAY_MS),
        "silence after which a peer is dead; close 4102",
    ),
    key(
        "limits.messages_per_minute",
        Limit(|c| &mut c.guard.messages_per_minute),
        (1, 60 * MILLION),
        "chat messages of a user; more: `rate_limited`",
    ),
    key(
        "limits.requests_per_second",
        Limit(|c| &mut c.guard.requests_per_second),
        (1, MILLION),
        "other requests of a user, on average; more: `rate_limited`",
    ),
    key(
        "limits.requests_burst",
        Count(|c| &mut c.guard.requests_burst),
        (1, MILLION),
        "how many of them may come at once",
    ),
    key(
        "limits.ephemeral_per_second",
        Limit(|c| &mut c.guard.ephemeral_per_second),
        (1, MILLION),
        "`typing` of a user; more: `rate_limited`",
    ),
    key(
        "limits.connects_per_second_per_ip",
        Limit(|c| &mut c.guard.connects_per_second_per_ip),
        (1, MILLION),
        "new connections of an address, on average, loopback exempt; more: refused",
    ),
    key(
        "limits.connects_burst_per_ip",
        Count(|c| &mut c.guard.connects_burst_per_ip),
        (1, MILLION),
        "how many of them may come at once",
    ),
    key(
        "limits.connections",
        Limit(|c| &mut c.guard.connections),
        (1, 100 * MILLION),
        "open connections, never more than descriptors allow; more: refused, 4100",
    ),
    key(
        "limits.connections_per_user",
        Limit(|c| &mut c.guard.connections_per_user),
        (1, MILLION),
        "open connections of a user; more: close 4003",
    ),
    key(
        "limits.connections_per_ip",
        Limit(|c| &mut c.guard.connections_per_ip),
        (1, MILLION),
        "open connections of an address, loopback exempt; more: refused, 4100",
    ),
    key(
        "limits.channels_per_connection",
        Limit(|c| &mut c.router.channels_per_connection),
        (1, MILLION),
        "subscriptions beside the chats; more: `conflict`",
    ),
    key(
        "limits.parts_per_message",
        Count(|c| &mut c.engine.parts_per_message),
        (1, MILLION),
        "frames of a message; more: close 1008",
    ),
    key(
        "limits.history_page",
        Count(|c| &mut c.router.history_page),
        (1, 10_000),
        "elements of a page, whatever was asked",
    ),
    key(
        "limits.history_bytes",
        Bytes(|c| &mut c.router.history_bytes),
        (0, 64 * GIB),
        "for the histories of channels in memory; more: those that would end first are forgotten",
    ),
    key(
        "limits.channel_idle_ms",
        Time(|c| &mut c.router.channel_idle_ms),
        (1000, 365 * DAY_MS),
        "after its last use what memory holds of a room or channel without listeners is freed",
    ),
    key(
        "limits.idle_channels",
        Count(|c| &mut c.router.idle_channels),
        (1, 100 * MILLION),
        "channels without listeners that memory knows; more: those used longest ago are freed",
    ),
    key(
        "limits.inbox_events",
        Count(|c| &mut c.router.inbox.events),
        (1, MILLION),
        "events kept in the inbox of a user; more: the oldest goes, `gap` tells who missed it",
    ),
    key(
        "limits.inbox_age_ms",
        Time(|c| &mut c.router.inbox.age_ms),
        (1000, 3650 * DAY_MS),
        "their age; older: the same",
    ),
    key(
        "limits.inbox_sweep_ms",
        Time(|c| &mut c.router.inbox_sweep_ms),
        (1000, 365 * DAY_MS),
        "how often inboxes that nothing comes to are gone through for what is too old",
    ),
    key(
        "limits.inbox_notifications",
        Count(|c| &mut c.router.inbox.notifications),
        (1, MILLION),
        "notifications kept for a user; more: the oldest goes",
    ),
    key(
        "limits.inbox_devices",
        Count(|c| &mut c.router.inbox.devices),
        (1, 10_000),
        "devices of a user with a cursor; more: the one idle longest begins anew",
    ),
    key(
        "limits.executions_per_team",
        Count(|c| &mut c.router.executions_per_team),
        (1, 100 * MILLION),
        "executions kept for a team; more: those that finished first go",
    ),
    key(
        "limits.logins_per_minute",
        Limit(|c| &mut c.guard.logins_per_minute),
        (1, MILLION),
        "attempts of an address on an account, then back-off; more: `rate_limited`",
    ),
    key(
        "limits.outbox_bytes",
        Bytes(|c| &mut c.engine.outbox_bytes),
        (1024, GIB),
        "queued for a slow reader; more: close 4101, or a gap",
    ),
    key(
        "limits.outbox_soft_bytes",
        Bytes(|c| &mut c.engine.outbox_soft_bytes),
        (1024, GIB),
        "queued for longer than outbox_soft_ms; more: close 4101",
    ),
    key(
        "limits.outbox_soft_ms",
        Time(|c| &mut c.engine.outbox_soft_ms),
        (1, DAY_MS),
        "how long a queue may be over outbox_soft_bytes",
    ),
    key(
        "limits.drain_ms",
        Span(|c| &mut c.net.drain_spread),
        (0, DAY_MS / 24),
        "over which connections are closed when the server goes down; all is over 20 s later",
    ),
    key(
        "websocket.deflate",
        Mode(|c| &mut c.engine.deflate),
        (0, 0),
        "permessage-deflate: off, shared (each message for itself) or dedicated (contexts)",
    ),
    key(
        "websocket.deflate_min_bytes",
        Bytes(|c| &mut c.engine.deflate_min_bytes),
        (0, GIB),
        "shortest message that is compressed for itself; shorter ones are sent plain",
    ),
    key(
        "websocket.deflate_memory_bytes",
        Bytes(|c| &mut c.engine.deflate_memory_bytes),
        (0, 64 * GIB),
        "for the contexts of all connections; more connections: as shared",
    ),
    key(
        "calls.timeout_ms",
        Time(|c| &mut c.router.calls.timeout_ms),
        (1, DAY_MS),
        "for a backend to answer a call; then `worker_timeout`",
    ),
    key(
        "calls.cache_ms",
        Time(|c| &mut c.router.calls.cache_ms),
        (0, DAY_MS),
        "how long the answer to a `ui_action` is kept for a repeat",
    ),
    key(
        "calls.cache_bytes",
        Bytes(|c| &mut c.router.calls.cache_bytes),
        (0, 64 * GIB),
        "answers that are kept, in all; more: the oldest go",
    ),
    key(
        "calls.breaker_open_ms",
        Time(|c| &mut c.router.calls.breaker_open_ms),
        (1, DAY_MS),
        "how long a backend that fails is left alone; meanwhile `circuit_open`",
    ),
    key(
        "calls.in_flight_per_worker",
        Count(|c| &mut c.router.calls.in_flight_per_worker),
        (1, MILLION),
        "unanswered calls of a worker; more go to another one, or are `overloaded`",
    ),
    key(
        "calls.in_flight_bytes_per_worker",
        Bytes(|c| &mut c.router.calls.in_flight_bytes_per_worker),
        (1, GIB),
        "bytes of their parameters; the same. One call is let through however long",
    ),
    key(
        "calls.in_flight_per_action",
        Count(|c| &mut c.router.calls.in_flight_per_action),
        (1, MILLION),
        "unanswered calls of an action; more are `overloaded`",
    ),
    key(
        "calls.actions_per_worker",
        Count(|c| &mut c.router.calls.actions_per_worker),
        (1, MILLION),
        "actions that a connection may serve; more: `conflict`",
    ),
    key(
        "alerts.connections",
        Limit(|c| &mut c.router.alerts.connections),
        (1, 100 * MILLION),
        "open connections; more: alert `connections`",
    ),
    key(
        "alerts.errors_percent",
        Limit(|c| &mut c.router.alerts.errors_percent),
        (1, 100),
        "requests answered by an error, of 100 or more; more: alert `errors`",
    ),
    key(
        "alerts.round_trip_ms",
        Limit(|c| &mut c.router.alerts.round_trip_ms),
        (1, MILLION),
        "from a WebSocket ping to its pong, on average; more: alert `round_trip`",
    ),
    key(
        "alerts.interval_ms",
        Time(|c| &mut c.router.alerts.interval_ms),
        (100, DAY_MS),
        "how often alerts are looked at",
    ),
    key("tokens.access_s", Time(|c| &mut c.auth.access_s), (1, YEAR_S), "life of an access token"),
    key(
        "tokens.refresh_s",
        Time(|c| &mut c.auth.refresh_s),
        (1, 10 * YEAR_S),
        "life of a refresh token",
    ),
    key(
        "tokens.expired_close_ms",
        Time(|c| &mut c.auth.expired_close_ms),
        (0, DAY_MS),
        "how long a connection outlives its token; then close 4301",
    ),
    key(
        "presence.grace_ms",
        Time(|c| &mut c.router.presence_grace_ms),
        (0, DAY_MS),
        "how long a user counts as present whose last connection broke",
    ),
    key(
        "http.allowed_origins",
        Texts(|c| &mut c.allowed_origins),
        (0, 0),
        "pages that may connect, as https://example.com; empty: the server's own, and on loopback \
         http://localhost and http://127.0.0.1 on any port",
    ),
    key(
        "http.allowed_hosts",
        Texts(|c| &mut c.allowed_hosts),
        (0, 0),
        "names under which /metrics is shown, beside addresses and localhost; empty: any, on \
         loopback none with a dot",
    ),
    key(
        "tls.cert",
        File(|c| &mut c.tls.cert),
        NO_BOUNDS,
        "certificate and chain in PEM, read again on SIGHUP; unset: no TLS",
    ),
    key("tls.key", File(|c| &mut c.tls.key), NO_BOUNDS, "its private key in PEM, not encrypted"),
    key(
        "tls.required",
        Flag(|c| &mut c.engine.tls_required),
        NO_BOUNDS,
        "whether plain connections are refused: 403, close 1008",
    ),
    key(
        "tls.client_ca",
        File(|c| &mut c.tls.client_ca),
        NO_BOUNDS,
        "authorities in PEM whose certificates clients show; unset: clients are not asked",
    ),
    key(
        "tls.client_auth",
        Word(&["required", "optional"], |c| &mut c.tls.client_auth),
        NO_BOUNDS,
        "whether a client may come without a certificate when `tls.client_ca` is set",
    ),
];

const NO_BOUNDS: (u64, u64) = (0, 0);
