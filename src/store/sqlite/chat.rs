//! Chats and their members in SQLite.

use std::collections::BTreeSet;
use std::sync::Arc;

use rusqlite::{OptionalExtension, Row};

use super::super::{Logged, Refusal, Written, fold, kept};
use super::batch::Batch;
use super::failure::Failure;
use super::rows::{self, Seat, blob, int};
use crate::base::id::{Id, UserId};
use crate::message::record::{ChatKind, MemberRole, Profile, Raw, RoomEvent, Visibility};

/// A user with its key.
type User = (i64, Profile);

/// What a new chat is made of, but for its members.
struct NewChat<'a> {
    id: Id,
    kind: ChatKind,
    name: Option<&'a Arc<str>>,
    visibility: Visibility,
    metadata: Option<Raw>,
}

impl Batch<'_> {
    pub(super) fn create_dm(
        &self,
        chat: Id,
        by: &UserId,
        other: &UserId,
    ) -> Result<Written, Failure> {
        let (_, key, created) = self.dm(chat, by, other)?;
        let joined = if created { vec![by.clone(), other.clone()] } else { vec![] };
        let (user, _) = self.user(by)?;
        self.written(key, user, created, joined, vec![])
    }

    /// The DM of the two: its id, its key, and whether it was made now with the id `chat`.
    pub(super) fn dm(
        &self,
        chat: Id,
        by: &UserId,
        other: &UserId,
    ) -> Result<(Id, i64, bool), Failure> {
        const FIND: &str = "SELECT c.id, c.key FROM dms d JOIN chats c ON c.key = d.chat \
            WHERE d.low = ?1 AND d.high = ?2";
        const KEEP: &str = "INSERT INTO dms (low, high, chat) VALUES (?1, ?2, ?3)";
        let (one, two) = (self.user(by)?, self.user(other)?);
        if one.0 == two.0 {
            return Err(Refusal::Oneself.into());
        }
        let (low, high) = (one.0.min(two.0), one.0.max(two.0));
        let found = |row: &Row<'_>| Ok((rows::id(row, 0)?, row.get(1)?));
        let known = self.conn.prepare_cached(FIND)?.query_row((low, high), found).optional()?;
        if let Some((id, key)) = known {
            return Ok((id, key, false));
        }
        let (kind, visibility) = (ChatKind::Dm, Visibility::Private);
        let new = NewChat { id: chat, kind, name: None, visibility, metadata: None };
        let key = self.create(&new, &[one.0, two.0])?;
        self.execute(KEEP, (low, high, key))?;
        Ok((chat, key, true))
    }

    pub(super) fn create_group(
        &self,
        chat: Id,
        by: &UserId,
        name: &Arc<str>,
        members: &[UserId],
    ) -> Result<Written, Failure> {
        let (owner, _) = self.user(by)?;
        self.free_chat(chat)?;
        let mut seen = BTreeSet::from([by]);
        let (mut joined, mut keys) = (vec![by.clone()], vec![owner]);
        for member in members {
            let (key, _) = self.user(member)?;
            if seen.insert(member) {
                joined.push(member.clone());
                keys.push(key);
            }
        }
        let (kind, visibility) = (ChatKind::Group, Visibility::Private);
        let new = NewChat { id: chat, kind, name: Some(name), visibility, metadata: None };
        let key = self.create(&new, &keys)?;
        self.written(key, owner, true, joined, vec![])
    }

    pub(super) fn create_room(
        &self,
        chat: Id,
        by: &UserId,
        name: &Arc<str>,
        visibility: Visibility,
        metadata: Option<&Raw>,
    ) -> Result<Written, Failure> {
        let (owner, _) = self.user(by)?;
        let (kind, metadata) = (ChatKind::Room, kept(metadata));
        let new = NewChat { id: chat, kind, name: Some(name), visibility, metadata };
        let key = self.create(&new, &[owner])?;
        self.written(key, owner, true, vec![by.clone()], vec![])
    }

    fn free_chat(&self, id: Id) -> Result<(), Failure> {
        let mut find = self.conn.prepare_cached("SELECT 1 FROM chats WHERE id = ?1")?;
        if find.exists([blob(id)])? { Err(Refusal::IdTaken.into()) } else { Ok(()) }
    }

    /// A new chat; the first of `members` owns it, unless it is a DM.
    fn create(&self, new: &NewChat<'_>, members: &[i64]) -> Result<i64, Failure> {
        const CHAT: &str = "INSERT INTO chats \
            (id, kind, name, name_fold, visibility, metadata, created_at) \
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        const COUNTERS: &str =
            "INSERT INTO counters (chat, active_at, last_at) VALUES (?1, ?2, ?2)";
        self.free_chat(new.id)?;
        let at = int(self.stamp.0);
        let row = (
            blob(new.id),
            rows::kind_number(new.kind),
            new.name,
            new.name.map(|name| fold(name)),
            new.visibility == Visibility::Public,
            new.metadata.as_ref().map(Raw::as_str),
            at,
        );
        let chat = self.conn.prepare_cached(CHAT)?.insert(row)?;
        self.execute(COUNTERS, (chat, at))?;
        for user in members {
            self.sit(chat, *user)?;
        }
        Ok(chat)
    }

    /// Takes a user into the chat; as owner where there is no member and an owner may be.
    fn sit(&self, chat: i64, user: i64) -> Result<(), Failure> {
        const SQL: &str = "INSERT INTO members (chat, user, joined, role, read_seq) \
            SELECT c.key, ?2, \
                ifnull((SELECT max(joined) + 1 FROM members WHERE chat = c.key), 0), \
                c.kind <> 1 AND n.member_count = 0, n.last_seq \
            FROM chats c JOIN counters n ON n.chat = c.key WHERE c.key = ?1";
        const COUNT: &str = "UPDATE counters SET member_count = member_count + 1 WHERE chat = ?1";
        self.execute(SQL, (chat, user))?;
        self.execute(COUNT, [chat])?;
        Ok(())
    }

    pub(super) fn join(&self, chat: Id, user: &UserId) -> Result<Written, Failure> {
        const SQL: &str = "SELECT key FROM chats WHERE id = ?1 AND visibility = 1";
        if let Some(seat) = rows::seat(self.conn, chat, user)? {
            return self.written(seat.chat, seat.user, false, vec![], vec![]);
        }
        let mut find = self.conn.prepare_cached(SQL)?;
        let key: Option<i64> = find.query_row([blob(chat)], |row| row.get(0)).optional()?;
        let key = key.ok_or(Refusal::NoChat)?;
        let (joiner, profile) = self.user(user)?;
        let logged = self.enter((key, chat), (joiner, user), &(joiner, profile))?;
        self.written(key, joiner, false, vec![user.clone()], vec![logged])
    }

    /// Takes `user` into the chat by the hand of `by` and logs it.
    fn enter(&self, chat: (i64, Id), by: (i64, &UserId), user: &User) -> Result<Logged, Failure> {
        self.sit(chat.0, user.0)?;
        let event = RoomEvent::Joined { chat_id: chat.1, user: user.1.card() };
        self.log(chat.0, by, user.0, None, event)
    }

    pub(super) fn leave(&self, chat: Id, user: &UserId) -> Result<Written, Failure> {
        let seat = self.seat_of_many(chat, user)?;
        self.remove((seat.chat, chat), (seat.user, user), &self.user(user)?)
    }

    pub(super) fn remove_member(
        &self,
        chat: Id,
        by: &UserId,
        user: &UserId,
    ) -> Result<Written, Failure> {
        let seat = self.owner(chat, by)?;
        self.remove((seat.chat, chat), (seat.user, by), &self.user(user)?)
    }

    pub(super) fn add_members(
        &self,
        chat: Id,
        by: &UserId,
        users: &[UserId],
    ) -> Result<Written, Failure> {
        let owner = self.owner(chat, by)?;
        let found = users.iter().map(|user| self.user(user)).collect::<Result<Vec<_>, _>>()?;
        let (mut joined, mut logged) = (vec![], vec![]);
        for user in found {
            // A repeat is a member by now.
            if rows::seat(self.conn, chat, &user.1.id)?.is_none() {
                logged.push(self.enter((owner.chat, chat), (owner.user, by), &user)?);
                joined.push(user.1.id);
            }
        }
        self.written(owner.chat, owner.user, false, joined, logged)
    }

    /// `user` goes, by the hand of `by`; the oldest member becomes owner when no owner is left.
    fn remove(&self, chat: (i64, Id), by: (i64, &UserId), user: &User) -> Result<Written, Failure> {
        const GO: &str = "DELETE FROM members WHERE chat = ?1 AND user = ?2";
        const COUNT: &str = "UPDATE counters SET member_count = member_count - 1 WHERE chat = ?1";
        const HEIR: &str = "UPDATE members SET role = 1 \
            WHERE chat = ?1 AND joined = (SELECT min(joined) FROM members WHERE chat = ?1) \
            AND NOT EXISTS (SELECT 1 FROM members INDEXED BY members_owners \
                WHERE chat = ?1 AND role = 1)";
        if self.execute(GO, (chat.0, user.0))? == 0 {
            return Err(Refusal::NoUser.into());
        }
        self.execute(COUNT, [chat.0])?;
        let event = RoomEvent::Left { chat_id: chat.1, user: user.1.card() };
        let mut logged = vec![self.log(chat.0, by, user.0, None, event)?];
        if self.execute(HEIR, [chat.0])? > 0 {
            logged.push(self.log_updated(chat.0, by)?);
        }
        Ok(Written::Left { chat: chat.1, user: user.1.id.clone(), logged })
    }

    pub(super) fn update_chat(
        &self,
        chat: Id,
        by: &UserId,
        name: Option<&Arc<str>>,
        visibility: Option<Visibility>,
        metadata: Option<&Raw>,
    ) -> Result<Written, Failure> {
        const KIND: &str = "SELECT kind FROM chats WHERE key = ?1";
        const NAME: &str = "UPDATE chats SET name = ?2, name_fold = ?3 WHERE key = ?1";
        const VISIBILITY: &str = "UPDATE chats SET visibility = ?2 WHERE key = ?1";
        const METADATA: &str = "UPDATE chats SET metadata = ?2 WHERE key = ?1";
        let owner = self.owner(chat, by)?;
        let key = owner.chat;
        if let Some(visibility) = visibility {
            let public = visibility == Visibility::Public;
            let kind: i64 = self.conn.prepare_cached(KIND)?.query_row([key], |row| row.get(0))?;
            if public && kind != rows::kind_number(ChatKind::Room) {
                return Err(Refusal::Forbidden.into());
            }
            self.execute(VISIBILITY, (key, public))?;
        }
        if let Some(name) = name {
            self.execute(NAME, (key, name, fold(name)))?;
        }
        if metadata.is_some() {
            self.execute(METADATA, (key, kept(metadata).as_ref().map(Raw::as_str)))?;
        }
        let mut logged = vec![];
        if name.is_some() || visibility.is_some() || metadata.is_some() {
            logged.push(self.log_updated(key, (owner.user, by))?);
        }
        self.written(key, owner.user, false, vec![], logged)
    }

    /// The user's place in a chat that is no DM.
    fn seat_of_many(&self, chat: Id, user: &UserId) -> Result<Seat, Failure> {
        const SQL: &str = "SELECT 1 FROM chats WHERE key = ?1 AND kind = 1";
        let seat = self.seat(chat, user)?;
        if self.conn.prepare_cached(SQL)?.exists([seat.chat])? {
            return Err(Refusal::NotForDm.into());
        }
        Ok(seat)
    }

    /// The user's place in a chat that it owns.
    fn owner(&self, chat: Id, user: &UserId) -> Result<Seat, Failure> {
        let seat = self.seat_of_many(chat, user)?;
        if seat.role == MemberRole::Owner { Ok(seat) } else { Err(Refusal::Forbidden.into()) }
    }

    fn written(
        &self,
        chat: i64,
        user: i64,
        created: bool,
        joined: Vec<UserId>,
        logged: Vec<Logged>,
    ) -> Result<Written, Failure> {
        let view = Box::new(rows::view(self.conn, chat, user)?);
        Ok(Written::Chat { view, created, joined, logged })
    }
}
