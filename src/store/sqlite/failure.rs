//! What SQLite's failures mean for a commit.
//!
//! Law: after an error that leaves in doubt what is on the disk, nothing is acknowledged any more.

use std::sync::Arc;

use rusqlite::ffi;

use super::super::{Error, Refusal};

/// Why one write of a batch did not happen.
#[derive(Debug)]
pub(super) enum Failure {
    /// A rule said no: the write leaves nothing.
    Refused(Refusal),
    /// A rule said no, and what was written until then is to stay.
    RefusedKept(Refusal),
    /// SQLite failed.
    Sql(rusqlite::Error),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

/// The port's error for one of SQLite's.
pub(super) fn error(error: &rusqlite::Error) -> Error {
    let Some(code) = error.sqlite_extended_error_code() else {
        return Error::Unavailable(Arc::from(error.to_string()));
    };
    // SQLite's words say "disk I/O error" of thirty things; the code tells them apart.
    let words = || Arc::from(format!("{error}, code {code}"));
    match code & 0xff {
        ffi::SQLITE_FULL => Error::Full,
        // The index that readers share could not grow: the log may have had room, the index had not.
        ffi::SQLITE_IOERR if code == ffi::SQLITE_IOERR_SHMSIZE => Error::Full,
        ffi::SQLITE_CORRUPT | ffi::SQLITE_NOTADB => Error::Fatal(words()),
        ffi::SQLITE_IOERR if in_doubt(code) => Error::Fatal(words()),
        _ => Error::Unavailable(words()),
    }
}

/// Whether an I/O error may have touched the database or its WAL; those of memory, of locks and of
/// the shared index (which is rebuilt) have not.
const fn in_doubt(code: i32) -> bool {
    !matches!(
        code,
        ffi::SQLITE_IOERR_NOMEM
            | ffi::SQLITE_IOERR_BLOCKED
            | ffi::SQLITE_IOERR_ACCESS
            | ffi::SQLITE_IOERR_CHECKRESERVEDLOCK
            | ffi::SQLITE_IOERR_LOCK
            | ffi::SQLITE_IOERR_RDLOCK
            | ffi::SQLITE_IOERR_UNLOCK
            | ffi::SQLITE_IOERR_SHMOPEN
            | ffi::SQLITE_IOERR_SHMLOCK
            | ffi::SQLITE_IOERR_SHMMAP
            | ffi::SQLITE_IOERR_GETTEMPPATH
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_meaning() {
        let meaning = |code| error(&rusqlite::Error::SqliteFailure(ffi::Error::new(code), None));
        for code in [
            ffi::SQLITE_IOERR,
            ffi::SQLITE_IOERR_FSYNC,
            ffi::SQLITE_IOERR_DIR_FSYNC,
            ffi::SQLITE_IOERR_WRITE,
            ffi::SQLITE_IOERR_READ,
            ffi::SQLITE_IOERR_TRUNCATE,
            ffi::SQLITE_CORRUPT,
            ffi::SQLITE_NOTADB,
        ] {
            assert!(matches!(meaning(code), Error::Fatal(_)), "{code}");
        }
        for code in [
            ffi::SQLITE_BUSY,
            ffi::SQLITE_LOCKED,
            ffi::SQLITE_NOMEM,
            ffi::SQLITE_IOERR_NOMEM,
            ffi::SQLITE_READONLY,
            ffi::SQLITE_CONSTRAINT,
        ] {
            assert!(matches!(meaning(code), Error::Unavailable(_)), "{code}");
        }
        assert_eq!(meaning(ffi::SQLITE_FULL), Error::Full);
        assert_eq!(meaning(ffi::SQLITE_IOERR_SHMSIZE), Error::Full);
        let ours = error(&rusqlite::Error::InvalidQuery);
        assert!(matches!(ours, Error::Unavailable(_)));
    }
}
