//! Calls on their way that others are the same as: who calls the same meanwhile waits for the one
//! answer (SPEC §4 "Cache").
//!
//! Law: while a call is on its way no other with its key begins, and who has joined is told once how it
//! ended, well or not. Limit: who joins is an unanswered request of a connection, of which there are
//! few.

use std::sync::Arc;

use crate::base::hash::{NameMap, name_map};

/// Calls on their way by key, each with those who wait beside its first caller.
#[derive(Debug)]
pub struct Joined<C>(NameMap<Arc<str>, Vec<C>>);

impl<C> Joined<C> {
    /// None.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(name_map(seed))
    }

    /// How many calls may be joined.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether none may.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A call begins that may be joined.
    pub fn begin(&mut self, key: &str) {
        self.0.insert(key.into(), Vec::new());
    }

    /// Whether a call with this key is on its way: then the caller waits with it.
    pub fn join(&mut self, key: &str, caller: C) -> bool {
        let Some(callers) = self.0.get_mut(key) else { return false };
        callers.push(caller);
        true
    }

    /// It has ended. Gives those who waited with it, in their order.
    pub fn end(&mut self, key: &str) -> Vec<C> {
        self.0.remove(key).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_calls_the_same_meanwhile_waits_with_it() {
        let mut joined = Joined::new(1);
        assert!(!joined.join("a", 1), "nothing is on its way");
        joined.begin("a");
        joined.begin("b");
        assert!(joined.join("a", 2) && joined.join("a", 3) && !joined.join("c", 4));
        assert_eq!(
            (joined.end("a"), joined.end("b"), joined.end("c")),
            (vec![2, 3], vec![], vec![])
        );
        assert!(joined.is_empty() && !joined.join("a", 5), "it is over");
    }
}
