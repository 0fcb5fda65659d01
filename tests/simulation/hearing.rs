//! Events as a connection hears them: of rooms, and of channels that live in memory.

use serde_json::Value;

use crate::client::Subscription;
use crate::law::Law;
use crate::world::World;

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
        if let Some(offset) = value["offset"].as_u64() {
            let epoch = value["epoch"].as_str().unwrap_or_default();
            self.model.same_for_all(channel, epoch, offset, text);
        }
        match channel.strip_prefix("room:") {
            Some(chat) => self.room_event(c, chat, word, value),
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
        let (Some(offset), Some(epoch)) = (value["offset"].as_u64(), value["epoch"].as_str())
        else {
            return self.model.violation(Law::Shape, &value.to_string());
        };
        self.model.top(channel, epoch, offset);
        let client = &mut self.clients[c];
        let Some(subscription) = client.subscriptions.get_mut(channel) else {
            return self.model.violation(Law::I10, &value.to_string());
        };
        self.model.checked(Law::I5);
        subscription.pass_silent();
        let next = subscription.last + 1;
        if subscription.epoch != epoch || offset != next {
            let what = format!("{next} should come: {value}");
            return self.model.violation(Law::I5, &what);
        }
        subscription.last = offset;
        let payload = &value["payload"];
        let mine = payload["pipe"].as_u64() == client.pipe.map(|pipe| pipe as u64);
        let op = payload["op"].as_u64().unwrap_or_default();
        if mine && (payload["echo"] != true || !client.published.contains(&op)) {
            let what = format!("first the reply, then the event, if it is wanted: {value}");
            self.model.violation(Law::I5, &what);
        }
    }

    pub(crate) fn subscribed(
        &mut self,
        c: usize,
        channel: String,
        since: Option<&(u64, String)>,
        data: &Value,
    ) {
        let epoch = data["epoch"].as_str().unwrap_or_default().to_owned();
        let last = data["offset"].as_u64().unwrap_or_default();
        let user = |user: &Value| user["user_id"].as_str().unwrap_or_default().to_owned();
        let users = data["presence"]["users"].as_array();
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
            subscription.present = present;
            return;
        }
        let subscription = self.clients[c].subscriptions.entry(channel.clone()).or_default();
        subscription.present.clone_from(&present);
        if subscription.epoch == epoch {
            subscription.pass_silent();
            if subscription.last != last {
                let what = format!("{channel}: {} heard, {last} told", subscription.last);
                self.model.violation(Law::I5, &what);
            }
            return;
        }
        *subscription = Subscription { epoch, last, present, ..Subscription::default() };
    }

    /// What was missed is told whole, or it is told that some of it is missing, which is so.
    fn missed(&mut self, channel: &str, since: &(u64, String), top: (u64, &str), data: &Value) {
        let (seen, (top, epoch)) = (since.0, top);
        let events = data["events"].as_array().map(Vec::as_slice).unwrap_or_default();
        let offsets: Vec<u64> = events.iter().filter_map(|e| e["offset"].as_u64()).collect();
        let whole = offsets.windows(2).all(|pair| pair[1] == pair[0] + 1)
            && events.iter().all(|e| e["epoch"] == epoch && e["channel"] == channel)
            && (data["more"] == true || offsets.last().is_none_or(|last| *last == top));
        let all = since.1 == epoch
            && seen <= top
            && offsets.first().map_or(seen == top, |first| *first == seen + 1);
        self.model.top(channel, epoch, top);
        self.model.checked(Law::I5);
        if !whole || data["recovered"] != all {
            let what = format!("{channel} since {seen} of {}: {data}", since.1);
            self.model.violation(Law::I5, &what);
        }
    }

    pub(crate) fn published(&mut self, c: usize, channel: &str, echo: bool, op: u64, data: &Value) {
        let (Some(offset), Some(epoch)) = (data["offset"].as_u64(), data["epoch"].as_str()) else {
            return self.model.violation(Law::Shape, &data.to_string());
        };
        self.model.top(channel, epoch, offset);
        let client = &mut self.clients[c];
        client.published.insert(op);
        if let Some(subscription) = client.subscriptions.get_mut(channel)
            && !echo
        {
            subscription.silent.insert(offset);
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
}
