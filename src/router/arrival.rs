//! A user arrives on a connection: the home is told, chats are looked up, subscriptions stand, and
//! only then is `register`, `login` or `auth` answered (SPEC §4).

use std::time::Duration;

use super::ask::{Answer, Ask, Event, Outcome, SignedIn, gone, unexpected};
use super::resume::Resume;
use super::session::{Arriving, User, Who};
use super::words::{Heard, Wish, Word};
use super::{Router, Timer, tokens};
use crate::auth::Identity;
use crate::base::id::{ConnectionId, Id, LoopId};
use crate::base::time::Timestamp;
use crate::guard::Limit;
use crate::handler::{Close, Context};
use crate::hub::Channel;
use crate::message::close::USER_CONNECTIONS;
use crate::message::fault::{Code, Fault};
use crate::message::record::Profile;
use crate::store::inbox::{InboxFound, InboxWrite, Place};
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
    resume: Resume,
    /// The user was here before.
    renews: bool,
    /// What was found, until it is used.
    chats: Vec<Id>,
    /// Where the device stands in the inbox.
    place: Option<Place>,
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

    /// Whether it only waits for the cursor of a new device, which can be told later.
    pub(super) fn goes_on_after(&self, fault: &Fault) -> bool {
        self.place.is_some_and(|place| !place.known)
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
    let step = Step {
        identity,
        profile,
        tokens: issued,
        budget: None,
        homes: 0,
        resume: Resume::default(),
        renews: false,
        chats: Vec::new(),
        place: None,
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
    let (chats, place) = (Vec::new(), None);
    let step = Step {
        identity,
        profile,
        tokens,
        budget: None,
        homes: 0,
        resume,
        renews: true,
        chats,
        place,
    };
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
    let before = std::mem::replace(&mut user.identity, identity);
    user.set_display_name(profile.display_name);
    if !serves {
        router.stop_serving(cx, id);
    }
    router.end_forbidden(cx, id, &before);
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
        Event::Listening(_) | Event::Refused => read_log(ask, step),
        Event::Found(Found::Log { events, top, more }) => {
            step.resume.found(ask.cx, &events, top, more);
            read_log(ask, step)
        }
        Event::Found(Found::Inbox(InboxFound::Page { first, top, .. })) => {
            step.resume.found_inbox(first, top);
            read_log(ask, step)
        }
        Event::Found(Found::Executions { executions, .. }) => {
            let (router, id) = (&mut *ask.router, ask.connection);
            match step.resume.seen(router, id, &step.identity, &executions) {
                Some(wish) => ask_homes(ask, step, vec![wish]),
                None => read_log(ask, step),
            }
        }
        Event::Found(Found::Publications(found)) => {
            step.resume.found_stored(ask.cx, &found);
            read_log(ask, step)
        }
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
    if let Some(place) = &mut step.place {
        // Or it is as if it were: nobody waits for that any more.
        place.known = true;
    }
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
    let Step { identity, profile, tokens, budget, mut resume, renews, place, .. } = step;
    if renews {
        resume.stand(ask.router, ask.cx, id);
        if let Some((offset, top)) = resume.inbox() {
            ask.router.rewind_inbox(ask.cx, id, offset, top);
        }
        return reply(ask, tokens.as_ref(), &resume);
    }
    let Some(budget) = budget else { return Err(gone()) };
    resume.stand(ask.router, ask.cx, id);
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
    let mut place = place.unwrap_or_default();
    if let Some((offset, top)) = resume.inbox() {
        (place.cursor, place.top) = (offset, top.max(place.top));
    }
    ask.router.open_inbox(ask.cx, id, announced, place);
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
}
