//! Subscriptions to all channels of a namespace, as `room:*`.
//!
//! Law: a loop is among those that hear a namespace from before its first subscription stands until
//! after its last one has gone: what it says to a home keeps its order. Limit: few connections have
//! such a subscription, so lists are searched; where nobody has one, one look says so.

use crate::base::id::{ConnectionId, LoopId};

/// What ends the name of a pattern.
const ALL: &str = ":*";

/// The namespace of a pattern; none: this is no pattern.
#[must_use]
pub fn namespace(pattern: &str) -> Option<&str> {
    let namespace = pattern.strip_suffix(ALL)?;
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    let fits = (1..=126).contains(&namespace.len()) && namespace.bytes().all(allowed);
    fits.then_some(namespace)
}

/// At the homes of channels: which loops hear all of a namespace.
#[derive(Debug, Default)]
pub struct Everywhere(Vec<(Box<str>, Vec<LoopId>)>);

impl Everywhere {
    /// A loop hears all of a namespace from now on.
    pub fn listen(&mut self, namespace: &str, who: LoopId) {
        let at = self.0.iter().position(|(known, _)| **known == *namespace);
        let at = at.unwrap_or_else(|| {
            self.0.push((namespace.into(), Vec::new()));
            self.0.len() - 1
        });
        let loops = &mut self.0[at].1;
        if !loops.contains(&who) {
            loops.push(who);
        }
    }

    /// It does not any more.
    pub fn unlisten(&mut self, namespace: &str, who: LoopId) {
        for (_, loops) in self.0.iter_mut().filter(|(known, _)| **known == *namespace) {
            loops.retain(|known| *known != who);
        }
        self.0.retain(|(_, loops)| !loops.is_empty());
    }

    /// The loops that hear all of a namespace.
    #[must_use]
    pub fn loops(&self, namespace: &str) -> &[LoopId] {
        let found = self.0.iter().find(|(known, _)| **known == *namespace);
        found.map(|(_, loops)| &**loops).unwrap_or_default()
    }

    /// Whether nobody hears all of anything.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// On each loop: which of its connections hear all of a namespace.
#[derive(Debug, Default)]
pub struct Patterns(Vec<Pattern>);

#[derive(Debug)]
struct Pattern {
    namespace: Box<str>,
    receivers: Vec<ConnectionId>,
    /// Their reply is still to come.
    waiting: Vec<ConnectionId>,
}

impl Patterns {
    /// How many namespaces are heard.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether none is.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn find(&mut self, namespace: &str) -> Option<&mut Pattern> {
        self.0.iter_mut().find(|pattern| *pattern.namespace == *namespace)
    }

    /// A connection is to hear all of a namespace from [`release`](Self::release) on.
    pub fn hold(&mut self, namespace: &str, connection: ConnectionId) {
        if let Some(pattern) = self.find(namespace) {
            return pattern.waiting.push(connection);
        }
        let (namespace, waiting) = (namespace.into(), vec![connection]);
        self.0.push(Pattern { namespace, receivers: Vec::new(), waiting });
    }

    /// It hears from now on.
    pub fn release(&mut self, namespace: &str, connection: ConnectionId) {
        let Some(pattern) = self.find(namespace) else { return };
        if let Some(at) = pattern.waiting.iter().position(|known| *known == connection) {
            pattern.waiting.swap_remove(at);
            pattern.receivers.push(connection);
        }
    }

    /// It hears no more; whether it was the last one of this loop.
    pub fn remove(&mut self, namespace: &str, connection: ConnectionId) -> bool {
        let Some(pattern) = self.find(namespace) else { return false };
        pattern.receivers.retain(|known| *known != connection);
        pattern.waiting.retain(|known| *known != connection);
        let last = pattern.receivers.is_empty() && pattern.waiting.is_empty();
        self.0.retain(|pattern| !pattern.receivers.is_empty() || !pattern.waiting.is_empty());
        last
    }

    /// Who hears all of a namespace.
    #[must_use]
    pub fn receivers(&self, namespace: &str) -> &[ConnectionId] {
        let found = self.0.iter().find(|pattern| *pattern.namespace == *namespace);
        found.map(|pattern| &*pattern.receivers).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_of_a_whole_namespace() {
        for (pattern, expected) in [
            ("room:*", Some("room")),
            ("a.b-c_d:*", Some("a.b-c_d")),
            ("*", None),
            (":*", None),
            ("room:a*", None),
            ("room:a:*", None),
            ("ro*m:*", None),
            ("room", None),
        ] {
            assert_eq!(namespace(pattern), expected, "{pattern}");
        }
        assert_eq!(namespace(&format!("{}:*", "x".repeat(127))), None);
    }

    #[test]
    fn homes_know_the_loops_and_loops_their_connections() {
        let mut homes = Everywhere::default();
        assert!(homes.is_empty() && homes.loops("room").is_empty());
        homes.listen("room", LoopId(1));
        homes.listen("room", LoopId(1));
        homes.listen("room", LoopId(0));
        homes.listen("user", LoopId(2));
        assert_eq!(homes.loops("room"), [LoopId(1), LoopId(0)]);
        homes.unlisten("room", LoopId(1));
        assert_eq!(homes.loops("room"), [LoopId(0)]);
        homes.unlisten("room", LoopId(0));
        assert!(homes.loops("room").is_empty());

        let of = |slot| ConnectionId { slot, generation: 0 };
        let mut patterns = Patterns::default();
        patterns.hold("room", of(1));
        patterns.hold("room", of(2));
        assert_eq!(patterns.receivers("room"), []);
        patterns.release("room", of(1));
        assert_eq!(
            (patterns.receivers("room"), patterns.receivers("user")),
            (&[of(1)][..], &[][..])
        );
        assert!(!patterns.remove("room", of(1)) && patterns.remove("room", of(2)));
        assert!(patterns.is_empty() && !patterns.remove("room", of(2)));
    }
}
