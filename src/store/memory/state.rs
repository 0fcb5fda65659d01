//! The image of a [`MemoryStore`](super::MemoryStore): users, sessions, chats and what is in them.
//!
//! Law: a write checks everything before it changes anything, so that a refused one leaves nothing.
//! Ordered maps only; nothing on the road of a message walks over what it does not touch.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::{Logged, Refusal, Write, Written};
use super::grant::Grant;
use super::publication::Line;
use crate::base::id::{Id, UserId};
use crate::base::now::Now;
use crate::base::time::Timestamp;
use crate::message::record::{
    Chat, ChatKind, ChatMessage, ChatView, Member, MemberRole, Profile, Raw, RoomEvent, Session,
    UserCard, Visibility,
};

/// Everything that is kept.
#[derive(Clone, Debug, Default)]
pub(super) struct State {
    /// Of the batch being written, or of the last one.
    pub(super) stamp: Timestamp,
    pub(super) users: BTreeMap<UserId, User>,
    pub(super) grants: BTreeMap<UserId, Grant>,
    /// By name without case.
    pub(super) names: BTreeMap<Arc<str>, UserId>,
    /// Display name and name, both without case, of those who have two.
    pub(super) displays: BTreeSet<(Arc<str>, Arc<str>)>,
    pub(super) sessions: BTreeMap<Id, Login>,
    /// By `jti`: when it may be forgotten.
    pub(super) revoked_tokens: BTreeMap<Arc<str>, u64>,
    /// The same by time.
    pub(super) revoked_until: BTreeSet<(u64, Arc<str>)>,
    pub(super) chats: BTreeMap<Id, Room>,
    /// By the two users, the smaller id first.
    pub(super) dms: BTreeMap<(UserId, UserId), Id>,
    /// Chat and seq.
    pub(super) messages: BTreeMap<Id, (Id, u64)>,
    /// Public rooms by name without case.
    pub(super) public: BTreeSet<(String, Id)>,
    /// Durable channels by name.
    pub(super) lines: BTreeMap<Arc<str>, Line>,
}

/// A user and what is the user's.
#[derive(Clone, Debug)]
pub(super) struct User {
    pub(super) profile: Profile,
    pub(super) chats: BTreeSet<Id>,
    /// Only who has registered has one.
    pub(super) account: Option<Box<Account>>,
}

/// What a user of our own logs in with, and has logged in.
#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) password: Arc<str>,
    pub(super) sessions: BTreeSet<Id>,
}

/// A session with its refresh tokens.
#[derive(Clone, Debug)]
pub(super) struct Login {
    pub(super) user: UserId,
    pub(super) session: Session,
    pub(super) refresh: [u8; 32],
    pub(super) expires_ms: u64,
    /// Digests of those used, with their ends.
    pub(super) used: BTreeMap<[u8; 32], u64>,
    pub(super) revoked: bool,
}

/// A chat with its members, messages and log.
#[derive(Clone, Debug)]
pub(super) struct Room {
    pub(super) id: Id,
    pub(super) kind: ChatKind,
    pub(super) name: Option<Arc<str>>,
    pub(super) visibility: Visibility,
    pub(super) metadata: Option<Raw>,
    pub(super) created_at: Timestamp,
    /// When its newest message came, or it was made.
    pub(super) active_at: Timestamp,
    pub(super) seats: BTreeMap<UserId, Seat>,
    /// Members in the order in which they came.
    pub(super) order: BTreeMap<u64, UserCard>,
    /// `messages[i]` has seq `i + 1`.
    pub(super) messages: Vec<Arc<ChatMessage>>,
    /// `log[i]` has offset `i + 1`.
    pub(super) log: Vec<Entry>,
    /// The seq by sender and the sender's own id.
    pub(super) seen: BTreeMap<(UserId, Arc<str>), u64>,
}

/// A member's place in a chat.
#[derive(Clone, Debug)]
pub(super) struct Seat {
    pub(super) joined: u64,
    pub(super) role: MemberRole,
    pub(super) read_seq: u64,
}

/// An event of the log.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) sender: UserId,
    pub(super) at: Timestamp,
    pub(super) event: Kept,
}

/// What an event of the log tells; messages by their seq, so that a deleted text is gone from it.
#[derive(Clone, Debug)]
pub(super) enum Kept {
    Message(u64),
    Edited(u64),
    Deleted(u64),
    Joined(UserCard),
    Left(UserCard),
    Updated(Arc<Chat>),
    Read { user_id: UserId, seq: u64 },
}

impl State {
    /// Begins a batch: its time stamp is never before the last one's.
    pub(super) fn begin(&mut self, now: Now) {
        self.stamp = self.stamp.max(Timestamp(now.unix_ms));
    }

