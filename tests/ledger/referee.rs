//! The referee: holds what is stored against what was promised.
//!
//! Law (SPEC §5), for each line, a chat or a durable channel: what was acknowledged is there, once, at
//! its seq or offset and by its id or in its epoch; what is there was sent, by who says so, once; seqs
//! and offsets are 1, 2, 3… without holes; the messages of a publisher stand in the order in which they
//! were sent, and what was acknowledged before another was sent stands before it; what anybody heard
//! is what is stored. For an inbox the same, but that what nobody answered may be there as often as it
//! was sent.

mod inbox;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use serde_json::json;

use crate::events::{self, Message, Reply};
use crate::ledger::{Entry, Heard, LINES, Line, Name, READ, Sort, Stored, user};
use crate::wire::Client;

/// So much of what was seen before is read again each time; all of it at the end.
const OVERLAP: usize = 40;
const PAGE: usize = 300;

/// Everything that was stored when somebody last looked.
#[derive(Default)]
pub(crate) struct Referee {
    pub(crate) lines: [Vec<Stored>; LINES],
    /// What is at an offset of the log of a line: a message by its seq, or something else.
    offsets: HashMap<(usize, u64), Option<u64>>,
}

/// Where everything is.
#[derive(Default)]
struct Places<'a> {
    /// The first place of each message, and how often it is there.
    of: HashMap<Name, (u64, u32)>,
    /// The ids of what is in the inboxes.
    ids: HashSet<&'a str>,
}

impl Referee {
    /// Reads what came into some lines since the last time, or everything.
    pub(crate) fn read(
        &mut self,
        client: &mut Client,
        lines: &[Line],
        which: std::ops::Range<usize>,
        everything: bool,
    ) -> Result<(), String> {
        for (at, line) in lines.iter().enumerate().take(which.end).skip(which.start) {
            let known = self.lines[at].len();
            let from = if everything { 0 } else { known.saturating_sub(OVERLAP) };
            let after = match Sort::of(at) {
                Sort::Chat => self.read_chat(client, at, line, from)?,
                Sort::Channel | Sort::Inbox => self.read_log(client, at, lines, from)?,
            };
            if after < known {
                return Err(format!("line {at} had {known} messages and has {after}: lost"));
            }
        }
        Ok(())
    }

    /// The messages of a chat from a seq on; gives the last seq.
    fn read_chat(
        &mut self,
        client: &mut Client,
        at: usize,
        line: &Line,
        mut after: usize,
    ) -> Result<usize, String> {
        loop {
            let request = json!({"type": "get_messages", "chat_id": line.id, "after_seq": after,
                "limit": PAGE});
            let mut page = client.ok(&request)?;
            let more = page["has_more"] == true;
            let page: Vec<Message> = serde_json::from_value(page["messages"].take())
                .map_err(|error| error.to_string())?;
            for Message { id, seq, sender, content, .. } in page {
                after += 1;
                self.place(at, after, seq, Stored { id, sender: sender.id, content })?;
            }
            if !more {
                return Ok(after);
            }
        }
    }

    /// What a channel keeps from an offset on; gives the last offset.
    fn read_log(
        &mut self,
        client: &mut Client,
        at: usize,
        lines: &[Line],
        mut after: usize,
    ) -> Result<usize, String> {
        let line = &lines[at];
        loop {
            let since = json!({"offset": after, "epoch": line.epoch});
            let request = json!({"type": "history", "channel": line.channel, "since": since,
                "limit": PAGE});
            let text = client.reply_to(&request)?.ok_or("the server is gone")?;
            let reply: Reply<'_> =
                serde_json::from_str(&text).map_err(|error| format!("{error}: {text}"))?;
            let Some(page) = reply.data else { return Err(text) };
            if page.epoch != line.epoch {
                return Err(format!("line {at} began anew after {}: {text}", line.epoch));
            }
            if page.events.is_empty() && (page.more || page.offset != after as u64) {
                return Err(format!("line {at} tells of more than {after}: a hole: {text}"));
            }
            for raw in &page.events {
                after += 1;
                let heard = events::event(raw.get(), lines)?.filter(|heard| heard.line == at);
                let heard = heard.ok_or_else(|| format!("not of line {at}: {raw}"))?;
                let (_, stored) = heard.message.ok_or_else(|| format!("no message: {raw}"))?;
                self.place(at, after, heard.offset, stored)?;
            }
            if !page.more {
                return Ok(after);
            }
        }
    }

