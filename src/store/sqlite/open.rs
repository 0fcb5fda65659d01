//! Opening the database: the directory, the lock, what kind of file it is, its settings, its schema.
//!
//! Law: a file that is not ours, or newer than we are, is refused and not written to; what is
//! refused says why and what to do. Limit: one server per data directory.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::schema::{APPLICATION_ID, MIGRATIONS};
use super::search;
use crate::base::failpoint::{self, Plant, Point};

/// The oldest SQLite whose WAL is sound when two connections write and checkpoint at once.
const SQLITE_VERSION_MIN: i32 = 3_051_003;
/// What the WAL file is cut back to after a checkpoint, bytes.
const JOURNAL_BYTES_MAX: i64 = 64 << 20;

/// How the database is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How long to wait for a lock that another process holds (5 s).
    pub busy_timeout: Duration,
    /// The pages (of 4,096 bytes) to which the database may grow; none: the disk decides.
    pub pages_max: Option<u32>,
    /// The memory for pages of the writer, KiB (32,768); each reader has a quarter of it.
    pub cache_kib: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self { busy_timeout: Duration::from_secs(5), pages_max: None, cache_kib: 32_768 }
    }
}

/// Why the database was not opened.
#[derive(Debug)]
pub enum OpenError {
    /// Another process has the data directory.
    InUse {
        /// The lock file.
        lock: PathBuf,
        /// The process, as it wrote itself into the lock file.
        process: Option<u32>,
    },
    /// The file is no database of this server's; it was not touched.
    Foreign(PathBuf),
    /// The file was written by a newer server; it was not changed.
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema version.
        found: u32,
        /// The newest that we know.
        known: u32,
    },
    /// The file is damaged, in SQLite's words.
    Damaged(PathBuf, String),
    /// The SQLite linked into this program is too old to be trusted.
    OldSqlite(&'static str),
    /// A setting that durability needs was not accepted.
    Setting(&'static str, String),
    /// The file system said no.
    Io(PathBuf, io::Error),
    /// SQLite said no.
    Sql(PathBuf, rusqlite::Error),
}

impl std::fmt::Display for OpenError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::InUse { lock, process } => {
                write!(f, "another server uses this data directory ({} is locked", lock.display())?;
                if let Some(process) = process {
                    write!(f, " by process {process}")?;
                }
                f.write_str("); stop it, or choose another directory with --data")
            }
            Self::Foreign(path) => write!(
                f,
                "{} is not a Stentor database; move it away, or choose another directory with --data",
                path.display()
            ),
            Self::Newer { path, found, known } => write!(
                f,
                "{} was written by a newer server (schema {found}, this one knows {known}); \
                 run that server, or restore a backup from before",
                path.display()
            ),
            Self::Damaged(path, what) => write!(
                f,
                "{} is damaged ({what}); restore a backup, or move it away to start anew",
                path.display()
            ),
            Self::OldSqlite(version) => {
                write!(f, "SQLite {version} is too old: 3.51.3 or newer is needed")
            }
            Self::Setting(name, got) => {
                write!(
                    f,
                    "the database does not accept {name} (it says {got}); \
                    is the data directory on a network file system?"
                )
            }
            Self::Io(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Sql(path, error) => write!(f, "{}: {error}", path.display()),
        }
    }
}

impl std::error::Error for OpenError {}

/// The writer's connection, the path for readers, and the lock.
pub(super) struct Opened {
    pub(super) conn: Connection,
    pub(super) path: PathBuf,
    pub(super) lock: File,
}

