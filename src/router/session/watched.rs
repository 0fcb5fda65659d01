//! What a connection listens to by the right of its role: all of a namespace, and chats of which its user
//! is no member.
//!
//! Law: such a chat is among the channels of the connection, and among those that it chose. Whoever becomes a
//! member watches no more: the subscription is then that of a member.

use super::Session;
use crate::hub::Channel;

impl Session {
    /// Whether it listens to a chat without being a member.
    pub(in crate::router) fn watches(&self, number: u32) -> bool {
        self.rare.as_ref().is_some_and(|rare| rare.watched.contains(&number))
    }

    /// It listens to a channel of its own choice; to that of a chat without being a member.
    pub(in crate::router) fn choose(&mut self, channel: &Channel, number: u32) {
        self.channels.push(number);
        self.chosen += 1;
        if let Channel::Room(_) = channel {
            self.rare.get_or_insert_default().watched.push(number);
        }
    }

    /// It does not any more, or is a member now; whether it did.
    pub(in crate::router) fn unwatch(&mut self, number: u32) -> bool {
        let Some(rare) = self.rare.as_mut().filter(|rare| rare.watched.contains(&number)) else {
            return false;
        };
        rare.watched.retain(|known| *known != number);
        true
    }

    /// The namespaces of which it hears all.
    pub(in crate::router) fn patterns(&self) -> &[Box<str>] {
        self.rare.as_ref().map(|rare| &*rare.patterns).unwrap_or_default()
    }

    pub(in crate::router) fn patterns_mut(&mut self) -> &mut Vec<Box<str>> {
        &mut self.rare.get_or_insert_default().patterns
    }
}
