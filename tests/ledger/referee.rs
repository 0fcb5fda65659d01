//! The referee: holds what is stored against what was promised.
//!
//! Law (SPEC §5), for each chat: what was acknowledged is there, once, at its seq and by its id; what
//! is there was sent, by who says so, once; seqs are 1, 2, 3… without holes; the messages of a
//! publisher stand in the order in which they were sent, and what was acknowledged before another
//! was sent stands before it; what anybody heard is what is stored.

use std::collections::HashMap;
use std::time::Instant;

use serde::Deserialize;
use serde_json::json;

use crate::ledger::{CHATS, Entry, Heard, Name, Stored, user};
use crate::wire::Client;

/// So much of what was seen before is read again each time; all of it at the end.
const OVERLAP: usize = 40;
const PAGE: usize = 300;

/// Everything that was stored when somebody last looked.
#[derive(Default)]
pub(crate) struct Referee {
    pub(crate) chats: [Vec<Stored>; CHATS],
    /// What is at an offset of the log of a chat: a message by its seq, or something else.
    offsets: HashMap<(usize, u64), Option<u64>>,
}

#[derive(Deserialize)]
struct Message {
    id: String,
    seq: u64,
    sender: Sender,
    content: String,
}

#[derive(Deserialize)]
struct Sender {
    id: String,
}

impl Referee {
    /// Reads what came since the last time, or everything.
    pub(crate) fn read(
        &mut self,
        client: &mut Client,
        ids: &[String],
        everything: bool,
    ) -> Result<(), String> {
        for (chat, id) in ids.iter().enumerate() {
            let known = self.chats[chat].len();
            let from = if everything { 0 } else { known.saturating_sub(OVERLAP) };
            let mut after = from;
            loop {
                let request = json!({"type": "get_messages", "chat_id": id, "after_seq": after,
                    "limit": PAGE});
                let mut page = client.ok(&request)?;
                let more = page["has_more"] == true;
                let page: Vec<Message> = serde_json::from_value(page["messages"].take())
                    .map_err(|error| error.to_string())?;
                for message in page {
                    after += 1;
                    self.place(chat, after, message)?;
                }
                if !more {
                    break;
                }
            }
            if after < known {
                return Err(format!("chat {chat} had {known} messages and has {after}: lost"));
            }
        }
        Ok(())
    }

    fn place(&mut self, chat: usize, seq: usize, message: Message) -> Result<(), String> {
        let Message { id, seq: found, sender, content } = message;
        if found != seq as u64 {
            return Err(format!("chat {chat} has {found} where {seq} should be: a hole"));
        }
        let stored = Stored { id, sender: sender.id, content };
        match self.chats[chat].get(seq - 1) {
            Some(before) if *before != stored => {
                Err(format!("chat {chat}, {seq}: {before:?} became {stored:?}"))
            }
            Some(_) => Ok(()),
            None => {
                self.chats[chat].push(stored);
                Ok(())
            }
        }
    }

    /// Holds everything that is stored against everything that was sent and acknowledged.
    pub(crate) fn judge(&self, books: &[&[Entry]]) -> Result<(), String> {
        let mut places: HashMap<Name, u64> = HashMap::new();
        for (chat, messages) in self.chats.iter().enumerate() {
            let mut last: HashMap<usize, usize> = HashMap::new();
            // The latest time at which anything so far was sent first.
            let mut latest: Option<(Instant, Name)> = None;
            for (seq, message) in (1..).zip(messages) {
                let at = || format!("chat {chat}, {seq}, {message:?}");
                let name = Name::of(&message.content).ok_or_else(|| format!("{}: whose?", at()))?;
                let entry = books.get(name.publisher).and_then(|book| book.get(name.number));
                let Some(entry) = entry else { return Err(format!("{}: nobody sent it", at())) };
                if entry.chat != chat
                    || message.sender != user(name.publisher)
                    || message.content != entry.content(name)
                {
                    return Err(format!("{}: not what was sent", at()));
                }
                if let Some(first) = places.insert(name, seq) {
                    return Err(format!("{}: a duplicate of {first}", at()));
                }
                if let Some(before) = last.insert(name.publisher, name.number)
                    && before > name.number
                {
                    return Err(format!("{}: reordered, {before} was sent after it", at()));
                }
                if let Some(ack) = &entry.ack
                    && let Some((sent, later)) = latest
                    && ack.at < sent
                {
                    return Err(format!("{}: stands behind {later:?}, sent after its ack", at()));
                }
                if latest.is_none_or(|(sent, _)| sent < entry.sent) {
                    latest = Some((entry.sent, name));
                }
            }
        }
        for (publisher, book) in books.iter().enumerate() {
            for (number, entry) in book.iter().enumerate() {
                let Some(ack) = &entry.ack else { continue };
                let name = Name { publisher, number };
                let stored = self.chats[entry.chat].get(ack.seq as usize - 1);
                if places.get(&name) != Some(&ack.seq)
                    || stored.is_none_or(|stored| stored.id != ack.id)
                {
                    let there = places.get(&name);
                    return Err(format!(
                        "a lost ack: {name:?} of chat {} was acknowledged as {ack:?}, is at {there:?}, \
                         and there is {stored:?}",
                        entry.chat
                    ));
                }
            }
        }
        Ok(())
    }

    /// Holds what a subscriber heard against what is stored.
    pub(crate) fn compare(&mut self, heard: &[Heard]) -> Result<(), String> {
        for event in heard {
            let seq = event.message.as_ref().map(|(seq, _)| *seq);
            let known = *self.offsets.entry((event.chat, event.offset)).or_insert(seq);
            if known != seq {
                return Err(format!("another one heard {known:?} at the offset of {event:?}"));
            }
            let Some((seq, message)) = &event.message else { continue };
            let stored = self.chats[event.chat].get((*seq as usize).wrapping_sub(1));
            if stored != Some(message) {
                return Err(format!("heard {event:?}, and stored is {stored:?}"));
            }
        }
        Ok(())
    }
}

mod tests;
