//! What a client makes of what it hears, and the laws that can be seen from one connection.

use serde_json::Value;

use crate::client::{Io, Kind, Pending};
use crate::faults::Fault;
use crate::inboxes::Mailbox;
use crate::law::Law;
use crate::model::Period;
use crate::planted::Planted;
use crate::returning::Places;
use crate::world::{Event, Phase, World};

/// Closes that a client which behaves well may meet.
const CLOSES: [u16; 7] = [1000, 4002, 4101, 4104, 4300, 4301, 4302];
/// There is no room.
const OVERLOADED: u16 = 4100;
/// The server goes down.
const DRAIN: u16 = 4200;

impl World {
    /// One object of the server.
    pub(crate) fn object(&mut self, c: usize, text: &[u8]) {
        self.model.heard += 1;
        if text.iter().any(|byte| *byte < 0x20) {
            return self.model.violation(Law::Shape, &String::from_utf8_lossy(text));
        }
        let Ok(value) = serde_json::from_slice::<Value>(text) else {
            let text = String::from_utf8_lossy(text);
            return self.model.violation(Law::Shape, &text);
        };
        if self.clients[c].closed.is_some() {
            return self.model.violation(Law::Shape, &value.to_string());
        }
        let word = value["type"].as_str().unwrap_or_default().to_owned();
        self.model.checked(Law::Shape);
        let refused = word == "bye" && value["payload"]["code"] == OVERLOADED;
        if !self.clients[c].greeted && !refused {
            self.clients[c].greeted = true;
            if word != "hello" || value["payload"]["protocol"] != 1 {
                self.model.violation(Law::Shape, &value.to_string());
            }
            return;
        }
        if value.get("status").is_some() {
            let lost = self.plan.planted == Some(Planted::ReplyLost);
            if lost && self.model.heard.is_multiple_of(50) {
                return;
            }
            return self.reply(c, &word, &value);
        }
        match word.as_str() {
            "ping" => {}
            "call" => self.called(c, &value),
            "bye" => {
                let code = value["payload"]["code"].as_u64().unwrap_or_default();
                self.closed(c, code as u16);
            }
            "hello" => self.model.violation(Law::Shape, &value.to_string()),
            _ => self.event(c, &word, &value, text),
        }
    }

    /// The server said why it closes.
    pub(crate) fn closed(&mut self, c: usize, code: u16) {
        // Who was told to wait before logging in may wait longer than a stranger is suffered.
        let late = code == 4103 && self.clients[c].period.is_none();
        let ours = late || self.clients[c].leaving && code == 1000;
        // Without a reader nobody can say what is in an inbox.
        let busy = (OVERLOADED, Fault::Overload);
        let faults = [(OVERLOADED, Fault::Descriptors), busy, (DRAIN, Fault::Drain)];
        let caused = faults.iter().any(|(by, fault)| code == *by && self.plan.rates.of(*fault) > 0);
        self.clients[c].closed = Some(code);
        self.model.checked(Law::Closes);
        if !ours && !caused && !CLOSES.contains(&code) {
            let what = format!("client {c} was closed with {code}");
            self.model.violation(Law::Closes, &what);
        }
        if matches!(code, 4300..=4302) {
            self.clients[c].token = None;
        }
    }

    fn reply(&mut self, c: usize, word: &str, value: &Value) {
        if self.is_call_answered(c, word, value) {
            return;
        }
        let Some(pending) = self.clients[c].pending.pop_front() else {
            return self.model.violation(Law::Replies, &value.to_string());
        };
        self.model.checked(Law::Replies);
        self.model.checked(Law::Refusals);
        let same_id = value.get("request_id") == pending.request_id.as_ref();
        if word != pending.word || !same_id {
            let what = format!("{} {:?} got {value}", pending.word, pending.request_id);
            return self.model.violation(Law::Replies, &what);
        }
        let code = value["code"].as_str();
        let ok = value["status"] == "ok";
        if ok != value["data"].is_object() || ok == code.is_some() {
            self.model.violation(Law::Shape, &value.to_string());
        }
        if code == Some("internal") {
            self.model.violation(Law::Refusals, &value.to_string());
        }
        if let Some(ms) = value["retry_after_ms"].as_u64() {
            let until = self.now.monotonic + std::time::Duration::from_millis(ms);
            self.clients[c].wait_until = self.clients[c].wait_until.max(until);
        }
        self.clients[c].alone = false;
        match code {
            None => self.fulfilled(c, pending, &value["data"]),
            Some(code) => self.refused(c, pending, code),
        }
        let busy = self.phase == Phase::Heal;
        if busy && self.clients[c].pending.is_empty() {
            self.schedule(10_000, Event::Act(c));
        }
    }

