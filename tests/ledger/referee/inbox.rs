//! The referee of inboxes: notifications, and who has read them.
//!
//! Law: the list of notifications is that of the inbox, in its order; one is read exactly when the
//! inbox says so, once, and because its user asked for it; a mark that was acknowledged is there.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::json;

use super::{PAGE, Referee};
use crate::device::Device;
use crate::ledger::{READ, Stored};
use crate::wire::Client;

#[derive(Deserialize)]
struct List {
    notifications: Vec<Notification>,
    unread_count: u64,
}

/// A notification as the list has it.
#[derive(Debug, Deserialize)]
struct Notification {
    id: String,
    message: String,
    read: bool,
}

/// What an inbox says of a notification.
pub(super) struct Told<'a> {
    pub(super) stored: &'a Stored,
    pub(super) read: bool,
}

impl Referee {
    /// The notifications of an inbox, in its order.
    pub(super) fn told(&self, line: usize) -> Result<Vec<Told<'_>>, String> {
        let mut told: Vec<Told<'_>> = Vec::new();
        let mut places: HashMap<&str, usize> = HashMap::new();
        for (offset, stored) in (1..).zip(&self.lines[line]) {
            let at = || format!("line {line}, {offset}, {stored:?}");
            if stored.content == READ {
                let place = places.get(stored.id.as_str());
                let mark = place.and_then(|place| told.get_mut(*place));
                let mark = mark.ok_or_else(|| format!("{}: of no notification", at()))?;
                if std::mem::replace(&mut mark.read, true) {
                    return Err(format!("{}: read twice", at()));
                }
            } else if !stored.id.is_empty() {
                if places.insert(&stored.id, told.len()).is_some() {
                    return Err(format!("{}: a notification twice", at()));
                }
                told.push(Told { stored, read: false });
            }
        }
        Ok(told)
    }

    /// Reads the latest notifications of a user, or all, and holds them against the inbox.
    pub(crate) fn read_notifications(
        &self,
        client: &mut Client,
        line: usize,
        everything: bool,
    ) -> Result<(), String> {
        let told = self.told(line)?;
        let unread = told.iter().filter(|told| !told.read).count() as u64;
        let (mut expected, mut before) = (told.iter().rev(), None);
        loop {
            let request = json!({"type": "get_notifications", "limit": PAGE, "before": before});
            let list: List =
                serde_json::from_value(client.ok(&request)?).map_err(|error| error.to_string())?;
            if list.unread_count != unread {
                return Err(format!(
                    "line {line}: {} are not read, and its inbox says {unread}: a lost mark",
                    list.unread_count
                ));
            }
            for found in &list.notifications {
                let Some(Told { stored, read }) = expected.next() else {
                    return Err(format!("line {line}: {found:?} is not in its inbox"));
                };
                let same = found.id == stored.id && found.message == stored.content;
                if !same || found.read != *read {
                    return Err(format!("line {line}: {found:?}, and {stored:?}, read {read}"));
                }
            }
            let full = list.notifications.len() == PAGE;
            match list.notifications.last() {
                Some(last) if everything && full => before = Some(last.id.clone()),
                _ if full => return Ok(()),
                _ => break,
            }
        }
        match expected.next() {
            None => Ok(()),
            Some(lost) => Err(format!("line {line}: a lost notification: {:?}", lost.stored)),
        }
    }

    /// Holds what a device did and was not told against its inbox.
    pub(crate) fn judge_device(&self, device: &Device) -> Result<(), String> {
        let (line, log) = (device.line, &self.lines[device.line]);
        for offset in &device.passed {
            let passed = log.get((*offset as usize).wrapping_sub(1));
            if passed.is_none_or(|passed| passed.content != READ) {
                return Err(format!("line {line}: it was not told of {offset}: {passed:?}: lost"));
            }
        }
        if device.acks {
            return Ok(());
        }
        let told = self.told(line)?;
        let read: HashMap<&str, bool> =
            told.iter().map(|told| (told.stored.id.as_str(), told.read)).collect();
        for (id, acked) in &device.marks {
            if *acked && read.get(id.as_str()) != Some(&true) {
                return Err(format!("line {line}: a lost mark: {id} was acknowledged as read"));
            }
        }
        match read.iter().find(|(id, read)| **read && !device.marks.contains_key(**id)) {
            Some((id, _)) => Err(format!("line {line}: {id} is read, and nobody marked it")),
            None => Ok(()),
        }
    }

    /// The last offset of an inbox that each device of its user is told of.
    pub(crate) fn last_told(&self, line: usize) -> u64 {
        let last = self.lines[line].iter().rposition(|stored| stored.content != READ);
        last.map_or(0, |at| at as u64 + 1)
    }
}
