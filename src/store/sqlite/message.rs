//! Messages and read marks in SQLite: the road that must be short.
//!
//! A message costs one search (member, name, counters), two inserts and two updates; one search
//! more when it has a `client_id`, one more when it answers another. Words go into the index of
//! `search.rs` many messages at a time.

use std::sync::Arc;

use rusqlite::OptionalExtension;

use super::super::{Logged, NewMessage, Refusal, Target, Written, fold, kept};
use super::batch::Batch;
use super::failure::Failure;
use super::log::kind;
use super::rows::{self, Seat, blob, int, message_columns, message_tables};
use super::search;
use crate::base::failpoint::{self, Plant, Point};
use crate::base::id::{Id, UserId};
use crate::message::record::{ChatMessage, MemberRole, RoomEvent, UserCard};

impl Batch<'_> {
    pub(super) fn message(&self, new: &NewMessage) -> Result<Written, Failure> {
        let (chat, opened) = self.target(new)?;
        let seat = self.seat(chat, &new.sender)?;
        if let Some(first) = self.first_of(&seat, new)? {
            let message = Arc::new(first);
            return Ok(Written::Message { message, duplicate: true, opened, logged: None });
        }
        self.may_be_stored(&seat, new)?;
        let message = Arc::new(ChatMessage {
            id: new.id,
            chat_id: chat,
            seq: seat.last_seq + 1,
            sender: UserCard { id: new.sender.clone(), username: Arc::clone(&seat.username) },
            content: Arc::clone(&new.content),
            client_id: new.client_id.clone().filter(|_| !failpoint::planted(Plant::NoDedupKey)),
            reply_to: new.reply_to,
            metadata: kept(new.metadata.as_ref()),
            created_at: self.stamp,
            edited_at: None,
            deleted_at: None,
        });
        self.insert(&seat, &message)?;
        let logged = Some(Logged {
            offset: seat.last_offset + 1,
            sender: new.sender.clone(),
            at: self.stamp,
            event: RoomEvent::Message(Arc::clone(&message)),
        });
        Ok(Written::Message { message, duplicate: false, opened, logged })
    }

    /// The chat it goes to, and the members of the DM that is opened for it.
    fn target(&self, new: &NewMessage) -> Result<(Id, Vec<UserId>), Failure> {
        let (username, chat) = match &new.target {
            Target::Chat(chat) => return Ok((*chat, vec![])),
            Target::User { username, chat } => (username, *chat),
        };
        const SQL: &str = "SELECT id FROM users WHERE name_fold = ?1";
        let mut find = self.conn.prepare_cached(SQL)?;
        let other = find.query_row([fold(username)], |row| rows::user_id(row, 0)).optional()?;
        let other = other.ok_or(Refusal::NoUser)?;
        let (chat, _, created) = self.dm(chat, &new.sender, &other)?;
        let opened = if created { vec![new.sender.clone(), other] } else { vec![] };
        Ok((chat, opened))
    }

    /// The message that came before with the same `client_id`.
    fn first_of(&self, seat: &Seat, new: &NewMessage) -> Result<Option<ChatMessage>, Failure> {
        const SQL: &str = concat!(
            "SELECT ",
            message_columns!(),
            " FROM ",
            message_tables!(),
            " WHERE m.chat = ?1 AND m.sender = ?2 AND m.client_id = ?3"
        );
        let Some(client_id) = &new.client_id else {
            return Ok(None);
        };
        let mut find = self.conn.prepare_cached(SQL)?;
        Ok(find.query_row((seat.chat, seat.user, client_id), rows::message).optional()?)
    }

    fn may_be_stored(&self, seat: &Seat, new: &NewMessage) -> Result<(), Failure> {
        const ID: &str = "SELECT 1 FROM messages WHERE id = ?1";
        const REPLY: &str = "SELECT 1 FROM messages WHERE id = ?1 AND chat = ?2";
        if self.conn.prepare_cached(ID)?.exists([blob(new.id)])? {
            return Err(Refusal::IdTaken.into());
        }
        if let Some(reply_to) = new.reply_to
            && !self.conn.prepare_cached(REPLY)?.exists((blob(reply_to), seat.chat))?
        {
            return Err(Refusal::NoReplyTarget.into());
        }
        Ok(())
    }

    fn insert(&self, seat: &Seat, message: &ChatMessage) -> Result<(), Failure> {
        const MESSAGE: &str = "INSERT INTO messages \
            (chat, seq, id, sender, content, client_id, reply_to, metadata, created_at) \
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
        const COUNTERS: &str = "UPDATE counters \
            SET last_seq = ?2, last_offset = ?3, active_at = ?4, last_at = ?4 WHERE chat = ?1";
        const READ: &str = "UPDATE members SET read_seq = ?3 WHERE chat = ?1 AND user = ?2";
        let (seq, at) = (int(message.seq), int(self.stamp.0));
        let offset = seat.last_offset + 1;
        self.execute(
            MESSAGE,
            (
                seat.chat,
                seq,
                blob(message.id),
                seat.user,
                &message.content,
                &message.client_id,
                message.reply_to.map(blob),
                message.metadata.as_ref().map(|raw| raw.as_str()),
                at,
            ),
        )?;
        self.insert_log(seat.chat, offset, kind::MESSAGE, seat.user, seq, None)?;
        self.execute(COUNTERS, (seat.chat, seq, int(offset), at))?;
        self.execute(READ, (seat.chat, seat.user, seq))?;
        search::keep_up(self.conn, seat, message.seq)?;
        failpoint::hit(Point::AfterInsert);
        Ok(())
    }

    pub(super) fn edit(&self, id: Id, by: &UserId, content: &Arc<str>) -> Result<Written, Failure> {
        const SQL: &str =
            "UPDATE messages SET content = ?3, edited_at = ?4 WHERE chat = ?1 AND seq = ?2";
        let (mut message, seat) = self.find_message(id, by)?;
        if message.sender.id != *by {
            return Err(Refusal::Forbidden.into());
        }
        if message.deleted_at.is_some() {
            return Err(Refusal::Deleted.into());
        }
        let old = std::mem::replace(&mut message.content, Arc::clone(content));
        message.edited_at = Some(self.stamp);
        let seq = int(message.seq);
        self.execute(SQL, (seat.chat, seq, content, int(self.stamp.0)))?;
        search::change(self.conn, &seat, message.seq, &old, content)?;
        let message = Arc::new(message);
        let event = RoomEvent::Edited(Arc::clone(&message));
        let logged = self.log(seat.chat, (seat.user, by), seq, None, event)?;
        Ok(Written::Edited { message, logged })
    }

    pub(super) fn delete(&self, id: Id, by: &UserId) -> Result<Written, Failure> {
        const SQL: &str = "UPDATE messages SET content = '', metadata = NULL, deleted_at = ?3 \
            WHERE chat = ?1 AND seq = ?2";
        let (message, seat) = self.find_message(id, by)?;
        if message.sender.id != *by && seat.role != MemberRole::Owner {
            return Err(Refusal::Forbidden.into());
        }
        let (chat, seq) = (message.chat_id, message.seq);
        if message.deleted_at.is_some() {
            return Ok(Written::Deleted { chat, logged: None });
        }
        self.execute(SQL, (seat.chat, int(seq), int(self.stamp.0)))?;
        search::change(self.conn, &seat, seq, &message.content, "")?;
        let event = RoomEvent::Deleted { id, chat_id: chat, seq };
        let logged = Some(self.log(seat.chat, (seat.user, by), int(seq), None, event)?);
        Ok(Written::Deleted { chat, logged })
    }

    pub(super) fn mark_read(&self, chat: Id, user: &UserId, seq: u64) -> Result<Written, Failure> {
        const SQL: &str = "UPDATE members SET read_seq = ?3 WHERE chat = ?1 AND user = ?2";
        let seat = self.seat(chat, user)?;
        let seq = seq.min(seat.last_seq);
        let mut logged = None;
        if seq > seat.read_seq {
            self.execute(SQL, (seat.chat, seat.user, int(seq)))?;
            let event = RoomEvent::Read { chat_id: chat, user_id: user.clone(), seq };
            logged = Some(self.log(seat.chat, (seat.user, user), int(seq), None, event)?);
        }
        let read_seq = seq.max(seat.read_seq);
        let unread = rows::unread(self.conn, seat.chat, read_seq, seat.last_seq)?;
        Ok(Written::Read { chat, unread, logged })
    }

    /// A message of a chat of `user`'s, and the user's place there.
    fn find_message(&self, id: Id, user: &UserId) -> Result<(ChatMessage, Seat), Failure> {
        const SQL: &str =
            concat!("SELECT ", message_columns!(), " FROM ", message_tables!(), " WHERE m.id = ?1");
        let mut find = self.conn.prepare_cached(SQL)?;
        let message = find.query_row([blob(id)], rows::message).optional()?;
        let message = message.ok_or(Refusal::NoMessage)?;
        let seat = rows::seat(self.conn, message.chat_id, user)?.ok_or(Refusal::NoMessage)?;
        Ok((message, seat))
    }
}
