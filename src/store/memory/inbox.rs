//! Inboxes, their cursors, and notifications in memory.

use std::collections::{BTreeSet, VecDeque};
use std::ops::Bound;
use std::sync::Arc;

use super::super::inbox::{
    Bounds, Cursor, InboxFound, InboxRead, InboxWrite, InboxWritten, Kept, Place, SWEPT_MAX, json,
};
use super::super::{Found, Refusal, Written};
use super::state::State;
use crate::base::id::{Id, UserId};
use crate::base::time::Timestamp;
use crate::message::inbox::{InboxEvent, Marked, NOTIFICATION, NOTIFICATION_READ, Notification};
use crate::message::record::{Raw, UserCard};

/// How far a device is, and when that was last written. Most users have one: a list of them is a tenth
/// of a tree.
#[derive(Clone, Debug)]
struct Device {
    name: Arc<str>,
    offset: u64,
    at: Timestamp,
}

/// What is kept for one user.
#[derive(Clone, Debug, Default)]
pub(super) struct Inbox {
    /// The newest offset.
    top: u64,
    /// Ascending, without holes; the newest has offset `top`.
    events: VecDeque<InboxEvent>,
    devices: Vec<Device>,
    /// In the order in which they came.
    notifications: VecDeque<Notification>,
}

impl Inbox {
    fn keep(&mut self, user: &UserId, stamp: Timestamp, bounds: Bounds, event: InboxEvent) -> Kept {
        self.top += 1;
        let event = InboxEvent { offset: self.top, ..event };
        self.events.push_back(event.clone());
        let oldest = Timestamp(stamp.0.saturating_sub(bounds.age_ms));
        let mut dropped = 0;
        while self.events.len() > bounds.events as usize
            || self.events.front().is_some_and(|event| event.at < oldest)
        {
            self.events.pop_front();
            dropped += 1;
        }
        Kept { user: user.clone(), event, dropped }
    }

    fn set_device(&mut self, device: &Arc<str>, offset: u64, stamp: Timestamp, bounds: Bounds) {
        match self.devices.iter_mut().find(|known| known.name == *device) {
            Some(known) => (known.offset, known.at) = (offset, stamp),
            None => {
                self.devices.reserve_exact(1);
                self.devices.push(Device { name: Arc::clone(device), offset, at: stamp });
            }
        }
        while self.devices.len() > (bounds.devices as usize).max(1) {
            let others = self.devices.iter().enumerate().filter(|(_, one)| one.name != *device);
            let idle = others.min_by_key(|(_, one)| (one.at, Arc::clone(&one.name)));
            let Some(idle) = idle.map(|(place, _)| place) else { return };
            self.devices.remove(idle);
        }
    }

    /// Where a device is, if it is known.
    fn device(&self, name: &str) -> Option<u64> {
        self.devices.iter().find(|known| *known.name == *name).map(|known| known.offset)
    }

    /// Where the furthest device is.
    fn furthest(&self) -> Option<u64> {
        self.devices.iter().map(|known| known.offset).max()
    }

    /// Notifications made since, newest first.
    pub(super) fn notified(&self, since_ms: u64) -> Vec<Notification> {
        let all = self.notifications.iter().rev();
        all.filter(|one| one.created_at.0 >= since_ms).cloned().collect()
    }

    fn unread(&self) -> u64 {
        self.notifications.iter().filter(|one| !one.read).count() as u64
    }
}

