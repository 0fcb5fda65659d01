//! At the home of actions: who serves them, what is on its way to whom, and the breakers.
//!
//! Law: a call is counted for its worker from [`Workers::begin`] to [`Workers::end`], exactly once,
//! whatever becomes of its caller; a worker that goes takes its calls along. Limit: choosing looks
//! at each worker of the action, since there are few.

use std::collections::VecDeque;
use std::time::Duration;

use super::Action;
use super::breaker::{Breaker, Phase};
use crate::base::arena::{Arena, Key};
use crate::base::hash::{IdMap, NameMap, id_map, name_map};
use crate::base::id::{Address, Id};
use crate::metrics::Label;

/// How long the breaker of an action outlives its last worker.
const FORGET_AFTER: Duration = Duration::from_secs(600);

/// How much may be on its way.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Calls of one worker.
    pub per_worker: u32,
    /// Bytes of their parameters; one call is let through however long it is.
    pub bytes_per_worker: usize,
    /// Calls of one action.
    pub per_action: u32,
}

/// Why a call does not begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The breaker is open; how long to wait.
    Open(Duration),
    /// Nobody serves the action.
    NoWorker,
    /// All who do have as much as they may.
    Busy,
}

/// A call on its way; `C` is what its home needs to end it.
#[derive(Debug)]
pub struct InFlight<C> {
    /// Known to the worker by this.
    pub id: Id,
    /// What it is for.
    pub action: Action,
    /// Who has it.
    pub worker: Address,
    /// What the home needs to end it.
    pub caller: C,
    bytes: usize,
    /// Whether its end decides about a breaker that is half open.
    pub probe: bool,
}

#[derive(Debug, Default)]
struct Served {
    workers: Vec<Address>,
    breaker: Breaker,
    in_flight: u32,
    /// When the last worker went.
    deserted: Duration,
}

#[derive(Debug, Default)]
struct Worker {
    actions: Vec<Action>,
    calls: Vec<Key>,
    bytes: usize,
    /// When it was chosen last, in calls.
    chosen: u64,
}

/// The actions whose home this loop is.
#[derive(Debug)]
pub struct Workers<C> {
    actions: NameMap<Action, Served>,
    workers: IdMap<Address, Worker>,
    calls: Arena<InFlight<C>>,
    chosen: u64,
    /// Actions without a worker since then, oldest first.
    deserted: VecDeque<(Duration, Action)>,
    /// How many breakers are in each phase.
    phases: [i64; Phase::COUNT],
}

