//! An execution that is looked at while it goes on, on three loops that hear each other and the store
//! whenever chance says so.
//!
//! Law: the state of the reply and the events behind it are every change once, in order, and so are
//! the events of a reply to `since`. Here each change is one percent, and one offset.

use serde_json::{Value, json};
use stentor::auth::{Claims, Role, Tokens};
use stentor::base::id::UserId;
use stentor::base::rng::Rng;

use crate::bench::Bench;
use crate::parts::{self, Limits};

const CHANGES: u64 = 12;
const USERS: [&str; 3] = ["ana", "bob", "eve"];

/// A connection of a user of the team `ops`, for some days.
pub(crate) fn arrive(bench: &mut Bench, end: &str, user: &str, role: Role) {
    let (sub, exp) = (UserId::parse(user).expect("an id"), bench.now.unix_s() + 400_000);
    let (name, teams) = (Some(user.into()), ["ops".to_owned()].into());
    let claims = Claims { sub, sid: None, jti: None, iat: None, exp, role, name, teams };
    let token = parts::tokens().issue(&claims).expect("it can be signed");
    bench.lines(end, [192, 0, 2, 1]);
    say(bench, end, &json!({"type": "auth", "token": token}));
}

pub(crate) fn say(bench: &mut Bench, name: &str, request: &Value) {
    bench.say(name, request.to_string().as_bytes(), false);
}

fn change(bench: &mut Bench, progress: u64) {
    let status = if progress == CHANGES { "completed" } else { "running" };
    let change = json!({"type": "update_execution", "execution_id": "run", "team_id": "ops",
        "status": status, "progress": progress});
    say(bench, "svc", &change);
}

/// What one client has of the channel, by what it heard.
#[derive(Default)]
struct Seen {
    epoch: Option<String>,
    /// While it is subscribed: the newest change that it knows.
    known: Option<u64>,
    /// The same, subscribed or not.
    last: u64,
}

impl Seen {
    /// An event, or one of a reply.
    fn event(&self, event: &Value, after: u64) -> Result<u64, String> {
        let (offset, progress) = (&event["offset"], &event["payload"]["progress"]);
        if *offset == json!(after + 1) && offset == progress {
            return Ok(after + 1);
        }
        Err(format!("after {after} came {event}"))
    }

    fn hear(&mut self, said: &Value) -> Result<(), String> {
        let data = &said["data"];
        match said["type"].as_str().unwrap_or_default() {
            "subscribe" if said["status"] == "ok" => {
                let offset = data["offset"].as_u64().ok_or("no offset")?;
                if data["state"]["progress"] != json!(offset) {
                    return Err(format!("the state is not of its place: {said}"));
                }
                if let Some(recovered) = data.get("recovered") {
                    let events = data["events"].as_array().ok_or("no events")?;
                    let told = events.iter().try_fold(self.last, |at, one| self.event(one, at))?;
                    if (recovered, told) != (&json!(true), offset) {
                        return Err(format!("not all since {}: {said}", self.last));
                    }
                }
                self.epoch = data["epoch"].as_str().map(str::to_owned);
                (self.known, self.last) = (Some(offset), offset);
            }
            "unsubscribe" => self.known = None,
            "execution_update" => {
                let known = self.known.ok_or_else(|| format!("not subscribed to {said}"))?;
                self.last = self.event(said, known)?;
                self.known = Some(self.last);
            }
            _ if said["status"] == "error" => return Err(said.to_string()),
            _ => {}
        }
        Ok(())
    }
}

/// Whether what a client heard is what it had to hear.
fn check(heard: &[Value]) -> Result<(), String> {
    let mut seen = Seen::default();
    heard.iter().try_for_each(|said| seen.hear(said))?;
    match seen.known {
        Some(known) if known != CHANGES => Err(format!("the last heard is {known}")),
        _ => Ok(()),
    }
}

/// Takes what was heard since; `since` of who wants it is of that.
fn gather(bench: &mut Bench, all: &mut [(Vec<Value>, Seen)]) {
    for (name, text) in bench.heard() {
        if let Some(at) = USERS.iter().position(|user| **user == name) {
            let said: Value = serde_json::from_str(&text).expect("JSON");
            // Judged at the end: here only its place counts.
            let _ = all[at].1.hear(&said);
            all[at].0.push(said);
        }
    }
}

