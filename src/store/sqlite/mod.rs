//! The embedded database: one SQLite file in WAL mode, one writer, any number of readers.
//!
//! Law: a batch is one transaction and one fsync (`synchronous=FULL`), acknowledged after `COMMIT`;
//! after an fsync error nothing is acknowledged any more. Limit: one server per data directory.

mod account;
mod batch;
mod chat;
mod execution;
mod failure;
mod grant;
mod inbox;
mod log;
mod message;
mod notification;
mod open;
mod publication;
mod read;
mod rows;
mod schema;
mod search;
mod sync;

use std::fs::File;
use std::iter::repeat_n;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use rusqlite::config::DbConfig;
use rusqlite::wal::CheckpointMode;
use rusqlite::{Connection, DEFAULT_NAME};

use super::{Error, Reader, Store, Write, Written};
use crate::base::failpoint::{self, Plant, Point};
use crate::base::now::Now;
use crate::base::time::Timestamp;
use batch::Batch;
use failure::Failure;
pub use open::{OpenError, Options};

/// Pages in the WAL from which an idle writer copies them into the database.
const PAGES_IDLE: u32 = 1_000;
/// Pages in the WAL from which a busy writer does so too: rarely, because the next batch waits.
const PAGES_LATE: u32 = 4_000;

/// Which writes of a batch have a savepoint to go back to; one costs a quarter of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Guard {
    /// Those that may be refused after they changed something.
    Late,
    /// All.
    Each,
}

/// Why a transaction was not committed.
enum Stopped {
    /// The batch as a whole failed.
    Failed(Error),
    /// One write without a savepoint failed: with savepoints the others may go through.
    Unguarded(Error),
}

impl From<rusqlite::Error> for Stopped {
    fn from(error: rusqlite::Error) -> Self {
        Self::Failed(failure::error(&error))
    }
}

/// The writer of a database.
#[derive(Debug)]
pub struct SqliteStore {
    conn: Connection,
    path: PathBuf,
    options: Options,
    /// Of the last batch; time stamps never go back.
    stamp: Timestamp,
    /// The same as readers see it: of the last commit.
    committed: Arc<AtomicU64>,
    /// Pages in the WAL after the last commit.
    wal_pages: Arc<AtomicU32>,
    /// Of these, how many there were at the last checkpoint.
    checkpointed: u32,
    /// Why no commit succeeds any more.
    fatal: Option<Arc<str>>,
    /// Held for as long as the store lives; dropped after the connection.
    _lock: File,
}

impl SqliteStore {
    /// Opens `stentor.db` in `dir`, or makes both, for this process alone.
    ///
    /// After an unclean stop the whole file is checked first, which takes about a second per GB.
    ///
    /// # Errors
    /// When another server has the directory, when the file is not ours, newer or damaged, and when
    /// the file system refuses. Nothing is ever overwritten.
    pub fn open(dir: &Path, options: Options) -> Result<Self, OpenError> {
        let opened = open::open(dir, &options)?;
        let sql = |error| OpenError::Sql(opened.path.clone(), error);
        let stamp = rows::last_stamp(&opened.conn).map_err(sql)?;
        let wal_pages = Arc::new(AtomicU32::new(0));
        let pages = Arc::clone(&wal_pages);
        let count = move |_: &mut rusqlite::hooks::Wal, in_wal: i32| {
            pages.store(u32::try_from(in_wal).unwrap_or(0), Ordering::Relaxed);
            Ok(())
        };
        let mut conn = opened.conn;
        conn.wal_hook(Some(count)).map_err(|e| OpenError::Sql(opened.path.clone(), e))?;
        Ok(Self {
            conn,
            path: opened.path,
            options,
            stamp,
            committed: Arc::new(AtomicU64::new(stamp.0)),
            wal_pages,
            checkpointed: 0,
            fatal: None,
            _lock: opened.lock,
        })
    }

