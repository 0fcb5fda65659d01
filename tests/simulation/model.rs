//! The shadow: what the server has promised, kept beside it and compared with what it does.
//!
//! Commits are seen at the disk, replies and events at the clients.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;
use stentor::router::Done;
use stentor::router::words::Finished;
use stentor::store::Written;
use stentor::store::execution::ExecutionWritten;

use crate::calls::Calls;
use crate::executions::Executions;
use crate::hearing::Subscription;
use crate::hub::Hub;
use crate::inboxes::Inboxes;
use crate::law::{Checked, Law};
use crate::publications::Publications;
use crate::returning::Replay;

/// A commit that its chat's members hear of.
pub(crate) struct Step {
    pub(crate) at: Duration,
    /// Which connection caused it.
    pub(crate) by: Option<usize>,
    pub(crate) joined: Vec<String>,
    pub(crate) left: Option<String>,
    pub(crate) offsets: Vec<u64>,
}

/// A message that some client wanted to send.
pub(crate) struct Sent {
    pub(crate) user: usize,
    /// The connection that it was sent on first.
    pub(crate) pipe: usize,
    pub(crate) chat: Option<String>,
    pub(crate) client_id: Option<String>,
    pub(crate) content: String,
    pub(crate) first_at: Duration,
    pub(crate) attempts: u32,
    /// Whether some attempt has no known end.
    pub(crate) unknown: bool,
    pub(crate) ack: Option<Ack>,
}

/// What the server said of it first.
pub(crate) struct Ack {
    pub(crate) at: Duration,
    pub(crate) id: String,
    pub(crate) chat: String,
    pub(crate) seq: u64,
}

/// Somebody on a connection, from the ok to the end.
pub(crate) struct Period {
    pub(crate) pipe: usize,
    pub(crate) user: String,
    pub(crate) since: Duration,
    pub(crate) rooms: BTreeMap<String, Vec<u64>>,
    /// What is told again of rooms, behind the ok.
    pub(crate) replays: BTreeMap<String, Replay>,
}

impl Period {
    pub(crate) const fn new(pipe: usize, user: String, since: Duration) -> Self {
        Self { pipe, user, since, rooms: BTreeMap::new(), replays: BTreeMap::new() }
    }

    pub(crate) fn heard(&mut self, chat: &str, offset: u64) {
        self.rooms.entry(chat.to_owned()).or_default().push(offset);
    }
}

/// What a page of the latest messages has to reach.
pub(crate) struct Least {
    pub(crate) latest: bool,
    /// What was acknowledged to anybody when it was asked for.
    pub(crate) acked: u64,
    /// What its reader had seen then.
    pub(crate) seen: u64,
}

#[derive(Default)]
pub(crate) struct Model {
    pub(crate) violations: Vec<(Law, String)>,
    pub(crate) checked: Checked,
    pub(crate) heard: u64,
    /// Numbers given to operations.
    pub(crate) ops: u64,
    pub(crate) rooms: BTreeMap<String, Vec<Step>>,
    pub(crate) sent: BTreeMap<u64, Sent>,
    /// The chats that clients know of.
    pub(crate) chats: Vec<String>,
    /// Acknowledged messages that clients may edit, with their chats.
    pub(crate) messages: Vec<(String, String)>,
    /// The newest seq acknowledged, by chat.
    pub(crate) newest: BTreeMap<String, u64>,
    /// People by the id of their account.
    pub(crate) names: BTreeMap<String, usize>,
    /// Whose session it is, and since when it is known.
    pub(crate) sessions: BTreeMap<String, (usize, Duration)>,
    gone: BTreeSet<String>,
    same: BTreeMap<(String, String, u64), Vec<u8>>,
    tops: BTreeMap<(String, String), u64>,
    /// The id of the message at each seq of a chat, wherever it was seen.
    placed: BTreeMap<(String, u64), String>,
    pub(crate) publications: Publications,
    pub(crate) inboxes: Inboxes,
    pub(crate) executions: Executions,
    pub(crate) calls: Calls,
}

impl Model {
    pub(crate) fn new(hub: Option<Hub>) -> Self {
        let mut model = Self { publications: Publications::new(hub), ..Self::default() };
        if let Some(hub) = hub {
            model.inboxes.bound = hub.inbox.into();
            model.calls.timeout = Duration::from_millis(hub.timeout_ms);
            model.calls.keeps = hub.keeps;
        }
        model
    }

