//! On each loop: what was revoked lately, because who was verified before may still be on the way in.
//!
//! A token is looked up, and a while later its bearer is on the connection. A revocation between
//! the two finds nobody to close; remembered here, it is found by whoever comes in.
//! Law: nothing revoked is forgotten while a request that was verified before can still wait.

use std::collections::VecDeque;
use std::time::Duration;

use crate::base::hash::{NameMap, name_map};
use crate::base::id::{Id, UserId};
use crate::base::now::Now;

/// How long a revocation is remembered: longer than all that an arrival waits for.
const FORGET_AFTER: Duration = Duration::from_secs(600);

/// Sessions and tokens that were revoked lately.
#[derive(Debug)]
pub struct Revocations {
    /// When each was revoked last.
    known: NameMap<Id, Duration>,
    /// The same by time, oldest first.
    order: VecDeque<(Duration, Id)>,
    /// Users whose every token was, when by the clock of tokens, and when on ours.
    users: NameMap<UserId, (u64, Duration)>,
    /// The same by time.
    user_order: VecDeque<(Duration, UserId)>,
}

impl Revocations {
    /// None.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            known: name_map(seed),
            order: VecDeque::new(),
            users: name_map(seed),
            user_order: VecDeque::new(),
        }
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

    /// Every token of a user was revoked.
    pub fn insert_user(&mut self, user: &UserId, now: Now) {
        while let Some((since, user)) = self.user_order.front()
            && *since + FORGET_AFTER <= now.monotonic
        {
            if self.users.get(user).is_some_and(|(_, at)| at == since) {
                self.users.remove(user);
            }
            self.user_order.pop_front();
        }
        self.users.insert(user.clone(), (now.unix_s(), now.monotonic));
        self.user_order.push_back((now.monotonic, user.clone()));
    }

    /// Whether a token of a user, issued then, was revoked lately with all others.
    #[must_use]
    pub fn covers(&self, user: &UserId, issued_s: Option<u64>) -> bool {
        let revoked = self.users.get(user);
        revoked.is_some_and(|(revoked_s, _)| issued_s.is_none_or(|issued_s| issued_s <= *revoked_s))
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
    #[test]
    fn a_token_that_was_issued_later_is_not_covered() {
        let mut revocations = Revocations::new(1);
        let (ana, bob) = (UserId("ana".into()), UserId("bob".into()));
        let now = |s| Now { monotonic: Duration::from_secs(s), unix_ms: s * 1000 };
        revocations.insert_user(&ana, now(1000));
        assert!(revocations.covers(&ana, Some(1000)) && revocations.covers(&ana, None));
        assert!(!revocations.covers(&ana, Some(1001)) && !revocations.covers(&bob, None));
        revocations.insert_user(&bob, now(1600));
        assert!(!revocations.covers(&ana, None) && revocations.covers(&bob, None));
    }
}
