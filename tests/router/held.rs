//! A connection with 64 unanswered calls is read no further (SPEC §3), and is when half are answered.
//!
//! Too long for a scene: what is heard is counted.

use stentor::auth::{Claims, Role, Tokens, no_teams};
use stentor::base::id::UserId;

use crate::bench::Bench;
use crate::parts::{self, Limits};

fn token(bench: &Bench, name: &str, role: Role) -> String {
    let (sub, exp) = (UserId::parse(name).expect("an id"), bench.now.unix_s() + 4000);
    let (name, teams) = (Some(name.into()), no_teams());
    let claims = Claims { sub, sid: None, jti: None, iat: None, exp, role, name, teams };
    let token = parts::tokens().issue(&claims).expect("it can be signed");
    format!("{{\"type\":\"auth\",\"token\":\"{token}\"}}")
}

/// The ids of the calls that came, and how many replies the caller got.
fn heard(bench: &mut Bench) -> (Vec<String>, usize) {
    let (mut calls, mut replies) = (Vec::new(), 0);
    for (name, text) in bench.heard() {
        if let Some((_, rest)) = text.split_once("\"call_id\":\"").filter(|_| name == "worker") {
            calls.push(rest[..36].to_owned());
        }
        replies += usize::from(name == "ana" && text.contains("\"status\":\"ok\""));
    }
    (calls, replies)
}

fn answer(bench: &mut Bench, calls: &[String]) {
    for call in calls {
        let result =
            format!("{{\"type\":\"call_result\",\"call_id\":\"{call}\",\"status\":\"ok\"}}");
        bench.say("worker", result.as_bytes(), false);
    }
}

/// With one loop and with three.
#[test]
fn sixty_four_unanswered_calls_hold_a_connection_back() {
    for loops in [1, 3] {
        let mut limits = Limits::default();
        limits.guard.requests_per_second = None;
        let mut bench = Bench::new(&limits, loops);
        for (name, role) in [("worker", Role::Service), ("ana", Role::User)] {
            bench.lines(name, [192, 0, 2, 1]);
            let auth = token(&bench, name, role);
            bench.say(name, auth.as_bytes(), false);
        }
        bench.say("worker", br#"{"type":"serve","actions":["command:a"]}"#, false);
        heard(&mut bench);
        for _ in 0..100 {
            bench.say("ana", br#"{"type":"command","command":"a"}"#, false);
        }
        // What delays nobody is held back too: it is not read.
        bench.say("ana", br#"{"type":"ping"}"#, false);
        let (first, replies) = heard(&mut bench);
        assert_eq!((first.len(), replies), (64, 0), "{loops} loops");
        answer(&mut bench, &first[..31]);
        let (more, replies) = heard(&mut bench);
        assert_eq!((more.len(), replies), (0, 31), "more than half are unanswered");
        answer(&mut bench, &first[31..32]);
        let (more, replies) = heard(&mut bench);
        assert_eq!((more.len(), replies), (32, 1), "half are, and there is room for so many");
        answer(&mut bench, &first[32..]);
        answer(&mut bench, &more);
        let (rest, replies) = heard(&mut bench);
        assert_eq!((rest.len(), replies), (4, 64 + 1), "the ping waits for nobody");
        answer(&mut bench, &rest);
        assert_eq!(heard(&mut bench).1, 4);
    }
}
