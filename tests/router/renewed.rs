//! A subscription to a stored channel that is renewed while publications are on their way, on loops
//! that hear each other and the store whenever chance says so.
//!
//! Law: a reply without `since` says where the connection is: what it has heard ends there, and the
//! next event is the next.

use serde_json::{Value, json};
use stentor::auth::Role;
use stentor::base::rng::Rng;

use crate::bench::Bench;
use crate::parts::Limits;
use crate::raced::{arrive, say};

const CHANNEL: &str = "log:a";
const PUBLICATIONS: u64 = 4;

/// Why what a subscriber heard is wrong, if it is.
fn wrong(heard: &[Value]) -> Option<String> {
    let mut last = None;
    for said in heard {
        let place = |value: &Value| value["offset"].as_u64();
        let (told, came) = match said["type"].as_str() {
            Some("subscribe") => (place(&said["data"]), None),
            Some("publication") => (None, place(said)),
            _ => (None, None),
        };
        let fits = match (last, told, came) {
            (Some(last), Some(told), _) => told == last,
            (Some(last), _, Some(came)) => came == last + 1,
            (None, _, Some(_)) => false,
            _ => true,
        };
        if !fits {
            return Some(format!("after {last:?}: {said}"));
        }
        last = told.or(came).or(last);
    }
    (last != Some(PUBLICATIONS)).then(|| format!("the last is {last:?}"))
}

fn play(seed: u64) -> Vec<Value> {
    let mut rng = Rng::new(seed);
    let mut limits = Limits::default();
    limits.guard.requests_per_second = None;
    let mut config = stentor::config::Config::default();
    config.set_pair("namespaces.log.durable=true").expect("a key and its value");
    config.finish().expect("namespaces that can be");
    limits.router.policies = config.router.policies;
    let mut bench = Bench::new(&limits, [1, 3][seed as usize % 2]);
    ["ana", "bob"].into_iter().for_each(|name| arrive(&mut bench, name, name, Role::User));
    let subscribe = json!({"type": "subscribe", "channel": CHANNEL});
    say(&mut bench, "ana", &subscribe);
    let mut heard: Vec<(String, String)> = bench.heard().into_iter().collect();
    bench.hold();
    let mut left = PUBLICATIONS;
    while left > 0 {
        match rng.below(8) {
            0 => {
                left -= 1;
                let publish = json!({"type": "publish", "channel": CHANNEL, "payload": left});
                say(&mut bench, "bob", &publish);
            }
            1 => say(&mut bench, "ana", &subscribe),
            _ => drop(bench.chance(&mut rng)),
        }
        heard.extend(bench.heard());
    }
    while bench.chance(&mut rng) {}
    heard.extend(bench.heard());
    let mine = heard.iter().filter(|(name, _)| name == "ana");
    mine.map(|(_, text)| serde_json::from_str(text).expect("JSON")).collect()
}

#[test]
fn who_renews_a_subscription_is_told_where_it_is() {
    let mut renewed = 0;
    for seed in 0..200 {
        let heard = play(seed);
        if let Some(why) = wrong(&heard) {
            panic!("seed {seed}: {why}\n{heard:#?}");
        }
        renewed += heard.iter().filter(|said| said["type"] == "subscribe").count() - 1;
    }
    assert!(renewed > 100, "{renewed} renewals");
}

#[test]
fn what_is_wrong_is_noticed() {
    let heard = play(1);
    assert_eq!(wrong(&heard), None);
    let event = heard.iter().position(|said| said["type"] == "publication").expect("one came");
    let mut lost = heard.clone();
    lost.remove(event);
    let mut ahead = heard;
    ahead.insert(event, json!({"type": "subscribe", "data": {"offset": PUBLICATIONS}}));
    for told in [lost, ahead] {
        assert!(wrong(&told).is_some(), "{told:#?}");
    }
}
