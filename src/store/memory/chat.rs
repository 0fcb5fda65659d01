//! Chats and their members in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::{Logged, Refusal, Written, fold, kept};
use super::state::{Kept, Room, Seat, State};
use crate::base::id::{Id, UserId};
use crate::message::record::{ChatKind, MemberRole, Raw, Visibility};

impl State {
    pub(super) fn create_dm(
        &mut self,
        chat: Id,
        by: &UserId,
        other: &UserId,
    ) -> Result<Written, Refusal> {
        let (id, created) = self.dm(chat, by, other)?;
        let joined = if created { vec![by.clone(), other.clone()] } else { vec![] };
        self.written(id, by, created, joined, vec![])
    }

    pub(super) fn create_group(
        &mut self,
        chat: Id,
        by: &UserId,
        name: &Arc<str>,
        members: &[UserId],
    ) -> Result<Written, Refusal> {
        self.free_chat(chat, by)?;
        let mut joined = vec![by.clone()];
        let mut seen = BTreeSet::from([by]);
        for member in members {
            self.user(member)?;
            if seen.insert(member) {
                joined.push(member.clone());
            }
        }
        self.create(chat, ChatKind::Group, Some(name), Visibility::Private, None, &joined);
        self.written(chat, by, true, joined, vec![])
    }

    pub(super) fn create_room(
        &mut self,
        chat: Id,
        by: &UserId,
        name: &Arc<str>,
        visibility: Visibility,
        metadata: Option<&Raw>,
    ) -> Result<Written, Refusal> {
        self.free_chat(chat, by)?;
        let joined = vec![by.clone()];
        self.create(chat, ChatKind::Room, Some(name), visibility, kept(metadata), &joined);
        self.written(chat, by, true, joined, vec![])
    }

    pub(super) fn leave(&mut self, chat: Id, user: &UserId) -> Result<Written, Refusal> {
        self.seat_of_many(chat, user)?;
        self.remove(chat, user, user)
    }

    pub(super) fn remove_member(
        &mut self,
        chat: Id,
        by: &UserId,
        user: &UserId,
    ) -> Result<Written, Refusal> {
        self.owner(chat, by)?;
        self.remove(chat, by, user)
    }

    /// The DM of the two and whether it was made now, with the id `chat`.
    pub(super) fn dm(
        &mut self,
        chat: Id,
        by: &UserId,
        other: &UserId,
    ) -> Result<(Id, bool), Refusal> {
        let known = self.find_dm(chat, by, other)?;
        if let Some(known) = known {
            return Ok((known, false));
        }
        let members = [by.clone(), other.clone()];
        self.create(chat, ChatKind::Dm, None, Visibility::Private, None, &members);
        self.dms.insert(pair(by, other), chat);
        Ok((chat, true))
    }

    /// The DM of the two, or the certainty that one can be made with the id `chat`.
    pub(super) fn find_dm(
        &self,
        chat: Id,
        by: &UserId,
        other: &UserId,
    ) -> Result<Option<Id>, Refusal> {
        self.user(by)?;
        self.user(other)?;
        if by == other {
            return Err(Refusal::Oneself);
        }
        if let Some(known) = self.dms.get(&pair(by, other)) {
            return Ok(Some(*known));
        }
        self.free_chat(chat, by)?;
        Ok(None)
    }

    fn free_chat(&self, chat: Id, by: &UserId) -> Result<(), Refusal> {
        self.user(by)?;
        if self.chats.contains_key(&chat) { Err(Refusal::IdTaken) } else { Ok(()) }
    }

    /// A new chat; the first of `members` owns it, unless it is a DM.
    fn create(
        &mut self,
        id: Id,
        kind: ChatKind,
        name: Option<&Arc<str>>,
        visibility: Visibility,
        metadata: Option<Raw>,
        members: &[UserId],
    ) {
        let room = Room {
            id,
            kind,
            name: name.cloned(),
            visibility,
            metadata,
            created_at: self.stamp,
            active_at: self.stamp,
            seats: BTreeMap::new(),
            order: BTreeMap::new(),
            messages: Vec::new(),
            log: Vec::new(),
            seen: BTreeMap::new(),
        };
        self.list(&room, true);
        self.chats.insert(id, room);
        for member in members {
            self.sit(id, member);
        }
    }

    /// Takes a known user into the chat; an owner where there is none and may be one.
    fn sit(&mut self, chat: Id, id: &UserId) {
        let (Some(room), Some(user)) = (self.chats.get_mut(&chat), self.users.get_mut(id)) else {
            return;
        };
        let owned = room.kind == ChatKind::Dm || !room.seats.is_empty();
        let role = if owned { MemberRole::Member } else { MemberRole::Owner };
        let joined = room.order.last_key_value().map_or(0, |(last, _)| last + 1);
        room.order.insert(joined, user.profile.card());
        room.seats.insert(id.clone(), Seat { joined, role, read_seq: room.last_seq() });
        user.chats.insert(chat);
    }

    /// Puts the room on the list of public ones, or takes it off.
    fn list(&mut self, room: &Room, on: bool) {
        let Some(name) = room.name.as_ref().filter(|_| room.visibility == Visibility::Public)
        else {
            return;
        };
        let entry = (fold(name), room.id);
        if on {
            self.public.insert(entry);
        } else {
            self.public.remove(&entry);
        }
    }

