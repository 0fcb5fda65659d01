//! Requests without their replies, and what each reply will mean.

use std::time::Duration;

use serde_json::Value;

use crate::calls::Ringing;
use crate::inboxes::Mailbox;
use crate::model::Least;
use crate::publications::Place;
use crate::returning::Places;

/// A request without its reply.
pub(crate) struct Pending {
    pub(crate) word: String,
    pub(crate) request_id: Option<Value>,
    pub(crate) kind: Kind,
    pub(crate) at: Duration,
}

/// What its reply will mean.
pub(crate) enum Kind {
    SignIn {
        resume: Places,
        mailbox: Mailbox,
    },
    /// How far a device has its inbox.
    Ack {
        user: String,
        offset: u64,
    },
    Notifications {
        user: String,
    },
    /// A notification is read; none: all are.
    Mark {
        user: String,
        which: Option<String>,
    },
    /// An execution is told, which must show so many changes.
    Execution {
        id: String,
        least: usize,
        op: Option<u64>,
    },
    Watch {
        channel: String,
        least: usize,
    },
    Unwatch {
        channel: String,
    },
    /// Its reply comes when it is ready.
    Call(Ringing),
    /// Something for users.
    Sending {
        op: u64,
    },
    Logout {
        everywhere: bool,
    },
    Refresh,
    Message {
        op: u64,
    },
    /// A chat that will be known.
    Chat,
    Leave {
        chat: String,
    },
    Subscribe {
        channel: String,
        since: Option<Place>,
        least: Option<Place>,
    },
    Unsubscribe {
        channel: String,
    },
    Publish {
        channel: String,
        echo: bool,
        op: u64,
    },
    History {
        channel: String,
        since: Option<Place>,
        least: Option<Place>,
    },
    Page {
        chat: String,
        least: Least,
    },
    Revoke {
        session: String,
    },
    Password {
        new: String,
    },
    Quit,
    Bad,
    Other,
}
