//! A request in the hands of its handler: what it may look at, how it answers, how it waits.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::calls::words::Answer as CallAnswer;
use super::resume::Resume;
use super::session::{Session, User};
use super::words::{CallRef, Done, Finished, Heard, Job, PasswordTask, Word};
use super::{Call, Router, Step, Timer};
use crate::base::id::{Address, ConnectionId, Id, LoopId, UserId};
use crate::codec::json;
use crate::guard::rate::Budget;
use crate::handler::Context;
use crate::hub::channels::{Page, Position};
use crate::message::client::Verb;
use crate::message::execution::Execution;
use crate::message::fault::{Code, Fault};
use crate::message::presence::WhoIsThere;
use crate::message::record::{Profile, UserCard};
use crate::protocol::frame::OwnFrame;
use crate::protocol::websocket::Opcode;
use crate::store::{self, Found, Read, Refusal, Write, Written};

/// How a handler ends: answered, or waiting for an [`Event`].
#[derive(Debug)]
pub(super) enum Answer {
    /// The encoded reply.
    Reply(OwnFrame),
    /// The reply comes later.
    Later,
}

/// What a handler gives: an answer, or why not.
pub(super) type Outcome = Result<Answer, Fault>;

/// Which verbs a topic answers, and by what. A row of the catalogue that no topic answers does not
/// compile.
macro_rules! answers {
    ($ask:ident, $request:ident: $($verb:ident $(<$lt:lifetime>)? => $outcome:expr,)+) => { $(
        impl $(<$lt>)? $crate::message::client::Answers<
            $crate::message::client::$verb $(<$lt>)?,
            $crate::router::ask::Outcome,
        > for $crate::router::ask::Ask<'_, '_> {
            #[inline]
            fn answer(
                &mut self,
                $request: &$crate::message::client::$verb $(<$lt>)?,
            ) -> $crate::router::ask::Outcome {
                // Not every verb has parameters.
                let ($ask, _) = (self, $request);
                $outcome
            }
        }
    )+ };
}
pub(super) use answers;

/// What a waiting request may hear.
#[derive(Debug)]
pub(super) enum Event {
    Written(Written),
    Found(Found),
    Hashed(Option<Arc<str>>),
    Verified(bool),
    LoginMay(Option<Duration>),
    Attached(Option<Arc<Budget>>),
    Listening(Vec<Heard>),
    Page(Position, Box<Page>),
    /// And whether it was there before.
    Published(Position, bool),
    Called(CallAnswer),
    Served,
    Told,
    /// The channel of an execution is listened to, and it stands so.
    Looked(Position, Option<Box<Execution>>),
    There,
    /// What was to be stored was not; it goes on without.
    Unstored,
    /// What was to be looked up is not there, or not the user's.
    Refused,
    /// Who is in a channel.
    WhoIsThere(Box<WhoIsThere>),
    /// Every loop knows how a user stands.
    Stands,
}

/// A request of a connection.
pub(super) struct Ask<'a, 'c> {
    pub(super) router: &'a mut Router,
    pub(super) cx: &'a mut Context<'c, Router>,
    pub(super) connection: ConnectionId,
    /// Its place among the unanswered ones.
    pub(super) slot: u64,
    pub(super) verb: Verb,
    /// Raw JSON, to be echoed.
    pub(super) request_id: Option<&'a str>,
}

impl Ask<'_, '_> {
    /// Answers `ok` with `data`.
    pub(super) fn ok(&mut self, data: &impl Serialize) -> Outcome {
        let mut draft = self.cx.draft();
        json::reply_ok(draft.payload(), self.verb.word(), self.request_id, data);
        Ok(Answer::Reply(draft.finish(Opcode::Text)))
    }

    /// Answers `ok` with `data`, in which there is a secret.
    pub(super) fn ok_secret(&mut self, data: &impl Serialize) -> Outcome {
        let mut draft = self.cx.draft();
        json::reply_ok(draft.payload(), self.verb.word(), self.request_id, data);
        Ok(Answer::Reply(draft.finish(Opcode::Text).uncompressed()))
    }

    /// Answers `ok` with `{}`.
    pub(super) fn ok_empty(&mut self) -> Outcome {
        let mut draft = self.cx.draft();
        json::reply_raw(draft.payload(), self.verb.word(), self.request_id, "{}");
        Ok(Answer::Reply(draft.finish(Opcode::Text)))
    }

