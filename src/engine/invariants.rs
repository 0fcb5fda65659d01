//! What must hold between inputs; a debug build checks it all the time.

use super::Engine;
use super::connection::Stage;
use crate::handler::Handler;

impl<H: Handler> Engine<H> {
    /// Looks at every connection.
    ///
    /// # Panics
    /// When something contradicts itself: a bug of ours.
    pub fn check_invariants(&self) {
        assert!(self.effects.is_empty() && self.back.is_none(), "every effect is carried out");
        assert!(self.receivers.is_empty() && self.run.is_empty(), "every broadcast is queued");
        assert!(self.local.is_empty(), "every word to ourselves is heard");
        assert!(self.touched.is_empty(), "every touched connection is settled");
        for (key, connection) in self.connections.iter() {
            let outbox = &connection.outbox;
            assert_eq!(outbox.bytes(), outbox.counted(), "{key:?}: bytes are counted");
            assert_eq!(outbox.is_empty(), outbox.bytes() == 0, "{key:?}: no empty entries");
            assert!(
                connection.over_since().is_none() || outbox.bytes() > 0,
                "{key:?}: an empty queue is not too long"
            );
            if let Some(slow) = connection.slow() {
                outbox.check(slow);
            }
            if let Some(at) = connection.deadline(&self.config) {
                let set = connection.timer.map(|(_, set)| set);
                assert!(set.is_some_and(|set| set <= at), "{key:?}: {set:?} is set, {at:?} is due");
            }
            assert!(
                !connection.hears() || !connection.holds(),
                "{key:?}: what may be heard is not held"
            );
            if connection.stage == Stage::Shut {
                let left = outbox.parts().next();
                assert!(left.is_none(), "{key:?}: nothing is queued once our side is shut");
            }
        }
        self.handler.check_invariants();
    }

    /// In debug builds: after every input while there are few connections, else now and then.
    pub(super) fn check_after_input(&mut self) {
        #[cfg(debug_assertions)]
        {
            self.unchecked_inputs += 1;
            if self.unchecked_inputs > self.connections.len() / 16 {
                self.unchecked_inputs = 0;
                self.check_invariants();
            }
        }
    }
}
