//! `history`, and parts of histories as they are sent: of memory, of the logs of chats, of what the
//! store has of durable channels.
//!
//! Law: an event goes out as it was first sent. Limit: [`PAGE_BYTES_MAX`], but at least one event.

use std::sync::Arc;

use serde::Serialize;
use serde_json::value::RawValue;

use super::access::{log_of, may_listen};
use super::publish::{Said, encode_said};
use super::{Step, borrowed, since};
use crate::handler::Context;
use crate::hub::Channel;
use crate::hub::channels::{DURABLE_EPOCH, PAGE_BYTES_MAX, Page, Position, Since};
use crate::message::client;
use crate::message::fault::{Code, Fault};
use crate::message::json::{Json, Payload};
use crate::protocol::frame::Frame;
use crate::router::Router;
use crate::router::ask::{Ask, Event, Outcome, limit, unexpected};
use crate::router::events::encode;
use crate::router::executions;
use crate::router::words::Word;
use crate::store::publication::{Keep, Publication, Publications};
use crate::store::{Found, Logged, Read};

/// Gives what a channel remembers, to whoever may hear it.
pub(in crate::router) fn history(ask: &mut Ask<'_, '_>, request: &client::History<'_>) -> Outcome {
    let channel = borrowed(&request.channel)?;
    let since = since(request.since.as_ref());
    let most = ask.router.config.history_page;
    let limit = limit(request.limit, most, most);
    if executions::decides(ask.router, &ask.user()?.identity, channel) {
        return executions::ask_first(ask, channel, executions::Then::History { since, limit });
    }
    may_listen(ask, channel)?;
    history_of(ask, channel.into(), since, limit)
}

/// Gives what a channel remembers that may be heard.
pub(in crate::router) fn history_of(
    ask: &mut Ask<'_, '_>,
    channel: Channel,
    since: Option<Box<Since>>,
    limit: u32,
) -> Outcome {
    match channel {
        Channel::User(_) => crate::router::inbox_log::history(ask, since, limit),
        Channel::Room(chat) => {
            let known = since.filter(|since| *since.epoch == *DURABLE_EPOCH);
            let after = known.map(|since| since.offset);
            let (policies, user) = (&ask.router.config.policies, ask.user()?);
            let read = log_of(policies, &user.identity, chat, after, limit);
            ask.read(read, Step::LogPage { chat })
        }
        channel @ Channel::Named(_) if is_stored(ask.router, &channel) => {
            let read = stored(ask.router, ask.cx, &channel, since.as_deref(), limit);
            ask.read(read, Step::StoredPage { channel })
        }
        channel @ Channel::Named(_) => {
            let home = ask.router.homes.of_channel(&channel);
            ask.tell(home, Step::History, |call| Word::History { call, channel, since, limit })
        }
    }
}

fn is_stored(router: &Router, channel: &Channel) -> bool {
    let policy = router.config.policies.of(channel.namespace());
    policy.is_some_and(|policy| policy.durable)
}

/// How much is kept of the channels of a namespace.
pub(in crate::router) fn keep(router: &Router, namespace: &str) -> Keep {
    let policy = router.config.policies.of(namespace);
    policy.map_or_else(Keep::default, |policy| Keep {
        messages: policy.history_messages,
        seconds: policy.history_seconds,
    })
}

/// Asks the store for a part of a durable channel; from another numbering the newest.
pub(in crate::router) fn stored(
    router: &Router,
    cx: &Context<'_, Router>,
    channel: &Channel,
    since: Option<&Since>,
    limit: u32,
) -> Read {
    let name = match channel {
        Channel::Named(name) => Arc::clone(name),
        other => Arc::from(other.to_string()),
    };
    let known = since.filter(|since| *since.epoch == *DURABLE_EPOCH);
    Read::Publications {
        channel: name,
        after: known.map(|since| since.offset),
        limit,
        keep: keep(router, channel.namespace()),
        now_ms: cx.now.unix_ms,
    }
}

/// A part of a log as it is sent.
pub(in crate::router) fn log_page(
    cx: &mut Context<'_, Router>,
    name: &str,
    events: &[Logged],
    more: bool,
) -> Page {
    let events = events.iter().map(|logged| encode(cx, name, logged)).collect();
    let mut page = Page { events, recovered: true, more };
    page.shorten(PAGE_BYTES_MAX);
    page
}

/// A part of what the store has, as it is sent.
pub(in crate::router) fn stored_page(
    cx: &mut Context<'_, Router>,
    name: &str,
    found: &Publications,
    since: Option<&Since>,
) -> Page {
    let frame = |publication: &Publication| {
        let own = encode_stored(cx, name, publication);
        let frame = own.share();
        cx.recycle(own);
        (publication.offset, frame)
    };
    let recovered = since.is_none_or(|since| {
        let there = since.offset + 1 >= found.first && since.offset <= found.top;
        there && *since.epoch == *DURABLE_EPOCH
    });
    let events = found.events.iter().map(frame).collect();
    let mut page = Page { events, recovered, more: found.more };
    page.shorten(PAGE_BYTES_MAX);
    page
}

/// A publication as the store has it.
pub(super) fn encode_stored(
    cx: &mut Context<'_, Router>,
    name: &str,
    publication: &Publication,
) -> crate::protocol::frame::OwnFrame {
    let payload = Payload::Json(Json::new(publication.payload.as_str()));
    let said = Said {
        event: &publication.event,
        payload: &payload,
        sender: &publication.sender,
        client_id: None,
    };
    encode_said(cx, name, &said, (publication.offset, DURABLE_EPOCH), publication.at)
}

/// What a request for a part of a history waits for has come.
pub(super) fn go_on(ask: &mut Ask<'_, '_>, step: &Step, event: Event) -> Outcome {
    let stands = |offset| Position { offset, epoch: DURABLE_EPOCH.into() };
    match (step, event) {
        (Step::History, Event::Page(position, page)) => reply(ask, &position, &page),
        (Step::LogPage { chat }, Event::Found(Found::Log { events, top, more })) => {
            let page = log_page(ask.cx, &Channel::Room(*chat).to_string(), &events, more);
            reply(ask, &stands(top), &page)
        }
        (Step::StoredPage { channel }, Event::Found(Found::Publications(found))) => {
            let page = stored_page(ask.cx, &channel.to_string(), &found, None);
            reply(ask, &stands(found.top), &page)
        }
        (_, event) => Err(unexpected(&event)),
    }
}

#[derive(Serialize)]
struct History<'a> {
    events: Vec<&'a RawValue>,
    offset: u64,
    epoch: &'a str,
    more: bool,
}

fn reply(ask: &mut Ask<'_, '_>, position: &Position, page: &Page) -> Outcome {
    let (offset, epoch) = (position.offset, &*position.epoch);
    ask.ok(&History { events: raw(&page.events)?, offset, epoch, more: page.more })
}

/// What frames carry, to be put into a reply.
pub(in crate::router) fn raw(events: &[(u64, Frame)]) -> Result<Vec<&RawValue>, Fault> {
    let texts = events.iter().map(|(_, frame)| serde_json::from_slice(frame.payload()));
    texts
        .collect::<Result<_, _>>()
        .map_err(|_| Fault::new(Code::Internal, "an event could not be read again"))
}
