//! The laws of a whole run: what a period heard, what the disk holds, what is left at the end.
//!
//! The numbers are those of the consistency checker: I1 no lost ack, I2 no phantom, I3 no
//! duplicate, I4 contiguous, I5 delivery, I6 real time, I7 per-sender FIFO, I10 authorisation, I12 residue.

use std::collections::BTreeMap;
use std::time::Duration;

use stentor::base::id::{Id, UserId};
use stentor::message::record::ChatMessage;
use stentor::store::{Found, Read, Reader, Store};

use crate::law::Law;
use crate::model::{Model, Period, Sent};
use crate::world::World;

impl Model {
    /// I5 and I10: of each room the period heard a stretch without gap of what its user may hear
    /// and did not cause; all of it, when `complete`.
    pub(crate) fn end_period(&mut self, period: &Period, complete: bool) {
        let mut broken = Vec::new();
        self.checked.count(Law::I5);
        self.checked.count(Law::I10);
        for (chat, steps) in &self.rooms {
            let mut member = false;
            let (mut may, mut all): (Vec<Told>, Vec<Told>) = (Vec::new(), Vec::new());
            for step in steps.iter() {
                member |= step.joined.contains(&period.user);
                let left = step.left.as_ref() == Some(&period.user);
                // The first event of a removal is the removal.
                let hears = if left { 1 } else { step.offsets.len() };
                let told = step.offsets.iter().map(|offset| (*offset, step.at));
                let told = told.filter(|_| step.by != Some(period.pipe));
                all.extend(told.clone());
                if member {
                    may.extend(told.take(hears));
                }
                member &= !left;
            }
            let heard = period.rooms.get(chat).map(Vec::as_slice).unwrap_or_default();
            let heard = heard.split_at(lead(&all, &may, heard, period.since)).1;
            if let Some(what) = mismatch(&may, heard, period.since, complete) {
                broken.push(format!("pipe {} in {chat}: {what}", period.pipe));
            }
        }
        for what in broken {
            self.violation(Law::I5, &what);
        }
    }
}

/// An event's offset, and when it was committed.
type Told = (u64, Duration);

/// How many events of `heard` were committed before their hearer became a member and were still on
/// the way to the room's home when the hearer, a member by then, arrived.
///
/// They are no secret, a member may read what was before; yet they must be without gap too.
fn lead(all: &[Told], may: &[Told], heard: &[u64], since: Duration) -> usize {
    let is_in = |offset: &u64| may.iter().any(|(known, _)| known == offset);
    let count = heard.iter().position(is_in).unwrap_or(heard.len());
    let Some(start) = heard.first().and_then(|first| all.iter().position(|(o, _)| o == first))
    else {
        return 0;
    };
    let before = all[start..].iter().take(count).filter(|(_, at)| *at <= since);
    let next =
        heard.get(count).is_none_or(|next| all.get(start + count).is_some_and(|(o, _)| o == next));
    let same = before.map(|(offset, _)| offset).eq(&heard[..count]);
    if same && next { count } else { 0 }
}

/// Why `heard` is not what it must be.
fn mismatch(may: &[Told], heard: &[u64], since: Duration, complete: bool) -> Option<String> {
    let first_must = may.iter().position(|(_, at)| *at > since).unwrap_or(may.len());
    let Some(first) = heard.first() else {
        let missing = complete && first_must < may.len();
        return missing.then(|| format!("nothing heard of {:?}", &may[first_must..]));
    };
    let Some(start) = may.iter().position(|(offset, _)| offset == first) else {
        return Some(format!("{first} is not for it"));
    };
    if start > first_must {
        return Some(format!("begins with {first}, {:?} are missing", &may[first_must..start]));
    }
    let expected: Vec<u64> = may[start..].iter().map(|(offset, _)| *offset).collect();
    let whole = if complete { expected.len() } else { heard.len().min(expected.len()) };
    (heard != &expected[..whole]).then(|| format!("heard {heard:?} of {expected:?}"))
}

