//! Reads from memory.

use std::cmp::Reverse;
use std::ops::Bound;
use std::sync::Arc;

use super::super::{Found, Read, Refusal, fold};
use super::search;
use super::state::{Room, State};
use crate::base::id::{Id, UserId};
use crate::message::record::{Profile, RoomListing, Visibility};

impl State {
    pub(super) fn read(&self, read: &Read) -> Result<Found, Refusal> {
        Ok(match read {
            Read::Credentials { username } => {
                let user = self.names.get(&*fold(username));
                Found::Credentials(user.and_then(|user| self.credentials(user)))
            }
            Read::CredentialsOf { user } => Found::Credentials(self.credentials(user)),
            Read::Standing { user, session, jti, issued_s, now_ms } => {
                let session_stands = session.is_none_or(|id| {
                    let login = self.sessions.get(&id);
                    login.is_some_and(|l| l.user == *user && !l.revoked && l.expires_ms > *now_ms)
                });
                let revoked = jti.as_ref().is_some_and(|j| self.revoked_tokens.contains_key(j));
                let known = self.users.get(user).map(|user| user.profile.clone());
                let after = session.is_some() || self.is_after_revocation(user, *issued_s);
                Found::Standing { user: known, stands: session_stands && !revoked && after }
            }
            Read::Sessions { user, now_ms } => self.live_sessions(user, *now_ms),
            Read::SearchUsers { query, limit } => self.search_users(query, *limit),
            Read::ChatIds { user } => {
                let user = self.users.get(user);
                Found::ChatIds(user.map_or_else(Vec::new, |u| u.chats.iter().copied().collect()))
            }
            Read::Arrival { user, device } => {
                let known = self.users.get(user);
                let chats = known.map_or_else(Vec::new, |u| u.chats.iter().copied().collect());
                Found::Arrival { chats, place: self.place(user, device) }
            }
            Read::Chats { user } => self.chats_of(user),
            Read::Rooms { query, limit, after } => {
                self.rooms(query.as_deref(), *limit as usize, *after)?
            }
            Read::Messages { chat, user, before, after, limit } => {
                let (room, _) = self.seat(*chat, user)?;
                room.page(*before, *after, *limit as usize)
            }
            Read::Search { user, chat, query, limit } => {
                search::among(&self.searched(user, *chat)?, query, *limit)
            }
            Read::Log { chat, user, after, limit } => {
                let (room, _) = self.seat(*chat, user)?;
                room.log_page(*after, *limit as usize)
            }
            Read::AnyLog { chat, after, limit } => {
                let room = self.chats.get(chat).ok_or(Refusal::NoChat)?;
                room.log_page(*after, *limit as usize)
            }
            Read::Inbox(read) => self.read_inbox(read),
            Read::Execution(read) => self.read_executions(read),
            Read::Sync { user, teams, since_ms, limit } => {
                self.missed(user, teams, *since_ms, *limit)
            }
            Read::Publications { channel, after, limit, keep, now_ms } => {
                self.publications(channel, *after, *limit, *keep, *now_ms)
            }
        })
    }

    fn credentials(&self, user: &UserId) -> Option<(Profile, Arc<str>)> {
        let user = self.users.get(user)?;
        Some((user.profile.clone(), Arc::clone(&user.account.as_ref()?.password)))
    }

    fn live_sessions(&self, user: &UserId, now_ms: u64) -> Found {
        let account = self.users.get(user).and_then(|user| user.account.as_ref());
        let ids = account.map(|account| account.sessions.iter());
        let logins = ids.into_iter().flatten().filter_map(|id| self.sessions.get(id));
        let mut live: Vec<_> = logins
            .filter(|login| !login.revoked && login.expires_ms > now_ms)
            .map(|login| login.session.clone())
            .collect();
        live.sort_by_key(|session| Reverse((session.created_at, session.id)));
        Found::Sessions(live)
    }

    fn search_users(&self, query: &str, limit: u32) -> Found {
        let query: Arc<str> = fold(query).into();
        let by_name = self
            .names
            .range(query.clone()..)
            .take_while(|(name, _)| name.starts_with(&*query))
            .map(|(_, id)| id);
        let by_display = self
            .displays
            .range((query.clone(), Arc::default())..)
            .take_while(|(display, _)| display.starts_with(&*query))
            .filter(|(_, name)| !name.starts_with(&*query))
            .filter_map(|(_, name)| self.names.get(name));
        let found = by_name.chain(by_display).take(limit as usize);
        Found::Users(found.filter_map(|id| self.users.get(id)).map(|u| u.profile.clone()).collect())
    }

    fn chats_of(&self, user: &UserId) -> Found {
        let ids = self.users.get(user).map(|user| user.chats.iter());
        let mut rooms: Vec<_> =
            ids.into_iter().flatten().filter_map(|id| self.seat(*id, user).ok()).collect();
        rooms.sort_by_key(|(room, _)| Reverse((room.active_at, room.id)));
        Found::Chats(rooms.iter().map(|(room, seat)| room.view(user, seat)).collect())
    }

    fn rooms(
        &self,
        query: Option<&str>,
        limit: usize,
        after: Option<Id>,
    ) -> Result<Found, Refusal> {
        let from = match after {
            None => Bound::Unbounded,
            Some(after) => {
                let room = self.chats.get(&after);
                let name = room.filter(|room| room.visibility == Visibility::Public);
                let name = name.and_then(|room| room.name.as_ref()).ok_or(Refusal::NoChat)?;
                Bound::Excluded((fold(name), after))
            }
        };
        let query = fold(query.unwrap_or_default());
        let mut found = self
            .public
            .range((from, Bound::Unbounded))
            .filter(|(name, _)| name.contains(&query))
            .filter_map(|(_, id)| self.chats.get(id))
            .map(Room::listing);
        let rooms = found.by_ref().take(limit).collect();
        Ok(Found::Rooms { rooms, more: found.next().is_some() })
    }
}

impl Room {
    fn listing(&self) -> RoomListing {
        RoomListing {
            id: self.id,
            kind: self.kind,
            name: self.name.clone(),
            visibility: self.visibility,
            metadata: self.metadata.clone(),
            last_seq: self.last_seq(),
            created_at: self.created_at,
            member_count: self.seats.len() as u64,
        }
    }

    fn page(&self, before: Option<u64>, after: Option<u64>, limit: usize) -> Found {
        // The index of a message is its seq less one.
        let all = self.messages.len();
        let end = before.map_or(all, |seq| index(seq.saturating_sub(1)).min(all));
        let start = after.map_or(0, index).min(end);
        let (from, to, more) = if after.is_some() {
            let to = start.saturating_add(limit).min(end);
            (start, to, to < end)
        } else {
            let from = end.saturating_sub(limit);
            (from, end, from > 0)
        };
        Found::Messages { messages: self.messages[from..to].to_vec(), more }
    }

    fn log_page(&self, after: Option<u64>, limit: usize) -> Found {
        let all = self.log.len();
        let from = after.map_or_else(|| all.saturating_sub(limit), |offset| index(offset).min(all));
        let to = from.saturating_add(limit).min(all);
        let events = (from..to).map(|index| self.logged(index)).collect();
        Found::Log { events, top: all as u64, more: to < all }
    }
}

fn index(position: u64) -> usize {
    usize::try_from(position).unwrap_or(usize::MAX)
}
