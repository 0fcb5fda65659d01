//! Callers and workers: who asks a backend for something, and the backends that answer, or do not.

use serde_json::{Value, json};

use crate::calls::{Ringing, Work};
use crate::client::Kind;
use crate::law::Law;
use crate::workload::Wish;
use crate::world::{Event, Phase, World};

/// What is served; of the last nobody ever is.
const ACTIONS: [&str; 6] = [
    "ui_action:click",
    "ui_action:drag",
    "data_request:users",
    "data_request:rooms",
    "command:stop",
    "command:nothing",
];
/// Calls of one connection without a reply.
const RINGING_MAX: usize = 10;
/// How long a worker takes at most, in microseconds.
const WORK_MAX: u64 = 400_000;

impl World {
    /// Somebody calls a backend, perhaps once more.
    pub(crate) fn call(&mut self, c: usize) -> Option<Wish> {
        let client = &self.clients[c];
        let (user, pipe) = (&client.period.as_ref()?.user, client.pipe?);
        if client.calls.len() >= RINGING_MAX {
            return None;
        }
        let (user, life) = (user.clone(), self.pipes[pipe].life);
        let before = client.called.iter().rev().nth(self.rng.below(4) as usize).copied();
        let again = before.filter(|op| {
            let rings = self.clients[c].calls.contains_key(&format!("k{op}"));
            !rings && self.model.calls.made.get(op).is_some_and(|call| call.user == user)
        });
        let op = match again.filter(|_| self.rng.below(3) > 0) {
            Some(op) => op,
            None => {
                let op = self.next_op();
                let action = ACTIONS[self.rng.below(ACTIONS.len() as u64) as usize];
                let data = action.starts_with("data_request:");
                let params =
                    if data { json!({"page": self.rng.below(3)}) } else { json!({"op": op}) };
                self.model.calls.makes(op, user, action.to_owned(), params);
                self.clients[c].called.push(op);
                op
            }
        };
        let ringing = self.model.calls.begins(op, self.now.monotonic, life);
        let call = &self.model.calls.made[&op];
        let name = call.action.split(':').nth(1).unwrap_or_default();
        let field = match ringing.word.as_str() {
            "ui_action" => "action_type",
            "data_request" => "resource",
            _ => "command",
        };
        let mut wish = json!({"type": ringing.word, "params": call.params});
        wish[field] = json!(name);
        Some((wish, Kind::Call(ringing)))
    }

    /// A call with its id, unless one of this id rings.
    pub(crate) fn rings(
        &mut self,
        c: usize,
        mut text: Value,
        mut ringing: Ringing,
    ) -> Option<Value> {
        let client = &mut self.clients[c];
        let id = format!("k{}", ringing.op);
        if client.calls.contains_key(&id) {
            return None;
        }
        text["request_id"] = json!(id);
        ringing.first = client.pending.is_empty();
        client.calls.insert(id, ringing);
        Some(text)
    }

    /// A backend offers itself.
    pub(crate) fn serve(&mut self, c: usize) -> Wish {
        let mut actions: Vec<&str> = ACTIONS[..5].to_vec();
        actions.retain(|_| self.rng.below(3) > 0);
        if actions.is_empty() {
            actions.push(ACTIONS[0]);
        }
        self.clients[c].serves.extend(actions.iter().map(|action| (*action).to_owned()));
        (json!({"type": "serve", "actions": actions}), Kind::Other)
    }

    /// The reply of a call, if it is one.
    pub(crate) fn is_call_answered(&mut self, c: usize, word: &str, value: &Value) -> bool {
        let id = value["request_id"].as_str().unwrap_or_default();
        let rings = self.clients[c].calls.get(id).is_some_and(|ringing| ringing.word == word);
        let Some(ringing) = self.clients[c].calls.remove(id).filter(|_| rings) else {
            return false;
        };
        let life = self.clients[c].pipe.map(|pipe| self.pipes[pipe].life).unwrap_or_default();
        let slow = self.injected.has_slowed() || self.plan.guarded;
        let now = self.now.monotonic;
        self.model.checked(Law::Replies);
        let says_cached = !self.clients[c].speech.is_binary();
        self.model.call_answered(&ringing, (now, life, slow), value, says_cached);
        true
    }

    /// A worker is called: most of them answer, some late, some never.
    pub(crate) fn called(&mut self, c: usize, value: &Value) {
        let work = self.model.worker_called(&self.clients[c].serves, value);
        let lazy = self.phase == Phase::Storm && self.rng.below(12) == 0;
        let Some(pipe) = self.clients[c].pipe.filter(|_| !lazy) else { return };
        let most = if self.rng.below(16) == 0 {
            2 * self.model.calls.timeout.as_micros() as u64
        } else {
            WORK_MAX
        };
        self.clients[c].work.push(work);
        self.schedule(most, Event::Work(c, pipe));
    }

    /// A worker has done something.
    pub(crate) fn work_done(&mut self, c: usize, pipe: usize) {
        let client = &self.clients[c];
        let there = client.pipe == Some(pipe) && client.period.is_some() && self.is_open(c);
        if !there || client.leaving || client.closed.is_some() || client.work.is_empty() {
            return;
        }
        let at = self.rng.below(client.work.len() as u64) as usize;
        let work = self.clients[c].work.swap_remove(at);
        let wish = self.result(&work);
        let mut wishes = vec![wish];
        if self.rng.below(16) == 0 {
            // Once is enough, and the second is refused.
            wishes.push(self.result(&work));
        }
        self.ask(c, wishes);
    }

    fn result(&mut self, work: &Work) -> Wish {
        let (n, ok) = (self.next_op(), self.rng.below(8) > 0);
        let mut wish = json!({"type": "call_result", "call_id": work.call_id});
        let mut kept = (work.action.starts_with("ui_action:"), false);
        if ok {
            wish["status"] = json!("ok");
            wish["data"] = json!({"n": n});
            if work.action.starts_with("data_request:") && self.rng.below(2) == 0 {
                kept = (true, self.rng.below(2) == 0);
                wish["cache_ttl_ms"] = json!(1 + self.rng.below(5000));
                wish["cache_scope"] = json!(if kept.1 { "all" } else { "user" });
            }
        } else {
            wish["status"] = json!("error");
            wish["message"] = json!(format!("said {n}"));
        }
        self.model.worker_says(n, work, ok, kept);
        (wish, Kind::Other)
    }

    /// Nobody hears the answers of a connection that is gone.
    pub(crate) fn calls_are_over(&mut self, c: usize) {
        let client = &mut self.clients[c];
        client.calls.clear();
        client.work.clear();
        client.serves.clear();
    }
}
