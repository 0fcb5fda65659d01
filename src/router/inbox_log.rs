//! The log of an inbox as a channel: `subscribe` to `user:{id}`, and its `history`.
//!
//! The connection hears its inbox without asking; what is asked for here is where it stands, and
//! with `since` what came after it. Law: what the reply tells does not come once more behind it.

use serde::Serialize;
use serde_json::value::RawValue;

use super::ask::{Ask, Event, Outcome, unexpected};
use super::channels::Subscribed;
use super::inbox;
use crate::hub::channels::{DURABLE_EPOCH, Since};
use crate::message::fault::{Code, Fault};
use crate::message::inbox::InboxEvent;
use crate::store::inbox::{InboxFound, InboxRead};
use crate::store::{Found, Read};

/// Payloads in one reply together, in bytes, after which the page ends.
const REPLY_BYTES: usize = 512 * 1024;

/// What was asked.
#[derive(Debug)]
pub(super) enum Step {
    /// Where it stands, and what came after this.
    Subscribe(Option<Box<Since>>),
    /// A page.
    History,
}

impl From<Step> for super::Step {
    fn from(step: Step) -> Self {
        Self::InboxLog(step)
    }
}

/// Says where the caller's inbox stands, and what came after `since`.
pub(super) fn subscribe(ask: &mut Ask<'_, '_>, since: Option<Box<Since>>) -> Outcome {
    let limit = if since.is_some() { ask.router.config.history_page } else { 1 };
    let read = page(ask, since.as_deref(), limit)?;
    ask.read(read, Step::Subscribe(since))
}

/// Gives a page of the caller's inbox.
pub(super) fn history(ask: &mut Ask<'_, '_>, since: Option<Box<Since>>, limit: u32) -> Outcome {
    let read = page(ask, since.as_deref(), limit)?;
    ask.read(read, Step::History)
}

fn page(ask: &Ask<'_, '_>, since: Option<&Since>, limit: u32) -> Result<Read, Fault> {
    let known = since.filter(|since| *since.epoch == *DURABLE_EPOCH);
    Ok(Read::Inbox(InboxRead::Page {
        user: ask.me()?,
        after: known.map(|since| since.offset),
        limit,
        bytes: REPLY_BYTES,
        since_ms: ask.cx.now.unix_ms.saturating_sub(ask.router.config.inbox.age_ms),
    }))
}

#[derive(Serialize)]
struct History<'a> {
    events: Vec<Box<RawValue>>,
    offset: u64,
    epoch: &'a str,
    more: bool,
}

/// The page was read.
pub(super) fn go_on(ask: &mut Ask<'_, '_>, step: Step, event: Event) -> Outcome {
    let Event::Found(Found::Inbox(InboxFound::Page { events, first, top })) = event else {
        return Err(unexpected(&event));
    };
    let (channel, epoch) = (inbox::channel(&ask.me()?), DURABLE_EPOCH);
    let more = events.last().is_some_and(|last| last.offset < top);
    let raw = |ask: &mut Ask<'_, '_>| {
        let raw = events.iter().map(|event| raw(ask, &channel, event));
        raw.collect::<Result<Vec<_>, _>>()
    };
    let since = match step {
        Step::History => {
            let events = raw(ask)?;
            return ask.ok(&History { events, offset: top, epoch, more });
        }
        Step::Subscribe(since) => since,
    };
    let (mut recovered, mut told) = (None, Vec::new());
    if let Some(since) = &since {
        let known = *since.epoch == *DURABLE_EPOCH && since.offset <= top;
        recovered = Some(known && first <= since.offset.saturating_add(1));
        if known {
            // The rest is paged by `history`; what comes by itself is above.
            ask.session_mut()?.heard_inbox(top);
        }
        told = raw(ask)?;
    }
    let (more, events) = (more && since.is_some(), &*told);
    let (channel, offset, state, presence) = (&*channel, top, None, None);
    ask.ok(&Subscribed { channel, offset, epoch, recovered, events, more, state, presence })
}

/// An event, to be put into a reply.
fn raw(ask: &mut Ask<'_, '_>, channel: &str, event: &InboxEvent) -> Result<Box<RawValue>, Fault> {
    let own = inbox::encode(ask.cx, channel, event);
    let text = std::str::from_utf8(own.payload()).ok().map(str::to_owned);
    ask.cx.recycle(own);
    text.and_then(|text| RawValue::from_string(text).ok())
        .ok_or_else(|| Fault::new(Code::Internal, "the inbox could not be written"))
}
