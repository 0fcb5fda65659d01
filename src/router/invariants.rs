//! What must hold of a loop's router between two inputs; looked at in debug builds.

use super::Router;

impl Router {
    /// Panics when the state contradicts itself.
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
