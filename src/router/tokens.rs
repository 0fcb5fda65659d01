//! `auth`, `refresh`, `logout`, `sessions`, `revoke_session`: what needs a token or ends one.

use std::sync::Arc;

use serde::Serialize;

use super::ask::{Ask, Event, Outcome, answers, id, unexpected};
use super::revoked::cut;
use super::session::Stranger;
use super::words::{Revoked, Word};
use super::{Router, accounts, arrival, resume};
use crate::auth::{Claims, Role, TokenError, refresh};
use crate::base::id::{ConnectionId, Id};
use crate::base::time::Timestamp;
use crate::handler::{Close, Context};
use crate::message::client;
use crate::message::close::{OVERLOADED, TOKEN_EXPIRED, TOKEN_INVALID};
use crate::message::fault::{Code, Fault};
use crate::message::record::{Profile, Session};
use crate::store::{Found, Read, Write, Written};

answers! { ask, request:
    Auth<'a> => auth(ask, request),
    Refresh<'a> => refresh(ask, request),
    Logout => logout(ask, request),
    Sessions => sessions(ask),
    RevokeSession<'a> => revoke_session(ask, request),
}

/// Where a request with a token stands.
#[derive(Debug)]
pub(super) enum Step {
    /// Whether the token's session stands is being looked up.
    Standing(Box<Claims>),
    /// A user seen for the first time is being stored.
    Admit(Box<Claims>),
    /// The next refresh token is being stored.
    Rotate { session: Id, secret: [u8; 32] },
    /// The session is being ended, or for want of one the token.
    Logout { jti: Option<Id> },
    /// The sessions are being looked up.
    List,
    /// A session is being ended.
    Revoke,
}

impl From<Step> for super::Step {
    fn from(step: Step) -> Self {
        Self::Token(step)
    }
}

/// A token is shown: the user arrives, or the token is renewed in place.
pub(super) fn auth(ask: &mut Ask<'_, '_>, request: &client::Auth<'_>) -> Outcome {
    let info = accounts::client_info(request.client_info.as_ref())?;
    ask.session_mut()?.announce(info.as_ref(), request.acks);
    ask.session_mut()?.told_of_itself(info);
    resume::intend(ask, request.resume.as_ref())?;
    let verdict = ask.router.tokens.verify(ask.cx.now, request.token.expose());
    let claims = verdict.map_err(|error| token_fault(ask, error))?;
    if let Some(user) = ask.session()?.user()
        && user.identity.user != claims.sub
    {
        return Err(arrival::other_user(user));
    }
    let read = Read::Standing {
        user: claims.sub.clone(),
        session: claims.sid,
        jti: claims.jti.map(|jti| Arc::from(jti.to_string())),
        issued_s: claims.iat,
        now_ms: ask.cx.now.unix_ms,
    };
    ask.read(read, Step::Standing(Box::new(claims)))
}

/// Why a token is refused. One that came with the upgrade closes the connection: a browser can see
/// neither the status of an upgrade nor, without this, the reason.
fn token_fault(ask: &mut Ask<'_, '_>, error: TokenError) -> Fault {
    let (code, message) = match error {
        TokenError::Invalid(_) => (Code::TokenInvalid, "the token is not valid"),
        TokenError::Expired => (Code::TokenExpired, "the token is over"),
        TokenError::Revoked => (Code::TokenRevoked, "the token was revoked"),
        TokenError::Signing => (Code::Internal, "the token could not be made"),
    };
    ask.router.auth_failed(ask.cx, ask.connection, code.word());
    close_upgrade(ask.router, ask.connection, code);
    Fault::new(code, message).hint("login again, or refresh")
}

/// The fault of a token whose session ended while it was being looked at.
pub(super) fn revoked_fault(ask: &mut Ask<'_, '_>) -> Fault {
    token_fault(ask, TokenError::Revoked)
}

fn close_upgrade(router: &mut Router, id: ConnectionId, code: Code) {
    let Some(session) = router.sessions.get_mut(id) else { return };
    if std::mem::take(&mut session.by_upgrade) {
        let expired = code == Code::TokenExpired;
        let close = if expired { TOKEN_EXPIRED } else { TOKEN_INVALID };
        session.close_after(Close::new(close, "the token was refused"));
    }
}