fn wish(bench: &mut Bench, user: &str, seen: &Seen, rng: &mut Rng) {
    let channel = "execution:run";
    let request = match (rng.below(3), &seen.epoch) {
        (0, _) => json!({"type": "unsubscribe", "channel": channel}),
        // Only who is not subscribed knows what it saw last when the request is heard.
        (1, Some(epoch)) if seen.known.is_none() => json!({"type": "subscribe",
            "channel": channel, "since": {"offset": seen.last, "epoch": epoch}}),
        _ => json!({"type": "subscribe", "channel": channel}),
    };
    say(bench, user, &request);
}

fn play(seed: u64) -> Vec<Vec<Value>> {
    let mut rng = Rng::new(seed);
    let mut limits = Limits::default();
    limits.guard.requests_per_second = None;
    if seed % 2 == 1 {
        let mut config = stentor::config::Config::default();
        config.set_pair("namespaces.execution.durable=true").expect("a key and its value");
        config.finish().expect("namespaces that can be");
        limits.router.policies = config.router.policies;
    }
    let mut bench = Bench::new(&limits, 3);
    arrive(&mut bench, "svc", "svc", Role::Service);
    USERS.iter().for_each(|name| arrive(&mut bench, name, name, Role::User));
    change(&mut bench, 1);
    bench.heard();
    bench.hold();
    let mut all: Vec<(Vec<Value>, Seen)> = USERS.iter().map(|_| Default::default()).collect();
    let (mut progress, mut idle) = (1, [true; 3]);
    while progress < CHANGES {
        match rng.below(12) {
            0 => {
                progress += 1;
                change(&mut bench, progress);
            }
            which @ 1..=3 => {
                let at = which as usize - 1;
                // One at a time, so that what it has seen is what it says.
                if std::mem::replace(&mut idle[at], false) {
                    wish(&mut bench, USERS[at], &all[at].1, &mut rng);
                }
            }
            _ => drop(bench.chance(&mut rng)),
        }
        let before: Vec<usize> = all.iter().map(|(heard, _)| heard.len()).collect();
        gather(&mut bench, &mut all);
        for (at, (heard, _)) in all.iter().enumerate() {
            idle[at] |= heard[before[at]..].iter().any(|said| said.get("status").is_some());
        }
    }
    while bench.chance(&mut rng) {}
    gather(&mut bench, &mut all);
    all.into_iter().map(|(heard, _)| heard).collect()
}

#[test]
fn whoever_subscribes_while_it_goes_on_hears_every_change_once() {
    let (mut live, mut since) = (0, 0);
    for seed in 0..400 {
        for (user, heard) in USERS.iter().zip(play(seed)) {
            if let Err(why) = check(&heard) {
                panic!("seed {seed}, {user}: {why}\n{heard:#?}");
            }
            live += heard.iter().filter(|said| said["type"] == "execution_update").count();
            since += heard.iter().filter(|said| said["data"].get("recovered").is_some()).count();
        }
    }
    assert!(live > 1000 && since > 100, "{live} live, {since} since");
}

/// A change that is lost, doubled or late is noticed, and so is a state of another moment.
#[test]
fn what_is_wrong_is_noticed() {
    let mut caught = 0;
    for heard in (0..20).flat_map(play) {
        let is = |said: &Value, word: &str| said["type"] == word;
        // The last one before a subscription ends is missed by nobody.
        let two = |two: &[Value]| two.iter().all(|said| is(said, "execution_update"));
        let event = heard.windows(2).position(two);
        let reply = heard.iter().position(|said| is(said, "subscribe"));
        let (Some(event), Some(reply)) = (event, reply) else { continue };
        let mut lost = heard.clone();
        lost.remove(event);
        let mut doubled = heard.clone();
        doubled.insert(event, heard[event].clone());
        let mut other = heard.clone();
        other[reply]["data"]["state"]["progress"] = json!(99);
        for wrong in [lost, doubled, other] {
            assert!(check(&wrong).is_err(), "{wrong:#?}");
            caught += 1;
        }
    }
    assert!(caught > 30, "{caught} were tried");
}
