//! `subscribe`, `unsubscribe`, `publish`: channels that live in memory, and the logs of chats.

mod access;

use serde::Serialize;
use serde_json::value::RawValue;

pub(in crate::router) use access::forbidden;
pub(in crate::router) use access::may_hear;
use access::{may_listen, may_publish};

use crate::base::id::{Address, ConnectionId, Id};
use crate::base::time::Timestamp;
use crate::codec::json;
use crate::handler::Context;
use crate::hub::channels::Position;
use crate::hub::{AsChannel, Channel, ChannelRef};
use crate::message::fault::{Code, Fault};
use crate::message::json::Payload;
use crate::message::record::UserCard;
use crate::message::{client, server};
use crate::protocol::frame::{Frame, OwnFrame};
use crate::protocol::websocket::Opcode;
use crate::router::ask::{Ask, Event, Outcome, unexpected};
use crate::router::events::{DURABLE_EPOCH, encode};
use crate::router::words::{Publication, Word};
use crate::store::{Found, Read};

use crate::router::{Echo, Router};

/// What a request about channels waits for.
#[derive(Debug)]
pub(in crate::router) enum Step {
    /// That the channel's home knows of this loop.
    Subscribe { channel: Channel, since: Option<(u64, Box<str>)> },
    /// The log of a chat.
    Log { chat: Id, since: Option<(u64, Box<str>)> },
    /// The place of a publication.
    Publish,
}

impl From<Step> for crate::router::Step {
    fn from(step: Step) -> Self {
        Self::Channel(step)
    }
}

fn channel(name: &str) -> Result<Channel, Fault> {
    borrowed(name).map(Channel::from)
}

fn borrowed(name: &str) -> Result<ChannelRef<'_>, Fault> {
    ChannelRef::parse(name).ok_or_else(|| {
        Fault::field("channel", "\"channel\" must be 1 to 128 of A-Z a-z 0-9 . _ : -")
    })
}

/// Subscribes to a channel: everything published from the reply on is heard.
pub(in crate::router) fn subscribe(
    ask: &mut Ask<'_, '_>,
    request: &client::Subscribe<'_>,
) -> Outcome {
    let channel = channel(&request.channel)?;
    let since: Option<(u64, Box<str>)> =
        request.since.as_ref().map(|since| (since.offset, since.epoch.as_str().into()));
    if super::executions::decides(ask, &channel) {
        return super::executions::subscribe(ask, channel, since);
    }
    may_listen(ask, channel.as_channel())?;
    match channel {
        Channel::Room(chat) => return read_log(ask, chat, since),
        // Whatever comes finds its user anyway: only what was before is read.
        Channel::User(_) => return super::inbox_log::subscribe(ask, since),
        Channel::Named(_) => {}
    }
    take(ask, &channel)?;
    let home = ask.router.homes.of_channel(&channel);
    let step = Step::Subscribe { channel: channel.clone(), since };
    ask.tell(home, step, |call| Word::Listen { call, channels: vec![channel] })
}

/// Subscribes the connection, which hears nothing yet; whether it was not subscribed before.
pub(in crate::router) fn take(ask: &mut Ask<'_, '_>, channel: &Channel) -> Result<bool, Fault> {
    let id = ask.connection;
    let limit = ask.router.config.channels_per_connection;
    let mine = ask.router.subscriptions.number(channel);
    if mine.is_some_and(|n| ask.session().is_ok_and(|s| s.channels.contains(&n))) {
        return Ok(false);
    }
    if limit.is_some_and(|limit| ask.session().is_ok_and(|s| s.chosen >= limit)) {
        return Err(Fault::new(Code::Conflict, "too many channels on this connection")
            .hint("unsubscribe from some first"));
    }
    let added = ask.router.subscriptions.hold(channel, id);
    let session = ask.session_mut()?;
    session.channels.push(added.number);
    session.chosen += 1;
    Ok(true)
}

