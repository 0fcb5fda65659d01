//! A user arrives on a connection: the home is told, chats are looked up, subscriptions stand, and
//! only then is `register`, `login` or `auth` answered (SPEC §4).

use std::time::Duration;

use super::ask::{Answer, Ask, Event, Outcome, SignedIn, gone, unexpected};
use super::resume::Resume;
use super::session::{Arriving, User, Who};
use super::words::{Heard, Wish, Word};
use super::{Router, Timer, tokens};
use crate::auth::Identity;
use crate::base::id::{Address, ConnectionId, Id, LoopId};
use crate::base::time::Timestamp;
use crate::guard::Limit;
use crate::handler::{Close, Context, Peer};
use crate::hub::Channel;
use crate::message::close::USER_CONNECTIONS;
use crate::message::fault::{Code, Fault};
use crate::message::record::Profile;
use crate::store::{Found, Read};

/// How far the arrival is, and what its reply will say.
#[derive(Debug)]
pub(super) struct Step {
    identity: Identity,
    profile: Profile,
    /// `register` and `login` give tokens, `auth` does not.
    tokens: Option<(String, String)>,
    budget: Option<std::sync::Arc<crate::guard::rate::Budget>>,
    /// Homes that have not answered yet.
    homes: usize,
    resume: Resume,
    /// The user was here before.
    renews: bool,
}

impl Step {
    /// Another home has answered; whether all have.
    pub(super) fn heard_home(&mut self, heard: &mut Vec<Heard>) -> bool {
        self.resume.heard(heard);
        self.homes = self.homes.saturating_sub(1);
        self.homes == 0
    }

    /// Whether what the store refuses is only a chat that cannot be resumed.
    pub(super) fn refused(&mut self) -> bool {
        self.resume.refused()
    }
}

impl From<Step> for super::Step {
    fn from(step: Step) -> Self {
        Self::Arrival(Box::new(step))
    }
}

/// Begins an arrival; the user was verified.
pub(super) fn begin(
    ask: &mut Ask<'_, '_>,
    identity: Identity,
    profile: Profile,
    issued: Option<(String, String)>,
) -> Outcome {
    if ask.router.was_revoked(&identity) {
        return Err(tokens::revoked_fault(ask));
    }
    if let Some(user) = ask.session()?.user() {
        if user.identity.user != identity.user {
            return Err(other_user(user));
        }
        ask.session_mut()?.by_upgrade = false;
        return renew(ask, identity, profile, issued);
    }
    let (connection, user) = (ask.connection, identity.user.clone());
    let limited = !identity.role.serves();
    let arriving = Who::Arriving(Box::new((identity.clone(), Arriving::Reading(Vec::new()))));
    ask.session_mut()?.who = arriving;
    ask.router.local_users.add(&user, connection);
    let (home, address) = (ask.router.homes.of_user(&user), ask.address());
    let step = Step {
        identity,
        profile,
        tokens: issued,
        budget: None,
        homes: 0,
        resume: Resume::default(),
        renews: false,
    };
    ask.tell(home, step, |call| Word::Attach { call, user, connection: address, limited })
}

/// Another user is on the connection already.
pub(super) fn other_user(user: &User) -> Fault {
    let name = &user.identity.username;
    Fault::new(Code::Conflict, format!("this connection is authenticated as {name}"))
        .hint("logout first, or use another connection")
}

/// The same user again: the token is renewed in place, the subscriptions stand.
fn renew(
    ask: &mut Ask<'_, '_>,
    identity: Identity,
    profile: Profile,
    tokens: Option<(String, String)>,
) -> Outcome {
    let id = ask.connection;
    replace_identity(ask.router, ask.cx, id, identity.clone(), profile.clone());
    let wishes = ask.session_mut()?.take_intended();
    let (resume, asked) = Resume::begin(ask.router, id, &identity, wishes);
    let step = Step { identity, profile, tokens, budget: None, homes: 0, resume, renews: true };
    ask_homes(ask, step, asked)
}

/// Puts another identity of the same user on the connection, with its expiry.
pub(super) fn replace_identity(
    router: &mut Router,
    cx: &mut Context<'_, Router>,
    id: ConnectionId,
    identity: Identity,
    profile: Profile,
) {
    let expired_close_ms = router.auth.expired_close_ms;
    let Some(Who::User(user)) = router.sessions.get_mut(id).map(|session| &mut session.who) else {
        return;
    };
    if let Some(timer) = user.expiry.take() {
        cx.cancel_timer(timer);
    }
    let after = expiry(cx.now.unix_ms, identity.expires_at_unix_s, expired_close_ms);
    user.expiry = Some(cx.set_timer(after, Timer::Expiry(id)));
    let serves = identity.role.serves();
    user.identity = identity;
    user.display_name = profile.display_name;
    if !serves {
        router.stop_serving(cx, id);
    }
    router.end_forbidden(cx, id);
}

