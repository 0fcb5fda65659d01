//! What is kept and shown: users, sessions, chats, messages, and the events of a room's log.
//!
//! The `Serialize` of each is the shape of SPEC §4, field by field and in that order.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::base::id::{Id, UserId};
use crate::base::time::Timestamp;
use crate::message::json::compact;

/// JSON of a client kept as it came, without raw control bytes: `payload`, `params`, `metadata`.
#[derive(Clone)]
pub struct Raw(Arc<RawValue>);

impl Raw {
    /// Takes JSON that was validated; `None` when it is none after all.
    #[must_use]
    pub fn new(json: &str) -> Option<Self> {
        RawValue::from_string(compact(json).into_owned()).ok().map(|raw| Self(Arc::from(raw)))
    }

    /// `null`.
    #[must_use]
    pub fn null() -> Self {
        Self(Arc::from(RawValue::NULL.to_owned()))
    }

    /// The JSON text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.get()
    }
}

impl std::fmt::Debug for Raw {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl PartialEq for Raw {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Raw {}

impl Serialize for Raw {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

/// What a token allows its bearer to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Role {
    /// A person.
    #[default]
    User,
    /// A backend: publishes, sends, serves calls.
    Service,
    /// Whoever runs the server.
    Admin,
}

impl Role {
    /// The role's word in tokens and messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Service => "service",
            Self::Admin => "admin",
        }
    }

    /// The role of a word; words are compared exactly.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::User, Self::Service, Self::Admin].into_iter().find(|role| role.as_str() == word)
    }

    /// Whether the verbs that need role `service` are allowed.
    #[must_use]
    pub const fn serves(self) -> bool {
        matches!(self, Self::Service | Self::Admin)
    }
}

/// A user as others name one: `sender`, `user` of an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UserCard {
    /// The user's id.
    pub id: UserId,
    /// The name as the user wrote it at registration.
    pub username: Arc<str>,
}

/// A user as the user sees itself: `user` of `register`, `login`, `auth`, `whoami`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Profile {
    /// The user's id.
    pub id: UserId,
    /// The name as the user wrote it at registration.
    pub username: Arc<str>,
    /// What people call the user; the username when none was given.
    pub display_name: Arc<str>,
}

impl Profile {
    /// The part that others see.
    #[must_use]
    pub fn card(&self) -> UserCard {
        UserCard { id: self.id.clone(), username: Arc::clone(&self.username) }
    }
}

/// What a client says of itself; each field at most 128 bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ClientInfo {
    /// The device, chosen by the client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<Arc<str>>,
    /// The client's version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<Arc<str>>,
    /// The client's platform.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<Arc<str>>,
}

/// A login that lives on in refresh tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Session {
    /// The `sid` of its tokens.
    pub id: Id,
    /// When the user logged in.
    pub created_at: Timestamp,
    /// When a token of it was last presented or renewed.
    pub last_used_at: Timestamp,
    /// What the client said of itself.
    pub client_info: Option<ClientInfo>,
}

/// What kind of conversation a chat is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ChatKind {
    /// Two users, no owner.
    Dm,
    /// Invited members.
    Group,
    /// Named, may be public.
    Room,
}

/// Who may find and join a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Visibility {
    /// Listed, anyone may join.
    Public,
    /// By invitation.
    Private,
}

/// What a member may do in a chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MemberRole {
    /// May add, remove, rename, and delete what others wrote.
    Owner,
    /// May read and write.
    Member,
}

/// A member of a chat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Member {
    /// The user's id.
    pub id: UserId,
    /// The user's name.
    pub username: Arc<str>,
    /// What the member may do.
    pub role: MemberRole,
}

/// A chat as all its members see it: the payload of `group:created` and `chat:updated`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Chat {
    /// The chat's id; its channel is `room:{id}`.
    pub id: Id,
    /// What kind it is.
    pub kind: ChatKind,
    /// `null` for a DM.
    pub name: Option<Arc<str>>,
    /// `private` but for public rooms.
    pub visibility: Visibility,
    /// In the order in which they came.
    pub members: Vec<Member>,
    /// Whatever the owners keep there.
    pub metadata: Option<Raw>,
    /// The seq of the newest message, 0 when there is none.
    pub last_seq: u64,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A chat as one of its members sees it: the `chat` of replies, an element of `chats`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChatView {
    /// What all members see.
    #[serde(flatten)]
    pub chat: Chat,
    /// Up to where the caller has read.
    pub read_seq: u64,
    /// Messages after `read_seq` by others.
    pub unread: u64,
    /// The newest message.
    pub last_message: Option<Arc<ChatMessage>>,
}

/// A public room in a list: without its members.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RoomListing {
    /// The chat's id.
    pub id: Id,
    /// What kind it is.
    pub kind: ChatKind,
    /// Its name.
    pub name: Option<Arc<str>>,
    /// Always `public` here.
    pub visibility: Visibility,
    /// Whatever the owners keep there.
    pub metadata: Option<Raw>,
    /// The seq of the newest message.
    pub last_seq: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// How many members it has.
    pub member_count: u64,
}

/// A chat message as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChatMessage {
    /// The message's id.
    pub id: Id,
    /// The chat it is in.
    pub chat_id: Id,
    /// 1, 2, 3… in its chat, without holes.
    pub seq: u64,
    /// Who wrote it.
    pub sender: UserCard,
    /// The text; empty once deleted.
    pub content: Arc<str>,
    /// The writer's own id for it, unique per writer and chat.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<Arc<str>>,
    /// The message that this one answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<Id>,
    /// Whatever the writer added; gone once deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Raw>,
    /// When it was committed.
    pub created_at: Timestamp,
    /// When its text was last changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edited_at: Option<Timestamp>,
    /// When it was deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Timestamp>,
}

/// An event of the log of `room:{id}`: each has an offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoomEvent {
    /// `message`
    Message(Arc<ChatMessage>),
    /// `message:edited`
    Edited(Arc<ChatMessage>),
    /// `message:deleted`
    Deleted {
        /// The message.
        id: Id,
        /// Its chat.
        chat_id: Id,
        /// Its place there.
        seq: u64,
    },
    /// `member:joined`
    Joined {
        /// The chat.
        chat_id: Id,
        /// Who came.
        user: UserCard,
    },
    /// `member:left`
    Left {
        /// The chat.
        chat_id: Id,
        /// Who went.
        user: UserCard,
    },
    /// `chat:updated`
    Updated(Arc<Chat>),
    /// `read`
    Read {
        /// The chat.
        chat_id: Id,
        /// Who read.
        user_id: UserId,
        /// Up to which message.
        seq: u64,
    },
}

impl RoomEvent {
    /// The `type` of the event.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Message(_) => "message",
            Self::Edited(_) => "message:edited",
            Self::Deleted { .. } => "message:deleted",
            Self::Joined { .. } => "member:joined",
            Self::Left { .. } => "member:left",
            Self::Updated(_) => "chat:updated",
            Self::Read { .. } => "read",
        }
    }
}
