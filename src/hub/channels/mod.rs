//! At the home of a channel: its numbering, its history, and which loops listen.
//!
//! A loop says that it is interested before it subscribes anyone, and that it is not any more when
//! the last subscriber has gone. The home may count a loop as interested without having been asked
//! (when members join); such a loop says at once if nobody there is. Each word of the home carries
//! a generation, so that an answer to an older word cannot undo a newer one.
//!
//! Limits: `limits.history_bytes` for all histories of a loop; who would be the next to forget, forgets
//! all when it is reached. Nothing scans: each channel with a history stands in a queue of ends.
//! What nobody uses is freed: see `idle.rs`.

mod history;
mod idle;
mod place;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Duration;

pub use history::{Mark, PAGE_BYTES_MAX, Page, Since};
pub use idle::Freed;
pub use place::Place;

use crate::base::hash::{NameMap, name_map};
use crate::base::id::LoopId;
use crate::base::rng::Rng;
use crate::hub::policy::{Policies, Policy};
use crate::hub::{AsChannel, Channel, ChannelRef};
use history::{History, Keep};

/// What the channels of one loop may take while nobody uses them.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// All histories, in bytes.
    pub history_bytes: usize,
    /// How long the state of a channel outlives its last use.
    pub idle: Duration,
    /// Channels that nobody listens to.
    pub idle_channels: usize,
}

/// The epoch of every durable channel: its numbering never restarts.
pub const DURABLE_EPOCH: &str = "1";
/// Publications of a stored channel that are remembered here too, for those who come back soon.
const TAIL_MESSAGES: u32 = 100;
/// How long, in seconds.
const TAIL_SECONDS: u32 = 300;

/// How much of a channel is remembered here.
fn remembered(channel: &Channel, policy: &Policy) -> Keep {
    let (mut messages, mut seconds) = (policy.history_messages, policy.history_seconds);
    if policy.durable {
        messages = Some(messages.map_or(TAIL_MESSAGES, |messages| messages.min(TAIL_MESSAGES)));
        seconds = Some(seconds.map_or(TAIL_SECONDS, |seconds| seconds.min(TAIL_SECONDS)));
    }
    // The log of a chat tells of messages as they are now, an inbox of what is left in it.
    let named = matches!(channel, Channel::Named(_));
    match (messages, seconds) {
        (Some(messages), Some(seconds @ 1..)) if named => {
            Keep { messages: messages as usize, time: Duration::from_secs(u64::from(seconds)) }
        }
        _ => Keep::NOTHING,
    }
}

/// The channels whose home this loop is.
#[derive(Debug)]
pub struct Channels {
    numbers: NameMap<Channel, u32>,
    /// By number; those of free numbers stand for no channel.
    homes: Vec<Home>,
    free: Vec<u32>,
    /// Channels that nobody listened to when they were entered, with their last use before that.
    idle: BinaryHeap<Reverse<(Duration, u32)>>,
    freed: Freed,
    /// When the oldest entry of a channel's history is over, as it was when it was entered here.
    due: BinaryHeap<Reverse<(Duration, u32)>>,
    /// Of all histories.
    bytes: usize,
    bounds: Bounds,
    evicted: u64,
    policies: Policies,
    durable_epoch: Arc<str>,
    loops: usize,
    seed: u64,
}

#[derive(Debug)]
struct Home {
    channel: Channel,
    history: History,
    keep: Keep,
    /// Whether the store numbers it, and has what is not remembered here.
    stored: bool,
    /// Whether its newest offset is known: of a stored one it is from the first publication on.
    known: bool,
    /// Distinguishes this numbering from one that is started after it is forgotten.
    epoch: Arc<str>,
    used: Duration,
    /// Whether it is among the idle ones already, once however often it is used.
    idle: bool,
    /// Whether it is in the queue of ends.
    ages: bool,
    interest: Box<[Interest]>,
}

impl Home {
    fn is_silent(&self) -> bool {
        self.interest.iter().all(|interest| !interest.listens)
    }

    fn position(&self) -> Position {
        Position { offset: self.history.top(), epoch: Arc::clone(&self.epoch) }
    }

    /// Where it stands, and what came since a place; what only the store knows is left out.
    fn stand(&self, since: Option<(&Since, usize)>) -> (Option<Position>, Option<Page>) {
        let position = self.known.then(|| self.position());
        let page = since.filter(|_| self.known).map(|(since, limit)| self.since(since, limit));
        (position, page.filter(|page| page.recovered || !self.stored))
    }

