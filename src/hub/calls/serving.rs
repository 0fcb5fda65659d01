//! On the loop of a worker's connection: what it serves, and which calls it has not answered.
//!
//! Law: a call is answered by the connection that was called, at most once.

use super::Action;
use crate::base::arena::Key;
use crate::base::hash::{IdMap, id_map};
use crate::base::id::{ConnectionId, Id, LoopId};

/// The workers among the connections of one loop.
#[derive(Debug)]
pub struct Serving {
    seed: u64,
    connections: IdMap<ConnectionId, Worker>,
}

#[derive(Debug)]
struct Worker {
    actions: Vec<Action>,
    /// By what the worker knows; where each call is at home.
    calls: IdMap<Id, (LoopId, Key)>,
}

impl Serving {
    /// No workers.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { seed, connections: id_map(seed) }
    }

    /// How many workers there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.connections.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.connections.is_empty()
    }

    /// What a connection serves.
    #[must_use]
    pub fn actions(&self, connection: ConnectionId) -> &[Action] {
        self.connections.get(&connection).map(|worker| &*worker.actions).unwrap_or_default()
    }

    /// A connection serves these too. Gives those that are new; none when they would be more than
    /// `most` in all, and then nothing changes.
    pub fn add(
        &mut self,
        connection: ConnectionId,
        actions: Vec<Action>,
        most: usize,
    ) -> Option<Vec<Action>> {
        let mut new: Vec<Action> = Vec::new();
        for action in actions {
            if !self.actions(connection).contains(&action) && !new.contains(&action) {
                new.push(action);
            }
        }
        if self.actions(connection).len() + new.len() > most {
            return None;
        }
        let seed = self.seed;
        let fresh = || Worker { actions: Vec::new(), calls: id_map(seed) };
        let worker = self.connections.entry(connection).or_insert_with(fresh);
        worker.actions.extend(new.iter().cloned());
        Some(new)
    }

    /// A connection is called. Whether it is a worker.
    pub fn called(&mut self, connection: ConnectionId, id: Id, home: LoopId, key: Key) -> bool {
        let worker = self.connections.get_mut(&connection);
        worker.is_some_and(|worker| worker.calls.insert(id, (home, key)).is_none())
    }

    /// A connection has answered, or its time is over: where the call is at home, if it has one.
    pub fn over(&mut self, connection: ConnectionId, id: Id) -> Option<(LoopId, Key)> {
        self.connections.get_mut(&connection)?.calls.remove(&id)
    }

    /// A connection serves no more. Gives what it did.
    pub fn remove(&mut self, connection: ConnectionId) -> Vec<Action> {
        if self.connections.is_empty() {
            return Vec::new();
        }
        self.connections.remove(&connection).map(|worker| worker.actions).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORKER: ConnectionId = ConnectionId { slot: 1, generation: 1 };
    const OTHER: ConnectionId = ConnectionId { slot: 2, generation: 2 };
    const KEY: Key = Key { slot: 0, generation: 0 };

    fn actions(texts: &[&str]) -> Vec<Action> {
        texts.iter().map(|text| Action::parse(text).expect("an action")).collect()
    }

    #[test]
    fn serving_again_adds_what_is_new_up_to_a_number() {
        let mut serving = Serving::new(1);
        let both = actions(&["command:a", "command:b"]);
        assert_eq!(
            serving.add(WORKER, actions(&["command:a", "command:a"]), 2).map(|n| n.len()),
            Some(1)
        );
        assert_eq!(serving.add(WORKER, both.clone(), 2), Some(actions(&["command:b"])));
        assert_eq!(serving.add(WORKER, actions(&["command:c"]), 2), None);
        assert_eq!(serving.actions(WORKER), both);
        assert_eq!(serving.remove(WORKER), both);
        assert!(serving.remove(WORKER).is_empty() && serving.is_empty());
    }

    #[test]
    fn only_the_called_one_answers_and_only_once() {
        let mut serving = Serving::new(1);
        serving.add(WORKER, actions(&["command:a"]), 9).expect("room");
        serving.add(OTHER, actions(&["command:a"]), 9).expect("room");
        assert!(serving.called(WORKER, Id(7), LoopId(1), KEY));
        assert_eq!(serving.over(OTHER, Id(7)), None);
        assert_eq!(serving.over(WORKER, Id(8)), None);
        assert_eq!(serving.over(WORKER, Id(7)), Some((LoopId(1), KEY)));
        assert_eq!(serving.over(WORKER, Id(7)), None);
        serving.remove(WORKER);
        assert!(!serving.called(WORKER, Id(9), LoopId(1), KEY), "it is gone");
    }
}