impl State {
    pub(super) fn write_inbox(&mut self, write: &InboxWrite) -> Result<Written, Refusal> {
        let written = match write {
            InboxWrite::Send { by, users, word, payload, critical, bounds } => {
                let sender = self.user(by)?.profile.card();
                self.send(sender, users, (word, payload), *critical, *bounds)
            }
            InboxWrite::Notify { id, by, user, level, title, message, action, bounds } => {
                let sender = self.user(by)?.profile.card();
                let stamp = self.stamp;
                if self.user(user)?.inbox.notifications.iter().any(|known| known.id == *id) {
                    return Err(Refusal::IdTaken);
                }
                let notification = Notification {
                    id: *id,
                    user_id: user.clone(),
                    level: *level,
                    title: Arc::clone(title),
                    message: Arc::clone(message),
                    read: false,
                    created_at: stamp,
                    action: action.clone(),
                };
                self.notify(sender, notification, *bounds)?
            }
            InboxWrite::MarkRead { user, notification, bounds } => {
                self.mark_notifications(user, *notification, *bounds)?
            }
            InboxWrite::Open { user, device, bounds } => {
                let stamp = self.stamp;
                let inbox = &mut self.users.get_mut(user).ok_or(Refusal::NoUser)?.inbox;
                if inbox.device(device).is_none() {
                    let furthest = inbox.furthest();
                    inbox.set_device(device, furthest.unwrap_or(0), stamp, *bounds);
                }
                InboxWritten::Moved
            }
            InboxWrite::Sweep { after, users, age_ms } => {
                self.sweep(after.as_ref(), *users as usize, *age_ms)
            }
            InboxWrite::Move { cursors, bounds } => {
                cursors.iter().for_each(|cursor| self.move_cursor(cursor, *bounds));
                InboxWritten::Moved
            }
        };
        Ok(Written::Inbox(Box::new(written)))
    }

    fn sweep(&mut self, after: Option<&UserId>, users: usize, age_ms: u64) -> InboxWritten {
        let oldest = Timestamp(self.stamp.0.saturating_sub(age_ms));
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let (mut dropped, mut seen, mut last) = (0, 0, None);
        for (id, user) in self.users.range_mut::<UserId, _>((from, Bound::Unbounded)).take(users) {
            let events = &mut user.inbox.events;
            while events.pop_front_if(|event| event.at < oldest).is_some() {
                dropped += 1;
            }
            if events.is_empty() {
                *events = VecDeque::new();
            }
            (seen, last) = (seen + 1, Some(id));
            if dropped >= SWEPT_MAX {
                return InboxWritten::Swept { last: last.cloned(), dropped };
            }
        }
        InboxWritten::Swept { last: last.filter(|_| seen == users).cloned(), dropped }
    }

    fn send(
        &mut self,
        sender: UserCard,
        users: &[UserId],
        (word, payload): (&Arc<str>, &Raw),
        critical: bool,
        bounds: Bounds,
    ) -> InboxWritten {
        let stamp = self.stamp;
        let unique: BTreeSet<&UserId> = users.iter().collect();
        let unknown: Vec<_> =
            unique.iter().filter(|id| !self.users.contains_key(**id)).copied().cloned().collect();
        let mut kept = Vec::new();
        if unknown.is_empty() {
            let event = event(stamp, sender, Arc::clone(word), payload.clone(), critical);
            for id in unique {
                if let Some(user) = self.users.get_mut(id) {
                    kept.push(user.inbox.keep(id, stamp, bounds, event.clone()));
                }
            }
        }
        InboxWritten::Sent { kept, unknown }
    }

    fn notify(
        &mut self,
        sender: UserCard,
        notification: Notification,
        bounds: Bounds,
    ) -> Result<InboxWritten, Refusal> {
        let stamp = self.stamp;
        let id = notification.user_id.clone();
        let inbox = &mut self.users.get_mut(&id).ok_or(Refusal::NoUser)?.inbox;
        inbox.notifications.push_back(notification.clone());
        if inbox.notifications.len() > bounds.notifications as usize {
            inbox.notifications.pop_front();
        }
        let event = event(stamp, sender, NOTIFICATION.into(), json(&notification), false);
        let kept = vec![inbox.keep(&id, stamp, bounds, event)];
        Ok(InboxWritten::Notified { notification: Box::new(notification), kept })
    }

