//! On each loop: which of its connections are subscribed to what.
//!
//! Law: a channel is here exactly as long as a connection of this loop is subscribed to it. A
//! connection whose reply is still to come may have what comes meanwhile put by. Limit:
//! [`PARKED_BYTES_MAX`].

mod watching;

use std::collections::VecDeque;

use crate::base::hash::{NameMap, name_map};
use crate::base::id::ConnectionId;
use crate::hub::Channel;
use crate::hub::policy::{Policies, Presence, Queue};
use crate::protocol::frame::Frame;
pub use watching::Attended;
use watching::Watcher;

/// What is put by for one connection in one channel, in bytes; more is lost, and told.
pub const PARKED_BYTES_MAX: usize = 1 << 20;
/// Numbers that are not used again yet: what was queued under them still has to be named.
const RESTING: usize = 256;

/// The subscriptions of one loop's connections.
#[derive(Debug)]
pub struct Subscriptions {
    numbers: NameMap<Channel, u32>,
    entries: Vec<Option<Entry>>,
    free: Vec<u32>,
    /// Numbers that were used last, with what they stood for.
    resting: VecDeque<(u32, Channel)>,
    /// Who came and went where that is told, in order, until [`attended`](Self::attended).
    attended: Vec<Attended>,
    policies: Policies,
}

#[derive(Debug)]
struct Entry {
    channel: Channel,
    queue: Queue,
    /// Whether it is told who is there.
    attended: bool,
    receivers: Vec<ConnectionId>,
    /// Those of them that want to be told who is there.
    watchers: Vec<Watcher>,
    /// Subscribed, but not to be sent anything yet: their reply is still to come.
    waiting: Vec<Waiting>,
    /// How many of those have events put by.
    parks: u32,
    /// Up to which offset a connection was told the log by a reply, while events up to there may
    /// still be on their way. Empty but for the moments after a subscription to a chat.
    told: Vec<(ConnectionId, u64)>,
    /// What the home last said of this loop's interest; 0 when it has not answered yet.
    generation: u64,
}

/// A connection that is to be sent nothing yet.
#[derive(Debug)]
struct Waiting {
    connection: ConnectionId,
    /// What came meanwhile, where that is wanted.
    parked: Option<Box<Parked>>,
}

/// What came while a connection waited for its reply.
#[derive(Debug, Default)]
pub struct Parked {
    /// Each with its offset, in order.
    pub events: Vec<(u64, Frame)>,
    /// Whether there was too much of it.
    pub lost: bool,
    bytes: usize,
}

/// A subscription that was added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Added {
    /// The channel as a number of this loop.
    pub number: u32,
    /// Whether it is new for this connection.
    pub new: bool,
}

impl Parked {
    fn put_by(&mut self, offset: u64, frame: &Frame) {
        self.bytes += frame.line().len();
        self.lost |= self.bytes > PARKED_BYTES_MAX;
        if self.lost {
            self.events = Vec::new();
        } else {
            self.events.push((offset, frame.clone()));
        }
    }
}

impl Entry {
    fn waiting(&self, connection: ConnectionId) -> Option<usize> {
        self.waiting.iter().position(|waiting| waiting.connection == connection)
    }

    /// The connection waits no more; what was put by for it.
    #[expect(clippy::option_option, reason = "not every one that waits has events put by")]
    fn end_waiting(&mut self, connection: ConnectionId) -> Option<Option<Box<Parked>>> {
        let at = self.waiting(connection)?;
        let Waiting { parked, .. } = self.waiting.swap_remove(at);
        self.parks -= u32::from(parked.is_some());
        Some(parked)
    }
}

impl Subscriptions {
    /// None.
    #[must_use]
    pub fn new(seed: u64, policies: &Policies) -> Self {
        Self {
            numbers: name_map(seed),
            // Number 0 means "no channel" on the queue of a connection.
            entries: vec![None],
            free: Vec::new(),
            resting: VecDeque::new(),
            attended: Vec::new(),
            policies: policies.clone(),
        }
    }

    /// How many channels have subscribers here.
    #[must_use]
    pub fn len(&self) -> usize {
        self.numbers.len()
    }

