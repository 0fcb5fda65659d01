//! A subscriber that is cut off again and again while much is published on three loops, and comes
//! back by `resume`: every offset once and in order, or a `recovered:false` that is true.
//!
//! `RESUME_EVENTS` and `RESUME_CUTS` make it longer (CONTRIBUTING). `controls` shows what is caught.

use std::collections::BTreeMap;
use std::thread;

use serde_json::{Map, Value, json};

use crate::doors::Client;
use crate::server::{Folder, Server};

/// In memory with the usual history, with a short one, and stored.
const CHANNELS: [(&str, Option<u64>); 3] =
    [("public:r", Some(100)), ("short:r", Some(10)), ("log:r", None)];

/// What is seen of one channel.
#[derive(Default)]
struct Seen {
    epoch: String,
    last: u64,
    /// How many publications the channel keeps; none: all.
    keeps: Option<u64>,
    /// Up to where the reply said there is more than it gave.
    until: u64,
    /// What came live before that was read.
    early: Vec<u64>,
    /// Whether the reply said that some are missing.
    lossy: bool,
    lost: u64,
}

impl Seen {
    /// The server has said where the channel stands.
    fn resumed(&mut self, told: &Value) {
        let top = told["offset"].as_u64().expect("an offset");
        let epoch = told["epoch"].as_str().expect("an epoch").to_owned();
        let first = std::mem::replace(&mut self.epoch, epoch).is_empty();
        assert!(self.early.is_empty() && top >= self.last, "{top} after {}", self.last);
        self.lossy = told["recovered"] == false;
        if self.lossy && !first {
            let kept = self.keeps.expect("what is stored is recovered");
            assert!(top - self.last > kept, "{} of {top} are not lost: {kept} are kept", self.last);
        }
        self.until = if told["more"] == true { top } else { 0 };
        if self.lossy && told["more"] == false {
            // What is left is the end of it, all that is kept.
            let left = self.last.max(top - top.min(self.keeps.unwrap_or(top)));
            self.lost += left - self.last;
            self.last = left;
        }
    }

    /// An event that was read or came.
    fn event(&mut self, offset: u64) {
        if offset > self.last + 1 && self.lossy {
            self.lost += offset - self.last - 1;
            self.last = offset - 1;
        }
        assert_eq!(offset, self.last + 1, "once and in order");
        self.last = offset;
        self.lossy = false;
    }

    /// An event that came; behind what is still to be read it waits.
    fn came(&mut self, offset: u64) {
        if offset > self.until && self.last < self.until {
            self.early.push(offset);
        } else {
            self.event(offset);
        }
    }
}

struct Subscriber {
    address: String,
    token: String,
    channels: BTreeMap<&'static str, Seen>,
    rng: u64,
}

impl Subscriber {
    fn random(&mut self, below: u64) -> u64 {
        self.rng = self
            .rng
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.rng >> 33) % below
    }

    fn total(&self) -> u64 {
        self.channels.values().map(|seen| seen.last).sum()
    }

    /// Comes back, hears at least so many events, and is cut off.
    fn visit(&mut self, events: u64) {
        let web = self.random(2) == 0;
        let mut client = Client::new(&self.address, web);
        let place = |(name, seen): (&&str, &Seen)| {
            ((*name).to_owned(), json!({"offset": seen.last, "epoch": seen.epoch}))
        };
        let resume: Map<String, Value> = self.channels.iter().map(place).collect();
        let auth = json!({"type": "auth", "token": self.token, "resume": resume});
        if self.random(10) == 0 {
            client.say(&auth).expect("sent");
            return;
        }
        let resumed = client.ok(&auth)["resumed"].take();
        for (name, seen) in &mut self.channels {
            seen.resumed(&resumed[name]);
        }
        let start = self.total();
        while let Some(name) = self.unread() {
            self.read_on(&mut client, name);
        }
        while self.total() < start + events {
            let event = client.object().expect("the server stays");
            self.heard(&event);
        }
    }

    /// A channel of which there is more than came.
    fn unread(&self) -> Option<&'static str> {
        let mut channels = self.channels.iter();
        channels.find(|(_, seen)| seen.last < seen.until).map(|(name, _)| *name)
    }

    fn heard(&mut self, event: &Value) {
        if let Some(name) = event["channel"].as_str() {
            let seen = self.channels.get_mut(name).expect("a channel of ours");
            assert_eq!(event["epoch"], seen.epoch.as_str());
            seen.came(event["offset"].as_u64().expect("an offset"));
        }
    }

    /// One more page of a channel; what comes meanwhile is taken as it comes.
    fn read_on(&mut self, client: &mut Client, name: &'static str) {
        let seen = &self.channels[name];
        let since = json!({"offset": seen.last, "epoch": seen.epoch});
        client.say(&json!({"type": "history", "channel": name, "since": since})).expect("sent");
        let page = loop {
            let object = client.object().expect("the server stays");
            if object["status"] == "ok" {
                break object;
            }
            self.heard(&object);
        };
        let seen = self.channels.get_mut(name).expect("a channel of ours");
        let events = page["data"]["events"].as_array().expect("events");
        for event in events {
            let offset = event["offset"].as_u64().expect("an offset");
            if offset > seen.until {
                break;
            }
            // What came of the resumed page while this was on its way is here again.
            if offset > seen.last {
                seen.lossy |= seen.keeps.is_some();
                seen.event(offset);
            }
        }
        if seen.last >= seen.until || events.is_empty() {
            seen.until = 0;
            std::mem::take(&mut seen.early).into_iter().for_each(|offset| seen.event(offset));
        }
    }
}

