//! `subscribe`, `unsubscribe`, `history`, `publish`: channels that live in memory, and the logs of
//! chats.
//!
//! Law: a subscription's reply says where the channel stands; what is above that comes after it, all
//! of it, in order and once. So what comes before the reply is put by.

mod access;
mod answer;
mod ending;
mod page;
mod patterns;
mod publish;

answers! { ask, request:
    Subscribe<'a> => subscribe(ask, request),
    Unsubscribe<'a> => unsubscribe(ask, request),
    Publish<'a> => publish(ask, request),
    History<'a> => history(ask, request),
}

pub(in crate::router) use access::forbidden;
pub(in crate::router) use access::log_of;
pub(in crate::router) use access::may_hear;
pub(in crate::router) use access::may_listen;
pub(in crate::router) use answer::Subscribed;
use answer::subscribed;
pub(in crate::router) use ending::{end, unsubscribe};
pub(in crate::router) use page::{history, history_of, keep, log_page, raw, stored, stored_page};
pub(super) use patterns::PatternWord;
pub(in crate::router) use publish::publish;

use super::ask::{Ask, Event, Outcome, answers, unexpected};
use super::words::{Wish, Word};
use super::{After, Router, executions, presence};
use crate::base::id::{ConnectionId, Id};
use crate::handler::{Close, Context, Tag};
use crate::hub::channels::{DURABLE_EPOCH, Page, Position, Since};
use crate::hub::patterns::namespace;
use crate::hub::subscriptions::Parked;
use crate::hub::{Channel, ChannelRef};
use crate::message::client;
use crate::message::close::OVERLOADED;
use crate::message::fault::{Code, Fault};
use crate::protocol::frame::Frame;
use crate::store::publication::Publications;
use crate::store::{Found, Written};

/// What a request about channels waits for.
#[derive(Debug)]
pub(super) enum Step {
    /// That the channel's home knows of this loop.
    Subscribe { channel: Channel, new: bool, since: Option<Box<Since>> },
    /// What the store has of a durable channel.
    Stored { channel: Channel, new: bool, since: Option<Box<Since>> },
    /// The log of a chat, to be subscribed to.
    Log { chat: Id, new: bool, since: Option<Box<Since>> },
    /// What a channel remembers.
    History,
    /// A part of what the store has of a durable channel.
    StoredPage { channel: Channel },
    /// A part of the log of a chat.
    LogPage { chat: Id },
    /// The place of a publication.
    Publish,
    /// So many homes, to know who hears all of a namespace.
    Pattern { namespace: Box<str>, homes: usize },
}

impl From<Step> for super::Step {
    fn from(step: Step) -> Self {
        Self::Channel(step)
    }
}

pub(super) fn borrowed(name: &str) -> Result<ChannelRef<'_>, Fault> {
    ChannelRef::parse(name).ok_or_else(|| {
        Fault::field("channel", "\"channel\" must be 1 to 128 of A-Z a-z 0-9 . _ : -")
    })
}

fn since(position: Option<&client::Position<'_>>) -> Option<Box<Since>> {
    let since = |position: &client::Position<'_>| {
        Box::new(Since { offset: position.offset, epoch: position.epoch.as_str().into() })
    };
    position.map(since)
}

/// Subscribes to a channel: everything published from the reply on is heard.
pub(super) fn subscribe(ask: &mut Ask<'_, '_>, request: &client::Subscribe<'_>) -> Outcome {
    if let Some(namespace) = namespace(&request.channel) {
        return patterns::subscribe(ask, namespace, request);
    }
    let channel = borrowed(&request.channel)?;
    let (since, presence) = (since(request.since.as_ref()), request.presence);
    if executions::decides(ask.router, &ask.user()?.identity, channel) {
        let then = executions::Then::Subscribe { since, presence };
        return executions::ask_first(ask, channel, then);
    }
    may_listen(ask, channel)?;
    subscribe_to(ask, channel.into(), since, presence)
}

