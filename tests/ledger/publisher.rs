//! A publisher: sends numbered messages, keeps what is not acknowledged, and sends it again with the
//! same `client_id` when it comes back.
//!
//! Law: it writes down a message before it sends it, and an ack only when it has read it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Value, json};
use stentor::base::rng::Rng;

use crate::ledger::{Ack, Entry, Line, Name, Sort, Tally, channel_of, chats_of, inbox_of};
use crate::process::pause;
use crate::wire::{Client, DEADLINE, Door, is_reply};

/// What all publishers of a cycle share.
#[derive(Default)]
pub(crate) struct Pulse {
    /// Acks so far.
    pub(crate) acks: AtomicU64,
    /// Refusals by a full disk so far.
    pub(crate) full: AtomicU64,
}

impl Pulse {
    /// Waits until so many were acknowledged.
    pub(crate) fn wait(&self, acks: u64) -> Result<(), String> {
        let begun = Instant::now();
        while self.acks.load(Ordering::Relaxed) < acks {
            if begun.elapsed() > DEADLINE {
                return Err(format!("not {acks} acks within {DEADLINE:?}"));
            }
            pause(Duration::from_millis(1));
        }
        Ok(())
    }
}

/// How a cycle wants it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    /// Messages on their way at once. One, where a refusal is possible: what was refused is sent
    /// again, and behind it nothing may have been stored.
    pub(crate) window: usize,
    /// The longest content, more or less, in bytes.
    pub(crate) padding: u64,
    /// Errors that the fault excuses.
    pub(crate) excused: &'static [&'static str],
}

impl Manner {
    /// That of somebody who only looks: nothing is excused.
    pub(crate) const PATIENT: Self = Self { window: 1, padding: 0, excused: &[] };
}

/// One that writes.
pub(crate) struct Publisher {
    pub(crate) number: usize,
    pub(crate) token: String,
    /// Everything it sent, by its number.
    pub(crate) entries: Vec<Entry>,
    /// Sent and not acknowledged, in order.
    pending: Vec<usize>,
    rng: Rng,
    pub(crate) tally: Tally,
}

#[derive(Deserialize)]
struct Reply<'a> {
    status: &'a str,
    request_id: Option<&'a str>,
    code: Option<String>,
    data: Option<Data<'a>>,
}

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(borrow, default)]
    message: Option<Message<'a>>,
    #[serde(default)]
    offset: Option<u64>,
    #[serde(default)]
    epoch: Option<&'a str>,
    #[serde(borrow, default)]
    notification: Option<Notification<'a>>,
    #[serde(default)]
    duplicate: bool,
}

#[derive(Deserialize)]
struct Notification<'a> {
    id: &'a str,
}

impl Data<'_> {
    /// Where it is now, and as what; none when the reply does not say so.
    fn place(&self, entry: &Entry, name: Name) -> Option<(Option<u64>, String)> {
        match Sort::of(entry.line) {
            Sort::Chat => {
                self.message.as_ref().map(|message| (Some(message.seq), message.id.to_owned()))
            }
            Sort::Channel => {
                self.offset.zip(self.epoch).map(|(offset, epoch)| (Some(offset), epoch.to_owned()))
            }
            Sort::Inbox if entry.notifies(name) => {
                self.notification.as_ref().map(|notification| (None, notification.id.to_owned()))
            }
            Sort::Inbox => Some((None, String::new())),
        }
    }
}

#[derive(Deserialize)]
struct Message<'a> {
    id: &'a str,
    seq: u64,
}

impl Publisher {
    pub(crate) fn new(number: usize, token: String, rng: Rng) -> Self {
        let (entries, pending, tally) = (Vec::new(), Vec::new(), Tally::default());
        Self { number, token, entries, pending, rng, tally }
    }

    /// How many messages wait for their ack.
    pub(crate) const fn unknown(&self) -> usize {
        self.pending.len()
    }

    /// Writes until the server is gone.
    pub(crate) fn run(
        &mut self,
        address: &str,
        lines: &[Line],
        manner: Manner,
        pulse: &Pulse,
    ) -> Result<(), String> {
        let Some(mut client) = Client::arrive(address, Door::of(self.number), &self.token)? else {
            return Ok(());
        };
        if client.is_compressed() {
            self.tally.add("compressed publishers", 1);
        }
        // First what nobody answered, in its order; then something that was answered.
        let mut again: VecDeque<usize> = self.pending.iter().copied().collect();
        self.tally.add("retries", again.len() as u64);
        for _ in 0..2 {
            again.extend(self.acknowledged());
        }
        let mut flight: VecDeque<usize> = VecDeque::new();
        loop {
            while flight.len() < manner.window {
                let number = again.pop_front().unwrap_or_else(|| self.write_down(manner));
                self.entries[number].tries += 1;
                if client.say(&self.request(number, lines)).is_none() {
                    // What it said before it went counts all the same.
                    while self.hear(&mut client, &mut flight, &mut again, manner, pulse)? {}
                    return Ok(());
                }
                flight.push_back(number);
            }
            if !self.hear(&mut client, &mut flight, &mut again, manner, pulse)? {
                return Ok(());
            }
        }
    }

