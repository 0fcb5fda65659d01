//! What loops say to each other about calls of backends.
//!
//! ```text
//! caller's loop ── Call ──▶ home of the action ── Called ──▶ worker's loop
//!               ◀─ Answer ──                   ◀─ Result ──  (or Unserve: the worker is gone)
//!                                              ── Over ────▶ (its time is over)
//! ```

use std::sync::Arc;
use std::time::Duration;

use crate::base::arena::Key;
use crate::base::id::{Address, ConnectionId, Id, UserId};
use crate::hub::calls::Action;
use crate::message::fault::Fault;
use crate::router::words::CallRef;

/// Who calls, as the backend sees it.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The user.
    pub id: UserId,
    /// The user's name.
    pub username: Arc<str>,
    /// What the user may be, as a word.
    pub role: &'static str,
    /// The teams of the user's token.
    pub teams: Arc<[String]>,
}

/// A call on its way to the home of its action.
#[derive(Clone, Debug)]
pub struct Calling {
    /// Who waits for the answer.
    pub call: CallRef,
    /// What is called.
    pub action: Action,
    /// JSON without control bytes.
    pub params: Arc<str>,
    /// As raw JSON, if there is one.
    pub request_id: Option<Box<str>>,
    /// Who calls.
    pub caller: Caller,
}

/// A call on its way to its worker.
#[derive(Clone, Debug)]
pub struct Called {
    /// The worker's connection.
    pub worker: ConnectionId,
    /// What the worker knows it by.
    pub id: Id,
    /// What its home knows it by.
    pub key: Key,
    /// What is called.
    pub action: Action,
    /// JSON without control bytes.
    pub params: Arc<str>,
    /// Who calls.
    pub caller: Caller,
    /// How long the worker may take.
    pub deadline_ms: u64,
}

/// What a worker says of a call.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// It is done.
    Ok {
        /// JSON without control bytes.
        data: Arc<str>,
        /// How long the answer may be given again.
        ttl: Option<Duration>,
        /// Whether to other users too.
        to_all: bool,
    },
    /// It failed; in the words of the worker.
    Error(Box<str>),
}

/// What a caller is told.
#[derive(Clone, Debug)]
pub enum Answer {
    /// What the worker gave, now or before.
    Data {
        /// JSON without control bytes.
        data: Arc<str>,
        /// Whether it was given before.
        cached: bool,
    },
    /// Why not.
    Fault(Fault),
}

impl Answer {
    /// As it is told to whoever called the same.
    #[must_use]
    pub fn again(self) -> Self {
        match self {
            Self::Data { data, .. } => Self::Data { data, cached: true },
            fault @ Self::Fault(_) => fault,
        }
    }
}

/// What one loop says to another about calls.
#[derive(Debug)]
pub enum CallWord {
    /// To the home of these actions: a connection serves them.
    Serve {
        /// Who waits.
        call: CallRef,
        /// Which connection.
        worker: Address,
        /// What.
        actions: Vec<Action>,
    },
    /// Back: it is called from now on.
    Served {
        /// Who waits.
        call: Key,
    },
    /// To the homes of its actions: a worker is gone, and with it what it was called for.
    Unserve {
        /// Which connection.
        worker: Address,
    },
    /// To the home of an action: it is called.
    Call(Calling),
    /// To the loop of the worker that was chosen.
    Called(Called),
    /// To the loop of a worker: a call is over without its answer.
    Over {
        /// Which connection.
        worker: ConnectionId,
        /// Which call.
        id: Id,
    },
    /// To the home of an action: a worker has answered.
    Result {
        /// Which call.
        key: Key,
        /// Which connection answered.
        worker: Address,
        /// What.
        verdict: Verdict,
    },
    /// To the loop of the caller.
    Answer {
        /// Who waits.
        call: Key,
        /// What came of it.
        answer: Answer,
    },
}
