//! Slow receivers: what the queue of a connection may do with the events of a channel, and how a
//! receiver is told what it did (SPEC §5, `gap`).
//!
//! Law: a gap is over when a subscription ends, or a reply tells where the channel stands.

use serde::Serialize;

use super::Router;
use crate::base::id::ConnectionId;
use crate::base::now::Now;
use crate::base::time::Timestamp;
use crate::codec::json;
use crate::handler::{Class, Context, Gap};
use crate::hub::policy::Queue;
use crate::message::server;
use crate::protocol::frame::{Draft, OwnFrame};
use crate::protocol::websocket::Opcode;

/// What is missing, both inclusive.
#[derive(Serialize)]
struct Missing {
    from: u64,
    to: u64,
}

impl Router {
    /// What a queue without room does with an event of this channel.
    pub(super) fn class(&self, number: u32) -> Class {
        match self.subscriptions.queue(number) {
            Queue::Kick => Class::Kick,
            Queue::DropOldest => Class::DropOldest,
            Queue::DropNewest => Class::DropNewest,
            Queue::Latest => Class::Latest,
        }
    }

    /// A subscription ends, or a reply tells where the channel stands: what is dropped before is told
    /// before, and is no part of a later gap.
    pub(super) fn settle(&self, cx: &mut Context<'_, Self>, id: ConnectionId, number: u32) {
        if self.class(number).may_be_dropped() {
            cx.settle(id, number);
        }
    }

    pub(super) fn write_gap(&self, now: Now, gap: &Gap, mut draft: Draft) -> Option<OwnFrame> {
        let channel = self.subscriptions.name(gap.channel)?.to_string();
        let event = json::Event {
            word: server::GAP,
            channel: Some(&channel),
            timestamp: Some(Timestamp(now.unix_ms)),
            ..json::Event::default()
        };
        json::event(draft.payload(), &event, &Missing { from: gap.from, to: gap.to });
        Some(draft.finish(Opcode::Text))
    }
}
