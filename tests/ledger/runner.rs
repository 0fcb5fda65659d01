//! A runner: a service whose executions go on step by step, and a watcher who follows them.
//!
//! Law (SPEC §4): a step that was acknowledged survives; nothing goes back; what is finished is frozen;
//! whoever asks is told of the last step. Each step follows from its number, so that anybody who sees
//! one knows what it has to be.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use stentor::base::rng::Rng;

use crate::ledger::Tally;
use crate::process::pause;
use crate::publisher::Manner;
use crate::wire::{Client, Door, is_reply};

/// The team of all executions.
pub(crate) const TEAM: &str = "ledger";

/// An execution, by its runner and its number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name {
    pub(crate) runner: usize,
    pub(crate) number: usize,
}

impl Name {
    pub(crate) fn id(self) -> String {
        format!("x{}-{}", self.runner, self.number)
    }

    fn of(id: &str) -> Option<Self> {
        let (runner, number) = id.strip_prefix('x')?.split_once('-')?;
        Some(Self { runner: runner.parse().ok()?, number: number.parse().ok()? })
    }

    /// How many steps there are.
    const fn steps(self) -> usize {
        3 + (self.runner * 7 + self.number * 5) % 9
    }

    /// A step, as it is asked for; the last one finishes.
    fn step(self, at: usize) -> Value {
        let last = self.steps() - 1;
        let mut step = json!({"execution_id": self.id(), "team_id": TEAM,
            "current_step": format!("s{at}"), "progress": at * 90 / last});
        let status = match at {
            0 => "queued",
            _ if at < last => "running",
            _ if self.number.is_multiple_of(3) => "failed",
            _ => "completed",
        };
        step["status"] = status.into();
        match status {
            "failed" => step["error"] = self.id().into(),
            "completed" => {
                step["progress"] = 100.into();
                step["result"] = json!({"of": self.id()});
            }
            _ => {}
        }
        step
    }

    /// The number of the step that an execution is at.
    fn at(self, execution: &Value) -> Result<usize, String> {
        let word = execution["current_step"].as_str().and_then(|word| word.strip_prefix('s'));
        let at: Option<usize> = word.and_then(|at| at.parse().ok());
        let at =
            at.filter(|at| *at < self.steps()).ok_or_else(|| format!("no step: {execution}"))?;
        let mut told = execution.clone();
        told.as_object_mut().and_then(|told| told.remove("updated_at")).ok_or("no time")?;
        if told == self.step(at) { Ok(at) } else { Err(format!("not step {at}: {execution}")) }
    }
}

/// What was asked for of an execution: its first steps.
#[derive(Clone, Debug, Default)]
struct Course {
    sent: usize,
    acked: usize,
    /// When it was finished, as it was acknowledged.
    finished: Option<Value>,
}

/// A service.
pub(crate) struct Runner {
    number: usize,
    token: String,
    courses: Vec<Course>,
    rng: Rng,
    pub(crate) tally: Tally,
}

/// What came of a request.
enum Came {
    /// Its data.
    Ok(Value),
    /// Its code.
    Refused(String),
    Gone,
}

fn ask(client: &mut Client, request: &Value, manner: Manner) -> Result<Came, String> {
    let Some(mut reply) = client.ask(request)? else { return Ok(Came::Gone) };
    if reply["status"] == "ok" {
        return Ok(Came::Ok(reply["data"].take()));
    }
    let code = reply["code"].as_str().unwrap_or_default();
    let late = client.was_stopped() && code == "storage_unavailable";
    if late || manner.excused.contains(&code) || code == "invalid_transition" {
        return Ok(Came::Refused(code.to_owned()));
    }
    Err(format!("refused without a reason: {reply}"))
}

impl Runner {
    pub(crate) fn new(number: usize, token: String, rng: Rng) -> Self {
        Self { number, token, courses: Vec::new(), rng, tally: Tally::default() }
    }

    const fn name(&self, number: usize) -> Name {
        Name { runner: self.number, number }
    }

    /// Goes on until the server is gone.
    pub(crate) fn run(&mut self, address: &str, manner: Manner) -> Result<(), String> {
        let door = Door::of(self.number);
        let Some(mut client) = Client::arrive(address, door, &self.token)? else { return Ok(()) };
        loop {
            let probes = !self.courses.is_empty() && self.rng.below(4) == 0;
            let goes_on = if probes {
                self.probe(&mut client, manner)?
            } else {
                self.go_on(&mut client, manner)?
            };
            if !goes_on {
                return Ok(());
            }
        }
    }

