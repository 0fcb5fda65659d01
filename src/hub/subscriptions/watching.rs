//! Subscriptions in channels that tell who is there: which began and ended, and which of them want to
//! be told.

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
    /// from [`begin_telling`](Self::begin_telling) on.
    pub fn watch(&mut self, number: u32, connection: ConnectionId, wants: bool) -> bool {
        let Some(Some(entry)) = self.entries.get_mut(number as usize) else { return false };
        let at = entry.watchers.iter().position(|(known, _)| *known == connection);
        match (at, wants) {
            (None, true) => entry.watchers.push((connection, false)),
            (Some(at), false) => drop(entry.watchers.swap_remove(at)),
            (Some(at), true) => {
                // Anew: it is told again when it knows who is there.
                entry.watchers[at].1 = false;
                return false;
            }
            (None, false) => return false,
        }
        true
    }

    /// It has been told who is there now.
    pub fn begin_telling(&mut self, number: u32, connection: ConnectionId) {
        let Some(Some(entry)) = self.entries.get_mut(number as usize) else { return };
        let mut watchers = entry.watchers.iter_mut();
        if let Some(watcher) = watchers.find(|(known, _)| *known == connection) {
            watcher.1 = true;
        }
    }

    /// Puts an event by for one connection, if what comes is put by for it.
    pub fn put_by_for(&mut self, number: u32, connection: ConnectionId, frame: &Frame) -> bool {
        let Some(Some(entry)) = self.entries.get_mut(number as usize) else { return false };
        let mut waiting = entry.waiting.iter_mut();
        let found = waiting.find(|waiting| waiting.connection == connection);
        let Some(parked) = found.and_then(|waiting| waiting.parked.as_mut()) else { return false };
        parked.put_by(0, frame);
        true
    }

    /// The connections that are told who is in the channel of this number.
    #[must_use]
    pub fn watchers(&self, number: u32) -> Vec<ConnectionId> {
        let entry = self.entries.get(number as usize).and_then(Option::as_ref);
        let watchers = entry.map(|entry| &*entry.watchers).unwrap_or_default();
        watchers.iter().filter(|(_, told)| *told).map(|(connection, _)| *connection).collect()
    }
}
