//! A publication gets its place: numbered and remembered, in one step.
//!
//! Law: a number is used only when it is remembered, where anything is, so a history has no hole.

use std::sync::Arc;
use std::time::Duration;

use super::{Channels, Home, Mark, Position};
use crate::protocol::frame::{Frame, OwnFrame};

/// A channel at its home, about to be published to.
#[derive(Debug)]
pub struct Place<'a> {
    pub(super) channels: &'a mut Channels,
    pub(super) number: u32,
    pub(super) now: Duration,
}

impl Place<'_> {
    fn home(&mut self) -> &mut Home {
        self.channels.home(self.number)
    }

    /// Where a publication of this name stands, if one is remembered.
    pub fn find(&mut self, mark: Mark) -> Option<Position> {
        self.channels.expire(self.number, self.now);
        let home = self.home();
        let offset = home.history.find(mark)?;
        Some(Position { offset, epoch: Arc::clone(&home.epoch) })
    }

    /// Where the next publication will stand.
    pub fn position(&mut self) -> Position {
        let Position { offset, epoch } = self.home().position();
        Position { offset: offset + 1, epoch }
    }

    /// The next publication was numbered by the store.
    pub fn expect(&mut self, offset: u64) {
        let home = self.home();
        let before = home.history.bytes();
        home.history.expect(offset);
        home.known = true;
        let after = home.history.bytes();
        self.channels.bytes = self.channels.bytes + after - before;
    }

    /// The next publication is this. It is given back for any number of receivers when it is
    /// remembered, in the block of one that is not any more if that will do.
    pub fn publish(mut self, frame: &mut OwnFrame, mark: Option<Mark>) -> Option<Frame> {
        let now = self.now;
        let home = self.home();
        if home.keep.messages == 0 {
            home.history.next();
            return None;
        }
        let before = home.history.bytes();
        let spare = home.history.make_room(home.keep);
        home.history.next();
        let shared = frame.share_in(spare);
        home.history.push(shared.clone(), mark, now);
        let after = home.history.bytes();
        self.channels.bytes = self.channels.bytes + after - before;
        self.channels.age(self.number);
        if self.channels.bytes > self.channels.bounds.history_bytes {
            self.channels.evict();
        }
        Some(shared)
    }
}
