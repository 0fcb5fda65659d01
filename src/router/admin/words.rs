//! What loops say to each other for administrators: every loop is asked, and answers.

use std::sync::Arc;

use crate::base::arena::Key;
use crate::base::id::{Id, UserId};
use crate::base::time::Timestamp;
use crate::message::record::{ClientInfo, UserCard};
use crate::router::words::CallRef;

/// Whose connections are meant.
#[derive(Clone, Debug)]
pub enum Target {
    /// One, by the id that its `hello` told.
    Connection(Id),
    /// All of a user.
    User(UserId),
}

/// What every loop is asked.
#[derive(Clone, Debug)]
pub enum Question {
    /// What is there?
    Stats,
    /// Which connections, from which on, how many at most?
    Connections {
        /// Only those of this user.
        user: Option<UserId>,
        /// Only those opened after this one.
        after: Option<Id>,
        /// At most so many.
        limit: usize,
    },
    /// Close these with 4000.
    Kick {
        /// Which.
        target: Target,
        /// What their clients are told.
        reason: Arc<str>,
    },
}

/// What is on one loop.
#[derive(Clone, Copy, Debug, Default, serde::Serialize)]
pub struct LoopStats {
    /// Connections that speak.
    pub connections: usize,
    /// Those of them with a user.
    pub authenticated: usize,
    /// Users with a connection anywhere, of those at home here.
    pub users: usize,
    /// Channels somebody here is subscribed to.
    pub channels: usize,
    /// Requests that wait for something.
    pub waiting: usize,
    /// Calls at home here that a backend has not answered.
    pub calls: usize,
}

/// A connection, as administrators see it.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Record {
    /// The id that its `hello` told.
    pub connection_id: Id,
    /// Who is on it; nobody yet: `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<UserCard>,
    /// What the user may be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<&'static str>,
    /// When it was opened.
    pub connected_at: Timestamp,
    /// When something was asked last.
    pub last_activity: Timestamp,
    /// The first of the channels it is subscribed to.
    pub channels: Vec<String>,
    /// How many there are.
    pub channel_count: usize,
    /// Where it comes from; nothing on a Unix socket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_ip: Option<String>,
    /// What the upgrade said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<Arc<str>>,
    /// What the client said of itself when it authenticated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_info: Option<ClientInfo>,
    /// `websocket` or `lines`.
    pub door: &'static str,
    /// `json` or `protobuf`; not known before the first frame of some.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub codec: Option<&'static str>,
    /// Whether it comes over TLS that ends here.
    pub encrypted: bool,
    /// On which loop it is.
    pub r#loop: u16,
}

/// What a loop answers.
#[derive(Clone, Debug)]
pub enum Told {
    /// To [`Question::Stats`].
    Stats(LoopStats),
    /// To [`Question::Connections`]: ascending, and whether there are more.
    Connections(Vec<Record>, bool),
    /// To [`Question::Kick`]: how many were closed.
    Kicked(usize),
}

/// What one loop says to another for an administrator.
#[derive(Debug)]
pub enum AdminWord {
    /// To every loop.
    Ask {
        /// Who waits.
        call: CallRef,
        /// What is asked.
        question: Question,
    },
    /// To loop 0: look at what operators are woken for.
    Watch,
    /// Back.
    Told {
        /// Who waits.
        call: Key,
        /// Which loop answers.
        from: u16,
        /// What.
        told: Told,
    },
}