    /// Bounds the size of the database to `pages` of 4,096 bytes; none: the disk decides.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn set_pages_max(&mut self, pages: Option<u32>) -> Result<(), Error> {
        open::pages_max(&self.conn, pages).map_err(|error| failure::error(&error))
    }

    fn try_commit(
        &mut self,
        now: Now,
        batch: &[Write],
        out: &mut Vec<Result<Written, Error>>,
    ) -> Result<(), Error> {
        if let Some(why) = &self.fatal {
            return Err(Error::Fatal(Arc::clone(why)));
        }
        self.checkpoint(PAGES_LATE)?;
        self.stamp = self.stamp.max(Timestamp(now.unix_ms));
        let before = out.len();
        match self.transaction(now, batch, out, Guard::Late) {
            Ok(()) => Ok(()),
            Err(Stopped::Failed(error)) => Err(error),
            Err(Stopped::Unguarded(_)) => {
                out.truncate(before);
                self.execute("ROLLBACK").map_err(|error| failure::error(&error))?;
                self.transaction(now, batch, out, Guard::Each).map_err(|stopped| match stopped {
                    Stopped::Failed(error) | Stopped::Unguarded(error) => error,
                })
            }
        }
    }

    /// Writes and commits the batch; a refused write leaves nothing.
    fn transaction(
        &self,
        now: Now,
        batch: &[Write],
        out: &mut Vec<Result<Written, Error>>,
        guard: Guard,
    ) -> Result<(), Stopped> {
        failpoint::hit(Point::BeforeBegin);
        if failpoint::planted(Plant::AckBeforeCommit) && !self.conn.is_autocommit() {
            self.execute("COMMIT")?;
        }
        self.execute("BEGIN IMMEDIATE")?;
        let writer = Batch { conn: &self.conn, stamp: self.stamp, now };
        for write in batch {
            let guarded = guard == Guard::Each || !batch::checks_first(write);
            if guarded {
                self.execute("SAVEPOINT one")?;
            }
            let changes = self.conn.total_changes();
            let outcome = match writer.apply(write) {
                Ok(written) => Ok(written),
                Err(Failure::RefusedKept(refusal)) => Err(Error::Refused(refusal)),
                Err(Failure::Refused(refusal)) => {
                    if guarded {
                        self.execute("ROLLBACK TO one")?;
                    } else {
                        debug_assert_eq!(self.conn.total_changes(), changes, "{write:?}");
                    }
                    Err(Error::Refused(refusal))
                }
                Err(Failure::Sql(error)) => {
                    let error = failure::error(&error);
                    if !matches!(error, Error::Unavailable(_)) || self.conn.is_autocommit() {
                        return Err(Stopped::Failed(error));
                    }
                    if !guarded {
                        return Err(Stopped::Unguarded(error));
                    }
                    // What is wrong with one write alone does not take the others down.
                    self.execute("ROLLBACK TO one")?;
                    Err(error)
                }
            };
            if guarded {
                self.execute("RELEASE one")?;
            }
            out.push(outcome);
        }
        if !failpoint::planted(Plant::AckBeforeCommit) {
            self.execute("COMMIT")?;
        }
        failpoint::hit(Point::AfterCommit);
        Ok(())
    }

    fn execute(&self, sql: &str) -> rusqlite::Result<()> {
        self.conn.prepare_cached(sql)?.execute([]).map(|_| ())
    }

    /// Leaves the transaction; remembers what is fatal.
    fn give_up(&mut self, error: &Error) {
        let undone = self.conn.is_autocommit() || self.conn.execute_batch("ROLLBACK").is_ok();
        let why = match error {
            Error::Fatal(why) => Arc::clone(why),
            _ if undone => return,
            _ => Arc::from("a transaction could not be rolled back"),
        };
        if self.fatal.is_none() {
            // What the kernel says of these files is not to be trusted: leave the WAL as it is.
            let _ = self.conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
            self.fatal = Some(why);
        }
    }

    /// Copies the WAL into the database when it has grown by `pages` since the last time.
    fn checkpoint(&mut self, pages: u32) -> Result<(), Error> {
        let in_wal = self.wal_pages.load(Ordering::Relaxed);
        if in_wal < self.checkpointed {
            // It began anew.
            self.checkpointed = 0;
        }
        if in_wal - self.checkpointed < pages {
            return Ok(());
        }
        self.checkpointed = in_wal;
        failpoint::hit(Point::Checkpoint);
        let done = self.conn.wal_checkpoint_v2(DEFAULT_NAME, CheckpointMode::PASSIVE);
        failpoint::hit(Point::Checkpoint);
        match done.map_err(|error| failure::error(&error)) {
            // No room or no time: what is in the WAL is as durable there.
            Ok(_) | Err(Error::Full | Error::Unavailable(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

impl Store for SqliteStore {
    fn commit(&mut self, now: Now, batch: &[Write], out: &mut Vec<Result<Written, Error>>) {
        if batch.is_empty() {
            return;
        }
        let before = out.len();
        if let Err(error) = self.try_commit(now, batch, out) {
            self.give_up(&error);
            out.truncate(before);
            out.extend(repeat_n(Err(error), batch.len()));
        } else {
            self.committed.store(self.stamp.0, Ordering::Release);
        }
    }

    fn idle(&mut self) {
        if self.fatal.is_none()
            && let Err(error) = self.checkpoint(PAGES_IDLE)
        {
            self.give_up(&error);
        }
    }

    fn reader(&self) -> Result<Box<dyn Reader>, Error> {
        let conn = open::open_reader(&self.path, &self.options);
        let conn = conn.map_err(|error| Error::Unavailable(Arc::from(error.to_string())))?;
        Ok(Box::new(read::SqliteReader::new(conn, Arc::clone(&self.committed))))
    }
}

impl Drop for SqliteStore {
    /// A clean stop: nothing is left in the WAL, so the next start need not check anything.
    fn drop(&mut self) {
        if self.fatal.is_none() {
            // What fails here is done by the next start.
            let _ = self.conn.wal_checkpoint_v2(DEFAULT_NAME, CheckpointMode::TRUNCATE);
        }
    }
}
