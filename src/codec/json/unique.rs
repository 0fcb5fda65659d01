//! No key twice in one object, compared after unescaping (RFC 8259 §4 leaves it open, SPEC §3 does not).
//!
//! Keys are remembered as places in the text. Law: an object of n keys costs n·log n comparisons
//! whatever the keys are, so nobody can choose them badly for us. Limit: 32 open keys without the heap.

use std::borrow::Cow;

const INLINE: usize = 32;
/// Up to here every pair is compared, which needs no memory.
const PAIRS_MAX: usize = 16;

/// A string in the text, without its quotes.
#[derive(Clone, Copy, Default)]
pub(super) struct Span {
    pub(super) start: u32,
    pub(super) end: u32,
    /// Whether it holds a backslash.
    pub(super) escaped: bool,
}

impl Span {
    pub(super) fn raw<'a>(&self, text: &'a str) -> &'a str {
        text.get(self.start as usize..self.end as usize).unwrap_or_default()
    }

    /// The same without looking for character boundaries, for comparing.
    fn bytes<'a>(&self, text: &'a str) -> &'a [u8] {
        text.as_bytes().get(self.start as usize..self.end as usize).unwrap_or_default()
    }

    pub(super) fn unescape<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let raw = self.raw(text);
        if !self.escaped {
            return Cow::Borrowed(raw);
        }
        // Validated before, so serde_json takes it.
        Cow::Owned(serde_json::from_str(&format!("\"{raw}\"")).unwrap_or_default())
    }
}

/// The keys of all objects that are open, those of the innermost last.
pub(super) struct Keys {
    inline: [Span; INLINE],
    len: usize,
    /// All of them, once they were more than fit inline.
    spill: Vec<Span>,
}

impl Keys {
    pub(super) const fn new() -> Self {
        let none = Span { start: 0, end: 0, escaped: false };
        Self { inline: [none; INLINE], len: 0, spill: Vec::new() }
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) fn push(&mut self, key: Span) {
        match self.inline.get_mut(self.len) {
            Some(place) if self.spill.is_empty() => *place = key,
            _ => {
                if self.spill.is_empty() {
                    self.spill.extend_from_slice(&self.inline);
                }
                self.spill.push(key);
            }
        }
        self.len = self.len.saturating_add(1);
    }

    /// Ends the object whose first key was number `from`; gives its first repeated key.
    pub(super) fn close(&mut self, text: &str, from: usize) -> Option<Span> {
        let all: &[Span] = if self.spill.is_empty() { &self.inline } else { &self.spill };
        let keys = all.get(from..self.len).unwrap_or_default();
        let repeated = if keys.len() <= PAIRS_MAX && keys.iter().all(|key| !key.escaped) {
            in_pairs(text, keys)
        } else {
            in_order(text, keys)
        };
        self.len = from;
        self.spill.truncate(from);
        repeated
    }
}

fn in_pairs(text: &str, mut keys: &[Span]) -> Option<Span> {
    while let [rest @ .., last] = keys {
        let name = last.bytes(text);
        if rest.iter().any(|key| key.bytes(text) == name) {
            return Some(*last);
        }
        keys = rest;
    }
    None
}

fn in_order(text: &str, keys: &[Span]) -> Option<Span> {
    let mut names: Vec<_> = keys.iter().map(|key| (key.unescape(text), key)).collect();
    names.sort_unstable_by(|(a, at), (b, bt)| (a, at.start).cmp(&(b, bt.start)));
    let repeated = |pair: &[(Cow<'_, str>, &Span)]| match pair {
        [(a, _), (b, later)] if a == b => Some(**later),
        _ => None,
    };
    names.windows(2).find_map(repeated)
}