    /// The step that nobody answered, or the next one; false when the server is gone.
    fn go_on(&mut self, client: &mut Client, manner: Manner) -> Result<bool, String> {
        let last = self.courses.len().wrapping_sub(1);
        let ended = |course: &Course| course.acked == self.name(last).steps();
        if self.courses.last().is_none_or(ended) {
            self.courses.push(Course::default());
        }
        let number = self.courses.len() - 1;
        let (name, course) = (self.name(number), &mut self.courses[number]);
        let at = course.acked;
        self.tally.add("steps again", u64::from(course.sent > at));
        course.sent = at + 1;
        let mut request = name.step(at);
        request["type"] = "update_execution".into();
        let execution = match ask(client, &request, manner)? {
            Came::Gone => return Ok(false),
            Came::Ok(mut data) => data["execution"].take(),
            Came::Refused(code) if code == "invalid_transition" => {
                if at + 1 < name.steps() {
                    return Err(format!("step {at} of {name:?} is refused"));
                }
                // It had been finished, and nobody was told.
                match ask(client, &look(name), manner)? {
                    Came::Gone => return Ok(false),
                    Came::Ok(mut data) => data["execution"].take(),
                    Came::Refused(_) => return Ok(true),
                }
            }
            Came::Refused(_) => {
                pause(Duration::from_millis(2));
                return Ok(true);
            }
        };
        if name.at(&execution)? != at {
            return Err(format!("step {at} was asked for, and this is told: {execution}"));
        }
        self.courses[number].acked = at + 1;
        self.tally.add("steps acknowledged", 1);
        if at + 1 == name.steps() {
            self.courses[number].finished = Some(execution["updated_at"].clone());
        }
        Ok(true)
    }

    /// Asks for what must be refused: a step back, or one of what is finished.
    fn probe(&mut self, client: &mut Client, manner: Manner) -> Result<bool, String> {
        let number = self.rng.below(self.courses.len() as u64) as usize;
        let (name, course) = (self.name(number), &self.courses[number]);
        let finished = course.acked == name.steps();
        if !finished && course.acked < 3 {
            return Ok(true);
        }
        let mut request = name.step(if finished { name.steps() - 2 } else { course.acked - 2 });
        if finished && self.rng.below(2) == 0 {
            request = name.step(name.steps() - 1);
        }
        request["type"] = "update_execution".into();
        match ask(client, &request, manner)? {
            Came::Ok(data) => Err(format!("went back, by {request}: {data}")),
            Came::Refused(_) => {
                self.tally.add("steps refused", 1);
                Ok(true)
            }
            Came::Gone => Ok(false),
        }
    }

    /// Holds the executions of this one against what is stored: the latest, or all.
    pub(crate) fn judge(
        &self,
        client: &mut Client,
        watcher: &Watcher,
        everything: bool,
    ) -> Result<(), String> {
        let from = if everything { 0 } else { self.courses.len().saturating_sub(4) };
        for (number, course) in self.courses.iter().enumerate().skip(from) {
            let name = self.name(number);
            let seen = watcher.seen.get(&name).map_or(0, |at| at + 1);
            let reply = client.ask(&look(name))?.ok_or("the server is gone")?;
            let execution = &reply["data"]["execution"];
            let there = if reply["code"] == "not_found" { 0 } else { name.at(execution)? + 1 };
            if there < course.acked.max(seen) {
                return Err(format!(
                    "a lost step: {name:?} is at {there} of {course:?}, seen were {seen}: {reply}"
                ));
            }
            if there > course.sent {
                return Err(format!("{name:?} is at {there}, and nobody asked: {reply}"));
            }
            if course.finished.as_ref().is_some_and(|at| *at != execution["updated_at"]) {
                return Err(format!("{course:?} was finished, and changed: {reply}"));
            }
        }
        Ok(())
    }
}

fn look(name: Name) -> Value {
    json!({"type": "get_execution", "execution_id": name.id()})
}

