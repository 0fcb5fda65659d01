//! Everything that can be asked, and what is found.
//!
//! Law: every answer comes from one snapshot, and tells nothing of a chat to one who is no member.
//! Limit: a page is as long as its `limit` says; the caller bounds it.

use std::sync::Arc;

use super::execution::ExecutionRead;
use super::inbox::{InboxFound, InboxRead, Place};
use super::publication::{Keep, Publications};
use super::search::Query;
use super::sync::Missed;
use super::write::Logged;
use crate::base::id::{Id, UserId};
use crate::message::execution::Execution;
use crate::message::record::{ChatMessage, ChatView, Profile, RoomListing, Session};

/// Everything that can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// What a login is checked against → [`Found::Credentials`].
    Credentials {
        /// In any case.
        username: Arc<str>,
    },
    /// The password hash of a known user → [`Found::Credentials`].
    CredentialsOf {
        /// Whose.
        user: UserId,
    },
    /// Whether a token still stands → [`Found::Standing`].
    Standing {
        /// Its `sub`.
        user: UserId,
        /// Its `sid`.
        session: Option<Id>,
        /// Its `jti`.
        jti: Option<Arc<str>>,
        /// Its `iat`, unix seconds: without a session it stands only if it was issued after the user
        /// was revoked last.
        issued_s: Option<u64>,
        /// For `last_used_at` and expiry, unix milliseconds.
        now_ms: u64,
    },
    /// The live sessions of a user, newest first → [`Found::Sessions`].
    Sessions {
        /// Whose.
        user: UserId,
        /// Those whose refresh token ended are left out.
        now_ms: u64,
    },
    /// Users whose name or display name begins with `query`, without case → [`Found::Users`].
    ///
    /// Those found by name come first, by name; the others follow by display name.
    SearchUsers {
        /// At least one character.
        query: Arc<str>,
        /// At most this many.
        limit: u32,
    },
    /// The ids of the chats of a user → [`Found::ChatIds`].
    ChatIds {
        /// Whose.
        user: UserId,
    },
    /// What a user who arrives on a device has to be told of → [`Found::Arrival`].
    Arrival {
        /// Who.
        user: UserId,
        /// Which device.
        device: Arc<str>,
    },
    /// The chats of a user, the one with the newest message first → [`Found::Chats`].
    Chats {
        /// Whose.
        user: UserId,
    },
    /// Public rooms whose name contains `query`, by name → [`Found::Rooms`].
    Rooms {
        /// Without case.
        query: Option<Arc<str>>,
        /// At most this many.
        limit: u32,
        /// The room after which the page begins, from the last page's `after`; [`NoChat`] when it is no
        /// public room (any more).
        ///
        /// [`NoChat`]: super::Refusal::NoChat
        after: Option<Id>,
    },
    /// A page of a chat, ascending → [`Found::Messages`].
    Messages {
        /// The chat.
        chat: Id,
        /// A member.
        user: UserId,
        /// The page ends before this.
        before: Option<u64>,
        /// The page begins after this.
        after: Option<u64>,
        /// At most this many.
        limit: u32,
    },
    /// The messages in which all words of a query stand, newest first → [`Found::Messages`].
    Search {
        /// Who asks: only chats of this user's are searched.
        user: UserId,
        /// This chat alone.
        chat: Option<Id>,
        /// What for.
        query: Query,
        /// At most this many.
        limit: u32,
    },
    /// A page of the log of a chat's channel, ascending → [`Found::Log`].
    Log {
        /// The chat.
        chat: Id,
        /// A member.
        user: UserId,
        /// The page begins after this offset; none: the latest page.
        after: Option<u64>,
        /// At most this many.
        limit: u32,
    },
    /// The same for one who may hear every chat → [`Found::Log`].
    AnyLog {
        /// The chat.
        chat: Id,
        /// The page begins after this offset; none: the latest page.
        after: Option<u64>,
        /// At most this many.
        limit: u32,
    },
    /// Something of what is kept for a user → [`Found::Inbox`].
    Inbox(InboxRead),
    /// Executions → [`Found::Executions`].
    Execution(ExecutionRead),
    /// What a user missed → [`Found::Missed`].
    Sync {
        /// Who.
        user: UserId,
        /// Whose executions the user may see.
        teams: Arc<[String]>,
        /// From when, included, unix milliseconds.
        since_ms: u64,
        /// At most this many chats, notifications, executions.
        limit: u32,
    },
    /// A page of a durable channel, ascending → [`Found::Publications`].
    Publications {
        /// The channel's whole name.
        channel: Arc<str>,
        /// The page begins after this offset; none: the latest page.
        after: Option<u64>,
        /// At most this many.
        limit: u32,
        /// How much of the channel is kept.
        keep: Keep,
        /// For what ends by its time, unix milliseconds.
        now_ms: u64,
    },
}

/// What a read found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// The user and the password hash; none when there is no such local account.
    Credentials(Option<(Profile, Arc<str>)>),
    /// Whether the token's session and `jti` stand, and the user, if known.
    Standing {
        /// The user.
        user: Option<Profile>,
        /// False when the session is unknown, over or revoked, or the `jti` revoked.
        stands: bool,
    },
    /// Live sessions.
    Sessions(Vec<Session>),
    /// Users.
    Users(Vec<Profile>),
    /// Ids of chats.
    ChatIds(Vec<Id>),
    /// What a user who arrives has to be told of.
    Arrival {
        /// The ids of the user's chats.
        chats: Vec<Id>,
        /// Where the device stands in the inbox.
        place: Place,
    },
    /// Chats.
    Chats(Vec<ChatView>),
    /// Rooms, and whether there are more after the last.
    Rooms {
        /// The page.
        rooms: Vec<RoomListing>,
        /// Whether there are more.
        more: bool,
    },
    /// Messages, and whether there are more in the direction asked.
    Messages {
        /// The page, ascending; what a search found, newest first.
        messages: Vec<Arc<ChatMessage>>,
        /// Whether there are more.
        more: bool,
    },
    /// Logged events.
    Log {
        /// The page, ascending.
        events: Vec<Logged>,
        /// The newest offset of the channel, 0 when there is none.
        top: u64,
        /// Whether there are more after the page.
        more: bool,
    },
    /// Something of what is kept for a user.
    Inbox(InboxFound),
    /// What a user missed.
    Missed(Box<Missed>),
    /// Executions, and whether there are more after the last.
    Executions {
        /// Those found.
        executions: Vec<Execution>,
        /// Whether there are more.
        more: bool,
    },
    /// Publications.
    Publications(Publications),
}
