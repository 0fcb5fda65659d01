//! `stats`, `connections`, `kick`, `revoke_user`, `set_role`: what administrators see and do.
//!
//! Every loop is asked, and the answers are joined. Law: what is told is bounded by a page, whatever
//! there is. Limit: a page is of the moment in which each loop answered, not of one moment.

mod records;
pub mod words;

use std::sync::Arc;

use serde::Serialize;

use super::ask::{Answer, Ask, Event, Outcome, answers, id, limit, not_found, unexpected, user_id};
use super::words::{Revoked, Word};
use super::{Router, revoked};
use crate::auth::Role;
use crate::base::arena::Key;
use crate::base::id::{Id, UserId};
use crate::handler::Context;
use crate::message::client;
use crate::message::fault::Fault;
use crate::router::words::CallRef;
use crate::store::{Write, Written};
use words::{AdminWord, LoopStats, Question, Record, Target, Told};

answers! { ask, request:
    Stats => stats(ask),
    Connections<'a> => connections(ask, request),
    Kick<'a> => kick(ask, request),
    RevokeUser<'a> => revoke_user(ask, request),
    SetRole<'a> => set_role(ask, request),
}

/// Connections of a page unless said.
const PAGE: u32 = 50;
/// Connections of a page at most: with all that a record may hold, a reply of half a mebibyte.
const PAGE_MAX: u32 = 200;
/// The longest reason of a close, in bytes: it has to fit into a control frame (RFC 6455 §5.5).
const REASON_BYTES_MAX: usize = 123;

/// What a request of an administrator waits for.
#[derive(Debug)]
pub(super) enum Step {
    /// The answers of all loops, by loop.
    Ask { told: Vec<Option<Told>>, page: usize },
    /// A user's tokens are being refused, and for which reason.
    Revoke { user: UserId, reason: Arc<str> },
    /// A role is being stored.
    Role,
}

impl Step {
    /// Whose connections go with these sessions, when that was asked.
    pub(super) fn revokes(&self, sessions: Vec<Id>) -> Option<(UserId, Revoked)> {
        let Self::Revoke { user, reason } = self else { return None };
        Some((user.clone(), Revoked::User(sessions, Arc::clone(reason))))
    }
}

impl From<Step> for super::Step {
    fn from(step: Step) -> Self {
        Self::Admin(step)
    }
}

/// Asks every loop; the step hears when all have answered.
fn ask_all(ask: &mut Ask<'_, '_>, question: &Question, page: usize) -> Outcome {
    let told = vec![None; ask.router.homes.len()];
    let call = ask.call(Step::Ask { told, page });
    for to in ask.router.homes.all() {
        let word = AdminWord::Ask { call, question: question.clone() };
        ask.cx.tell(to, Word::Admin(Box::new(word)));
    }
    Ok(Answer::Later)
}

/// What is there, and what was counted.
pub(super) fn stats(ask: &mut Ask<'_, '_>) -> Outcome {
    ask_all(ask, &Question::Stats, 0)
}

/// A page of connections.
pub(super) fn connections(ask: &mut Ask<'_, '_>, request: &client::Connections<'_>) -> Outcome {
    let user = request.user_id.as_deref().map(|user| user_id("user_id", user)).transpose()?;
    let after = request.after.as_deref().map(|after| id("after", after)).transpose()?;
    let limit = limit(request.limit, PAGE, PAGE_MAX) as usize;
    ask_all(ask, &Question::Connections { user, after, limit }, limit)
}

/// Closes one connection, or those of a user.
pub(super) fn kick(ask: &mut Ask<'_, '_>, request: &client::Kick<'_>) -> Outcome {
    let target = match (&request.connection_id, &request.user_id) {
        (Some(connection), None) => Target::Connection(id("connection_id", connection)?),
        (None, Some(user)) => Target::User(user_id("user_id", user)?),
        _ => {
            return Err(Fault::field(
                "connection_id",
                "either \"connection_id\" or \"user_id\" is required",
            ));
        }
    };
    let reason = reason(request.reason.as_deref(), "kicked");
    ask_all(ask, &Question::Kick { target, reason }, 0)
}

/// Refuses every token of a user, and closes the connections: the user may log in again.
pub(super) fn revoke_user(ask: &mut Ask<'_, '_>, request: &client::RevokeUser<'_>) -> Outcome {
    let user = user_id("user_id", &request.user_id)?;
    let reason = reason(request.reason.as_deref(), "the user was revoked");
    ask.write(Write::RevokeUser { user: user.clone() }, Step::Revoke { user, reason })
}

/// Gives a user another role, from the next token on.
pub(super) fn set_role(ask: &mut Ask<'_, '_>, request: &client::SetRole<'_>) -> Outcome {
    let user = user_id("user_id", &request.user_id)?;
    let role = Role::parse(&request.role).ok_or_else(|| {
        Fault::field("role", "\"role\" must be \"user\", \"service\" or \"admin\"")
    })?;
    ask.write(Write::SetRole { user, role }, Step::Role)
}

