//! What the router counts.

use crate::codec::Codec;
use crate::message::client::Verb;
use crate::message::fault::Code;
use crate::metrics::{Counts, Label, LabelSet, labels, rows};

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

/// A codec as a label.
#[derive(Clone, Copy, Debug)]
pub struct CodecName(pub(super) Codec);

impl Label for CodecName {
    const SETS: &'static [LabelSet] = &[LabelSet { name: "codec", values: &["json", "protobuf"] }];
    const COUNT: usize = Codec::ALL.len();

    fn index(self) -> usize {
        self.0 as usize
    }
}

labels! {
    /// Why a channel was freed.
    pub enum Freed: "reason" {
        /// Nobody used it for long.
        Idle = "idle",
        /// There were too many that nobody listened to.
        Crowded = "crowded",
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
        /// Publications to channels.
        publications: Counter = "stentor_publications_total",
        /// Events of `send` and of notifications, one for each user.
        inbox_events: Counter = "stentor_inbox_events_total",
        /// Events that went for newer ones, by count or by age.
        inbox_dropped: Counter = "stentor_inbox_dropped_total",
        /// Events that a device had missed when its user arrived.
        inbox_missed: Histogram[Counts] = "stentor_inbox_missed_events",
        /// Events that were read from an inbox for a connection.
        inbox_replayed: Counter = "stentor_inbox_replayed_total",
        /// Times that a device was told of events that are gone.
        inbox_gaps: Counter = "stentor_inbox_gaps_total",
        /// Cursors moved by `event_ack`.
        inbox_acks: Counter = "stentor_inbox_acks_total",
        /// Notifications made.
        notifications: Counter = "stentor_notifications_total",
        /// Changes of executions.
        executions: Counter = "stentor_execution_updates_total",
        /// Events sent to everyone connected.
        broadcasts: Counter = "stentor_broadcasts_total",
        /// Retries of publications that are remembered.
        publication_duplicates: Counter = "stentor_publication_duplicates_total",
        /// Channels of which memory knows something.
        channels: Gauge = "stentor_channels",
        /// Channels of which it knows nothing any more, by why.
        channels_freed: Counter[Freed] = "stentor_channels_freed_total",
        /// What the histories of channels in memory take.
        history_bytes: Gauge = "stentor_history_bytes",
        /// Publications forgotten before their time, because histories took too much.
        history_evicted: Counter = "stentor_history_evicted_total",
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
        /// Connections by how what they say is written, once that is known.
        codecs: Gauge[CodecName] = "stentor_codec_connections",
        /// Users in channels that tell who is there, each counted once for each channel.
        present: Gauge = "stentor_presence_users",
        /// Changes of who is there that were told to watchers.
        presence_events: Counter = "stentor_presence_events_total",
        /// Authenticated connections.
        users: Gauge = "stentor_authenticated_connections",
    }
}