    /// Whether none has.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.numbers.is_empty()
    }

    /// Subscribes a connection: it hears what is published from now on.
    pub fn add(&mut self, channel: &Channel, connection: ConnectionId) -> Added {
        let added = self.hold(channel, connection);
        self.release(added.number, connection);
        added
    }

    /// Subscribes a connection that is to hear nothing before [`release`](Self::release).
    pub fn hold(&mut self, channel: &Channel, connection: ConnectionId) -> Added {
        let number = match self.numbers.get(channel) {
            Some(number) => *number,
            None => self.enter(channel),
        };
        let new = self.entries[number as usize].as_mut().is_some_and(|entry| {
            let new = !entry.receivers.contains(&connection) && entry.waiting(connection).is_none();
            if new {
                entry.waiting.push(Waiting { connection, parked: None });
            }
            if new && entry.attended {
                let channel = channel.clone();
                self.attended.push(Attended { channel, connection, came: true, watched: false });
            }
            new
        });
        Added { number, new }
    }

    /// Subscribes a connection, anew if it is subscribed; what comes is put by until
    /// [`release`](Self::release).
    pub fn park(&mut self, channel: &Channel, connection: ConnectionId) -> Added {
        let added = self.hold(channel, connection);
        let Some(Some(entry)) = self.entries.get_mut(added.number as usize) else { return added };
        if let Some(at) = entry.receivers.iter().position(|known| *known == connection) {
            entry.receivers.swap_remove(at);
            entry.waiting.push(Waiting { connection, parked: None });
        }
        if let Some(at) = entry.waiting(connection)
            && entry.waiting[at].parked.replace(Box::default()).is_none()
        {
            entry.parks += 1;
        }
        added
    }

    /// Lets a connection that was held hear what is published from now on. Gives what was put by.
    pub fn release(&mut self, number: u32, connection: ConnectionId) -> Option<Box<Parked>> {
        let entry = self.entries.get_mut(number as usize)?.as_mut()?;
        let parked = entry.end_waiting(connection)?;
        entry.receivers.push(connection);
        parked
    }

    /// Whether there are connections for which events are put by.
    #[must_use]
    pub fn parks(&self, number: u32) -> bool {
        let entry = self.entries.get(number as usize).and_then(Option::as_ref);
        entry.is_some_and(|entry| entry.parks > 0)
    }

    /// Puts an event by for those who want that, but not for `except`.
    pub fn put_by(
        &mut self,
        number: u32,
        offset: u64,
        frame: &Frame,
        except: Option<ConnectionId>,
    ) {
        let Some(Some(entry)) = self.entries.get_mut(number as usize) else { return };
        let waiting = entry.waiting.iter_mut().filter(|one| Some(one.connection) != except);
        for parked in waiting.filter_map(|waiting| waiting.parked.as_mut()) {
            parked.put_by(offset, frame);
        }
    }

    fn enter(&mut self, channel: &Channel) -> u32 {
        let policy = self.policies.of(channel.namespace());
        let entry = Entry {
            channel: channel.clone(),
            queue: policy.map_or(Queue::Kick, |policy| policy.queue),
            attended: policy.is_some_and(|policy| policy.presence != Presence::Off),
            watchers: Vec::new(),
            receivers: Vec::new(),
            waiting: Vec::new(),
            parks: 0,
            told: Vec::new(),
            generation: 0,
        };
        let number = match self.free.pop() {
            Some(number) => {
                self.entries[number as usize] = Some(entry);
                number
            }
            None => {
                self.entries.push(Some(entry));
                self.entries.len() as u32 - 1
            }
        };
        self.numbers.insert(channel.clone(), number);
        number
    }

    /// Ends a subscription. Gives the channel and its generation when it was the last one here:
    /// the home has to be told.
    pub fn remove(&mut self, number: u32, connection: ConnectionId) -> Option<(Channel, u64)> {
        let place = self.entries.get_mut(number as usize)?;
        let entry = place.as_mut()?;
        match entry.receivers.iter().position(|known| *known == connection) {
            Some(at) => drop(entry.receivers.swap_remove(at)),
            None => drop(entry.end_waiting(connection)?),
        }
        entry.told.retain(|(known, _)| *known != connection);
        let watchers = entry.watchers.len();
        entry.watchers.retain(|watcher| watcher.connection != connection);
        if entry.attended {
            let (channel, watched) = (entry.channel.clone(), entry.watchers.len() < watchers);
            self.attended.push(Attended { channel, connection, came: false, watched });
        }
        if !entry.receivers.is_empty() || !entry.waiting.is_empty() {
            return None;
        }
        let entry = place.take()?;
        self.numbers.remove(&entry.channel);
        self.resting.push_back((number, entry.channel.clone()));
        if self.resting.len() > RESTING {
            self.free.extend(self.resting.pop_front().map(|(number, _)| number));
        }
        Some((entry.channel, entry.generation))
    }

    /// The number of a channel that has subscribers here.
    #[must_use]
    pub fn number(&self, channel: &Channel) -> Option<u32> {
        self.numbers.get(channel).copied()
    }

    /// The channel of a number.
    #[must_use]
    pub fn channel(&self, number: u32) -> Option<&Channel> {
        self.entries.get(number as usize)?.as_ref().map(|entry| &entry.channel)
    }

    /// The channel of a number, though its last subscription has just ended.
    #[must_use]
    pub fn name(&self, number: u32) -> Option<&Channel> {
        let resting = || self.resting.iter().rev().find(|(known, _)| *known == number);
        self.channel(number).or_else(|| resting().map(|(_, channel)| channel))
    }

    /// What becomes of events of the channel of this number that find no room.
    #[must_use]
    pub fn queue(&self, number: u32) -> Queue {
        let entry = self.entries.get(number as usize).and_then(Option::as_ref);
        entry.map_or(Queue::Kick, |entry| entry.queue)
    }

    /// The connections subscribed to the channel of this number.
    #[must_use]
    pub fn receivers(&self, number: u32) -> &[ConnectionId] {
        let entry = self.entries.get(number as usize).and_then(Option::as_ref);
        entry.map(|entry| &*entry.receivers).unwrap_or_default()
    }

    /// A reply tells `connection` the log of the channel up to `offset`: no event up to there is for
    /// it any more.
    pub fn told(&mut self, number: u32, connection: ConnectionId, offset: u64) {
        let Some(Some(entry)) = self.entries.get_mut(number as usize) else { return };
        entry.told.retain(|(known, _)| *known != connection);
        entry.told.push((connection, offset));
    }

    /// Up to where a reply told `connection` the log, while nothing above has been handed out.
    #[must_use]
    pub fn told_to(&self, number: u32, connection: ConnectionId) -> Option<u64> {
        let entry = self.entries.get(number as usize)?.as_ref()?;
        let told = entry.told.iter().find(|(known, _)| *known == connection);
        told.map(|(_, until)| *until)
    }

    /// Whether every receiver wants every event, which is so but for moments.
    #[must_use]
    pub fn all_new(&self, number: u32) -> bool {
        let entry = self.entries.get(number as usize).and_then(Option::as_ref);
        entry.is_none_or(|entry| entry.told.is_empty())
    }

    /// Whether a reply told `connection` what is at `offset`.
    #[must_use]
    pub fn has(&self, number: u32, connection: ConnectionId, offset: u64) -> bool {
        let entry = self.entries.get(number as usize).and_then(Option::as_ref);
        // Offset 0 is none: what has no place in the log is in no reply.
        entry.is_some_and(|entry| {
            let mut told = entry.told.iter();
            offset > 0 && told.any(|(known, until)| *known == connection && offset <= *until)
        })
    }

    /// Events up to `offset` have been handed out; they come in order.
    pub fn passed(&mut self, number: u32, offset: u64) {
        if let Some(Some(entry)) = self.entries.get_mut(number as usize) {
            entry.told.retain(|(_, until)| *until > offset);
        }
    }

    /// Keeps what the home said of this loop's interest. False when nobody is subscribed any more:
    /// the home has to be told.
    pub fn heard(&mut self, channel: &Channel, generation: u64) -> bool {
        let Some(number) = self.numbers.get(channel) else { return false };
        if let Some(entry) = &mut self.entries[*number as usize] {
            entry.generation = entry.generation.max(generation);
        }
        true
    }
}

#[cfg(test)]
mod tests;
