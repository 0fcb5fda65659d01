//! A subscriber: comes back with the last offset that it has of each chat, and writes down what it
//! hears.
//!
//! Law (SPEC §5): it sees every offset in order. What is committed while it asks may come before the
//! reply as well as in it; from the reply on nothing is repeated and nothing is left out.

use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use crate::ledger::{CHATS, Heard, Stored, Tally};
use crate::wire::{Client, Door, is_reply};

/// One that listens.
pub(crate) struct Subscriber {
    pub(crate) number: usize,
    pub(crate) token: String,
    /// The last offset of each chat that it has.
    last: [u64; CHATS],
    /// What it heard and nobody has looked at.
    pub(crate) heard: Vec<Heard>,
    pub(crate) tally: Tally,
}

/// A chat within one connection.
enum Stand {
    /// Asked; what came meanwhile.
    Asked(Vec<Heard>),
    /// The reply is here, up to this offset.
    Live,
}

#[derive(Deserialize)]
struct Event<'a> {
    r#type: &'a str,
    #[serde(default)]
    channel: Option<&'a str>,
    #[serde(default)]
    offset: Option<u64>,
    #[serde(borrow, default)]
    payload: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Message {
    id: String,
    chat_id: String,
    seq: u64,
    sender: Sender,
    content: String,
}

#[derive(Deserialize)]
struct Sender {
    id: String,
}

#[derive(Deserialize)]
struct Reply<'a> {
    status: &'a str,
    #[serde(borrow)]
    data: Option<Subscribed<'a>>,
}

#[derive(Deserialize)]
struct Subscribed<'a> {
    channel: &'a str,
    offset: u64,
    recovered: bool,
    #[serde(borrow)]
    events: Vec<&'a RawValue>,
    more: bool,
}

impl Subscriber {
    pub(crate) fn new(number: usize, token: String) -> Self {
        Self { number, token, last: [0; CHATS], heard: Vec::new(), tally: Tally::default() }
    }

    /// Listens until the server is gone.
    pub(crate) fn run(&mut self, address: &str, chats: &[String]) -> Result<(), String> {
        let Some(mut client) = Client::arrive(address, Door::of(self.number), &self.token)? else {
            return Ok(());
        };
        if client.is_compressed() {
            self.tally.add("compressed subscribers", 1);
        }
        let mut stands: Vec<Stand> = Vec::new();
        for (chat, id) in chats.iter().enumerate() {
            stands.push(Stand::Asked(Vec::new()));
            if self.subscribe(&mut client, chat, id).is_none() {
                break;
            }
        }
        // The last ones may not have been asked for; then nothing comes of them either.
        stands.resize_with(CHATS, || Stand::Asked(Vec::new()));
        while let Some(text) = client.next()? {
            if is_reply(&text) {
                self.reply(&mut client, &text, chats, &mut stands)?;
            } else if let Some(event) = event(&text, chats)? {
                match &mut stands[event.chat] {
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

    fn subscribe(&self, client: &mut Client, chat: usize, id: &str) -> Option<()> {
        let since = json!({"offset": self.last[chat], "epoch": "1"});
        let channel = format!("room:{id}");
        client.say(&json!({"type": "subscribe", "channel": channel, "since": since}))
    }

    fn reply(
        &mut self,
        client: &mut Client,
        text: &str,
        chats: &[String],
        stands: &mut [Stand],
    ) -> Result<(), String> {
        let reply: Reply<'_> =
            serde_json::from_str(text).map_err(|error| format!("{error}: {text}"))?;
        let (true, Some(data)) = (reply.status == "ok", reply.data) else {
            let late = client.was_stopped() && text.contains("\"storage_unavailable\"");
            return if late { Ok(()) } else { Err(format!("no subscription: {text}")) };
        };
        let chat = chat_of(data.channel, chats).ok_or_else(|| format!("not asked for: {text}"))?;
        if !data.recovered || data.offset < self.last[chat] {
            let last = self.last[chat];
            return Err(format!("heard {last} of chat {chat}, and the log ends before: {text}"));
        }
        self.tally.add("events recovered", data.events.len() as u64);
        for raw in &data.events {
            let event = event(raw.get(), chats)?.ok_or("an event of no chat")?;
            self.next(event)?;
        }
        if data.more {
            // What is missing still comes by the next page.
            let id = chats[chat].clone();
            let _ = self.subscribe(client, chat, &id);
            return Ok(());
        }
        if self.last[chat] != data.offset {
            return Err(format!("{} of chat {chat} is the last one of: {text}", self.last[chat]));
        }
        if let Stand::Asked(early) = std::mem::replace(&mut stands[chat], Stand::Live) {
            for event in early {
                if event.offset > self.last[chat] {
                    self.next(event)?;
                } else {
                    self.heard.push(event);
                }
            }
        }
        Ok(())
    }

    /// The next event of a chat, which nothing is left out before.
    fn next(&mut self, event: Heard) -> Result<(), String> {
        let wanted = self.last[event.chat] + 1;
        if event.offset != wanted {
            return Err(format!(
                "subscriber {} waits for {wanted} and hears {event:?}",
                self.number
            ));
        }
        self.last[event.chat] = wanted;
        self.tally.add("events", 1);
        self.heard.push(event);
        Ok(())
    }
}

fn chat_of(channel: &str, chats: &[String]) -> Option<usize> {
    let id = channel.strip_prefix("room:")?;
    chats.iter().position(|chat| chat == id)
}

/// An event of one of the chats; none when it is of something else.
fn event(text: &str, chats: &[String]) -> Result<Option<Heard>, String> {
    let wrong = |error: serde_json::Error| format!("{error}: {text}");
    let event: Event<'_> = serde_json::from_str(text).map_err(wrong)?;
    let chat = event.channel.and_then(|channel| chat_of(channel, chats));
    let (Some(chat), Some(offset)) = (chat, event.offset) else { return Ok(None) };
    let message = if event.r#type == "message" {
        let payload = event.payload.ok_or_else(|| format!("no payload: {text}"))?;
        let message: Message = serde_json::from_str(payload.get()).map_err(wrong)?;
        if message.chat_id != chats[chat] {
            return Err(format!("of another chat: {text}"));
        }
        let Message { id, seq, sender, content, .. } = message;
        Some((seq, Stored { id, sender: sender.id, content }))
    } else {
        None
    };
    Ok(Some(Heard { chat, offset, message }))
}
