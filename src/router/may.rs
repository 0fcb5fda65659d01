//! Whether a request may be made now: by whom, in which role, how often (SPEC §4, §9).

use super::Router;
use super::ask::{Ask, not_authenticated};
use crate::base::id::ConnectionId;
use crate::guard::rate::Class;
use crate::handler::Close;
use crate::message::client::{Access, Rate};
use crate::message::close::RATE_ABUSE;
use crate::message::fault::{Code, Fault};

impl Router {
    /// Before authentication a client has a handful of requests.
    pub(super) fn early(&mut self, id: ConnectionId, counts: bool) -> Result<(), Fault> {
        let limit = self.config.unauthenticated_requests;
        let Some(session) = self.sessions.get_mut(id) else { return Ok(()) };
        if session.user().is_some() || !counts {
            return Ok(());
        }
        let Some(stranger) = &mut session.stranger else { return Ok(()) };
        stranger.early += 1;
        if limit.is_none_or(|limit| stranger.early <= limit) {
            return Ok(());
        }
        session.close_after(Close::new(RATE_ABUSE, "too many requests without authentication"));
        Err(Fault::new(Code::RateLimited, "too many requests without authentication")
            .hint("login, register or auth first"))
    }
}

impl Ask<'_, '_> {
    /// Whether the user may say this verb now.
    pub(super) fn may(&mut self) -> Result<(), Fault> {
        let counts = self.verb.rate() != Rate::Free;
        self.router.early(self.connection, counts)?;
        let access = self.verb.access();
        let class = match self.verb.rate() {
            Rate::Free => None,
            Rate::Request => Some(Class::Request),
            Rate::Message => Some(Class::Message),
            Rate::Ephemeral => Some(Class::Ephemeral),
        };
        let Some(user) = self.session()?.user() else {
            return if access == Access::Anyone { Ok(()) } else { Err(not_authenticated()) };
        };
        let allowed = match access {
            Access::Anyone | Access::User => true,
            Access::Service => user.identity.role.serves(),
            Access::Admin => user.identity.role == crate::auth::Role::Admin,
        };
        if !allowed {
            return Err(Fault::new(Code::Forbidden, "this needs another role"));
        }
        if user.identity.role.serves() {
            return Ok(());
        }
        let Some(class) = class else { return Ok(()) };
        user.budget.take(class, self.cx.now.monotonic, 1).map_err(|wait| {
            self.router.guard_metrics.limited.add_at(class.limit(), 1);
            Fault::new(Code::RateLimited, "too many requests")
                .retry_after(wait.as_millis() as u64 + 1)
        })
    }
}
