//! Accounts, sessions and revocations in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::{KEPT_AFTER_END_MS, NewSession, Refusal, Written, fold, free_name};
use super::state::{Account, Login, State, User};
use crate::base::id::{Id, UserId};
use crate::base::now::Now;
use crate::message::record::{Profile, Role, Session};

impl State {
    pub(super) fn register(
        &mut self,
        now: Now,
        user: &UserId,
        username: &Arc<str>,
        display_name: Option<&Arc<str>>,
        password: &Arc<str>,
        session: &NewSession,
    ) -> Result<Written, Refusal> {
        if self.names.contains_key(&*fold(username)) {
            return Err(Refusal::NameTaken);
        }
        if self.users.contains_key(user) || self.sessions.contains_key(&session.id) {
            return Err(Refusal::IdTaken);
        }
        self.add_user(user, username, display_name.unwrap_or(username), Some(password));
        self.open_session(now, user, session)
    }

    pub(super) fn log_in(
        &mut self,
        now: Now,
        user: &UserId,
        password: &Arc<str>,
        session: &NewSession,
    ) -> Result<Written, Refusal> {
        if self.user(user)?.account.as_ref().map(|account| &account.password) != Some(password) {
            return Err(Refusal::SessionOver);
        }
        if self.sessions.contains_key(&session.id) {
            return Err(Refusal::IdTaken);
        }
        self.open_session(now, user, session)
    }

    pub(super) fn change_password(
        &mut self,
        user: &UserId,
        old: &Arc<str>,
        new: &Arc<str>,
        keep: Option<Id>,
    ) -> Result<Written, Refusal> {
        let found = self.users.get_mut(user).ok_or(Refusal::NoUser)?;
        let account = found.account.as_mut().filter(|account| account.password == *old);
        account.ok_or(Refusal::SessionOver)?.password = Arc::clone(new);
        self.revoke_sessions(user, keep)
    }

    pub(super) fn revoke_session(
        &mut self,
        user: &UserId,
        session: Id,
    ) -> Result<Written, Refusal> {
        let login = self.sessions.get_mut(&session).filter(|login| login.user == *user);
        let login = login.ok_or(Refusal::NoSession)?;
        let sessions = if login.revoked { vec![] } else { vec![session] };
        login.revoked = true;
        Ok(Written::Revoked { sessions })
    }

    fn add_user(
        &mut self,
        id: &UserId,
        username: &Arc<str>,
        display_name: &Arc<str>,
        password: Option<&Arc<str>>,
    ) -> Profile {
        let profile = Profile {
            id: id.clone(),
            username: Arc::clone(username),
            display_name: Arc::clone(display_name),
        };
        let (name, display) = (folded(username), folded(display_name));
        if name != display {
            self.displays.insert((display, Arc::clone(&name)));
        }
        self.names.insert(name, id.clone());
        let account = |password: &Arc<str>| {
            Box::new(Account { password: Arc::clone(password), sessions: BTreeSet::new() })
        };
        let user = User {
            profile: profile.clone(),
            chats: BTreeSet::new(),
            account: password.map(account),
            inbox: <_>::default(),
        };
        self.users.insert(id.clone(), user);
        profile
    }

    fn open_session(
        &mut self,
        now: Now,
        id: &UserId,
        new: &NewSession,
    ) -> Result<Written, Refusal> {
        let user = self.users.get_mut(id).ok_or(Refusal::NoUser)?;
        let account = user.account.as_mut().ok_or(Refusal::NoUser)?;
        let sessions = &mut self.sessions;
        account.sessions.retain(|id| {
            let over = sessions.get(id).is_none_or(|login| forgotten(login.expires_ms, now));
            if over {
                sessions.remove(id);
            }
            !over
        });
        account.sessions.insert(new.id);
        let session = Session {
            id: new.id,
            created_at: self.stamp,
            last_used_at: self.stamp,
            client_info: new.client_info.clone(),
        };
        let login = Login {
            user: id.clone(),
            session,
            refresh: new.refresh,
            expires_ms: new.expires_ms,
            used: BTreeMap::new(),
            revoked: false,
        };
        self.sessions.insert(new.id, login);
        let user = user.profile.clone();
        Ok(Written::SignedIn { user, session: Some(new.id), role: self.role(id) })
    }

