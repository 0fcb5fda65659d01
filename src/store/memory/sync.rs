//! What a user missed, in memory.

use std::cmp::Reverse;
use std::convert::Infallible;

use super::super::Found;
use super::super::sync::{BYTES_MAX, Missed, MissedChat, changed, fill};
use super::state::{Entry, Kept, Room, State};
use crate::base::id::UserId;
use crate::base::time::Timestamp;

impl State {
    pub(super) fn missed(
        &self,
        user: &UserId,
        teams: &[String],
        since_ms: u64,
        limit: u32,
    ) -> Found {
        let most = limit as usize;
        let known = self.users.get(user);
        let seats = known.map(|known| known.chats.iter()).into_iter().flatten();
        let mut rooms: Vec<_> = seats
            .filter_map(|id| self.seat(*id, user).ok())
            .filter(|(room, _)| room.last_at().0 >= since_ms)
            .collect();
        rooms.sort_by_key(|(room, _)| Reverse((room.last_at(), room.id)));
        let mut more = rooms.len() > most;
        rooms.truncate(most);
        let mut left = BYTES_MAX;
        let chats = rooms.into_iter().map(|(room, seat)| {
            let (messages, more) = room.changed(since_ms, &mut left);
            MissedChat { chat: room.view(user, seat), messages, more }
        });
        let chats = chats.collect();
        let notifications = known.map(|known| known.inbox.notified(since_ms));
        let mut notifications = notifications.unwrap_or_default();
        more |= notifications.len() > most;
        notifications.truncate(most);
        let mut executions = Vec::new();
        for team in teams {
            let Found::Executions { executions: of_team, more: cut } =
                self.executions_of(team, None, since_ms, limit)
            else {
                continue;
            };
            more |= cut;
            executions.extend(of_team);
        }
        executions.sort_by_key(|one| Reverse((one.updated_at, one.execution_id.clone())));
        more |= executions.len() > most;
        executions.truncate(most);
        let server_time = self.stamp;
        Found::Missed(Box::new(Missed { chats, notifications, executions, server_time, more }))
    }
}

impl Room {
    /// When something last happened.
    fn last_at(&self) -> Timestamp {
        self.log.last().map_or(self.active_at, |entry| entry.at.max(self.active_at))
    }

    fn changed(
        &self,
        since_ms: u64,
        left: &mut usize,
    ) -> (Vec<std::sync::Arc<crate::message::record::ChatMessage>>, bool) {
        let seq = |entry: &Entry| match entry.event {
            Kept::Message(seq) | Kept::Edited(seq) | Kept::Deleted(seq) => Some(seq),
            _ => None,
        };
        let entries = self.log.iter().rev();
        let entries = entries.map(|entry| Ok::<_, Infallible>((entry.at.0, seq(entry))));
        let Ok((seqs, cut)) = changed(entries, since_ms);
        let Ok((messages, full)) =
            fill(seqs, left, |seq| Ok::<_, Infallible>(self.at(seq).cloned()));
        (messages, cut || full)
    }
}
