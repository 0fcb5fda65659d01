//! On the loop of a worker's connection: calls go out as events, and end when the worker goes.
//!
//! Law: the event is a reply to the queue: never dropped, and a worker that does not read is closed.

use serde::Serialize;
use serde_json::value::RawValue;

use super::words::{CallWord, Called};
use crate::base::id::{Address, ConnectionId, Id, UserId};
use crate::base::time::Timestamp;
use crate::codec::json;
use crate::handler::{Context, Segment, Tag};
use crate::message::server;
use crate::protocol::websocket::Opcode;
use crate::router::Router;
use crate::router::words::Word;

#[derive(Serialize)]
struct Call<'a> {
    call_id: Id,
    kind: &'static str,
    name: &'a str,
    params: &'a RawValue,
    user: User<'a>,
    deadline_ms: u64,
}

#[derive(Serialize)]
struct User<'a> {
    id: &'a UserId,
    username: &'a str,
    role: &'static str,
    teams: &'a [String],
}

impl Router {
    /// A worker of this loop is called. When it has gone, its homes are being told already.
    pub(super) fn call_worker(&mut self, cx: &mut Context<'_, Self>, called: &Called) {
        let home = self.homes.of_action(&called.action);
        if !self.backends.serving.called(called.worker, called.id, home, called.key) {
            return;
        }
        let Ok(params) = serde_json::from_str(&called.params) else { return };
        let caller = &called.caller;
        let user = User {
            id: &caller.id,
            username: &caller.username,
            role: caller.role,
            teams: &caller.teams,
        };
        let payload = Call {
            call_id: called.id,
            kind: called.action.kind.word(),
            name: &called.action.name,
            params,
            user,
            deadline_ms: called.deadline_ms,
        };
        let timestamp = Some(Timestamp(cx.now.unix_ms));
        let event = json::Event { word: server::CALL, timestamp, ..json::Event::default() };
        let mut draft = cx.draft();
        json::event(draft.payload(), &event, &payload);
        cx.send(called.worker, Segment::Own(draft.finish(Opcode::Text)), Tag::REPLY);
    }

    /// A connection serves nothing any more, if it did: its homes are told.
    pub(in crate::router) fn stop_serving(&mut self, cx: &mut Context<'_, Self>, id: ConnectionId) {
        let actions = self.backends.serving.remove(id);
        let mut homes: Vec<_> = actions.iter().map(|a| self.homes.of_action(a)).collect();
        homes.sort_unstable();
        homes.dedup();
        let worker = Address { home: cx.here, connection: id };
        for home in homes {
            cx.tell(home, Word::Backend(Box::new(CallWord::Unserve { worker })));
        }
    }
}
