//! From a message to its handlers: what may start, what has to wait, and in which order answers go.

use std::borrow::Cow;

use super::ask::{Answer, Ask, Outcome};
use super::config::{BAD_IN_A_ROW_MAX, UNANSWERED_MAX};
use super::slots::{FREE, Lane, Waiting};
use super::{After, Echo, Router};
use crate::base::id::ConnectionId;
use crate::codec::json::{self, Decoded, Refused};
use crate::codec::protobuf::Message;
use crate::handler::{Close, Context, Segment, Tag};
use crate::message::close::BAD_REQUESTS;
use crate::message::fault::{Code, Fault};
use crate::protocol::websocket::Opcode;

/// A request as it was said.
#[derive(Clone, Copy, Debug)]
pub(super) enum Said<'a> {
    /// An object.
    Text(&'a str),
    /// A binary message.
    Binary(&'a [u8]),
}

impl Router {
    /// Takes the objects of a message one after the other, until there are too many unanswered.
    pub(super) fn objects(&mut self, cx: &mut Context<'_, Self>, id: ConnectionId, text: &str) {
        let mut text = text;
        while let Some(session) = self.sessions.get_mut(id)
            && !session.is_over()
        {
            if session.is_full() {
                session.keep_rest(Waiting::Object(text.into()));
                // A logout may have filled it, behind which requests wait: nobody was told yet.
                return self.hold_back(cx, id);
            }
            let (decoded, rest) = json::decode(text);
            let object = &text[..text.len() - rest.len()];
            self.object(cx, id, decoded, Some(Said::Text(object)));
            if rest.is_empty() {
                return;
            }
            text = rest;
        }
    }

    /// Takes a binary message.
    pub(super) fn binary(&mut self, cx: &mut Context<'_, Self>, id: ConnectionId, bytes: &[u8]) {
        let Some(session) = self.sessions.get_mut(id).filter(|session| !session.is_over()) else {
            return;
        };
        if session.is_full() {
            session.keep_rest(Waiting::Binary(bytes.into()));
            return self.hold_back(cx, id);
        }
        let message = Message::decode(bytes);
        self.object(cx, id, message.request(), Some(Said::Binary(bytes)));
    }

    /// Starts a request, or lets it wait for those before it. `object` is what was said; a line that
    /// holds no request has none.
    pub(super) fn object(
        &mut self,
        cx: &mut Context<'_, Self>,
        id: ConnectionId,
        decoded: Result<Decoded<'_>, Box<Refused<'_>>>,
        object: Option<Said<'_>>,
    ) {
        let lane = self.lane(&decoded);
        let Some(session) = self.sessions.get_mut(id) else { return };
        session.heard = cx.now.monotonic.into();
        if session.slots.is_empty() {
            self.stop_auth_timer(cx, id);
        }
        let Some(session) = self.sessions.get_mut(id) else { return };
        if session.slots.may_start(lane) {
            let slot = session.slots.start(lane, &mut self.spares);
            self.start(cx, id, slot, decoded);
        } else {
            let waiting = match (object, decoded) {
                (Some(Said::Text(object)), _) => Waiting::Object(object.into()),
                (Some(Said::Binary(bytes)), _) => Waiting::Binary(bytes.into()),
                (None, Err(refused)) => Waiting::Line(Box::new(refused.fault)),
                (None, Ok(_)) => return,
            };
            session.slots.wait(waiting, &mut self.spares);
        }
        self.hold_back(cx, id);
    }

    /// With too much unanswered the engine hands over no more.
    fn hold_back(&mut self, cx: &mut Context<'_, Self>, id: ConnectionId) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        if session.is_full() && !session.paused {
            session.paused = true;
            cx.pause(id);
        }
    }

    fn start(
        &mut self,
        cx: &mut Context<'_, Self>,
        id: ConnectionId,
        slot: u64,
        decoded: Result<Decoded<'_>, Box<Refused<'_>>>,
    ) {
        match decoded {
            Err(refused) => {
                let Refused { word, request_id, fault } = *refused;
                let request_id = request_id.map(|id| id.as_json());
                self.metrics.requests.add_at(super::metrics::VerbLabel::OTHER, 1);
                let fault = match self.early(id, true) {
                    Ok(()) => fault,
                    Err(early) => early,
                };
                self.conclude(cx, id, slot, &word, request_id, Err(fault));
            }
            Ok(Decoded { verb, request_id, request }) => {
                self.metrics.requests.add_at(super::metrics::VerbLabel::of(verb), 1);
                let request_id = request_id.map(|id| id.as_json());
                let mut ask = Ask { router: self, cx, connection: id, slot, verb, request_id };
                let outcome = ask.may().and_then(|()| request.answered_by(&mut ask));
                self.conclude(cx, id, slot, verb.word(), request_id, outcome);
            }
        }
    }

    /// Answers a request, and whatever can be done after it.
    pub(super) fn conclude(
        &mut self,
        cx: &mut Context<'_, Self>,
        id: ConnectionId,
        slot: u64,
        word: &str,
        request_id: Option<&str>,
        outcome: Outcome,
    ) {
        let Some(session) = self.sessions.get_mut(id) else {
            if let Ok(Answer::Reply(frame)) = outcome {
                cx.recycle(frame);
            }
            return;
        };
        let frame = match outcome {
            Ok(Answer::Later) => return,
            Ok(Answer::Reply(frame)) => {
                session.bad_in_a_row = 0;
                frame
            }
            Err(fault) => {
                if fault.code.is_bad_request() {
                    session.bad_in_a_row += 1;
                } else {
                    session.bad_in_a_row = 0;
                }
                if session.bad_in_a_row >= BAD_IN_A_ROW_MAX {
                    let close = Close::new(BAD_REQUESTS, "too many bad requests");
                    session.close_after(close);
                }
                self.metrics.errors.add_at(super::metrics::CodeLabel(fault.code), 1);
                let mut draft = cx.draft();
                json::reply_error(draft.payload(), word, request_id, &fault, self.config.hints);
                draft.finish(Opcode::Text)
            }
        };
        if slot == FREE {
            session.slots.answer_free(&mut self.spares);
            cx.send(id, Segment::Own(frame), Tag::REPLY);
            return self.go_on(cx, id);
        }
        session.slots.answer(slot, frame);
        while let Some(reply) = session.slots.pop(&mut self.spares) {
            cx.send(id, Segment::Own(reply), Tag::REPLY);
        }
        // Before anything that waited starts, which may publish too.
        match self.after_reply.take() {
            Some(After::Echo(Echo { channel, offset, frame, except })) => {
                self.publish_one(cx, &channel, offset, frame, except);
            }
            Some(After::Missed(to, missed)) => self.send_missed(cx, to, missed),
            None => {}
        }
        self.go_on(cx, id);
    }

    /// Starts what waited for the replies that went out.
    fn go_on(&mut self, cx: &mut Context<'_, Self>, id: ConnectionId) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        if session.closing().is_some() {
            // What was begun is answered; what waited never begins.
            if !session.slots.is_running() {
                self.close_now(cx, id);
            }
            return;
        }
        loop {
            let Some(session) = self.sessions.get_mut(id) else { return };
            // It is decoded again: what waits keeps no borrowed request.
            let mut slots = std::mem::take(&mut session.slots);
            let next = slots.next(|waiting| match waiting {
                Waiting::Object(text) => self.lane(&json::decode(text).0),
                Waiting::Binary(bytes) => self.lane(&Message::decode(bytes).request()),
                Waiting::Line(_) => Lane::Alone,
            });
            let Some(session) = self.sessions.get_mut(id) else { return };
            session.slots = slots;
            match next {
                Some((slot, Waiting::Object(text))) => {
                    self.start(cx, id, slot, json::decode(&text).0);
                }
                Some((slot, Waiting::Binary(bytes))) => {
                    self.start(cx, id, slot, Message::decode(&bytes).request());
                }
                Some((slot, Waiting::Line(fault))) => {
                    self.start(cx, id, slot, Err(Box::new(Refused::line(*fault))));
                }
                None => break,
            }
        }
        self.take_more(cx, id);
    }

    /// When few are unanswered, the engine may hand over more; when none is, time runs again.
    fn take_more(&mut self, cx: &mut Context<'_, Self>, id: ConnectionId) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        if session.paused && !session.is_full() && session.slots.len() <= UNANSWERED_MAX / 2 {
            match session.take_rest() {
                Some(Waiting::Object(rest)) => self.objects(cx, id, &rest),
                Some(Waiting::Binary(rest)) => self.binary(cx, id, &rest),
                Some(Waiting::Line(_)) | None => {}
            }
            let Some(session) = self.sessions.get_mut(id) else { return };
            if !session.has_rest() && session.paused && !session.is_full() {
                session.paused = false;
                cx.resume(id);
            }
        }
        let Some(session) = self.sessions.get_mut(id) else { return };
        if session.slots.is_empty() {
            if session.quitting {
                self.quit_now(cx, id);
            } else if session.finishing {
                cx.finish(id);
            } else if session.user().is_none() {
                self.start_auth_timer(cx, id);
            }
        }
    }

    pub(super) fn close_now(&mut self, cx: &mut Context<'_, Self>, id: ConnectionId) {
        if let Some(close) = self.sessions.get(id).and_then(|session| session.closing().cloned()) {
            cx.close(id, close);
        }
    }
}

/// The message of a parameter that is too long.
pub(super) fn too_long(field: &'static str, most: usize) -> Fault {
    let message: Cow<'static, str> = format!("\"{field}\" is longer than {most} bytes").into();
    Fault { field: Some(field.into()), ..Fault::new(Code::TooLarge, message) }
}
