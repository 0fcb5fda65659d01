//! What must hold between any two inputs of a loop; asked in debug builds and by the simulator.

use super::Router;
use crate::hub::Channel;
use crate::message::presence::WhoIsThere;

impl Router {
    /// Who is in a channel whose home is this loop, for tests and simulations.
    #[must_use]
    pub fn who_is_there(&self, channel: &Channel) -> WhoIsThere {
        self.attendance.who_is_there(channel)
    }

    /// How many requests wait for something, for tests and simulations.
    #[must_use]
    pub const fn calls(&self) -> usize {
        self.calls.len()
    }

    /// How many channels memory knows whose home is this loop, for tests and simulations: in time it
    /// forgets those that nobody uses.
    #[must_use]
    pub fn known_channels(&self) -> usize {
        self.channels.len()
    }

    /// How many channels and users have state on this loop, for tests and simulations: nothing may
    /// be left when everybody has gone.
    #[must_use]
    pub fn residue(&self) -> usize {
        self.subscriptions.len()
            + self.patterns.len()
            + self.local_users.len()
            + self.sessions.len()
            + self.calls.len()
            + self.backends.len()
    }

    /// Panics when the tables contradict each other.
    pub(super) fn check(&self) {
        for (id, session) in self.sessions.iter() {
            session.slots.check();
            assert!(session.paused || !session.has_rest(), "{id:?} comes back to what is kept");
            for number in &session.channels {
                let channel = self.subscriptions.channel(*number);
                assert!(channel.is_some(), "{id:?} is subscribed to nothing");
            }
            if let Some(user) = session.user_id() {
                assert!(self.local_users.connections(user).contains(&id), "{id:?} is known");
            }
        }
        self.backends.check();
        for (key, call) in self.calls.iter() {
            assert!(call.step.is_some(), "call {key:?} waits for something");
        }
    }
}
