//! Events as a connection hears them: of rooms, and of channels that live in memory.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::law::Law;
use crate::publications::{Place, op_of, place_of};
use crate::world::World;

/// A subscription to a channel of its own.
#[derive(Default)]
pub(crate) struct Subscription {
    pub(crate) epoch: String,
    /// The newest offset that was heard, or was ours and silent.
    pub(crate) last: u64,
    /// Our own that will not come.
    pub(crate) silent: BTreeSet<u64>,
    /// Who is there, where that is told.
    pub(crate) present: Option<BTreeSet<String>>,
    /// What was missed goes up to here.
    pub(crate) until: u64,
    /// Of what was missed, only the beginning comes by itself.
    pub(crate) more: bool,
    /// Of what was missed, the beginning may be lost…
    pub(crate) lossy: bool,
    /// …but this not.
    pub(crate) must: Option<u64>,
}

impl World {
    /// An event of a channel.
    pub(crate) fn event(&mut self, c: usize, word: &str, value: &Value, text: &[u8]) {
        let Some(channel) = value["channel"].as_str() else {
            return self.model.violation(Law::Shape, &value.to_string());
        };
        if self.clients[c].period.is_none() {
            return self.model.violation(Law::I10, &value.to_string());
        }
        self.model.checked(Law::I10);
        let chat = channel.strip_prefix("room:");
        if chat.is_some_and(|chat| self.is_replayed(c, chat, value)) {
            return;
        }
        if let Some(offset) = value["offset"].as_u64() {
            let epoch = value["epoch"].as_str().unwrap_or_default();
            self.model.same_for_all(channel, epoch, offset, text);
        }
        match chat {
            Some(chat) => self.room_event(c, chat, word, value),
            None if let Some(user) = channel.strip_prefix("user:") => {
                self.inbox_event(c, user, word, value);
            }
            None if word == "execution_update" => self.execution_event(c, channel, value),
            None if word == "presence" => self.presence_event(c, channel, value),
            None => self.channel_event(c, channel, value),
        }
    }

    /// I11: who comes was not there, who goes was, by what this client was told before.
    fn presence_event(&mut self, c: usize, channel: &str, value: &Value) {
        self.model.checked(Law::I11);
        let (user, change) = (&value["payload"]["user_id"], &value["payload"]["change"]);
        let user = user.as_str().unwrap_or_default().to_owned();
        let subscription = self.clients[c].subscriptions.get_mut(channel);
        let present = subscription.and_then(|subscription| subscription.present.as_mut());
        let fits = present.is_some_and(|present| match change.as_str() {
            Some("join") => present.insert(user),
            Some("leave") => present.remove(&user),
            _ => false,
        });
        if !fits {
            self.model.violation(Law::I11, &format!("client {c}: {value}"));
        }
    }

    /// I11: whoever watches a channel knows who is there when nothing happens any more.
    pub(crate) fn watchers_know(&mut self) {
        let mut broken = Vec::new();
        for (c, client) in self.clients.iter().enumerate() {
            for (channel, subscription) in &client.subscriptions {
                let Some(known) = &subscription.present else { continue };
                let there = self.server.who_is_there(channel);
                let subscribed = self.clients.iter().filter(|other| {
                    other.period.is_some() && other.subscriptions.contains_key(channel)
                });
                let users = subscribed.filter_map(|other| other.period.as_ref());
                let missing = users.into_iter().any(|period| !known.contains(&period.user));
                if *known != there || missing {
                    broken.push(format!("client {c} in {channel} knows {known:?} of {there:?}"));
                }
            }
        }
        self.model.checked(Law::I11);
        for what in broken {
            self.model.violation(Law::I11, &what);
        }
    }

