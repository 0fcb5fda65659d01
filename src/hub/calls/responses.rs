//! Answers of backends that are kept for repeats of the same call (SPEC §4 "Cache").
//!
//! Law: an answer is found by a call that is the same in everything its [`key`] names, and by no
//! other; it is never older than it was allowed to become; and all of them together, with their
//! keys, stay below a number of bytes: what came first goes first.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::Action;
use crate::base::hash::{NameMap, name_map};
use crate::base::id::UserId;
use crate::message::json::minified;

/// What an answer costs beside its text and its key.
const OVERHEAD_BYTES: usize = 160;

/// What makes two calls the same: the action, the user (none: all users), the request id (none:
/// whichever), and the parameters without the white space between their tokens.
///
/// A line feed is in none of the parts, so no two sets of parts make the same key.
#[must_use]
pub fn key(
    action: &Action,
    user: Option<&UserId>,
    request_id: Option<&str>,
    params: &str,
) -> String {
    let (kind, name) = (action.kind.word(), &action.name);
    let user = user.map_or("", UserId::as_str);
    let request_id = request_id.unwrap_or_default();
    format!("{kind}\n{name}\n{user}\n{request_id}\n{}", minified(params))
}

#[derive(Debug)]
struct Kept {
    data: Arc<str>,
    until: Duration,
    /// Which of the entries of the queue is this one's.
    serial: u64,
}

impl Kept {
    fn bytes(&self, key: &str) -> usize {
        key.len() + self.data.len() + OVERHEAD_BYTES
    }
}

/// Answers by key.
#[derive(Debug)]
pub struct Responses {
    kept: NameMap<Arc<str>, Kept>,
    /// Oldest first; what was replaced or is over still stands here for a while.
    order: VecDeque<(u64, Arc<str>)>,
    serial: u64,
    bytes: usize,
    bytes_max: usize,
}

impl Responses {
    /// None yet, and never more than so many bytes.
    #[must_use]
    pub fn new(seed: u64, bytes_max: usize) -> Self {
        let (kept, order) = (name_map(seed), VecDeque::new());
        Self { kept, order, serial: 0, bytes: 0, bytes_max }
    }

    /// How many bytes are kept.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many answers are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// The answer to a call with this key, unless it is too old.
    pub fn get(&mut self, key: &str, now: Duration) -> Option<Arc<str>> {
        let kept = self.kept.get(key)?;
        if now < kept.until {
            return Some(Arc::clone(&kept.data));
        }
        self.remove(key);
        None
    }

    /// Keeps an answer for so long. Gives how many others had to go before their time.
    pub fn put(&mut self, key: &str, data: Arc<str>, ttl: Duration, now: Duration) -> usize {
        self.remove(key);
        let kept = Kept { data, until: now + ttl, serial: self.serial };
        let bytes = kept.bytes(key);
        if ttl.is_zero() || bytes > self.bytes_max {
            return 0;
        }
        let evicted = self.make_room(self.bytes_max - bytes, now);
        let key: Arc<str> = key.into();
        self.bytes += bytes;
        self.order.push_back((self.serial, Arc::clone(&key)));
        self.serial += 1;
        self.kept.insert(key, kept);
        if self.order.len() > 2 * self.kept.len() + 64 {
            let kept = &self.kept;
            self.order.retain(|(serial, key)| kept.get(key).is_some_and(|k| k.serial == *serial));
        }
        evicted
    }

    /// The oldest go until so many bytes are left, and those behind them that are over.
    fn make_room(&mut self, left: usize, now: Duration) -> usize {
        let mut evicted = 0;
        while let Some((serial, key)) = self.order.front() {
            match self.kept.get(key).filter(|kept| kept.serial == *serial) {
                Some(kept) if now < kept.until && self.bytes <= left => break,
                Some(kept) => {
                    evicted += usize::from(now < kept.until);
                    let key = Arc::clone(key);
                    self.remove(&key);
                }
                None => {}
            }
            self.order.pop_front();
        }
        evicted
    }

    fn remove(&mut self, key: &str) {
        if let Some(kept) = self.kept.remove(key) {
            self.bytes -= kept.bytes(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1000);
    const TTL: Duration = Duration::from_secs(10);

    #[test]
    fn calls_are_the_same_when_every_part_is() {
        let action = |text| Action::parse(text).expect("an action");
        let (ana, bob) = (UserId("ana".into()), UserId("bob".into()));
        let (click, tap) = (action("ui_action:click"), action("ui_action:tap"));
        let first = key(&click, Some(&ana), Some("1"), r#"{"a": "b c"}"#);
        assert_eq!(first, key(&click, Some(&ana), Some("1"), "{ \"a\":\n\"b c\" }"));
        for other in [
            key(&tap, Some(&ana), Some("1"), r#"{"a": "b c"}"#),
            key(&action("data_request:click"), Some(&ana), Some("1"), r#"{"a": "b c"}"#),
            key(&click, Some(&bob), Some("1"), r#"{"a": "b c"}"#),
            key(&click, None, Some("1"), r#"{"a": "b c"}"#),
            key(&click, Some(&ana), Some("\"1\""), r#"{"a": "b c"}"#),
            key(&click, Some(&ana), None, r#"{"a": "b c"}"#),
            key(&click, Some(&ana), Some("1"), r#"{"a": "bc"}"#),
            key(&click, Some(&ana), Some("1"), "{}"),
        ] {
            assert_ne!(first, other);
        }
    }

    #[test]
    fn an_answer_is_kept_for_its_time() {
        let mut responses = Responses::new(1, 10_000);
        responses.put("a", "1".into(), TTL, NOW);
        assert_eq!(responses.get("a", NOW + TTL / 2).as_deref(), Some("1"));
        assert_eq!(responses.get("b", NOW), None);
        responses.put("a", "2".into(), TTL, NOW + TTL / 2);
        assert_eq!(responses.get("a", NOW + TTL).as_deref(), Some("2"));
        assert_eq!(responses.get("a", NOW + TTL * 3 / 2), None);
        assert!(responses.is_empty() && responses.bytes() == 0);
        responses.put("a", "3".into(), Duration::ZERO, NOW);
        assert!(responses.is_empty(), "no time, no answer");
    }

    #[test]
    fn the_oldest_goes_first_and_the_bytes_stay_below_the_bound() {
        let mut responses = Responses::new(1, 5 * (OVERHEAD_BYTES + 102));
        let data: Arc<str> = "x".repeat(100).into();
        let evicted: usize =
            (10..30).map(|n| responses.put(&n.to_string(), data.clone(), TTL, NOW)).sum();
        assert_eq!((evicted, responses.len()), (15, 5));
        assert!(responses.get("25", NOW).is_some() && responses.get("24", NOW).is_none());
        assert_eq!(responses.put("big", "x".repeat(5000).into(), TTL, NOW), 0);
        assert_eq!(responses.len(), 5, "what fits nowhere moves nobody");
        // What is over goes without having been pushed out.
        assert_eq!(responses.put("30", data, TTL, NOW + TTL), 0);
        assert_eq!(responses.len(), 1);
    }

    #[test]
    fn replacing_the_same_answer_over_and_over_costs_no_memory() {
        let mut responses = Responses::new(1, 10_000);
        for n in 0..1000 {
            responses.put("a", "1".into(), TTL, NOW + Duration::from_millis(n));
        }
        assert!(responses.order.len() < 100, "{}", responses.order.len());
        assert_eq!(responses.bytes(), 2 + OVERHEAD_BYTES);
    }
}
