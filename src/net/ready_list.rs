//! Who is to be visited again without a new edge: mio reports readiness once, not until it is used.
//!
//! Holds slots, not ids: a visit to a slot that has a new tenant finds nothing to do and does no
//! harm, while a tenant kept out by the entry of the one before would never be visited.

use std::collections::VecDeque;

/// Slots to visit, each at most once, first come first served.
#[derive(Debug, Default)]
pub(super) struct ReadyList {
    order: VecDeque<u32>,
    listed: Vec<bool>,
}

impl ReadyList {
    /// Puts `slot` at the end unless it stands there already.
    pub(super) fn push(&mut self, slot: u32) {
        let place = slot as usize;
        if place >= self.listed.len() {
            self.listed.resize(place + 1, false);
        }
        if !self.listed[place] {
            self.listed[place] = true;
            self.order.push_back(slot);
        }
    }

    /// Takes the first. Whoever is pushed again stands at the end: a round is `len()` pops.
    pub(super) fn pop(&mut self) -> Option<u32> {
        let slot = self.order.pop_front()?;
        self.listed[slot as usize] = false;
        Some(slot)
    }

    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stands_once_and_in_order() {
        let mut list = ReadyList::default();
        for slot in [3, 1, 3, 70, 1] {
            list.push(slot);
        }
        assert_eq!(list.len(), 3);
        assert_eq!(std::iter::from_fn(|| list.pop()).collect::<Vec<_>>(), [3, 1, 70]);
        assert!(list.is_empty());
    }

    #[test]
    fn a_round_ends_though_everyone_comes_again() {
        let mut list = ReadyList::default();
        (0..3).for_each(|slot| list.push(slot));
        let mut visited = Vec::new();
        for _ in 0..list.len() {
            let slot = list.pop().unwrap();
            visited.push(slot);
            list.push(slot);
        }
        assert_eq!((visited, list.len()), (vec![0, 1, 2], 3));
        assert_eq!(list.pop(), Some(0));
        list.push(0);
        assert_eq!(std::iter::from_fn(|| list.pop()).collect::<Vec<_>>(), [1, 2, 0]);
    }
}
