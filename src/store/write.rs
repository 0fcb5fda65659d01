//! Everything that can be written, and what comes of it.
//!
//! Law: a closed list; each write says everything its rules need but what is stored. Limit: sizes and
//! forms of names and texts are checked before a write is made, not here.

use std::sync::Arc;

use super::publication::{NewPublication, Publication};
use crate::base::id::{Id, UserId};
use crate::base::time::Timestamp;
use crate::message::record::{
    ChatMessage, ChatView, ClientInfo, Profile, Raw, Role, RoomEvent, Visibility,
};

/// A login to be remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSession {
    /// The `sid` of its tokens.
    pub id: Id,
    /// Digest of the refresh token's secret.
    pub refresh: [u8; 32],
    /// When the refresh token ends, unix milliseconds.
    pub expires_ms: u64,
    /// What the client said of itself.
    pub client_info: Option<ClientInfo>,
}

/// Where a message goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Into this chat.
    Chat(Id),
    /// Into the DM with the user of this name, which gets the id `chat` if it is opened now.
    User {
        /// The name, in any case.
        username: Arc<str>,
        /// For the DM, if there is none yet.
        chat: Id,
    },
}

/// A message to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMessage {
    /// The id it gets.
    pub id: Id,
    /// Where it goes.
    pub target: Target,
    /// Who wrote it.
    pub sender: UserId,
    /// The text.
    pub content: Arc<str>,
    /// The writer's own id for it.
    pub client_id: Option<Arc<str>>,
    /// The message that it answers, of the same chat.
    pub reply_to: Option<Id>,
    /// Whatever the writer added.
    pub metadata: Option<Raw>,
}

/// Everything that can be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// A new local account and its first session → [`Written::SignedIn`].
    Register {
        /// The id it gets.
        user: UserId,
        /// As written; unique without case.
        username: Arc<str>,
        /// What people call the user.
        display_name: Option<Arc<str>>,
        /// Argon2id, as a PHC string.
        password: Arc<str>,
        /// The first session.
        session: NewSession,
    },
    /// A session of a user who gave the right password → [`Written::SignedIn`].
    ///
    /// Refused with [`SessionOver`](super::Refusal::SessionOver) when the stored password is not `password` any more.
    OpenSession {
        /// Whose.
        user: UserId,
        /// The hash that was verified.
        password: Arc<str>,
        /// The session.
        session: NewSession,
    },
    /// A user known only by a token: kept on first sight, with `name` when free, else the id,
    /// else (someone took that as a name) the id and a number
    /// → [`Written::SignedIn`].
    Admit {
        /// The token's `sub`.
        user: UserId,
        /// The token's `name`.
        name: Option<Arc<str>>,
    },
    /// A refresh token used: the session gets the next one → [`Written::SignedIn`].
    ///
    /// Presenting the one before revokes the session ([`TokenReused`](super::Refusal::TokenReused),
    /// which is committed).
    Rotate {
        /// Of the token.
        session: Id,
        /// Digest of what was presented.
        used: [u8; 32],
        /// Digest of the next one.
        next: [u8; 32],
        /// When the next one ends.
        expires_ms: u64,
    },
    /// Ends one session of the user → [`Written::Revoked`].
    RevokeSession {
        /// Whose.
        user: UserId,
        /// Which.
        session: Id,
    },
    /// Ends all sessions of the user → [`Written::Revoked`].
    RevokeSessions {
        /// Whose.
        user: UserId,
    },
    /// Refuses one token without a session until it is over → [`Written::Revoked`].
    RevokeToken {
        /// Its `jti`.
        jti: Arc<str>,
        /// Its `exp`, after which this may be forgotten, unix milliseconds.
        expires_ms: u64,
    },
    /// Another role for the tokens that are issued from now on → [`Written::Granted`].
    SetRole {
        /// Whose.
        user: UserId,
        /// Which.
        role: Role,
    },
    /// Ends all sessions of the user, and refuses what was issued without one until now
    /// → [`Written::Revoked`].
    RevokeUser {
        /// Whose.
        user: UserId,
    },
    /// A new password; ends all sessions but `keep` → [`Written::Revoked`].
    ///
    /// Refused with [`SessionOver`](super::Refusal::SessionOver) when the stored password is not `old` any more.
    ChangePassword {
        /// Whose.
        user: UserId,
        /// The hash that was verified.
        old: Arc<str>,
        /// The new hash.
        new: Arc<str>,
        /// The session that goes on.
        keep: Option<Id>,
    },
    /// The DM of two users: made on the first call, the same one ever after → [`Written::Chat`].
    CreateDm {
        /// The id it gets when it is new.
        chat: Id,
        /// Who asks.
        by: UserId,
        /// The other one.
        other: UserId,
    },
    /// A group with its members → [`Written::Chat`].
    CreateGroup {
        /// The id it gets.
        chat: Id,
        /// Its owner.
        by: UserId,
        /// Its name.
        name: Arc<str>,
        /// The others; repeats and the owner are ignored, an unknown one refuses the whole.
        members: Vec<UserId>,
    },
    /// A room → [`Written::Chat`].
    CreateRoom {
        /// The id it gets.
        chat: Id,
        /// Its owner.
        by: UserId,
        /// Its name.
        name: Arc<str>,
        /// Who may find it.
        visibility: Visibility,
        /// Whatever the owner keeps there.
        metadata: Option<Raw>,
    },
    /// The user enters a public room; nothing changes for a member → [`Written::Chat`].
    Join {
        /// The room.
        chat: Id,
        /// Who.
        user: UserId,
    },
    /// The user leaves a group or room; when the last owner leaves, the oldest member becomes owner
    /// → [`Written::Left`].
    Leave {
        /// The chat.
        chat: Id,
        /// Who.
        user: UserId,
    },
    /// An owner adds users; members already are passed over → [`Written::Chat`].
    AddMembers {
        /// The chat.
        chat: Id,
        /// An owner.
        by: UserId,
        /// Whom.
        users: Vec<UserId>,
    },
    /// An owner removes a member → [`Written::Left`].
    RemoveMember {
        /// The chat.
        chat: Id,
        /// An owner.
        by: UserId,
        /// Whom.
        user: UserId,
    },
    /// An owner changes what is given → [`Written::Chat`].
    ///
    /// A group cannot be made public ([`Forbidden`](super::Refusal::Forbidden)); metadata `null` takes it away.
    UpdateChat {
        /// The chat.
        chat: Id,
        /// An owner.
        by: UserId,
        /// A new name.
        name: Option<Arc<str>>,
        /// Rooms only.
        visibility: Option<Visibility>,
        /// New metadata.
        metadata: Option<Raw>,
    },
    /// A chat message → [`Written::Message`].
    Message(NewMessage),
    /// New text by the author → [`Written::Edited`].
    Edit {
        /// Which.
        message: Id,
        /// The author.
        by: UserId,
        /// The new text.
        content: Arc<str>,
    },
    /// Removal by the author or an owner; again is no error → [`Written::Deleted`].
    Delete {
        /// Which.
        message: Id,
        /// Author or owner.
        by: UserId,
    },
    /// The caller has read up to `seq`; never moves back, never beyond the newest → [`Written::Read`].
    MarkRead {
        /// The chat.
        chat: Id,
        /// Who.
        user: UserId,
        /// Up to which.
        seq: u64,
    },
    /// A publication of a durable channel → [`Written::Published`].
    Publish(NewPublication),
}

