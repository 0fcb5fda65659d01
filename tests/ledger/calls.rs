//! Calls in flight at a strike: a caller, and the worker that answers it.
//!
//! Law (SPEC §4): each request has one reply on its connection, with what the worker said to it. What
//! was not answered is asked again with the same id behind the restart and comes to a worker again:
//! what a server keeps of answers, it keeps in memory. Within one server an answered action is not
//! done again: its repeat is told what was said, and that it was.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};
use stentor::base::rng::Rng;

use crate::ledger::Tally;
use crate::process::pause;
use crate::wire::{Client, Door, is_reply};

/// Calls on their way at once.
const WINDOW: usize = 3;
/// What a caller is told when nobody could answer; then it asks again the next time.
const NOBODY: [&str; 5] =
    ["no_worker", "worker_error", "worker_timeout", "circuit_open", "overloaded"];

/// Who answers.
#[derive(Default)]
pub(crate) struct Worker {
    pub(crate) token: String,
    pub(crate) tally: Tally,
}

impl Worker {
    /// Answers each call with what it was asked, until the server is gone.
    pub(crate) fn run(&mut self, address: &str) -> Result<(), String> {
        let client = Client::arrive(address, Door::Lines, &self.token)?;
        let Some(mut client) = client else { return Ok(()) };
        if client.ask(&json!({"type": "serve", "actions": ["ui_action:ledger"]}))?.is_none() {
            return Ok(());
        }
        let mut calls = BTreeSet::new();
        while let Some(text) = client.next()? {
            let event: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
            if is_reply(&text) {
                if event["status"] != "ok" {
                    return Err(format!("an answer is refused: {text}"));
                }
            } else if event["type"] == "call" {
                let call = &event["payload"];
                let number = call["params"]["number"].as_u64().ok_or("no number")?;
                self.tally.add("calls", 1);
                if !calls.insert(number) && !client.was_stopped() {
                    // The caller repeats what was answered, and that never comes here.
                    return Err(format!("done twice: {text}"));
                }
                // Some are always on their way.
                pause(Duration::from_millis(2));
                let answer = json!({"type": "call_result", "call_id": call["call_id"],
                    "status": "ok", "data": {"answer": number}});
                let _ = client.say(&answer);
            }
        }
        Ok(())
    }
}

/// Who calls.
pub(crate) struct Caller {
    pub(crate) token: String,
    /// The next number.
    next: u64,
    /// Asked and not answered.
    open: BTreeSet<u64>,
    rng: Rng,
    pub(crate) tally: Tally,
}

impl Caller {
    pub(crate) fn new(rng: Rng) -> Self {
        Self { token: String::new(), next: 0, open: BTreeSet::new(), rng, tally: Tally::default() }
    }

    /// Calls until the server is gone.
    pub(crate) fn run(&mut self, address: &str) -> Result<(), String> {
        let Some(mut client) = Client::arrive(address, Door::Web, &self.token)? else {
            return Ok(());
        };
        let mut again: Vec<u64> = self.open.iter().copied().collect();
        self.tally.add("calls again", again.len() as u64);
        // On this connection: what has no reply, how many of them are repeats, and what has one.
        let mut asked: BTreeMap<u64, bool> = BTreeMap::new();
        let mut answered: Vec<u64> = Vec::new();
        loop {
            while asked.len() < WINDOW {
                let repeat = !answered.is_empty() && self.rng.below(4) == 0;
                let number = if repeat {
                    answered[self.rng.below(answered.len() as u64) as usize]
                } else {
                    again.pop().unwrap_or_else(|| self.number())
                };
                if asked.contains_key(&number) {
                    break;
                }
                asked.insert(number, repeat);
                let request = json!({"type": "ui_action", "action_type": "ledger",
                    "params": {"number": number}, "request_id": number});
                if client.say(&request).is_none() {
                    break;
                }
            }
            let Some(text) = client.next()? else { return Ok(()) };
            if is_reply(&text) {
                self.hear(client.was_stopped(), &text, &mut asked, &mut answered)?;
            }
        }
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.open.insert(self.next);
        self.next
    }

    fn hear(
        &mut self,
        stopped: bool,
        text: &str,
        asked: &mut BTreeMap<u64, bool>,
        answered: &mut Vec<u64>,
    ) -> Result<(), String> {
        let reply: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let number = reply["request_id"].as_u64().ok_or_else(|| format!("whose? {text}"))?;
        let repeat = asked.remove(&number);
        let repeat = repeat.ok_or_else(|| format!("two replies to one request: {text}"))?;
        if reply["status"] != "ok" {
            let code = reply["code"].as_str().unwrap_or_default();
            if (repeat && !stopped) || !NOBODY.contains(&code) {
                return Err(format!("refused without a reason: {text}"));
            }
            self.tally.add("calls that nobody answered", 1);
            pause(Duration::from_millis(2));
            return Ok(());
        }
        if reply["data"]["answer"] != number {
            return Err(format!("the answer to something else: {text}"));
        }
        // Answers are kept for five minutes, and all of us may have been stopped for longer.
        if repeat != (reply["cached"] == true) && !stopped {
            return Err(format!("a repeat, {repeat}, is answered so: {text}"));
        }
        self.tally.add(if repeat { "answers told again" } else { "answers" }, 1);
        self.open.remove(&number);
        if !repeat {
            answered.push(number);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a caller says to replies, of whose requests 1 is new and 2 a repeat.
    fn says(replies: &[Value]) -> String {
        let mut caller = Caller::new(Rng::new(1));
        let (mut asked, mut answered) = (BTreeMap::from([(1, false), (2, true)]), vec![2]);
        let mut hear =
            |reply: &Value| caller.hear(false, &reply.to_string(), &mut asked, &mut answered).err();
        replies.iter().find_map(&mut hear).unwrap_or_default()
    }

    #[test]
    fn each_request_has_one_reply_and_its_own() {
        let ok = |number: u64, answer: u64, cached: bool| {
            json!({"status": "ok", "request_id": number, "data": {"answer": answer},
                "cached": cached})
        };
        let refused = |number: u64, code: &str| json!({"status": "error", "request_id": number, "code": code});
        assert_eq!(says(&[ok(2, 2, true), ok(1, 1, false)]), "");
        assert_eq!(says(&[refused(1, "worker_error"), ok(2, 2, true)]), "");
        for (replies, words) in [
            (vec![ok(1, 1, false), ok(1, 1, false)], "two replies"),
            (vec![refused(1, "no_worker"), ok(1, 1, false)], "two replies"),
            (vec![ok(1, 2, false)], "something else"),
            (vec![ok(1, 1, true)], "is answered so"),
            (vec![ok(2, 2, false)], "is answered so"),
            (vec![refused(2, "no_worker")], "without a reason"),
            (vec![refused(1, "internal")], "without a reason"),
        ] {
            let said = says(&replies);
            assert!(said.contains(words), "{replies:?}: {words:?} is not in {said:?}");
        }
    }
}