impl<C> Workers<C> {
    /// Nobody.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            actions: name_map(seed),
            workers: id_map(seed),
            calls: Arena::new(),
            chosen: 0,
            deserted: VecDeque::new(),
            phases: [0; Phase::COUNT],
        }
    }

    /// How many workers there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.workers.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.workers.is_empty()
    }

    /// How many calls are on their way.
    #[must_use]
    pub const fn in_flight(&self) -> usize {
        self.calls.len()
    }

    /// How many breakers are in each phase.
    #[must_use]
    pub const fn phases(&self) -> [i64; Phase::COUNT] {
        self.phases
    }

    /// A worker serves these actions too. Whether it is a new one.
    pub fn serve(&mut self, worker: Address, actions: Vec<Action>, now: Duration) -> bool {
        self.forget_deserted(now);
        let new = !self.workers.contains_key(&worker);
        let entry = self.workers.entry(worker).or_default();
        for action in actions {
            let served = self.actions.entry(action.clone()).or_insert_with(|| {
                self.phases[Phase::Closed.index()] += 1;
                Served::default()
            });
            if !served.workers.contains(&worker) {
                served.workers.push(worker);
                entry.actions.push(action);
            }
        }
        new
    }

    /// A worker goes. Gives the calls it had, in the order in which they began; none when it was no
    /// worker.
    pub fn leave(&mut self, worker: Address, now: Duration) -> Option<Vec<InFlight<C>>> {
        self.forget_deserted(now);
        let gone = self.workers.remove(&worker)?;
        for action in gone.actions {
            let Some(served) = self.actions.get_mut(&action) else { continue };
            served.workers.retain(|known| *known != worker);
            if served.workers.is_empty() {
                served.deserted = now;
                self.deserted.push_back((now, action));
            }
        }
        let calls = gone.calls.into_iter().filter_map(|key| self.calls.remove(key));
        let calls: Vec<_> = calls.collect();
        for call in &calls {
            if let Some(served) = self.actions.get_mut(&call.action) {
                served.in_flight -= 1;
            }
        }
        Some(calls)
    }

    /// Who is to have the next call of an action: the worker with the fewest, of those the one that
    /// has waited longest.
    ///
    /// # Errors
    /// Why nobody.
    pub fn choose(
        &self,
        action: &Action,
        bytes: usize,
        limits: Limits,
        now: Duration,
    ) -> Result<Address, Refused> {
        let served = self.actions.get(action).ok_or(Refused::NoWorker)?;
        served.breaker.may(now).map_err(Refused::Open)?;
        if served.workers.is_empty() {
            return Err(Refused::NoWorker);
        }
        if served.in_flight >= limits.per_action {
            return Err(Refused::Busy);
        }
        let load = |address: &&Address| {
            let worker = self.workers.get(*address)?;
            let few = worker.calls.len() < limits.per_worker as usize;
            let short = worker.calls.is_empty()
                || worker.bytes.saturating_add(bytes) <= limits.bytes_per_worker;
            (few && short).then_some((worker.calls.len(), worker.chosen))
        };
        let able = served.workers.iter().filter_map(|address| Some((load(&address)?, *address)));
        able.min_by_key(|(load, _)| *load).map(|(_, address)| address).ok_or(Refused::Busy)
    }

    /// A call begins at the worker that was chosen for it.
    pub fn begin(
        &mut self,
        id: Id,
        action: Action,
        worker: Address,
        bytes: usize,
        caller: C,
    ) -> Key {
        let mut probe = false;
        if let Some(served) = self.actions.get_mut(&action) {
            served.in_flight += 1;
            let before = served.breaker.phase();
            probe = served.breaker.begin();
            let after = served.breaker.phase();
            self.phases[before.index()] -= 1;
            self.phases[after.index()] += 1;
        }
        let key = self.calls.insert(InFlight { id, action, worker, caller, bytes, probe });
        self.chosen += 1;
        let entry = self.workers.entry(worker).or_default();
        entry.calls.push(key);
        entry.bytes += bytes;
        entry.chosen = self.chosen;
        key
    }

    /// A call on its way.
    pub fn get_mut(&mut self, key: Key) -> Option<&mut InFlight<C>> {
        self.calls.get_mut(key)
    }

    /// A call is over, if it is still on its way and of this worker.
    pub fn end(&mut self, key: Key, worker: Address) -> Option<InFlight<C>> {
        self.calls.get(key).filter(|call| call.worker == worker)?;
        let call = self.calls.remove(key)?;
        if let Some(served) = self.actions.get_mut(&call.action) {
            served.in_flight -= 1;
        }
        if let Some(worker) = self.workers.get_mut(&worker) {
            worker.calls.retain(|known| *known != key);
            worker.bytes -= call.bytes;
        }
        Some(call)
    }

    /// How a call ended, for the breaker of its action. What the breaker was, and is.
    pub fn judge(
        &mut self,
        call: &InFlight<C>,
        failed: bool,
        now: Duration,
        open_for: Duration,
    ) -> (Phase, Phase) {
        let Some(served) = self.actions.get_mut(&call.action) else {
            return (Phase::Closed, Phase::Closed);
        };
        let before = served.breaker.phase();
        served.breaker.end(call.probe, failed, now, open_for);
        let after = served.breaker.phase();
        self.phases[before.index()] -= 1;
        self.phases[after.index()] += 1;
        (before, after)
    }

    /// The phase of an action's breaker; one that nobody serves has none.
    #[must_use]
    pub fn phase(&self, action: &Action) -> Phase {
        self.actions.get(action).map_or(Phase::Closed, |served| served.breaker.phase())
    }

    /// Actions that nobody has served for long are forgotten.
    fn forget_deserted(&mut self, now: Duration) {
        while let Some((since, _)) = self.deserted.front()
            && *since + FORGET_AFTER <= now
        {
            let Some((since, action)) = self.deserted.pop_front() else { return };
            let Some(served) = self.actions.get(&action) else { continue };
            if served.workers.is_empty() && served.deserted == since {
                self.phases[served.breaker.phase().index()] -= 1;
                self.actions.remove(&action);
            }
        }
    }

    /// Panics when the numbers contradict the calls.
    pub fn check(&self) {
        for (key, call) in self.calls.iter() {
            let worker = self.workers.get(&call.worker).expect("a call has a worker");
            assert!(worker.calls.contains(&key), "a worker knows its calls");
        }
        let at_workers: usize = self.workers.values().map(|worker| worker.calls.len()).sum();
        assert_eq!(at_workers, self.calls.len(), "a call is one worker's");
        let of_actions: usize = self.actions.values().map(|served| served.in_flight as usize).sum();
        assert_eq!(of_actions, self.calls.len(), "a call is of one action");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::{ConnectionId, LoopId};

    const LIMITS: Limits = Limits { per_worker: 3, bytes_per_worker: 100, per_action: 5 };
    const NOW: Duration = Duration::from_secs(1000);
    const OPEN_FOR: Duration = Duration::from_secs(30);

    fn at(slot: u32) -> Address {
        Address { home: LoopId(0), connection: ConnectionId { slot, generation: 0 } }
    }

    fn action(text: &str) -> Action {
        Action::parse(text).expect("an action")
    }

    fn call(
        workers: &mut Workers<u8>,
        text: &str,
        bytes: usize,
    ) -> Result<(Key, Address), Refused> {
        let action = action(text);
        let worker = workers.choose(&action, bytes, LIMITS, NOW)?;
        let key = workers.begin(Id(1), action, worker, bytes, 0);
        workers.check();
        Ok((key, worker))
    }

    #[test]
    fn the_worker_with_the_fewest_calls_gets_the_next() {
        let mut workers = Workers::new(1);
        assert_eq!(call(&mut workers, "command:a", 1), Err(Refused::NoWorker));
        assert!(workers.serve(at(1), vec![action("command:a"), action("command:b")], NOW));
        assert!(workers.serve(at(2), vec![action("command:a")], NOW));
        assert!(!workers.serve(at(2), vec![action("command:a")], NOW), "again is the same");
        let (_, one) = call(&mut workers, "command:a", 1).expect("a worker");
        let (two, other) = call(&mut workers, "command:a", 1).expect("a worker");
        assert_ne!(one, other, "they take turns");
        // What a worker has of one action counts for the others.
        call(&mut workers, "command:b", 1).expect("a worker");
        workers.end(two, at(2)).expect("it was on its way");
        for _ in 0..2 {
            assert_eq!(call(&mut workers, "command:a", 1).expect("a worker").1, at(2));
        }
    }

    #[test]
    fn nobody_gets_more_than_is_allowed() {
        let mut workers = Workers::new(1);
        workers.serve(at(1), vec![action("command:a")], NOW);
        let (long, _) = call(&mut workers, "command:a", 500).expect("one, however long");
        assert_eq!(call(&mut workers, "command:a", 1), Err(Refused::Busy), "too many bytes");
        workers.end(long, at(1)).expect("it was on its way");
        for _ in 0..3 {
            call(&mut workers, "command:a", 1).expect("room");
        }
        assert_eq!(call(&mut workers, "command:a", 1), Err(Refused::Busy), "of one worker");
        workers.serve(at(2), vec![action("command:a")], NOW);
        for _ in 0..2 {
            call(&mut workers, "command:a", 1).expect("room");
        }
        workers.serve(at(3), vec![action("command:a")], NOW);
        assert_eq!(call(&mut workers, "command:a", 1), Err(Refused::Busy), "of one action");
    }

    #[test]
    fn who_goes_takes_its_calls_along_and_only_the_called_one_ends_them() {
        let mut workers = Workers::new(1);
        workers.serve(at(1), vec![action("command:a")], NOW);
        let (key, _) = call(&mut workers, "command:a", 1).expect("a worker");
        assert!(workers.end(key, at(2)).is_none(), "another one's call");
        assert_eq!(workers.leave(at(1), NOW).map(|calls| calls.len()), Some(1));
        assert!(workers.end(key, at(1)).is_none(), "it is over");
        assert!(workers.leave(at(1), NOW).is_none());
        workers.check();
        assert_eq!(call(&mut workers, "command:a", 1), Err(Refused::NoWorker));
        assert_eq!(workers.actions.len(), 1);
        assert_eq!(workers.phases(), [1, 0, 0]);
        workers.leave(at(9), NOW + FORGET_AFTER);
        assert!(workers.actions.is_empty(), "what nobody serves is forgotten");
        assert_eq!(workers.phases(), [0, 0, 0]);
    }

    #[test]
    fn a_breaker_outlives_its_workers() {
        let mut workers = Workers::new(1);
        for turn in 0..5 {
            workers.serve(at(turn), vec![action("command:a")], NOW);
            call(&mut workers, "command:a", 1).expect("a worker");
            for lost in workers.leave(at(turn), NOW).expect("a worker") {
                workers.judge(&lost, true, NOW, OPEN_FOR);
            }
        }
        workers.serve(at(9), vec![action("command:a")], NOW);
        assert_eq!(call(&mut workers, "command:a", 1), Err(Refused::Open(OPEN_FOR)));
        assert_eq!(workers.phase(&action("command:a")), Phase::Open);
    }
}