    /// A law is broken.
    pub(crate) fn violation(&mut self, law: Law, what: &str) {
        self.violations.push((law, what.to_owned()));
    }

    /// A law was looked at.
    pub(crate) const fn checked(&mut self, law: Law) {
        self.checked.count(law);
    }

    pub(crate) fn acked(&self) -> usize {
        self.sent.values().filter(|sent| sent.ack.is_some()).count()
    }

    /// The writer has committed something.
    pub(crate) fn committed(&mut self, at: Duration, by: Option<usize>, done: &Done) {
        if let Finished::Kept(kept) = &done.result {
            return self.inboxes_committed(by, kept);
        }
        let Finished::Written(Ok(written)) = &done.result else { return };
        let (mut joined, mut left) = (Vec::new(), None);
        let (chat, logged): (_, Vec<u64>) = match written {
            Written::Chat { view, joined: new, logged, .. } => {
                joined = new.iter().map(ToString::to_string).collect();
                (view.chat.id, logged.iter().map(|event| event.offset).collect())
            }
            Written::Left { chat, user, logged } => {
                left = Some(user.to_string());
                (*chat, logged.iter().map(|event| event.offset).collect())
            }
            Written::Message { message, opened, logged, .. } => {
                joined = opened.iter().map(ToString::to_string).collect();
                (message.chat_id, logged.iter().map(|event| event.offset).collect())
            }
            Written::Edited { message, logged } => (message.chat_id, vec![logged.offset]),
            Written::Deleted { chat, logged } | Written::Read { chat, logged, .. } => {
                (*chat, logged.iter().map(|event| event.offset).collect())
            }
            Written::SignedIn { .. }
            | Written::Revoked { .. }
            | Written::Inbox(_)
            | Written::Granted => return,
            Written::Execution(written) => {
                if let ExecutionWritten::Updated { execution, .. } = &**written {
                    self.execution_committed(by, execution);
                }
                return;
            }
            Written::Published { publication: None, .. } => return,
            Written::Published { channel, offset, publication: Some(publication) } => {
                let payload = publication.payload.as_str();
                return self.publication_committed(at, (channel, *offset), payload);
            }
        };
        self.checked(Law::I4);
        let steps = self.rooms.entry(chat.to_string()).or_default();
        let top = steps.iter().flat_map(|step| &step.offsets).last().copied().unwrap_or(0);
        if !logged.iter().zip(top + 1..).all(|(offset, next)| *offset == next) {
            let what = format!("{logged:?} after {top} in {chat}");
            self.violation(Law::I4, &what);
        }
        let steps = self.rooms.entry(chat.to_string()).or_default();
        steps.push(Step { at, by, joined, left, offsets: logged });
    }

    pub(crate) fn was_member(&self, chat: &str, user: &str, _: Duration) -> bool {
        let steps = self.rooms.get(chat).into_iter().flatten();
        steps.flat_map(|step| &step.joined).any(|joined| joined == user)
    }

    /// Who is in a chat after all that was committed.
    pub(crate) fn members(&self, chat: &str) -> BTreeSet<&str> {
        let mut members = BTreeSet::new();
        for step in self.rooms.get(chat).into_iter().flatten() {
            members.extend(step.joined.iter().map(String::as_str));
            if let Some(left) = &step.left {
                members.remove(left.as_str());
            }
        }
        members
    }

    pub(crate) fn know_chat(&mut self, id: &str) {
        if !self.chats.iter().any(|known| known == id) {
            self.chats.push(id.to_owned());
        }
    }

    /// The ok of a message.
    pub(crate) fn acknowledged(&mut self, at: Duration, op: u64, message: &Value, duplicate: bool) {
        let text = |field: &str| message[field].as_str().unwrap_or_default().to_owned();
        let ack = Ack {
            at,
            id: text("id"),
            chat: text("chat_id"),
            seq: message["seq"].as_u64().unwrap_or(0),
        };
        let newest = self.newest.entry(ack.chat.clone()).or_default();
        *newest = ack.seq.max(*newest);
        self.know_chat(&ack.chat);
        self.placed(message);
        let Some(sent) = self.sent.get_mut(&op) else { return };
        let wrong = match &sent.ack {
            Some(first) if first.id != ack.id || first.seq != ack.seq => Some("another message"),
            Some(_) if !duplicate => Some("a retry that is not flagged"),
            None if duplicate && sent.attempts < 2 => Some("a duplicate of nothing"),
            None if !duplicate && text("content") != sent.content => Some("another content"),
            _ => None,
        };
        if sent.ack.is_none() {
            self.messages.push((ack.id.clone(), ack.chat.clone()));
            sent.ack = Some(ack);
        }
        if let Some(wrong) = wrong {
            self.violation(Law::I3, &format!("{wrong}: {message}"));
        }
    }

