//! `publish`: a publication gets its place at the home of its channel, is encoded once, remembered,
//! answered, and handed out. One of a durable channel goes by the store.
//!
//! Law: first the reply, then the event. A publication whose `client_id` is remembered from the same
//! user in the same channel changes nothing, and is told the place of the first.

use std::borrow::Cow;
use std::sync::Arc;

use serde::Serialize;

use super::access::{forbidden, may_publish};
use super::page::encode_stored;
use super::{Step, borrowed};
use crate::base::id::Address;
use crate::base::time::Timestamp;
use crate::codec::json;
use crate::handler::Context;
use crate::hub::Channel;
use crate::hub::channels::Position;
use crate::hub::policy::Policy;
use crate::message::fault::Fault;
use crate::message::json::{Json, Payload};
use crate::message::record::{Raw, UserCard};
use crate::message::{client, server};
use crate::protocol::frame::{Common, Frame, OwnFrame};
use crate::protocol::websocket::Opcode;
use crate::router::ask::{Answer, Ask, Outcome};
use crate::router::words::{Done, Finished, Job, Publication, Word};
use crate::router::{After, Echo, Router};
use crate::store::publication::{Keep, NewPublication};
use crate::store::{Write, Written};

/// The longest `client_id`, in bytes.
const CLIENT_ID_BYTES_MAX: usize = 128;

/// Publishes to a channel.
pub(in crate::router) fn publish(ask: &mut Ask<'_, '_>, request: &client::Publish<'_>) -> Outcome {
    let channel = borrowed(&request.channel)?;
    if !may_publish(&ask.router.config.policies, &ask.user()?.identity, channel) {
        return Err(forbidden());
    }
    let channel = ask.router.channels.known(channel).unwrap_or_else(|| channel.into());
    let event = event_name(request.event.as_deref())?;
    let client_id = request.client_id.as_deref();
    if client_id.is_some_and(|id| !(1..=CLIENT_ID_BYTES_MAX).contains(&id.len())) {
        return Err(Fault::field("client_id", "\"client_id\" must have 1 to 128 bytes"));
    }
    let echo = request.echo.unwrap_or(true);
    let policy = ask.router.config.policies.of(channel.namespace()).copied();
    if let (Channel::Named(name), Some(policy)) = (&channel, policy.filter(|policy| policy.durable))
    {
        return store(ask, name, &policy, (event, echo), request);
    }
    let home = ask.router.homes.of_channel(&channel);
    let (by, sender) = (ask.address(), ask.card()?);
    if home == ask.cx.here {
        let said = Said { event, payload: &request.payload, sender: &sender, client_id };
        return match ask.router.place(ask.cx, &channel, &said) {
            Ok((position, frame)) => {
                let offset = position.offset;
                let echo = Echo { channel, offset, frame, except: except(by, echo) };
                ask.router.after_reply = Some(After::Echo(echo));
                reply(ask, &position, false)
            }
            Err(first) => reply(ask, &first, true),
        };
    }
    let payload = request.payload.text().into();
    let (event, client_id) = (event.into(), client_id.map(Box::from));
    ask.tell(home, Step::Publish, |call| {
        let publication =
            Publication { call, by, channel, event, payload, sender, echo, client_id };
        Word::Publish(Box::new(publication))
    })
}

/// The `type` of the event: a name that is none of the server's.
fn event_name(name: Option<&str>) -> Result<&str, Fault> {
    let name = name.unwrap_or(server::PUBLICATION);
    if !server::is_event_name(name) {
        return Err(Fault::field("event", "\"event\" must be 1 to 64 of A-Z a-z 0-9 . _ : -"));
    }
    if server::is_reserved_event(name) {
        return Err(Fault::field("event", format!("\"{name}\" is an event of the server"))
            .hint("choose another name"));
    }
    Ok(name)
}

/// What somebody published.
pub(in crate::router) struct Said<'a> {
    pub(in crate::router) event: &'a str,
    pub(in crate::router) payload: &'a Payload<'a>,
    pub(in crate::router) sender: &'a UserCard,
    pub(in crate::router) client_id: Option<&'a str>,
}

/// The event, encoded once for everybody.
pub(super) fn encode_said(
    cx: &mut Context<'_, Router>,
    channel: &str,
    said: &Said<'_>,
    (offset, epoch): (u64, &str),
    at: Timestamp,
) -> OwnFrame {
    let event = json::Event {
        word: said.event,
        channel: Some(channel),
        offset: Some(offset),
        epoch: Some(epoch),
        sender: Some(said.sender),
        timestamp: Some(at),
        ..json::Event::default()
    };
    let mut draft = cx.draft();
    json::event_payload(draft.payload(), &event, said.payload);
    draft.finish(Opcode::Text)
}

