//! `register`, `login`, `change_password`: what needs a password.
//!
//! Passwords are hashed and compared by workers. A wrong name and a wrong password are told in the
//! same words and take the same time.

use std::sync::Arc;

use super::ask::{Ask, Event, Outcome, answers, unexpected};
use super::words::{PasswordTask, Revoked, Word};
use super::{Router, arrival, resume, revoked, tokens};
use crate::auth::{Claims, Role, names, no_teams, refresh};
use crate::base::id::{Id, UserId};
use crate::guard::Limit;
use crate::message::client;
use crate::message::fault::{Code, Fault};
use crate::message::record::{ClientInfo, Profile};
use crate::store::{Found, NewSession, Read, Write, Written};

answers! { ask, request:
    Register<'a> => register(ask, request),
    Login<'a> => login(ask, request),
    ChangePassword<'a> => change_password(ask, request),
}

/// Where a request with a password stands.
#[derive(Debug)]
pub(super) enum Step {
    /// The password of a new account is being hashed.
    Register { username: Arc<str>, display_name: Option<Arc<str>>, client: Option<ClientInfo> },
    /// The account's home is asked whether there may be another attempt.
    May { account: Box<str>, password: Box<str>, client: Option<ClientInfo> },
    /// The account is being looked up.
    Find { account: Box<str>, password: Box<str>, client: Option<ClientInfo> },
    /// Its password is being compared.
    Compare { account: Box<str>, found: Option<(Profile, Arc<str>)>, client: Option<ClientInfo> },
    /// The session is being stored.
    Open { secret: [u8; 32] },
    /// The user's own password is being looked up.
    OldHash { old: Box<str>, new: Box<str> },
    /// It is being compared.
    OldPassword { hash: Arc<str>, new: Box<str> },
    /// The new one is being hashed.
    NewHash { old: Arc<str> },
    /// It is being stored.
    Changed,
}

impl From<Step> for super::Step {
    fn from(step: Step) -> Self {
        Self::Account(step)
    }
}

/// The longest of the three things that a client says of itself.
const CLIENT_INFO_BYTES_MAX: usize = 128;

/// What a client says of itself, within its bounds.
pub(super) fn client_info(
    info: Option<&client::ClientInfo<'_>>,
) -> Result<Option<ClientInfo>, Fault> {
    let Some(info) = info else { return Ok(None) };
    let text = |field: &'static str, text: Option<&client::Text<'_>>| match text {
        Some(text) if text.len() > CLIENT_INFO_BYTES_MAX => {
            Err(Fault::field(field, format!("\"{field}\" is longer than 128 bytes")))
        }
        Some(text) => Ok(Some(Arc::from(text.as_str()))),
        None => Ok(None),
    };
    Ok(Some(ClientInfo {
        client_id: text("client_id", info.client_id.as_ref())?,
        version: text("version", info.version.as_ref())?,
        platform: text("platform", info.platform.as_ref())?,
    }))
}

fn check_password(field: &'static str, password: &str) -> Result<(), Fault> {
    if names::valid_password(password) {
        Ok(())
    } else {
        Err(Fault::field(field, format!("\"{field}\" must have 8 to 1,024 bytes")))
    }
}

/// Makes an account and puts its user on the connection.
pub(super) fn register(ask: &mut Ask<'_, '_>, request: &client::Register<'_>) -> Outcome {
    if let Some(user) = ask.session()?.user() {
        return Err(arrival::other_user(user));
    }
    if !names::valid_username(&request.username) {
        let message = "\"username\" must be 1 to 32 of A-Z a-z 0-9 . _ -";
        return Err(Fault::field("username", message));
    }
    check_password("password", request.password.expose())?;
    if let Some(name) = &request.display_name
        && !names::valid_name(name)
    {
        return Err(bad_name("display_name"));
    }
    let client = client_info(request.client_info.as_ref())?;
    ask.session_mut()?.announce(client.as_ref(), request.acks);
    ask.session_mut()?.told_of_itself(client.clone());
    resume::intend(ask, request.resume.as_ref())?;
    let step = Step::Register {
        username: Arc::from(request.username.as_str()),
        display_name: request.display_name.as_ref().map(|name| Arc::from(name.as_str())),
        client,
    };
    ask.password(PasswordTask::Hash(request.password.expose().into()), step)
}

