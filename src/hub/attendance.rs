//! At the home of a channel: who is there, and what of that was told.
//!
//! A user is there while one of the user's connections is subscribed, and for a grace after the last
//! of them broke; who is invisible is nowhere. Law: what is told is the difference between what was
//! told last and what is so now, so what undoes itself meanwhile is never seen; a snapshot and what is
//! told after it leave nothing out and repeat nothing. Limits: [`USERS_MAX`]; a number is told at most
//! once in [`COUNT_EVERY`].

mod room;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::base::hash::{NameMap, name_map};
use crate::base::id::{Address, LoopId, UserId};
use crate::hub::Channel;
use crate::hub::policy::{Policies, Presence};
use crate::message::presence::{Change, Changed, Present, Standing, WhoIsThere};
use crate::message::record::UserCard;
use room::{Place, Room};

/// Users in one list; the number is of all.
pub const USERS_MAX: usize = 1000;
/// How often a number is told at most.
pub const COUNT_EVERY: Duration = Duration::from_secs(1);
/// How long a status outlives the user's last connection beside twice the grace: until every channel
/// has told that the user is gone.
const STANDING_KEPT: Duration = Duration::from_secs(60);

/// Who is in the channels whose home this loop is.
#[derive(Debug)]
pub struct Attendance {
    rooms: NameMap<Channel, Room>,
    /// In which of them a user is.
    places: NameMap<UserId, Vec<Channel>>,
    /// Of all users who stand otherwise than usual, here or not: the same on every loop.
    standings: NameMap<UserId, Standing>,
    /// What is to be looked at, by time.
    agenda: BTreeMap<(Duration, u64), Item>,
    serial: u64,
    /// In all rooms together.
    users: usize,
    grace: Duration,
    policies: Policies,
}

#[derive(Debug)]
enum Item {
    /// Something is to be told.
    Tell(Channel),
    /// The grace of a user is over.
    Leave(Channel, UserId),
    /// A status need not be kept if its user is gone.
    Forget(UserId),
}

/// What is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// To be told to those who watch the channel, but not to the connection that caused it.
    Changed(Channel, Changed, Option<Address>),
    /// The same where only the number is told.
    Counted(Channel, u32),
    /// The status of this user need not be kept if the user is gone.
    Forget(UserId),
}

impl Attendance {
    /// Nobody is anywhere.
    #[must_use]
    pub fn new(seed: u64, policies: &Policies, grace: Duration) -> Self {
        Self {
            rooms: name_map(seed),
            places: name_map(seed),
            standings: name_map(seed),
            agenda: BTreeMap::new(),
            serial: 0,
            users: 0,
            grace,
            policies: policies.clone(),
        }
    }

    /// What is told of who is in a channel.
    #[must_use]
    pub fn told_of(&self, channel: &Channel) -> Presence {
        self.policies.of(channel.namespace()).map_or(Presence::Off, |policy| policy.presence)
    }

