//! What a service sends to users, and what devices make of it: the client's side of inboxes.

use serde_json::{Value, json};

use crate::client::Kind;
use crate::inboxes::{Mailbox, Sending};
use crate::law::Law;
use crate::workload::Wish;
use crate::world::World;

impl World {
    /// Which device somebody is, who signs in.
    pub(crate) fn mailbox(&mut self, c: usize) -> Mailbox {
        let named = self.plan.hub.is_some() && self.rng.below(4) > 0;
        let device = named.then(|| format!("device{c}"));
        Mailbox { acks: named && c % 2 == 1, device, ..Mailbox::default() }
    }

    /// An event of an inbox.
    pub(crate) fn inbox_event(&mut self, c: usize, user: &str, word: &str, value: &Value) {
        let client = &mut self.clients[c];
        let mine = client.period.as_ref().is_some_and(|period| period.user == user);
        let Some(pipe) = client.pipe.filter(|_| mine) else {
            return self.model.violation(Law::I10, &value.to_string());
        };
        let who = (user, pipe, self.pipes[pipe].life);
        let number = |value: &Value| value.as_u64().unwrap_or_default();
        if word == "gap" {
            let payload = &value["payload"];
            let lost = (number(&payload["from"]), number(&payload["to"]));
            self.model.inbox_heard(who, &mut client.mailbox, lost, value);
            return self.model.inbox_gap_is(user, lost.1, value);
        }
        let offset = number(&value["offset"]);
        self.model.inbox_event_is(user, offset, value);
        self.model.inbox_heard(who, &mut client.mailbox, (offset, offset), value);
    }

    /// Nobody is on this connection any more.
    pub(crate) fn mailbox_left(&mut self, c: usize, pipe: Option<usize>, clean: bool) {
        let client = &mut self.clients[c];
        let mailbox = std::mem::take(&mut client.mailbox);
        let (Some(pipe), Some(period)) = (pipe, &client.period) else { return };
        self.model.device_left(&period.user, &mailbox, self.pipes[pipe].life, clean);
    }

    /// What a user does with the inbox and with notifications.
    pub(crate) fn about_inbox(&mut self, c: usize) -> Wish {
        let client = &self.clients[c];
        let user = client.period.as_ref().map(|period| period.user.clone()).unwrap_or_default();
        let last = client.mailbox.last();
        match self.rng.below(10) {
            0..5 if last > 0 => {
                let offset = if self.rng.below(3) == 0 { 1 + self.rng.below(last) } else { last };
                self.model.acks(&user, &self.clients[c].mailbox, offset, false);
                let channel = format!("user:{user}");
                let wish = json!({"type": "event_ack", "channel": channel, "offset": offset});
                (wish, Kind::Ack { user, offset })
            }
            0..8 => {
                let unread = self.rng.below(3) == 0;
                let wish = json!({"type": "get_notifications", "unread_only": unread});
                (wish, Kind::Notifications { user })
            }
            8 => (json!({"type": "mark_all_as_read"}), Kind::Mark { user, which: None }),
            _ => {
                let at = self.rng.below(1000);
                let which = self.model.inboxes.note_of(&user, at);
                let which = which.unwrap_or_else(|| "018bcfe5-687b-7fff-bfff-ffffffffffff".into());
                let wish = json!({"type": "mark_as_read", "notification_id": which});
                (wish, Kind::Mark { user, which: Some(which) })
            }
        }
    }

    /// What a service has to say to users.
    pub(crate) fn about_users(&mut self) -> Wish {
        let known: Vec<String> = self.people.iter().filter_map(|one| one.id.clone()).collect();
        let op = self.next_op();
        let some = known.iter().filter(|_| self.rng.below(3) == 0);
        let mut users: Vec<String> = some.cloned().collect();
        let first = known.get(self.rng.below(known.len() as u64) as usize);
        users.extend(first.filter(|first| !users.contains(first)).cloned());
        let kind = Kind::Sending { op };
        if self.rng.below(4) == 0 {
            users.truncate(1);
            let wish = json!({"type": "create_notification", "user_id": users.first(),
                              "level": "info", "title": op.to_string(), "message": "x"});
            self.sends(op, users);
            return (wish, kind);
        }
        let priority = if self.rng.below(3) == 0 { "critical" } else { "normal" };
        let wish = json!({"type": "send", "user_ids": users, "event": "note",
                          "payload": {"op": op}, "priority": priority});
        self.sends(op, users);
        (wish, kind)
    }

    fn sends(&mut self, op: u64, users: Vec<String>) {
        let sending = Sending { users, acked: false, unknown: false };
        self.model.inboxes.sendings.insert(op, sending);
    }

    /// A reply about an inbox.
    pub(crate) fn inbox_answered(
        &mut self,
        c: usize,
        kind: Kind,
        asked: std::time::Duration,
        data: &Value,
    ) {
        let now = self.now.monotonic;
        match kind {
            Kind::Ack { user, offset } => {
                self.model.acks(&user, &self.clients[c].mailbox, offset, true);
            }
            Kind::Notifications { user } => {
                self.model.notifications_told((asked, now), &user, data)
            }
            Kind::Mark { user, which } => self.model.marked((asked, now), &user, which.as_deref()),
            Kind::Sending { op } => {
                if let Some(sending) = self.model.inboxes.sendings.get_mut(&op) {
                    sending.acked = true;
                }
                if data["notification"].is_object() {
                    self.model.notified(now, op, &data["notification"]);
                }
            }
            _ => {}
        }
    }
}