    pub(super) fn join(&mut self, chat: Id, user: &UserId) -> Result<Written, Refusal> {
        if self.seat(chat, user).is_ok() {
            return self.written(chat, user, false, vec![], vec![]);
        }
        let room = self.chats.get(&chat).filter(|room| room.visibility == Visibility::Public);
        room.ok_or(Refusal::NoChat)?;
        self.user(user)?;
        let logged = self.enter(chat, user, user);
        self.written(chat, user, false, vec![user.clone()], logged)
    }

    fn enter(&mut self, chat: Id, by: &UserId, user: &UserId) -> Vec<Logged> {
        self.sit(chat, user);
        let stamp = self.stamp;
        let card = self.users.get(user).map(|user| user.profile.card());
        let room = self.chats.get_mut(&chat);
        room.zip(card)
            .map(|(room, card)| room.log(stamp, by, Kept::Joined(card)))
            .into_iter()
            .collect()
    }

    pub(super) fn add_members(
        &mut self,
        chat: Id,
        by: &UserId,
        users: &[UserId],
    ) -> Result<Written, Refusal> {
        self.owner(chat, by)?;
        for user in users {
            self.user(user)?;
        }
        let (mut joined, mut logged) = (vec![], vec![]);
        let mut seen = BTreeSet::new();
        for user in users.iter().filter(|user| seen.insert(*user)) {
            if self.seat(chat, user).is_err() {
                logged.extend(self.enter(chat, by, user));
                joined.push(user.clone());
            }
        }
        self.written(chat, by, false, joined, logged)
    }

    /// `user` goes, by the hand of `by`; the oldest member becomes owner when no owner is left.
    fn remove(&mut self, chat: Id, by: &UserId, id: &UserId) -> Result<Written, Refusal> {
        let (stamp, user) = (self.stamp, self.users.get_mut(id).ok_or(Refusal::NoUser)?);
        let room = self.chats.get_mut(&chat).ok_or(Refusal::NoChat)?;
        let seat = room.seats.remove(id).ok_or(Refusal::NoUser)?;
        room.order.remove(&seat.joined);
        user.chats.remove(&chat);
        let mut logged = vec![room.log(stamp, by, Kept::Left(user.profile.card()))];
        let owned = room.seats.values().any(|seat| seat.role == MemberRole::Owner);
        let heir = room.order.values().next().map(|card| card.id.clone());
        if let Some(seat) = heir.and_then(|heir| room.seats.get_mut(&heir)).filter(|_| !owned) {
            seat.role = MemberRole::Owner;
            let chat = Arc::new(room.chat());
            logged.push(room.log(stamp, by, Kept::Updated(chat)));
        }
        Ok(Written::Left { chat, user: id.clone(), logged })
    }

    pub(super) fn update(
        &mut self,
        chat: Id,
        by: &UserId,
        name: Option<&Arc<str>>,
        visibility: Option<Visibility>,
        metadata: Option<&Raw>,
    ) -> Result<Written, Refusal> {
        let mut room = self.owner(chat, by)?.clone_head();
        if visibility == Some(Visibility::Public) && room.kind != ChatKind::Room {
            return Err(Refusal::Forbidden);
        }
        if name.is_none() && visibility.is_none() && metadata.is_none() {
            return self.written(chat, by, false, vec![], vec![]);
        }
        self.list(&room, false);
        room.name = name.cloned().or(room.name);
        room.visibility = visibility.unwrap_or(room.visibility);
        if metadata.is_some() {
            room.metadata = kept(metadata);
        }
        self.list(&room, true);
        let stamp = self.stamp;
        let Some(old) = self.chats.get_mut(&chat) else {
            return Err(Refusal::NoChat);
        };
        (old.name, old.visibility, old.metadata) = (room.name, room.visibility, room.metadata);
        let updated = Arc::new(old.chat());
        let logged = old.log(stamp, by, Kept::Updated(updated));
        self.written(chat, by, false, vec![], vec![logged])
    }

    /// A chat of `user`'s that is no DM.
    fn seat_of_many(&self, chat: Id, user: &UserId) -> Result<(&Room, &Seat), Refusal> {
        let (room, seat) = self.seat(chat, user)?;
        if room.kind == ChatKind::Dm { Err(Refusal::NotForDm) } else { Ok((room, seat)) }
    }

    /// A chat that `user` owns.
    fn owner(&self, chat: Id, user: &UserId) -> Result<&Room, Refusal> {
        let (room, seat) = self.seat_of_many(chat, user)?;
        if seat.role == MemberRole::Owner { Ok(room) } else { Err(Refusal::Forbidden) }
    }

    fn written(
        &self,
        chat: Id,
        user: &UserId,
        created: bool,
        joined: Vec<UserId>,
        logged: Vec<Logged>,
    ) -> Result<Written, Refusal> {
        Ok(Written::Chat { view: self.view(chat, user)?, created, joined, logged })
    }
}

impl Room {
    /// What can be changed, without members, messages and log.
    fn clone_head(&self) -> Self {
        Self {
            id: self.id,
            kind: self.kind,
            name: self.name.clone(),
            visibility: self.visibility,
            metadata: self.metadata.clone(),
            created_at: self.created_at,
            active_at: self.active_at,
            seats: BTreeMap::new(),
            order: BTreeMap::new(),
            messages: Vec::new(),
            log: Vec::new(),
            seen: BTreeMap::new(),
        }
    }
}

/// The key of the DM of two users.
fn pair(one: &UserId, other: &UserId) -> (UserId, UserId) {
    let (low, high) = if one <= other { (one, other) } else { (other, one) };
    (low.clone(), high.clone())
}