pub(super) fn bad_name(field: &'static str) -> Fault {
    Fault::field(field, format!("\"{field}\" must be 1 to 64 characters without controls"))
}

/// Puts the user of an account on the connection.
pub(super) fn login(ask: &mut Ask<'_, '_>, request: &client::Login<'_>) -> Outcome {
    let client = client_info(request.client_info.as_ref())?;
    ask.session_mut()?.announce(client.as_ref(), request.acks);
    resume::intend(ask, request.resume.as_ref())?;
    ask.session_mut()?.told_of_itself(client.clone());
    resume::intend(ask, request.resume.as_ref())?;
    let account: Box<str> = names::fold(&request.username).into();
    if !names::valid_username(&request.username)
        || !names::valid_password(request.password.expose())
    {
        // It cannot be right, but it must not be told apart by its time.
        let account = account.get(..account.floor_char_boundary(64)).unwrap_or_default().into();
        let step = Step::Compare { account, found: None, client };
        return ask.password(PasswordTask::Verify("not a password".into(), None), step);
    }
    let peer = ask.session()?.peer.ip();
    let home = ask.router.homes.of_account(&account);
    let password = request.password.expose().into();
    let step = Step::May { account: account.clone(), password, client };
    ask.tell(home, step, |call| Word::Login { call, peer, account })
}

/// Changes the password of the user; all other sessions end.
pub(super) fn change_password(
    ask: &mut Ask<'_, '_>,
    request: &client::ChangePassword<'_>,
) -> Outcome {
    check_password("new_password", request.new_password.expose())?;
    let user = ask.me()?;
    let step = Step::OldHash {
        old: request.old_password.expose().into(),
        new: request.new_password.expose().into(),
    };
    ask.read(Read::CredentialsOf { user }, step)
}

/// The next thing that a request waits for has come.
pub(super) fn go_on(ask: &mut Ask<'_, '_>, step: Step, event: Event) -> Outcome {
    match (step, event) {
        (Step::Register { username, display_name, client }, Event::Hashed(Some(password))) => {
            let (session, secret) = new_session(ask, client)?;
            let user = UserId(ask.new_id().to_string().into());
            let write = Write::Register { user, username, display_name, password, session };
            ask.write(write, Step::Open { secret })
        }
        (Step::May { .. }, Event::LoginMay(Some(wait))) => {
            ask.router.guard_metrics.limited.add_at(Limit::Logins, 1);
            let fault = Fault::new(Code::RateLimited, "too many attempts to log in");
            Err(fault.retry_after(wait.as_millis() as u64 + 1))
        }
        (Step::May { account, password, client }, Event::LoginMay(None)) => {
            let username = Arc::from(&*account);
            ask.read(Read::Credentials { username }, Step::Find { account, password, client })
        }
        (Step::Find { account, password, client }, Event::Found(Found::Credentials(found))) => {
            let hash = found.as_ref().map(|(_, hash)| Arc::clone(hash));
            let step = Step::Compare { account, found, client };
            ask.password(PasswordTask::Verify(password, hash), step)
        }
        (
            Step::Compare { account, found: Some((profile, password)), client },
            Event::Verified(true),
        ) => {
            logged_in(ask, account);
            let (session, secret) = new_session(ask, client)?;
            let write = Write::OpenSession { user: profile.id, password, session };
            ask.write(write, Step::Open { secret })
        }
        (Step::Compare { .. }, Event::Verified(_)) => {
            ask.router.auth_failed(ask.cx, ask.connection, Code::InvalidCredentials.word());
            Err(invalid_credentials())
        }
        (Step::Open { secret }, Event::Written(Written::SignedIn { user, session, role })) => {
            signed_in(ask, user, session, role, &secret)
        }
        (Step::OldHash { old, new }, Event::Found(Found::Credentials(found))) => {
            let hash = found.map(|(_, hash)| hash);
            let Some(known) = hash.clone() else {
                return Err(Fault::new(Code::Forbidden, "this user has no password here"));
            };
            let step = Step::OldPassword { hash: known, new };
            ask.password(PasswordTask::Verify(old, hash), step)
        }
        (Step::OldPassword { hash, new }, Event::Verified(true)) => {
            ask.password(PasswordTask::Hash(new), Step::NewHash { old: hash })
        }
        (Step::OldPassword { .. }, Event::Verified(false)) => {
            ask.router.auth_failed(ask.cx, ask.connection, Code::InvalidCredentials.word());
            Err(Fault {
                field: Some("old_password".into()),
                ..Fault::new(Code::InvalidCredentials, "wrong password")
            })
        }
        (Step::NewHash { old }, Event::Hashed(Some(new))) => {
            let (user, keep) = (ask.me()?, ask.user()?.identity.session);
            ask.write(Write::ChangePassword { user, old, new, keep }, Step::Changed)
        }
        (Step::Changed, Event::Written(Written::Revoked { sessions })) => {
            let user = ask.me()?;
            revoked::cut(ask, Some(user), Revoked::Sessions(sessions), None);
            ask.ok_empty()
        }
        (_, Event::Hashed(None)) => Err(Fault::new(Code::Internal, "the password was not hashed")),
        (_, event) => Err(unexpected(&event)),
    }
}

