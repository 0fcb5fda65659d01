//! A subscriber: comes back with the last offset that it has of each chat and channel, and writes down
//! what it hears.
//!
//! Law (SPEC §5): it sees every offset in order. What is committed while it asks may come before the
//! reply as well as in it; from the reply on nothing is repeated and nothing is left out.

use serde_json::json;

use crate::events::{Reply, event, line_of};
use crate::ledger::{Heard, Line, SHARED, Tally};
use crate::wire::{Client, Door, is_reply};

/// One that listens.
pub(crate) struct Subscriber {
    pub(crate) number: usize,
    pub(crate) token: String,
    /// The last offset of each line that it has.
    last: [u64; SHARED],
    /// What it heard and nobody has looked at.
    pub(crate) heard: Vec<Heard>,
    pub(crate) tally: Tally,
}

/// A line within one connection.
enum Stand {
    /// Asked; what came meanwhile.
    Asked(Vec<Heard>),
    /// The reply is here, up to this offset.
    Live,
}

impl Subscriber {
    pub(crate) fn new(number: usize, token: String) -> Self {
        Self { number, token, last: [0; SHARED], heard: Vec::new(), tally: Tally::default() }
    }

    /// Listens until the server is gone.
    pub(crate) fn run(&mut self, address: &str, lines: &[Line]) -> Result<(), String> {
        let Some(mut client) = Client::arrive(address, Door::of(self.number), &self.token)? else {
            return Ok(());
        };
        if client.is_compressed() {
            self.tally.add("compressed subscribers", 1);
        }
        let mut stands: Vec<Stand> = Vec::new();
        for (at, line) in lines.iter().enumerate().take(SHARED) {
            stands.push(Stand::Asked(Vec::new()));
            if self.subscribe(&mut client, at, line).is_none() {
                break;
            }
        }
        // The last ones may not have been asked for; then nothing comes of them either.
        stands.resize_with(SHARED, || Stand::Asked(Vec::new()));
        while let Some(text) = client.next()? {
            if is_reply(&text) {
                self.reply(&mut client, &text, lines, &mut stands)?;
            } else if let Some(event) = event(&text, lines)? {
                match &mut stands[event.line] {
                    Stand::Asked(early) => early.push(event),
                    Stand::Live => self.next(event)?,
                }
            }
        }
        // What came early and was never asked for is in the log all the same.
        for stand in stands {
            if let Stand::Asked(early) = stand {
                self.heard.extend(early);
            }
        }
        Ok(())
    }

    fn subscribe(&self, client: &mut Client, at: usize, line: &Line) -> Option<()> {
        let since = json!({"offset": self.last[at], "epoch": line.epoch});
        client.say(&json!({"type": "subscribe", "channel": line.channel, "since": since}))
    }

    fn reply(
        &mut self,
        client: &mut Client,
        text: &str,
        lines: &[Line],
        stands: &mut [Stand],
    ) -> Result<(), String> {
        let reply: Reply<'_> =
            serde_json::from_str(text).map_err(|error| format!("{error}: {text}"))?;
        let (true, Some(data)) = (reply.status == "ok", reply.data) else {
            let late = client.was_stopped() && text.contains("\"storage_unavailable\"");
            return if late { Ok(()) } else { Err(format!("no subscription: {text}")) };
        };
        let line = data.channel.and_then(|channel| line_of(channel, lines));
        let line = line.ok_or_else(|| format!("not asked for: {text}"))?;
        if data.epoch != lines[line].epoch {
            return Err(format!("line {line} began anew: {text}"));
        }
        if data.recovered != Some(true) || data.offset < self.last[line] {
            let last = self.last[line];
            return Err(format!("heard {last} of line {line}, and the log ends before: {text}"));
        }
        self.tally.add("events recovered", data.events.len() as u64);
        for raw in &data.events {
            let event = event(raw.get(), lines)?.ok_or("an event of no line")?;
            self.next(event)?;
        }
        if data.more {
            // What is missing still comes by the next page.
            let _ = self.subscribe(client, line, &lines[line]);
            return Ok(());
        }
        if self.last[line] != data.offset {
            return Err(format!("{} of line {line} is the last one of: {text}", self.last[line]));
        }
        if let Stand::Asked(early) = std::mem::replace(&mut stands[line], Stand::Live) {
            for event in early {
                if event.offset > self.last[line] {
                    self.next(event)?;
                } else {
                    self.heard.push(event);
                }
            }
        }
        Ok(())
    }

    /// The next event of a line, which nothing is left out before.
    fn next(&mut self, event: Heard) -> Result<(), String> {
        let wanted = self.last[event.line] + 1;
        if event.offset != wanted {
            return Err(format!(
                "subscriber {} waits for {wanted} and hears {event:?}",
                self.number
            ));
        }
        self.last[event.line] = wanted;
        self.tally.add("events", 1);
        self.heard.push(event);
        Ok(())
    }
}
