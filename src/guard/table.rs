//! A map of fixed size that forgets what was touched longest ago.
//!
//! Law: it never holds more than its capacity, whatever strangers send. Every operation is
//! O(log n). Forgetting is by touch, and the order of touches is kept in a sorted map, so the same
//! run forgets the same entries.

use crate::base::hash::{NameMap, name_map};
use std::collections::BTreeMap;
use std::hash::Hash;
use std::time::Duration;

#[derive(Debug)]
struct Entry<V> {
    touch: u64,
    at: Duration,
    value: V,
}

/// The map.
#[derive(Debug)]
pub(super) struct Table<K, V> {
    entries: NameMap<K, Entry<V>>,
    order: BTreeMap<u64, K>,
    touches: u64,
    capacity: usize,
}

impl<K: Clone + Eq + Hash, V: Default> Table<K, V> {
    /// A map of at most `capacity` entries.
    pub(super) fn new(capacity: usize, seed: u64) -> Self {
        let capacity = capacity.max(1);
        Self { entries: name_map(seed), order: BTreeMap::new(), touches: 0, capacity }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The value of `key`, made when there is none; it is now the one touched last.
    pub(super) fn touch(&mut self, now: Duration, key: &K) -> &mut V {
        self.touches += 1;
        if let Some(entry) = self.entries.get(key) {
            self.order.remove(&entry.touch);
        } else if self.entries.len() >= self.capacity
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.entries.remove(&oldest);
        }
        self.order.insert(self.touches, key.clone());
        let fresh = || Entry { touch: 0, at: now, value: V::default() };
        let entry = self.entries.entry(key.clone()).or_insert_with(fresh);
        (entry.touch, entry.at) = (self.touches, now);
        &mut entry.value
    }

    pub(super) fn remove(&mut self, key: &K) {
        if let Some(entry) = self.entries.remove(key) {
            self.order.remove(&entry.touch);
        }
    }

    /// Forgets what was not touched for `idle`, and gives the memory of a crowd back.
    pub(super) fn sweep(&mut self, now: Duration, idle: Duration) {
        while let Some(oldest) = self.order.first_entry() {
            let old = |entry: &Entry<V>| now.saturating_sub(entry.at) >= idle;
            if !self.entries.get(oldest.get()).is_none_or(old) {
                break;
            }
            self.entries.remove(&oldest.remove());
        }
        if self.entries.len() < self.entries.capacity() / 8 {
            self.entries.shrink_to(self.entries.len() * 2);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_one_touched_longest_ago_is_forgotten() {
        let mut table: Table<u32, u32> = Table::new(3, 1);
        for key in [1, 2, 3, 1, 4] {
            *table.touch(s(0), &key) += 10;
        }
        assert_eq!(table.len(), 3);
        assert_eq!((*table.touch(s(0), &1), *table.touch(s(0), &2)), (20, 0));
        assert_eq!(table.order.len(), table.len());
    }

    #[test]
    fn what_is_idle_is_swept_and_memory_given_back() {
        let mut table: Table<u32, u32> = Table::new(10_000, 1);
        for key in 0..10_000 {
            table.touch(s(0), &key);
        }
        table.touch(s(5), &7);
        table.remove(&8);
        table.sweep(s(9), s(10));
        assert_eq!(table.len(), 9999);
        table.sweep(s(10), s(10));
        assert_eq!((table.len(), table.order.len()), (1, 1));
        assert!(table.entries.capacity() < 100);
    }
}