/// Opens or makes the database in `dir`.
pub(super) fn open(dir: &Path, options: &Options) -> Result<Opened, OpenError> {
    if rusqlite::version_number() < SQLITE_VERSION_MIN {
        return Err(OpenError::OldSqlite(rusqlite::version()));
    }
    make_dir(dir)?;
    let lock = lock(dir)?;
    let path = dir.join("stentor.db");
    let unclean = harden(&dir.join("stentor.db-wal"))?;
    let empty = make_file(dir, &path)?;
    if empty && unclean {
        // SQLite would throw the WAL away.
        return Err(OpenError::Damaged(path, "it is empty, but its WAL is not".to_owned()));
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let sql = |error| sql_error(&path, error);
    let conn = Connection::open_with_flags(&path, flags).map_err(sql)?;
    conn.busy_timeout(options.busy_timeout).map_err(sql)?;
    mark(&conn, &path)?;
    let found: u32 =
        conn.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(sql)?;
    let known = MIGRATIONS.len() as u32;
    if found > known {
        return Err(OpenError::Newer { path, found, known });
    }
    settings(&conn, options, &path)?;
    if unclean {
        check(&conn, &path)?;
    }
    migrate(&conn, found as usize).map_err(sql)?;
    search::catch_up(&conn).map_err(sql)?;
    Ok(Opened { conn, path, lock })
}

/// One more connection, for reading only.
pub(super) fn open_reader(path: &Path, options: &Options) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    conn.busy_timeout(options.busy_timeout)?;
    for (name, value) in [
        ("query_only", 1),
        ("trusted_schema", 0),
        ("cell_size_check", 1),
        ("mmap_size", 0),
        ("temp_store", 2),
        ("cache_size", -i64::from(options.cache_kib / 4)),
    ] {
        conn.pragma_update(None, name, value)?;
    }
    plan_once(&conn)?;
    conn.set_prepared_statement_cache_capacity(64);
    Ok(conn)
}

fn make_dir(dir: &Path) -> Result<(), OpenError> {
    let io = |error| OpenError::Io(dir.to_owned(), error);
    if dir.is_dir() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(io)?;
    if let Some(parent) = dir.canonicalize().map_err(io)?.parent() {
        // Best effort: a parent that may not be read cannot be synced.
        let _ = File::open(parent).and_then(|parent| parent.sync_all());
    }
    Ok(())
}

fn lock(dir: &Path) -> Result<File, OpenError> {
    let path = dir.join("stentor.lock");
    let io = |error| OpenError::Io(path.clone(), error);
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let mut file = options.open(&path).map_err(io)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            let read = file.read_to_string(&mut text);
            let process = read.ok().and_then(|_| text.trim().parse().ok());
            return Err(OpenError::InUse { lock: path, process });
        }
        Err(TryLockError::Error(error)) => return Err(io(error)),
    }
    file.set_len(0).map_err(io)?;
    writeln!(file, "{}", std::process::id()).map_err(io)?;
    Ok(file)
}

/// Says in the file whose it is, unless it is said; before WAL, so that it stands in the file itself
/// from the first moment.
///
/// What the header said before is not enough: when the first start died in this very transaction,
/// opening has just undone it.
fn mark(conn: &Connection, path: &Path) -> Result<(), OpenError> {
    const TABLES: &str = "SELECT count(*) FROM sqlite_schema";
    let sql = |error| sql_error(path, error);
    let id = conn.pragma_query_value(None, "application_id", |row| row.get::<_, u32>(0));
    if id.map_err(sql)? == APPLICATION_ID {
        return Ok(());
    }
    if conn.query_row(TABLES, [], |row| row.get::<_, i64>(0)).map_err(sql)? > 0 {
        return Err(OpenError::Foreign(path.to_owned()));
    }
    conn.pragma_update(None, "application_id", APPLICATION_ID).map_err(sql)
}

/// Brings what a killed server left in the WAL to the disk; whether there is anything.
///
/// A process that dies between a commit's write and its fsync leaves the commit to the kernel. The
/// next one finds it whole, shows it, and tells its author's retry that it is stored, without
/// writing anything; from then on it must outlive a power cut.
fn harden(wal: &Path) -> Result<bool, OpenError> {
    if !std::fs::metadata(wal).is_ok_and(|wal| wal.len() > 0) {
        return Ok(false);
    }
    // Writable, because some systems sync only what could be written.
    let file = OpenOptions::new().read(true).write(true).open(wal);
    let io = |error| OpenError::Io(wal.to_owned(), error);
    file.and_then(|file| file.sync_all()).map_err(io)?;
    Ok(true)
}

