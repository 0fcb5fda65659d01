//! What is allowed and kept in each namespace: the part of a channel's name before the first `:`.
//!
//! Law: a namespace that nobody declared has no policy, so nobody hears or says anything there. The
//! ones that are always there are `public room user team execution broadcast stentor` (SPEC §4).
//! Limit: rights are words here; who has them is decided where users are known.

/// Who may do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Right {
    /// Every user.
    User,
    /// The members of a chat, the owner of an inbox, the users whose token lists the team.
    Member,
    /// Roles `service` and `admin`.
    Service,
    /// Role `admin`.
    Admin,
    /// Nobody, by the verbs for channels.
    Nobody,
}

/// What is told of who is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Presence {
    /// Nothing.
    Off,
    /// How many.
    Count,
    /// Who.
    List,
}

/// What becomes of an event that finds no room in the queue of a slow receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Queue {
    /// The receiver is closed.
    Kick,
    /// The oldest queued one of the channel goes.
    DropOldest,
    /// It goes itself.
    DropNewest,
    /// Only the newest of the channel stays.
    Latest,
}

/// An enumeration that configuration writes as words.
pub trait Word: Copy + PartialEq + 'static {
    /// Every value with its word.
    const WORDS: &'static [(Self, &'static str)];

    /// The value of a word.
    #[must_use]
    fn parse(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(_, known)| *known == word).map(|(value, _)| *value)
    }

    /// Its word.
    #[must_use]
    fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(value, _)| *value == self).map_or("", |(_, word)| word)
    }
}

impl Word for Right {
    const WORDS: &'static [(Self, &'static str)] = &[
        (Self::User, "user"),
        (Self::Member, "member"),
        (Self::Service, "service"),
        (Self::Admin, "admin"),
        (Self::Nobody, "nobody"),
    ];
}

impl Word for Presence {
    const WORDS: &'static [(Self, &'static str)] =
        &[(Self::Off, "off"), (Self::Count, "count"), (Self::List, "list")];
}

impl Word for Queue {
    const WORDS: &'static [(Self, &'static str)] = &[
        (Self::Kick, "kick"),
        (Self::DropOldest, "drop_oldest"),
        (Self::DropNewest, "drop_newest"),
        (Self::Latest, "latest"),
    ];
}

/// What is allowed and kept in one namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Who hears.
    pub subscribe: Right,
    /// Who may say `publish`.
    pub publish: Right,
    /// Whether what is published is stored before it is acknowledged.
    pub durable: bool,
    /// Publications kept; none: all.
    pub history_messages: Option<u32>,
    /// How long each is kept, in seconds; none: for ever.
    pub history_seconds: Option<u32>,
    /// What is told of who is there.
    pub presence: Presence,
    /// What becomes of what a slow receiver has no room for.
    pub queue: Queue,
}

/// Publications that a channel in memory keeps (SPEC §5).
const MESSAGES: u32 = 100;
/// How long it keeps them, in seconds (SPEC §5).
const SECONDS: u32 = 300;

impl Policy {
    /// What a namespace is that was only named: as open as `public:`.
    pub const OPEN: Self = Self {
        subscribe: Right::User,
        publish: Right::User,
        durable: false,
        history_messages: Some(MESSAGES),
        history_seconds: Some(SECONDS),
        presence: Presence::List,
        queue: Queue::Kick,
    };

    /// The same, stored and kept for ever.
    #[must_use]
    pub const fn stored(self) -> Self {
        Self { durable: true, history_messages: None, history_seconds: None, ..self }
    }

    /// Of a namespace that is always there.
    #[must_use]
    pub fn built_in(namespace: &str) -> Option<Self> {
        let of = |subscribe, publish| Self { subscribe, publish, ..Self::OPEN };
        let quiet = |policy| Self { presence: Presence::Off, ..policy };
        Some(match namespace {
            "public" => Self::OPEN,
            "room" | "user" => quiet(of(Right::Member, Right::Nobody).stored()),
            "team" | "execution" => of(Right::Member, Right::Service),
            "broadcast" => quiet(of(Right::User, Right::Nobody)),
            "stentor" => of(Right::Admin, Right::Nobody),
            _ => return None,
        })
    }
}

/// The namespaces that are always there.
pub const BUILT_IN: [&str; 7] =
    ["broadcast", "execution", "public", "room", "stentor", "team", "user"];

/// The namespaces of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policies {
    /// By name, sorted.
    table: Box<[(Box<str>, Policy)]>,
    /// Whether `publish` is stored anywhere.
    stores: bool,
}

impl Policies {
    /// The namespaces that are always there, and those given, which may be the same.
    #[must_use]
    pub fn new(given: impl IntoIterator<Item = (Box<str>, Policy)>) -> Self {
        let mut table: Vec<(Box<str>, Policy)> = given.into_iter().collect();
        for name in BUILT_IN {
            if !table.iter().any(|(known, _)| **known == *name) {
                table.extend(Policy::built_in(name).map(|policy| (name.into(), policy)));
            }
        }
        table.sort_by(|one, other| one.0.cmp(&other.0));
        let stores = |policy: &Policy| policy.durable && policy.publish != Right::Nobody;
        let stores = table.iter().any(|(_, policy)| stores(policy));
        Self { table: table.into(), stores }
    }

    /// The policy of a namespace; none: it is not there.
    #[must_use]
    pub fn of(&self, namespace: &str) -> Option<&Policy> {
        let at = self.table.binary_search_by(|(name, _)| (**name).cmp(namespace)).ok()?;
        self.table.get(at).map(|(_, policy)| policy)
    }

    /// Whether `publish` is stored in any namespace.
    #[must_use]
    pub const fn stores(&self) -> bool {
        self.stores
    }
}

impl Default for Policies {
    fn default() -> Self {
        Self::new([])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_always_there_and_nothing_else() {
        let policies = Policies::default();
        for (name, subscribe, publish, durable) in [
            ("public", Right::User, Right::User, false),
            ("room", Right::Member, Right::Nobody, true),
            ("user", Right::Member, Right::Nobody, true),
            ("team", Right::Member, Right::Service, false),
            ("execution", Right::Member, Right::Service, false),
            ("broadcast", Right::User, Right::Nobody, false),
            ("stentor", Right::Admin, Right::Nobody, false),
        ] {
            let policy = policies.of(name).expect(name);
            assert_eq!((policy.subscribe, policy.publish), (subscribe, publish), "{name}");
            assert_eq!(policy.durable, durable, "{name}");
            assert!(BUILT_IN.contains(&name));
        }
        for name in ["", "game", "Public", "publi", "publica"] {
            assert_eq!(policies.of(name), None, "{name}");
        }
        assert!(!policies.stores());
    }

    #[test]
    fn what_is_given_counts_more() {
        let closed = Policy { publish: Right::Service, ..Policy::OPEN };
        let given = [("public".into(), closed), ("log".into(), Policy::OPEN.stored())];
        let policies = Policies::new(given);
        assert_eq!(policies.of("public"), Some(&closed));
        assert_eq!(policies.of("log").and_then(|policy| policy.history_messages), None);
        assert!(policies.stores());
    }

    #[test]
    fn words_are_read_as_they_are_written() {
        fn law<W: Word + std::fmt::Debug>(all: usize) {
            assert_eq!(W::WORDS.len(), all);
            for (value, word) in W::WORDS {
                assert_eq!((W::parse(word), value.word()), (Some(*value), *word));
            }
            assert_eq!(W::parse("User"), None);
        }
        law::<Right>(5);
        law::<Presence>(3);
        law::<Queue>(4);
    }
}