/// Has a publication stored; it is answered and handed out when it is.
fn store(
    ask: &mut Ask<'_, '_>,
    channel: &Arc<str>,
    policy: &Policy,
    (event, echo): (&str, bool),
    request: &client::Publish<'_>,
) -> Outcome {
    let payload = Raw::new(&request.payload.text())
        .ok_or_else(|| Fault::field("payload", "\"payload\" could not be kept"))?;
    let new = NewPublication {
        channel: Arc::clone(channel),
        sender: ask.me()?,
        event: Arc::from(event),
        payload,
        client_id: request.client_id.as_deref().map(Arc::from),
        keep: Keep { messages: policy.history_messages, seconds: policy.history_seconds },
    };
    let by = except(ask.address(), echo);
    let call = ask.call(Step::Publish);
    ask.cx.job(Job::Write { call, by, write: Box::new(Write::Publish(new)) });
    Ok(Answer::Later)
}

impl Router {
    /// At the home of a channel: gives what was said its place there, or that of the first one of
    /// the same name.
    fn place(
        &mut self,
        cx: &mut Context<'_, Self>,
        channel: &Channel,
        said: &Said<'_>,
    ) -> Result<(Position, Common), Position> {
        let mark = said.client_id.map(|id| self.channels.mark(said.sender.id.as_str(), id));
        let mut place = self.channels.place(channel, cx.now.monotonic, cx.rng);
        if let Some(first) = mark.and_then(|mark| place.find(mark)) {
            self.metrics.publication_duplicates.add(1);
            return Err(first);
        }
        let position = place.position();
        let (at, name) = (Timestamp(cx.now.unix_ms), name_of(channel));
        let mut own = encode_said(cx, &name, said, (position.offset, &position.epoch), at);
        let kept = place.publish(&mut own, mark);
        let frame = self.placed(cx, own, kept);
        self.published_at(cx, channel, position.offset, said.sender);
        Ok((position, frame))
    }

    /// A publication has its place and may be remembered.
    fn placed(&mut self, cx: &mut Context<'_, Self>, own: OwnFrame, kept: Option<Frame>) -> Common {
        self.metrics.publications.add(1);
        self.metrics.history_bytes.set(self.channels.history_bytes() as i64);
        self.metrics.history_evicted.add(self.channels.take_evicted());
        self.metrics.channels.set(self.channels.len() as i64);
        self.plan_tidying(cx);
        let Some(frame) = kept else { return Common::Own(own) };
        cx.recycle(own);
        Common::Shared(frame)
    }

    /// At the home of a durable channel: a publication is stored. First the reply, then the event.
    pub(in crate::router) fn publication_stored(&mut self, cx: &mut Context<'_, Self>, done: Done) {
        let Finished::Written(Ok(Written::Published { channel, publication, .. })) = &done.result
        else {
            return self.finished(cx, done);
        };
        match publication {
            Some(publication) => {
                let channel = Channel::Named(Arc::clone(channel));
                let mut place = self.channels.place(&channel, cx.now.monotonic, cx.rng);
                place.expect(publication.offset);
                let mut own = encode_stored(cx, &name_of(&channel), publication);
                let kept = place.publish(&mut own, None);
                let (offset, frame) = (publication.offset, self.placed(cx, own, kept));
                self.published_at(cx, &channel, offset, &publication.sender);
                let echo = Echo { channel, offset, frame, except: done.by };
                self.after_reply = Some(After::Echo(echo));
            }
            None => self.metrics.publication_duplicates.add(1),
        }
        if done.call.home == cx.here {
            self.finished(cx, done);
        } else if let Finished::Written(Ok(written)) = done.result {
            let word = Word::Written { call: done.call.key, written: Box::new(written) };
            cx.tell(done.call.home, word);
        }
        // Nobody waited for it, here or at all.
        if let Some(After::Echo(Echo { channel, offset, frame, except })) = self.after_reply.take()
        {
            self.publish_one(cx, &channel, offset, frame, except);
        }
    }

    /// At the home of a channel: a publication from another loop is numbered, answered, delivered.
    pub(in crate::router) fn publish_for(
        &mut self,
        cx: &mut Context<'_, Self>,
        publication: Publication,
    ) {
        let Publication { call, by, channel, event, payload, sender, echo, client_id } =
            publication;
        let payload = Payload::Json(Json::new(&payload));
        let client_id = client_id.as_deref();
        let said = Said { event: &event, payload: &payload, sender: &sender, client_id };
        match self.place(cx, &channel, &said) {
            Ok((position, frame)) => {
                let offset = position.offset;
                let word = Word::Published { call: call.key, position, duplicate: false };
                cx.tell(call.home, word);
                self.publish_one(cx, &channel, offset, frame, except(by, echo));
            }
            Err(position) => {
                let word = Word::Published { call: call.key, position, duplicate: true };
                cx.tell(call.home, word);
            }
        }
    }
}

#[derive(Serialize)]
struct Placed<'a> {
    offset: u64,
    epoch: &'a str,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    duplicate: bool,
}

/// Answers with the place.
pub(super) fn reply(ask: &mut Ask<'_, '_>, position: &Position, duplicate: bool) -> Outcome {
    ask.ok(&Placed { offset: position.offset, epoch: &position.epoch, duplicate })
}

fn name_of(channel: &Channel) -> Cow<'_, str> {
    match channel {
        Channel::Named(name) => Cow::Borrowed(name),
        other => Cow::Owned(other.to_string()),
    }
}

/// Whom an event does not reach: who did not want its own back.
fn except(by: Address, echo: bool) -> Option<Address> {
    (!echo).then_some(by)
}