    const fn name(&self, number: usize) -> Name {
        Name { publisher: self.number, number }
    }

    fn request(&self, number: usize, lines: &[Line]) -> Value {
        let (name, entry) = (self.name(number), &self.entries[number]);
        let (id, content, line) = (name.client_id(), entry.content(name), &lines[entry.line]);
        match Sort::of(entry.line) {
            Sort::Chat => json!({"type": "message", "chat_id": line.id, "content": content,
                "client_id": id, "request_id": id}),
            Sort::Channel => json!({"type": "publish", "channel": line.channel,
                "payload": {"text": content}, "client_id": id, "request_id": id}),
            Sort::Inbox if entry.notifies(name) => json!({"type": "create_notification",
                "user_id": line.id, "level": "info", "title": id, "message": content,
                "request_id": id}),
            Sort::Inbox => json!({"type": "send", "user_ids": [line.id], "event": "note",
                "payload": {"text": content}, "request_id": id}),
        }
    }

    fn acknowledged(&mut self) -> Option<usize> {
        let number = self.rng.below((self.entries.len() as u64).max(1)) as usize;
        let dedups = |entry: &&Entry| Sort::of(entry.line) != Sort::Inbox;
        let found = self.entries.get(number).filter(dedups);
        found.filter(|entry| entry.ack.is_some()).map(|_| number)
    }

    /// A new message.
    fn write_down(&mut self, manner: Manner) -> usize {
        let line = match self.rng.below(8) {
            6 | 7 => channel_of(self.number),
            5 => inbox_of(self.number),
            chat => chats_of(self.number)[chat as usize % 3],
        };
        let padding = match self.rng.below(8) {
            // What a notification has room for, in an inbox.
            0 if Sort::of(line) == Sort::Inbox => self.rng.below(manner.padding.min(8_000)),
            0 => self.rng.below(manner.padding),
            _ => self.rng.below(100),
        };
        let (padding, sent) = (padding as usize, Instant::now());
        self.entries.push(Entry { line, padding, sent, tries: 0, ack: None });
        self.pending.push(self.entries.len() - 1);
        self.entries.len() - 1
    }

    /// The next reply; false when the server is gone.
    fn hear(
        &mut self,
        client: &mut Client,
        flight: &mut VecDeque<usize>,
        again: &mut VecDeque<usize>,
        manner: Manner,
        pulse: &Pulse,
    ) -> Result<bool, String> {
        let text = loop {
            match client.next()? {
                Some(text) if is_reply(&text) => break text,
                Some(_) => {}
                None => return Ok(false),
            }
        };
        let wrong = |why: &str| Err(format!("{why}: {text}"));
        let Ok(reply) = serde_json::from_str::<Reply<'_>>(&text) else {
            return wrong("no reply to a message");
        };
        let Some(number) = flight.pop_front() else { return wrong("nothing was asked") };
        let name = self.name(number);
        if reply.request_id != Some(&name.client_id()) {
            return wrong("the reply to another message");
        }
        if reply.status != "ok" {
            let code = reply.code.unwrap_or_default();
            if client.was_stopped() && code == "storage_unavailable" {
                // Whatever it is that was not answered in time: it waits for the next cycle.
                return Ok(false);
            }
            if !manner.excused.contains(&code.as_str()) {
                return wrong("refused without a reason");
            }
            self.tally.add(if code == "storage_full" { "storage_full" } else { "refusals" }, 1);
            pulse.full.fetch_add(u64::from(code == "storage_full"), Ordering::Relaxed);
            if self.entries[number].ack.is_none() {
                again.push_front(number);
            }
            // Room comes by itself or not at all; asking faster brings none.
            pause(Duration::from_millis(2));
            return Ok(true);
        }
        let Some(data) = reply.data else { return wrong("an ok of nothing") };
        let Some((seq, id)) = data.place(&self.entries[number], name) else {
            return wrong("an ok that says not where");
        };
        let (ack, duplicate) = (Ack { seq, id, at: Instant::now() }, data.duplicate);
        pulse.acks.fetch_add(1, Ordering::Relaxed);
        self.tally.add("acks", 1);
        self.tally.add("duplicates told", u64::from(duplicate));
        if duplicate && self.entries[number].tries < 2 {
            return wrong("the first of its client_id is told to be a duplicate");
        }
        match &self.entries[number].ack {
            Some(first) if !duplicate || (first.seq, &first.id) != (ack.seq, &ack.id) => {
                wrong(&format!("a retry of what was acknowledged before ({first:?}) is new"))
            }
            Some(_) => Ok(true),
            None => {
                self.entries[number].ack = Some(ack);
                self.pending.retain(|pending| *pending != number);
                Ok(true)
            }
        }
    }
}
