//! The one writer and its disk: commits that take their time, fail, or are cut off by a crash.
//!
//! Law: what is acknowledged is on the disk. Of a commit under way when the power goes, or whose
//! fsync fails, all or nothing is there, and nobody was told which.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use stentor::base::id::UserId;
use stentor::base::now::Now;
use stentor::router::Done;
use stentor::router::words::{Finished, Job, commit};
use stentor::store::inbox::{Cursor, InboxWrite};
use stentor::store::memory::{Fail, MemoryStore};
use stentor::store::{Found, Read, Store, Write};

use crate::faults::Fault;
use crate::link::Piece;
use crate::planted::Planted;
use crate::world::{Event, World};

/// The most writes of a batch.
const BATCH_MAX: u64 = 40;
/// How long a slow commit takes at most, in microseconds.
const SLOW_COMMIT_MAX: u64 = 4_000_000;

impl World {
    pub(crate) fn wake_writer(&mut self) {
        if !self.server.writing && !self.server.writes.is_empty() {
            self.server.writing = true;
            let slow = if self.strikes(Fault::SlowCommit) { SLOW_COMMIT_MAX } else { 0 };
            self.schedule(self.plan.delays.commit + slow, Event::Commit);
        }
    }

    /// What the writer takes at once.
    fn batch(&mut self) -> Vec<Job> {
        let most = 1 + self.rng.below(BATCH_MAX) as usize;
        let len = self.server.writes.len().min(most);
        let mut jobs: Vec<Job> = self.server.writes.drain(..len).collect();
        self.spoil_batch(&mut jobs);
        jobs
    }

    /// Commits a batch to `store`; nobody is told.
    fn write(&mut self, store: &mut MemoryStore, jobs: Vec<Job>) -> Vec<Done> {
        let now = self.now;
        let devices: BTreeSet<_> = jobs.iter().flat_map(devices_of).collect();
        let done = commit(store, now, jobs, &self.server.homes);
        self.trace.note(now.monotonic, ("commit", done.len()), b"");
        for done in &done {
            let by = done.by.and_then(|address| self.server.pipe(address));
            self.model.committed(now.monotonic, by, done);
        }
        for (user, device) in devices {
            let read = Read::Arrival { user: user.clone(), device: device.clone() };
            let found = store.reader().and_then(|mut reader| reader.read(&read));
            if let Ok(Found::Arrival { place, .. }) = found {
                self.model.cursor_is(user.as_str(), &device, place);
            }
        }
        done
    }

    /// The writer commits a batch and tells the ends, in order, to each loop.
    pub(crate) fn commit(&mut self) {
        let jobs = self.batch();
        // An fsync fails once in a life: a store that has seen it does not commit again.
        let done = if self.server.after.is_none() && self.strikes(Fault::DiskError) {
            self.disk_error(jobs)
        } else {
            if self.strikes(Fault::Full) {
                self.server.store.fail_next(Fail::Full);
            } else if self.strikes(Fault::Busy) {
                self.server.store.fail_next(Fail::Unavailable);
            }
            let mut store = self.server.store.clone();
            self.write(&mut store, jobs)
        };
        for mut done in done {
            self.server.ends += 1;
            match self.plan.planted {
                Some(Planted::CauserTold) => done.by = None,
                Some(Planted::EndForgotten) if self.server.ends.is_multiple_of(25) => continue,
                _ => {}
            }
            self.post(done);
        }
        self.server.writing = false;
        self.wake_writer();
    }

    fn post(&mut self, done: Done) {
        let to = done.route(&self.server.homes);
        let delay = self.draw(self.plan.delays.job);
        let last = &mut self.server.done_at[usize::from(to.0)];
        *last = (self.now.monotonic + delay).max(*last);
        let at = *last;
        self.schedule_at(at, Event::Done(to, Box::new(done)));
    }

    /// The fsync fails: this store stores nothing any more, and the node ends soon after it has
    /// said so, if it comes to that.
    fn disk_error(&mut self, jobs: Vec<Job>) -> Vec<Done> {
        let mut image = self.server.store.crash();
        let kept = self.rng.below(2) == 0;
        let mut store = if kept { image.clone() } else { self.server.store.clone() };
        let mut done = self.write(&mut store, jobs);
        if kept {
            // What readers see is without it, what is found later is with it.
            image = store;
            let why: Arc<str> = Arc::from("disk I/O error");
            let error = stentor::store::Error::Fatal(why);
            for done in &mut done {
                done.result = Finished::Written(Err(error.clone()));
            }
        }
        if self.plan.planted == Some(Planted::WritesOn) {
            self.server.store = image.crash();
        }
        self.server.after = Some(image);
        self.schedule(1_000_000, Event::Die);
        done
    }