    pub(super) fn session(&self) -> Result<&Session, Fault> {
        self.router.sessions.get(self.connection).ok_or_else(gone)
    }

    pub(super) fn session_mut(&mut self) -> Result<&mut Session, Fault> {
        self.router.sessions.get_mut(self.connection).ok_or_else(gone)
    }

    /// The user who asks.
    pub(super) fn user(&self) -> Result<&User, Fault> {
        self.session()?.user().ok_or_else(not_authenticated)
    }

    /// The id of the user who asks.
    pub(super) fn me(&self) -> Result<UserId, Fault> {
        self.user().map(|user| user.identity.user.clone())
    }

    /// The user who asks, as others see it.
    pub(super) fn card(&self) -> Result<UserCard, Fault> {
        self.user().map(User::card)
    }

    /// The connection that asks, wherever it is looked at from.
    pub(super) const fn address(&self) -> Address {
        Address { home: self.cx.here, connection: self.connection }
    }

    /// A new id.
    pub(super) fn new_id(&mut self) -> Id {
        Id::new(self.cx.now.unix_ms, &self.cx.rng.bytes())
    }

    /// Waits: the next [`Event`] for this call is for `step`.
    pub(super) fn call(&mut self, step: impl Into<Step>) -> CallRef {
        let timeout = Duration::from_millis(self.router.config.job_timeout_ms);
        self.call_for(step, timeout)
    }

    /// As [`Ask::call`], but for so long.
    pub(super) fn call_for(&mut self, step: impl Into<Step>, timeout: Duration) -> CallRef {
        let call = Call {
            connection: self.connection,
            slot: self.slot,
            verb: self.verb,
            request_id: self.request_id.map(Box::from),
            step: Some(step.into()),
            timer: None,
        };
        let key = self.router.calls.insert(call);
        let timer = self.cx.set_timer(timeout, Timer::Call(key));
        if let Some(call) = self.router.calls.get_mut(key) {
            call.timer = Some(timer);
        }
        CallRef { home: self.cx.here, key }
    }

    /// Has something stored; `step` hears what came of it.
    pub(super) fn write(&mut self, write: Write, step: impl Into<Step>) -> Outcome {
        let by = Some(self.address());
        let call = self.call(step);
        self.cx.job(Job::Write { call, by, write: Box::new(write) });
        Ok(Answer::Later)
    }

    /// Has something looked up; `step` hears what was found.
    pub(super) fn read(&mut self, read: Read, step: impl Into<Step>) -> Outcome {
        let call = self.call(step);
        self.cx.job(Job::Read { call, read: Box::new(read) });
        Ok(Answer::Later)
    }

    /// Has something done with a password; `step` hears the end.
    pub(super) fn password(&mut self, task: PasswordTask, step: impl Into<Step>) -> Outcome {
        let call = self.call(step);
        self.cx.job(Job::Password { call, task });
        Ok(Answer::Later)
    }

    /// Says something to a loop; `step` hears the answer.
    pub(super) fn tell(
        &mut self,
        to: LoopId,
        step: impl Into<Step>,
        word: impl FnOnce(CallRef) -> Word,
    ) -> Outcome {
        let call = self.call(step);
        self.cx.tell(to, word(call));
        Ok(Answer::Later)
    }
}

/// The connection is gone; nobody reads this.
pub(super) fn gone() -> Fault {
    Fault::new(Code::Internal, "the connection is gone")
}

pub(super) fn not_authenticated() -> Fault {
    Fault::new(Code::NotAuthenticated, "Not authenticated").hint("login, register or auth first")
}

/// What came for a request that waits for something else: a bug of ours.
pub(super) fn unexpected(event: &Event) -> Fault {
    log::error!("a request heard what it did not wait for: {event:?}");
    Fault::new(Code::Internal, "internal error")
}

pub(super) fn not_found(what: &'static str) -> Fault {
    Fault::new(Code::NotFound, what)
}

/// A page of at most `most` elements.
pub(super) fn limit(asked: Option<u64>, usual: u32, most: u32) -> u32 {
    asked.map_or(usual, |asked| u32::try_from(asked).unwrap_or(u32::MAX)).clamp(1, most)
}

/// The id of a chat, message or session in a parameter.
pub(super) fn id(field: &'static str, text: &str) -> Result<Id, Fault> {
    Id::parse(text)
        .ok_or_else(|| Fault::field(field, format!("\"{field}\" must be an id of 36 characters")))
}

