//! One write inside the transaction of its batch: the way to the topic's file, and the log.

use std::sync::Arc;

use rusqlite::Connection;

use super::super::{Logged, Refusal, Target, Write, Written};
use super::failure::Failure;
use super::log::{self, kind};
use super::rows::{self, Seat, int};
use crate::base::id::{Id, UserId};
use crate::base::now::Now;
use crate::base::time::Timestamp;
use crate::message::record::{Profile, RoomEvent};

/// Whether `write` decides on every refusal before it changes anything, as the frequent ones do.
pub(super) const fn checks_first(write: &Write) -> bool {
    match write {
        Write::Message(new) => matches!(new.target, Target::Chat(_)),
        Write::Edit { .. } | Write::Delete { .. } | Write::MarkRead { .. } => true,
        Write::Publish(_) => true,
        _ => false,
    }
}

/// The transaction of a batch.
pub(super) struct Batch<'c> {
    pub(super) conn: &'c Connection,
    /// The time stamp of everything in it.
    pub(super) stamp: Timestamp,
    /// The wall clock, for what ends.
    pub(super) now: Now,
}

impl Batch<'_> {
    pub(super) fn apply(&self, write: &Write) -> Result<Written, Failure> {
        match write {
            Write::Register { user, username, display_name, password, session } => {
                self.register(user, username, display_name.as_ref(), password, session)
            }
            Write::OpenSession { user, password, session } => self.log_in(user, password, session),
            Write::Admit { user, name } => self.admit(user, name.as_deref()),
            Write::Rotate { session, used, next, expires_ms } => {
                self.rotate(*session, used, next, *expires_ms)
            }
            Write::RevokeSession { user, session } => self.revoke_session(user, *session),
            Write::RevokeSessions { user } => self.revoke_sessions(user, None),
            Write::RevokeToken { jti, expires_ms } => self.revoke_token(jti, *expires_ms),
            Write::SetRole { user, role } => self.set_role(user, *role),
            Write::RevokeUser { user } => self.revoke_user(user),
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
                self.update_chat(*chat, by, name.as_ref(), *visibility, metadata.as_ref())
            }
            Write::Message(message) => self.message(message),
            Write::Edit { message, by, content } => self.edit(*message, by, content),
            Write::Delete { message, by } => self.delete(*message, by),
            Write::MarkRead { chat, user, seq } => self.mark_read(*chat, user, *seq),
            Write::Publish(new) => self.publish(new),
        }
    }

    /// Runs a statement that gives no rows; the number of rows it changed.
    pub(super) fn execute(
        &self,
        sql: &str,
        params: impl rusqlite::Params,
    ) -> rusqlite::Result<usize> {
        self.conn.prepare_cached(sql)?.execute(params)
    }

    /// The user, or the refusal that there is none.
    pub(super) fn user(&self, id: &UserId) -> Result<(i64, Profile), Failure> {
        Ok(rows::user(self.conn, id)?.ok_or(Refusal::NoUser)?)
    }

    /// The user's place in one of its chats.
    pub(super) fn seat(&self, chat: Id, user: &UserId) -> Result<Seat, Failure> {
        Ok(rows::seat(self.conn, chat, user)?.ok_or(Refusal::NoChat)?)
    }

    /// Appends an event to the log of a chat and says what went in.
    ///
    /// `by` is the sender; `subject` a seq or the key of a user; `body` for `chat:updated` only.
    pub(super) fn log(
        &self,
        chat: i64,
        by: (i64, &UserId),
        subject: i64,
        body: Option<&str>,
        event: RoomEvent,
    ) -> Result<Logged, Failure> {
        const BUMP: &str = "UPDATE counters SET last_offset = last_offset + 1, last_at = ?2 \
            WHERE chat = ?1 RETURNING last_offset";
        let at = int(self.stamp.0);
        let mut bump = self.conn.prepare_cached(BUMP)?;
        let offset = bump.query_row((chat, at), |row| rows::count(row, 0))?;
        self.insert_log(chat, offset, kind_of(&event), by.0, subject, body)?;
        Ok(Logged { offset, sender: by.1.clone(), at: self.stamp, event })
    }

    pub(super) fn insert_log(
        &self,
        chat: i64,
        offset: u64,
        kind: i64,
        by: i64,
        subject: i64,
        body: Option<&str>,
    ) -> rusqlite::Result<()> {
        const SQL: &str = "INSERT INTO log (chat, number, kind, sender, at, subject, body) \
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let row = (chat, int(offset), kind, by, int(self.stamp.0), subject, body);
        self.execute(SQL, row).map(|_| ())
    }

    /// Logs `chat:updated` with the chat as it stands now.
    pub(super) fn log_updated(&self, chat: i64, by: (i64, &UserId)) -> Result<Logged, Failure> {
        let now = rows::chat(self.conn, chat)?;
        let body = log::encode_updated(&now)?;
        self.log(chat, by, 0, Some(&body), RoomEvent::Updated(Arc::new(now)))
    }
}

const fn kind_of(event: &RoomEvent) -> i64 {
    match event {
        RoomEvent::Message(_) => kind::MESSAGE,
        RoomEvent::Edited(_) => kind::EDITED,
        RoomEvent::Deleted { .. } => kind::DELETED,
        RoomEvent::Joined { .. } => kind::JOINED,
        RoomEvent::Left { .. } => kind::LEFT,
        RoomEvent::Updated(_) => kind::UPDATED,
        RoomEvent::Read { .. } => kind::READ,
    }
}
