//! Executions as they must be, and whoever watches them.
//!
//! Law: what is committed goes one step at a time, never back, and not on when it is over; whoever
//! watches one hears every change behind the state of the reply, in order and once, but not its own;
//! what is read contains what was acknowledged before it was asked for.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use stentor::message::execution::{Execution, Status};

use crate::client::Kind;
use crate::hub::TEAM;
use crate::law::Law;
use crate::model::Model;
use crate::workload::Wish;
use crate::world::World;

/// A change, as it was committed.
struct Change {
    /// Its number, which is its step.
    op: u64,
    status: Status,
    progress: u8,
    /// Which connection caused it.
    by: Option<usize>,
}

/// Of each execution what was committed, and how much of it was acknowledged.
#[derive(Default)]
pub(crate) struct Executions {
    logs: BTreeMap<String, Vec<Change>>,
    acked: BTreeMap<String, usize>,
}

/// How many changes of an execution somebody has heard of, by channel and execution.
pub(crate) type Watches = BTreeMap<(String, String), usize>;

/// The channel of the team.
fn team() -> String {
    format!("team:{TEAM}")
}

impl Executions {
    /// How many changes there are up to the one that `execution` shows; none: it is not known.
    fn up_to(&self, execution: &Value) -> Option<(String, usize)> {
        let id = execution["execution_id"].as_str()?;
        let op = execution["current_step"].as_str()?.parse::<u64>().ok()?;
        let log = self.logs.get(id)?;
        let at = log.iter().position(|change: &Change| change.op == op)?;
        let change = log.get(at)?;
        let same = execution["status"] == change.status.word()
            && execution["progress"] == change.progress
            && execution["team_id"] == TEAM;
        same.then(|| (id.to_owned(), at + 1))
    }

    /// Passes over changes that this connection caused.
    fn after_own(&self, id: &str, pipe: Option<usize>, mut at: usize) -> usize {
        let log = self.logs.get(id).map(Vec::as_slice).unwrap_or_default();
        while log.get(at).is_some_and(|change| pipe.is_some() && change.by == pipe) {
            at += 1;
        }
        at
    }

    /// How much of it was acknowledged to anybody.
    fn acked(&self, id: &str) -> usize {
        self.acked.get(id).copied().unwrap_or(0)
    }

    /// How many are over.
    fn over(&self) -> usize {
        let last = |log: &&Vec<Change>| log.last().is_some_and(|last| last.status.is_final());
        self.logs.values().filter(last).count()
    }
}

impl Model {
    /// The writer has changed an execution.
    pub(crate) fn execution_committed(&mut self, by: Option<usize>, execution: &Execution) {
        self.checked(Law::Executions);
        let step = execution.current_step.as_deref().and_then(|step| step.parse().ok());
        let (status, progress) = (execution.status, execution.progress);
        let change = Change { op: step.unwrap_or(0), status, progress, by };
        let log = self.executions.logs.entry(execution.execution_id.to_string()).or_default();
        let goes_on = log
            .last()
            .is_none_or(|before| before.status.may_become(status) && before.progress <= progress);
        log.push(change);
        if !goes_on {
            self.violation(Law::Executions, &format!("it went back: {execution:?}"));
        }
    }

    /// An execution as somebody is told of it, who must know at least so many changes.
    fn execution_is(&mut self, execution: &Value, least: usize) -> Option<(String, usize)> {
        self.checked(Law::Executions);
        let found = self.executions.up_to(execution);
        if found.as_ref().is_none_or(|(_, at)| *at < least) {
            let what = format!("{least} changes were known before: {execution}");
            self.violation(Law::Executions, &what);
        }
        found
    }
}

