//! What clients ask for where there is more than rooms: who wants what, and channels that are stored.

use serde_json::json;

use crate::client::Kind;
use crate::publications::Asked;
use crate::workload::Wish;
use crate::world::World;

impl World {
    /// Something beside rooms, for whoever wants it now.
    pub(crate) fn hub_wish(&mut self, c: usize) -> Option<Wish> {
        self.plan.hub?;
        let user = self.clients[c].user;
        if user == self.plan.users {
            return Some(self.service_wish(c));
        }
        let watches = user > self.plan.users;
        match self.rng.below(12) {
            0..=4 if watches => Some(self.watch_executions()),
            0..=4 => None,
            5..=7 => self.call(c),
            8 | 9 => Some(self.about_inbox(c)),
            _ => Some(self.about_stored_channels(c)),
        }
    }

    /// A service sends, reports and serves.
    fn service_wish(&mut self, c: usize) -> Wish {
        if self.clients[c].serves.is_empty() && self.rng.below(2) == 0 {
            return self.serve(c);
        }
        match self.rng.below(12) {
            0..=3 => self.about_users(),
            4..=6 => self.update_execution(),
            7 => self.serve(c),
            8 | 9 => self.watch_executions(),
            _ => self.about_stored_channels(c),
        }
    }

    fn about_stored_channels(&mut self, c: usize) -> Wish {
        let name = ["log", "log", "tail", "public"][self.rng.below(4) as usize];
        let channel = format!("{name}:{}", self.rng.below(2));
        match self.rng.below(10) {
            0..3 => self.subscribe(c, channel),
            3 => {
                (json!({"type": "unsubscribe", "channel": channel}), Kind::Unsubscribe { channel })
            }
            4..6 => self.page_of(c, channel),
            _ => self.new_publication(c, channel, true),
        }
    }

    fn page_of(&mut self, c: usize, channel: String) -> Wish {
        let client = &self.clients[c];
        let stands = client.subscriptions.get(&channel).map(|s| (s.epoch.clone(), s.last / 2));
        let since = stands.or_else(|| client.places.get(&channel).cloned());
        let since = since.filter(|since| self.rng.below(3) > 0 && !since.0.is_empty());
        let mut wish = json!({"type": "history", "channel": channel});
        if let Some((epoch, offset)) = &since {
            wish["since"] = json!({"offset": offset, "epoch": epoch});
        }
        if self.rng.below(2) == 0 {
            wish["limit"] = json!(1 + self.rng.below(9));
        }
        let least = self.model.publications.newest(&channel);
        (wish, Kind::History { channel, since, least })
    }

    /// A publication that was not sent before; with a name it is sent until its fate is known.
    pub(crate) fn new_publication(&mut self, c: usize, channel: String, named: bool) -> Wish {
        let (op, echo) = (self.next_op(), self.rng.below(3) > 0);
        let pipe = self.clients[c].pipe.unwrap_or_default();
        let asked = Asked::new(pipe, channel, self.now.monotonic);
        let client_id = named.then(|| format!("p{op}"));
        self.model.publications.asked.insert(op, Asked { client_id, echo, ..asked });
        if named {
            self.clients[c].unacked.push_back(op);
        }
        self.publication(c, op)
    }

    pub(crate) fn publication(&mut self, c: usize, op: u64) -> Wish {
        let asked = self.model.publications.asked.get_mut(&op).expect("it was made before");
        asked.attempts += 1;
        let (channel, echo) = (asked.channel.clone(), asked.echo);
        let payload = json!({"op": op, "echo": echo, "pipe": self.clients[c].pipe,
                             "text": "a\nb"});
        let mut wish = json!({"type": "publish", "channel": channel, "payload": payload,
                              "echo": echo});
        if let Some(client_id) = &asked.client_id {
            wish["client_id"] = json!(client_id);
        }
        (wish, Kind::Publish { channel, echo, op })
    }
}