    /// How many users are in channels of this home, each counted once for each channel.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.users
    }

    /// Whether nobody is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rooms.is_empty()
    }

    /// When something is due.
    #[must_use]
    pub fn next_due(&self) -> Option<Duration> {
        self.agenda.keys().next().map(|(at, _)| *at)
    }

    fn plan(&mut self, at: Duration, item: Item) {
        self.serial += 1;
        self.agenda.insert((at, self.serial), item);
    }

    /// How a user stands.
    #[must_use]
    pub fn standing(&self, user: &UserId) -> Standing {
        self.standings.get(user).cloned().unwrap_or_default()
    }

    fn room(&mut self, channel: &Channel) -> Option<&mut Room> {
        let lists = match self.told_of(channel) {
            Presence::Off => return None,
            Presence::Count => false,
            Presence::List => true,
        };
        Some(self.rooms.entry(channel.clone()).or_insert_with(|| Room::new(lists)))
    }

    /// A connection of a user is subscribed from now on.
    pub fn come(&mut self, channel: &Channel, by: Address, user: &UserCard, now: Duration) {
        let Some(room) = self.room(channel) else { return };
        if room.connections.insert(by, user.id.clone()).is_some() {
            return;
        }
        if !room.users.contains_key(&user.id) {
            let place = Place::new(Arc::clone(&user.username));
            room.users.insert(user.id.clone(), place);
            self.users += 1;
            self.places.entry(user.id.clone()).or_default().push(channel.clone());
        }
        self.change(channel, &user.id, Some(by), now, |place| {
            place.connections += 1;
            place.leaves_at = None;
        });
    }

    /// It is not any more: `at_once` when that was meant, else the user may come back for a while.
    pub fn go(
        &mut self,
        channel: &Channel,
        by: Address,
        watched: bool,
        at_once: bool,
        now: Duration,
    ) {
        let leaves_at = (!at_once && !self.grace.is_zero()).then(|| now + self.grace);
        let Some(room) = self.rooms.get_mut(channel) else { return };
        if watched {
            room.unwatch(by.home);
        }
        let Some(user) = room.connections.remove(&by) else { return self.tidy(channel) };
        let mut waits = None;
        self.change(channel, &user, Some(by), now, |place| {
            place.connections = place.connections.saturating_sub(1);
            if place.connections == 0 {
                place.leaves_at = leaves_at;
                waits = leaves_at;
            }
        });
        if let Some(at) = waits {
            self.plan(at, Item::Leave(channel.clone(), user));
        }
    }

    fn change(
        &mut self,
        channel: &Channel,
        user: &UserId,
        by: Option<Address>,
        now: Duration,
        f: impl FnOnce(&mut Place),
    ) {
        let standing = self.standing(user);
        let Some(room) = self.rooms.get_mut(channel) else { return };
        let Some(place) = room.users.get_mut(user) else { return };
        let before = place.is_seen(&standing);
        f(place);
        let after = place.is_seen(&standing);
        room.has_changed(user, (before, after), by);
        self.tell_later(channel, now);
    }

    /// Another status, here as on every loop.
    pub fn set(&mut self, user: &UserId, standing: Standing, by: Option<Address>, now: Duration) {
        let old = self.standing(user);
        if old == standing {
            return;
        }
        if standing == Standing::default() {
            self.standings.remove(user);
        } else {
            self.standings.insert(user.clone(), standing.clone());
        }
        for channel in self.places.get(user).cloned().unwrap_or_default() {
            let Some(room) = self.rooms.get_mut(&channel) else { continue };
            let Some(place) = room.users.get(user) else { continue };
            let seen = (place.is_seen(&old), place.is_seen(&standing));
            room.has_changed(user, seen, by);
            self.tell_later(&channel, now);
        }
    }

    /// The last connection of a user has gone, here at the user's home.
    pub fn left(&mut self, user: &UserId, now: Duration) {
        if self.standings.contains_key(user) {
            let at = now + self.grace + self.grace + STANDING_KEPT;
            self.plan(at, Item::Forget(user.clone()));
        }
    }

    /// Sees to it that a change is told: with those of the same turn, numbers not too often.
    fn tell_later(&mut self, channel: &Channel, now: Duration) {
        let Some(room) = self.rooms.get_mut(channel) else { return };
        if room.watchers.is_empty() {
            // Who watches next is told how it is then.
            self.settle(channel);
            return self.tidy(channel);
        }
        if !std::mem::replace(&mut room.due, true) {
            let soonest = room.told_at.filter(|_| !room.lists).map(|at| at + COUNT_EVERY);
            self.plan(soonest.map_or(now, |at| at.max(now)), Item::Tell(channel.clone()));
        }
    }

    /// What is so is as good as told. Gives what that changes.
    fn settle(&mut self, channel: &Channel) -> Vec<(Changed, Option<Address>)> {
        let Some(room) = self.rooms.get_mut(channel) else { return Vec::new() };
        let mut changes = Vec::new();
        for user in std::mem::take(&mut room.changed) {
            let Some(place) = room.users.get_mut(&user) else { continue };
            place.changed = false;
            let standing = self.standings.get(&user).cloned().unwrap_or_default();
            let seen = place.is_seen(&standing).then_some(standing);
            let before = std::mem::replace(&mut place.told, seen.clone());
            let change = match (before, seen) {
                (None, Some(standing)) => Some((standing, Change::Join)),
                (Some(standing), None) => Some((standing, Change::Leave)),
                (Some(before), Some(standing)) if before != standing => {
                    Some((standing, Change::Update))
                }
                _ => None,
            };
            let username = Arc::clone(&place.username);
            let by = place.by.take();
            changes.extend(change.map(|(standing, change)| {
                (Changed { user_id: user.clone(), username, standing, change }, by)
            }));
            if !place.is_there() {
                room.users.remove(&user);
                self.users -= 1;
                if let Some(places) = self.places.get_mut(&user) {
                    places.retain(|known| known != channel);
                    if places.is_empty() {
                        self.places.remove(&user);
                    }
                }
            }
        }
        changes
    }

    fn tidy(&mut self, channel: &Channel) {
        let nobody = |room: &Room| room.users.is_empty() && room.watchers.is_empty();
        if self.rooms.get(channel).is_some_and(nobody) {
            self.rooms.remove(channel);
        }
    }

    fn news(&mut self, channel: &Channel, now: Duration) -> Vec<News> {
        let changes = self.settle(channel);
        let Some(room) = self.rooms.get_mut(channel) else { return Vec::new() };
        if room.lists {
            let news = |(changed, by)| News::Changed(channel.clone(), changed, by);
            return changes.into_iter().map(news).collect();
        }
        if room.told_count == Some(room.count) {
            return Vec::new();
        }
        (room.told_count, room.told_at) = (Some(room.count), Some(now));
        vec![News::Counted(channel.clone(), room.count)]
    }

    /// Everything whose time has come.
    pub fn due(&mut self, now: Duration) -> Vec<News> {
        let mut news = Vec::new();
        while let Some(first) = self.agenda.first_entry().filter(|first| first.key().0 <= now) {
            let ((at, _), item) = first.remove_entry();
            match item {
                Item::Tell(channel) => {
                    if let Some(room) = self.rooms.get_mut(&channel) {
                        room.due = false;
                    }
                    news.extend(self.news(&channel, now));
                    self.tidy(&channel);
                }
                Item::Leave(channel, user) => {
                    let place = self.rooms.get(&channel).and_then(|room| room.users.get(&user));
                    // Who came back and went again has a later one.
                    if place.is_some_and(|place| place.leaves_at == Some(at)) {
                        self.change(&channel, &user, None, now, |place| place.leaves_at = None);
                    }
                }
                Item::Forget(user) => news.push(News::Forget(user)),
            }
        }
        news
    }

    /// A subscription on that loop wants to be told from now on; `first`: it did not before. Gives what
    /// is to be told before that, and who is there.
    pub fn watch(
        &mut self,
        channel: &Channel,
        from: LoopId,
        first: bool,
        now: Duration,
    ) -> (Vec<News>, WhoIsThere) {
        let Some(room) = self.room(channel) else { return (Vec::new(), WhoIsThere::default()) };
        let (is_told, lists) = (!room.watchers.is_empty(), room.lists);
        *room.watchers.entry(from).or_default() += u32::from(first);
        // A number that is to be told is told though it should be the old one by then.
        room.told_count = (!room.due).then_some(room.count);
        let news = if lists && is_told { self.news(channel, now) } else { Vec::new() };
        (news, self.who_is_there(channel))
    }

    /// It does not want that any more.
    pub fn unwatch(&mut self, channel: &Channel, from: LoopId) {
        if let Some(room) = self.rooms.get_mut(channel) {
            room.unwatch(from);
        }
        self.tidy(channel);
    }

    /// The loops that are told who is in a channel.
    #[must_use]
    pub fn watching(&self, channel: &Channel) -> Vec<LoopId> {
        let loops = |room: &Room| room.watchers.keys().copied().collect();
        self.rooms.get(channel).map(loops).unwrap_or_default()
    }

    /// Who is in a channel now.
    #[must_use]
    pub fn who_is_there(&self, channel: &Channel) -> WhoIsThere {
        let Some(room) = self.rooms.get(channel) else { return WhoIsThere::default() };
        let mut users = Vec::new();
        if room.lists {
            let seen = room.users.iter().filter_map(|(user, place)| {
                let standing = self.standing(user);
                place.is_seen(&standing).then(|| Present {
                    user_id: user.clone(),
                    username: Arc::clone(&place.username),
                    standing,
                    // Whoever is about to come back counts as being there.
                    connections: place.connections.max(1),
                })
            });
            users.extend(seen.take(USERS_MAX));
        }
        WhoIsThere { count: room.count, users }
    }
}

#[cfg(test)]
mod tests;
