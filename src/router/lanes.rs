//! With what a request may overlap (SPEC §3, order): by what answers it, and in which order that does.

use super::Router;
use super::slots::Lane;
use crate::base::id::{Id, LoopId};
use crate::codec::json::{Decoded, Refused};
use crate::hub::ChannelRef;
use crate::message::client::{Order, Request};

impl Router {
    /// Its lane.
    pub(super) fn lane(&self, decoded: &Result<Decoded<'_>, Box<Refused<'_>>>) -> Lane {
        match decoded {
            Ok(Decoded {
                request: Request::Message(_) | Request::Send(_) | Request::EventAck(_),
                ..
            }) => Lane::Store,
            Ok(Decoded { request: Request::Publish(publish), .. })
                if self.config.policies.stores() =>
            {
                self.lane_of(&publish.channel)
            }
            // With one loop every channel is at home here.
            Ok(Decoded { request: Request::Publish(_) | Request::Typing(_), .. })
                if self.homes.len() == 1 =>
            {
                Lane::Home(LoopId(0))
            }
            Ok(Decoded { request: Request::Publish(publish), .. }) => {
                ChannelRef::parse(&publish.channel)
                    .map_or(Lane::Alone, |channel| Lane::Home(self.homes.of_channel(&channel)))
            }
            Ok(Decoded { request: Request::Typing(typing), .. }) => Id::parse(&typing.chat_id)
                .map_or(Lane::Alone, |chat| {
                    Lane::Home(self.homes.of_channel(&ChannelRef::Room(chat)))
                }),
            Ok(decoded) if decoded.verb.order() == Order::Free => Lane::Free,
            Ok(_) | Err(_) => Lane::Alone,
        }
    }

    /// Where a publication goes, when there are durable namespaces.
    fn lane_of(&self, channel: &str) -> Lane {
        let Some(channel) = ChannelRef::parse(channel) else { return Lane::Alone };
        let home = self.homes.of_channel(&channel);
        let policy = self.config.policies.of(channel.namespace());
        if policy.is_some_and(|policy| policy.durable) { Lane::Log(home) } else { Lane::Home(home) }
    }
}