/// Who follows all executions of the team.
#[derive(Default)]
pub(crate) struct Watcher {
    pub(crate) token: String,
    /// The furthest step at which each was seen.
    seen: BTreeMap<Name, usize>,
    /// The same when the connection began.
    floor: BTreeMap<Name, usize>,
    /// The last step that each was at on a channel of this connection: its own one, or the team's.
    /// Between channels there is no order.
    lately: BTreeMap<(Name, bool), usize>,
    pub(crate) tally: Tally,
}

impl Watcher {
    /// Watches until the server is gone.
    pub(crate) fn run(&mut self, address: &str, manner: Manner) -> Result<(), String> {
        let client = Client::arrive(address, Door::Web, &self.token)?;
        let Some(mut client) = client else { return Ok(()) };
        self.floor.clone_from(&self.seen);
        self.lately.clear();
        let latest: BTreeMap<usize, Name> =
            self.seen.keys().map(|name| (name.runner, *name)).collect();
        let own = latest.values().map(|name| (format!("execution:{}", name.id()), Some(*name)));
        for (channel, name) in own.chain([(format!("team:{TEAM}"), None)]).collect::<Vec<_>>() {
            let request = json!({"type": "subscribe", "channel": channel});
            if client.say(&request).is_none() {
                return Ok(());
            }
            // The reply's `state` is the execution as it is now; events may come before it.
            let reply = loop {
                match client.next()? {
                    None => return Ok(()),
                    Some(text) if is_reply(&text) => break text,
                    Some(text) => self.hear(&text)?,
                }
            };
            let reply: Value = serde_json::from_str(&reply).map_err(|error| error.to_string())?;
            if reply["status"] != "ok" {
                let code = reply["code"].as_str().unwrap_or_default();
                let late = client.was_stopped() && code == "storage_unavailable";
                if late || manner.excused.contains(&code) {
                    continue;
                }
                return Err(format!("no subscription: {reply}"));
            }
            if let Some(name) = name {
                self.see(name, true, &reply["data"]["state"])?;
                self.tally.add("states on subscribing", 1);
            }
        }
        while let Some(text) = client.next()? {
            if !is_reply(&text) {
                self.hear(&text)?;
            }
        }
        Ok(())
    }

    fn hear(&mut self, text: &str) -> Result<(), String> {
        let event: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if event["type"] == "gap" {
            return Err(format!("a gap for who reads: {text}"));
        }
        if event["type"] != "execution_update" {
            return Ok(());
        }
        let name = event["payload"]["execution_id"].as_str().and_then(Name::of);
        let name = name.ok_or_else(|| format!("an update of nothing: {text}"))?;
        self.tally.add("updates heard", 1);
        let own = event["channel"] == format!("execution:{}", name.id());
        self.see(name, own, &event["payload"])
    }

    fn see(&mut self, name: Name, own: bool, execution: &Value) -> Result<(), String> {
        let at = name.at(execution)?;
        let before = self.lately.insert((name, own), at);
        let least = before.max(self.floor.get(&name).copied());
        if let Some(least) = least.filter(|least| *least > at) {
            return Err(format!("{name:?} went back from {least}: {execution}"));
        }
        let seen = self.seen.entry(name).or_default();
        *seen = at.max(*seen);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_known_by_what_it_is() {
        for number in 0..20 {
            let name = Name { runner: 1, number };
            assert_eq!(Name::of(&name.id()), Some(name));
            for at in 0..name.steps() {
                let mut told = name.step(at);
                told["updated_at"] = "now".into();
                assert_eq!(name.at(&told), Ok(at));
                told["progress"] = 101.into();
                assert!(name.at(&told).is_err());
            }
        }
    }

    #[test]
    fn who_watches_sees_what_goes_back() {
        let (name, mut watcher) = (Name { runner: 0, number: 1 }, Watcher::default());
        let told = |at: usize| {
            let mut told = name.step(at);
            told["updated_at"] = "now".into();
            told
        };
        let went_back = |seen: Result<(), String>| seen.is_err_and(|why| why.contains("went back"));
        assert_eq!(watcher.see(name, true, &told(2)), Ok(()));
        assert_eq!(watcher.see(name, false, &told(1)), Ok(()), "between channels is no order");
        assert!(went_back(watcher.see(name, true, &told(1))));
        watcher.lately.clear();
        watcher.floor.clone_from(&watcher.seen);
        assert!(went_back(watcher.see(name, false, &told(1))), "after a restart");
    }
}
