//! Channels that nobody uses: what is kept of them goes after a while (SPEC §1, row 004).
//!
//! What nobody listens to keeps its numbering, so that who comes back finds its place, for
//! `limits.channel_idle_ms` after its last use; then nothing is left of it in memory. What is stored is
//! the store's, and stays. Law: the one used longest ago goes first. Limits: `limits.idle_channels`,
//! so that names cannot fill the memory, and [`FREED_AT_ONCE`] of each step.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use super::{Channels, Home};
use crate::hub::Channel;

/// Channels that one step looks at: a thousand that are over together hold up nobody.
const FREED_AT_ONCE: usize = 256;

/// How many channels were freed since this was asked last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Freed {
    /// Because nobody used them for long.
    pub idle: u64,
    /// Because there were too many.
    pub crowded: u64,
}

impl Channels {
    /// How many channels were freed since this was asked last, and why.
    pub const fn take_freed(&mut self) -> Freed {
        std::mem::replace(&mut self.freed, Freed { idle: 0, crowded: 0 })
    }

    /// When there may be something to free.
    #[must_use]
    pub fn next_idle(&self) -> Option<Duration> {
        self.idle.peek().map(|Reverse((at, _))| *at + self.bounds.idle)
    }

    /// Frees what nobody has used for long.
    pub fn tidy(&mut self, now: Duration) {
        self.pass(now);
    }

    /// Forgets what a channel remembers, but for its numbers.
    pub fn clear(&mut self, channel: &Channel) {
        let Some(number) = self.numbers.get(channel).copied() else { return };
        let home = self.home(number);
        let bytes = home.history.bytes();
        home.history.clear();
        self.bytes -= bytes;
    }

    /// Enters a channel without listeners among those that may be freed.
    pub(super) fn rest(&mut self, number: u32) {
        let home = self.home(number);
        if !home.is_silent() || home.idle {
            return;
        }
        let used = home.used;
        while self.idle.len() >= self.bounds.idle_channels.max(1) {
            self.make_room();
        }
        self.home(number).idle = true;
        self.idle.push(Reverse((used, number)));
    }

    /// Takes out the one that seems to have been used longest ago. It goes, if that is so.
    fn make_room(&mut self) {
        let Some(Reverse((at, number))) = self.idle.pop() else { return };
        if !self.is_left(number, at) {
            return;
        }
        let home = self.home(number);
        let bytes = home.history.bytes();
        home.history.clear();
        self.bytes -= bytes;
        self.forget(number);
        self.freed.crowded += 1;
    }

    /// Whether an entry that was taken out is of a channel that nobody listens to, and that was not
    /// used since `at`; one that was used later is entered anew.
    fn is_left(&mut self, number: u32, at: Duration) -> bool {
        let home = self.home(number);
        home.idle = false;
        if !home.is_silent() {
            return false;
        }
        let used = home.used;
        if used > at {
            home.idle = true;
            self.idle.push(Reverse((used, number)));
        }
        used <= at
    }

    pub(super) fn free_idle(&mut self, now: Duration) {
        for _ in 0..FREED_AT_ONCE {
            if self.next_idle().is_none_or(|due| due > now) {
                return;
            }
            let Some(Reverse((at, number))) = self.idle.pop() else { return };
            if !self.is_left(number, at) {
                continue;
            }
            self.expire(number, now);
            let home = self.home(number);
            if home.history.is_empty() {
                self.forget(number);
                self.freed.idle += 1;
            } else {
                // It remembers for longer than that.
                home.idle = true;
                self.idle.push(Reverse((now, number)));
            }
        }
    }

    /// Nothing is left of a channel but its number, as long as that is in the queue of ends.
    fn forget(&mut self, number: u32) {
        let nobody = Channel::Named(std::sync::Arc::default());
        let Home { channel, interest, ages, .. } = self.home(number);
        *interest = Box::default();
        let (channel, ages) = (std::mem::replace(channel, nobody), *ages);
        self.numbers.remove(&channel);
        if !ages {
            self.free.push(number);
        }
        if self.numbers.is_empty() && self.due.is_empty() {
            self.homes = Vec::new();
            self.free = Vec::new();
            self.idle = BinaryHeap::new();
            self.numbers.shrink_to_fit();
        }
    }
}