    fn fulfilled(&mut self, c: usize, pending: Pending, data: &Value) {
        let (now, asked) = (self.now.monotonic, pending.at);
        match pending.kind {
            Kind::SignIn { resume, mailbox } => self.signed_in(c, (resume, mailbox), data),
            kind @ (Kind::Ack { .. }
            | Kind::Notifications { .. }
            | Kind::Mark { .. }
            | Kind::Sending { .. }) => self.inbox_answered(c, kind, asked, data),
            kind @ (Kind::Execution { .. } | Kind::Watch { .. } | Kind::Unwatch { .. }) => {
                self.execution_answered(c, kind, data);
            }
            Kind::Logout { everywhere } => {
                let me = self.clients[c].user;
                let session = self.clients[c].session.take();
                self.model.revoked(me, session.as_deref(), everywhere, asked);
                self.signed_out(c);
            }
            Kind::Refresh => {
                self.clients[c].token = data["token"].as_str().map(str::to_owned);
                self.clients[c].refresh = data["refresh_token"].as_str().map(str::to_owned);
            }
            Kind::Message { op } => {
                self.clients[c].unacked.retain(|known| *known != op);
                let message = &data["message"];
                let duplicate = data["duplicate"] == true;
                self.model.acknowledged(now, op, message, duplicate);
                self.fifo(c, message, duplicate);
            }
            Kind::Chat => {
                let chat = data["chat"]["id"].as_str().unwrap_or_default();
                self.clients[c].left.remove(chat);
                self.model.know_chat(chat);
            }
            Kind::Leave { chat } => {
                self.clients[c].left.insert(chat);
            }
            Kind::Subscribe { channel, since, least } => {
                self.subscribed(c, channel, (since.as_ref(), least.as_ref()), data);
            }
            Kind::History { channel, since, least } => {
                self.history_told(c, &channel, (since.as_ref(), least.as_ref()), data);
            }
            Kind::Unsubscribe { channel } => {
                if let Some(gone) = self.clients[c].subscriptions.remove(&channel) {
                    self.model.top(&channel, &gone.epoch, gone.last);
                }
            }
            Kind::Publish { channel, echo, op } => {
                self.clients[c].unacked.retain(|known| *known != op);
                self.published(c, &channel, echo, op, data);
            }
            Kind::Page { chat, least } => {
                let top = self.model.page(&chat, data, &least);
                self.clients[c].has_seen(&chat, top);
            }
            Kind::Revoke { session } => {
                let me = self.clients[c].user;
                self.model.revoked(me, Some(&session), false, asked);
            }
            Kind::Password { new } => {
                let me = self.clients[c].user;
                self.people[me].passwords = vec![new];
                let keep = self.clients[c].session.clone();
                self.model.password_changed(me, keep.as_deref(), asked);
            }
            Kind::Bad => self.model.violation(Law::Refusals, &data.to_string()),
            Kind::Quit | Kind::Other | Kind::Call(_) => {}
        }
    }

    fn refused(&mut self, c: usize, pending: Pending, code: &str) {
        match pending.kind {
            Kind::SignIn { .. } => {
                self.clients[c].token = None;
                let person = &mut self.people[self.clients[c].user];
                match code {
                    "conflict" => person.registered = true,
                    "invalid_credentials" => person.passwords.rotate_left(1),
                    _ => {}
                }
            }
            Kind::Message { op } | Kind::Publish { op, .. } | Kind::Sending { op } => {
                // After a failed fsync nobody knows what is on the disk.
                if code == "storage_unavailable" && self.injected.of(Fault::DiskError) > 0 {
                    self.model.unknown(op);
                }
                let later = matches!(
                    code,
                    "storage_full" | "storage_unavailable" | "rate_limited" | "overloaded"
                );
                if !later {
                    self.clients[c].unacked.retain(|known| *known != op);
                }
            }
            Kind::Refresh => self.clients[c].refresh = None,
            Kind::Password { new } if self.injected.of(Fault::DiskError) > 0 => {
                self.people[self.clients[c].user].passwords.push(new);
            }
            Kind::Quit => self.model.violation(Law::Refusals, code),
            _ => {}
        }
    }

