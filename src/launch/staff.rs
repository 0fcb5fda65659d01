//! The workers of the messaging server: one writer, two readers, and the hashers.
//!
//! A batch of the writer is what was queued while the last one was committed. Law: every job ends,
//! by what came of it, by `overloaded`, or when a worker panicked by an error; ends of writes keep
//! the order of commits. An fsync that failed ends the server.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::Failure;
use crate::auth::Passwords;
use crate::auth::key_file::random_bytes;
use crate::auth::password::Hasher;
use crate::base::id::LoopId;
use crate::http::Storage;
use crate::hub::homes::Homes;
use crate::metrics::{Counts, Registry, Seconds, labels, rows};
use crate::net::{Batch, Batcher, Clock, Mailbox, Pool, Workers};
use crate::router::Router;
use crate::router::words::{self, CallRef, Done, Finished, Job};
use crate::store::{self, Reader, Store};

/// Writes of one commit at most.
const BATCH_MAX: usize = 1024;
/// Writes that may wait.
const WRITES_MAX: usize = 16_384;
/// Reads that may wait.
const READS_MAX: usize = 16_384;
/// Passwords that may wait.
const PASSWORDS_MAX: usize = 256;
const READERS: usize = 2;

labels! {
    /// The kinds of work.
    pub(super) enum Work: "work" {
        /// Commits.
        Write = "write",
        /// Queries.
        Read = "read",
        /// Password hashes.
        Password = "password",
    }
}

rows! {
    /// The rows of one worker.
    pub(super) struct Metrics {
        /// Time that a commit took, its fsync included.
        commit: Histogram[Seconds] = "stentor_commit_seconds",
        /// Writes that shared a commit.
        writes: Histogram[Counts] = "stentor_commit_writes",
        /// Time that a job took on its worker.
        job: Histogram[Seconds, Work] = "stentor_job_seconds",
        /// Jobs refused because the queue was full.
        overloaded: Counter[Work] = "stentor_jobs_overloaded_total",
    }
}

/// Whom to employ.
pub(super) struct Staff {
    pub(super) store: Box<dyn Store>,
    pub(super) storage: Storage,
    pub(super) homes: Homes,
    pub(super) clock: Clock,
    pub(super) hashers: usize,
    pub(super) failure: Arc<Failure>,
    pub(super) registry: Registry,
}

impl Staff {
    /// Starts the threads.
    pub(super) fn employ(
        self,
        mailboxes: Vec<Mailbox<Router>>,
    ) -> io::Result<Arc<dyn Workers<Router>>> {
        let Self { store, storage, homes, clock, hashers, failure, registry } = self;
        let post = Post { mailboxes: mailboxes.into(), homes };
        let readers = (0..READERS).map(|_| store.reader()).collect::<Result<Vec<_>, _>>();
        let readers = readers
            .map_err(|error| io::Error::other(format!("the database cannot be read: {error:?}")))?;
        let readers = readers
            .into_iter()
            .map(|reader| look_ups(reader, post.clone(), clock, registry.block()));
        let hashers = (0..hashers).map(|_| hashes(post.clone(), clock, registry.block()));
        let writer = Writer {
            store,
            clock,
            failure,
            post: post.clone(),
            metrics: registry.block(),
            disk: Disk { full: false, storage },
        };
        Ok(Arc::new(Crews {
            writer: Batcher::start("writer", WRITES_MAX, BATCH_MAX, writer)?,
            readers: Pool::start("reader", READS_MAX, readers.collect())?,
            hashers: Pool::start("hasher", PASSWORDS_MAX, hashers.collect())?,
            post,
            metrics: registry.block(),
        }))
    }
}

/// The way back to the loops.
#[derive(Clone)]
struct Post {
    mailboxes: Arc<[Mailbox<Router>]>,
    homes: Homes,
}

impl Post {
    fn deliver(&self, done: Done) {
        let to = done.route(&self.homes);
        if let Some(mailbox) = self.mailboxes.get(usize::from(to.0)) {
            mailbox.deliver(done);
        }
    }
}

/// The threads, and the way to them.
struct Crews {
    readers: Pool<Job>,
    hashers: Pool<Job>,
    /// Ends after the readers: whoever closes the database last tidies up behind it.
    writer: Batcher<Job>,
    post: Post,
    metrics: Arc<Metrics>,
}

impl Workers<Router> for Crews {
    fn submit(&self, job: Job, _: LoopId) {
        let (refused, work) = match &job {
            Job::Write { .. } => (self.writer.try_submit(job), Work::Write),
            Job::Read { .. } => (self.readers.try_submit(job), Work::Read),
            Job::Password { .. } => (self.hashers.try_submit(job), Work::Password),
        };
        if let Err(job) = refused {
            self.metrics.overloaded.add_among_others(work, 1);
            self.post.deliver(job.overloaded());
        }
    }
}