/// Exchanges a refresh token for new tokens.
pub(super) fn refresh(ask: &mut Ask<'_, '_>, request: &client::Refresh<'_>) -> Outcome {
    let Some((session, used)) = refresh::parse(request.refresh_token.expose()) else {
        return Err(token_fault(ask, TokenError::Invalid("not a refresh token")));
    };
    let secret = secret(ask)?;
    let write = Write::Rotate {
        session,
        used: refresh::digest(&used),
        next: refresh::digest(&secret),
        expires_ms: ask.cx.now.unix_ms + ask.router.auth.refresh_s * 1000,
    };
    ask.write(write, Step::Rotate { session, secret })
}

/// Ends the session; the connection stays, with nobody on it.
pub(super) fn logout(ask: &mut Ask<'_, '_>, request: &client::Logout) -> Outcome {
    let user = ask.user()?;
    let (me, session, jti) = (user.identity.user.clone(), user.identity.session, user.identity.jti);
    let expires_ms = user.identity.expires_at_unix_s.saturating_mul(1000);
    let write = match (request.everywhere.unwrap_or(false), session, jti) {
        (true, ..) => Write::RevokeSessions { user: me },
        (false, Some(session), _) => Write::RevokeSession { user: me, session },
        (false, None, Some(jti)) => {
            Write::RevokeToken { jti: Arc::from(jti.to_string()), expires_ms }
        }
        // A token without an id cannot be told from another: only this connection ends.
        (false, None, None) => return leave(ask, Revoked::Sessions(Vec::new())),
    };
    ask.write(write, Step::Logout { jti })
}

/// Lists the live sessions of the user.
pub(super) fn sessions(ask: &mut Ask<'_, '_>) -> Outcome {
    let (user, now_ms) = (ask.me()?, ask.cx.now.unix_ms);
    ask.read(Read::Sessions { user, now_ms }, Step::List)
}

/// Ends a session of the user, this one included.
pub(super) fn revoke_session(
    ask: &mut Ask<'_, '_>,
    request: &client::RevokeSession<'_>,
) -> Outcome {
    let session = id("session_id", &request.session_id)?;
    let user = ask.me()?;
    ask.write(Write::RevokeSession { user, session }, Step::Revoke)
}

/// The next thing that a request waits for has come.
pub(super) fn go_on(ask: &mut Ask<'_, '_>, step: Step, event: Event) -> Outcome {
    match (step, event) {
        (Step::Standing(_), Event::Found(Found::Standing { stands: false, .. })) => {
            Err(token_fault(ask, TokenError::Revoked))
        }
        (Step::Standing(claims), Event::Found(Found::Standing { user: Some(user), .. })) => {
            arrive(ask, &claims, user)
        }
        (Step::Standing(claims), Event::Found(Found::Standing { user: None, .. })) => {
            let name = claims.name.clone().filter(|name| crate::auth::names::valid_username(name));
            let write = Write::Admit { user: claims.sub.clone(), name };
            ask.write(write, Step::Admit(claims))
        }
        (Step::Admit(claims), Event::Written(Written::SignedIn { user, .. })) => {
            arrive(ask, &claims, user)
        }
        (
            Step::Rotate { session, secret },
            Event::Written(Written::SignedIn { user, role, .. }),
        ) => rotated(ask, user, role, session, &secret),
        (Step::Logout { jti }, Event::Written(Written::Revoked { sessions })) => {
            let jti = jti.filter(|_| sessions.is_empty());
            leave(ask, jti.map_or(Revoked::Sessions(sessions), Revoked::Token))
        }
        (Step::List, Event::Found(Found::Sessions(sessions))) => list(ask, &sessions),
        (Step::Revoke, Event::Written(Written::Revoked { sessions })) => {
            let user = ask.me()?;
            cut(ask, Some(user), Revoked::Sessions(sessions), None);
            ask.ok_empty()
        }
        (_, event) => Err(unexpected(&event)),
    }
}

fn arrive(ask: &mut Ask<'_, '_>, claims: &Claims, profile: Profile) -> Outcome {
    if claims.sid.is_none() && ask.router.revocations.covers(&claims.sub, claims.iat) {
        return Err(revoked_fault(ask));
    }
    let identity = claims.identity(Arc::clone(&profile.username));
    arrival::begin(ask, identity, profile, None)
}

