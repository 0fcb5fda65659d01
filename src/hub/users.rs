//! Where users are: on each loop its own connections by user, at the home of a user all of them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::base::few::Few;
use crate::base::hash::{NameMap, name_map};
use crate::base::id::{Address, ConnectionId, UserId};
use crate::base::now::Moment;

/// The connections of one loop by user.
#[derive(Debug)]
pub struct LocalUsers(NameMap<UserId, Few<ConnectionId>>);

impl LocalUsers {
    /// Nobody.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(name_map(seed))
    }

    /// A connection belongs to the user from now on.
    pub fn add(&mut self, user: &UserId, connection: ConnectionId) {
        self.0.entry(user.clone()).or_default().push(connection);
    }

    /// It does not any more.
    pub fn remove(&mut self, user: &UserId, connection: ConnectionId) {
        let Some(connections) = self.0.get_mut(user) else { return };
        connections.remove(&connection);
        if connections.is_empty() {
            self.0.remove(user);
        }
    }

    /// The connections of the user on this loop.
    #[must_use]
    pub fn connections(&self, user: &UserId) -> &[ConnectionId] {
        self.0.get(user).map(Few::as_slice).unwrap_or_default()
    }

    /// How many users there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// How long the budget of a user outlives the last connection, so that coming back does not renew it.
const FORGET_AFTER: Duration = Duration::from_secs(60);

/// The users whose home this loop is; `B` is what all connections of a user share.
#[derive(Debug)]
pub struct UserHomes<B> {
    homes: NameMap<UserId, Home<B>>,
    idle: VecDeque<(Duration, UserId)>,
}

#[derive(Debug)]
struct Home<B> {
    connections: Few<Address>,
    budget: Arc<B>,
    used: Moment,
    /// It stands in the queue of those to be looked at, and need not stand there twice.
    queued: bool,
}

impl<B> UserHomes<B> {
    /// Nobody.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { homes: name_map(seed), idle: VecDeque::new() }
    }

    /// A connection of the user, unless there are `limit` already. Gives what they share.
    pub fn attach(
        &mut self,
        user: &UserId,
        connection: Address,
        limit: Option<u32>,
        now: Duration,
        budget: impl FnOnce() -> Arc<B>,
    ) -> Option<Arc<B>> {
        self.forget_idle(now);
        let home = self.homes.entry(user.clone()).or_insert_with(|| Home {
            connections: Few::None,
            budget: budget(),
            used: now.into(),
            queued: false,
        });
        home.used = now.into();
        if limit.is_some_and(|limit| home.connections.len() >= limit as usize) {
            return None;
        }
        home.connections.push(connection);
        Some(Arc::clone(&home.budget))
    }

    /// The connection is gone, or belongs to nobody any more.
    pub fn detach(&mut self, user: &UserId, connection: Address, now: Duration) {
        let Some(home) = self.homes.get_mut(user) else { return };
        home.connections.remove(&connection);
        if home.connections.is_empty() {
            home.used = now.into();
            if !std::mem::replace(&mut home.queued, true) {
                self.idle.push_back((now, user.clone()));
            }
        }
    }

    /// Whether the user has a connection anywhere.
    #[must_use]
    pub fn is_here(&self, user: &UserId) -> bool {
        self.homes.get(user).is_some_and(|home| !home.connections.is_empty())
    }

    /// All connections of the user, on whatever loop.
    #[must_use]
    pub fn connections(&self, user: &UserId) -> &[Address] {
        self.homes.get(user).map(|home| home.connections.as_slice()).unwrap_or_default()
    }

    fn forget_idle(&mut self, now: Duration) {
        while let Some((since, _)) = self.idle.front()
            && *since + FORGET_AFTER <= now
        {
            let Some((since, user)) = self.idle.pop_front() else { return };
            let Some(home) = self.homes.get_mut(&user) else { continue };
            home.queued = false;
            if !home.connections.is_empty() {
                continue;
            }
            if home.used <= since.into() {
                self.homes.remove(&user);
            } else {
                // The user was back meanwhile, and has gone again: another time.
                home.queued = true;
                self.idle.push_back((now, user));
            }
        }
    }

    /// How many users have a connection.
    #[must_use]
    pub fn present(&self) -> usize {
        self.homes.values().filter(|home| !home.connections.is_empty()).count()
    }

    /// How many users are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.homes.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.homes.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::LoopId;

    #[test]
    fn a_user_has_so_many_connections_and_one_budget() {
        let mut homes = UserHomes::new(1);
        let ana = UserId::parse("ana").expect("a good id");
        let at =
            |slot| Address { home: LoopId(0), connection: ConnectionId { slot, generation: 0 } };
        let start = Duration::from_secs(1000);
        let first = homes.attach(&ana, at(1), Some(2), start, || Arc::new(1)).expect("room");
        let second = homes.attach(&ana, at(2), Some(2), start, || Arc::new(2)).expect("room");
        assert!(Arc::ptr_eq(&first, &second));
        assert!(homes.attach(&ana, at(3), Some(2), start, || Arc::new(3)).is_none());
        homes.detach(&ana, at(1), start);
        homes.detach(&ana, at(2), start);
        // Coming and going does not lengthen the queue.
        homes.attach(&ana, at(4), Some(2), start, || Arc::new(4)).expect("room");
        homes.detach(&ana, at(4), start);
        assert_eq!(homes.idle.len(), 1);
        // Coming back at once finds the same budget, after a while a new one.
        let back = homes.attach(&ana, at(4), Some(2), start, || Arc::new(4)).expect("room");
        assert!(Arc::ptr_eq(&first, &back));
        homes.detach(&ana, at(4), start);
        let later = homes.attach(&ana, at(5), Some(2), start + 2 * FORGET_AFTER, || Arc::new(5));
        assert_eq!(*later.expect("room"), 5);
    }
}