/// How long a connection may stay after `now` with a token that ends at `exp`.
fn expiry(now_ms: u64, exp_s: u64, expired_close_ms: u64) -> Duration {
    let end = exp_s.saturating_mul(1000).saturating_add(expired_close_ms);
    Duration::from_millis(end.saturating_sub(now_ms))
}

/// The next thing that an arrival waits for has come.
pub(super) fn go_on(ask: &mut Ask<'_, '_>, mut step: Step, event: Event) -> Outcome {
    match event {
        Event::Attached(None) => {
            ask.router.guard_metrics.limited.add_at(Limit::ConnectionsPerUser, 1);
            ask.router.leave(ask.cx, ask.connection);
            let close = Close::new(USER_CONNECTIONS, "too many connections of this user");
            ask.session_mut()?.close_after(close);
            Err(Fault::new(Code::Forbidden, "too many connections of this user"))
        }
        Event::Attached(Some(budget)) => {
            let user = step.identity.user.clone();
            step.budget = Some(budget);
            ask.read(Read::ChatIds { user }, step)
        }
        Event::Found(Found::ChatIds(chats)) => listen(ask, step, chats),
        Event::Listening(_) | Event::Refused => read_log(ask, step),
        Event::Found(Found::Log { events, top, more }) => {
            step.resume.found(ask.cx, &events, top, more);
            read_log(ask, step)
        }
        Event::Found(Found::Publications(found)) => {
            step.resume.found_stored(ask.cx, &found);
            read_log(ask, step)
        }
        event => Err(unexpected(&event)),
    }
}

/// Subscribes to the chats; what changed since they were looked up comes on top. What is for the
/// user alone finds its way by the user's home, and needs no subscription.
fn listen(ask: &mut Ask<'_, '_>, mut step: Step, mut chats: Vec<Id>) -> Outcome {
    let id = ask.connection;
    let Who::Arriving(arriving) = &mut ask.session_mut()?.who else { return Err(gone()) };
    let Arriving::Reading(changes) = std::mem::replace(&mut arriving.1, Arriving::Listening) else {
        return Err(gone());
    };
    for (chat, joined) in changes {
        chats.retain(|known| *known != chat);
        if joined {
            chats.push(chat);
        }
    }
    let mut wishes = Vec::new();
    for channel in chats.into_iter().map(Channel::Room) {
        let added = ask.router.subscriptions.hold(&channel, id);
        if added.new {
            ask.session_mut()?.channels.push(added.number);
        }
        wishes.push(Wish { channel, since: None });
    }
    let intended = ask.session_mut()?.take_intended();
    let (resume, asked) = Resume::begin(ask.router, id, &step.identity, intended);
    step.resume = resume;
    wishes.extend(asked);
    ask_homes(ask, step, wishes)
}

/// Tells the homes of channels that this loop listens.
fn ask_homes(ask: &mut Ask<'_, '_>, mut step: Step, wishes: Vec<Wish>) -> Outcome {
    if wishes.is_empty() {
        return read_log(ask, step);
    }
    let mut by_home: Vec<Vec<Wish>> = vec![Vec::new(); ask.router.homes.len()];
    for wish in wishes {
        let home = ask.router.homes.of_channel(&wish.channel);
        by_home[usize::from(home.0)].push(wish);
    }
    by_home.iter().for_each(|channels| step.homes += usize::from(!channels.is_empty()));
    let call = ask.call(step);
    for (home, channels) in by_home.into_iter().enumerate() {
        if !channels.is_empty() {
            ask.cx.tell(LoopId(home as u16), Word::Listen { call, channels });
        }
    }
    Ok(Answer::Later)
}

/// The logs of the chats that are resumed are read one after the other.
fn read_log(ask: &mut Ask<'_, '_>, mut step: Step) -> Outcome {
    match step.resume.next_read(ask.router, ask.cx, &step.identity) {
        Some(read) => ask.read(read, step),
        None => arrive(ask, step),
    }
}

/// Everything stands: the connection is the user's.
fn arrive(ask: &mut Ask<'_, '_>, step: Step) -> Outcome {
    let id = ask.connection;
    let Step { identity, profile, tokens, budget, mut resume, renews, .. } = step;
    if renews {
        resume.stand(ask.router, ask.cx, id);
        return reply(ask, tokens.as_ref(), &resume);
    }
    let Some(budget) = budget else { return Err(gone()) };
    resume.stand(ask.router, ask.cx, id);
    let expired_close_ms = ask.router.auth.expired_close_ms;
    let after = expiry(ask.cx.now.unix_ms, identity.expires_at_unix_s, expired_close_ms);
    let expiry = Some(ask.cx.set_timer(after, Timer::Expiry(id)));
    let session = ask.session_mut()?;
    let display_name = profile.display_name;
    session.who = Who::User(Box::new(User { identity, display_name, budget, expiry }));
    session.by_upgrade = false;
    let timer = session.stranger.take().and_then(|stranger| stranger.timer);
    let numbers = session.channels.clone();
    for number in numbers {
        ask.router.subscriptions.release(number, id);
    }
    if let Some((timer, _)) = timer {
        ask.cx.cancel_timer(timer);
    }
    ask.router.metrics.users.add(1);
    ask.cx.limit(id, ask.router.config.message_bytes);
    reply(ask, tokens.as_ref(), &resume)
}

