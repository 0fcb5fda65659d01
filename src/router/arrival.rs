//! A user arrives on a connection: the home is told, chats are looked up, subscriptions stand, and
//! only then is `register`, `login` or `auth` answered (SPEC §4).

use std::time::Duration;

use super::ask::{Answer, Ask, Event, Outcome, Resumed, SignedIn, gone, unexpected};
use super::channels::may_hear;
use super::session::{Arriving, User, Who};
use super::words::{Wish, Word};
use super::{Router, Timer, executions, tokens};
use crate::auth::Identity;
use crate::base::id::{Address, ConnectionId, Id, LoopId};
use crate::base::time::Timestamp;
use crate::guard::Limit;
use crate::handler::{Close, Context, Peer};
use crate::hub::{AsChannel, Channel};
use crate::message::close::USER_CONNECTIONS;
use crate::message::fault::{Code, Fault};
use crate::message::record::Profile;
use crate::store::inbox::{InboxWrite, Place};
use crate::store::{Found, Read, Write, Written};

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
    /// What was found, until it is used.
    chats: Vec<Id>,
    /// Where the device stands in the inbox.
    place: Option<Place>,
}

impl Step {
    /// Another home has answered; whether all have.
    pub(super) fn heard_home(&mut self) -> bool {
        self.homes = self.homes.saturating_sub(1);
        self.homes == 0
    }

    /// Whether it only waits for the cursor of a new device, which can be told later.
    pub(super) fn goes_on_after(&self, fault: &Fault) -> bool {
        self.place.is_some_and(|place| !place.known)
            && self.homes == 0
            && matches!(fault.code, Code::StorageFull | Code::StorageUnavailable | Code::Overloaded)
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
    let (chats, place) = (Vec::new(), None);
    let step = Step { identity, profile, tokens: issued, budget: None, homes: 0, chats, place };
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
    replace_identity(ask.router, ask.cx, ask.connection, identity, profile);
    reply(ask, tokens.as_ref())
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
    let before = std::mem::replace(&mut user.identity, identity);
    user.set_display_name(profile.display_name);
    if !serves {
        router.stop_serving(cx, id);
    }
    drop_forbidden(router, cx, id, &before);
}

/// Another token may allow less: what may not be heard any more is heard no more.
fn drop_forbidden(
    router: &mut Router,
    cx: &mut Context<'_, Router>,
    id: ConnectionId,
    before: &Identity,
) {
    let Some(session) = router.sessions.get_mut(id) else { return };
    let Who::User(user) = &session.who else { return };
    let (policies, subscriptions) = (&router.config.policies, &router.subscriptions);
    let sees_less = executions::sees_less(before, &user.identity);
    let stays = |number: &u32| match subscriptions.channel(*number) {
        Some(Channel::Room(_)) | None => true,
        // Of which team an execution is, is not known here.
        Some(channel) if executions::is_of(channel) => !sees_less,
        Some(channel) => may_hear(policies, &user.identity, channel.as_channel(), || true),
    };
    if session.channels.iter().all(stays) {
        return;
    }
    let (kept, lost): (Vec<u32>, Vec<u32>) = session.channels.iter().partition(|n| stays(n));
    session.channels = kept;
    session.chosen = session.chosen.saturating_sub(lost.len() as u32);
    router.unsubscribe_all(cx, id, lost);
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
            let (user, device) = (step.identity.user.clone(), device(ask)?);
            step.budget = Some(budget);
            ask.read(Read::Arrival { user, device }, step)
        }
        Event::Found(Found::Arrival { chats, place }) => {
            (step.chats, step.place) = (chats, Some(place));
            if place.known {
                return listen(ask, step);
            }
            // From now on it has a cursor, whatever other devices do.
            let (user, device) = (step.identity.user.clone(), device(ask)?);
            let bounds = ask.router.config.inbox;
            ask.write(Write::Inbox(InboxWrite::Open { user, device, bounds }), step)
        }
        Event::Written(Written::Inbox(_)) | Event::Unstored => listen(ask, step),
        Event::Listening(_) => arrive(ask, step),
        event => Err(unexpected(&event)),
    }
}

/// The name of the cursor that is to be used.
fn device(ask: &Ask<'_, '_>) -> Result<std::sync::Arc<str>, Fault> {
    ask.session()?.stranger.as_ref().map(|stranger| stranger.announced.device()).ok_or_else(gone)
}

/// Subscribes to the chats; what changed since they were looked up comes on top. What is for the
/// user alone finds its way by the user's home, and needs no subscription.
fn listen(ask: &mut Ask<'_, '_>, mut step: Step) -> Outcome {
    let (id, mut chats) = (ask.connection, std::mem::take(&mut step.chats));
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
    if chats.is_empty() {
        return arrive(ask, step);
    }
    let mut by_home: Vec<Vec<Wish>> = vec![Vec::new(); ask.router.homes.len()];
    for channel in chats.into_iter().map(Channel::Room) {
        let added = ask.router.subscriptions.hold(&channel, id);
        if added.new {
            ask.session_mut()?.channels.push(added.number);
        }
        let home = ask.router.homes.of_channel(&channel);
        by_home[usize::from(home.0)].push(Wish { channel, since: None });
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

/// Everything stands: the connection is the user's.
fn arrive(ask: &mut Ask<'_, '_>, step: Step) -> Outcome {
    let id = ask.connection;
    let Step { identity, profile, tokens, budget: Some(budget), place, .. } = step else {
        return Err(gone());
    };
    let expired_close_ms = ask.router.auth.expired_close_ms;
    let after = expiry(ask.cx.now.unix_ms, identity.expires_at_unix_s, expired_close_ms);
    let expiry = Some(ask.cx.set_timer(after, Timer::Expiry(id)));
    let session = ask.session_mut()?;
    let display_name = profile.display_name;
    session.who = Who::User(Box::new(User::new(identity, display_name, budget, expiry)));
    session.by_upgrade = false;
    let (timer, announced) = match session.stranger.take() {
        Some(stranger) => (stranger.timer, stranger.announced),
        None => Default::default(),
    };
    let numbers = session.channels.clone();
    for number in numbers {
        ask.router.subscriptions.release(number, id);
    }
    if let Some((timer, _)) = timer {
        ask.cx.cancel_timer(timer);
    }
    ask.router.metrics.users.add(1);
    ask.cx.limit(id, ask.router.config.message_bytes);
    ask.router.open_inbox(ask.cx, id, announced, place.unwrap_or_default());
    reply(ask, tokens.as_ref())
}

fn reply(ask: &mut Ask<'_, '_>, tokens: Option<&(String, String)>) -> Outcome {
    let user = ask.user()?;
    let profile = user.profile();
    let (session_id, exp) = (user.identity.session, user.identity.expires_at_unix_s);
    ask.ok_secret(&SignedIn {
        user: &profile,
        session_id,
        token: tokens.map(|(token, _)| token.as_str()),
        refresh_token: tokens.map(|(_, refresh)| refresh.as_str()),
        expires_at: Timestamp(exp.saturating_mul(1000)),
        resumed: Resumed {},
    })
}

impl Router {
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
        session.chosen = 0;
        session.drop_course();
        let numbers = std::mem::take(&mut session.channels);
        self.local_users.remove(&user, id);
        self.unsubscribe_all(cx, id, numbers);
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
