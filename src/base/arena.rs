//! A slab with generations: a table whose keys are indices, and whose stale keys find nothing.
//!
//! Law: a key that was removed never finds what lives in its slot afterwards. Freed slots are
//! reused last in, first out; free slots at the end are given back, so memory follows the number
//! of values down as well as up. Limit: 2^32 − 1 values; generations repeat after 2^32 insertions.

use crate::base::id::ConnectionId;

/// Where a value lives, and which tenant of that slot it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// Index into the table.
    pub slot: u32,
    /// The insertion that let the slot.
    pub generation: u32,
}

impl Key {
    /// The key in one number: the slot above, the generation below.
    #[must_use]
    pub const fn to_u64(self) -> u64 {
        (self.slot as u64) << 32 | self.generation as u64
    }

    /// The key of a number made by [`to_u64`](Self::to_u64).
    #[must_use]
    pub const fn from_u64(number: u64) -> Self {
        Self { slot: (number >> 32) as u32, generation: number as u32 }
    }
}

impl From<ConnectionId> for Key {
    fn from(id: ConnectionId) -> Self {
        Self { slot: id.slot, generation: id.generation }
    }
}

impl From<Key> for ConnectionId {
    fn from(key: Key) -> Self {
        Self { slot: key.slot, generation: key.generation }
    }
}

const NONE: u32 = u32::MAX;
/// Below this capacity nothing is given back: it would be asked for again at once.
const KEPT: usize = 64;

#[derive(Debug)]
enum Slot<T> {
    Taken {
        generation: u32,
        value: T,
    },
    /// Linked both ways, so that a free slot at the end can leave the middle of the list.
    Free {
        before: u32,
        after: u32,
    },
}

/// The table. Every operation is O(1), iteration is in the order of the slots.
#[derive(Debug)]
pub struct Arena<T> {
    slots: Vec<Slot<T>>,
    /// The slot freed last.
    free: u32,
    len: usize,
    generation: u32,
}

impl<T> Default for Arena<T> {
    fn default() -> Self {
        Self { slots: Vec::new(), free: NONE, len: 0, generation: 0 }
    }
}

impl<T> Arena<T> {
    /// A table without values, which owns no memory.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many values live here.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether no value lives here.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The key that the next insertion will return.
    #[must_use]
    pub fn next_key(&self) -> Key {
        let slot = if self.free == NONE { self.slots.len() as u32 } else { self.free };
        Key { slot, generation: self.generation }
    }

    /// Takes in `value`.
    pub fn insert(&mut self, value: T) -> Key {
        let key = self.next_key();
        let taken = Slot::Taken { generation: key.generation, value };
        if self.free == NONE {
            debug_assert!(key.slot != NONE, "an arena holds fewer than 2^32 - 1 values");
            self.slots.push(taken);
        } else {
            self.unlink(key.slot);
            self.slots[key.slot as usize] = taken;
        }
        self.generation = self.generation.wrapping_add(1);
        self.len += 1;
        key
    }

    /// The value of `key`, unless it was removed.
    #[must_use]
    pub fn get(&self, key: impl Into<Key>) -> Option<&T> {
        let key = key.into();
        match self.slots.get(key.slot as usize)? {
            Slot::Taken { generation, value } if *generation == key.generation => Some(value),
            _ => None,
        }
    }

    /// The value of `key`, unless it was removed.
    #[must_use]
    pub fn get_mut(&mut self, key: impl Into<Key>) -> Option<&mut T> {
        let key = key.into();
        match self.slots.get_mut(key.slot as usize)? {
            Slot::Taken { generation, value } if *generation == key.generation => Some(value),
            _ => None,
        }
    }

    /// Whether `key` finds a value.
    #[must_use]
    pub fn contains(&self, key: impl Into<Key>) -> bool {
        self.get(key).is_some()
    }

    /// Removes and returns the value of `key`; from now on `key` finds nothing.
    pub fn remove(&mut self, key: impl Into<Key>) -> Option<T> {
        let key = key.into();
        if !self.contains(key) {
            return None;
        }
        let free = Slot::Free { before: NONE, after: self.free };
        if let Some(Slot::Free { before, .. }) = self.slots.get_mut(self.free as usize) {
            *before = key.slot;
        }
        self.free = key.slot;
        self.len -= 1;
        let taken = std::mem::replace(&mut self.slots[key.slot as usize], free);
        self.give_back();
        match taken {
            Slot::Taken { value, .. } => Some(value),
            Slot::Free { .. } => None,
        }
    }