    /// What came after a place of this numbering or another one.
    fn since(&self, since: &Since, limit: usize) -> Page {
        if *since.epoch == *self.epoch {
            return self.history.page(Some(since.offset), limit);
        }
        Page { recovered: false, ..self.history.page(Some(0), limit) }
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Interest {
    listens: bool,
    generation: u64,
}

/// Where a channel stands: what is above `offset` is still to come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// The newest offset.
    pub offset: u64,
    /// The numbering it belongs to.
    pub epoch: Arc<str>,
}

impl Channels {
    /// No channels, for a process of so many loops.
    #[must_use]
    pub fn new(seed: u64, loops: usize, policies: Policies, bounds: Bounds) -> Self {
        Self {
            numbers: name_map(seed),
            homes: Vec::new(),
            free: Vec::new(),
            idle: BinaryHeap::new(),
            freed: Freed::default(),
            due: BinaryHeap::new(),
            bytes: 0,
            bounds,
            evicted: 0,
            policies,
            durable_epoch: DURABLE_EPOCH.into(),
            loops,
            seed,
        }
    }

    /// How many channels have state here.
    #[must_use]
    pub fn len(&self) -> usize {
        self.numbers.len()
    }

    /// Whether none has.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.numbers.is_empty()
    }

    /// What all histories take, in bytes.
    #[must_use]
    pub const fn history_bytes(&self) -> usize {
        self.bytes
    }

    /// How many publications were forgotten before their time since this was last asked.
    pub const fn take_evicted(&mut self) -> u64 {
        std::mem::replace(&mut self.evicted, 0)
    }

    /// What stands for what `user` calls `client_id`.
    #[must_use]
    pub fn mark(&self, user: &str, client_id: &str) -> Mark {
        Mark::new(self.seed, user, client_id)
    }

    /// A channel that has state here, without making another copy of its name.
    #[must_use]
    pub fn known(&self, channel: ChannelRef<'_>) -> Option<Channel> {
        let key: &dyn AsChannel = &channel;
        self.numbers.get_key_value(key).map(|(known, _)| known.clone())
    }

    /// The number of a channel, which gets state if it has none.
    fn enter(&mut self, channel: &Channel, now: Duration, rng: &mut Rng) -> u32 {
        if let Some(number) = self.numbers.get(channel) {
            return *number;
        }
        let policy = self.policies.of(channel.namespace()).copied();
        let stored = policy.is_some_and(|policy| policy.durable);
        let mut epoch = || format!("{:016x}", rng.next_u64()).into();
        let home = Home {
            channel: channel.clone(),
            history: History::new(),
            keep: policy.map_or(Keep::NOTHING, |policy| remembered(channel, &policy)),
            stored,
            known: !stored,
            epoch: if stored { Arc::clone(&self.durable_epoch) } else { epoch() },
            used: now,
            idle: false,
            ages: false,
            interest: vec![Interest::default(); self.loops].into(),
        };
        let number = match self.free.pop() {
            Some(number) => {
                self.homes[number as usize] = home;
                number
            }
            None => {
                self.homes.push(home);
                self.homes.len() as u32 - 1
            }
        };
        self.numbers.insert(channel.clone(), number);
        number
    }

    fn home(&mut self, number: u32) -> &mut Home {
        &mut self.homes[number as usize]
    }

    fn find(&self, channel: &Channel) -> Option<&Home> {
        self.homes.get(*self.numbers.get(channel)? as usize)
    }

    /// The state of a channel, in use from now on.
    fn touch(&mut self, channel: &Channel, now: Duration, rng: &mut Rng) -> (u32, &mut Home) {
        let number = self.enter(channel, now, rng);
        let home = self.home(number);
        home.used = now;
        (number, home)
    }

    /// The loop listens from now on. Gives the generation of its interest, where the channel stands,
    /// and what came since a place, if one is given: everything above is still to come. Of a stored
    /// channel either may be left to the store to tell.
    pub fn listen(
        &mut self,
        channel: &Channel,
        who: LoopId,
        since: Option<(&Since, usize)>,
        now: Duration,
        rng: &mut Rng,
    ) -> (u64, Option<Position>, Option<Page>) {
        self.pass(now);
        let (number, home) = self.touch(channel, now, rng);
        let interest = &mut home.interest[usize::from(who.0)];
        interest.listens = true;
        interest.generation += 1;
        let generation = interest.generation;
        self.expire(number, now);
        let (position, page) = self.home(number).stand(since);
        (generation, position, page)
    }

