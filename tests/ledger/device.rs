//! A device of a user: hears the inbox `user:{id}`, comes back to it, and marks notifications as read.
//!
//! Law (SPEC §4): at least once and in order. A connection begins no further than behind what the
//! device has, and no earlier than behind what it acknowledged, or than it began before: a cursor never
//! goes back. From there on nothing is repeated and nothing is left out, but for what the device did
//! itself. One that acknowledges forgets with its connection what it has not acknowledged; the other
//! has what its socket had.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use serde_json::{Value, json};
use stentor::base::rng::Rng;

use crate::events::event;
use crate::ledger::{Heard, Line, READ, Tally};
use crate::publisher::Manner;
use crate::wire::{Client, Door, is_reply};

/// One that has an inbox.
pub(crate) struct Device {
    /// The line of its inbox.
    pub(crate) line: usize,
    token: String,
    /// Whether only `event_ack` moves its cursor.
    pub(crate) acks: bool,
    /// The last event that it has for good.
    pub(crate) done: u64,
    /// The last `event_ack` that was answered.
    acked: u64,
    /// Where it began the last time.
    pub(crate) began: u64,
    /// What it heard and nobody has looked at.
    pub(crate) heard: Vec<Heard>,
    /// When it heard what, the last time.
    pub(crate) times: Vec<(u64, Instant)>,
    /// Offsets that it was not told, because they are what it did itself.
    pub(crate) passed: Vec<u64>,
    /// The notifications that it marked as read, and whether that was acknowledged.
    pub(crate) marks: BTreeMap<String, bool>,
    rng: Rng,
    pub(crate) tally: Tally,
}

/// A request that is not answered.
enum Asked {
    Ack(u64),
    Mark(String),
}

/// What a connection knows.
#[derive(Default)]
struct Stay {
    /// The last offset that came.
    last: Option<u64>,
    asked: VecDeque<Asked>,
}

impl Device {
    pub(crate) fn new(line: usize, token: String, acks: bool, rng: Rng) -> Self {
        Self {
            line,
            token,
            acks,
            done: 0,
            acked: 0,
            began: 0,
            heard: Vec::new(),
            times: Vec::new(),
            passed: Vec::new(),
            marks: BTreeMap::new(),
            rng,
            tally: Tally::default(),
        }
    }

