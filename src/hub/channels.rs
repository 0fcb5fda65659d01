//! At the home of a channel: its numbering, and which loops listen.
//!
//! A loop says that it is interested before it subscribes anyone, and that it is not any more when
//! the last subscriber has gone. The home may count a loop as interested without having been asked
//! (when members join); such a loop says at once if nobody there is. Each word of the home carries
//! a generation, so that an answer to an older word cannot undo a newer one.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::base::hash::{NameMap, name_map};
use crate::base::id::LoopId;
use crate::base::rng::Rng;
use crate::hub::{AsChannel, Channel, ChannelRef};

/// How long the numbering of a channel in memory outlives its last use.
const FORGET_AFTER: Duration = Duration::from_secs(300);

/// The channels whose home this loop is.
#[derive(Debug)]
pub struct Channels {
    homes: NameMap<Channel, Home>,
    /// Channels that nobody listened to at the time given, oldest first.
    idle: VecDeque<(Duration, Channel)>,
    loops: usize,
}

#[derive(Debug)]
struct Home {
    /// The newest offset, 0 when there is none.
    top: u64,
    /// Distinguishes this numbering from one that is started after it is forgotten.
    epoch: Arc<str>,
    used: Duration,
    /// Whether it is among the idle ones already, once however often it is used.
    idle: bool,
    interest: Box<[Interest]>,
}

impl Home {
    fn is_silent(&self) -> bool {
        self.interest.iter().all(|interest| !interest.listens)
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
    pub fn new(seed: u64, loops: usize) -> Self {
        Self { homes: name_map(seed), idle: VecDeque::new(), loops }
    }

    /// How many channels have state here.
    #[must_use]
    pub fn len(&self) -> usize {
        self.homes.len()
    }

    /// Whether none has.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.homes.is_empty()
    }

    /// A channel that has state here, without making another copy of its name.
    #[must_use]
    pub fn known(&self, channel: ChannelRef<'_>) -> Option<Channel> {
        let key: &dyn AsChannel = &channel;
        self.homes.get_key_value(key).map(|(known, _)| known.clone())
    }

    fn home(&mut self, channel: &Channel, now: Duration, rng: &mut Rng) -> &mut Home {
        let loops = self.loops;
        let home = self.homes.entry(channel.clone()).or_insert_with(|| Home {
            top: 0,
            epoch: format!("{:016x}", rng.next_u64()).into(),
            used: now,
            idle: false,
            interest: vec![Interest::default(); loops].into(),
        });
        home.used = now;
        home
    }

    /// The loop listens from now on. Gives the generation of its interest, and where the channel
    /// stands.
    pub fn listen(
        &mut self,
        channel: &Channel,
        who: LoopId,
        now: Duration,
        rng: &mut Rng,
    ) -> (u64, Position) {
        self.forget_idle(now);
        let home = self.home(channel, now, rng);
        let interest = &mut home.interest[usize::from(who.0)];
        interest.listens = true;
        interest.generation += 1;
        (interest.generation, Position { offset: home.top, epoch: Arc::clone(&home.epoch) })
    }

    /// The loop's last subscriber has gone; ignored when the home has spoken to it since
    /// `generation`.
    pub fn unlisten(&mut self, channel: &Channel, who: LoopId, generation: u64, now: Duration) {
        let Some(home) = self.homes.get_mut(channel) else { return };
        let interest = &mut home.interest[usize::from(who.0)];
        if interest.generation == generation {
            interest.listens = false;
        }
        self.rest(channel, now);
    }

    /// Every loop counts as listening until it says otherwise, because members may be anywhere.
    /// Gives each loop's generation.
    pub fn listen_all(&mut self, channel: &Channel, now: Duration, rng: &mut Rng) -> Box<[u64]> {
        let home = self.home(channel, now, rng);
        for interest in &mut home.interest {
            interest.listens = true;
            interest.generation += 1;
        }
        home.interest.iter().map(|interest| interest.generation).collect()
    }

    /// The loops that listen.
    pub fn listeners(&self, channel: &Channel) -> impl Iterator<Item = LoopId> {
        let interest = self.homes.get(channel).map(|home| &*home.interest).unwrap_or_default();
        let listens = |(at, interest): (usize, &Interest)| interest.listens.then_some(at);
        interest.iter().enumerate().filter_map(listens).map(|at| LoopId(at as u16))
    }

