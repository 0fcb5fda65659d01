//! `namespaces.NAME.KEY`: the keys that each namespace of channels has (SPEC §11).
//!
//! Law: what nobody set follows from what the namespace is; what cannot be is refused by name. NAME
//! is 1–64 of `A-Za-z0-9._-`; a variable of the environment can only name it in small letters.

use std::collections::BTreeMap;

use super::{Config, Error, Given, PREFIX};
use crate::codec::json::nearest;
use crate::hub::policy::{Policies, Policy, Presence, Queue, Right, Word};

/// The section.
pub(super) const SECTION: &str = "namespaces";
/// Room for the longest name, in bytes.
const NAME_BYTES_MAX: usize = 64;

/// Namespaces by name, as somebody wrote them.
pub type Namespaces = BTreeMap<String, Namespace>;

/// What somebody set of a namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Namespace {
    subscribe: Option<Right>,
    publish: Option<Right>,
    durable: Option<bool>,
    history_messages: Option<Option<u32>>,
    history_seconds: Option<Option<u32>>,
    presence: Option<Presence>,
    queue: Option<Queue>,
}

/// A key of a namespace.
#[derive(Debug)]
pub(super) struct Key {
    /// Behind `namespaces.NAME.`.
    pub(super) name: &'static str,
    pub(super) default: &'static str,
    pub(super) about: &'static str,
    set: fn(&mut Namespace, &str) -> bool,
    get: fn(&Namespace) -> Option<String>,
    needed: &'static str,
}

const RIGHTS: &str = "one of user, member, service, admin, nobody";

fn word<W: Word>(place: &mut Option<W>, text: &str) -> bool {
    *place = W::parse(text).or(*place);
    W::parse(text).is_some()
}

fn count(place: &mut Option<Option<u32>>, text: &str) -> bool {
    let digits = text.bytes().all(|b| b.is_ascii_digit() || b == b'_');
    let inner = digits && !text.starts_with('_') && !text.ends_with('_');
    let number = text.replace('_', "").parse::<u32>().ok().filter(|n| inner && *n <= COUNT_MAX);
    let count = if text == "none" { Some(None) } else { number.map(Some) };
    *place = count.or(*place);
    count.is_some()
}

fn shown(count: Option<Option<u32>>) -> Option<String> {
    count.map(|count| count.map_or_else(|| "none".to_owned(), |number| number.to_string()))
}

/// The largest number of messages or seconds.
const COUNT_MAX: u32 = 1_000_000_000;
const COUNTS: &str = "a whole number from 0 to 1000000000, or `none`,";

/// Every key, in the order of the reference.
pub(super) const KEYS: &[Key] = &[
    Key {
        name: "subscribe",
        default: "user",
        about: "who hears: user, member, service, admin or nobody; others: `forbidden`",
        set: |n, text| word(&mut n.subscribe, text),
        get: |n| n.subscribe.map(|right| right.word().to_owned()),
        needed: RIGHTS,
    },
    Key {
        name: "publish",
        default: "user",
        about: "who may publish, likewise",
        set: |n, text| word(&mut n.publish, text),
        get: |n| n.publish.map(|right| right.word().to_owned()),
        needed: RIGHTS,
    },
    Key {
        name: "durable",
        default: "false",
        about: "whether what is published is on disk before it is acknowledged, and outlives a restart",
        set: |n, text| {
            n.durable = text.parse().ok().or(n.durable);
            matches!(text, "true" | "false")
        },
        get: |n| n.durable.map(|durable| durable.to_string()),
        needed: "`true` or `false`",
    },
    Key {
        name: "history_messages",
        default: "100",
        about: "publications kept, for `since` and `history`; durable: `none` (all) unless set",
        set: |n, text| count(&mut n.history_messages, text),
        get: |n| shown(n.history_messages),
        needed: COUNTS,
    },
    Key {
        name: "history_seconds",
        default: "300",
        about: "how long each is kept; durable: `none` (for ever) unless set",
        set: |n, text| count(&mut n.history_seconds, text),
        get: |n| shown(n.history_seconds),
        needed: COUNTS,
    },
    Key {
        name: "presence",
        default: "list",
        about: "what is told of who is there: off, count or list",
        set: |n, text| word(&mut n.presence, text),
        get: |n| n.presence.map(|presence| presence.word().to_owned()),
        needed: "one of off, count, list",
    },
    Key {
        name: "queue",
        default: "kick",
        about: "what becomes of an event that a slow receiver has no room for: kick, drop_oldest, \
                drop_newest or latest",
        set: |n, text| word(&mut n.queue, text),
        get: |n| n.queue.map(|queue| queue.word().to_owned()),
        needed: "one of kick, drop_oldest, drop_newest, latest",
    },
];

/// NAME and KEY of `namespaces.NAME.KEY`.
pub(super) fn split(key: &str) -> Option<(&str, &str)> {
    key.strip_prefix(SECTION)?.strip_prefix('.')?.rsplit_once('.')
}

/// What may have been meant by a key that begins so, and ends in something unknown.
fn near(name: &str, key: &str) -> Option<String> {
    let meant = nearest(key, KEYS.iter().map(|key| key.name))?;
    Some(format!("{SECTION}.{name}.{meant}"))
}