/// Lets a connection that was taken hear what comes, or ends its subscription.
pub(in crate::router) fn release_or_drop(
    router: &mut Router,
    cx: &mut Context<'_, Router>,
    id: ConnectionId,
    channel: &Channel,
    stays: bool,
) {
    let Some(number) = router.subscriptions.number(channel) else { return };
    if stays {
        return router.subscriptions.release(number, id);
    }
    let Some(session) = router.sessions.get_mut(id) else { return };
    if let Some(at) = session.channels.iter().position(|known| *known == number) {
        session.channels.swap_remove(at);
        session.chosen = session.chosen.saturating_sub(1);
        router.unsubscribe_all(cx, id, vec![number]);
    }
}

/// The log of a chat says where it stands, and what was missed. The connection listens already, so
/// what is committed meanwhile may come before this reply as well as in it; behind it comes only what
/// is above.
fn read_log(ask: &mut Ask<'_, '_>, chat: Id, since: Option<(u64, Box<str>)>) -> Outcome {
    let known = since.as_ref().filter(|(_, epoch)| **epoch == *DURABLE_EPOCH);
    let read = Read::Log {
        chat,
        user: ask.me()?,
        after: known.map(|(offset, _)| *offset),
        limit: if since.is_some() { ask.router.config.history_page } else { 1 },
    };
    ask.read(read, Step::Log { chat, since })
}

/// Ends a subscription; there being none is no error.
pub(in crate::router) fn unsubscribe(
    ask: &mut Ask<'_, '_>,
    request: &client::Unsubscribe<'_>,
) -> Outcome {
    let channel = channel(&request.channel)?;
    if matches!(channel, Channel::Room(_) | Channel::User(_)) {
        return Err(Fault::new(
            Code::Forbidden,
            "this subscription lasts as long as the user is here",
        )
        .hint("leave_room leaves a room or group"));
    }
    if let Some(number) = ask.router.subscriptions.number(&channel) {
        let session = ask.session_mut()?;
        if let Some(at) = session.channels.iter().position(|known| *known == number) {
            session.channels.swap_remove(at);
            session.chosen = session.chosen.saturating_sub(1);
            ask.router.unsubscribe_all(ask.cx, ask.connection, vec![number]);
        }
    }
    ask.ok_empty()
}

/// Publishes to a channel.
pub(in crate::router) fn publish(ask: &mut Ask<'_, '_>, request: &client::Publish<'_>) -> Outcome {
    let channel = borrowed(&request.channel)?;
    if !may_publish(&ask.router.config.policies, &ask.user()?.identity, channel) {
        return Err(forbidden());
    }
    let channel = ask.router.channels.known(channel).unwrap_or_else(|| channel.into());
    let event = request.event.as_ref().map_or(server::PUBLICATION, |event| event.as_str());
    if !server::is_event_name(event) {
        return Err(Fault::field("event", "\"event\" must be 1 to 64 of A-Z a-z 0-9 . _ : -"));
    }
    if server::is_reserved_event(event) {
        return Err(Fault::field("event", format!("\"{event}\" is an event of the server"))
            .hint("choose another name"));
    }
    let (by, sender) = (ask.address(), ask.card()?);
    let echo = request.echo.unwrap_or(true);
    let home = ask.router.homes.of_channel(&channel);
    if home == ask.cx.here {
        let (now, rng) = (ask.cx.now, &mut *ask.cx.rng);
        let position = ask.router.channels.number(&channel, now.monotonic, rng);
        let published = Published { channel: &channel, event, payload: &request.payload, position };
        let frame = published.encode(ask.cx, &sender);
        // First the reply, then the event.
        let position = published.position;
        let offset = position.offset;
        ask.router.after_reply = Some(Echo { channel, offset, frame, except: except(by, echo) });
        return reply(ask, &position);
    }
    let payload = request.payload.text().into();
    let event = event.into();
    ask.tell(home, Step::Publish, |call| {
        Word::Publish(Box::new(Publication { call, by, channel, event, payload, sender, echo }))
    })
}

/// A publication with its place.
pub(in crate::router) struct Published<'a> {
    pub(in crate::router) channel: &'a Channel,
    pub(in crate::router) event: &'a str,
    pub(in crate::router) payload: &'a Payload<'a>,
    pub(in crate::router) position: Position,
}