/// Makes the file, readable by its owner only, or sees that it is ours; true when it is empty.
fn make_file(dir: &Path, path: &Path) -> Result<bool, OpenError> {
    let io = |error| OpenError::Io(path.to_owned(), error);
    let mut header = [0; 72];
    let mut length = 0;
    match File::open(path) {
        Ok(mut file) => {
            while length < header.len() {
                match file.read(&mut header[length..]).map_err(io)? {
                    0 => break,
                    read => length += read,
                }
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut options = OpenOptions::new();
            options.write(true).create_new(true).mode(0o600).open(path).map_err(io)?;
            File::open(dir).and_then(|dir| dir.sync_all()).map_err(io)?;
        }
        Err(error) => return Err(io(error)),
    }
    let ours =
        header.starts_with(b"SQLite format 3\0") && header[68..] == APPLICATION_ID.to_be_bytes();
    match length {
        0 => Ok(true),
        72 if ours => Ok(false),
        _ if was_empty(&dir.join("stentor.db-journal")) => Ok(true),
        _ => Err(OpenError::Foreign(path.to_owned())),
    }
}

/// Whether this is the journal of a first transaction that did not end: whatever of it is in the
/// file, whole or torn, SQLite will undo it, and nothing was there before.
fn was_empty(journal: &Path) -> bool {
    // The format of SQLite's rollback journal, section 3 of its file format: a magic number, and at
    // offset 16 the pages of the database before the transaction.
    const MAGIC: [u8; 8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];
    let mut head = [0; 20];
    let read = File::open(journal).and_then(|mut file| file.read_exact(&mut head));
    read.is_ok() && head.starts_with(&MAGIC) && head[16..] == [0; 4]
}

fn settings(conn: &Connection, options: &Options, path: &Path) -> Result<(), OpenError> {
    let sql = |error| sql_error(path, error);
    let mode: String =
        conn.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0)).map_err(sql)?;
    if mode != "wal" {
        return Err(OpenError::Setting("journal_mode=WAL", mode));
    }
    // FULL: a commit waits for its fsync.
    let synchronous = if failpoint::planted(Plant::SynchronousNormal) { 1 } else { 2 };
    for (name, value) in [
        ("synchronous", synchronous),
        ("fullfsync", 1),
        ("checkpoint_fullfsync", 1),
        ("foreign_keys", 1),
        ("trusted_schema", 0),
        ("cell_size_check", 1),
        ("mmap_size", 0),
        ("temp_store", 2),
        ("wal_autocheckpoint", 0),
        ("journal_size_limit", JOURNAL_BYTES_MAX),
        ("cache_size", -i64::from(options.cache_kib)),
    ] {
        conn.pragma_update(None, name, value).map_err(sql)?;
    }
    for (name, wanted) in [("synchronous", synchronous), ("foreign_keys", 1)] {
        let got: i64 = conn.pragma_query_value(None, name, |row| row.get(0)).map_err(sql)?;
        if got != wanted {
            return Err(OpenError::Setting(name, got.to_string()));
        }
    }
    pages_max(conn, options.pages_max).map_err(sql)?;
    plan_once(conn).map_err(sql)?;
    conn.set_prepared_statement_cache_capacity(128);
    Ok(())
}

/// Plans each statement once: else the planner looks at what is bound, and every binding of a
/// statement that might use a partial index compiles it anew, which tripled the cost of a message.
fn plan_once(conn: &Connection) -> rusqlite::Result<()> {
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map(|_| ())
}

/// Bounds the size of the database; none: SQLite's own bound.
pub(super) fn pages_max(conn: &Connection, pages: Option<u32>) -> rusqlite::Result<()> {
    conn.pragma_update(None, "max_page_count", pages.unwrap_or(0xffff_fffe))
}

/// After a stop that was none of ours: the pages are whole and the indexes in step.
fn check(conn: &Connection, path: &Path) -> Result<(), OpenError> {
    let verdict: String = conn
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(|error| sql_error(path, error))?;
    if verdict == "ok" { Ok(()) } else { Err(OpenError::Damaged(path.to_owned(), verdict)) }
}

fn migrate(conn: &Connection, from: usize) -> rusqlite::Result<()> {
    for (version, sql) in MIGRATIONS.iter().enumerate().skip(from) {
        conn.execute_batch("BEGIN IMMEDIATE")?;
        failpoint::hit(Point::Migration);
        let done = conn
            .execute_batch(sql)
            .inspect(|()| failpoint::hit(Point::Migration))
            .and_then(|()| conn.pragma_update(None, "user_version", (version + 1) as u32))
            .inspect(|()| failpoint::hit(Point::Migration))
            .and_then(|()| conn.execute_batch("COMMIT"));
        failpoint::hit(Point::Migration);
        if let Err(error) = done {
            // The first error is the one to tell; a failed rollback leaves it to the next start.
            let _ = conn.execute_batch("ROLLBACK");
            return Err(error);
        }
    }
    Ok(())
}

fn sql_error(path: &Path, error: rusqlite::Error) -> OpenError {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    match error.sqlite_error_code() {
        Some(DatabaseCorrupt | NotADatabase) => {
            OpenError::Damaged(path.to_owned(), error.to_string())
        }
        _ => OpenError::Sql(path.to_owned(), error),
    }
}