/// The writer: the only one that changes anything.
struct Writer {
    store: Box<dyn Store>,
    clock: Clock,
    failure: Arc<Failure>,
    post: Post,
    metrics: Arc<Metrics>,
    disk: Disk,
}

/// What the operator knows of the disk: told once that it is full, and once that it is not.
#[derive(Default)]
struct Disk {
    full: bool,
    storage: Storage,
}

impl Disk {
    /// Whether it is full, when that has changed with this end of a write.
    fn turned(&mut self, end: &Finished) -> Option<bool> {
        let full = match end {
            Finished::Written(Err(store::Error::Full)) => true,
            Finished::Written(Ok(_)) => false,
            _ => return None,
        };
        (std::mem::replace(&mut self.full, full) != full).then_some(full)
    }

    fn watch(&mut self, now: Duration, end: &Finished) {
        if matches!(end, Finished::Written(Err(store::Error::Full))) {
            self.storage.refused(now);
        }
        match self.turned(end) {
            Some(true) => log::error!("the disk is full: writes are refused until it is not"),
            Some(false) => {
                self.storage.written();
                log::info!("the disk has room again");
            }
            None => {}
        }
    }
}

impl Batch<Job> for Writer {
    fn run(&mut self, batch: &mut Vec<Job>) {
        let alarm = Alarm(&self.failure);
        let started = self.clock.monotonic();
        self.metrics.writes.observe(batch.len() as u64);
        let (now, jobs) = (self.clock.now(), std::mem::take(batch));
        let ends = words::commit(&mut *self.store, now, jobs, &self.post.homes);
        self.metrics.commit.observe(nanoseconds(self.clock.monotonic().saturating_sub(started)));
        drop(alarm);
        for end in ends {
            if let Finished::Written(Err(store::Error::Fatal(why))) = &end.result {
                self.failure.declare(why);
            }
            self.disk.watch(self.clock.monotonic(), &end.result);
            self.post.deliver(end);
        }
    }

    fn idle(&mut self) {
        self.store.idle();
    }
}

/// A writer that panics leaves nobody who knows what is on the disk.
struct Alarm<'a>(&'a Failure);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.declare("the writer panicked");
        }
    }
}

/// An end that somebody waits for; when a panic drops it, they get this one.
struct Owed<'a> {
    post: &'a Post,
    end: Option<Done>,
}

impl<'a> Owed<'a> {
    fn new(post: &'a Post, call: CallRef, result: Finished) -> Self {
        Self { post, end: Some(Done { call, by: None, result }) }
    }

    fn pay(mut self, end: Done) {
        self.end = Some(end);
    }
}

impl Drop for Owed<'_> {
    fn drop(&mut self) {
        if let Some(end) = self.end.take() {
            self.post.deliver(end);
        }
    }
}

fn look_ups(
    mut reader: Box<dyn Reader>,
    post: Post,
    clock: Clock,
    metrics: Arc<Metrics>,
) -> impl FnMut(Job) + Send + 'static {
    move |job| {
        let Job::Read { call, read } = job else { return };
        let lost = store::Error::Unavailable("a reader panicked".into());
        let owed = Owed::new(&post, call, Finished::Found(Err(lost)));
        let started = clock.monotonic();
        let end = words::look_up(&mut *reader, call, &read);
        let took = clock.monotonic().saturating_sub(started);
        metrics.job.observe_at(Work::Read, nanoseconds(took));
        owed.pay(end);
    }
}

fn hashes(post: Post, clock: Clock, metrics: Arc<Metrics>) -> impl FnMut(Job) + Send + 'static {
    let mut hasher = Hasher::new();
    move |job| {
        let Job::Password { call, task } = job else { return };
        let owed = Owed::new(&post, call, Finished::Overloaded);
        let salt = match random_bytes() {
            Ok(salt) => salt,
            Err(error) => return log::error!("no randomness for a password: {error}"),
        };
        let started = clock.monotonic();
        let passwords: &mut dyn Passwords = &mut hasher;
        let end = words::hash(passwords, &salt, call, task);
        let took = clock.monotonic().saturating_sub(started);
        metrics.job.observe_at(Work::Password, nanoseconds(took));
        owed.pay(end);
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Error, Written};

    #[test]
    fn a_full_disk_is_told_once_and_so_is_room() {
        let mut disk = Disk::default();
        let full = || Finished::Written(Err(Error::Full));
        let fine = || Finished::Written(Ok(Written::Revoked { sessions: Vec::new() }));
        let refused = || Finished::Written(Err(Error::Unavailable("busy".into())));
        for (end, turned) in [
            (fine(), None),
            (full(), Some(true)),
            (full(), None),
            (refused(), None),
            (fine(), Some(false)),
            (fine(), None),
        ] {
            assert_eq!(disk.turned(&end), turned);
        }
    }
}
