//! On each loop: what was revoked lately, because who was verified before may still be on the way in.
//!
//! A token is looked up, and a while later its bearer is on the connection. A revocation between
//! the two finds nobody to close; remembered here, it is found by whoever comes in.
//! Law: nothing revoked is forgotten while a request that was verified before can still wait.

use std::collections::VecDeque;
use std::time::Duration;

use crate::base::hash::{NameMap, name_map};
use crate::base::id::Id;

/// How long a revocation is remembered: longer than all that an arrival waits for.
const FORGET_AFTER: Duration = Duration::from_secs(600);

/// Sessions and tokens that were revoked lately.
#[derive(Debug)]
pub struct Revocations {
    /// When each was revoked last.
    known: NameMap<Id, Duration>,
    /// The same by time, oldest first.
    order: VecDeque<(Duration, Id)>,
}

impl Revocations {
    /// None.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { known: name_map(seed), order: VecDeque::new() }
    }

    /// A session or a token was revoked; what was revoked long ago is forgotten.
    pub fn insert(&mut self, id: Id, now: Duration) {
        while let Some((since, id)) = self.order.front()
            && *since + FORGET_AFTER <= now
        {
            if self.known.get(id) == Some(since) {
                self.known.remove(id);
            }
            self.order.pop_front();
        }
        self.known.insert(id, now);
        self.order.push_back((now, id));
    }

    /// Whether the session or token was revoked lately.
    #[must_use]
    pub fn contains(&self, id: Id) -> bool {
        self.known.contains_key(&id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_revoked_is_remembered_for_a_while_after_the_last_time() {
        let (mut revocations, start) = (Revocations::new(1), Duration::from_secs(1000));
        revocations.insert(Id(1), start);
        revocations.insert(Id(1), start + FORGET_AFTER / 2);
        revocations.insert(Id(2), start + FORGET_AFTER);
        assert!(revocations.contains(Id(1)) && revocations.contains(Id(2)));
        revocations.insert(Id(3), start + 2 * FORGET_AFTER);
        assert!(!revocations.contains(Id(1)) && !revocations.contains(Id(2)));
        assert!(revocations.contains(Id(3)));
    }
}