/// The names of the keys.
pub(super) fn names() -> Vec<&'static str> {
    KEYS.iter().map(|key| key.name).collect()
}

/// Whether `name` may name a namespace.
fn is_name(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(allowed)
}

impl Config {
    /// Sets `namespaces.NAME.KEY`; `written` is all of it.
    pub(super) fn give_namespace(&mut self, written: &str, given: &Given) -> Result<(), Error> {
        let unknown = |near| Error::UnknownKey { key: written.to_owned(), near };
        let (name, key) = split(written).ok_or_else(|| unknown(None))?;
        let refuse = |value: &str, needed: &str| Error::BadValue {
            key: written.to_owned(),
            value: value.to_owned(),
            needed: needed.to_owned(),
        };
        let Some(row) = KEYS.iter().find(|row| row.name == key) else {
            return Err(unknown(near(name, key)));
        };
        if !is_name(name) {
            return Err(refuse(name, "a name of 1 to 64 of A-Z a-z 0-9 . _ -"));
        }
        let text = match given {
            Given::One(text) => text.trim(),
            Given::Many(texts) => {
                return Err(refuse(&format!("[{}]", texts.join(", ")), row.needed));
            }
        };
        let mut namespace = self.namespaces.get(name).cloned().unwrap_or_default();
        if !(row.set)(&mut namespace, text) {
            return Err(refuse(text, row.needed));
        }
        self.namespaces.insert(name.to_owned(), namespace);
        Ok(())
    }

    /// Sets a namespace's key by its variable, if that is what `variable` is.
    pub(super) fn namespace_variable(
        &mut self,
        variable: &str,
        value: &str,
    ) -> Option<Result<(), Error>> {
        let rest = variable.strip_prefix(PREFIX)?.strip_prefix("NAMESPACES_")?;
        let rest = rest.to_ascii_lowercase();
        let found = KEYS.iter().find_map(|key| {
            let name = rest.strip_suffix(key.name)?.strip_suffix('_')?;
            Some(format!("{SECTION}.{name}.{}", key.name))
        });
        let Some(key) = found else {
            let near = rest.rsplit_once('_').and_then(|(name, key)| near(name, key));
            return Some(Err(Error::UnknownKey { key: variable.to_owned(), near }));
        };
        Some(self.give_namespace(&key, &Given::One(value.to_owned())))
    }

    /// Every key that somebody set, with its value as it would be written.
    pub(super) fn namespaces_written(&self) -> Vec<(String, String)> {
        let keys = |(name, namespace): (&String, &Namespace)| {
            let written =
                |key: &Key| Some((format!("{SECTION}.{name}.{}", key.name), (key.get)(namespace)?));
            KEYS.iter().filter_map(written).collect::<Vec<_>>()
        };
        self.namespaces.iter().flat_map(keys).collect()
    }

    /// The policies of all namespaces.
    pub(super) fn policies(&self) -> Result<Policies, Error> {
        let policy = |(name, namespace): (&String, &Namespace)| {
            namespace.policy(name).map(|policy| (name.as_str().into(), policy))
        };
        let all = self.namespaces.iter().map(policy).collect::<Result<Vec<_>, _>>();
        all.map(Policies::new).map_err(Error::Contradiction)
    }
}

impl Namespace {
    /// What somebody set, over what the namespace is without it.
    fn policy(&self, name: &str) -> Result<Policy, String> {
        let refuse = |key: &str, why: &str| Err(format!("{SECTION}.{name}.{key}: {why}"));
        let fixed = matches!(name, "room" | "user" | "broadcast" | "stentor");
        let settable = ["presence", "queue"];
        let set = |key: &&Key| (key.get)(self).is_some() && !settable.contains(&key.name);
        if fixed && let Some(key) = KEYS.iter().find(set) {
            let why = "cannot be chosen for this namespace, only `presence` and `queue` can";
            return refuse(key.name, why);
        }
        let of_members = matches!(name, "room" | "user" | "team" | "execution");
        for (key, right) in [("subscribe", self.subscribe), ("publish", self.publish)] {
            if right == Some(Right::Member) && !of_members {
                let why = "`member` needs members, which only room, user, team and execution have";
                return refuse(key, why);
            }
        }
        let usual = Policy::built_in(name).unwrap_or(Policy::OPEN);
        let durable = self.durable.unwrap_or(usual.durable);
        let usual = if durable { usual.stored() } else { usual };
        let policy = Policy {
            subscribe: self.subscribe.unwrap_or(usual.subscribe),
            publish: self.publish.unwrap_or(usual.publish),
            durable,
            history_messages: self.history_messages.unwrap_or(usual.history_messages),
            history_seconds: self.history_seconds.unwrap_or(usual.history_seconds),
            presence: self.presence.unwrap_or(usual.presence),
            queue: self.queue.unwrap_or(usual.queue),
        };
        let counts = [
            ("history_messages", policy.history_messages),
            ("history_seconds", policy.history_seconds),
        ];
        for (key, count) in counts {
            if durable && count == Some(0) {
                return refuse(key, "what is durable is kept: 1 or more, or `none`, is needed");
            }
            if !durable && count.is_none() {
                return refuse(key, "`none` is for durable namespaces: memory is not endless");
            }
        }
        Ok(policy)
    }
}

#[cfg(test)]
mod tests;
