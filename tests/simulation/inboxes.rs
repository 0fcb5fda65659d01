//! Inboxes as they must be: what the disk has of each, and how far each device may be.
//!
//! Law: what was acknowledged to its sender is at one place of each inbox; a connection hears its
//! inbox in order, without a hole that is not told and so (what it caused itself may come); the cursor
//! of a device never goes back, and is never ahead of what the device acknowledged, or, where the
//! kernel moves it, of what it had heard when its last connection ended with nothing under way.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;
use stentor::base::id::UserId;
use stentor::store::inbox::{InboxFound, InboxRead, Kept, Place as Stand};
use stentor::store::{Found, Read, Reader};

use crate::law::Law;
use crate::model::Model;
use crate::publications::op_of;

/// An event of an inbox, as it was committed.
struct Entry {
    op: u64,
    /// Which connection caused it.
    by: Option<usize>,
}

/// A device of a user.
#[derive(Default)]
pub(crate) struct Device {
    /// Only acks move its cursor.
    pub(crate) acks: bool,
    /// The newest offset that it has heard, or was told to be lost.
    heard: u64,
    /// The newest that it has acknowledged.
    acked: u64,
    /// The newest ack that was answered.
    confirmed: u64,
    /// Where the disk has it.
    disk: u64,
    /// Where it began.
    began: u64,
    known: bool,
    /// In which life of the server one of its connections ended while something was under way.
    torn: Option<u64>,
}

/// Something sent to users.
pub(crate) struct Sending {
    pub(crate) users: Vec<String>,
    pub(crate) acked: bool,
    pub(crate) unknown: bool,
}

/// A notification that its sender knows of.
struct Note {
    user: String,
    created: Duration,
    /// When it was first known to be read.
    read: Option<Duration>,
}

/// How far a connection has heard its inbox.
#[derive(Default)]
pub(crate) struct Mailbox {
    /// None: the device that has no name.
    pub(crate) device: Option<String>,
    pub(crate) acks: bool,
    /// What comes next, once something came.
    pub(crate) next: Option<u64>,
}

impl Mailbox {
    /// The newest that was heard on this connection.
    pub(crate) fn last(&self) -> u64 {
        self.next.map_or(0, |next| next - 1)
    }
}

#[derive(Default)]
pub(crate) struct Inboxes {
    logs: BTreeMap<String, Vec<Entry>>,
    devices: BTreeMap<(String, String), Device>,
    pub(crate) sendings: BTreeMap<u64, Sending>,
    notes: BTreeMap<String, Note>,
    /// How many events an inbox keeps.
    pub(crate) bound: u64,
}

/// The one of all that have none.
const NAMELESS: &str = "default";

impl Inboxes {
    fn device(&mut self, user: &str, name: Option<&str>) -> &mut Device {
        let name = name.unwrap_or(NAMELESS).to_owned();
        self.devices.entry((user.to_owned(), name)).or_default()
    }

    /// Where the furthest device of a user is on the disk.
    fn furthest(&self, user: &str) -> u64 {
        let all = self.devices.iter().filter(|((whose, _), _)| whose == user);
        all.map(|(_, device)| device.disk).max().unwrap_or(0)
    }

    /// The next offset that a connection must hear.
    fn after_own(&self, user: &str, pipe: usize, mut next: u64) -> u64 {
        let log = self.logs.get(user).map(Vec::as_slice).unwrap_or_default();
        while log.get(next as usize - 1).is_some_and(|entry| entry.by == Some(pipe)) {
            next += 1;
        }
        next
    }

    /// The last offset before this one that somebody else caused.
    fn before_own(&self, user: &str, pipe: usize, mut offset: u64) -> u64 {
        let log = self.logs.get(user).map(Vec::as_slice).unwrap_or_default();
        while offset > 0 && log.get(offset as usize - 1).is_some_and(|entry| entry.by == Some(pipe))
        {
            offset -= 1;
        }
        offset
    }

    /// Some notification of a user.
    pub(crate) fn note_of(&self, user: &str, at: u64) -> Option<String> {
        let mine: Vec<_> = self.notes.iter().filter(|(_, note)| note.user == user).collect();
        let at = usize::try_from(at).unwrap_or_default().checked_rem(mine.len())?;
        mine.get(at).map(|(id, _)| (*id).clone())
    }
}

impl Model {
    /// The writer has put something into inboxes.
    pub(crate) fn inboxes_committed(&mut self, by: Option<usize>, kept: &[Kept]) {
        for Kept { user, event, .. } in kept {
            self.checked(Law::I4);
            let payload: Value = serde_json::from_str(event.payload.as_str()).unwrap_or_default();
            let op = written_op(&payload);
            let log = self.inboxes.logs.entry(user.to_string()).or_default();
            log.push(Entry { op, by });
            if event.offset != log.len() as u64 {
                let what = format!("{} of {user} after {}", event.offset, log.len() - 1);
                self.violation(Law::I4, &what);
            }
        }
    }