impl World {
    /// I12: engines without connections, routers without state, no timer left.
    pub(crate) fn nothing_is_left(&mut self) {
        self.model.checked(Law::I12);
        let mut left = Vec::new();
        for (at, engine) in self.server.engines().iter().enumerate() {
            let router = engine.handler();
            let (residue, calls) = (router.residue() + router.known_channels(), router.calls());
            if engine.len() + residue + calls > 0 || engine.next_deadline().is_some() {
                left.push(format!(
                    "loop {at}: {} connections, residue {residue}, {calls} calls, deadline {:?}",
                    engine.len(),
                    engine.next_deadline()
                ));
            }
        }
        for what in left {
            self.model.violation(Law::I12, &what);
        }
    }

    /// The power is cut once more; what the disk holds then is the history.
    pub(crate) fn history(&mut self) {
        let disk = self.server.store.crash();
        let mut reader = disk.reader().expect("memory can always be read");
        let mut places: BTreeMap<u64, Vec<(String, u64)>> = BTreeMap::new();
        let chats: Vec<String> = self.model.rooms.keys().cloned().collect();
        for chat in chats {
            let Some(member) = self.model.members(&chat).first().map(|name| (*name).to_owned())
            else {
                self.model.forget_acks(&chat);
                continue;
            };
            let messages = all_messages(&mut *reader, &chat, &member);
            let stored = self.model.chat_is_sound(&chat, &messages);
            self.model.log_is_whole(&mut *reader, &chat, &member);
            for (op, seq) in stored {
                places.entry(op).or_default().push((chat.clone(), seq));
            }
        }
        self.model.acks_are_kept(&places);
        self.model.publications_are_kept(&mut *reader);
        self.model.inboxes_are_kept(&mut *reader);
    }
}

fn all_messages(reader: &mut dyn Reader, chat: &str, member: &str) -> Vec<ChatMessage> {
    let mut all: Vec<ChatMessage> = Vec::new();
    let (Some(chat), Some(user)) = (Id::parse(chat), UserId::parse(member)) else { return all };
    loop {
        let after = Some(all.len() as u64);
        let read = Read::Messages { chat, user: user.clone(), before: None, after, limit: 100 };
        match reader.read(&read) {
            Ok(Found::Messages { messages, more }) => {
                all.extend(messages.iter().map(|message| ChatMessage::clone(message)));
                if !more || messages.is_empty() {
                    return all;
                }
            }
            _ => return all,
        }
    }
}

impl Model {
    /// I2, I4, I6 for one chat; gives the seq of each message that can be told.
    fn chat_is_sound(&mut self, chat: &str, messages: &[ChatMessage]) -> Vec<(u64, u64)> {
        let (mut stored, mut broken) = (Vec::new(), Vec::new());
        let mut last_of: BTreeMap<usize, (u64, u64)> = BTreeMap::new();
        let mut fifo = 0;
        let mut latest_invoke = Duration::ZERO;
        for (message, seq) in messages.iter().zip(1..) {
            for law in [Law::I2, Law::I4, Law::I6] {
                self.checked.count(law);
            }
            if message.seq != seq {
                broken.push((Law::I4, format!("{} at {seq} in {chat}", message.seq)));
            }
            let Some((op, sent)) = self.whose(message) else {
                if message.deleted_at.is_none() && message.edited_at.is_none() {
                    broken.push((Law::I2, format!("nobody sent {message:?}")));
                }
                continue;
            };
            stored.push((op, seq));
            if sent.chat.as_ref().is_some_and(|meant| meant != chat) {
                broken.push((Law::I2, format!("{op} was meant for another chat")));
            }
            if sent.ack.is_none() && !sent.unknown {
                broken.push((Law::I2, format!("{op} was refused, and is there")));
            }
            if sent.ack.as_ref().is_some_and(|ack| ack.at < latest_invoke) {
                broken.push((Law::I6, format!("{op} was acked before an earlier one was sent")));
            }
            latest_invoke = latest_invoke.max(sent.first_at);
            // What was sent more than once, or by a connection of before, may be later.
            if sent.attempts == 1 {
                fifo += 1;
                let last = last_of.entry(sent.pipe).or_default();
                if op < last.0 {
                    broken.push((Law::I7, format!("{op} is at {seq}, {last:?} was sent later")));
                }
                *last = (op, seq);
            }
        }
        (0..fifo).for_each(|_| self.checked.count(Law::I7));
        self.violations.append(&mut broken);
        stored
    }