    fn place(
        &mut self,
        line: usize,
        place: usize,
        found: u64,
        stored: Stored,
    ) -> Result<(), String> {
        if found != place as u64 {
            return Err(format!("line {line} has {found} where {place} should be: a hole"));
        }
        match self.lines[line].get(place - 1) {
            Some(before) if *before != stored => {
                Err(format!("line {line}, {place}: {before:?} became {stored:?}"))
            }
            Some(_) => Ok(()),
            None => {
                self.lines[line].push(stored);
                Ok(())
            }
        }
    }

    /// Holds everything that is stored against everything that was sent and acknowledged.
    pub(crate) fn judge(&self, books: &[&[Entry]]) -> Result<(), String> {
        let mut places = Places::default();
        for line in 0..LINES {
            self.judge_line(line, books, &mut places)?;
        }
        for (publisher, book) in books.iter().enumerate() {
            for (number, entry) in book.iter().enumerate() {
                self.judge_ack(Name { publisher, number }, entry, &places)?;
            }
        }
        Ok(())
    }

    /// What is in a line was sent, in this order.
    fn judge_line<'a>(
        &'a self,
        line: usize,
        books: &[&[Entry]],
        places: &mut Places<'a>,
    ) -> Result<(), String> {
        let inbox = Sort::of(line) == Sort::Inbox;
        let mut last: HashMap<usize, usize> = HashMap::new();
        // The latest time at which anything so far was sent first.
        let mut latest: Option<(Instant, Name)> = None;
        for (seq, message) in (1..).zip(&self.lines[line]) {
            if inbox && message.content == READ {
                continue;
            }
            let at = || format!("line {line}, {seq}, {message:?}");
            let name = Name::of(&message.content).ok_or_else(|| format!("{}: whose?", at()))?;
            let entry = books.get(name.publisher).and_then(|book| book.get(name.number));
            let Some(entry) = entry else { return Err(format!("{}: nobody sent it", at())) };
            if entry.line != line
                || message.sender != user(name.publisher)
                || message.content != entry.content(name)
                || (inbox && message.id.is_empty() == entry.notifies(name))
            {
                return Err(format!("{}: not what was sent", at()));
            }
            if inbox {
                places.ids.insert(&message.id);
            }
            let (first, times) = places.of.entry(name).or_insert((seq, 0));
            *times += 1;
            if *times > 1 {
                if !inbox || *times > entry.tries {
                    return Err(format!("{}: a duplicate of {first}", at()));
                }
                continue;
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
        Ok(())
    }

    /// What was acknowledged is where and what it was said to be.
    fn judge_ack(&self, name: Name, entry: &Entry, places: &Places<'_>) -> Result<(), String> {
        let Some(ack) = &entry.ack else { return Ok(()) };
        let there = places.of.get(&name).map(|(place, _)| *place);
        let place = ack.seq.or(there).unwrap_or_default() as usize;
        let stored = self.lines[entry.line].get(place.wrapping_sub(1));
        let same = match ack.seq {
            Some(_) => there == ack.seq && stored.is_some_and(|stored| stored.id == ack.id),
            None => there.is_some() && places.ids.contains(ack.id.as_str()),
        };
        if same {
            return Ok(());
        }
        Err(format!(
            "a lost ack: {name:?} of line {} was acknowledged as {ack:?}, is at {there:?}, \
             and there is {stored:?}",
            entry.line
        ))
    }

    /// Holds what a subscriber heard against what is stored.
    pub(crate) fn compare(&mut self, heard: &[Heard]) -> Result<(), String> {
        for event in heard {
            let seq = event.message.as_ref().map(|(seq, _)| *seq);
            let known = *self.offsets.entry((event.line, event.offset)).or_insert(seq);
            if known != seq {
                return Err(format!("another one heard {known:?} at the offset of {event:?}"));
            }
            let Some((seq, message)) = &event.message else { continue };
            let stored = self.lines[event.line].get((*seq as usize).wrapping_sub(1));
            if stored != Some(message) {
                return Err(format!("heard {event:?}, and stored is {stored:?}"));
            }
        }
        Ok(())
    }
}
