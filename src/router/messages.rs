//! Chat messages: sent, read, searched, edited, deleted, marked, and the sign that one is being typed.

use std::sync::Arc;

use serde::Serialize;

use super::ask::{Ask, Event, Outcome, answers, id, limit, not_found, unexpected};
use super::chats;
use super::words::{Delivery, Word};
use crate::base::id::{Id, UserId};
use crate::base::time::Timestamp;
use crate::codec::json;
use crate::hub::Channel;
use crate::message::fault::Fault;
use crate::message::record::ChatMessage;
use crate::message::{client, server};
use crate::protocol::websocket::Opcode;
use crate::store::search::{NoQuery, QUERY_BYTES_MAX, Query};
use crate::store::{Found, NewMessage, Read, Target, Write, Written};

answers! { ask, request:
    GetMessages<'a> => get_messages(ask, request),
    Message<'a> => message(ask, request),
    EditMessage<'a> => edit_message(ask, request),
    DeleteMessage<'a> => delete_message(ask, request),
    MarkRead<'a> => mark_read(ask, request),
    SearchMessages<'a> => search_messages(ask, request),
    Typing<'a> => typing(ask, request),
}

/// What a request about messages waits for.
#[derive(Debug)]
pub(super) enum Step {
    /// A message, stored.
    Sent,
    /// A message, edited.
    Edited,
    /// A message, deleted.
    Deleted,
    /// How much is unread.
    Marked,
    /// A page.
    Page,
}

impl From<Step> for super::Step {
    fn from(step: Step) -> Self {
        Self::Message(step)
    }
}

/// The longest `client_id`, in bytes.
const CLIENT_ID_BYTES_MAX: usize = 128;

/// Stores a message; answered once it is on disk.
pub(super) fn message(ask: &mut Ask<'_, '_>, request: &client::Message<'_>) -> Outcome {
    let target = match (&request.chat_id, &request.to) {
        (Some(chat), None) => Target::Chat(id("chat_id", chat)?),
        (None, Some(name)) => {
            if !crate::auth::names::valid_username(name) {
                return Err(not_found("no such user"));
            }
            Target::User { username: Arc::from(name.as_str()), chat: ask.new_id() }
        }
        _ => {
            return Err(Fault::field("chat_id", "either \"chat_id\" or \"to\" is required")
                .hint(client::Verb::Message.example()));
        }
    };
    if request.content.is_empty() {
        return Err(Fault::field("content", "\"content\" is empty"));
    }
    if let Some(client_id) = &request.client_id
        && !(1..=CLIENT_ID_BYTES_MAX).contains(&client_id.len())
    {
        return Err(Fault::field("client_id", "\"client_id\" must have 1 to 128 bytes"));
    }
    let message = NewMessage {
        id: ask.new_id(),
        target,
        sender: ask.me()?,
        content: Arc::from(request.content.as_str()),
        client_id: request.client_id.as_ref().map(|text| Arc::from(text.as_str())),
        reply_to: request.reply_to.as_ref().map(|text| id("reply_to", text)).transpose()?,
        metadata: chats::metadata(request.metadata.as_ref())?,
    };
    ask.write(Write::Message(message), Step::Sent)
}

/// Changes the text of a message.
pub(super) fn edit_message(ask: &mut Ask<'_, '_>, request: &client::EditMessage<'_>) -> Outcome {
    let message = id("message_id", &request.message_id)?;
    if request.content.is_empty() {
        return Err(Fault::field("content", "\"content\" is empty")
            .hint("delete_message removes a message"));
    }
    let (by, content) = (ask.me()?, Arc::from(request.content.as_str()));
    ask.write(Write::Edit { message, by, content }, Step::Edited)
}

/// Empties a message.
pub(super) fn delete_message(
    ask: &mut Ask<'_, '_>,
    request: &client::DeleteMessage<'_>,
) -> Outcome {
    let (message, by) = (id("message_id", &request.message_id)?, ask.me()?);
    ask.write(Write::Delete { message, by }, Step::Deleted)
}

/// Moves the mark up to which the user has read.
pub(super) fn mark_read(ask: &mut Ask<'_, '_>, request: &client::MarkRead<'_>) -> Outcome {
    let (chat, user) = (id("chat_id", &request.chat_id)?, ask.me()?);
    ask.write(Write::MarkRead { chat, user, seq: request.seq }, Step::Marked)
}

