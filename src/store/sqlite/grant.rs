//! What administrators gave and took, in SQLite: roles, and since when a user's tokens are refused.

use rusqlite::{Connection, OptionalExtension};

use super::super::Written;
use super::batch::Batch;
use super::failure::Failure;
use super::rows::int;
use crate::base::id::UserId;
use crate::message::record::Role;

/// A row only for those whom an administrator meant.
pub(super) const TABLES: &str = "
CREATE TABLE grants (
    user INTEGER PRIMARY KEY REFERENCES users (key),
    role TEXT,
    revoked_s INTEGER
) STRICT;
";

impl Batch<'_> {
    pub(super) fn set_role(&self, user: &UserId, role: Role) -> Result<Written, Failure> {
        const SQL: &str = "INSERT INTO grants (user, role) VALUES (?1, ?2) \
            ON CONFLICT (user) DO UPDATE SET role = excluded.role";
        let (key, _) = self.user(user)?;
        self.execute(SQL, (key, role.as_str()))?;
        Ok(Written::Granted)
    }

    pub(super) fn revoke_user(&self, user: &UserId) -> Result<Written, Failure> {
        const SQL: &str = "INSERT INTO grants (user, revoked_s) VALUES (?1, ?2) \
            ON CONFLICT (user) DO UPDATE SET revoked_s = excluded.revoked_s";
        let (key, _) = self.user(user)?;
        self.execute(SQL, (key, int(self.now.unix_s())))?;
        self.revoke_sessions(user, None)
    }

    /// What the next token of a user says.
    pub(super) fn role(&self, user: i64) -> rusqlite::Result<Role> {
        const SQL: &str = "SELECT role FROM grants WHERE user = ?1";
        let mut find = self.conn.prepare_cached(SQL)?;
        let word: Option<Option<String>> = find.query_row([user], |row| row.get(0)).optional()?;
        Ok(word.flatten().as_deref().and_then(Role::parse).unwrap_or_default())
    }
}

/// Whether a token of no session was issued after the user's were refused, if they ever were.
pub(super) fn stands(
    conn: &Connection,
    user: i64,
    issued_s: Option<u64>,
) -> rusqlite::Result<bool> {
    const SQL: &str = "SELECT 1 FROM grants WHERE user = ?1 AND revoked_s >= ?2";
    let refused = conn.prepare_cached(SQL)?.exists((user, issued_s.map_or(0, int)))?;
    Ok(!refused)
}
