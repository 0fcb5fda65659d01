//! What a revocation does: every loop closes the connections that it means, whoever waits for it or not.

use std::sync::Arc;

use super::Router;
use super::ask::{Ask, Event};
use super::session::Who;
use super::words::Word;
use crate::auth::Identity;
use crate::base::id::{Address, Id, UserId};
use crate::handler::{Close, Context};
use crate::message::close::REVOKED;
use crate::store::Written;

/// Which connections of a user a revocation cuts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Revoked {
    /// Those of these sessions.
    Sessions(Vec<Id>),
    /// Those of this token.
    Token(Id),
    /// All of them; these are the sessions that were live, and this is why.
    User(Vec<Id>, Arc<str>),
}

/// Every loop closes the connections whose session or token was revoked.
pub(super) fn cut(
    ask: &mut Ask<'_, '_>,
    user: Option<UserId>,
    which: Revoked,
    except: Option<Address>,
) {
    if which == Revoked::Sessions(Vec::new()) {
        return;
    }
    ask.router.tell_all(ask.cx, || Word::Revoked {
        user: user.clone(),
        which: which.clone(),
        except,
    });
}

/// Who asked is gone, and what was revoked is revoked all the same.
pub(super) fn unattended(
    router: &Router,
    cx: &mut Context<'_, Router>,
    step: Option<&super::Step>,
    event: Event,
) {
    let Event::Written(Written::Revoked { sessions }) = event else { return };
    let which = match step {
        Some(super::Step::Admin(step)) => match step.revokes(sessions) {
            Some((user, which)) => {
                return router.tell_all(cx, || Word::Revoked {
                    user: Some(user.clone()),
                    which: which.clone(),
                    except: None,
                });
            }
            None => return,
        },
        Some(super::Step::Token(super::tokens::Step::Logout { jti: Some(jti) }))
            if sessions.is_empty() =>
        {
            Revoked::Token(*jti)
        }
        _ if sessions.is_empty() => return,
        _ => Revoked::Sessions(sessions),
    };
    router.tell_all(cx, || Word::Revoked { user: None, which: which.clone(), except: None });
}

impl Router {
    /// Closes the connections of this loop that a revocation means.
    pub(super) fn revoked(
        &mut self,
        cx: &mut Context<'_, Self>,
        user: Option<&UserId>,
        which: &Revoked,
        except: Option<Address>,
    ) {
        let ids = match which {
            Revoked::Sessions(sessions) => sessions.as_slice(),
            Revoked::Token(jti) => std::slice::from_ref(jti),
            Revoked::User(sessions, _) => sessions.as_slice(),
        };
        ids.iter().for_each(|id| self.revocations.insert(*id, cx.now.monotonic));
        if let (Revoked::User(..), Some(user)) = (which, user) {
            self.revocations.insert_user(user, cx.now);
        }
        let means = |who: &Who| {
            let identity = match who {
                Who::User(user) => &user.identity,
                Who::Arriving(arriving) => &arriving.0,
                Who::Nobody => return false,
            };
            match which {
                Revoked::Sessions(sessions) => {
                    identity.session.is_some_and(|session| sessions.contains(&session))
                }
                Revoked::Token(jti) => identity.jti == Some(*jti),
                Revoked::User(..) => true,
            }
        };
        let cut: Vec<_> = match user {
            Some(user) => self
                .local_users
                .connections(user)
                .iter()
                .copied()
                .filter(|id| self.sessions.get(*id).is_some_and(|session| means(&session.who)))
                .collect(),
            None => self
                .sessions
                .iter()
                .filter(|(_, session)| means(&session.who))
                .map(|(id, _)| id)
                .collect(),
        };
        let reason: Arc<str> = match which {
            Revoked::User(_, reason) => Arc::clone(reason),
            Revoked::Sessions(_) | Revoked::Token(_) => "the session was revoked".into(),
        };
        for connection in cut {
            if except != Some(Address { home: cx.here, connection }) {
                self.metrics.revoked.add(1);
                cx.close(connection, Close::new(REVOKED, reason.to_string()));
            }
        }
    }

    /// Whether what this identity rests on was revoked after it was looked up.
    pub(super) fn was_revoked(&self, identity: &Identity) -> bool {
        let ids = [identity.session, identity.jti];
        ids.into_iter().flatten().any(|id| self.revocations.contains(id))
    }

    /// Says the same to every loop, this one included.
    pub(super) fn tell_all(&self, cx: &mut Context<'_, Self>, word: impl Fn() -> Word) {
        for to in self.homes.all() {
            cx.tell(to, word());
        }
    }
}
