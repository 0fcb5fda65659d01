//! One connection as the router knows it: who is there, what is unanswered, what it listens to.

mod watched;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use super::config::{UNANSWERED_MAX, WAITING_BYTES_MAX};
use super::inbox::{Announced, Course};
use super::slots::{Slots, Waiting};
use super::words::Wish;
use crate::auth::Identity;
use crate::base::id::{ConnectionId, Id, UserId};
use crate::base::now::{Moment, Now};
use crate::base::timer::TimerId;
use crate::codec::Codec;
use crate::guard::rate::Budget;
use crate::handler::{Close, Door, Opening, Peer};
use crate::message::presence::WhoIsThere;
use crate::message::record::{ClientInfo, Profile, UserCard};

/// Who is on a connection.
#[derive(Debug)]
pub(super) enum Who {
    /// Nobody yet.
    Nobody,
    /// A user whose subscriptions do not stand yet.
    Arriving(Box<(Identity, Arriving)>),
    /// A user.
    User(Box<User>),
}

/// How far an arrival is.
#[derive(Debug)]
pub(super) enum Arriving {
    /// The user's chats are being looked up; what changed meanwhile, in order.
    Reading(Vec<(Id, bool)>),
    /// The homes of the channels are being told.
    Listening,
}

/// A user on a connection.
#[derive(Debug)]
pub(super) struct User {
    /// By the token that was shown last.
    pub(super) identity: Identity,
    /// None: as the username.
    display_name: Option<Box<Arc<str>>>,
    /// Shared with the user's other connections.
    pub(super) budget: Arc<Budget>,
    /// When the connection is closed unless the token is renewed.
    pub(super) expiry: Option<TimerId>,
    /// The offset of the inbox that it hears next.
    pub(super) next: u64,
}

impl User {
    pub(super) fn new(
        identity: Identity,
        display_name: Arc<str>,
        budget: Arc<Budget>,
        expiry: Option<TimerId>,
    ) -> Self {
        let mut user = Self { identity, display_name: None, budget, expiry, next: 1 };
        user.set_display_name(display_name);
        user
    }

    pub(super) fn set_display_name(&mut self, name: Arc<str>) {
        let other = *name != *self.identity.username;
        self.display_name = other.then(|| Box::new(name));
    }

    pub(super) fn profile(&self) -> Profile {
        let UserCard { id, username } = self.card();
        let display_name = self.display_name.as_deref().unwrap_or(&username).clone();
        Profile { id, username, display_name }
    }

    pub(super) fn card(&self) -> UserCard {
        UserCard { id: self.identity.user.clone(), username: Arc::clone(&self.identity.username) }
    }
}

/// One connection.
#[derive(Debug)]
pub(super) struct Session {
    /// Of its connection.
    generation: u32,
    pub(super) peer: Peer,
    pub(super) door: Door,
    pub(super) encrypted: bool,
    /// How it speaks; not known before the first data frame of a WebSocket without a subprotocol.
    pub(super) codec: Option<Codec>,
    /// Shown to people and in logs.
    pub(super) id: Id,
    pub(super) opened_at: Moment,
    /// When something was asked last.
    pub(super) heard: Moment,
    /// What the client says of itself, for administrators.
    pub(super) client: Option<Box<Client>>,
    pub(super) who: Who,
    /// What counts until there is a user.
    pub(super) stranger: Option<Box<Stranger>>,
    /// Everything it is subscribed to, as numbers of this loop, chats included.
    pub(super) channels: Vec<u32>,
    /// How many of them it asked for itself.
    pub(super) chosen: u32,
    pub(super) slots: Slots,
    rare: Option<Box<Rare>>,
    /// Whether the engine was told to hold messages back.
    pub(super) paused: bool,
    /// Bad requests without a good one between them.
    pub(super) bad_in_a_row: u8,
    /// The peer sends no more: to be finished when everything is answered.
    pub(super) finishing: bool,
    /// The client said `quit`: to be answered and closed when everything else is answered.
    pub(super) quitting: bool,
    /// The request in progress was made of the token in the upgrade: its failure closes.
    pub(super) by_upgrade: bool,
}

/// What a client says of itself.
#[derive(Debug, Default)]
pub(super) struct Client {
    /// In its upgrade.
    pub(super) user_agent: Option<Arc<str>>,
    /// When it authenticated.
    pub(super) info: Option<ClientInfo>,
}