    /// Where a channel stands, and a part of its history: what came since a place, or the newest.
    pub fn history(
        &mut self,
        channel: &Channel,
        since: Option<&Since>,
        limit: usize,
        now: Duration,
        rng: &mut Rng,
    ) -> (Position, Page) {
        let number = self.place(channel, now, rng).number;
        self.expire(number, now);
        let (_, home) = self.touch(channel, now, rng);
        let page = match since {
            Some(since) => home.since(since, limit),
            None => home.history.page(None, limit),
        };
        (home.position(), page)
    }

    /// The loop's last subscriber has gone; ignored when the home has spoken to it since
    /// `generation`.
    pub fn unlisten(&mut self, channel: &Channel, who: LoopId, generation: u64, now: Duration) {
        let Some(number) = self.numbers.get(channel).copied() else { return };
        let home = self.home(number);
        let interest = &mut home.interest[usize::from(who.0)];
        if interest.generation == generation {
            interest.listens = false;
            home.used = now;
        }
        self.rest(number);
    }

    /// Every loop counts as listening until it says otherwise, because members may be anywhere.
    /// Gives each loop's generation.
    pub fn listen_all(&mut self, channel: &Channel, now: Duration, rng: &mut Rng) -> Box<[u64]> {
        let (_, home) = self.touch(channel, now, rng);
        for interest in &mut home.interest {
            interest.listens = true;
            interest.generation += 1;
        }
        home.interest.iter().map(|interest| interest.generation).collect()
    }

    /// The loops that listen.
    pub fn listeners(&self, channel: &Channel) -> impl Iterator<Item = LoopId> {
        let interest = self.find(channel).map(|home| &*home.interest).unwrap_or_default();
        let listens = |(at, interest): (usize, &Interest)| interest.listens.then_some(at);
        interest.iter().enumerate().filter_map(listens).map(|at| LoopId(at as u16))
    }

    /// A channel that is about to be published to, or looked at.
    pub fn place(&mut self, channel: &Channel, now: Duration, rng: &mut Rng) -> Place<'_> {
        self.pass(now);
        let (number, _) = self.touch(channel, now, rng);
        self.rest(number);
        Place { channels: self, number, now }
    }

    /// Time has passed: publications that are over go, and with them what nobody has used for long.
    fn pass(&mut self, now: Duration) {
        while let Some(Reverse((at, number))) = self.due.peek().copied()
            && at <= now
        {
            self.due.pop();
            if self.is_due(number) {
                self.expire(number, now);
                self.age(number);
            }
        }
        self.free_idle(now);
    }

    /// A channel has come to the front of the queue of ends, and is out of it; whether it is still there.
    fn is_due(&mut self, number: u32) -> bool {
        let home = self.home(number);
        home.ages = false;
        let there = !home.interest.is_empty();
        if !there {
            self.free.push(number);
        }
        there
    }

    /// Enters a channel into the queue of ends, unless it is there or has no history.
    fn age(&mut self, number: u32) {
        let home = self.home(number);
        if let Some(oldest) = home.history.oldest().filter(|_| !home.ages) {
            home.ages = true;
            let end = oldest.saturating_add(home.keep.time);
            self.due.push(Reverse((end, number)));
        }
    }

    fn expire(&mut self, number: u32, now: Duration) {
        let home = self.home(number);
        let before = home.history.bytes();
        home.history.expire(home.keep, now);
        self.bytes -= before - self.home(number).history.bytes();
    }

    /// All histories together are too long: those that end first go at once, whole.
    fn evict(&mut self) {
        while self.bytes > self.bounds.history_bytes
            && let Some(Reverse((_, number))) = self.due.pop()
        {
            if !self.is_due(number) {
                continue;
            }
            let home = self.home(number);
            let (bytes, count) = (home.history.bytes(), home.history.len());
            home.history.clear();
            self.bytes -= bytes;
            self.evicted += count as u64;
        }
    }
}

#[cfg(test)]
mod tests;
