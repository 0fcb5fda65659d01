//! Requests that wait: for what, and how they go on or fail when it has come.
//!
//! Law: a waiting request is answered once, whether its connection is still there or not.

use super::ask::{Ask, Event};
use super::slots::FREE;
use super::{
    Router, accounts, admin, arrival, basics, calls, channels, chats, executions, inbox_log,
    messages, notifications, presence, revoked, sending, sync, tokens,
};
use crate::base::arena::Key;
use crate::base::id::{ConnectionId, UserId};
use crate::base::timer::TimerId;
use crate::handler::Context;
use crate::message::client::Verb;
use crate::message::fault::Fault;

/// A request that waits.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) connection: ConnectionId,
    pub(super) slot: u64,
    pub(super) verb: Verb,
    pub(super) request_id: Option<Box<str>>,
    /// Taken while its handler runs.
    pub(super) step: Option<Step>,
    pub(super) timer: Option<TimerId>,
}

/// Where a request stands that waits: each topic has its own.
#[derive(Debug)]
pub(super) enum Step {
    Account(accounts::Step),
    Admin(admin::Step),
    Arrival(Box<arrival::Step>),
    Backend(calls::Step),
    Basic(basics::Step),
    /// Not of a request: the inbox of this user is being read for the connection.
    CatchUp(UserId),
    Channel(channels::Step),
    Chat(chats::Step),
    Execution(executions::Step),
    InboxLog(inbox_log::Step),
    Message(messages::Step),
    Presence(presence::Step),
    Notification(notifications::Step),
    Sending(sending::Step),
    Sync(sync::Step),
    Token(tokens::Step),
}

impl Router {
    /// Hands an event to the request that waits for it; it may be gone.
    pub(super) fn hear_event(&mut self, cx: &mut Context<'_, Self>, key: Key, event: Event) {
        let call = self.take_call(cx, key);
        let Some(Call { connection, slot, verb, request_id, step: Some(step), .. }) = call else {
            return revoked::unattended(self, cx, None, event);
        };
        if let Step::CatchUp(whose) = &step {
            return self.caught_up(cx, connection, whose, Some(event));
        }
        if self.sessions.get(connection).is_none() {
            return revoked::unattended(self, cx, Some(&step), event);
        }
        let request_id = request_id.as_deref();
        let mut ask = Ask { router: self, cx, connection, slot, verb, request_id };
        let outcome = match step {
            Step::Admin(step) => admin::go_on(&mut ask, step, event),
            Step::Account(step) => accounts::go_on(&mut ask, step, event),
            Step::Arrival(step) => arrival::go_on(&mut ask, *step, event),
            Step::Backend(step) => calls::go_on(&mut ask, step, event),
            Step::Basic(step) => basics::go_on(&mut ask, step, event),
            Step::Channel(step) => channels::go_on(&mut ask, step, event),
            Step::Chat(step) => chats::go_on(&mut ask, step, event),
            Step::CatchUp(_) => return,
            Step::Execution(step) => executions::go_on(&mut ask, step, event),
            Step::InboxLog(step) => inbox_log::go_on(&mut ask, step, event),
            Step::Message(step) => messages::go_on(&mut ask, step, event),
            Step::Presence(step) => presence::go_on(&mut ask, step, event),
            Step::Notification(step) => notifications::go_on(&mut ask, step, event),
            Step::Sending(step) => sending::go_on(&mut ask, step, event),
            Step::Sync(step) => sync::go_on(&mut ask, step, event),
            Step::Token(step) => tokens::go_on(&mut ask, step, event),
        };
        self.conclude(cx, connection, slot, verb.word(), request_id, outcome);
    }

    /// A request that waited gets an error.
    pub(super) fn fail_call(&mut self, cx: &mut Context<'_, Self>, key: Key, fault: Fault) {
        if let Some(Call { step: Some(Step::Arrival(step)), .. }) = self.calls.get(key)
            && step.goes_on_after(&fault)
        {
            return self.hear_event(cx, key, Event::Unstored);
        }
        let Some(call) = self.take_call(cx, key) else { return };
        if let Some(Step::CatchUp(whose)) = &call.step {
            return self.caught_up(cx, call.connection, whose, None);
        }
        let fault = match &call.step {
            Some(Step::Token(step)) => tokens::fault(self, cx, call.connection, step, fault),
            Some(Step::Account(step)) => accounts::fault(step, fault),
            Some(Step::Message(step)) => messages::fault(step, fault),
            Some(Step::Backend(step)) => calls::fault(step, fault),
            _ => fault,
        };
        match &call.step {
            Some(Step::Arrival(step)) => self.not_arrived(cx, call.connection, step),
            Some(Step::Channel(step)) => self.not_subscribed(cx, call.connection, step),
            Some(Step::Presence(step)) => self.not_watched(cx, call.connection, step),
            Some(Step::Execution(step)) => self.not_looked_at(cx, call.connection, step),
            _ => {}
        }
        let request_id = call.request_id.as_deref();
        self.conclude(cx, call.connection, call.slot, call.verb.word(), request_id, Err(fault));
    }

    pub(super) fn take_call(&mut self, cx: &mut Context<'_, Self>, key: Key) -> Option<Call> {
        let call = self.calls.remove(key)?;
        if let Some(timer) = call.timer {
            cx.cancel_timer(timer);
        }
        if call.slot == FREE
            && let Some(session) = self.sessions.get_mut(call.connection)
        {
            session.slots.called(key);
        }
        Some(call)
    }
}