    /// The connection broke before the reply.
    pub(crate) fn unknown(&mut self, op: u64) {
        if let Some(sent) = self.sent.get_mut(&op) {
            sent.unknown = true;
        }
        if let Some(asked) = self.publications.asked.get_mut(&op) {
            asked.unknown = true;
        }
        if let Some(sending) = self.inboxes.sendings.get_mut(&op) {
            sending.unknown = true;
        }
    }

    /// A page of a chat; the latest holds whatever was acknowledged before it was asked for, and
    /// whatever its reader had seen. Gives the newest seq.
    pub(crate) fn page(&mut self, chat: &str, data: &Value, least: &Least) -> u64 {
        let messages = data["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
        let seqs: Vec<u64> = messages.iter().filter_map(|m| m["seq"].as_u64()).collect();
        self.checked(Law::I4);
        if seqs.windows(2).any(|pair| pair[1] != pair[0] + 1) {
            self.violation(Law::I4, &format!("{chat}: {seqs:?}"));
        }
        for message in messages {
            self.placed(message);
        }
        let top = seqs.last().copied().unwrap_or(0);
        if least.latest {
            for (law, least, of) in
                [(Law::I8, least.acked, "the ack"), (Law::I9, least.seen, "having seen")]
            {
                self.checked(law);
                if top < least {
                    let what = format!("{chat}: a page up to {top} after {of} of {least}");
                    self.violation(law, &what);
                }
            }
        }
        top
    }

    /// I3: a seq is one message, whoever tells of it.
    pub(crate) fn placed(&mut self, message: &Value) {
        let text = |field: &str| message[field].as_str().unwrap_or_default().to_owned();
        let (chat, seq, id) = (text("chat_id"), message["seq"].as_u64().unwrap_or(0), text("id"));
        self.checked(Law::I3);
        let first = self.placed.entry((chat, seq)).or_insert_with(|| id.clone());
        if *first != id {
            let what = format!("{first} is at the place of {message}");
            self.violation(Law::I3, &what);
        }
    }

    /// Every receiver of an event gets the same bytes.
    pub(crate) fn same_for_all(&mut self, channel: &str, epoch: &str, offset: u64, text: &[u8]) {
        let key = (channel.to_owned(), epoch.to_owned(), offset);
        self.checked(Law::I3);
        let first = self.same.entry(key).or_insert_with(|| text.to_vec());
        if first != text {
            let pair = [first.as_slice(), text].map(String::from_utf8_lossy);
            let what = format!("{} and {}", pair[0], pair[1]);
            self.violation(Law::I3, &what);
        }
    }

    pub(crate) fn top(&mut self, channel: &str, epoch: &str, offset: u64) {
        let top = self.tops.entry((channel.to_owned(), epoch.to_owned())).or_default();
        *top = offset.max(*top);
    }

    /// At rest a subscriber has heard all there is.
    pub(crate) fn all_heard(&mut self, channel: &str, subscription: &Subscription) {
        self.checked(Law::I5);
        let key = (channel.to_owned(), subscription.epoch.clone());
        let top = self.tops.get(&key).copied().unwrap_or(0);
        let (mut last, silent) = (subscription.settled(), &subscription.silent);
        while silent.contains(&(last + 1)) {
            last += 1;
        }
        if last < top {
            let what = format!("{channel}: {last} of {top}");
            self.violation(Law::I5, &what);
        }
    }

    /// A session was ended, or all that were known when that was asked.
    pub(crate) fn revoked(
        &mut self,
        user: usize,
        session: Option<&str>,
        everywhere: bool,
        asked: Duration,
    ) {
        self.gone.extend(session.map(str::to_owned));
        if everywhere {
            self.password_changed(user, None, asked);
        }
    }

    /// All sessions but one are over.
    pub(crate) fn password_changed(&mut self, user: usize, keep: Option<&str>, asked: Duration) {
        let known = |(session, (whose, since)): (&String, &(usize, Duration))| {
            let over = *whose == user && *since < asked && Some(session.as_str()) != keep;
            over.then(|| session.clone())
        };
        self.gone.extend(self.sessions.iter().filter_map(known));
    }

    pub(crate) fn is_revoked(&self, session: &str) -> bool {
        self.gone.contains(session)
    }
}