    /// Writes one thing of the batch.
    pub(super) fn apply(&mut self, now: Now, write: &Write) -> Result<Written, Refusal> {
        match write {
            Write::Register { user, username, display_name, password, session } => {
                self.register(now, user, username, display_name.as_ref(), password, session)
            }
            Write::OpenSession { user, password, session } => {
                self.log_in(now, user, password, session)
            }
            Write::Admit { user, name } => self.admit(user, name.as_deref()),
            Write::Rotate { session, used, next, expires_ms } => {
                self.rotate(now, *session, used, next, *expires_ms)
            }
            Write::RevokeSession { user, session } => self.revoke_session(user, *session),
            Write::RevokeSessions { user } => self.revoke_sessions(user, None),
            Write::RevokeToken { jti, expires_ms } => Ok(self.revoke_token(now, jti, *expires_ms)),
            Write::SetRole { user, role } => self.set_role(user, *role),
            Write::RevokeUser { user } => self.revoke_user(now, user),
            Write::ChangePassword { user, old, new, keep } => {
                self.change_password(user, old, new, *keep)
            }
            Write::CreateDm { chat, by, other } => self.create_dm(*chat, by, other),
            Write::CreateGroup { chat, by, name, members } => {
                self.create_group(*chat, by, name, members)
            }
            Write::CreateRoom { chat, by, name, visibility, metadata } => {
                self.create_room(*chat, by, name, *visibility, metadata.as_ref())
            }
            Write::Join { chat, user } => self.join(*chat, user),
            Write::Leave { chat, user } => self.leave(*chat, user),
            Write::AddMembers { chat, by, users } => self.add_members(*chat, by, users),
            Write::RemoveMember { chat, by, user } => self.remove_member(*chat, by, user),
            Write::UpdateChat { chat, by, name, visibility, metadata } => {
                self.update(*chat, by, name.as_ref(), *visibility, metadata.as_ref())
            }
            Write::Message(message) => self.message(message),
            Write::Edit { message, by, content } => self.edit(*message, by, content),
            Write::Delete { message, by } => self.delete(*message, by),
            Write::MarkRead { chat, user, seq } => self.mark_read(*chat, user, *seq),
            Write::Publish(new) => self.publish(new),
        }
    }

    /// The user, or the refusal that there is none.
    pub(super) fn user(&self, id: &UserId) -> Result<&User, Refusal> {
        self.users.get(id).ok_or(Refusal::NoUser)
    }

    /// A chat of `user`'s and the user's place in it.
    pub(super) fn seat(&self, chat: Id, user: &UserId) -> Result<(&Room, &Seat), Refusal> {
        let room = self.chats.get(&chat).ok_or(Refusal::NoChat)?;
        room.seats.get(user).map(|seat| (room, seat)).ok_or(Refusal::NoChat)
    }

    /// The chat as its member `user` sees it.
    pub(super) fn view(&self, chat: Id, user: &UserId) -> Result<Box<ChatView>, Refusal> {
        let (room, seat) = self.seat(chat, user)?;
        Ok(Box::new(room.view(user, seat)))
    }
}

impl Room {
    pub(super) fn last_seq(&self) -> u64 {
        self.messages.len() as u64
    }

    /// The message of this seq.
    pub(super) fn at(&self, seq: u64) -> Option<&Arc<ChatMessage>> {
        self.messages.get(usize::try_from(seq.checked_sub(1)?).ok()?)
    }

    /// As all members see it.
    pub(super) fn chat(&self) -> Chat {
        let member = |card: &UserCard| Member {
            id: card.id.clone(),
            username: Arc::clone(&card.username),
            role: self.seats.get(&card.id).map_or(MemberRole::Member, |seat| seat.role),
        };
        Chat {
            id: self.id,
            kind: self.kind,
            name: self.name.clone(),
            visibility: self.visibility,
            members: self.order.values().map(member).collect(),
            metadata: self.metadata.clone(),
            last_seq: self.last_seq(),
            created_at: self.created_at,
        }
    }

    /// As the member at `seat` sees it.
    pub(super) fn view(&self, user: &UserId, seat: &Seat) -> ChatView {
        ChatView {
            chat: self.chat(),
            read_seq: seat.read_seq,
            unread: self.unread(user, seat.read_seq),
            last_message: self.messages.last().cloned(),
        }
    }

    /// Messages after `read_seq` by others, deleted ones left out.
    pub(super) fn unread(&self, user: &UserId, read_seq: u64) -> u64 {
        let after = usize::try_from(read_seq).unwrap_or(usize::MAX);
        let new = self.messages.get(after..).unwrap_or_default().iter();
        new.filter(|m| m.sender.id != *user && m.deleted_at.is_none()).count() as u64
    }

    /// Appends to the log and says what went in.
    pub(super) fn log(&mut self, at: Timestamp, sender: &UserId, event: Kept) -> Logged {
        self.log.push(Entry { sender: sender.clone(), at, event });
        self.logged(self.log.len() - 1)
    }

    /// The entry at `index` as it is told now.
    pub(super) fn logged(&self, index: usize) -> Logged {
        let entry = &self.log[index];
        let message = |seq: u64| Arc::clone(&self.messages[seq as usize - 1]);
        let event = match &entry.event {
            Kept::Message(seq) => RoomEvent::Message(message(*seq)),
            Kept::Edited(seq) => RoomEvent::Edited(message(*seq)),
            Kept::Deleted(seq) => {
                RoomEvent::Deleted { id: message(*seq).id, chat_id: self.id, seq: *seq }
            }
            Kept::Joined(user) => RoomEvent::Joined { chat_id: self.id, user: user.clone() },
            Kept::Left(user) => RoomEvent::Left { chat_id: self.id, user: user.clone() },
            Kept::Updated(chat) => RoomEvent::Updated(Arc::clone(chat)),
            Kept::Read { user_id, seq } => {
                RoomEvent::Read { chat_id: self.id, user_id: user_id.clone(), seq: *seq }
            }
        };
        Logged { offset: index as u64 + 1, sender: entry.sender.clone(), at: entry.at, event }
    }
}