/// Reads a page of a chat.
pub(super) fn get_messages(ask: &mut Ask<'_, '_>, request: &client::GetMessages<'_>) -> Outcome {
    let (chat, user) = (id("chat_id", &request.chat_id)?, ask.me()?);
    let limit = limit(request.limit, 50, ask.router.config.history_page);
    if request.before_seq.is_some() && request.after_seq.is_some() {
        return Err(Fault::field("before_seq", "\"before_seq\" and \"after_seq\" are two ways"));
    }
    let (before, after) = (request.before_seq, request.after_seq);
    ask.read(Read::Messages { chat, user, before, after, limit }, Step::Page)
}

/// Finds messages in the chats of the user, newest first.
pub(super) fn search_messages(
    ask: &mut Ask<'_, '_>,
    request: &client::SearchMessages<'_>,
) -> Outcome {
    let query = Query::parse(&request.query).map_err(|why| match why {
        NoQuery::TooLong => {
            let message = format!("\"query\" must have 1 to {QUERY_BYTES_MAX} bytes");
            Fault::field("query", message)
        }
        NoQuery::NoWord => Fault::field("query", "\"query\" must hold a letter or a digit"),
    })?;
    let chat = request.chat_id.as_ref().map(|text| id("chat_id", text)).transpose()?;
    let (user, limit) = (ask.me()?, limit(request.limit, 50, ask.router.config.history_page));
    ask.read(Read::Search { user, chat, query, limit }, Step::Page)
}

/// What a refusal is called where `to` names the other user.
pub(super) fn fault(step: &Step, fault: Fault) -> Fault {
    match step {
        Step::Sent if fault.field.as_deref() == Some("other_user_id") => {
            Fault { field: Some("to".into()), ..fault }
        }
        _ => fault,
    }
}

#[derive(Serialize)]
struct Sent<'a> {
    message: &'a ChatMessage,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    duplicate: bool,
}

#[derive(Serialize)]
struct Marked {
    unread: u64,
}

#[derive(Serialize)]
struct Page<'a> {
    messages: &'a [Arc<ChatMessage>],
    has_more: bool,
}

/// The next thing that a request waits for has come.
pub(super) fn go_on(ask: &mut Ask<'_, '_>, step: Step, event: Event) -> Outcome {
    match (step, event) {
        (Step::Sent, Event::Written(Written::Message { message, duplicate, .. })) => {
            ask.ok(&Sent { message: &message, duplicate })
        }
        (Step::Edited, Event::Written(Written::Edited { message, .. })) => {
            ask.ok(&Sent { message: &message, duplicate: false })
        }
        (Step::Deleted, Event::Written(Written::Deleted { .. })) => ask.ok_empty(),
        (Step::Marked, Event::Written(Written::Read { unread, .. })) => ask.ok(&Marked { unread }),
        (Step::Page, Event::Found(Found::Messages { messages, more })) => {
            ask.ok(&Page { messages: &messages, has_more: more })
        }
        (_, event) => Err(unexpected(&event)),
    }
}

#[derive(Serialize)]
struct Typing<'a> {
    chat_id: Id,
    user_id: &'a UserId,
    username: &'a str,
    active: bool,
}

/// Tells the others that the user is typing. Who is subscribed to the room, and not only watches it, is a
/// member of the chat: memory knows enough.
pub(super) fn typing(ask: &mut Ask<'_, '_>, request: &client::Typing<'_>) -> Outcome {
    let chat_id = id("chat_id", &request.chat_id)?;
    let channel = Channel::Room(chat_id);
    let number = ask.router.subscriptions.number(&channel);
    let session = ask.session()?;
    if !number.is_some_and(|n| session.channels.contains(&n) && !session.watches(n)) {
        return Err(not_found("no such chat"));
    }
    let card = ask.card()?;
    let active = request.active.unwrap_or(true);
    let payload = Typing { chat_id, user_id: &card.id, username: &card.username, active };
    let name = channel.to_string();
    let event = json::Event {
        word: server::TYPING,
        channel: Some(&name),
        sender: Some(&card),
        timestamp: Some(Timestamp(ask.cx.now.unix_ms)),
        ..json::Event::default()
    };
    let mut draft = ask.cx.draft();
    json::event(draft.payload(), &event, &payload);
    let own = draft.finish(Opcode::Text);
    let frames = vec![(0, own.share())];
    ask.cx.recycle(own);
    let except = Some(ask.address());
    let delivery =
        Delivery { frames, except, joined: Vec::new(), left: None, generation: None, channel };
    let home = ask.router.homes.of_channel(&delivery.channel);
    ask.cx.tell(home, Word::Ephemeral(Box::new(delivery)));
    ask.ok_empty()
}