impl World {
    /// A service changes an execution; now and then it asks for what may not be.
    pub(crate) fn update_execution(&mut self) -> Wish {
        let op = self.next_op();
        let id = format!("e{}", self.model.executions.over() as u64 + self.rng.below(2));
        let last = self.model.executions.logs.get(&id).and_then(|log| log.last());
        let (before, progress) = last.map_or((None, 0), |last| (Some(last.status), last.progress));
        let status = match (before, self.rng.below(8)) {
            (_, 0) => Status::ALL[self.rng.below(4) as usize],
            (None, 1..5) => Status::Queued,
            (Some(Status::Running), 1) => Status::Completed,
            (Some(Status::Running), 2) => Status::Failed,
            _ => Status::Running,
        };
        let progress = (u64::from(progress) + self.rng.below(12)).saturating_sub(2).min(100);
        let mut wish = json!({"type": "update_execution", "execution_id": id, "team_id": TEAM,
                              "status": status.word(), "current_step": op.to_string()});
        if self.rng.below(3) > 0 {
            wish["progress"] = json!(progress);
        }
        (wish, Kind::Execution { id, least: 0, op: Some(op) })
    }

    /// Somebody of the team looks at executions, or watches them.
    pub(crate) fn watch_executions(&mut self) -> Wish {
        let over = self.model.executions.over() as u64;
        let id = format!("e{}", (over + 1).saturating_sub(self.rng.below(3)));
        let least = self.model.executions.acked(&id);
        let channel = if self.rng.below(4) == 0 { team() } else { format!("execution:{id}") };
        match self.rng.below(8) {
            0..2 => {
                let wish = json!({"type": "get_execution", "execution_id": id});
                (wish, Kind::Execution { id, least, op: None })
            }
            2 => (json!({"type": "unsubscribe", "channel": channel}), Kind::Unwatch { channel }),
            _ => {
                let wish = json!({"type": "subscribe", "channel": channel});
                (wish, Kind::Watch { channel, least })
            }
        }
    }

    /// A reply about executions.
    pub(crate) fn execution_answered(&mut self, c: usize, kind: Kind, data: &Value) {
        let client = &mut self.clients[c];
        match kind {
            Kind::Execution { id, least, op } => {
                let execution = &data["execution"];
                let Some((of, at)) = self.model.execution_is(execution, least) else { return };
                let step = op.map(|op| op.to_string());
                let other = step.is_some_and(|step| execution["current_step"] != step.as_str());
                if of != id || other {
                    self.model.violation(Law::Executions, &format!("{id}, {op:?}: {data}"));
                }
                let acked = self.model.executions.acked.entry(of).or_default();
                *acked = at.max(*acked);
            }
            Kind::Unwatch { channel } => client.watches.retain(|(known, _), _| *known != channel),
            Kind::Watch { channel, least } => {
                let Some(id) = channel.strip_prefix("execution:") else { return };
                let key = (channel.clone(), id.to_owned());
                let known = client.watches.get(&key).copied().unwrap_or(0);
                let at = match &data["state"] {
                    Value::Null => 0,
                    state => self.model.execution_is(state, least).map_or(0, |(_, at)| at),
                };
                if at < known.max(least) {
                    let what = format!("client {c} knows {known}, {least} are acked: {data}");
                    self.model.violation(Law::Executions, &what);
                }
                client.watches.insert(key, at);
            }
            _ => {}
        }
    }

    /// A change that somebody is told of.
    pub(crate) fn execution_event(&mut self, c: usize, channel: &str, value: &Value) {
        let Some((id, at)) = self.model.execution_is(&value["payload"], 0) else { return };
        let client = &mut self.clients[c];
        let watch = client.watches.get(&(channel.to_owned(), id.clone())).copied();
        // Where the team hears the first of an execution is not known.
        let from = watch.or_else(|| (channel == team()).then(|| at - 1));
        let next = from.map(|from| self.model.executions.after_own(&id, client.pipe, from));
        client.watches.insert((channel.to_owned(), id), at);
        if next != Some(at - 1) {
            let what = format!("client {c}: change {next:?} should come, not {at}: {value}");
            self.model.violation(Law::Executions, &what);
        }
    }

    /// At rest whoever watches knows every change.
    pub(crate) fn watches_are_whole(&mut self, c: usize) {
        self.model.checked(Law::Executions);
        let (client, executions) = (&self.clients[c], &self.model.executions);
        let behind = client.watches.iter().find(|((_, id), at)| {
            let log = executions.logs.get(id).map_or(0, Vec::len);
            executions.after_own(id, client.pipe, **at) < log
        });
        let what = behind.map(|behind| format!("client {c} knows only so much: {behind:?}"));
        if let Some(what) = what {
            self.model.violation(Law::Executions, &what);
        }
    }
}
