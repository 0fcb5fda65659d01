//! Events of inboxes as they are sent, and what their queues may do with them.

use crate::base::id::UserId;
use crate::base::time::Timestamp;
use crate::codec::json;
use crate::handler::{Class, Context, Tag};
use crate::hub::channels::DURABLE_EPOCH;
use crate::message::{inbox::InboxEvent, server};
use crate::protocol::frame::OwnFrame;
use crate::protocol::websocket::Opcode;
use crate::router::Router;

/// The namespace of inboxes.
pub(super) const NAMESPACE: &str = "user";

/// The name of an inbox's channel.
pub(in crate::router) fn channel(user: &UserId) -> String {
    format!("{NAMESPACE}:{user}")
}

/// An event of an inbox.
pub(in crate::router) fn encode(
    cx: &mut Context<'_, Router>,
    channel: &str,
    event: &InboxEvent,
) -> OwnFrame {
    let head = json::Event {
        word: &event.word,
        channel: Some(channel),
        offset: Some(event.offset),
        epoch: Some(DURABLE_EPOCH),
        id: None,
        sender: Some(&event.sender),
        timestamp: Some(event.at),
    };
    let mut draft = cx.draft();
    json::event(draft.payload(), &head, &event.payload);
    draft.finish(Opcode::Text)
}

/// Tells that events are gone.
pub(super) fn gap(cx: &mut Context<'_, Router>, channel: &str, from: u64, to: u64) -> OwnFrame {
    #[derive(serde::Serialize)]
    struct Gap {
        from: u64,
        to: u64,
    }
    let head = json::Event {
        word: server::GAP,
        channel: Some(channel),
        timestamp: Some(Timestamp(cx.now.unix_ms)),
        ..json::Event::default()
    };
    let mut draft = cx.draft();
    json::event(draft.payload(), &head, &Gap { from, to });
    draft.finish(Opcode::Text)
}

/// What the queue of a receiver knows of an event.
pub(super) const fn tag(offset: u64, critical: bool) -> Tag {
    Tag { channel: 0, offset, class: if critical { Class::Critical } else { Class::Kick } }
}