fn invalid_credentials() -> Fault {
    Fault::new(Code::InvalidCredentials, "wrong username or password")
}

/// A password that was changed while it was being compared is a wrong one.
pub(super) fn fault(step: &Step, fault: Fault) -> Fault {
    match step {
        Step::Open { .. } if fault.code == Code::TokenRevoked => invalid_credentials(),
        _ => fault,
    }
}

fn logged_in(ask: &mut Ask<'_, '_>, account: Box<str>) {
    let peer = ask.session().ok().and_then(|session| session.peer.ip());
    let home = ask.router.homes.of_account(&account);
    ask.cx.tell(home, Word::LoggedIn { peer, account });
}

/// A session and the secret of its refresh token.
fn new_session(
    ask: &mut Ask<'_, '_>,
    client_info: Option<ClientInfo>,
) -> Result<(NewSession, [u8; 32]), Fault> {
    let secret = tokens::secret(ask)?;
    let expires_ms = ask.cx.now.unix_ms + ask.router.auth.refresh_s * 1000;
    let id = ask.new_id();
    Ok((NewSession { id, refresh: refresh::digest(&secret), expires_ms, client_info }, secret))
}

/// The account is there and its session is stored: tokens are made, and the user arrives.
fn signed_in(
    ask: &mut Ask<'_, '_>,
    profile: Profile,
    session: Option<Id>,
    role: Role,
    secret: &[u8; 32],
) -> Outcome {
    let Some(session) = session else {
        return Err(Fault::new(Code::Internal, "no session was stored"));
    };
    let claims = local_claims(
        ask.router,
        ask.cx.now,
        &profile,
        role,
        session,
        Id::new(ask.cx.now.unix_ms, &ask.cx.rng.bytes()),
    );
    let token = tokens::issue(ask.router, &claims)?;
    let refresh = refresh::mint(session, secret);
    let identity = claims.identity(Arc::clone(&profile.username));
    arrival::begin(ask, identity, profile, Some((token, refresh)))
}

/// What a token of a local account says.
pub(super) fn local_claims(
    router: &Router,
    now: crate::base::now::Now,
    profile: &Profile,
    role: Role,
    session: Id,
    jti: Id,
) -> Claims {
    Claims {
        sub: profile.id.clone(),
        sid: Some(session),
        jti: Some(jti),
        iat: Some(now.unix_s()),
        exp: now.unix_s() + router.auth.access_s,
        role,
        name: Some(Arc::clone(&profile.username)),
        teams: no_teams(),
    }
}