/// An event as it went into the log of its channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    /// 1, 2, 3… in its channel, without holes.
    pub offset: u64,
    /// Who caused it.
    pub sender: UserId,
    /// When it was committed.
    pub at: Timestamp,
    /// What happened.
    pub event: RoomEvent,
}

/// What came of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// A user and, but for [`Write::Admit`], a session.
    SignedIn {
        /// The user.
        user: Profile,
        /// The session, where there is one.
        session: Option<Id>,
        /// What a token of our own is to say.
        role: Role,
    },
    /// It is as an administrator wants it.
    Granted,
    /// What was ended.
    Revoked {
        /// The sessions that were live until now.
        sessions: Vec<Id>,
    },
    /// A chat, made, found or changed.
    Chat {
        /// As the caller sees it now.
        view: Box<ChatView>,
        /// Whether it was made now.
        created: bool,
        /// Who became a member by this write.
        joined: Vec<UserId>,
        /// What went into its log.
        logged: Vec<Logged>,
    },
    /// A member went.
    Left {
        /// The chat.
        chat: Id,
        /// Who.
        user: UserId,
        /// `member:left`, and `chat:updated` when the ownership passed on.
        logged: Vec<Logged>,
    },
    /// A message, stored now or before.
    Message {
        /// As it is stored.
        message: Arc<ChatMessage>,
        /// Whether it was stored before.
        duplicate: bool,
        /// The members of a DM that this message opened.
        opened: Vec<UserId>,
        /// `message`, unless it is a duplicate.
        logged: Option<Logged>,
    },
    /// A message with its new text.
    Edited {
        /// As it is stored.
        message: Arc<ChatMessage>,
        /// `message:edited`.
        logged: Logged,
    },
    /// A message is deleted.
    Deleted {
        /// Its chat.
        chat: Id,
        /// `message:deleted`, unless it was deleted before.
        logged: Option<Logged>,
    },
    /// How much is unread.
    Read {
        /// The chat.
        chat: Id,
        /// Messages after the mark by others.
        unread: u64,
        /// `read`, when the mark moved.
        logged: Option<Logged>,
    },
    /// A publication, stored now or before.
    Published {
        /// The channel's whole name.
        channel: Arc<str>,
        /// Its place.
        offset: u64,
        /// As it is stored, unless that was before.
        publication: Option<Box<Publication>>,
    },
}