    fn room_event(&mut self, c: usize, chat: &str, word: &str, value: &Value) {
        let now = self.now.monotonic;
        let client = &mut self.clients[c];
        let me = client.period.as_ref().map(|period| period.user.clone()).unwrap_or_default();
        let about_me = value["payload"]["user"]["id"] == me.as_str();
        match word {
            "member:joined" if about_me => {
                client.left.remove(chat);
            }
            _ if client.left.contains(chat) => {
                // Having come back by another connection is told by `member:joined` first.
                return self.model.violation(Law::I10, &value.to_string());
            }
            "member:left" if about_me => {
                client.left.insert(chat.to_owned());
            }
            _ => {}
        }
        if word == "message" {
            let payload = &value["payload"];
            let message =
                if payload["message"].is_object() { &payload["message"] } else { payload };
            self.model.placed(message);
            client.has_seen(chat, message["seq"].as_u64().unwrap_or(0));
        }
        match (value["offset"].as_u64(), &mut client.period) {
            (Some(offset), Some(period)) => period.heard(chat, offset),
            _ => {
                if !self.model.was_member(chat, &me, now) {
                    self.model.violation(Law::I10, &value.to_string());
                }
            }
        }
    }

    fn channel_event(&mut self, c: usize, channel: &str, value: &Value) {
        let Some(place) = place_of(value) else {
            return self.model.violation(Law::Shape, &value.to_string());
        };
        let (now, op, offset) = (self.now.monotonic, op_of(&value["payload"]), place.1);
        self.model.top(channel, &place.0, offset);
        self.model.publication_at(now, channel, &place, op);
        let client = &mut self.clients[c];
        let Some(subscription) = client.subscriptions.get_mut(channel) else {
            return self.model.violation(Law::I10, &value.to_string());
        };
        self.model.checked(Law::I5);
        if let Err(next) = subscription.hear(&place) {
            let what = format!("client {c}: {next} should come: {value}");
            return self.model.violation(Law::I5, &what);
        }
        let payload = &value["payload"];
        let mine = payload["pipe"].as_u64() == client.pipe.map(|pipe| pipe as u64);
        // Told again is also what was not wanted then.
        if mine
            && offset > subscription.until
            && (payload["echo"] != true || !client.published.contains(&op))
        {
            let what = format!("first the reply, then the event, if it is wanted: {value}");
            self.model.violation(Law::I5, &what);
        }
    }

    pub(crate) fn subscribed(
        &mut self,
        c: usize,
        channel: String,
        (since, least): (Option<&Place>, Option<&Place>),
        data: &Value,
    ) {
        let epoch = data["epoch"].as_str().unwrap_or_default().to_owned();
        let last = data["offset"].as_u64().unwrap_or_default();
        let user = |user: &Value| user["user_id"].as_str().unwrap_or_default().to_owned();
        let users = data["presence"]["users"].as_array();
        self.stands(c, &channel, &(epoch.clone(), last), least);
        let present = users.map(|users| users.iter().map(user).collect());
        if let Some(since) = since {
            self.missed(&channel, since, (last, &epoch), data);
            let subscription = self.clients[c].subscriptions.entry(channel).or_default();
            subscription.present.clone_from(&present);
            if subscription.epoch != epoch {
                subscription.silent.clear();
            }
            subscription.silent.retain(|offset| *offset > last);
            (subscription.epoch, subscription.last) = (epoch, last);
            (subscription.more, subscription.lossy) = (false, false);
            subscription.present = present;
            return;
        }
        let subscription = self.clients[c].subscriptions.entry(channel.clone()).or_default();
        subscription.present.clone_from(&present);
        if subscription.epoch == epoch {
            subscription.last = subscription.settled();
            (subscription.more, subscription.lossy) = (false, false);
            subscription.pass_silent();
            if subscription.last != last {
                let what = format!("{channel}: {} heard, {last} told", subscription.last);
                self.model.violation(Law::I5, &what);
            }
            return;
        }
        *subscription = Subscription { epoch, last, present, ..Subscription::default() };
    }

    /// Where a channel stands, as somebody is told.
    fn stands(&mut self, c: usize, channel: &str, top: &Place, least: Option<&Place>) {
        let life = self.clients[c].pipe.map(|pipe| self.pipes[pipe].life).unwrap_or_default();
        self.model.numbering(channel, &top.0, life, self.now.monotonic);
        self.model.reaches(channel, least, top);
        self.model.top(channel, &top.0, top.1);
    }