    /// The disk says where a device is.
    pub(crate) fn cursor_is(&mut self, user: &str, name: &str, stand: Stand) {
        self.checked(Law::Inbox);
        let device = self.inboxes.device(user, Some(name));
        if !stand.known {
            return;
        }
        if !device.known {
            (device.known, device.began) = (true, stand.cursor);
        }
        let ahead = device.acks && stand.cursor > device.acked.max(device.began);
        let back = stand.cursor < device.disk;
        let what = format!(
            "{name} of {user} is at {}, was at {}, began at {}, acknowledged {}",
            stand.cursor, device.disk, device.began, device.acked
        );
        device.disk = device.disk.max(stand.cursor);
        if ahead || back {
            self.violation(Law::Inbox, &what);
        }
    }

    /// A device of a user is on a connection.
    pub(crate) fn device_arrived(&mut self, user: &str, mailbox: &Mailbox) {
        self.inboxes.device(user, mailbox.device.as_deref()).acks = mailbox.acks;
    }

    /// A connection of a device is over; `clean` when all that the kernel took was heard.
    pub(crate) fn device_left(&mut self, user: &str, mailbox: &Mailbox, life: u64, clean: bool) {
        let device = self.inboxes.device(user, mailbox.device.as_deref());
        if !clean {
            device.torn = Some(life);
        }
    }

    /// A connection hears of its inbox, from `first` on, up to `last`.
    pub(crate) fn inbox_heard(
        &mut self,
        (user, pipe, life): (&str, usize, u64),
        mailbox: &mut Mailbox,
        (first, last): (u64, u64),
        value: &Value,
    ) {
        self.checked(Law::Inbox);
        let name = mailbox.device.clone();
        let wrong = match mailbox.next {
            Some(next) => {
                // What it caused itself comes only where the log is read again.
                let last = self.inboxes.after_own(user, pipe, next);
                (!(next..=last).contains(&first)).then(|| format!("{next} should come"))
            }
            None => self.inbox_begins((user, pipe, life), name.as_deref(), first),
        };
        mailbox.next = Some(last + 1);
        let device = self.inboxes.device(user, name.as_deref());
        device.heard = device.heard.max(last);
        if let Some(wrong) = wrong {
            self.violation(Law::Inbox, &format!("{user} on pipe {pipe}: {wrong}: {value}"));
        }
    }

    /// Where the first event of a connection may be.
    fn inbox_begins(
        &mut self,
        (user, pipe, life): (&str, usize, u64),
        name: Option<&str>,
        first: u64,
    ) -> Option<String> {
        let least = self.inboxes.before_own(user, pipe, first - 1);
        let furthest = self.inboxes.furthest(user);
        let device = self.inboxes.device(user, name);
        let disk = if device.known { device.disk } else { furthest };
        // Others may be on it as well.
        let whole = name.is_some() && !device.acks && device.torn.is_none_or(|torn| torn < life);
        if whole && device.torn.take().is_some() {
            device.heard = device.heard.max(disk);
        }
        let had = device.heard.max(device.acked).max(device.began);
        let told = (least, device.confirmed);
        if least > disk {
            return Some(format!("it begins behind {least}, the disk has {disk}"));
        }
        if whole && device.known && least > had {
            return Some(format!("it begins behind {least}, {had} is the last it had"));
        }
        (name.is_some() && first <= told.1).then(|| format!("{} was acknowledged", told.1))
    }

    /// An event of an inbox is what was committed there.
    pub(crate) fn inbox_event_is(&mut self, user: &str, offset: u64, value: &Value) {
        let op = written_op(&value["payload"]);
        let log = self.inboxes.logs.get(user).map(Vec::as_slice).unwrap_or_default();
        let entry = offset.checked_sub(1).and_then(|at| log.get(at as usize));
        if entry.is_none_or(|entry| entry.op != op) {
            self.violation(Law::Inbox, &format!("it is not there: {value}"));
        }
    }

    /// What is told to be lost is lost: newer ones fill the inbox.
    pub(crate) fn inbox_gap_is(&mut self, user: &str, to: u64, value: &Value) {
        let top = self.inboxes.logs.get(user).map_or(0, |log| log.len() as u64);
        if top < to + self.inboxes.bound {
            self.violation(Law::Inbox, &format!("{user} has {top}: {value} is not so"));
        }
    }

    pub(crate) fn acks(&mut self, user: &str, mailbox: &Mailbox, offset: u64, answered: bool) {
        let device = self.inboxes.device(user, mailbox.device.as_deref());
        device.acked = device.acked.max(offset);
        if answered {
            device.confirmed = device.confirmed.max(offset);
        }
    }