impl Published<'_> {
    /// The event, encoded once for everybody.
    pub(in crate::router) fn encode(
        &self,
        cx: &mut Context<'_, Router>,
        sender: &UserCard,
    ) -> OwnFrame {
        let written;
        let name = match self.channel {
            Channel::Named(name) => &**name,
            other => {
                written = other.to_string();
                &written
            }
        };
        let event = json::Event {
            word: self.event,
            channel: Some(name),
            offset: Some(self.position.offset),
            epoch: Some(&self.position.epoch),
            sender: Some(sender),
            timestamp: Some(Timestamp(cx.now.unix_ms)),
            ..json::Event::default()
        };
        let mut draft = cx.draft();
        json::event_payload(draft.payload(), &event, self.payload);
        draft.finish(Opcode::Text)
    }
}

#[derive(Serialize)]
struct Place<'a> {
    offset: u64,
    epoch: &'a str,
}

#[derive(Serialize)]
struct Subscribed<'a> {
    channel: &'a str,
    offset: u64,
    epoch: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    recovered: Option<bool>,
    /// What was missed: of chats only, other channels keep nothing yet.
    events: Vec<Box<RawValue>>,
    more: bool,
}

/// The next thing that a request waits for has come.
pub(in crate::router) fn go_on(ask: &mut Ask<'_, '_>, step: Step, event: Event) -> Outcome {
    match (step, event) {
        (Step::Subscribe { channel, since }, Event::Listening(positions)) => {
            let Some(position) = positions.into_iter().next() else {
                return Err(Fault::new(Code::Internal, "the channel does not answer"));
            };
            if let Some(number) = ask.router.subscriptions.number(&channel) {
                ask.router.subscriptions.release(number, ask.connection);
            }
            subscribed(ask, &channel, &position, since.as_ref(), Vec::new(), false)
        }
        (Step::Log { chat, since }, Event::Found(Found::Log { events, top, more })) => {
            let channel = Channel::Room(chat);
            let name = channel.to_string();
            let missed = events.iter().filter(|_| since.is_some());
            let events: Option<Vec<_>> =
                missed.map(|logged| raw(&encode(ask.cx, &name, logged).1)).collect();
            let Some(events) = events else {
                return Err(Fault::new(Code::Internal, "the log could not be written"));
            };
            // The reader may have overtaken what the home hands out: that would be a repeat.
            if let Some(number) = ask.router.subscriptions.number(&channel) {
                ask.router.subscriptions.told(number, ask.connection, top);
            }
            let position = Position { offset: top, epoch: DURABLE_EPOCH.into() };
            let more = more && since.is_some();
            subscribed(ask, &channel, &position, since.as_ref(), events, more)
        }
        (Step::Publish, Event::Published(position)) => reply(ask, &position),
        (_, event) => Err(unexpected(&event)),
    }
}

/// What a frame carries, to be put into a reply.
fn raw(frame: &Frame) -> Option<Box<RawValue>> {
    let text = std::str::from_utf8(frame.payload()).ok()?;
    RawValue::from_string(text.to_owned()).ok()
}

fn subscribed(
    ask: &mut Ask<'_, '_>,
    channel: &Channel,
    position: &Position,
    since: Option<&(u64, Box<str>)>,
    events: Vec<Box<RawValue>>,
    more: bool,
) -> Outcome {
    let name = channel.to_string();
    let (offset, epoch) = (position.offset, &*position.epoch);
    let durable = matches!(channel, Channel::Room(_));
    let recovered = since.map(|(seen, numbering)| {
        **numbering == *epoch && (*seen == offset || (durable && *seen < offset))
    });
    ask.ok(&Subscribed { channel: &name, offset, epoch, recovered, events, more })
}

fn reply(ask: &mut Ask<'_, '_>, position: &Position) -> Outcome {
    ask.router.metrics.publications.add(1);
    ask.ok(&Place { offset: position.offset, epoch: &position.epoch })
}

/// Whom an event does not reach: who did not want its own back.
pub(in crate::router) fn except(by: Address, echo: bool) -> Option<Address> {
    (!echo).then_some(by)
}
