//! Accounts, sessions and revocations in SQLite.

use std::sync::Arc;

use rusqlite::{OptionalExtension, Row};

use super::super::{KEPT_AFTER_END_MS, NewSession, Refusal, Written, fold, free_name};
use super::batch::Batch;
use super::failure::Failure;
use super::rows::{self, blob, int};
use crate::base::id::{Id, UserId};
use crate::message::record::{Profile, Role};

impl Batch<'_> {
    pub(super) fn register(
        &self,
        user: &UserId,
        username: &Arc<str>,
        display_name: Option<&Arc<str>>,
        password: &Arc<str>,
        session: &NewSession,
    ) -> Result<Written, Failure> {
        if self.name_taken(&fold(username))? {
            return Err(Refusal::NameTaken.into());
        }
        if rows::user(self.conn, user)?.is_some() {
            return Err(Refusal::IdTaken.into());
        }
        let profile = Profile {
            id: user.clone(),
            username: Arc::clone(username),
            display_name: Arc::clone(display_name.unwrap_or(username)),
        };
        let key = self.add_user(&profile, Some(password))?;
        self.open_session(key, profile, session)
    }

    pub(super) fn log_in(
        &self,
        user: &UserId,
        password: &Arc<str>,
        session: &NewSession,
    ) -> Result<Written, Failure> {
        let (key, profile) = self.user(user)?;
        self.same_password(key, password)?;
        self.open_session(key, profile, session)
    }

    pub(super) fn admit(&self, id: &UserId, name: Option<&str>) -> Result<Written, Failure> {
        if let Some((key, user)) = rows::user(self.conn, id)? {
            return Ok(Written::SignedIn { user, session: None, role: self.role(key)? });
        }
        let username = free_name(id.as_str(), name, |name| self.name_taken(name))?;
        let username: Arc<str> = Arc::from(username);
        let display_name = Arc::clone(&username);
        let user = Profile { id: id.clone(), username, display_name };
        self.add_user(&user, None)?;
        Ok(Written::SignedIn { user, session: None, role: Role::default() })
    }

    pub(super) fn rotate(
        &self,
        session: Id,
        used: &[u8; 32],
        next: &[u8; 32],
        expires_ms: u64,
    ) -> Result<Written, Failure> {
        const FIND: &str = "SELECT s.refresh, s.revoked, s.expires_ms, u.id, u.username, u.display_name, \
            u.key \
            FROM sessions s JOIN users u ON u.key = s.user WHERE s.id = ?1";
        const USED: &str = "SELECT 1 FROM used_digests WHERE session = ?1 AND digest = ?2";
        const KEEP: &str = "INSERT OR REPLACE INTO used_digests (session, digest, expires_ms) \
            VALUES (?1, ?2, ?3)";
        const NEXT: &str = "UPDATE sessions SET refresh = ?2, expires_ms = ?3, last_used_at = ?4 \
            WHERE id = ?1";
        const FORGET: &str = "DELETE FROM used_digests WHERE (session, digest) IN \
            (SELECT session, digest FROM used_digests WHERE expires_ms <= ?1 LIMIT 4)";
        let read = |row: &Row<'_>| {
            let refresh: [u8; 32] = row.get(0)?;
            let revoked: bool = row.get(1)?;
            Ok((refresh, revoked, rows::count(row, 2)?, rows::profile(row, 3)?, row.get(6)?))
        };
        let id = blob(session);
        let found = self.conn.prepare_cached(FIND)?.query_row([id], read).optional()?;
        let (refresh, revoked, ends_ms, user, key): (_, _, _, _, i64) =
            found.ok_or(Refusal::NoSession)?;
        if refresh != *used {
            if !self.conn.prepare_cached(USED)?.exists((id, used))? {
                return Err(Refusal::NoSession.into());
            }
            self.execute("UPDATE sessions SET revoked = 1 WHERE id = ?1", [id])?;
            return Err(Failure::RefusedKept(Refusal::TokenReused));
        }
        if revoked || ends_ms <= self.now.unix_ms {
            return Err(Refusal::SessionOver.into());
        }
        self.execute(KEEP, (id, used, int(ends_ms)))?;
        self.execute(NEXT, (id, next, int(expires_ms), int(self.stamp.0)))?;
        self.execute(FORGET, [self.forget_before()])?;
        Ok(Written::SignedIn { user, session: Some(session), role: self.role(key)? })
    }

    pub(super) fn revoke_session(&self, user: &UserId, session: Id) -> Result<Written, Failure> {
        const FIND: &str = "SELECT s.revoked FROM sessions s JOIN users u ON u.key = s.user \
            WHERE s.id = ?1 AND u.id = ?2";
        let mut find = self.conn.prepare_cached(FIND)?;
        let row = (blob(session), user.as_str());
        let revoked: Option<bool> = find.query_row(row, |row| row.get(0)).optional()?;
        if revoked.ok_or(Refusal::NoSession)? {
            return Ok(Written::Revoked { sessions: vec![] });
        }
        self.execute("UPDATE sessions SET revoked = 1 WHERE id = ?1", [blob(session)])?;
        Ok(Written::Revoked { sessions: vec![session] })
    }

    pub(super) fn revoke_sessions(
        &self,
        user: &UserId,
        keep: Option<Id>,
    ) -> Result<Written, Failure> {
        const FIND: &str = "SELECT id FROM sessions WHERE user = ?1 AND revoked = 0 \
            AND id IS NOT ?2 ORDER BY id";
        const REVOKE: &str = "UPDATE sessions SET revoked = 1 WHERE user = ?1 AND revoked = 0 \
            AND id IS NOT ?2";
        let (key, _) = self.user(user)?;
        let params = (key, keep.map(blob));
        let mut find = self.conn.prepare_cached(FIND)?;
        let sessions = find
            .query_map(params, |row| rows::id(row, 0))?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        self.execute(REVOKE, params)?;
        Ok(Written::Revoked { sessions })
    }

    pub(super) fn revoke_token(&self, jti: &str, expires_ms: u64) -> Result<Written, Failure> {
        const FORGET: &str = "DELETE FROM revoked_tokens WHERE jti IN \
            (SELECT jti FROM revoked_tokens WHERE expires_ms <= ?1 LIMIT 4)";
        const KEEP: &str = "INSERT INTO revoked_tokens (jti, expires_ms) VALUES (?1, ?2) \
            ON CONFLICT (jti) DO UPDATE SET expires_ms = max(expires_ms, excluded.expires_ms)";
        self.execute(FORGET, [self.forget_before()])?;
        self.execute(KEEP, (jti, int(expires_ms)))?;
        Ok(Written::Revoked { sessions: vec![] })
    }

    pub(super) fn change_password(
        &self,
        user: &UserId,
        old: &Arc<str>,
        new: &Arc<str>,
        keep: Option<Id>,
    ) -> Result<Written, Failure> {
        let (key, _) = self.user(user)?;
        self.same_password(key, old)?;
        self.execute("UPDATE users SET password = ?2 WHERE key = ?1", (key, new))?;
        self.revoke_sessions(user, keep)
    }

    fn same_password(&self, user: i64, password: &str) -> Result<(), Failure> {
        const SQL: &str = "SELECT 1 FROM users WHERE key = ?1 AND password = ?2";
        if self.conn.prepare_cached(SQL)?.exists((user, password))? {
            Ok(())
        } else {
            Err(Refusal::SessionOver.into())
        }
    }

    fn name_taken(&self, fold: &str) -> rusqlite::Result<bool> {
        self.conn.prepare_cached("SELECT 1 FROM users WHERE name_fold = ?1")?.exists([fold])
    }

    fn add_user(&self, user: &Profile, password: Option<&Arc<str>>) -> rusqlite::Result<i64> {
        const SQL: &str = "INSERT INTO users \
            (id, username, name_fold, display_name, display_fold, password, created_at) \
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let (name, display) = (fold(&user.username), fold(&user.display_name));
        let (id, at) = (user.id.as_str(), int(self.stamp.0));
        let row = (id, &user.username, name, &user.display_name, display, password, at);
        self.conn.prepare_cached(SQL)?.insert(row)
    }

    fn open_session(
        &self,
        user: i64,
        profile: Profile,
        new: &NewSession,
    ) -> Result<Written, Failure> {
        const TAKEN: &str = "SELECT 1 FROM sessions WHERE id = ?1";
        const FORGET: &str = "DELETE FROM sessions WHERE id IN \
            (SELECT id FROM sessions WHERE expires_ms <= ?1 LIMIT 4)";
        const SQL: &str = "INSERT INTO sessions (id, user, refresh, expires_ms, created_at, \
            last_used_at, told, client_id, client_version, client_platform) \
            VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?6, ?7, ?8, ?9)";
        let id = blob(new.id);
        if self.conn.prepare_cached(TAKEN)?.exists([id])? {
            return Err(Refusal::IdTaken.into());
        }
        self.execute(FORGET, [self.forget_before()])?;
        let told = new.client_info.is_some();
        let info = new.client_info.clone().unwrap_or_default();
        let (ends, at) = (int(new.expires_ms), int(self.stamp.0));
        let row =
            (id, user, &new.refresh, ends, at, told, info.client_id, info.version, info.platform);
        self.execute(SQL, row)?;
        let role = self.role(user)?;
        Ok(Written::SignedIn { user: profile, session: Some(new.id), role })
    }

    /// What ended before this need not be remembered any more.
    fn forget_before(&self) -> i64 {
        int(self.now.unix_ms.saturating_sub(KEPT_AFTER_END_MS))
    }
}
