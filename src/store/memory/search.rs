//! Full-text search in memory: the messages are looked through.

use std::sync::Arc;

use super::super::search::{Newest, Query};
use super::super::{Found, Refusal};
use super::state::State;
use crate::base::id::{Id, UserId};
use crate::message::record::ChatMessage;

/// Messages of chats, ascending in each.
pub(super) type Shelves = Vec<Vec<Arc<ChatMessage>>>;

impl State {
    /// What `user` may search: one chat of the user's, or all.
    pub(super) fn searched(&self, user: &UserId, chat: Option<Id>) -> Result<Shelves, Refusal> {
        if let Some(chat) = chat {
            return Ok(vec![self.seat(chat, user)?.0.messages.clone()]);
        }
        let chats = self.users.get(user).map(|user| user.chats.iter());
        let rooms = chats.into_iter().flatten().filter_map(|id| self.seat(*id, user).ok());
        Ok(rooms.map(|(room, _)| room.messages.clone()).collect())
    }
}

/// The newest of the messages in which the words of `query` stand.
pub(super) fn among(shelves: &[Vec<Arc<ChatMessage>>], query: &Query, limit: u32) -> Found {
    let (mut newest, mut word) = (Newest::new(limit), String::new());
    for messages in shelves {
        for message in messages.iter().rev() {
            if newest.is_past(message.created_at) {
                break;
            }
            if query.matches(&message.content, &mut word) {
                newest.offer(Arc::clone(message));
            }
        }
    }
    newest.found()
}