    pub(super) fn admit(&mut self, id: &UserId, name: Option<&str>) -> Result<Written, Refusal> {
        if let Some(known) = self.users.get(id) {
            let (user, role) = (known.profile.clone(), self.role(id));
            return Ok(Written::SignedIn { user, session: None, role });
        }
        let taken = |name: &str| Ok::<_, Refusal>(self.names.contains_key(name));
        let name = free_name(id.as_str(), name, taken)?;
        let username = if name == *id.0 { Arc::clone(&id.0) } else { Arc::from(name) };
        let user = self.add_user(id, &username, &username, None);
        Ok(Written::SignedIn { user, session: None, role: Role::default() })
    }

    pub(super) fn rotate(
        &mut self,
        now: Now,
        session: Id,
        used: &[u8; 32],
        next: &[u8; 32],
        expires_ms: u64,
    ) -> Result<Written, Refusal> {
        let login = self.sessions.get_mut(&session).ok_or(Refusal::NoSession)?;
        if login.refresh != *used {
            if !login.used.contains_key(used) {
                return Err(Refusal::NoSession);
            }
            login.revoked = true;
            return Err(Refusal::TokenReused);
        }
        if login.revoked || login.expires_ms <= now.unix_ms {
            return Err(Refusal::SessionOver);
        }
        login.used.retain(|_, end| !forgotten(*end, now));
        login.used.insert(*used, login.expires_ms);
        login.refresh = *next;
        login.expires_ms = expires_ms;
        login.session.last_used_at = self.stamp;
        let user = login.user.clone();
        let (user, role) = (self.user(&user)?.profile.clone(), self.role(&user));
        Ok(Written::SignedIn { user, session: Some(session), role })
    }

    pub(super) fn revoke_sessions(
        &mut self,
        user: &UserId,
        keep: Option<Id>,
    ) -> Result<Written, Refusal> {
        let mut ended = Vec::new();
        let account = self.users.get(user).ok_or(Refusal::NoUser)?.account.as_ref();
        for id in account.iter().flat_map(|account| &account.sessions) {
            if let Some(login) = self.sessions.get_mut(id)
                && !login.revoked
                && Some(*id) != keep
            {
                login.revoked = true;
                ended.push(*id);
            }
        }
        Ok(Written::Revoked { sessions: ended })
    }

    pub(super) fn revoke_token(&mut self, now: Now, jti: &Arc<str>, expires_ms: u64) -> Written {
        while let Some((end, _)) = self.revoked_until.first()
            && forgotten(*end, now)
            && let Some((_, jti)) = self.revoked_until.pop_first()
        {
            self.revoked_tokens.remove(&jti);
        }
        let end = self.revoked_tokens.get(jti).copied().unwrap_or(0).max(expires_ms);
        if let Some(before) = self.revoked_tokens.insert(Arc::clone(jti), end) {
            self.revoked_until.remove(&(before, Arc::clone(jti)));
        }
        self.revoked_until.insert((end, Arc::clone(jti)));
        Written::Revoked { sessions: vec![] }
    }
}

/// The name without case; the same block when it has none to lose.
fn folded(name: &Arc<str>) -> Arc<str> {
    let folded = fold(name);
    if folded == **name { Arc::clone(name) } else { folded.into() }
}

/// Whether what ended at `end_ms` need not be remembered any more.
const fn forgotten(end_ms: u64, now: Now) -> bool {
    end_ms.saturating_add(KEPT_AFTER_END_MS) <= now.unix_ms
}