    fn signed_in(&mut self, c: usize, (resume, mailbox): (Places, Mailbox), data: &Value) {
        let me = self.clients[c].user;
        let person = &mut self.people[me];
        person.registered = true;
        let id = data["user"]["id"].as_str().unwrap_or_default().to_owned();
        if person.id.as_ref().is_some_and(|known| *known != id) {
            self.model.violation(Law::I3, &id);
        }
        self.people[me].id = Some(id.clone());
        self.model.names.insert(id.clone(), me);
        let client = &mut self.clients[c];
        client.session = data["session_id"].as_str().map(str::to_owned);
        for (place, field) in [(&mut client.token, "token"), (&mut client.refresh, "refresh_token")]
        {
            if let Some(text) = data[field].as_str() {
                *place = Some(text.to_owned());
            }
        }
        if client.period.is_none() {
            let pipe = client.pipe.unwrap_or_default();
            client.period = Some(Period::new(pipe, id, self.now.monotonic));
        }
        let session = client.session.clone();
        let user = client.period.as_ref().map(|period| period.user.clone()).unwrap_or_default();
        self.model.device_arrived(&user, &mailbox);
        self.clients[c].mailbox = mailbox;
        self.resumed(c, resume, &data["resumed"]);
        if let Some(session) = &session {
            self.model.sessions.insert(session.clone(), (me, self.now.monotonic));
        }
        if matches!(self.phase, Phase::Storm | Phase::Heal) {
            self.schedule(50_000, Event::Act(c));
        }
    }

    /// Nobody is on the connection any more.
    fn signed_out(&mut self, c: usize) {
        self.mailbox_left(c, self.clients[c].pipe, true);
        let client = &mut self.clients[c];
        client.token = None;
        client.refresh = None;
        client.leave_places();
        client.left.clear();
        if let Some(period) = client.period.take() {
            self.model.end_period(&period, false);
        }
    }

    /// I7: what one connection sent to one chat is in the order in which it was sent.
    fn fifo(&mut self, c: usize, message: &Value, duplicate: bool) {
        let (Some(chat), Some(seq)) = (message["chat_id"].as_str(), message["seq"].as_u64()) else {
            return;
        };
        self.clients[c].has_seen(chat, seq);
        self.model.checked(Law::I7);
        let last = self.clients[c].last_seq.entry(chat.to_owned()).or_default();
        if !duplicate && seq <= *last {
            let what = format!("{seq} after {last} in {chat}");
            self.model.violation(Law::I7, &what);
        } else if !duplicate {
            *last = seq;
        }
    }

    /// Everything that should have come has come, and everybody who should have gone has gone.
    pub(crate) fn everybody_has_everything(&mut self) {
        for c in 0..self.clients.len() {
            self.model.checked(Law::Heals);
            let client = &mut self.clients[c];
            let waits = !client.pending.is_empty() || !client.calls.is_empty();
            if client.pipe.is_none() || client.period.is_none() || waits {
                let first = client.pending.front().map(|pending| pending.word.clone());
                let (pipe, there) = (client.pipe, client.period.is_some());
                let what = format!("client {c}: {pipe:?}, there: {there}, waits for {first:?}");
                self.model.violation(Law::Heals, &what);
                continue;
            }
            if !client.unacked.is_empty() {
                self.model.violation(Law::Heals, "a message has no end");
                continue;
            }
            self.replays_are_over(c);
            self.watches_are_whole(c);
            let client = &self.clients[c];
            if let (Some(period), Some(pipe)) = (&client.period, client.pipe) {
                self.model.inbox_is_whole(&period.user, pipe, &client.mailbox);
            }
            if let Some(period) = &client.period {
                self.model.end_period(period, true);
            }
            for (channel, subscription) in &client.subscriptions {
                self.model.all_heard(channel, subscription);
            }
            let session = client.session.clone().unwrap_or_default();
            self.model.checked(Law::I10);
            if self.model.is_revoked(&session) {
                let what = format!("client {c} by {session} on {:?}", client.pipe);
                self.model.violation(Law::I10, &what);
            }
        }
    }

    pub(crate) fn is_open(&self, c: usize) -> bool {
        match &self.clients[c].io {
            Io::None | Io::Http(_) => false,
            Io::Lines(_) => true,
            Io::WebSocket(connection) => connection.is_open(),
        }
    }
}
