//! What came for a subscription before its reply, and what becomes of it.
//!
//! Law: nothing of it is missing without a word: what is lost closes the connection.

use super::{Step, end};
use crate::base::id::ConnectionId;
use crate::handler::{Close, Context, Tag};
use crate::hub::Channel;
use crate::hub::subscriptions::Parked;
use crate::message::close::OVERLOADED;
use crate::protocol::frame::Frame;
use crate::router::Router;

impl Router {
    /// What was put by for a connection and is above `offset`.
    pub(in crate::router) fn unpark(
        &mut self,
        id: ConnectionId,
        number: u32,
        parked: Parked,
        offset: u64,
    ) -> Vec<(Tag, Frame)> {
        if parked.lost
            && let Some(session) = self.sessions.get_mut(id)
        {
            // Nothing may be missing without a word: it can come back and say where it was.
            session.close_after(Close::new(OVERLOADED, "too much came before the subscription"));
        }
        let above = parked.events.into_iter().filter(|(at, _)| *at == 0 || *at > offset);
        above.map(|(at, frame)| (self.tag(number, at), frame)).collect()
    }

    /// Nothing came of a request to subscribe: what was subscribed before is as it was.
    pub(in crate::router) fn not_subscribed(
        &mut self,
        cx: &mut Context<'_, Self>,
        id: ConnectionId,
        step: &Step,
    ) {
        let channel = match step {
            Step::Subscribe { channel, new: true, .. }
            | Step::Stored { channel, new: true, .. } => {
                return end(self, cx, id, channel);
            }
            Step::Subscribe { channel, .. } | Step::Stored { channel, .. } => channel,
            Step::Log { chat, new: true, .. } => {
                return end(self, cx, id, &Channel::Room(*chat));
            }
            Step::Log { chat, .. } => &Channel::Room(*chat),
            Step::Pattern { namespace, .. } => return self.end_pattern(cx, id, namespace),
            Step::History | Step::LogPage { .. } | Step::StoredPage { .. } | Step::Publish => {
                return;
            }
        };
        let Some(number) = self.subscriptions.number(channel) else { return };
        match self.subscriptions.tell_as_before(number, id) {
            Some(news) => {
                let tag = Tag { channel: number, offset: 0, class: self.class(number) };
                self.send_missed(cx, id, news.into_iter().map(|frame| (tag, frame)).collect());
            }
            None => self.unwatch(cx, id, channel),
        }
        if let Some(parked) = self.subscriptions.release(number, id) {
            let missed = self.unpark(id, number, *parked, 0);
            self.send_missed(cx, id, missed);
        }
    }

    /// Sends what a connection missed.
    pub(in crate::router) fn send_missed(
        &self,
        cx: &mut Context<'_, Self>,
        id: ConnectionId,
        missed: Vec<(Tag, Frame)>,
    ) {
        self.metrics.deliveries.add(missed.len() as u64);
        for (tag, frame) in missed {
            cx.send(id, crate::handler::Segment::Shared(frame), tag);
        }
    }
}