    /// What was missed is told whole, or it is told that some of it is missing, which is so.
    fn missed(&mut self, channel: &str, since: &Place, (top, epoch): (u64, &str), data: &Value) {
        let seen = since.1;
        let events = data["events"].as_array().map(Vec::as_slice).unwrap_or_default();
        let now = self.now.monotonic;
        self.model.told(now, channel, epoch, events);
        let offsets: Vec<u64> = events.iter().filter_map(|e| e["offset"].as_u64()).collect();
        let whole = data["more"] == true || offsets.last().is_none_or(|last| *last == top);
        let all = since.0 == epoch
            && seen <= top
            && offsets.first().map_or(seen == top, |first| *first == seen + 1);
        let recovered = data["recovered"] == true;
        let place = (epoch.to_owned(), top);
        let must = self.model.told_lost(channel, since, &place, recovered, now);
        let begins = offsets.first().copied().unwrap_or(top + 1);
        if !whole || recovered != all || must.is_some_and(|must| must < begins) {
            let what = format!("{channel} since {since:?}: {data}, and {must:?} is there");
            self.model.violation(Law::I5, &what);
        }
    }

    /// A part of what a channel remembers.
    pub(crate) fn history_told(
        &mut self,
        c: usize,
        channel: &str,
        (since, least): (Option<&Place>, Option<&Place>),
        data: &Value,
    ) {
        let Some(top) = place_of(data) else {
            return self.model.violation(Law::Shape, &data.to_string());
        };
        self.stands(c, channel, &top, least);
        let events = data["events"].as_array().map(Vec::as_slice).unwrap_or_default();
        let now = self.now.monotonic;
        self.model.told(now, channel, &top.0, events);
        let offset = |event: Option<&Value>| event.and_then(|event| event["offset"].as_u64());
        let (first, last) = (offset(events.first()), offset(events.last()));
        // What is left after a place, or else the newest.
        let same = since.filter(|since| since.0 == top.0);
        let must = same.and_then(|since| self.model.told_lost(channel, since, &top, true, now));
        let late = must.is_some_and(|must| first.is_none_or(|first| first > must));
        let early = same.is_some_and(|since| first.is_some_and(|first| first <= since.1));
        let short = data["more"] != true && last.is_some_and(|last| last != top.1);
        if late || early || short && same.is_some() {
            let what = format!("{channel} since {since:?}: {data}, and {must:?} is there");
            self.model.violation(Law::I5, &what);
        }
    }

    pub(crate) fn published(&mut self, c: usize, channel: &str, echo: bool, op: u64, data: &Value) {
        let Some(place) = place_of(data) else {
            return self.model.violation(Law::Shape, &data.to_string());
        };
        self.stands(c, channel, &place, None);
        self.model.publication_acked(self.now.monotonic, op, channel, data);
        let client = &mut self.clients[c];
        client.published.insert(op);
        if let Some(subscription) = client.subscriptions.get_mut(channel)
            && !echo
            && data["duplicate"] != true
        {
            subscription.silent.insert(place.1);
        }
    }
}

impl Subscription {
    /// Passes over what is ours and was not wanted.
    pub(crate) fn pass_silent(&mut self) {
        while self.silent.remove(&(self.last + 1)) {
            self.last += 1;
        }
    }

    /// The next event; `Err` when another one should have come.
    fn hear(&mut self, place: &Place) -> Result<(), u64> {
        let offset = place.1;
        let lossy = std::mem::take(&mut self.lossy);
        let lost = lossy && self.must.is_none_or(|must| offset <= must);
        let above = (self.until + 1..).find(|one| !self.silent.contains(one));
        let behind_more = self.more && self.last < self.until && above == Some(offset);
        if lost && above.is_some_and(|above| offset <= above) || behind_more {
            self.last = self.last.max(offset - 1);
            self.silent.retain(|silent| *silent >= offset);
        }
        self.pass_silent();
        let next = self.last + 1;
        if self.epoch != place.0 || offset != next {
            return Err(next);
        }
        self.last = offset;
        Ok(())
    }

    /// The newest offset that was heard, or that will not come.
    pub(crate) fn settled(&self) -> u64 {
        let over = self.more || self.lossy && self.must.is_none();
        if over { self.last.max(self.until) } else { self.last }
    }
}