/// Subscribes to a channel that may be heard.
pub(in crate::router) fn subscribe_to(
    ask: &mut Ask<'_, '_>,
    channel: Channel,
    since: Option<Box<Since>>,
    presence: Option<bool>,
) -> Outcome {
    // Whatever comes finds its user anyway: only what was before is read.
    if let Channel::User(_) = channel {
        return super::inbox_log::subscribe(ask, since);
    }
    let new = enter(ask, &channel, since.is_some() || executions::is_one(&channel))?;
    if presence::wants(ask, &channel, presence) {
        return presence::watch(ask, channel, new, since);
    }
    stand_there(ask, channel, new, since)
}

/// Asks where the channel stands.
pub(super) fn stand_there(
    ask: &mut Ask<'_, '_>,
    channel: Channel,
    new: bool,
    since: Option<Box<Since>>,
) -> Outcome {
    if let (Channel::Room(chat), false) = (&channel, new) {
        return read_log(ask, *chat, new, since);
    }
    if executions::is_one(&channel) {
        return executions::look(ask, channel, new, since);
    }
    let home = ask.router.homes.of_channel(&channel);
    let step = Step::Subscribe { channel: channel.clone(), new, since: since.clone() };
    ask.tell(home, step, |call| Word::Listen { call, channels: vec![Wish { channel, since }] })
}

/// Subscribes to a channel; whether that is new. What comes before the reply is put by, unless the
/// subscription stands and goes on where it is.
pub(super) fn enter(ask: &mut Ask<'_, '_>, channel: &Channel, anew: bool) -> Result<bool, Fault> {
    let id = ask.connection;
    let limit = ask.router.config.channels_per_connection;
    let mine = ask.router.subscriptions.number(channel);
    let known = mine.is_some_and(|n| ask.session().is_ok_and(|s| s.channels.contains(&n)));
    if !known && limit.is_some_and(|limit| ask.session().is_ok_and(|s| s.chosen >= limit)) {
        return Err(Fault::new(Code::Conflict, "too many channels on this connection")
            .hint("unsubscribe from some first"));
    }
    if known && !anew {
        return Ok(false);
    }
    let added = ask.router.subscriptions.park(channel, id);
    if !known {
        ask.session_mut()?.choose(channel, added.number);
    }
    Ok(!known)
}

/// The log of a chat says where it stands, and what was missed.
fn read_log(ask: &mut Ask<'_, '_>, chat: Id, new: bool, since: Option<Box<Since>>) -> Outcome {
    let known = since.as_ref().filter(|since| *since.epoch == *DURABLE_EPOCH);
    let after = known.map(|since| since.offset);
    let config = &ask.router.config;
    let limit = if since.is_some() { config.history_page } else { 1 };
    let read = log_of(&config.policies, &ask.user()?.identity, chat, after, limit);
    ask.read(read, Step::Log { chat, new, since })
}

/// The store says where a durable channel stands, and what was missed.
fn read_stored(
    ask: &mut Ask<'_, '_>,
    channel: Channel,
    new: bool,
    since: Option<Box<Since>>,
) -> Outcome {
    let limit = if since.is_some() { ask.router.config.history_page } else { 1 };
    let read = stored(ask.router, ask.cx, &channel, since.as_deref(), limit);
    ask.read(read, Step::Stored { channel, new, since })
}

