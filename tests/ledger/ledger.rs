//! What was promised: everything that publishers sent and were told, and that subscribers heard.

use std::collections::BTreeMap;
use std::time::Instant;

/// Chats of a data directory.
pub(crate) const CHATS: usize = 8;
/// Durable channels of it.
pub(crate) const CHANNELS: usize = 2;
/// Users with an inbox that is written into.
pub(crate) const INBOXES: usize = 2;
/// Lines that anybody subscribes to: the chats, then the channels.
pub(crate) const SHARED: usize = CHATS + CHANNELS;
/// Whatever is written into: the inboxes last.
pub(crate) const LINES: usize = SHARED + INBOXES;
/// The content of what an inbox says of a notification that was read.
pub(crate) const READ: &str = "read";
/// Who writes.
pub(crate) const PUBLISHERS: usize = 16;
/// Services that run executions.
pub(crate) const RUNNERS: usize = 2;
/// Who listens: two at each door.
pub(crate) const SUBSCRIBERS: usize = 6;

/// The chats of a publisher; each chat has six.
pub(crate) const fn chats_of(publisher: usize) -> [usize; 3] {
    [publisher % CHATS, (publisher + 1) % CHATS, (publisher + 3) % CHATS]
}

/// The channel of a publisher; each channel has eight.
pub(crate) const fn channel_of(publisher: usize) -> usize {
    CHATS + publisher % CHANNELS
}

/// The inbox that a publisher writes into; each inbox has eight.
pub(crate) const fn inbox_of(publisher: usize) -> usize {
    SHARED + publisher % INBOXES
}

/// What is written into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    /// A chat, by `message`.
    Chat,
    /// A durable channel, by `publish`.
    Channel,
    /// The inbox of a user, by `send` and `create_notification`, which know no repeat.
    Inbox,
}

impl Sort {
    pub(crate) const fn of(line: usize) -> Self {
        match line {
            0..CHATS => Self::Chat,
            CHATS..SHARED => Self::Channel,
            _ => Self::Inbox,
        }
    }
}

/// Something that is written into, as the server knows it.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// Of a chat or a user, its id.
    pub(crate) id: String,
    /// Where it is heard.
    pub(crate) channel: String,
    /// Which never changes (SPEC §4).
    pub(crate) epoch: String,
}

/// The user id of a publisher.
pub(crate) fn user(number: usize) -> String {
    format!("u-{}", number + 1)
}

/// The user id of a subscriber or, behind them, of who has an inbox.
pub(crate) fn listener(number: usize) -> String {
    format!("l-{}", number + 1)
}

/// A message, by its publisher and its number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Name {
    pub(crate) publisher: usize,
    pub(crate) number: usize,
}

impl Name {
    /// The `client_id`, which the content begins with.
    pub(crate) fn client_id(self) -> String {
        format!("p{}-{}", self.publisher, self.number)
    }

    /// The name that a content begins with.
    pub(crate) fn of(content: &str) -> Option<Self> {
        let word = content.split(' ').next()?.strip_prefix('p')?;
        let (publisher, number) = word.split_once('-')?;
        Some(Self { publisher: publisher.parse().ok()?, number: number.parse().ok()? })
    }
}

/// An acknowledgement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ack {
    /// The seq of a message, the offset of a publication; of an inbox it is not told.
    pub(crate) seq: Option<u64>,
    /// The id of a message or a notification, the epoch of a publication; else nothing.
    pub(crate) id: String,
    pub(crate) at: Instant,
}

/// A message that was sent, perhaps more than once.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) line: usize,
    pub(crate) padding: usize,
    /// When it was sent first.
    pub(crate) sent: Instant,
    /// How often it was sent.
    pub(crate) tries: u32,
    pub(crate) ack: Option<Ack>,
}

impl Entry {
    /// Whether it is a notification, and not just sent.
    pub(crate) fn notifies(&self, name: Name) -> bool {
        Sort::of(self.line) == Sort::Inbox && name.number.is_multiple_of(3)
    }

    pub(crate) fn content(&self, name: Name) -> String {
        format!("{} {}", name.client_id(), "x".repeat(self.padding))
    }
}

/// A message as it is stored; its seq (of a publication: its offset) is its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    /// Its id; of a publication the epoch, of what was sent nothing, of a mark that of what was read.
    pub(crate) id: String,
    pub(crate) sender: String,
    pub(crate) content: String,
}

/// An event that a subscriber heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) line: usize,
    pub(crate) offset: u64,
    /// Of a message: its place and what it is; none for other events.
    pub(crate) message: Option<(u64, Stored)>,
}

/// What happened so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally(BTreeMap<&'static str, u64>);

impl Tally {
    pub(crate) fn add(&mut self, what: &'static str, count: u64) {
        *self.0.entry(what).or_default() += count;
    }

    pub(crate) fn get(&self, what: &str) -> u64 {
        self.0.get(what).copied().unwrap_or(0)
    }

    pub(crate) fn join(&mut self, other: Self) {
        other.0.into_iter().for_each(|(what, count)| self.add(what, count));
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let words: Vec<_> = self.0.iter().map(|(what, count)| format!("{count} {what}")).collect();
        f.write_str(&words.join(", "))
    }
}