/// What a client is told when it is closed.
fn reason(given: Option<&str>, usual: &str) -> Arc<str> {
    let reason = given.unwrap_or(usual);
    let end = reason.floor_char_boundary(REASON_BYTES_MAX);
    reason[..end].chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>().into()
}

#[derive(Serialize)]
struct Stats {
    server: &'static str,
    #[serde(flatten)]
    sum: LoopStats,
    loops: Vec<LoopStats>,
    /// Every counter and gauge, summed over loops and labels.
    metrics: std::collections::BTreeMap<&'static str, i64>,
}

#[derive(Serialize)]
struct Page {
    connections: Vec<Record>,
    /// When there are more.
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<Id>,
}

#[derive(Serialize)]
struct Kicked {
    closed: usize,
}

/// The next thing that a request waits for has come.
pub(super) fn go_on(ask: &mut Ask<'_, '_>, step: Step, event: Event) -> Outcome {
    match (step, event) {
        (Step::Ask { told, page }, Event::Told) => joined(ask, told, page),
        (step @ Step::Revoke { .. }, Event::Written(Written::Revoked { sessions })) => {
            if let Some((user, which)) = step.revokes(sessions) {
                revoked::cut(ask, Some(user), which, None);
            }
            ask.ok_empty()
        }
        (Step::Role, Event::Written(Written::Granted)) => ask.ok_empty(),
        (_, event) => Err(unexpected(&event)),
    }
}

/// All loops have answered.
fn joined(ask: &mut Ask<'_, '_>, told: Vec<Option<Told>>, page: usize) -> Outcome {
    let (mut loops, mut connections) = (Vec::new(), Vec::new());
    let (mut more, mut closed, mut kicked) = (false, 0, false);
    for told in told.into_iter().flatten() {
        match told {
            Told::Stats(stats) => loops.push(stats),
            Told::Connections(records, rest) => {
                connections.extend(records);
                more |= rest;
            }
            Told::Kicked(count) => {
                kicked = true;
                closed += count;
            }
        }
    }
    if kicked {
        return if closed == 0 {
            Err(not_found("no such connection"))
        } else {
            ask.ok(&Kicked { closed })
        };
    }
    if page == 0 {
        let metrics = ask.router.registry.totals().into_iter().collect();
        let sum = loops.iter().copied().fold(LoopStats::default(), LoopStats::plus);
        let server = super::door::SERVER;
        return ask.ok(&Stats { server, sum, loops, metrics });
    }
    connections.sort_unstable_by_key(|record| record.connection_id);
    more |= connections.len() > page;
    connections.truncate(page);
    let last = connections.last().map(|record| record.connection_id);
    ask.ok(&Page { after: last.filter(|_| more), connections })
}

impl LoopStats {
    const fn plus(self, other: Self) -> Self {
        Self {
            connections: self.connections + other.connections,
            authenticated: self.authenticated + other.authenticated,
            users: self.users + other.users,
            channels: self.channels + other.channels,
            waiting: self.waiting + other.waiting,
            calls: self.calls + other.calls,
        }
    }
}

impl Router {
    /// One word for an administrator.
    pub(super) fn hear_admin_word(&mut self, cx: &mut Context<'_, Self>, word: AdminWord) {
        match word {
            AdminWord::Ask { call, question } => self.answer_admin(cx, call, &question),
            AdminWord::Watch => {
                self.look_at_alerts(cx);
                self.sweep_inboxes(cx);
            }
            AdminWord::Told { call, from, told } => self.admin_told(cx, call, from, told),
        }
    }

    fn answer_admin(&mut self, cx: &mut Context<'_, Self>, call: CallRef, question: &Question) {
        let told = match question {
            Question::Stats => Told::Stats(self.loop_stats()),
            Question::Connections { user, after, limit } => {
                let (records, more) = self.records(cx, user.as_ref(), *after, *limit);
                Told::Connections(records, more)
            }
            Question::Kick { target, reason } => Told::Kicked(self.kick(cx, target, reason)),
        };
        let word = AdminWord::Told { call: call.key, from: cx.here.0, told };
        cx.tell(call.home, Word::Admin(Box::new(word)));
    }

    /// A loop has answered; whether all have.
    fn admin_told(&mut self, cx: &mut Context<'_, Self>, call: Key, from: u16, told: Told) {
        let step = self.calls.get_mut(call).and_then(|call| call.step.as_mut());
        let Some(super::Step::Admin(Step::Ask { told: all, .. })) = step else { return };
        if let Some(place) = all.get_mut(usize::from(from)) {
            *place = Some(told);
        }
        if all.iter().all(Option::is_some) {
            self.hear_event(cx, call, Event::Told);
        }
    }
}
