//! `publish`: a publication gets its place at the home of its channel, is encoded once, remembered,
//! answered, and handed out.
//!
//! Law: first the reply, then the event. A publication whose `client_id` is remembered from the same
//! user in the same channel changes nothing, and is told the place of the first.

use serde::Serialize;

use super::access::{forbidden, may_publish};
use super::{Step, borrowed};
use crate::base::id::Address;
use crate::base::time::Timestamp;
use crate::codec::json;
use crate::handler::Context;
use crate::hub::Channel;
use crate::hub::channels::Position;
use crate::message::fault::Fault;
use crate::message::json::{Json, Payload};
use crate::message::record::UserCard;
use crate::message::{client, server};
use crate::protocol::frame::{Common, OwnFrame};
use crate::protocol::websocket::Opcode;
use crate::router::ask::{Ask, Outcome};
use crate::router::words::{Publication, Word};
use crate::router::{After, Echo, Router};

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
    let (by, sender) = (ask.address(), ask.card()?);
    let echo = request.echo.unwrap_or(true);
    let home = ask.router.homes.of_channel(&channel);
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

impl Said<'_> {
    /// The event, encoded once for everybody.
    fn encode(
        &self,
        cx: &mut Context<'_, Router>,
        channel: &Channel,
        position: &Position,
    ) -> OwnFrame {
        let written;
        let name = match channel {
            Channel::Named(name) => &**name,
            other => {
                written = other.to_string();
                &written
            }
        };
        let event = json::Event {
            word: self.event,
            channel: Some(name),
            offset: Some(position.offset),
            epoch: Some(&position.epoch),
            sender: Some(self.sender),
            timestamp: Some(Timestamp(cx.now.unix_ms)),
            ..json::Event::default()
        };
        let mut draft = cx.draft();
        json::event_payload(draft.payload(), &event, self.payload);
        draft.finish(Opcode::Text)
    }
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
        let mut own = said.encode(cx, channel, &position);
        let kept = place.publish(&mut own, mark);
        self.metrics.publications.add(1);
        self.metrics.history_bytes.set(self.channels.history_bytes() as i64);
        self.metrics.history_evicted.add(self.channels.take_evicted());
        let frame = match kept {
            Some(frame) => {
                cx.recycle(own);
                Common::Shared(frame)
            }
            None => Common::Own(own),
        };
        Ok((position, frame))
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

/// Whom an event does not reach: who did not want its own back.
fn except(by: Address, echo: bool) -> Option<Address> {
    (!echo).then_some(by)
}