/// Publishes so many events, at most 32 of them unanswered; where the channels stand then.
fn publish(address: &str, events: u64) -> BTreeMap<String, u64> {
    let (mut client, _) = Client::register(address, true, "publisher");
    let mut tops = BTreeMap::new();
    let mut answered = 0;
    let mut answer = |client: &mut Client, tops: &mut BTreeMap<String, u64>| {
        let reply = client.object().expect("the server stays");
        assert_eq!(reply["status"], "ok", "{reply}");
        let name = CHANNELS[answered as usize % CHANNELS.len()].0;
        tops.insert(name.to_owned(), reply["data"]["offset"].as_u64().expect("an offset"));
        answered += 1;
    };
    for number in 0..events {
        let channel = CHANNELS[number as usize % CHANNELS.len()].0;
        let publication =
            json!({"type": "publish", "channel": channel, "payload": number, "echo": false});
        client.say(&publication).expect("sent");
        if number >= 32 {
            answer(&mut client, &mut tops);
        }
    }
    (0..events.min(32)).for_each(|_| answer(&mut client, &mut tops));
    tops
}

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().map_or(usual, |text| text.parse().expect("a number"))
}

#[test]
fn who_is_cut_off_misses_nothing_or_is_told() {
    let (events, cuts) = (number("RESUME_EVENTS", 3000), number("RESUME_CUTS", 60));
    let folder = Folder::new("resume");
    let arguments = [
        "--ephemeral",
        "--loops",
        "3",
        "--no-limits",
        "--set",
        "namespaces.short.history_messages=10",
        "--set",
        "namespaces.log.durable=true",
    ];
    let server = Server::start(&folder, &arguments);
    let (_, account) = Client::register(&server.address, false, "subscriber");
    let seen = |(name, keeps)| (name, Seen { keeps, ..Seen::default() });
    let mut subscriber = Subscriber {
        address: server.address.clone(),
        token: account["token"].as_str().expect("a token").to_owned(),
        channels: CHANNELS.into_iter().map(seen).collect(),
        rng: number("RESUME_SEED", 7),
    };
    let address = server.address.clone();
    let publisher = thread::spawn(move || publish(&address, events));
    let mut visits = 0;
    while visits < cuts && !publisher.is_finished() {
        let most = (2 * events / cuts).max(2);
        let wanted = subscriber.random(most).min(events.saturating_sub(subscriber.total()));
        // The last event may never come to who waits for more than there are.
        subscriber.visit(if publisher.is_finished() { 0 } else { wanted / 2 });
        visits += 1;
    }
    let tops = publisher.join().expect("it published");
    while subscriber.channels.iter().any(|(name, seen)| seen.last < tops[*name]) {
        subscriber.visit(0);
        let left = |(name, seen): (&&str, &Seen)| tops[*name] - seen.last;
        let left: u64 = subscriber.channels.iter().map(left).sum();
        subscriber.visit(left.min(100));
        visits += 1;
    }
    assert!(visits > 2, "it was cut off");
    let lost: Vec<_> = subscriber.channels.iter().map(|(name, seen)| (*name, seen.lost)).collect();
    eprintln!("{events} events, {visits} visits, told to be lost: {lost:?}");
    assert_eq!(subscriber.channels["log:r"].lost, 0);
}

/// What the test above must not let through.
mod controls {
    use super::*;

    fn seen() -> Seen {
        Seen { epoch: "e".into(), last: 5, keeps: Some(10), ..Seen::default() }
    }

    #[test]
    #[should_panic(expected = "once and in order")]
    fn a_hole() {
        seen().came(7);
    }

    #[test]
    #[should_panic(expected = "once and in order")]
    fn a_repeat() {
        seen().came(5);
    }

    #[test]
    #[should_panic(expected = "are not lost")]
    fn a_loss_that_is_none() {
        seen().resumed(&json!({"recovered": false, "offset": 15, "epoch": "e", "more": false}));
    }

    #[test]
    #[should_panic(expected = "once and in order")]
    fn a_recovery_that_is_none() {
        let mut seen = seen();
        seen.resumed(&json!({"recovered": true, "offset": 9, "epoch": "e", "more": false}));
        seen.came(7);
    }

    #[test]
    fn what_is_right() {
        let mut seen = seen();
        seen.resumed(&json!({"recovered": false, "offset": 30, "epoch": "e", "more": false}));
        (21..=31).for_each(|offset| seen.came(offset));
        assert_eq!((seen.last, seen.lost), (31, 15));
    }
}
