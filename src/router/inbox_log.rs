//! The log of an inbox as a channel: `subscribe` to `user:{id}`.
//!
//! The connection hears its inbox without asking; what is asked for here is where it stands, and
//! with `since` what came after it. Law: what the reply tells does not come once more behind it.

use serde::Serialize;
use serde_json::value::RawValue;

use super::ask::{Ask, Event, Outcome, unexpected};
use super::events::DURABLE_EPOCH;
use super::inbox;
use crate::message::fault::{Code, Fault};
use crate::message::inbox::InboxEvent;
use crate::store::inbox::{InboxFound, InboxRead};
use crate::store::{Found, Read};

/// Payloads in one reply together, in bytes, after which the page ends.
const REPLY_BYTES: usize = 512 * 1024;

/// What was asked: the offset and the epoch that were seen last.
#[derive(Debug)]
pub(super) struct Step {
    since: Option<(u64, Box<str>)>,
}

impl From<Step> for super::Step {
    fn from(step: Step) -> Self {
        Self::InboxLog(step)
    }
}

/// Says where the caller's inbox stands, and what came after `since`.
pub(super) fn subscribe(ask: &mut Ask<'_, '_>, since: Option<(u64, Box<str>)>) -> Outcome {
    let known = since.as_ref().filter(|(_, epoch)| **epoch == *DURABLE_EPOCH);
    let read = InboxRead::Page {
        user: ask.me()?,
        after: known.map(|(offset, _)| *offset),
        limit: if since.is_some() { ask.router.config.history_page } else { 1 },
        bytes: REPLY_BYTES,
        since_ms: ask.cx.now.unix_ms.saturating_sub(ask.router.config.inbox.age_ms),
    };
    ask.read(Read::Inbox(read), Step { since })
}

#[derive(Serialize)]
struct Subscribed<'a> {
    channel: &'a str,
    offset: u64,
    epoch: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    recovered: Option<bool>,
    events: Vec<Box<RawValue>>,
    more: bool,
}

/// The page was read.
pub(super) fn go_on(ask: &mut Ask<'_, '_>, step: Step, event: Event) -> Outcome {
    let Event::Found(Found::Inbox(InboxFound::Page { events, first, top })) = event else {
        return Err(unexpected(&event));
    };
    let channel = inbox::channel(&ask.me()?);
    let (mut told, mut more, mut recovered) = (Vec::new(), false, None);
    if let Some((seen, epoch)) = &step.since {
        more = events.last().is_some_and(|last| last.offset < top);
        let known = **epoch == *DURABLE_EPOCH && *seen <= top;
        recovered = Some(known && first <= seen.saturating_add(1));
        for event in &events {
            told.push(raw(ask, &channel, event)?);
        }
        if known {
            // The rest is paged by `history`; what comes by itself is above.
            ask.session_mut()?.heard_inbox(top);
        }
    }
    let (channel, epoch) = (channel.as_str(), DURABLE_EPOCH);
    ask.ok(&Subscribed { channel, offset: top, epoch, recovered, events: told, more })
}

/// An event, to be put into a reply.
fn raw(ask: &mut Ask<'_, '_>, channel: &str, event: &InboxEvent) -> Result<Box<RawValue>, Fault> {
    let own = inbox::encode(ask.cx, channel, event);
    let text = std::str::from_utf8(own.payload()).ok().map(str::to_owned);
    ask.cx.recycle(own);
    text.and_then(|text| RawValue::from_string(text).ok())
        .ok_or_else(|| Fault::new(Code::Internal, "the inbox could not be written"))
}