    /// The power is cut: what was not durable is gone, and so is every connection.
    pub(crate) fn crash(&mut self) {
        if !self.server.is_up() {
            return;
        }
        if self.server.after.is_none() && self.server.writing && self.rng.below(2) == 0 {
            // The commit under way had reached the disk.
            let jobs = self.batch();
            let mut store = self.server.store.clone();
            self.write(&mut store, jobs);
        }
        self.end("crash");
    }

    /// The drain is over: what is queued is committed, then the process ends.
    pub(crate) fn stop(&mut self) {
        while self.server.after.is_none() && !self.server.writes.is_empty() {
            let jobs = self.batch();
            let mut store = self.server.store.clone();
            self.write(&mut store, jobs);
        }
        self.end("stop");
    }

    /// The process is gone, and comes back after a while.
    fn end(&mut self, how: &str) {
        self.trace.note(self.now.monotonic, (how, 0), b"");
        self.server.die();
        if self.plan.planted == Some(Planted::SyncLost) {
            self.server.store.set_sync_lost(true);
        }
        self.queue.retain(|_, event| event.survives_crash());
        for pipe in 0..self.pipes.len() {
            // Who is not accepted yet is still there when the listener is.
            if self.pipes[pipe].connection.take().is_some() {
                self.pipes[pipe].waiting.clear();
                self.end_down(pipe, Piece::Reset);
            }
        }
        let down = 1 + self.rng.below(3_000_000);
        self.schedule_at(self.now.monotonic + Duration::from_micros(down), Event::Restart);
    }

    fn spoil_batch(&mut self, jobs: &mut [Job]) {
        self.server.commits += 1;
        match self.plan.planted {
            Some(Planted::SyncLost) if self.server.commits == 20 => {
                self.server.store.set_sync_lost(true);
            }
            Some(Planted::AckBeforeSync) if self.server.commits > 10 => {
                self.server.store.set_sync_lost(true);
                self.schedule(2_000_000, Event::Sync);
            }
            Some(Planted::NoDeduplication) => {
                for job in jobs {
                    if let Job::Write { write, .. } = job
                        && let Write::Message(message) = &mut **write
                    {
                        message.client_id = None;
                    }
                }
            }
            Some(Planted::PublishedTwice) => {
                for job in jobs {
                    if let Job::Write { write, .. } = job
                        && let Write::Publish(publication) = &mut **write
                    {
                        publication.client_id = None;
                    }
                }
            }
            Some(Planted::CursorAhead) => {
                for job in jobs {
                    if let Job::Write { write, .. } = job
                        && let Write::Inbox(InboxWrite::Move { cursors, .. }) = &mut **write
                    {
                        cursors.iter_mut().for_each(|cursor| cursor.offset += 2);
                    }
                }
            }
            Some(Planted::BatchReversed) => jobs.reverse(),
            Some(Planted::StaleReads) if self.server.commits == 40 => {
                self.server.old = Some(copy(&mut self.server.store));
            }
            _ => {}
        }
    }

    /// The fsync that should have come before the acks.
    pub(crate) fn sync(&mut self) {
        self.server.store.set_sync_lost(false);
        touch(&mut self.server.store, self.now);
    }
}

/// Whose cursors a job may move.
fn devices_of(job: &Job) -> Vec<(UserId, Arc<str>)> {
    let Job::Write { write, .. } = job else { return Vec::new() };
    match &**write {
        Write::Inbox(InboxWrite::Open { user, device, .. }) => vec![(user.clone(), device.clone())],
        Write::Inbox(InboxWrite::Move { cursors, .. }) => {
            let device = |cursor: &Cursor| (cursor.user.clone(), cursor.device.clone());
            cursors.iter().map(device).collect()
        }
        _ => Vec::new(),
    }
}

/// A write that changes nothing anybody looks at, so that everything before it is made durable.
fn touch(store: &mut MemoryStore, now: Now) {
    let write = Write::RevokeToken { jti: Arc::from("nobody's"), expires_ms: 0 };
    store.commit(now, &[write], &mut Vec::new());
}

/// A store that stays as this one is now, which goes on as a copy.
fn copy(store: &mut MemoryStore) -> MemoryStore {
    let old = store.clone();
    *store = store.crash();
    old
}