    /// Numbers a publication of a channel that is kept in memory only.
    pub fn number(&mut self, channel: &Channel, now: Duration, rng: &mut Rng) -> Position {
        self.forget_idle(now);
        let home = self.home(channel, now, rng);
        home.top += 1;
        let position = Position { offset: home.top, epoch: Arc::clone(&home.epoch) };
        self.rest(channel, now);
        position
    }

    /// Remembers when a channel without listeners may be forgotten.
    fn rest(&mut self, channel: &Channel, now: Duration) {
        if let Some(home) = self.homes.get_mut(channel)
            && home.is_silent()
            && !home.idle
        {
            home.idle = true;
            self.idle.push_back((now, channel.clone()));
        }
    }

    /// Lets go of channels that nobody has used for long, so that names cannot fill the memory.
    fn forget_idle(&mut self, now: Duration) {
        while let Some((since, _)) = self.idle.front()
            && *since + FORGET_AFTER <= now
        {
            let Some((since, channel)) = self.idle.pop_front() else { return };
            let Some(home) = self.homes.get_mut(&channel) else { continue };
            home.idle = false;
            if home.is_silent() && home.used <= since {
                self.homes.remove(&channel);
            } else {
                // Used since: it is looked at again after as long.
                self.rest(&channel, now);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1000);

    fn named(name: &str) -> Channel {
        Channel::parse(name).expect("a good name")
    }

    #[test]
    fn offsets_count_and_an_epoch_lasts_as_long_as_the_numbering() {
        let (mut channels, mut rng) = (Channels::new(1, 2), Rng::new(1));
        let a = named("public:a");
        assert_eq!(channels.known(a.as_channel()), None);
        let first = channels.number(&a, NOW, &mut rng);
        assert_eq!(channels.known(a.as_channel()), Some(a.clone()));
        let second = channels.number(&a, NOW, &mut rng);
        assert_eq!((first.offset, second.offset), (1, 2));
        assert_eq!(first.epoch, second.epoch);
        let (_, stands) = channels.listen(&a, LoopId(1), NOW, &mut rng);
        assert_eq!(stands, second);
        // While somebody listens it is not forgotten, afterwards it is.
        channels.number(&named("public:b"), NOW + 2 * FORGET_AFTER, &mut rng);
        assert_eq!(channels.len(), 2);
        channels.unlisten(&a, LoopId(1), 1, NOW + 2 * FORGET_AFTER);
        let later = NOW + 4 * FORGET_AFTER;
        let again = channels.number(&named("public:c"), later, &mut rng);
        assert_eq!((channels.len(), again.offset), (1, 1));
        assert_ne!(channels.number(&a, later, &mut rng).epoch, first.epoch);
    }

    #[test]
    fn a_channel_that_is_only_published_to_is_idle_once() {
        let (mut channels, mut rng) = (Channels::new(1, 1), Rng::new(1));
        let a = named("public:a");
        for second in 0..1000 {
            channels.number(&a, NOW + Duration::from_secs(second), &mut rng);
            assert_eq!(channels.idle.len(), 1);
        }
        // In use all the time, it has kept its numbers; left alone, it goes.
        let last = NOW + Duration::from_secs(1000);
        assert_eq!(channels.number(&a, last, &mut rng).offset, 1001);
        for later in 1..=2 {
            channels.number(&named("public:b"), last + later * FORGET_AFTER, &mut rng);
        }
        assert_eq!(channels.len(), 1);
    }

    #[test]
    fn an_old_word_does_not_undo_a_newer_one() {
        let (mut channels, mut rng) = (Channels::new(1, 3), Rng::new(1));
        let a = named("public:a");
        let (old, _) = channels.listen(&a, LoopId(2), NOW, &mut rng);
        let generations = channels.listen_all(&a, NOW, &mut rng);
        channels.unlisten(&a, LoopId(2), old, NOW);
        channels.unlisten(&a, LoopId(0), generations[0], NOW);
        assert_eq!(channels.listeners(&a).collect::<Vec<_>>(), [LoopId(1), LoopId(2)]);
    }
}
