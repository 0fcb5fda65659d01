//! `send`, `broadcast`, `event_ack`: what services say to users, and how far users have it.

use std::sync::Arc;

use super::ask::{Ask, Event, Outcome, answers, not_found, unexpected};
use super::words::{Broadcast, Post, Word};
use super::{Router, chats};
use crate::base::id::{Address, ConnectionId, UserId};
use crate::base::time::Timestamp;
use crate::codec::json;
use crate::handler::{Class, Context, Tag};
use crate::hub::Channel;
use crate::message::fault::{Code, Fault};
use crate::message::json::Payload;
use crate::message::record::Raw;
use crate::message::{client, server};
use crate::protocol::websocket::Opcode;
use crate::store::inbox::{Cursor, InboxWrite, InboxWritten};
use crate::store::{Write, Written};

answers! { ask, request:
    EventAck<'a> => event_ack(ask, request),
    Broadcast<'a> => broadcast(ask, request),
    Send<'a> => send(ask, request),
}

/// What such a request waits for.
#[derive(Debug)]
pub(super) enum Step {
    /// The event, in every inbox.
    Sent,
    /// The cursor.
    Acked,
}

impl From<Step> for super::Step {
    fn from(step: Step) -> Self {
        Self::Sending(step)
    }
}

/// The channel of what is for everybody.
const BROADCAST: &str = "broadcast";
/// Of unknown users, how many an error names.
const NAMED_MAX: usize = 10;

/// The name of an event that is not the server's own.
pub(super) fn event_name(event: &str) -> Result<(), Fault> {
    if !server::is_event_name(event) {
        return Err(Fault::field("event", "\"event\" must be 1 to 64 of A-Z a-z 0-9 . _ : -"));
    }
    if server::is_reserved_event(event) {
        return Err(Fault::field("event", format!("\"{event}\" is an event of the server"))
            .hint("choose another name"));
    }
    Ok(())
}

/// Sends an event to users; answered once it is in the inbox of each.
pub(super) fn send(ask: &mut Ask<'_, '_>, request: &client::Send<'_>) -> Outcome {
    event_name(&request.event)?;
    let critical = match request.priority.as_ref().map(client::Text::as_str) {
        None | Some("normal") => false,
        Some("critical") => true,
        Some(_) => {
            return Err(Fault::field("priority", "\"priority\" must be normal or critical"));
        }
    };
    let users = chats::user_ids("user_ids", &request.user_ids)?;
    if users.is_empty() {
        return Err(Fault::field("user_ids", "\"user_ids\" names nobody"));
    }
    let payload = Payload::of_client(request.payload.clone());
    let payload = Raw::new(&payload.text())
        .ok_or_else(|| Fault::field("payload", "\"payload\" must be JSON"))?;
    let (by, bounds) = (ask.me()?, ask.router.config.inbox);
    let word = Arc::from(request.event.as_str());
    let write = InboxWrite::Send { by, users, word, payload, critical, bounds };
    ask.write(Write::Inbox(write), Step::Sent)
}

/// Sends an event to everyone connected.
pub(super) fn broadcast(ask: &mut Ask<'_, '_>, request: &client::Broadcast<'_>) -> Outcome {
    let event = request.event.as_ref().map_or(server::PUBLICATION, |event| event.as_str());
    event_name(event)?;
    let exclude = chats::user_ids("exclude", &request.exclude)?;
    let (except, card) = (ask.address(), ask.card()?);
    let head = json::Event {
        word: event,
        channel: Some(BROADCAST),
        sender: Some(&card),
        timestamp: Some(Timestamp(ask.cx.now.unix_ms)),
        ..json::Event::default()
    };
    let mut draft = ask.cx.draft();
    json::event_payload(draft.payload(), &head, &Payload::of_client(request.payload.clone()));
    let own = draft.finish(Opcode::Text);
    let frame = own.share();
    ask.cx.recycle(own);
    let broadcast = Broadcast { frame, exclude, except };
    ask.router.metrics.broadcasts.add(1);
    ask.router.tell_all(ask.cx, || Word::Post(Box::new(Post::Broadcast(broadcast.clone()))));
    ask.ok_empty()
}

impl Router {
    /// On each loop: an event for everybody who is there.
    pub(super) fn broadcast(&self, cx: &mut Context<'_, Self>, broadcast: Broadcast) {
        let Broadcast { frame, exclude, except } = broadcast;
        let here = cx.here;
        let wanted = |id: ConnectionId, user: &UserId| {
            !exclude.contains(user) && except != Address { home: here, connection: id }
        };
        let arrived = self.sessions.iter().filter_map(|(id, session)| {
            let user = session.user()?;
            wanted(id, &user.identity.user).then_some(id)
        });
        let receivers: Vec<ConnectionId> = arrived.collect();
        self.metrics.deliveries.add(receivers.len() as u64);
        let tag = Tag { channel: 0, offset: 0, class: Class::Kick };
        cx.broadcast(&receivers, None, frame, tag);
    }
}

/// Moves the cursor of the caller's device; of other channels there is none to move.
pub(super) fn event_ack(ask: &mut Ask<'_, '_>, request: &client::EventAck<'_>) -> Outcome {
    let channel = Channel::parse(&request.channel).ok_or_else(|| {
        Fault::field("channel", "\"channel\" must be 1 to 128 of A-Z a-z 0-9 . _ : -")
    })?;
    let user = ask.user()?;
    let mine = Channel::User(user.identity.user.clone());
    if channel != mine {
        let number = ask.router.subscriptions.number(&channel);
        if number.is_some_and(|n| ask.session().is_ok_and(|s| s.channels.contains(&n))) {
            return ask.ok_empty();
        }
        return Err(Fault::new(Code::Forbidden, "not subscribed to this channel"));
    }
    let (user, device) = (user.identity.user.clone(), ask.session()?.device());
    let cursor = Cursor { user, device, offset: request.offset };
    let bounds = ask.router.config.inbox;
    let write = InboxWrite::Move { cursors: vec![cursor], bounds };
    ask.write(Write::Inbox(write), Step::Acked)
}

/// The next thing that a request waits for has come.
pub(super) fn go_on(ask: &mut Ask<'_, '_>, step: Step, event: Event) -> Outcome {
    match (step, &event) {
        (Step::Sent, Event::Written(Written::Inbox(written)))
            if let InboxWritten::Sent { unknown, .. } = &**written =>
        {
            if unknown.is_empty() {
                ask.ok_empty()
            } else {
                Err(nobody(unknown))
            }
        }
        (Step::Acked, Event::Written(Written::Inbox(_))) => {
            ask.router.metrics.inbox_acks.add(1);
            ask.ok_empty()
        }
        (_, event) => Err(unexpected(event)),
    }
}

fn nobody(unknown: &[UserId]) -> Fault {
    let named: Vec<&str> = unknown.iter().take(NAMED_MAX).map(UserId::as_str).collect();
    let more = match unknown.len().saturating_sub(NAMED_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let message = format!("no such user: {}{more}; nothing was sent", named.join(", "));
    Fault { field: Some("user_ids".into()), ..not_found_of(message) }
}

fn not_found_of(message: String) -> Fault {
    Fault { message: message.into(), ..not_found("no such user") }
}
