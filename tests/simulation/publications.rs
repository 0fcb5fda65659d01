//! Publications as they must be: what was asked for, where it went, what must still be there.
//!
//! `log:` keeps all on the disk, `tail:` the newest there, `public:` the newest in memory. Law: an
//! offset of a numbering is one publication, wherever it is read; a publication has one place, unless
//! its first one was forgotten; a numbering in memory is of one life of the server.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use stentor::store::publication::{Keep, Publications as Found};
use stentor::store::{Found as Answer, Read, Reader};

use crate::hub::Hub;
use crate::law::Law;
use crate::model::Model;

/// How long a channel in memory keeps a publication, and how long it outlives its last use.
const KEPT_FOR: Duration = Duration::from_secs(300);
/// The epoch of what is stored.
pub(crate) const STORED: &str = "1";

/// Something that somebody wanted to publish.
pub(crate) struct Asked {
    /// The connection that it was sent on first.
    pub(crate) pipe: usize,
    pub(crate) channel: String,
    pub(crate) client_id: Option<String>,
    pub(crate) echo: bool,
    pub(crate) first_at: Duration,
    pub(crate) attempts: u32,
    /// Whether some attempt has no known end.
    pub(crate) unknown: bool,
    /// When its places were first told to who asked.
    pub(crate) acks: BTreeMap<Place, Duration>,
}

impl Asked {
    pub(crate) fn new(pipe: usize, channel: String, first_at: Duration) -> Self {
        let (client_id, acks) = (None, BTreeMap::new());
        Self { pipe, channel, client_id, echo: true, first_at, attempts: 0, unknown: false, acks }
    }
}

/// A numbering, and an offset of it.
pub(crate) type Place = (String, u64);

/// A numbering of a channel.
struct Numbering {
    epoch: String,
    /// Which life of the server it is of.
    life: u64,
    /// Something of it was asked for then, or later.
    used: Duration,
}

/// Of all channels but rooms and inboxes.
#[derive(Default)]
pub(crate) struct Publications {
    pub(crate) asked: BTreeMap<u64, Asked>,
    /// What the disk has of a channel, in the order of commits.
    stored: BTreeMap<String, Vec<u64>>,
    /// Which publication is at each place of a channel, wherever it was seen.
    at: BTreeMap<(String, Place), u64>,
    places: BTreeMap<u64, BTreeSet<Place>>,
    numberings: BTreeMap<String, Vec<Numbering>>,
    /// The newest place that was acknowledged, by channel.
    newest: BTreeMap<String, Place>,
    memory: u64,
    tail: u64,
}

pub(crate) fn is_stored(channel: &str) -> bool {
    channel.starts_with("log:") || channel.starts_with("tail:")
}

impl Publications {
    pub(crate) fn new(hub: Option<Hub>) -> Self {
        let (memory, tail) = hub.map_or((100, 0), |hub| (hub.memory, hub.tail));
        Self { memory: memory.into(), tail: tail.into(), ..Self::default() }
    }

    /// Whether something must still be there when `top` is the newest.
    fn must_exist(&self, channel: &str, place: &Place, top: u64, now: Duration) -> bool {
        let behind = top.saturating_sub(place.1);
        if place.1 == 0 || place.1 > top || channel.starts_with("log:") {
            return place.1 > 0 && place.1 <= top;
        }
        if channel.starts_with("tail:") {
            return behind < self.tail;
        }
        let op = self.at.get(&(channel.to_owned(), place.clone()));
        let asked = op.and_then(|op| self.asked.get(op));
        behind < self.memory && asked.is_some_and(|asked| asked.first_at + KEPT_FOR > now)
    }

    /// The newest place that was acknowledged to anybody.
    pub(crate) fn newest(&self, channel: &str) -> Option<Place> {
        self.newest.get(channel).cloned()
    }
}

impl Model {
    /// The writer has committed a publication.
    pub(crate) fn publication_committed(
        &mut self,
        at: Duration,
        (channel, offset): (&str, u64),
        payload: &str,
    ) {
        let op = op_of(&serde_json::from_str(payload).unwrap_or_default());
        self.checked(Law::I4);
        let line = self.publications.stored.entry(channel.to_owned()).or_default();
        line.push(op);
        if offset != line.len() as u64 {
            let what = format!("{offset} after {} in {channel}", line.len() - 1);
            return self.violation(Law::I4, &what);
        }
        self.publication_at(at, channel, &(STORED.to_owned(), offset), op);
    }

