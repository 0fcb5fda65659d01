//! Which requests may overlap: those that go to the same place in their order (SPEC §3).

use super::Router;
use super::slots::Lane;
use crate::base::id::LoopId;
use crate::codec::json::{Decoded, Refused};
use crate::hub::ChannelRef;
use crate::message::client::{Order, Request};

impl Router {
    /// Where a request goes.
    pub(super) fn lane(&self, decoded: &Result<Decoded<'_>, Box<Refused<'_>>>) -> Lane {
        match decoded {
            Ok(Decoded {
                request: Request::Message(_) | Request::Send(_) | Request::EventAck(_),
                ..
            }) => Lane::Store,
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
            Ok(Decoded { request: Request::Typing(typing), .. }) => {
                crate::base::id::Id::parse(&typing.chat_id).map_or(Lane::Alone, |chat| {
                    Lane::Home(self.homes.of_channel(&ChannelRef::Room(chat)))
                })
            }
            Ok(decoded) if decoded.verb.order() == Order::Free => Lane::Free,
            Ok(_) | Err(_) => Lane::Alone,
        }
    }
}