/// What is counted of a connection without a user.
#[derive(Debug, Default)]
pub(super) struct Stranger {
    /// Requests before authentication.
    pub(super) early: u32,
    /// What is left of the time to authenticate while it does not run.
    pub(super) left: Duration,
    /// The deadline that runs, and since when.
    pub(super) timer: Option<(TimerId, Moment)>,
    /// What it wants of the inbox of its user.
    pub(super) announced: Announced,
}

/// What few connections have at a time, kept out of the others.
#[derive(Debug, Default)]
struct Rare {
    /// What of a message found no slot: the objects of a frame, or a binary one.
    rest: Option<Waiting>,
    /// To be closed when everything is answered; nothing more is taken.
    closing: Option<Close>,
    /// What the request in progress wants resumed once its user is known.
    intended: Vec<Wish>,
    /// Being closed by us, and why.
    ended: Option<Close>,
    /// Who is in a channel, for the reply to a subscription.
    who_is_there: Option<Box<WhoIsThere>>,
    /// Namespaces of which all is heard.
    patterns: Vec<Box<str>>,
    /// Chats that it chose to listen to, being no member: numbers among its channels.
    watched: Vec<u32>,
    /// What there is to know of the inbox beside the user's place in it.
    course: Option<Box<Course>>,
}

impl Rare {
    fn is_empty(&self) -> bool {
        self.rest.is_none()
            && self.closing.is_none()
            && self.course.is_none()
            && self.intended.is_empty()
            && self.ended.is_none()
            && self.who_is_there.is_none()
            && self.patterns.is_empty()
            && self.watched.is_empty()
    }
}

impl Session {
    pub(super) fn new(
        of: ConnectionId,
        opening: &Opening,
        id: Id,
        now: Now,
        auth: Duration,
    ) -> Self {
        Self {
            generation: of.generation,
            peer: opening.peer,
            door: opening.door,
            encrypted: opening.encrypted,
            codec: None,
            id,
            opened_at: now.monotonic.into(),
            heard: now.monotonic.into(),
            client: None,
            who: Who::Nobody,
            stranger: Some(Box::new(Stranger { left: auth, ..Stranger::default() })),
            channels: Vec::new(),
            chosen: 0,
            slots: Slots::default(),
            rare: None,
            paused: false,
            bad_in_a_row: 0,
            finishing: false,
            quitting: false,
            by_upgrade: false,
        }
    }

    /// What the client said of itself when it authenticated.
    pub(super) fn told_of_itself(&mut self, info: Option<ClientInfo>) {
        if info.is_some() {
            self.client.get_or_insert_default().info = info;
        }
    }

    /// Whether so much is unanswered that nothing more is taken; without a user, anything: what
    /// follows a `login` is read by the limits of whoever that makes the client (SPEC §3, order).
    pub(super) fn is_full(&self) -> bool {
        (self.user().is_none() && !self.slots.is_empty())
            || self.slots.len() >= UNANSWERED_MAX
            || self.slots.waiting_bytes() >= WAITING_BYTES_MAX
    }

    /// Whether anything more is taken at all.
    pub(super) fn is_over(&self) -> bool {
        self.closing().is_some() || self.quitting
    }

    /// Why it is to be closed when everything is answered.
    pub(super) fn closing(&self) -> Option<&Close> {
        self.rare.as_ref()?.closing.as_ref()
    }

    /// Takes nothing more, and closes when everything is answered; the first reason counts.
    pub(super) fn close_after(&mut self, close: Close) {
        self.rare.get_or_insert_default().closing.get_or_insert(close);
    }

    /// Keeps what is to be resumed when the user is known, in place of what was before.
    pub(super) fn intend(&mut self, wishes: Vec<Wish>) {
        if !wishes.is_empty() || self.rare.is_some() {
            self.rare.get_or_insert_default().intended = wishes;
        }
    }

    pub(super) fn take_intended(&mut self) -> Vec<Wish> {
        self.rare.as_mut().map(|rare| std::mem::take(&mut rare.intended)).unwrap_or_default()
    }

    /// Keeps what of a message found no slot. No other message may come before it did.
    pub(super) fn keep_rest(&mut self, rest: Waiting) {
        debug_assert!(!self.has_rest(), "what is kept is not forgotten for what comes after it");
        self.rare.get_or_insert_default().rest = Some(rest);
    }