/// The next thing that a request waits for has come.
pub(super) fn go_on(ask: &mut Ask<'_, '_>, step: Step, event: Event) -> Outcome {
    match (step, event) {
        (Step::Subscribe { channel, new, since }, Event::Listening(heard)) => {
            let Some(heard) = heard.into_iter().next() else {
                return Err(Fault::new(Code::Internal, "the channel does not answer"));
            };
            if let Channel::Room(chat) = channel {
                return read_log(ask, chat, new, since);
            }
            let (Some(position), true) = (heard.position, heard.page.is_some() == since.is_some())
            else {
                return read_stored(ask, channel, new, since);
            };
            let page = heard.page.map(|page| *page).unwrap_or_default();
            let recovered = since.is_some().then_some(page.recovered);
            stand(ask, &channel, position.offset);
            subscribed(ask, &channel.to_string(), &position, recovered, &page.events, page.more)
        }
        (Step::Stored { channel, new, since }, Event::Found(Found::Publications(found))) => {
            stored_found(ask, channel, (new, since), &found)
        }
        (Step::Log { chat, new, since }, Event::Found(Found::Log { events, top, more })) => {
            let channel = Channel::Room(chat);
            let name = channel.to_string();
            let mut page = Page::default();
            if let Some(since) = &since {
                page = log_page(ask.cx, &name, &events, more);
                page.recovered = *since.epoch == *DURABLE_EPOCH && since.offset <= top;
            }
            // The reader may have overtaken what the home hands out: that would be a repeat.
            if (new || since.is_some())
                && let Some(number) = ask.router.subscriptions.number(&channel)
            {
                ask.router.subscriptions.told(number, ask.connection, top);
            }
            stand(ask, &channel, top);
            let position = Position { offset: top, epoch: DURABLE_EPOCH.into() };
            let recovered = since.map(|_| page.recovered);
            subscribed(ask, &name, &position, recovered, &page.events, page.more)
        }
        (step @ (Step::History | Step::LogPage { .. } | Step::StoredPage { .. }), event) => {
            page::go_on(ask, &step, event)
        }
        (Step::Pattern { namespace, .. }, Event::Listening(_)) => patterns::heard(ask, &namespace),
        (Step::Publish, Event::Published(position, duplicate)) => {
            publish::reply(ask, &position, duplicate)
        }
        (Step::Publish, Event::Written(Written::Published { offset, publication, .. })) => {
            let position = Position { offset, epoch: DURABLE_EPOCH.into() };
            publish::reply(ask, &position, publication.is_none())
        }
        (_, event) => Err(unexpected(&event)),
    }
}

/// Where a durable channel stands, and what was missed, as the store has it.
fn stored_found(
    ask: &mut Ask<'_, '_>,
    channel: Channel,
    (new, since): (bool, Option<Box<Since>>),
    found: &Publications,
) -> Outcome {
    let name = channel.to_string();
    let mut page = Page::default();
    if let Some(since) = &since {
        page = stored_page(ask.cx, &name, found, Some(since));
    }
    let mut top = found.top;
    if let Some(number) = ask.router.subscriptions.number(&channel) {
        let (told, id) = (&mut ask.router.subscriptions, ask.connection);
        if new || since.is_some() {
            told.told(number, id, top);
        } else if let Some(until) = told.told_to(number, id) {
            // It goes on where it is: what is above may be on its way to it.
            top = until;
        } else {
            // Something has been handed out meanwhile, so the home knows.
            return stand_there(ask, channel, new, since);
        }
    }
    stand(ask, &channel, top);
    let position = Position { offset: top, epoch: DURABLE_EPOCH.into() };
    let recovered = since.map(|_| page.recovered);
    subscribed(ask, &name, &position, recovered, &page.events, page.more)
}

/// A subscription stands: what came before its reply and is above `offset` follows the reply.
pub(super) fn stand(ask: &mut Ask<'_, '_>, channel: &Channel, offset: u64) {
    let id = ask.connection;
    let Some(number) = ask.router.subscriptions.number(channel) else { return };
    let router = &mut *ask.router;
    router.settle(ask.cx, id, number);
    let parked = router.subscriptions.release(number, id);
    let mut missed =
        parked.map(|parked| router.unpark(id, number, *parked, offset)).unwrap_or_default();
    let tag = Tag { channel: number, offset: 0, class: router.class(number) };
    let news = router.subscriptions.tell_news(number, id);
    missed.extend(news.into_iter().map(|frame| (tag, frame)));
    if !missed.is_empty() {
        router.after_reply = Some(After::Missed(id, missed));
    }
}

impl Router {
    /// What was put by for a connection and is above `offset`.
    pub(super) fn unpark(
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
    pub(super) fn not_subscribed(
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
        self.unwatch(cx, id, channel);
        let Some(number) = self.subscriptions.number(channel) else { return };
        if let Some(parked) = self.subscriptions.release(number, id) {
            let missed = self.unpark(id, number, *parked, 0);
            self.send_missed(cx, id, missed);
        }
    }

    /// Sends what a connection missed.
    pub(super) fn send_missed(
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