    /// I2 and I3: what is at a place was asked for, and is there alone.
    pub(crate) fn publication_at(&mut self, now: Duration, channel: &str, place: &Place, op: u64) {
        self.checked(Law::I3);
        let all = &mut self.publications;
        let key = (channel.to_owned(), place.clone());
        let there = *all.at.entry(key).or_insert(op);
        if there != op {
            let what = format!("{op} is at {place:?} of {channel}, where {there} is");
            return self.violation(Law::I3, &what);
        }
        let Some(asked) = all.asked.get(&op).filter(|asked| asked.channel == channel) else {
            return self.violation(Law::I2, &format!("nobody published {op} in {channel}"));
        };
        let named = asked.client_id.is_some();
        let places = all.places.entry(op).or_default();
        if !places.insert(place.clone()) {
            return;
        }
        let others: Vec<Place> = places.iter().filter(|other| *other != place).cloned().collect();
        for other in others {
            let (old, new) = if other.1 < place.1 { (&other, place) } else { (place, &other) };
            let again = all.must_exist(channel, old, new.1 - 1, now);
            if old.0 == new.0 && (again || !named) {
                let what = format!("{op} of {channel} is at {old:?} and at {new:?}");
                return self.violation(Law::I3, &what);
            }
        }
    }

    /// A numbering was heard of on a connection that began in `life`; what was heard was asked for
    /// at `used` or later.
    pub(crate) fn numbering(&mut self, channel: &str, epoch: &str, life: u64, now: Duration) {
        self.checked(Law::I5);
        if is_stored(channel) {
            if epoch != STORED {
                self.violation(Law::I5, &format!("{channel} has the epoch {epoch}"));
            }
            return;
        }
        let all = self.publications.numberings.entry(channel.to_owned()).or_default();
        if let Some(known) = all.iter().find(|known| known.epoch == epoch) {
            if known.life != life {
                let what = format!("{epoch} of {channel} outlived its server");
                self.violation(Law::I5, &what);
            }
            return;
        }
        let busy = all.iter().find(|known| known.life == life && known.used + KEPT_FOR > now);
        let what = busy.map(|busy| format!("{channel} was {}, and is {epoch}", busy.epoch));
        all.push(Numbering { epoch: epoch.to_owned(), life, used: Duration::ZERO });
        if let Some(what) = what {
            self.violation(Law::I5, &what);
        }
    }

    /// The ok of a publication.
    pub(crate) fn publication_acked(
        &mut self,
        now: Duration,
        op: u64,
        channel: &str,
        data: &Value,
    ) {
        let Some(place) = place_of(data) else { return };
        self.publication_at(now, channel, &place, op);
        let all = &mut self.publications;
        let numberings = all.numberings.get_mut(channel).into_iter().flatten();
        let Some(asked) = all.asked.get_mut(&op) else { return };
        for numbering in numberings.filter(|numbering| numbering.epoch == place.0) {
            numbering.used = numbering.used.max(asked.first_at);
        }
        let newest = all.newest.entry(channel.to_owned()).or_insert_with(|| place.clone());
        if newest.0 != place.0 || newest.1 < place.1 {
            *newest = place.clone();
        }
        let again = asked.acks.insert(place.clone(), now);
        asked.acks.entry(place.clone()).and_modify(|at| *at = again.unwrap_or(*at));
        let duplicate = data["duplicate"] == true;
        if duplicate && asked.attempts < 2 || again.is_some() && !duplicate {
            let what = format!("{op} of {channel}, sent {} times: {data}", asked.attempts);
            self.violation(Law::I3, &what);
        }
    }

    /// I5: whether it is true that something is lost after `since`, or that nothing is. Gives the first
    /// offset that must still come, if one must.
    pub(crate) fn told_lost(
        &mut self,
        channel: &str,
        since: &Place,
        top: &Place,
        recovered: bool,
        now: Duration,
    ) -> Option<u64> {
        self.checked(Law::I5);
        let same = since.0 == top.0;
        let from = if same { since.1 + 1 } else { 1 };
        let is_there = |offset: &u64| {
            self.publications.must_exist(channel, &(top.0.clone(), *offset), top.1, now)
        };
        let must = (from..=top.1).find(is_there);
        let nothing_lost = same && (since.1 == top.1 || must == Some(from));
        let impossible = recovered && !same || same && since.1 > top.1;
        if !recovered && nothing_lost || impossible {
            let what = format!("{channel} from {since:?} to {top:?}: recovered is {recovered}");
            self.violation(Law::I5, &what);
        }
        must
    }