    fn mark_notifications(
        &mut self,
        user: &UserId,
        which: Option<Id>,
        bounds: Bounds,
    ) -> Result<InboxWritten, Refusal> {
        let (stamp, sender) = (self.stamp, self.user(user)?.profile.card());
        let inbox = &mut self.users.get_mut(user).ok_or(Refusal::NoUser)?.inbox;
        let meant = |one: &Notification| which.is_none_or(|id| one.id == id);
        if which.is_some() && !inbox.notifications.iter().any(meant) {
            return Err(Refusal::NoNotification);
        }
        let mut changed = false;
        for one in inbox.notifications.iter_mut().filter(|one| meant(one) && !one.read) {
            one.read = true;
            changed = true;
        }
        let kept = changed.then(|| {
            let marked = which.map_or(Marked::All, Marked::One);
            let event = event(stamp, sender, NOTIFICATION_READ.into(), json(&marked), false);
            inbox.keep(user, stamp, bounds, event)
        });
        Ok(InboxWritten::Read { unread: inbox.unread(), kept: kept.into_iter().collect() })
    }

    fn move_cursor(&mut self, cursor: &Cursor, bounds: Bounds) {
        let stamp = self.stamp;
        let Some(user) = self.users.get_mut(&cursor.user) else { return };
        let known = user.inbox.device(&cursor.device).unwrap_or(0);
        let offset = cursor.offset.min(user.inbox.top).max(known);
        user.inbox.set_device(&cursor.device, offset, stamp, bounds);
    }

    /// Where a device stands.
    pub(super) fn place(&self, user: &UserId, device: &Arc<str>) -> Place {
        let Some(user) = self.users.get(user) else { return Place::default() };
        let own = user.inbox.device(device);
        let cursor = own.or_else(|| user.inbox.furthest()).unwrap_or(0);
        Place { cursor, known: own.is_some(), top: user.inbox.top }
    }

    pub(super) fn read_inbox(&self, read: &InboxRead) -> Found {
        let none = Inbox::default();
        let of = |user: &UserId| self.users.get(user).map_or(&none, |user| &user.inbox);
        Found::Inbox(match read {
            InboxRead::Page { user, after, limit, bytes, since_ms } => {
                of(user).page(*after, *limit as usize, *bytes, *since_ms)
            }
            InboxRead::Notifications { user, unread_only, before, limit } => {
                let inbox = of(user);
                let all = inbox.notifications.iter().rev();
                let mut found = before.is_none();
                let after = all.filter(|one| {
                    let shown = found;
                    found |= Some(one.id) == *before;
                    shown
                });
                let wanted = after.filter(|one| !(*unread_only && one.read));
                let notifications = wanted.take(*limit as usize).cloned().collect();
                InboxFound::Notifications { notifications, unread: inbox.unread() }
            }
        })
    }
}

impl Inbox {
    fn page(&self, after: Option<u64>, limit: usize, bytes: usize, since_ms: u64) -> InboxFound {
        let kept = || self.events.iter().filter(|event| event.at.0 >= since_ms);
        let first = kept().next().map_or(self.top + 1, |event| event.offset);
        let latest = (self.top + 1).saturating_sub(limit as u64).max(first) - 1;
        let from = after.unwrap_or(latest);
        let mut room = bytes;
        let mut full = false;
        let events = kept()
            .filter(|event| event.offset > from)
            .take(limit)
            .take_while(|event| {
                let before = std::mem::replace(&mut full, event.payload.as_str().len() >= room);
                room = room.saturating_sub(event.payload.as_str().len());
                !before
            })
            .cloned()
            .collect();
        InboxFound::Page { events, first, top: self.top }
    }
}

fn event(
    at: Timestamp,
    sender: UserCard,
    word: Arc<str>,
    payload: Raw,
    critical: bool,
) -> InboxEvent {
    InboxEvent { offset: 0, at, sender, word, payload, critical }
}