    /// Which sending a stored message came of.
    fn whose(&self, message: &ChatMessage) -> Option<(u64, &Sent)> {
        let id = message.id.to_string();
        let mine = |sent: &Sent| {
            let acked = sent.ack.as_ref().is_some_and(|ack| ack.id == id);
            let user = self.names.get(message.sender.id.as_str());
            let named = sent.client_id.is_some()
                && sent.client_id.as_deref() == message.client_id.as_deref();
            acked || user == Some(&sent.user) && (named || sent.content == *message.content)
        };
        self.sent.iter().find(|(_, sent)| mine(sent)).map(|(op, sent)| (*op, sent))
    }

    /// I4: the log of the channel is what was committed.
    fn log_is_whole(&mut self, reader: &mut dyn Reader, chat: &str, member: &str) {
        let (Some(id), Some(user)) = (Id::parse(chat), UserId::parse(member)) else { return };
        let read = Read::Log { chat: id, user, after: Some(0), limit: u32::MAX };
        let Ok(Found::Log { events, top, .. }) = reader.read(&read) else {
            return self.violation(Law::I1, &format!("{chat} is gone"));
        };
        let steps = self.rooms.get(chat).into_iter().flatten();
        let last = steps.flat_map(|step| &step.offsets).last().copied().unwrap_or(0);
        let contiguous = events.iter().zip(1..).all(|(event, next)| event.offset == next);
        if !contiguous || events.len() as u64 != top || top != last {
            let what = format!("{chat}: {} events up to {top}, {last} committed", events.len());
            self.violation(Law::I4, &what);
        }
    }

    /// Nobody is left who could read this chat.
    fn forget_acks(&mut self, chat: &str) {
        let there = |sent: &Sent| sent.ack.as_ref().is_some_and(|ack| ack.chat == chat);
        self.sent.retain(|_, sent| !there(sent));
    }

    /// I1 and I3: each acknowledged message is there, where it was said to be, once.
    fn acks_are_kept(&mut self, places: &BTreeMap<u64, Vec<(String, u64)>>) {
        let mut broken = Vec::new();
        for (op, places) in places.iter().filter(|(_, places)| places.len() > 1) {
            broken.push((Law::I3, format!("{op} is at {places:?}")));
        }
        for (op, sent) in &self.sent {
            let Some(ack) = &sent.ack else { continue };
            let place = (ack.chat.clone(), ack.seq);
            self.checked.count(Law::I1);
            if !places.get(op).is_some_and(|places| places.contains(&place)) {
                let part = part(places, &place);
                broken.push((Law::I1, format!("{op} is not at {place:?}, a {part} is lost")));
            }
        }
        self.violations.append(&mut broken);
    }
}

/// Which part of a chat's history a lost place is of, as far as there is one.
fn part(places: &BTreeMap<u64, Vec<(String, u64)>>, lost: &(String, u64)) -> &'static str {
    let kept = places.values().flatten().filter(|(chat, _)| *chat == lost.0).map(|(_, seq)| *seq);
    let (before, after): (Vec<u64>, Vec<u64>) = kept.partition(|seq| *seq < lost.1);
    match (before.is_empty(), after.is_empty()) {
        (false, true) => "postfix",
        (true, false) => "prefix",
        (true, true) => "whole history",
        (false, false) => "middle",
    }
}