    /// I8: what is told of a channel reaches what was acknowledged before it was asked for.
    pub(crate) fn reaches(&mut self, channel: &str, least: Option<&Place>, top: &Place) {
        self.checked(Law::I8);
        if let Some(least) = least.filter(|least| least.0 == top.0 && least.1 > top.1) {
            let what = format!("{channel}: up to {top:?} after the ack of {least:?}");
            self.violation(Law::I8, &what);
        }
    }

    /// Publications as they are told in replies: in order, without a hole, each at its place.
    pub(crate) fn told(&mut self, now: Duration, channel: &str, epoch: &str, events: &[Value]) {
        self.checked(Law::I4);
        let offsets: Vec<u64> = events.iter().filter_map(|e| e["offset"].as_u64()).collect();
        let whole = offsets.len() == events.len()
            && offsets.windows(2).all(|pair| pair[1] == pair[0] + 1)
            && events.iter().all(|e| e["epoch"] == epoch && e["channel"] == channel);
        if !whole {
            self.violation(Law::I4, &format!("{channel} of {epoch}: {events:?}"));
        }
        for (event, offset) in events.iter().zip(offsets) {
            let op = op_of(&event["payload"]);
            self.publication_at(now, channel, &(epoch.to_owned(), offset), op);
        }
    }

    /// The disk holds what was committed, and that what was acknowledged; I6 and I7 of all channels.
    pub(crate) fn publications_are_kept(&mut self, reader: &mut dyn Reader) {
        let mut broken = Vec::new();
        for (name, line) in &self.publications.stored {
            let (channel, after) = (Arc::from(name.as_str()), Some(0));
            let (limit, keep) = (u32::MAX, Keep::default());
            let read = Read::Publications { channel, after, limit, keep, now_ms: 0 };
            let Ok(Answer::Publications(Found { events, first, top, .. })) = reader.read(&read)
            else {
                continue;
            };
            let payload = |text: &str| op_of(&serde_json::from_str(text).unwrap_or_default());
            let ops: Vec<u64> = events.iter().map(|one| payload(one.payload.as_str())).collect();
            self.checked.count(Law::I1);
            let kept = line.get(first as usize - 1..).unwrap_or_default();
            let least =
                if name.starts_with("log:") { top } else { top.min(self.publications.tail) };
            if ops != kept || top != line.len() as u64 || (ops.len() as u64) < least {
                broken.push((Law::I1, format!("{read:?}: {ops:?} from {first} of {line:?}")));
            }
        }
        for (op, asked) in &self.publications.asked {
            let line = self.publications.stored.get(&asked.channel);
            for (_, offset) in asked.acks.keys().filter(|_| is_stored(&asked.channel)) {
                self.checked.count(Law::I1);
                if line.and_then(|line| line.get(*offset as usize - 1)) != Some(op) {
                    broken.push((Law::I1, format!("{op} is not at {offset} of {}", asked.channel)));
                }
            }
            let there = self.publications.places.contains_key(op);
            if there && asked.acks.is_empty() && !asked.unknown {
                broken.push((Law::I2, format!("{op} was refused, and is in {}", asked.channel)));
            }
        }
        self.violations.append(&mut broken);
        self.publications_are_in_order();
    }

    fn publications_are_in_order(&mut self) {
        let mut broken = Vec::new();
        let mut line = None;
        let (mut latest, mut last_of) = (Duration::ZERO, BTreeMap::new());
        for ((channel, place), op) in &self.publications.at {
            if line != Some((channel, &place.0)) {
                line = Some((channel, &place.0));
                (latest, last_of) = (Duration::ZERO, BTreeMap::new());
            }
            let Some(asked) = self.publications.asked.get(op) else { continue };
            self.checked.count(Law::I6);
            if asked.acks.get(place).is_some_and(|at| *at < latest) {
                broken.push((Law::I6, format!("{op} was acked before one below it was sent")));
            }
            latest = latest.max(asked.first_at);
            if asked.attempts == 1 {
                self.checked.count(Law::I7);
                let last = last_of.insert(asked.pipe, *op).unwrap_or_default();
                if *op < last {
                    broken.push((Law::I7, format!("{op} is behind {last} in {channel}")));
                }
            }
        }
        self.violations.append(&mut broken);
    }
}

/// Which publication a payload is of.
pub(crate) fn op_of(payload: &Value) -> u64 {
    payload["op"].as_u64().unwrap_or_default()
}

/// The place that a reply or an event tells.
pub(crate) fn place_of(value: &Value) -> Option<Place> {
    Some((value["epoch"].as_str()?.to_owned(), value["offset"].as_u64()?))
}