#[derive(Serialize)]
struct Renewed<'a> {
    token: &'a str,
    refresh_token: &'a str,
    expires_at: Timestamp,
}

/// The next refresh token is stored: the tokens go out, and the connection of that session lives
/// on with the new one.
fn rotated(
    ask: &mut Ask<'_, '_>,
    profile: Profile,
    role: Role,
    session: Id,
    secret: &[u8; 32],
) -> Outcome {
    let jti = ask.new_id();
    let claims = accounts::local_claims(ask.router, ask.cx.now, &profile, role, session, jti);
    let token = issue(ask.router, &claims)?;
    let refresh_token = refresh::mint(session, secret);
    let same = ask.session()?.user().is_some_and(|user| user.identity.user == profile.id);
    if same {
        let identity = claims.identity(Arc::clone(&profile.username));
        if ask.router.was_revoked(&identity) {
            return Err(revoked_fault(ask));
        }
        arrival::replace_identity(ask.router, ask.cx, ask.connection, identity, profile);
    }
    let expires_at = Timestamp(claims.exp.saturating_mul(1000));
    ask.ok_secret(&Renewed { token: &token, refresh_token: &refresh_token, expires_at })
}

/// The user goes, here and wherever else the session was used.
fn leave(ask: &mut Ask<'_, '_>, which: Revoked) -> Outcome {
    let (user, here) = (ask.me()?, ask.address());
    cut(ask, Some(user), which, Some(here));
    ask.router.end_calls(ask.cx, ask.connection);
    ask.router.leave(ask.cx, ask.connection);
    let auth = ask.router.auth_timeout(ask.session()?.peer);
    let stranger = Stranger { left: auth, ..Stranger::default() };
    ask.session_mut()?.stranger = Some(Box::new(stranger));
    ask.cx.limit(ask.connection, ask.router.config.unauthenticated_message_bytes);
    ask.ok_empty()
}

#[derive(Serialize)]
struct Listed<'a> {
    #[serde(flatten)]
    session: &'a Session,
    current: bool,
}

#[derive(Serialize)]
struct List<'a> {
    sessions: Vec<Listed<'a>>,
}

fn list(ask: &mut Ask<'_, '_>, sessions: &[Session]) -> Outcome {
    let mine = ask.user()?.identity.session;
    let listed = |session| Listed { session, current: Some(session.id) == mine };
    ask.ok(&List { sessions: sessions.iter().map(listed).collect() })
}

/// A token signed with our key.
pub(super) fn issue(router: &Router, claims: &Claims) -> Result<String, Fault> {
    router.tokens.issue(claims).map_err(|error| {
        log::error!("no token could be made: {error}");
        Fault::new(Code::Internal, "no token could be made")
    })
}

/// Unpredictable bytes for a refresh token.
pub(super) fn secret(ask: &mut Ask<'_, '_>) -> Result<[u8; 32], Fault> {
    ask.router.secrets.secret().map_err(|error| {
        log::error!("no random bytes: {error}");
        Fault::new(Code::Internal, "no token could be made")
    })
}

/// A refresh token that was used before has cost its session: its connections go too.
pub(super) fn fault(
    router: &mut Router,
    cx: &mut Context<'_, Router>,
    connection: ConnectionId,
    step: &Step,
    fault: Fault,
) -> Fault {
    match step {
        Step::Rotate { session, .. } => {
            router.auth_failed(cx, connection, fault.code.word());
            if fault.code == Code::TokenRevoked {
                let which = Revoked::Sessions(vec![*session]);
                router.tell_all(cx, || Word::Revoked {
                    user: None,
                    which: which.clone(),
                    except: None,
                });
            }
            if fault.code == Code::NotFound {
                return Fault::new(Code::TokenInvalid, "the refresh token is not valid")
                    .hint("login again");
            }
            fault
        }
        Step::Standing(_) | Step::Admit(_) => {
            if let Some(session) = router.sessions.get_mut(connection)
                && std::mem::take(&mut session.by_upgrade)
            {
                // It was not refused, nobody could say: the client is to try again later.
                session.close_after(Close::new(OVERLOADED, "the token could not be checked"));
            }
            fault
        }
        Step::Logout { .. } | Step::List | Step::Revoke => fault,
    }
}
