//! The store that keeps nothing on a disk: `--ephemeral`, tests, and the simulator.
//!
//! It has a *live* image, which readers see, and a *durable* one, which a crash leaves. Law: with
//! honest syncs the two are one. Limit: everything is in memory for as long as the store lives.

mod account;
mod chat;
mod execution;
mod grant;
mod inbox;
mod message;
mod publication;
mod read;
mod search;
mod state;
mod sync;

use std::collections::VecDeque;
use std::iter::repeat_n;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use state::State;

use super::{Error, Found, Read, Reader, Store, Write, Written};
use crate::base::now::Now;

/// What goes wrong with one commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fail {
    /// The disk is full: nothing is stored, the next commit may do better.
    Full,
    /// The database is busy or away: nothing is stored, the next commit may do better.
    Unavailable,
    /// The fsync fails and the batch is lost; no commit succeeds any more.
    Fatal,
    /// The fsync fails, yet after a crash the batch is there; no commit succeeds any more.
    FatalButWritten,
}

/// A store in memory; a clone is another handle of the same store.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug, Default)]
struct Shared {
    live: State,
    /// `None` while it equals `live`.
    durable: Option<Box<State>>,
    faults: VecDeque<Fail>,
    sync_lost: bool,
    /// Why no commit succeeds any more.
    fatal: Option<Arc<str>>,
}

impl MemoryStore {
    /// A store with nothing in it.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets a coming commit fail: the next one, or the one after those that are already to fail.
    pub fn fail_next(&self, fail: Fail) {
        self.shared().faults.push_back(fail);
    }

    /// A planted bug for controls: while set, commits are acknowledged without being durable.
    ///
    /// The first commit after it is unset makes everything durable.
    pub fn set_sync_lost(&self, sync_lost: bool) {
        let mut shared = self.shared();
        shared.sync_lost = sync_lost;
        if sync_lost && shared.durable.is_none() {
            shared.durable = Some(Box::new(shared.live.clone()));
        }
    }

    /// Cuts the power: what was durable comes back as a new store, this one stores nothing any more.
    #[must_use]
    pub fn crash(&self) -> Self {
        let mut shared = self.shared();
        shared.fatal = Some(Arc::from("crashed"));
        let live = shared.durable.take().map_or_else(|| shared.live.clone(), |durable| *durable);
        Self { shared: Arc::new(Mutex::new(Shared { live, ..Shared::default() })) }
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    /// Whether a commit of `batch` may go ahead.
    fn admit(&mut self, now: Now, batch: &[Write]) -> Result<(), Error> {
        if let Some(why) = &self.fatal {
            return Err(Error::Fatal(Arc::clone(why)));
        }
        let Some(fail) = self.faults.pop_front() else {
            return Ok(());
        };
        match fail {
            Fail::Full => return Err(Error::Full),
            Fail::Unavailable => return Err(Error::Unavailable(Arc::from("database is locked"))),
            Fail::Fatal => {}
            Fail::FatalButWritten => {
                let mut state = self.live.clone();
                state.begin(now);
                for write in batch {
                    // The outcome is lost with the commit.
                    let _ = state.apply(now, write);
                }
                self.durable = Some(Box::new(state));
            }
        }
        let why: Arc<str> = Arc::from("disk I/O error");
        self.fatal = Some(Arc::clone(&why));
        Err(Error::Fatal(why))
    }
}

impl Store for MemoryStore {
    fn commit(&mut self, now: Now, batch: &[Write], out: &mut Vec<Result<Written, Error>>) {
        if batch.is_empty() {
            return;
        }
        let Ok(mut shared) = self.shared.lock() else {
            let broken = Error::Fatal(Arc::from("a commit was cut short by a panic"));
            out.extend(repeat_n(Err(broken), batch.len()));
            return;
        };
        if let Err(error) = shared.admit(now, batch) {
            out.extend(repeat_n(Err(error), batch.len()));
            return;
        }
        shared.live.begin(now);
        for write in batch {
            out.push(shared.live.apply(now, write).map_err(Error::Refused));
        }
        if !shared.sync_lost {
            shared.durable = None;
        }
    }

    fn reader(&self) -> Result<Box<dyn Reader>, Error> {
        Ok(Box::new(MemoryReader { shared: Arc::clone(&self.shared) }))
    }
}

#[derive(Debug)]
struct MemoryReader {
    shared: Arc<Mutex<Shared>>,
}

impl Reader for MemoryReader {
    fn read(&mut self, read: &Read) -> Result<Found, Error> {
        let shared = self
            .shared
            .lock()
            .map_err(|_| Error::Unavailable(Arc::from("a commit was cut short by a panic")))?;
        if let Read::Search { user, chat, query, limit } = read {
            let shelves = shared.live.searched(user, *chat).map_err(Error::Refused)?;
            // Commits do not wait for the looking.
            drop(shared);
            return Ok(search::among(&shelves, query, *limit));
        }
        shared.live.read(read).map_err(Error::Refused)
    }
}
