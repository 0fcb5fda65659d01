//! Coming back: `resume` at sign-in, and what is told behind its ok before anything new.
//!
//! Law: what was missed comes whole, in order and once, then what is new; or it is told that some is
//! lost, and that is so. What a room tells again is held to that here, what a channel does with its
//! events.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::client::Client;
use crate::hearing::Subscription;
use crate::law::Law;
use crate::publications::{Place, STORED};
use crate::world::World;

/// Where channels were left.
pub(crate) type Places = BTreeMap<String, Place>;

/// What a room tells again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Replay {
    next: u64,
    top: u64,
    /// Not all of it comes by itself.
    more: bool,
}

impl Replay {
    /// Whether an event of this offset is told again; `Err` when it should not have come yet.
    pub(crate) fn takes(&mut self, offset: u64) -> Result<bool, u64> {
        if offset > self.top {
            return if self.is_over() { Ok(false) } else { Err(self.next) };
        }
        if offset != self.next {
            return Err(self.next);
        }
        self.next += 1;
        Ok(true)
    }

    /// Whether nothing more has to come.
    pub(crate) const fn is_over(self) -> bool {
        self.next > self.top || self.more
    }
}

impl Client {
    /// Remembers how far it has heard everything.
    pub(crate) fn leave_places(&mut self) {
        self.watches.clear();
        for (channel, subscription) in std::mem::take(&mut self.subscriptions) {
            if !subscription.epoch.is_empty() {
                let last = subscription.settled();
                self.places.insert(channel, (subscription.epoch, last));
            }
        }
        let rooms = self.period.iter().flat_map(|period| &period.rooms);
        for (chat, offsets) in rooms {
            let Some(last) = offsets.last() else { continue };
            let place = self.places.entry(format!("room:{chat}"));
            let place = place.or_insert_with(|| (STORED.to_owned(), *last));
            place.1 = place.1.max(*last);
        }
    }
}

impl World {
    /// Some of the channels that were heard before, to be heard again.
    pub(crate) fn resumes(&mut self, c: usize) -> Places {
        if self.plan.hub.is_none() || self.rng.below(3) == 0 {
            return Places::new();
        }
        let (most, all) = (1 + self.rng.below(8), self.clients[c].places.clone());
        all.into_iter().filter(|_| self.rng.below(8) < most).collect()
    }

    /// The ok of a sign-in says where channels stand that are heard again.
    pub(crate) fn resumed(&mut self, c: usize, asked: Places, told: &Value) {
        let now = self.now.monotonic;
        let life = self.clients[c].pipe.map(|pipe| self.pipes[pipe].life);
        let count = told.as_object().map_or(0, serde_json::Map::len);
        let answered = asked.keys().filter(|channel| told.get(channel).is_some()).count();
        if count != answered {
            self.model.violation(Law::I5, &format!("{told} was not asked for: {asked:?}"));
        }
        for (channel, since) in asked {
            let told = &told[&channel];
            let room = channel.strip_prefix("room:");
            if told.is_null() {
                if room.is_none() {
                    self.model.violation(Law::I5, &format!("{channel} is not resumed"));
                }
                continue;
            }
            let epoch = told["epoch"].as_str().unwrap_or_default().to_owned();
            let top = told["offset"].as_u64().unwrap_or_default();
            let (recovered, more) = (told["recovered"] == true, told["more"] == true);
            if let Some(chat) = room {
                self.room_resumed(c, chat, &since, (&epoch, top), (recovered, more));
                continue;
            }
            self.model.numbering(&channel, &epoch, life.unwrap_or_default(), now);
            self.model.top(&channel, &epoch, top);
            let place = (epoch.clone(), top);
            let must = self.model.told_lost(&channel, &since, &place, recovered, now);
            let last = if since.0 == epoch { since.1 } else { 0 };
            let lossy = !recovered;
            let back =
                Subscription { epoch, last, until: top, more, lossy, must, ..<_>::default() };
            self.clients[c].subscriptions.insert(channel, back);
        }
    }

    fn room_resumed(
        &mut self,
        c: usize,
        chat: &str,
        since: &Place,
        (epoch, top): (&str, u64),
        (recovered, more): (bool, bool),
    ) {
        self.model.checked(Law::I5);
        let Some(period) = &mut self.clients[c].period else { return };
        let replay = Replay { next: since.1 + 1, top, more };
        period.replays.insert(chat.to_owned(), replay);
        let member = self.model.was_member(chat, &period.user, self.now.monotonic);
        if !recovered || epoch != since.0 || since.1 > top || !member {
            let what = format!("room:{chat} from {since:?}: {recovered}, {top} of {epoch}");
            self.model.violation(Law::I5, &what);
        }
    }

    /// Whether an event of a room is one of those told again.
    pub(crate) fn is_replayed(&mut self, c: usize, chat: &str, value: &Value) -> bool {
        let period = self.clients[c].period.as_mut();
        let replay = period.and_then(|period| period.replays.get_mut(chat));
        let (Some(replay), Some(offset)) = (replay, value["offset"].as_u64()) else { return false };
        match replay.takes(offset) {
            Ok(replayed) => replayed,
            Err(next) => {
                let what = format!("client {c}: {next} should come: {value}");
                self.model.violation(Law::I5, &what);
                false
            }
        }
    }

    /// At rest everything that was to be told again has been.
    pub(crate) fn replays_are_over(&mut self, c: usize) {
        let period = self.clients[c].period.iter();
        let open = period.flat_map(|period| &period.replays).find(|(_, one)| !one.is_over());
        if let Some((chat, replay)) = open {
            let what = format!("client {c} in {chat}: {replay:?}");
            self.model.violation(Law::I5, &what);
        }
    }
}

/// The member `resume` of a request.
pub(crate) fn written(places: &Places) -> Value {
    let place = |place: &Place| json!({"epoch": place.0, "offset": place.1});
    places.iter().map(|(channel, at)| (channel.clone(), place(at))).collect()
}
