//! What administrators gave and took, in memory: roles, and since when a user's tokens are refused.

use super::super::{Refusal, Written};
use super::state::State;
use crate::base::id::UserId;
use crate::base::now::Now;
use crate::message::record::Role;

/// What an administrator said of a user.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Grant {
    role: Role,
    revoked_s: Option<u64>,
}

impl State {
    pub(super) fn set_role(&mut self, user: &UserId, role: Role) -> Result<Written, Refusal> {
        self.user(user)?;
        self.grants.entry(user.clone()).or_default().role = role;
        Ok(Written::Granted)
    }

    pub(super) fn revoke_user(&mut self, now: Now, user: &UserId) -> Result<Written, Refusal> {
        self.user(user)?;
        self.grants.entry(user.clone()).or_default().revoked_s = Some(now.unix_s());
        self.revoke_sessions(user, None)
    }

    /// What the next token of a user says.
    pub(super) fn role(&self, user: &UserId) -> Role {
        self.grants.get(user).map_or_else(Role::default, |grant| grant.role)
    }

    /// Whether a token of no session was issued after the user's were refused, if they ever were.
    pub(super) fn is_after_revocation(&self, user: &UserId, issued_s: Option<u64>) -> bool {
        let revoked_s = self.grants.get(user).and_then(|grant| grant.revoked_s);
        revoked_s.is_none_or(|revoked_s| issued_s.is_some_and(|issued_s| issued_s > revoked_s))
    }
}