    /// At rest a connection has heard all there is for it.
    pub(crate) fn inbox_is_whole(&mut self, user: &str, pipe: usize, mailbox: &Mailbox) {
        self.checked(Law::Inbox);
        let top = self.inboxes.logs.get(user).map_or(0, |log| log.len() as u64);
        let furthest = self.inboxes.furthest(user);
        let device = self.inboxes.device(user, mailbox.device.as_deref());
        let begins = if device.known { device.disk } else { furthest };
        let next = mailbox.next.unwrap_or(begins + 1);
        let next = self.inboxes.after_own(user, pipe, next);
        if next <= top {
            let what = format!("{user} on pipe {pipe}: {next} did not come, there are {top}");
            self.violation(Law::Inbox, &what);
        }
    }

    /// The service is told of a notification.
    pub(crate) fn notified(&mut self, now: Duration, op: u64, notification: &Value) {
        let text = |field: &str| notification[field].as_str().unwrap_or_default().to_owned();
        if written_op(notification) != op || notification["read"] != false {
            self.violation(Law::Inbox, &format!("{op} became {notification}"));
        }
        let note = Note { user: text("user_id"), created: now, read: None };
        self.inboxes.notes.insert(text("id"), note);
    }

    /// Its user has marked one, or all, and was told so.
    pub(crate) fn marked(
        &mut self,
        (asked, now): (Duration, Duration),
        user: &str,
        which: Option<&str>,
    ) {
        for (id, note) in &mut self.inboxes.notes {
            let meant = which.map_or(note.created < asked, |which| which == id);
            if meant && note.user == user {
                note.read = Some(note.read.unwrap_or(now));
            }
        }
    }

    /// A page of notifications: what was read before it was asked for is read.
    pub(crate) fn notifications_told(
        &mut self,
        (asked, now): (Duration, Duration),
        user: &str,
        data: &Value,
    ) {
        self.checked(Law::I9);
        let listed = data["notifications"].as_array().map(Vec::as_slice).unwrap_or_default();
        let unread = listed.iter().filter(|one| one["read"] == false).count() as u64;
        let mut wrong = data["unread_count"].as_u64().is_none_or(|all| all < unread);
        for one in listed {
            let note = one["id"].as_str().and_then(|id| self.inboxes.notes.get_mut(id));
            let (whose, read) = (one["user_id"] == user, one["read"] == true);
            let Some(note) = note else {
                wrong |= !whose;
                continue;
            };
            wrong |= !whose || !read && note.read.is_some_and(|at| at < asked);
            if read {
                note.read = Some(note.read.unwrap_or(now));
            }
        }
        if wrong {
            self.violation(Law::I9, &format!("{user}: {data}"));
        }
    }

    /// The disk holds of each inbox what was committed, and what was acknowledged is there.
    pub(crate) fn inboxes_are_kept(&mut self, reader: &mut dyn Reader) {
        let mut broken = Vec::new();
        for (user, log) in &self.inboxes.logs {
            let whose = UserId(user.as_str().into());
            let (after, limit, bytes, since_ms) = (Some(0), u32::MAX, usize::MAX, 0);
            let page = InboxRead::Page { user: whose, after, limit, bytes, since_ms };
            let Ok(Found::Inbox(InboxFound::Page { events, first, top })) =
                reader.read(&Read::Inbox(page))
            else {
                continue;
            };
            let op = |text: &str| written_op(&serde_json::from_str(text).unwrap_or_default());
            let ops: Vec<u64> = events.iter().map(|event| op(event.payload.as_str())).collect();
            let committed = log.iter().skip(first as usize - 1).map(|entry| entry.op);
            self.checked.count(Law::I1);
            let least = (log.len() as u64).min(self.inboxes.bound);
            if !committed.eq(ops.iter().copied())
                || top != log.len() as u64
                || (ops.len() as u64) < least
            {
                broken.push((Law::I1, format!("{user}: {ops:?} from {first} to {top}")));
            }
            let sent: Vec<u64> = log.iter().map(|entry| entry.op).filter(|op| *op > 0).collect();
            if sent.iter().collect::<BTreeSet<_>>().len() != sent.len() {
                broken.push((Law::I3, format!("{user}: {sent:?}")));
            }
        }
        for (op, sending) in &self.inboxes.sendings {
            for user in &sending.users {
                let log = self.inboxes.logs.get(user).map(Vec::as_slice).unwrap_or_default();
                let there = log.iter().any(|entry| entry.op == *op);
                self.checked.count(Law::I1);
                if there != sending.acked && !sending.unknown {
                    let law = if there { Law::I2 } else { Law::I1 };
                    broken.push((law, format!("{op} for {user}: there is {there}")));
                }
            }
        }
        self.violations.append(&mut broken);
    }
}

/// What somebody sent, by the number in its payload, or in a notification's title.
fn written_op(payload: &Value) -> u64 {
    let title = payload["title"].as_str().and_then(|title| title.parse().ok());
    title.unwrap_or_else(|| op_of(payload))
}
