//! On each loop: which of its connections are subscribed to what.
//!
//! Law: a channel is here exactly as long as a connection of this loop is subscribed to it.

use std::collections::VecDeque;

use crate::base::hash::{NameMap, name_map};
use crate::base::id::ConnectionId;
use crate::hub::Channel;
use crate::hub::policy::{Policies, Queue};

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
    policies: Policies,
}

#[derive(Debug)]
struct Entry {
    channel: Channel,
    queue: Queue,
    receivers: Vec<ConnectionId>,
    /// Subscribed, but not to be sent anything yet: their reply is still to come.
    waiting: Vec<ConnectionId>,
    /// Up to which offset a connection was told the log by a reply, while events up to there may
    /// still be on their way. Empty but for the moments after a subscription to a chat.
    told: Vec<(ConnectionId, u64)>,
    /// What the home last said of this loop's interest; 0 when it has not answered yet.
    generation: u64,
}

/// A subscription that was added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Added {
    /// The channel as a number of this loop.
    pub number: u32,
    /// Whether it is new for this connection.
    pub new: bool,
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
            let new =
                !entry.receivers.contains(&connection) && !entry.waiting.contains(&connection);
            if new {
                entry.waiting.push(connection);
            }
            new
        });
        Added { number, new }
    }

    /// Lets a connection that was held hear what is published from now on.
    pub fn release(&mut self, number: u32, connection: ConnectionId) {
        let Some(Some(entry)) = self.entries.get_mut(number as usize) else { return };
        if let Some(at) = entry.waiting.iter().position(|waiting| *waiting == connection) {
            entry.waiting.swap_remove(at);
            entry.receivers.push(connection);
        }
    }

    fn enter(&mut self, channel: &Channel) -> u32 {
        let policy = self.policies.of(channel.namespace());
        let entry = Entry {
            channel: channel.clone(),
            queue: policy.map_or(Queue::Kick, |policy| policy.queue),
            receivers: Vec::new(),
            waiting: Vec::new(),
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
        let list = [&mut entry.receivers, &mut entry.waiting].into_iter();
        let found = |list: &mut Vec<ConnectionId>| {
            let at = list.iter().position(|known| *known == connection)?;
            Some(list.swap_remove(at))
        };
        list.filter_map(found).next()?;
        entry.told.retain(|(known, _)| *known != connection);
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
mod tests {
    use super::*;

    fn connection(slot: u32) -> ConnectionId {
        ConnectionId { slot, generation: 0 }
    }

    #[test]
    fn what_a_reply_told_is_not_told_again() {
        let mut subscriptions = Subscriptions::new(1, &Policies::default());
        let a = Channel::parse("public:a").expect("a good name");
        let (one, two) = (connection(1), connection(2));
        let number = subscriptions.add(&a, one).number;
        subscriptions.add(&a, two);
        assert!(subscriptions.all_new(number));
        subscriptions.told(number, one, 5);
        let has = |subscriptions: &Subscriptions, of, offset| subscriptions.has(number, of, offset);
        for (of, offset, had) in
            [(one, 0, false), (one, 1, true), (one, 5, true), (one, 6, false), (two, 5, false)]
        {
            assert_eq!(has(&subscriptions, of, offset), had, "{of:?} {offset}");
        }
        subscriptions.passed(number, 4);
        assert!(has(&subscriptions, one, 5) && !subscriptions.all_new(number));
        subscriptions.told(number, one, 7);
        subscriptions.passed(number, 5);
        assert!(has(&subscriptions, one, 7));
        subscriptions.passed(number, 7);
        assert!(subscriptions.all_new(number));
        subscriptions.told(number, one, 9);
        subscriptions.remove(number, one);
        assert!(subscriptions.all_new(number), "who comes back begins anew");
    }

    #[test]
    fn a_channel_is_known_as_long_as_somebody_is_subscribed() {
        let mut subscriptions = Subscriptions::new(1, &Policies::default());
        let a = Channel::parse("public:a").expect("a good name");
        let first = subscriptions.add(&a, connection(1));
        assert!(first.new && first.number > 0);
        assert_eq!(subscriptions.add(&a, connection(1)), Added { new: false, ..first });
        assert_eq!(subscriptions.add(&a, connection(2)), first);
        assert!(subscriptions.heard(&a, 5));
        assert_eq!(subscriptions.receivers(first.number), [connection(1), connection(2)]);
        assert_eq!(subscriptions.remove(first.number, connection(1)), None);
        assert_eq!(subscriptions.remove(first.number, connection(1)), None);
        subscriptions.hold(&a, connection(3));
        assert_eq!(subscriptions.receivers(first.number), [connection(2)]);
        assert_eq!(subscriptions.remove(first.number, connection(2)), None);
        subscriptions.release(first.number, connection(3));
        assert_eq!(subscriptions.receivers(first.number), [connection(3)]);
        assert_eq!(subscriptions.remove(first.number, connection(3)), Some((a.clone(), 5)));
        assert!(subscriptions.is_empty() && !subscriptions.heard(&a, 6));
        // A number is known for a while, and used again after that.
        assert_eq!(subscriptions.name(first.number), Some(&a));
        for round in 0..2 * RESTING {
            let next = subscriptions.add(&a, connection(3)).number;
            assert!(next != first.number || round >= RESTING);
            subscriptions.remove(next, connection(3));
        }
        assert!(subscriptions.entries.len() <= RESTING + 3, "numbers are reused");
    }
}
