//! Messages and read marks in memory.

use std::sync::Arc;

use super::super::{Logged, NewMessage, Refusal, Target, Written, fold, kept};
use super::state::{Kept, State};
use crate::base::id::{Id, UserId};
use crate::message::record::{ChatMessage, MemberRole};

/// The id of a DM to be opened, and with whom.
type DmToOpen = (Id, UserId);

impl State {
    pub(super) fn message(&mut self, new: &NewMessage) -> Result<Written, Refusal> {
        let (chat, other) = self.target(new)?;
        if let Some(chat) = chat {
            let (room, _) = self.seat(chat, &new.sender)?;
            if let Some(client_id) = &new.client_id
                && let Some(seq) = room.seen.get(&(new.sender.clone(), Arc::clone(client_id)))
                && let Some(message) = room.at(*seq)
            {
                let message = Arc::clone(message);
                return Ok(Written::Message {
                    message,
                    duplicate: true,
                    opened: vec![],
                    logged: None,
                });
            }
        }
        if self.messages.contains_key(&new.id) {
            return Err(Refusal::IdTaken);
        }
        if let Some(reply_to) = &new.reply_to {
            let found = self.messages.get(reply_to).filter(|(its, _)| Some(*its) == chat);
            found.ok_or(Refusal::NoReplyTarget)?;
        }
        let (chat, opened) = match (chat, other) {
            (Some(chat), _) => (chat, vec![]),
            (None, Some((chat, other))) => {
                self.dm(chat, &new.sender, &other)?;
                (chat, vec![new.sender.clone(), other])
            }
            (None, None) => return Err(Refusal::NoChat),
        };
        self.append(chat, opened, new)
    }

    /// The chat it goes to, or else the DM to be opened: its id and the other user.
    fn target(&self, new: &NewMessage) -> Result<(Option<Id>, Option<DmToOpen>), Refusal> {
        match &new.target {
            Target::Chat(chat) => Ok((Some(*chat), None)),
            Target::User { username, chat } => {
                let other = self.names.get(&*fold(username)).ok_or(Refusal::NoUser)?;
                let known = self.find_dm(*chat, &new.sender, other)?;
                Ok((known, known.is_none().then(|| (*chat, other.clone()))))
            }
        }
    }

    /// Stores a message to which nothing is to be said any more.
    fn append(
        &mut self,
        chat: Id,
        opened: Vec<UserId>,
        new: &NewMessage,
    ) -> Result<Written, Refusal> {
        let stamp = self.stamp;
        let sender = self.user(&new.sender)?.profile.card();
        let room = self.chats.get_mut(&chat).ok_or(Refusal::NoChat)?;
        let seq = room.last_seq() + 1;
        let message = Arc::new(ChatMessage {
            id: new.id,
            chat_id: chat,
            seq,
            sender,
            content: Arc::clone(&new.content),
            client_id: new.client_id.clone(),
            reply_to: new.reply_to,
            metadata: kept(new.metadata.as_ref()),
            created_at: stamp,
            edited_at: None,
            deleted_at: None,
        });
        room.messages.push(Arc::clone(&message));
        room.active_at = stamp;
        if let Some(client_id) = &new.client_id {
            room.seen.insert((new.sender.clone(), Arc::clone(client_id)), seq);
        }
        if let Some(seat) = room.seats.get_mut(&new.sender) {
            seat.read_seq = seq;
        }
        let logged = Some(room.log(stamp, &new.sender, Kept::Message(seq)));
        self.messages.insert(new.id, (chat, seq));
        Ok(Written::Message { message, duplicate: false, opened, logged })
    }

    pub(super) fn edit(
        &mut self,
        id: Id,
        by: &UserId,
        content: &Arc<str>,
    ) -> Result<Written, Refusal> {
        let (message, _) = self.find_message(id, by)?;
        if message.sender.id != *by {
            return Err(Refusal::Forbidden);
        }
        if message.deleted_at.is_some() {
            return Err(Refusal::Deleted);
        }
        let mut message = ChatMessage::clone(message);
        message.content = Arc::clone(content);
        message.edited_at = Some(self.stamp);
        let (chat, seq) = (message.chat_id, message.seq);
        let message = Arc::new(message);
        let logged = self.replace(chat, by, Arc::clone(&message), Kept::Edited(seq))?;
        Ok(Written::Edited { message, logged })
    }

    pub(super) fn delete(&mut self, id: Id, by: &UserId) -> Result<Written, Refusal> {
        let (message, role) = self.find_message(id, by)?;
        if message.sender.id != *by && role != MemberRole::Owner {
            return Err(Refusal::Forbidden);
        }
        let mut message = ChatMessage::clone(message);
        let (chat, seq) = (message.chat_id, message.seq);
        if message.deleted_at.is_some() {
            return Ok(Written::Deleted { chat, logged: None });
        }
        message.content = Arc::from("");
        message.metadata = None;
        message.deleted_at = Some(self.stamp);
        let logged = Some(self.replace(chat, by, Arc::new(message), Kept::Deleted(seq))?);
        Ok(Written::Deleted { chat, logged })
    }

    pub(super) fn mark_read(
        &mut self,
        chat: Id,
        user: &UserId,
        seq: u64,
    ) -> Result<Written, Refusal> {
        let stamp = self.stamp;
        let room = self.chats.get_mut(&chat).ok_or(Refusal::NoChat)?;
        let seq = seq.min(room.last_seq());
        let seat = room.seats.get_mut(user).ok_or(Refusal::NoChat)?;
        let moved = seq > seat.read_seq;
        if moved {
            seat.read_seq = seq;
        }
        let read_seq = seat.read_seq;
        let logged =
            moved.then(|| room.log(stamp, user, Kept::Read { user_id: user.clone(), seq }));
        Ok(Written::Read { chat, unread: room.unread(user, read_seq), logged })
    }

    /// A message of a chat of `user`'s, and the user's role there.
    fn find_message(
        &self,
        id: Id,
        user: &UserId,
    ) -> Result<(&Arc<ChatMessage>, MemberRole), Refusal> {
        let (chat, seq) = self.messages.get(&id).ok_or(Refusal::NoMessage)?;
        let (room, seat) = self.seat(*chat, user).map_err(|_| Refusal::NoMessage)?;
        room.at(*seq).map(|message| (message, seat.role)).ok_or(Refusal::NoMessage)
    }

    fn replace(
        &mut self,
        chat: Id,
        by: &UserId,
        message: Arc<ChatMessage>,
        event: Kept,
    ) -> Result<Logged, Refusal> {
        let stamp = self.stamp;
        let room = self.chats.get_mut(&chat).ok_or(Refusal::NoChat)?;
        let index = message.seq as usize - 1;
        room.messages[index] = message;
        Ok(room.log(stamp, by, event))
    }
}
