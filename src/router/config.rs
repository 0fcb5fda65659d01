//! The limits of what is said, and the namespaces of channels. Sizes in bytes, times in milliseconds; `None` is no limit.

use std::time::Duration;

use crate::hub::channels::Bounds;
use crate::hub::policy::Policies;
use crate::router::bus::alerts::Alerts;
use crate::router::calls::Calls;

use crate::store::inbox;

/// What a client may say, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// A message after authentication (64 KiB). Effect: close 1009.
    pub message_bytes: usize,
    /// A message before it (16 KiB). Effect: close 1009.
    pub unauthenticated_message_bytes: usize,
    /// Requests before authentication, `ping help heartbeat` not counted (10). Effect:
    /// `rate_limited`, close 4104.
    pub unauthenticated_requests: Option<u32>,
    /// How long a client may take to authenticate; unset: 10 s, and 300 s on this machine, so that
    /// a person can type. Effect: close 4103.
    pub auth_timeout_ms: Option<u64>,
    /// Told to clients in `hello` (30 s).
    pub heartbeat_ms: u64,
    /// Channels a connection may subscribe to beside its chats (128). Effect: `conflict`.
    pub channels_per_connection: Option<u32>,
    /// Elements of a page (300). Effect: the page is that long.
    pub history_page: u32,
    /// How much is kept in the inbox of a user.
    pub inbox: inbox::Bounds,
    /// How long after all inboxes were gone through for what is too old they are again (1 h).
    pub inbox_sweep_ms: u64,
    /// Executions that a team keeps (10,000). Effect: those that finished first go.
    pub executions_per_team: u32,
    /// What the histories of all channels in memory may take (64 MiB). Effect: those that would end
    /// first are forgotten.
    pub history_bytes: usize,
    /// How long the memory of a channel that nobody listens to outlives its last use (24 h). Effect:
    /// it is freed; its numbering restarts, unless it is stored.
    pub channel_idle_ms: u64,
    /// Channels that nobody listens to and that are remembered (65,536, of all loops). Effect: those
    /// used longest ago are freed.
    pub idle_channels: u32,
    /// How long a user counts as present whose last connection broke (15 s). Effect: a leave is told
    /// then.
    pub presence_grace_ms: u64,
    /// How long a worker may take (30 s). Effect: `storage_unavailable`.
    pub job_timeout_ms: u64,
    /// Whether errors say what to type instead.
    pub hints: bool,
    /// Calls of backends.
    pub calls: Calls,
    /// When operators are woken.
    pub alerts: Alerts,
    /// What is allowed and kept in each namespace of channels.
    pub policies: Policies,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            message_bytes: 64 * 1024,
            unauthenticated_message_bytes: 16 * 1024,
            unauthenticated_requests: Some(10),
            auth_timeout_ms: None,
            heartbeat_ms: 30_000,
            channels_per_connection: Some(128),
            history_page: 300,
            inbox: inbox::Bounds::default(),
            inbox_sweep_ms: 3_600_000,
            executions_per_team: 10_000,
            history_bytes: 64 * 1024 * 1024,
            channel_idle_ms: 86_400_000,
            idle_channels: 65_536,
            presence_grace_ms: 15_000,
            job_timeout_ms: 30_000,
            hints: true,
            calls: Calls::default(),
            alerts: Alerts::default(),
            policies: Policies::default(),
        }
    }
}

impl Config {
    /// What the channels of each of so many loops may take.
    pub(super) fn channel_bounds(&self, loops: usize) -> Bounds {
        let loops = loops.max(1);
        Bounds {
            history_bytes: self.history_bytes / loops,
            idle: Duration::from_millis(self.channel_idle_ms),
            idle_channels: self.idle_channels as usize / loops,
        }
    }
}

/// Requests without an answer, after which nothing more is read (SPEC §3).
pub(super) const UNANSWERED_MAX: usize = 64;
/// Bytes of requests that wait for others, after which nothing more is read.
pub(super) const WAITING_BYTES_MAX: usize = 256 * 1024;
/// Bad requests in a row that close the connection (4002).
pub(super) const BAD_IN_A_ROW_MAX: u8 = 10;