fn reply(ask: &mut Ask<'_, '_>, tokens: Option<&(String, String)>, resumed: &Resume) -> Outcome {
    let user = ask.user()?;
    let profile = user.profile();
    let (session_id, exp) = (user.identity.session, user.identity.expires_at_unix_s);
    ask.ok_secret(&SignedIn {
        user: &profile,
        session_id,
        token: tokens.map(|(token, _)| token.as_str()),
        refresh_token: tokens.map(|(_, refresh)| refresh.as_str()),
        expires_at: Timestamp(exp.saturating_mul(1000)),
        resumed,
    })
}

impl Router {
    /// An arrival failed. Who renewed a token is still here.
    pub(super) fn not_arrived(
        &mut self,
        cx: &mut Context<'_, Self>,
        id: ConnectionId,
        step: &Step,
    ) {
        if step.renews {
            step.resume.give_up(self, cx, id);
        } else {
            self.leave(cx, id);
        }
    }

    /// Nobody is on the connection any more: subscriptions end, the home is told.
    pub(super) fn leave(&mut self, cx: &mut Context<'_, Self>, id: ConnectionId) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        let user = match std::mem::replace(&mut session.who, Who::Nobody) {
            Who::Nobody => return,
            Who::Arriving(arriving) => arriving.0.user,
            Who::User(user) => {
                if let Some(timer) = user.expiry {
                    cx.cancel_timer(timer);
                }
                self.metrics.users.add(-1);
                user.identity.user
            }
        };
        let numbers = std::mem::take(&mut session.channels);
        self.local_users.remove(&user, id);
        self.unsubscribe_all(cx, id, numbers);
        self.end_patterns(cx, id);
        if let Some(session) = self.sessions.get_mut(id) {
            session.chosen = 0;
        }
        self.stop_serving(cx, id);
        let connection = Address { home: cx.here, connection: id };
        cx.tell(self.homes.of_user(&user), Word::Detach { user, connection });
    }

    /// Ends subscriptions; the homes of channels that nobody here listens to are told.
    pub(super) fn unsubscribe_all(
        &mut self,
        cx: &mut Context<'_, Self>,
        id: ConnectionId,
        numbers: Vec<u32>,
    ) {
        let mut by_home: Vec<Vec<(Channel, u64)>> = vec![Vec::new(); self.homes.len()];
        for number in numbers {
            self.settle(cx, id, number);
            if let Some((channel, generation)) = self.subscriptions.remove(number, id) {
                let home = self.homes.of_channel(&channel);
                by_home[usize::from(home.0)].push((channel, generation));
            }
        }
        for (home, channels) in by_home.into_iter().enumerate() {
            if !channels.is_empty() {
                cx.tell(LoopId(home as u16), Word::Unlisten { channels });
            }
        }
    }

    /// How long a client may take to authenticate.
    pub(super) fn auth_timeout(&self, peer: Peer) -> Duration {
        let usual = if peer.is_loopback() { 300_000 } else { 10_000 };
        Duration::from_millis(self.config.auth_timeout_ms.unwrap_or(usual))
    }

    /// The time to authenticate runs while nothing is being worked on.
    pub(super) fn start_auth_timer(&mut self, cx: &mut Context<'_, Self>, id: ConnectionId) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        let Some(stranger) = &mut session.stranger else { return };
        if stranger.timer.is_none() {
            let timer = cx.set_timer(stranger.left, Timer::Auth(id));
            stranger.timer = Some((timer, cx.now.monotonic.into()));
        }
    }

    pub(super) fn stop_auth_timer(&mut self, cx: &mut Context<'_, Self>, id: ConnectionId) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        let Some(stranger) = &mut session.stranger else { return };
        if let Some((timer, since)) = stranger.timer.take() {
            cx.cancel_timer(timer);
            stranger.left = stranger.left.saturating_sub(since.elapsed(cx.now));
        }
    }

    pub(super) fn auth_is_late(&mut self, cx: &mut Context<'_, Self>, id: ConnectionId) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        if let Some(stranger) = &mut session.stranger {
            stranger.timer = None;
        }
        self.metrics.auth_timeouts.add(1);
        cx.close(id, Close::new(crate::message::close::DEADLINE, "authenticate in time"));
    }

    pub(super) fn token_is_over(&mut self, cx: &mut Context<'_, Self>, id: ConnectionId) {
        if let Some(Who::User(user)) = self.sessions.get_mut(id).map(|session| &mut session.who) {
            user.expiry = None;
            self.metrics.tokens_expired.add(1);
            cx.close(id, Close::new(crate::message::close::TOKEN_EXPIRED, "the token is over"));
        }
    }
}
