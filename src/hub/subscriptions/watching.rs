//! Subscriptions in channels that tell who is there: which began and ended, and which of them want to
//! be told.
//!
//! Law: what a watcher is told goes on from what its reply says, and comes after it.

use super::Subscriptions;
use crate::base::id::ConnectionId;
use crate::hub::Channel;
use crate::protocol::frame::Frame;

/// A subscription has begun or ended in a channel that tells who is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attended {
    /// Where.
    pub channel: Channel,
    /// Which connection.
    pub connection: ConnectionId,
    /// Whether it has begun.
    pub came: bool,
    /// Whether it wanted to be told who is there.
    pub watched: bool,
}

impl Subscriptions {
    /// Who came and went since this was asked last.
    pub fn attended(&mut self) -> Vec<Attended> {
        std::mem::take(&mut self.attended)
    }

    /// Whether nobody did.
    #[must_use]
    pub const fn nobody_came(&self) -> bool {
        self.attended.is_empty()
    }

    /// A subscription wants to be told who is there, or not any more; whether that is new. It is told
    /// nothing before [`put_news_by`](Self::put_news_by).
    pub fn watch(&mut self, number: u32, connection: ConnectionId, wants: bool) -> bool {
        let Some(Some(entry)) = self.entries.get_mut(number as usize) else { return false };
        let at = entry.watchers.iter().position(|watcher| watcher.connection == connection);
        match (at, wants) {
            (None, true) => {
                let (telling, stands) = (Telling::Asked, false);
                entry.watchers.push(Watcher { connection, telling, stands });
            }
            (Some(at), false) => drop(entry.watchers.swap_remove(at)),
            (Some(at), true) => {
                // Anew: one that stands is told on, for nothing may come of the request.
                let watcher = &mut entry.watchers[at];
                if !watcher.stands {
                    watcher.telling = Telling::Asked;
                }
                return false;
            }
            (None, false) => return false,
        }
        true
    }

    fn watcher(&mut self, number: u32, connection: ConnectionId) -> Option<&mut Watcher> {
        let entry = self.entries.get_mut(number as usize)?.as_mut()?;
        entry.watchers.iter_mut().find(|watcher| watcher.connection == connection)
    }

    /// The reply will say who is there: what is told from now on follows it.
    pub fn put_news_by(&mut self, number: u32, connection: ConnectionId) {
        if let Some(watcher) = self.watcher(number, connection) {
            watcher.telling = Telling::PutBy(Vec::new());
        }
    }

    /// The reply goes out. Gives what follows it; more is told at once.
    pub fn tell_news(&mut self, number: u32, connection: ConnectionId) -> Vec<Frame> {
        let Some(watcher) = self.watcher(number, connection) else { return Vec::new() };
        watcher.stands |= !matches!(watcher.telling, Telling::Asked);
        match std::mem::replace(&mut watcher.telling, Telling::Told) {
            Telling::PutBy(frames) => frames,
            Telling::Told => Vec::new(),
            // Its answer is still to come, for another request.
            Telling::Asked => {
                watcher.telling = Telling::Asked;
                Vec::new()
            }
        }
    }

    /// Nothing came of a request of a subscription that exists. Gives what it is told now if it was told
    /// before who is there; none if it was not.
    pub fn tell_as_before(&mut self, number: u32, connection: ConnectionId) -> Option<Vec<Frame>> {
        self.watcher(number, connection).filter(|watcher| watcher.stands)?;
        Some(self.tell_news(number, connection))
    }

    /// Who is in the channel of this number has changed, but for `except`. Gives the connections that
    /// are told now.
    pub fn hear_news(
        &mut self,
        number: u32,
        frame: &Frame,
        except: Option<ConnectionId>,
    ) -> Vec<ConnectionId> {
        let Some(Some(entry)) = self.entries.get_mut(number as usize) else { return Vec::new() };
        let mut now = Vec::new();
        let others = entry.watchers.iter_mut().filter(|one| Some(one.connection) != except);
        for watcher in others {
            match &mut watcher.telling {
                Telling::Asked => {}
                Telling::PutBy(frames) => frames.push(frame.clone()),
                Telling::Told => now.push(watcher.connection),
            }
        }
        now
    }
}

/// A connection that wants to be told who is there.
#[derive(Debug)]
pub(super) struct Watcher {
    pub(super) connection: ConnectionId,
    telling: Telling,
    /// A reply has said who is there.
    stands: bool,
}

/// How far it is.
#[derive(Debug)]
enum Telling {
    /// It does not know who is there.
    Asked,
    /// Its reply will say; what came since follows that.
    PutBy(Vec<Frame>),
    /// It is told at once.
    Told,
}
