//! What has begun and does not end: how long that may take.
//!
//! Law: the time of a message runs from its first byte, whatever comes meanwhile (pings between its fragments,
//! one byte now and then), and stands still while we do not listen. A message that is whole in what
//! is read costs none of this: a connection has one timer, and its `since` is free between messages.

use super::Engine;
use super::config::Config;
use super::connection::{Connection, Stage};
use super::io::Outputs;
use super::transport::Transport;
use crate::base::id::ConnectionId;
use crate::base::now::{Moment, Now};
use crate::handler::Handler;
use crate::protocol::websocket::CloseCode;

impl Transport {
    /// Whether a frame, a message or a line has begun and not ended.
    pub(super) fn is_inside_message(&self) -> bool {
        match self {
            Self::WebSocket(decoder) => decoder.is_mid_message(),
            Self::Lines(decoder) => decoder.is_inside_line(),
            Self::Sniffing(_) | Self::Http(_) => false,
        }
    }
}

impl Connection {
    /// Until when the message that is under way must be whole.
    pub(super) fn message_deadline(&self, config: &Config) -> Option<Moment> {
        let waits = self.stage == Stage::Open && self.hears() && self.transport.is_inside_message();
        waits.then(|| self.since.plus_ms(config.message_timeout_ms(self.peer)))
    }

    /// A message has begun. Who is on its way out has one deadline, and nothing it sends moves that.
    pub(super) fn begin_message(&mut self, now: Now) {
        if self.stage == Stage::Open {
            self.since = now.monotonic.into();
        }
    }
}

impl<H: Handler> Engine<H> {
    /// The time for a request runs from its first byte, however long its connection was idle.
    pub(super) fn restart_clock(&mut self, now: Now, id: ConnectionId) {
        if let Some(connection) = self.connections.get_mut(id) {
            connection.since = now.monotonic.into();
            self.touched.push(id);
        }
    }

    /// A message has begun with what was just read, and the rest is to come.
    #[cold]
    pub(super) fn begun(&mut self, now: Now, id: ConnectionId) {
        let Some(found) = self.connections.get_mut(id) else { return };
        found.begin_message(now);
        let due = found.message_deadline(&self.config);
        // The timer of the heartbeat is there, and mostly not later.
        if due.is_some_and(|at| found.timer.is_none_or(|(_, set)| set > at)) {
            self.touched.push(id);
        }
    }

    /// Nobody is kept waiting for the rest for ever.
    pub(super) fn unfinished(&mut self, now: Now, id: ConnectionId, out: &mut Outputs<H>) {
        self.metrics.message_timeouts.add(1);
        self.fail(now, id, CloseCode::POLICY_VIOLATION.0, "a message took too long", out);
    }
}
