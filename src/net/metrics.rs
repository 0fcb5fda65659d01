//! What the event loops count.

use crate::metrics::{Seconds, labels, rows};

labels! {
    /// Why a connection could not be accepted.
    pub enum AcceptError: "kind" {
        /// No descriptors left, in the process or in the system (EMFILE, ENFILE).
        Descriptors = "descriptors",
        /// No memory left in the kernel (ENOBUFS, ENOMEM).
        Memory = "memory",
        /// The peer had gone before (ECONNABORTED), or a signal came (EINTR).
        Aborted = "aborted",
        /// Anything else.
        Other = "other",
    }
}

rows! {
    /// The rows of one loop.
    pub struct Metrics {
        /// Connections accepted.
        accepted: Counter = "stentor_net_accepted_total",
        /// Connections open now.
        open: Gauge = "stentor_net_connections",
        /// Connections refused and told so.
        refused: Counter = "stentor_net_refused_total",
        /// Connections closed untold, for want of room or by admission.
        dropped: Counter = "stentor_net_dropped_total",
        /// Errors of accept.
        accept_errors: Counter[AcceptError] = "stentor_net_accept_errors_total",
        /// Bytes read from sockets.
        received: Counter = "stentor_net_received_bytes_total",
        /// Bytes the kernel took to be sent.
        sent: Counter = "stentor_net_sent_bytes_total",
        /// Writes of which the kernel took only a part.
        blocked: Counter = "stentor_net_blocked_writes_total",
        /// Time from the end of a poll to the next.
        turn: Histogram[Seconds] = "stentor_net_turn_seconds",
        /// Words between loops that waited with their sender because the queue was full.
        spilled: Counter = "stentor_net_spilled_words_total",
        /// Panics caught in an engine or a handler.
        panics: Counter = "stentor_net_panics_total",
    }
}