/// The id of a user in a parameter.
pub(super) fn user_id(field: &'static str, text: &str) -> Result<UserId, Fault> {
    UserId::parse(text)
        .ok_or_else(|| Fault::field(field, format!("\"{field}\" must be the id of a user")))
}

/// What a waiting request hears of a job's end.
pub(super) fn event(result: Finished) -> Result<Event, Fault> {
    match result {
        Finished::Written(written) => written.map(Event::Written).map_err(|e| refused(&e)),
        Finished::Found(found) => found.map(Event::Found).map_err(|e| refused(&e)),
        Finished::Hashed(hash) => Ok(Event::Hashed(hash)),
        Finished::Verified(right) => Ok(Event::Verified(right)),
        // Told before, to whom it is for.
        Finished::Kept(_) | Finished::Overloaded => Err(overloaded()),
    }
}

fn overloaded() -> Fault {
    Fault::new(Code::Overloaded, "the server has too much to do").retry_after(1000)
}

/// What the store's refusal means to a client.
pub(super) fn refused(error: &store::Error) -> Fault {
    use Code::{Conflict, Forbidden, NotFound, StorageFull, StorageUnavailable, TokenRevoked};
    let refusal = match error {
        store::Error::Refused(refusal) => *refusal,
        store::Error::Full => return Fault::new(StorageFull, "the disk is full"),
        store::Error::Unavailable(why) | store::Error::Fatal(why) => {
            log::error!("the store failed: {why}");
            return Fault::new(StorageUnavailable, "the store does not answer").retry_after(1000);
        }
    };
    match refusal {
        Refusal::NoChat => Fault::new(NotFound, "no such chat"),
        Refusal::NoMessage => Fault::new(NotFound, "no such message"),
        Refusal::NoUser => Fault::new(NotFound, "no such user"),
        Refusal::NoSession => Fault::new(NotFound, "no such session"),
        Refusal::NoReplyTarget => Fault {
            field: Some("reply_to".into()),
            ..Fault::new(NotFound, "no such message in this chat")
        },
        Refusal::Forbidden => Fault::new(Forbidden, "not allowed"),
        Refusal::NotForDm => Fault::new(Forbidden, "a DM has no owners and no other members"),
        Refusal::NameTaken => Fault {
            field: Some("username".into()),
            ..Fault::new(Conflict, "the username is taken")
        },
        Refusal::IdTaken => Fault::new(Conflict, "the id is taken"),
        Refusal::TokenReused => {
            Fault::new(TokenRevoked, "the refresh token was used before: its session is revoked")
        }
        Refusal::SessionOver => Fault::new(TokenRevoked, "the session is over"),
        Refusal::Deleted => Fault::new(Conflict, "the message is deleted"),
        Refusal::Transition => {
            Fault::new(Code::InvalidTransition, "the execution cannot go there from where it is")
        }
        Refusal::OtherTeam => Fault {
            field: Some("team_id".into()),
            ..Fault::new(Conflict, "the execution is of another team")
        },
        Refusal::NoNotification => Fault::new(NotFound, "no such notification"),
        Refusal::Oneself => Fault::field("other_user_id", "a DM needs another user"),
    }
}

/// `user` of replies, with the fields that only its owner sees.
#[derive(Debug, Serialize)]
pub(super) struct SignedIn<'a> {
    pub(super) user: &'a Profile,
    /// `null`, as `whoami` has it, for a token that is of no session here.
    pub(super) session_id: Option<Id>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) refresh_token: Option<&'a str>,
    pub(super) expires_at: crate::base::time::Timestamp,
    pub(super) resumed: &'a Resume,
}

/// The end of a job goes to its call, once what it changed was told.
impl Router {
    /// Whether a call reads the log of a chat to resume it, which is left out then.
    fn resumes(&mut self, call: crate::base::arena::Key) -> bool {
        let step = self.calls.get_mut(call).and_then(|call| call.step.as_mut());
        if let Some(Step::Arrival(step)) = step { step.refused() } else { false }
    }

    pub(super) fn finished(&mut self, cx: &mut Context<'_, Self>, done: Done) {
        match event(done.result) {
            Ok(event) => self.hear_event(cx, done.call.key, event),
            // A chat that is the user's no more does not keep the user out.
            Err(fault) if fault.code == Code::NotFound && self.resumes(done.call.key) => {
                self.hear_event(cx, done.call.key, Event::Refused);
            }
            Err(fault) => self.fail_call(cx, done.call.key, fault),
        }
    }
}
