//! One channel: the users who are there, and what of them was told.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::base::id::{Address, LoopId, UserId};
use crate::message::presence::Standing;

#[derive(Debug)]
pub(super) struct Room {
    pub(super) lists: bool,
    pub(super) users: BTreeMap<UserId, Place>,
    pub(super) connections: BTreeMap<Address, UserId>,
    /// How many subscriptions of each loop want to be told.
    pub(super) watchers: BTreeMap<LoopId, u32>,
    /// How many of the users are seen.
    pub(super) count: u32,
    /// The number that was told last; none when it must be told anew.
    pub(super) told_count: Option<u32>,
    pub(super) told_at: Option<Duration>,
    pub(super) changed: Vec<UserId>,
    /// It is on the agenda.
    pub(super) due: bool,
}

#[derive(Debug)]
pub(super) struct Place {
    pub(super) username: Arc<str>,
    pub(super) connections: u32,
    /// When the grace is over.
    pub(super) leaves_at: Option<Duration>,
    /// As what the user was told to be there.
    pub(super) told: Option<Standing>,
    pub(super) changed: bool,
    /// Which connection caused the last change.
    pub(super) by: Option<Address>,
}

impl Place {
    pub(super) const fn new(username: Arc<str>) -> Self {
        Self { username, connections: 0, leaves_at: None, told: None, changed: false, by: None }
    }

    pub(super) const fn is_there(&self) -> bool {
        self.connections > 0 || self.leaves_at.is_some()
    }

    pub(super) fn is_seen(&self, standing: &Standing) -> bool {
        self.is_there() && standing.is_seen()
    }
}

impl Room {
    pub(super) const fn new(lists: bool) -> Self {
        Self {
            lists,
            users: BTreeMap::new(),
            connections: BTreeMap::new(),
            watchers: BTreeMap::new(),
            count: 0,
            told_count: None,
            told_at: None,
            changed: Vec::new(),
            due: false,
        }
    }

    pub(super) fn unwatch(&mut self, from: LoopId) {
        if let Some(watchers) = self.watchers.get_mut(&from) {
            *watchers = watchers.saturating_sub(1);
            if *watchers == 0 {
                self.watchers.remove(&from);
            }
        }
    }

    pub(super) fn has_changed(
        &mut self,
        user: &UserId,
        (before, after): (bool, bool),
        by: Option<Address>,
    ) {
        self.count = self.count + u32::from(after) - u32::from(before);
        if let Some(place) = self.users.get_mut(user) {
            place.by = by;
            if !std::mem::replace(&mut place.changed, true) {
                self.changed.push(user.clone());
            }
        }
    }
}
