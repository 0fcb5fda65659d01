//! What a subscription is answered: where its channel stands, and what was missed.

use serde::Serialize;

use super::page::raw;
use crate::hub::channels::Position;
use crate::message::execution::Execution;
use crate::message::presence::WhoIsThere;
use crate::protocol::frame::Frame;
use crate::router::ask::{Ask, Outcome};

/// What a subscription is answered, whatever keeps the events of its channel.
#[derive(Serialize)]
pub(in crate::router) struct Subscribed<'a, E: Serialize> {
    pub(in crate::router) channel: &'a str,
    pub(in crate::router) offset: u64,
    pub(in crate::router) epoch: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::router) recovered: Option<bool>,
    pub(in crate::router) events: &'a [E],
    pub(in crate::router) more: bool,
    /// How what the channel is about stands now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::router) state: Option<&'a Execution>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::router) presence: Option<Box<WhoIsThere>>,
}

/// Answers with where the channel stands, what was missed, and who is there if that was asked for.
pub(super) fn subscribed(
    ask: &mut Ask<'_, '_>,
    channel: &str,
    position: &Position,
    recovered: Option<bool>,
    events: &[(u64, Frame)],
    more: bool,
) -> Outcome {
    ask.router.subscribed_to(ask.cx, ask.connection, channel);
    let (offset, epoch, events) = (position.offset, &*position.epoch, raw(events)?);
    let presence = ask.session_mut()?.take_who_is_there();
    let (events, state) = (&*events, None);
    ask.ok(&Subscribed { channel, offset, epoch, recovered, events, more, state, presence })
}