    /// It is being closed by us; the first reason counts.
    pub(super) fn end_with(&mut self, close: &Close) {
        self.rare.get_or_insert_default().ended.get_or_insert_with(|| close.clone());
    }

    /// Why it ends: our code, none when the peer went.
    pub(super) fn end(&self) -> (Option<u16>, Cow<'static, str>) {
        match self.rare.as_ref().and_then(|rare| rare.ended.as_ref()) {
            Some(close) => (Some(close.code), close.reason.clone()),
            None => (None, "the peer went".into()),
        }
    }

    pub(super) fn has_rest(&self) -> bool {
        self.rare.as_ref().is_some_and(|rare| rare.rest.is_some())
    }

    pub(super) fn take_rest(&mut self) -> Option<Waiting> {
        self.rare.as_mut()?.rest.take()
    }

    /// Keeps who is in a channel for the reply to the subscription in progress.
    pub(super) fn keep_who_is_there(&mut self, who: Box<WhoIsThere>) {
        self.rare.get_or_insert_default().who_is_there = Some(who);
    }

    pub(super) fn take_who_is_there(&mut self) -> Option<Box<WhoIsThere>> {
        self.rare.as_mut()?.who_is_there.take()
    }

    pub(super) fn course(&self) -> Option<&Course> {
        self.rare.as_ref()?.course.as_deref()
    }

    pub(super) fn course_mut(&mut self) -> Option<&mut Course> {
        self.rare.as_mut()?.course.as_deref_mut()
    }

    pub(super) fn make_course(&mut self) -> &mut Course {
        self.rare.get_or_insert_default().course.get_or_insert_default()
    }

    pub(super) fn drop_course(&mut self) {
        if let Some(rare) = &mut self.rare {
            rare.course = None;
            if rare.is_empty() {
                self.rare = None;
            }
        }
    }

    /// The user, who has arrived.
    pub(super) fn user_mut(&mut self) -> Option<&mut User> {
        match &mut self.who {
            Who::User(user) => Some(user),
            Who::Nobody | Who::Arriving(..) => None,
        }
    }

    pub(super) fn user(&self) -> Option<&User> {
        match &self.who {
            Who::User(user) => Some(user),
            Who::Nobody | Who::Arriving(..) => None,
        }
    }

    /// The user that this connection counts for, arrived or not.
    pub(super) fn user_id(&self) -> Option<&UserId> {
        match &self.who {
            Who::Nobody => None,
            Who::Arriving(arriving) => Some(&arriving.0.user),
            Who::User(user) => Some(&user.identity.user),
        }
    }
}

/// The sessions of a loop by connection. Slots of connections are dense, so this is a table.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    table: Vec<Option<Box<Session>>>,
    len: usize,
}

impl Sessions {
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) fn insert(&mut self, id: ConnectionId, session: Session) {
        debug_assert_eq!(id.generation, session.generation, "a session is of its connection");
        let at = id.slot as usize;
        if self.table.len() <= at {
            self.table.resize_with(at + 1, || None);
        }
        if self.table[at].replace(Box::new(session)).is_none() {
            self.len += 1;
        }
    }

    pub(super) fn get(&self, id: ConnectionId) -> Option<&Session> {
        let session = self.table.get(id.slot as usize)?.as_deref()?;
        (session.generation == id.generation).then_some(session)
    }

    pub(super) fn get_mut(&mut self, id: ConnectionId) -> Option<&mut Session> {
        let session = self.table.get_mut(id.slot as usize)?.as_deref_mut()?;
        (session.generation == id.generation).then_some(session)
    }

    pub(super) fn remove(&mut self, id: ConnectionId) -> Option<Box<Session>> {
        self.get(id)?;
        self.len -= 1;
        self.table.get_mut(id.slot as usize)?.take()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (ConnectionId, &Session)> {
        self.table.iter().zip(0u32..).filter_map(|(entry, slot)| {
            let session = entry.as_deref()?;
            Some((ConnectionId { slot, generation: session.generation }, session))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_every_connection_has_does_not_grow_unseen() {
        // Both are blocks of the allocator; eight bytes more cost sixteen for each connection.
        let sizes = [size_of::<User>(), size_of::<Session>()];
        assert!(sizes.iter().all(|size| *size <= 152), "{sizes:?}");
    }
}
