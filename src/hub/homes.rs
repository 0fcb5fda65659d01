//! Everything shared has one key and one home loop, which every loop computes alike.

use crate::base::hash::NameHash;
use crate::base::id::{LoopId, UserId};
use crate::hub::AsChannel;
use crate::hub::calls::Action;

/// Which loop owns what.
#[derive(Clone, Copy, Debug)]
pub struct Homes {
    hash: NameHash,
    loops: u16,
}

impl Homes {
    /// The homes among `loops` loops; all of them are given the same seed.
    #[must_use]
    pub const fn new(seed: u64, loops: u16) -> Self {
        Self { hash: NameHash::new(seed), loops }
    }

    /// Every loop.
    pub fn all(&self) -> impl Iterator<Item = LoopId> + use<> {
        (0..self.loops).map(LoopId)
    }

    /// How many loops there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.loops as usize
    }

    /// Whether there are none, which is never.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.loops == 0
    }

    /// The loop that numbers a channel and knows which loops listen.
    #[must_use]
    pub fn of_channel(&self, channel: &impl AsChannel) -> LoopId {
        self.home(&channel.as_channel())
    }

    /// The loop that knows the connections of a user.
    #[must_use]
    pub fn of_user(&self, user: &UserId) -> LoopId {
        self.home(user)
    }

    /// The loop that knows the workers, the breaker and the kept answers of an action.
    #[must_use]
    pub fn of_action(&self, action: &Action) -> LoopId {
        self.home(action)
    }

    /// The loop that counts the logins on an account, by its folded name.
    #[must_use]
    pub fn of_account(&self, name: &str) -> LoopId {
        self.home(name)
    }

    fn home<K: std::hash::Hash + ?Sized>(&self, key: &K) -> LoopId {
        if self.loops == 1 { LoopId(0) } else { LoopId(self.hash.home(key, self.loops)) }
    }
}