    const fn name(&self) -> &'static str {
        if self.acks { "acknowledges" } else { "reads" }
    }

    /// Comes in as this device.
    pub(crate) fn arrive(&self, address: &str) -> Result<Option<Client>, String> {
        let door = Door::of(self.line * 2 + usize::from(self.acks));
        let auth = json!({"type": "auth", "token": self.token, "acks": self.acks,
            "client_info": {"client_id": self.name()}});
        Client::arrive_by(address, door, &auth)
    }

    /// Comes in as one that looks at the inbox, and has a cursor of its own.
    pub(crate) fn look(&self, address: &str) -> Result<Option<Client>, String> {
        let auth = json!({"type": "auth", "token": self.token,
            "client_info": {"client_id": "looks"}});
        Client::arrive_by(address, Door::Lines, &auth)
    }

    /// Listens until the server is gone, or until it has what is at an offset.
    pub(crate) fn run(
        &mut self,
        address: &str,
        lines: &[Line],
        manner: Manner,
        until: Option<u64>,
    ) -> Result<(), String> {
        self.times.clear();
        while until.is_none_or(|until| self.done < until) {
            let Some(mut client) = self.arrive(address)? else { return Ok(()) };
            if !self.stay(&mut client, lines, manner, until)? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// One connection; whether the server is still there.
    fn stay(
        &mut self,
        client: &mut Client,
        lines: &[Line],
        manner: Manner,
        until: Option<u64>,
    ) -> Result<bool, String> {
        let mut stay = Stay::default();
        let unanswered = self.marks.iter().filter(|(_, acked)| !**acked);
        let unanswered: Vec<String> = unanswered.map(|(id, _)| id.clone()).collect();
        for id in unanswered {
            self.mark(client, &mut stay, id);
        }
        while let Some(text) = client.next()? {
            if is_reply(&text) {
                self.answered(client, &text, &mut stay, manner)?;
                continue;
            }
            let Some(event) = event(&text, lines)? else { continue };
            self.hear(&event, &mut stay)?;
            let (offset, message) = (event.offset, event.message.clone());
            self.heard.push(event);
            if !self.acks {
                self.done = self.done.max(offset);
                let unread = message.map(|(_, it)| it).filter(|it| it.content != READ);
                let id = unread.map(|it| it.id).filter(|id| !id.is_empty());
                if let Some(id) = id.filter(|id| !self.marks.contains_key(id))
                    && self.rng.below(2) == 0
                {
                    self.mark(client, &mut stay, id);
                }
            } else if until.is_some() || self.rng.below(4) == 0 {
                // Some at once: what is behind the last of them is lost with the connection.
                self.done = self.done.max(offset);
                stay.asked.push_back(Asked::Ack(offset));
                let channel = &lines[self.line].channel;
                let ack = json!({"type": "event_ack", "channel": channel, "offset": offset,
                    "request_id": offset});
                let _ = client.say(&ack);
            }
            if until.is_some_and(|until| self.done >= until) {
                return Ok(true);
            }
            if self.acks && until.is_none() && self.rng.below(32) == 0 {
                self.tally.add("devices that left", 1);
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn mark(&mut self, client: &mut Client, stay: &mut Stay, id: String) {
        self.marks.entry(id.clone()).or_default();
        let request = json!({"type": "mark_as_read", "notification_id": id, "request_id": id});
        let _ = client.say(&request);
        stay.asked.push_back(Asked::Mark(id));
    }

    /// An event, which nothing is left out before.
    fn hear(&mut self, event: &Heard, stay: &mut Stay) -> Result<(), String> {
        let (offset, kind) = (event.offset, self.name());
        let wrong = |why: String| Err(format!("line {}, who {kind}: {why}: {event:?}", self.line));
        if event.line != self.line {
            return wrong("of somebody else".to_owned());
        }
        let known = match stay.last {
            Some(last) => last,
            None => {
                let least = self.began.max(self.acked + 1);
                if offset < least {
                    return wrong(format!("the cursor went back, {least} was reached"));
                }
                // Of what it did itself it may not be told: it may have begun before this one.
                let known = self.done.min(offset - 1);
                self.began = known + 1;
                known
            }
        };
        if offset <= known {
            return wrong(format!("twice, {known} was there"));
        }
        if offset > known + 1 {
            if self.acks {
                return wrong(format!("lost, it has {known}"));
            }
            self.passed.extend(known + 1..offset);
        }
        stay.last = Some(offset);
        self.times.push((offset, Instant::now()));
        self.tally.add("inbox events", 1);
        self.tally.add("inbox events repeated", u64::from(offset <= self.done));
        Ok(())
    }

    fn answered(
        &mut self,
        client: &Client,
        text: &str,
        stay: &mut Stay,
        manner: Manner,
    ) -> Result<(), String> {
        let reply: Value =
            serde_json::from_str(text).map_err(|error| format!("{error}: {text}"))?;
        let asked = stay.asked.pop_front().ok_or_else(|| format!("nothing was asked: {text}"))?;
        if reply["status"] != "ok" {
            let code = reply["code"].as_str().unwrap_or_default();
            let late = client.was_stopped() && code == "storage_unavailable";
            let excused = late || manner.excused.contains(&code);
            // It is asked again when the device comes back.
            return if excused { Ok(()) } else { Err(format!("refused without a reason: {text}")) };
        }
        match asked {
            Asked::Ack(offset) if reply["request_id"] == offset => {
                self.acked = self.acked.max(offset);
                self.tally.add("inbox acks", 1);
            }
            Asked::Mark(id) if reply["request_id"] == id => {
                self.marks.insert(id, true);
                self.tally.add("marks acknowledged", 1);
            }
            _ => return Err(format!("the reply to something else: {text}")),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(acks: bool) -> Device {
        Device { done: 5, acked: 3, began: 3, ..Device::new(10, String::new(), acks, Rng::new(1)) }
    }

    /// What it says to events that come in this order.
    fn says(device: &mut Device, offsets: &[u64]) -> String {
        let mut stay = Stay::default();
        let events =
            offsets.iter().map(|offset| Heard { line: 10, offset: *offset, message: None });
        let said = events.map(|event| device.hear(&event, &mut stay));
        said.collect::<Result<(), String>>().err().unwrap_or_default()
    }

    #[test]
    fn at_least_once_and_in_order() {
        for begins in 4..=6 {
            assert_eq!(says(&mut device(true), &[begins, begins + 1, begins + 2]), "");
        }
        for (offsets, words) in [
            (&[3][..], "the cursor went back, 4"),
            (&[7], "lost, it has 5"),
            (&[5, 7], "lost, it has 5"),
            (&[5, 5], "twice"),
            (&[6, 5], "twice"),
        ] {
            let said = says(&mut device(true), offsets);
            assert!(said.contains(words), "{offsets:?}: {words:?} is not in {said:?}");
        }
        let mut other = device(true);
        other.began = 5;
        assert!(says(&mut other, &[4]).contains("the cursor went back, 5"));
    }

    #[test]
    fn what_it_did_itself_it_may_not_be_told() {
        let mut device = device(false);
        device.acked = 0;
        assert_eq!(says(&mut device, &[7, 8, 10]), "");
        assert_eq!((device.passed, device.began), (vec![6, 9], 6));
    }
}