    /// Every key and value, in the order of the slots.
    pub fn iter(&self) -> impl Iterator<Item = (Key, &T)> {
        self.slots.iter().zip(0u32..).filter_map(|(entry, slot)| match entry {
            Slot::Taken { generation, value } => {
                Some((Key { slot, generation: *generation }, value))
            }
            Slot::Free { .. } => None,
        })
    }

    /// Every key and value, in the order of the slots.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (Key, &mut T)> {
        self.slots.iter_mut().zip(0u32..).filter_map(|(entry, slot)| match entry {
            Slot::Taken { generation, value } => {
                Some((Key { slot, generation: *generation }, value))
            }
            Slot::Free { .. } => None,
        })
    }

    /// Takes a free slot out of the list of free slots.
    fn unlink(&mut self, slot: u32) {
        let Some(&Slot::Free { before, after }) = self.slots.get(slot as usize) else {
            return;
        };
        match self.slots.get_mut(before as usize) {
            Some(Slot::Free { after: link, .. }) => *link = after,
            _ => self.free = after,
        }
        if let Some(Slot::Free { before: link, .. }) = self.slots.get_mut(after as usize) {
            *link = before;
        }
    }

    /// Drops the free slots at the end: each was pushed once, so this is O(1) on average.
    fn give_back(&mut self) {
        while let Some(Slot::Free { .. }) = self.slots.last() {
            self.unlink((self.slots.len() - 1) as u32);
            self.slots.pop();
        }
        if self.slots.capacity() > KEPT && self.slots.len() < self.slots.capacity() / 4 {
            self.slots.shrink_to((self.slots.len() * 2).max(KEPT));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Rng;
    use std::collections::BTreeMap;

    #[test]
    fn a_stale_key_finds_nothing() {
        let mut arena = Arena::new();
        let (first, kept) = (arena.insert("a"), arena.insert("b"));
        assert_eq!(arena.remove(first), Some("a"));
        let second = arena.insert("c");
        assert_eq!(second.slot, first.slot);
        assert_eq!(arena.get(first), None);
        assert_eq!(arena.remove(first), None);
        assert_eq!((arena.get(second), arena.get(kept)), (Some(&"c"), Some(&"b")));
        assert_eq!(arena.get(ConnectionId::from(second)), Some(&"c"));
        assert_eq!(Key::from_u64(second.to_u64()), second);
    }

    #[test]
    fn slots_are_reused_last_in_first_out() {
        let mut arena = Arena::new();
        let keys: Vec<_> = (0..5).map(|n| arena.insert(n)).collect();
        for slot in [1, 3, 2] {
            arena.remove(keys[slot]);
        }
        let order: Vec<_> = (0..4)
            .map(|n| {
                let promised = arena.next_key();
                assert_eq!(arena.insert(n), promised);
                promised.slot
            })
            .collect();
        assert_eq!(order, [2, 3, 1, 5]);
    }

    #[test]
    fn agrees_with_a_map_and_gives_memory_back() {
        let mut rng = Rng::new(5);
        let (mut arena, mut model, mut stale) = (Arena::new(), BTreeMap::new(), Vec::new());
        for phase in 0..20 {
            for _ in 0..500 {
                let grow = rng.below(4) < if phase % 2 == 0 { 3 } else { 1 };
                if grow || model.is_empty() {
                    let value = rng.next_u64();
                    assert_eq!(model.insert(arena.insert(value), value), None);
                } else {
                    let at = rng.below(model.len() as u64) as usize;
                    let key = *model.keys().nth(at).unwrap();
                    assert_eq!(arena.remove(key), model.remove(&key));
                    stale.push(key);
                }
            }
            assert_eq!(arena.len(), model.len());
            assert!(arena.iter().map(|(k, v)| (k, *v)).eq(model.iter().map(|(k, v)| (*k, *v))));
            assert!(stale.iter().all(|key| !arena.contains(*key)));
        }
        for key in model.into_keys() {
            arena.remove(key);
        }
        assert!(arena.is_empty() && arena.slots.capacity() <= KEPT);
        assert_eq!(arena.iter_mut().count(), 0);
    }
}
