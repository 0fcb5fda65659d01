//! Who is there: `presence`, `set_status`, and what watchers of a channel are told (SPEC §4).
//!
//! The home of a channel knows who is there (`hub/attendance.rs`); the other loops tell it of every
//! subscription that begins or ends. How a user stands goes by the user's home to every loop, so it is
//! the same everywhere, and set when the reply says so. Law: what a watcher is told after its reply
//! goes on from what the reply says.

pub(super) mod words;

use std::sync::Arc;

use super::ask::{Ask, Event, Outcome, answers, unexpected};
use super::channels::{self, borrowed, may_listen};
use super::session::Who;
use super::words::Word;
use super::{Router, Timer, executions};
use crate::base::arena::Key;
use crate::base::id::{Address, ConnectionId, LoopId, UserId};
use crate::handler::{Context, Tag};
use crate::hub::Channel;
use crate::hub::attendance::News;
use crate::hub::channels::Since;
use crate::hub::policy::Presence;
use crate::hub::subscriptions::Attended;
use crate::message::client;
use crate::message::fault::{Code, Fault};
use crate::message::presence::{Counted, Standing, Status};
use crate::message::record::UserCard;
use words::{Attendance, Telling, Visit, encode};

answers! { ask, request:
    GetPresence<'a> => get_presence(ask, request),
    SetStatus<'a> => set_status(ask, request),
}

/// The longest note in bytes.
const NOTE_BYTES_MAX: usize = 256;

/// What a request about who is there waits for.
#[derive(Debug)]
pub(super) enum Step {
    /// Who is in a channel.
    Asked,
    /// The same, to be told with a subscription.
    Watch { channel: Channel, new: bool, since: Option<Box<Since>> },
    /// That so many loops know how the user stands.
    Stands { loops: usize },
}

impl From<Step> for super::Step {
    fn from(step: Step) -> Self {
        Self::Presence(step)
    }
}

/// Tells who is in a channel, or how many are.
pub(super) fn get_presence(ask: &mut Ask<'_, '_>, request: &client::GetPresence<'_>) -> Outcome {
    let channel = borrowed(&request.channel)?;
    if executions::decides(ask.router, &ask.user()?.identity, channel) {
        return executions::ask_first(ask, channel, executions::Then::WhoIsThere);
    }
    may_listen(ask, channel)?;
    who(ask, channel.into())
}

/// Tells who is in a channel that may be heard.
pub(super) fn who(ask: &mut Ask<'_, '_>, channel: Channel) -> Outcome {
    if ask.router.attendance.told_of(&channel) == Presence::Off {
        return Err(Fault::new(Code::Unsupported, "who is in this channel is not told")
            .hint("namespaces.NAME.presence says where it is"));
    }
    who_is_there(ask, channel, Step::Asked, None)
}

fn who_is_there(
    ask: &mut Ask<'_, '_>,
    channel: Channel,
    step: Step,
    watches: Option<bool>,
) -> Outcome {
    // What began before is told before.
    ask.router.tell_visits(ask.cx);
    let home = ask.router.homes.of_channel(&channel);
    let word = |call| Attendance::WhoIsThere { call, channel, watches };
    ask.tell(home, step, |call| Word::Attendance(Box::new(word(call))))
}

/// Whether a subscription is to be told who is there; one that was, and is not any more, ends that.
pub(super) fn wants(ask: &mut Ask<'_, '_>, channel: &Channel, wants: Option<bool>) -> bool {
    let id = ask.connection;
    if let Ok(session) = ask.session_mut() {
        session.take_who_is_there();
    }
    if ask.router.attendance.told_of(channel) == Presence::Off {
        return false;
    }
    if wants == Some(true) {
        return true;
    }
    ask.router.unwatch(ask.cx, id, channel);
    false
}

/// Asks who is there, for a subscription that wants to be told from now on.
pub(super) fn watch(
    ask: &mut Ask<'_, '_>,
    channel: Channel,
    new: bool,
    since: Option<Box<Since>>,
) -> Outcome {
    let number = ask.router.subscriptions.number(&channel);
    let id = ask.connection;
    let first = number.is_some_and(|number| ask.router.subscriptions.watch(number, id, true));
    let step = Step::Watch { channel: channel.clone(), new, since };
    who_is_there(ask, channel, step, Some(first))
}

/// Says how the user is.
pub(super) fn set_status(ask: &mut Ask<'_, '_>, request: &client::SetStatus<'_>) -> Outcome {
    let Some(status) = Status::parse(&request.status) else {
        return Err(Fault::field("status", "\"status\" must be online, away, busy or invisible"));
    };
    let note = request.note.as_ref().map(client::Text::as_str).filter(|note| !note.is_empty());
    if note.is_some_and(|note| note.len() > NOTE_BYTES_MAX) {
        return Err(super::dispatch::too_long("note", NOTE_BYTES_MAX));
    }
    let standing = Standing { status, note: note.map(Arc::from) };
    let (user, by, loops) = (ask.me()?, ask.address(), ask.router.homes.len());
    let home = ask.router.homes.of_user(&user);
    let word = |call| Attendance::Stand { call, user, standing, by };
    ask.tell(home, Step::Stands { loops }, |call| Word::Attendance(Box::new(word(call))))
}

/// The next thing that a request waits for has come.
pub(super) fn go_on(ask: &mut Ask<'_, '_>, step: Step, event: Event) -> Outcome {
    match (step, event) {
        (Step::Asked, Event::WhoIsThere(who)) => ask.ok(&who),
        (Step::Watch { channel, new, since }, Event::WhoIsThere(who)) => {
            if let Some(number) = ask.router.subscriptions.number(&channel) {
                ask.router.subscriptions.put_news_by(number, ask.connection);
            }
            ask.session_mut()?.keep_who_is_there(who);
            channels::stand_there(ask, channel, new, since)
        }
        (Step::Stands { .. }, Event::Stands) => ask.ok_empty(),
        (_, event) => Err(unexpected(&event)),
    }
}

impl Router {
    /// Nothing came of a subscription that wants to be told who is there.
    pub(super) fn not_watched(
        &mut self,
        cx: &mut Context<'_, Self>,
        id: ConnectionId,
        step: &Step,
    ) {
        if let Step::Watch { channel, new, since } = step {
            let (channel, new, since) = (channel.clone(), *new, since.clone());
            self.not_subscribed(cx, id, &channels::Step::Subscribe { channel, new, since });
        }
    }

    /// A subscription is told no more who is there.
    pub(super) fn unwatch(
        &mut self,
        cx: &mut Context<'_, Self>,
        id: ConnectionId,
        channel: &Channel,
    ) {
        let number = self.subscriptions.number(channel);
        if number.is_some_and(|number| self.subscriptions.watch(number, id, false)) {
            let word = Attendance::Unwatch(channel.clone());
            cx.tell(self.homes.of_channel(channel), Word::Attendance(Box::new(word)));
        }
    }

    /// Whether others see that a user is on this loop.
    pub(super) fn is_online(&self, user: &UserId) -> bool {
        !self.local_users.connections(user).is_empty() && self.attendance.standing(user).is_seen()
    }

    /// Tells the homes of channels whose subscriptions began and ended.
    pub(super) fn tell_visits(&mut self, cx: &mut Context<'_, Self>) {
        if self.subscriptions.nobody_came() {
            return;
        }
        let mut by_home: Vec<Vec<Visit>> = vec![Vec::new(); self.homes.len()];
        for attended in self.subscriptions.attended() {
            let Attended { channel, connection, came, watched } = attended;
            let session = self.sessions.get(connection);
            let card = session.and_then(|session| match &session.who {
                Who::Nobody => None,
                Who::Arriving(arriving) => Some(UserCard {
                    id: arriving.0.user.clone(),
                    username: Arc::clone(&arriving.0.username),
                }),
                Who::User(user) => Some(user.card()),
            });
            if came && card.is_none() {
                // It went again at once.
                continue;
            }
            let visit = Visit {
                connection: Address { home: cx.here, connection },
                came: card.filter(|_| came),
                watched,
                // Who is still connected did not break.
                at_once: session.is_some(),
                channel,
            };
            let home = self.homes.of_channel(&visit.channel);
            by_home[usize::from(home.0)].push(visit);
        }
        for (home, visits) in by_home.into_iter().enumerate() {
            if !visits.is_empty() {
                let word = Attendance::Visits(visits);
                cx.tell(LoopId(home as u16), Word::Attendance(Box::new(word)));
            }
        }
    }

    /// One word of who is there.
    pub(super) fn hear_of_attendance(
        &mut self,
        cx: &mut Context<'_, Self>,
        from: LoopId,
        word: Attendance,
    ) {
        let now = cx.now.monotonic;
        match word {
            Attendance::Visits(visits) => {
                for Visit { channel, connection, came, watched, at_once } in visits {
                    match came {
                        Some(user) => self.attendance.come(&channel, connection, &user, now),
                        None => {
                            self.attendance.go(&channel, connection, watched, at_once, now);
                        }
                    }
                }
                self.plan_news(cx);
            }
            Attendance::WhoIsThere { call, channel, watches } => {
                let who = if let Some(first) = watches {
                    let (news, who) = self.attendance.watch(&channel, from, first, now);
                    self.tell_news(cx, news);
                    who
                } else {
                    self.attendance.who_is_there(&channel)
                };
                let word = Attendance::ThereAre { call: call.key, who };
                cx.tell(from, Word::Attendance(Box::new(word)));
            }
            Attendance::ThereAre { call, who } => {
                self.hear_event(cx, call, Event::WhoIsThere(Box::new(who)));
            }
            Attendance::Unwatch(channel) => self.attendance.unwatch(&channel, from),
            Attendance::Told { channel, frames } => self.told(cx, &channel, frames),
            Attendance::Stand { call, user, standing, by } => {
                self.tell_standing(cx, Some(call), &user, &standing, Some(by));
            }
            Attendance::Stands { call, user, standing, by } => {
                self.attendance.set(&user, standing, by, now);
                self.plan_news(cx);
                if let Some(call) = call {
                    let word = Attendance::Knows { call: call.key };
                    cx.tell(call.home, Word::Attendance(Box::new(word)));
                }
            }
            Attendance::Knows { call } => self.knows(cx, call),
        }
    }

    fn tell_standing(
        &self,
        cx: &mut Context<'_, Self>,
        call: Option<super::words::CallRef>,
        user: &UserId,
        standing: &Standing,
        by: Option<Address>,
    ) {
        self.tell_all(cx, || {
            let (user, standing) = (user.clone(), standing.clone());
            Word::Attendance(Box::new(Attendance::Stands { call, user, standing, by }))
        });
    }

    /// Another loop knows how a user stands.
    fn knows(&mut self, cx: &mut Context<'_, Self>, call: Key) {
        if let Some(super::Step::Presence(Step::Stands { loops })) =
            self.calls.get_mut(call).and_then(|call| call.step.as_mut())
        {
            *loops = loops.saturating_sub(1);
            if *loops > 0 {
                return;
            }
        }
        self.hear_event(cx, call, Event::Stands);
    }

    /// A user's home has one connection less.
    pub(super) fn user_detached(&mut self, cx: &mut Context<'_, Self>, user: &UserId) {
        if !self.user_homes.is_here(user) {
            self.attendance.left(user, cx.now.monotonic);
            self.plan_news(cx);
        }
    }

    /// Sets the timer for what is to be told next.
    fn plan_news(&mut self, cx: &mut Context<'_, Self>) {
        let present = self.attendance.len() as i64;
        self.metrics.present.add(present - self.present);
        self.present = present;
        let Some(due) = self.attendance.next_due() else { return };
        if let Some((timer, at)) = self.attendance_timer {
            if at <= due {
                return;
            }
            cx.cancel_timer(timer);
        }
        let after = due.saturating_sub(cx.now.monotonic);
        self.attendance_timer = Some((cx.set_timer(after, Timer::Attendance), due));
    }

    /// Something is to be told.
    pub(super) fn attendance_is_due(&mut self, cx: &mut Context<'_, Self>) {
        self.attendance_timer = None;
        let news = self.attendance.due(cx.now.monotonic);
        self.tell_news(cx, news);
        self.plan_news(cx);
    }

    fn tell_news(&mut self, cx: &mut Context<'_, Self>, news: Vec<News>) {
        let mut frames: Vec<(Channel, Vec<Telling>)> = Vec::new();
        for news in news {
            let (channel, frame, except) = match news {
                News::Changed(channel, changed, by) => {
                    let frame = encode(cx, &channel, &changed);
                    (channel, frame, by)
                }
                News::Counted(channel, count) => {
                    let frame = encode(cx, &channel, &Counted { count });
                    (channel, frame, None)
                }
                News::Forget(user) => {
                    if !self.user_homes.is_here(&user) {
                        self.tell_standing(cx, None, &user, &Standing::default(), None);
                    }
                    continue;
                }
            };
            self.metrics.presence_events.add(1);
            match frames.last_mut().filter(|(last, _)| *last == channel) {
                Some((_, frames)) => frames.push((frame, except)),
                None => frames.push((channel, vec![(frame, except)])),
            }
        }
        for (channel, frames) in frames {
            for to in self.attendance.watching(&channel) {
                let (channel, frames) = (channel.clone(), frames.clone());
                let word = Attendance::Told { channel, frames };
                cx.tell(to, Word::Attendance(Box::new(word)));
            }
        }
    }

    /// Hands what is told to those connections of this loop that want it.
    fn told(&mut self, cx: &mut Context<'_, Self>, channel: &Channel, frames: Vec<Telling>) {
        let Some(number) = self.subscriptions.number(channel) else { return };
        let here = cx.here;
        let tag = Tag { channel: number, offset: 0, class: self.class(number) };
        for (frame, except) in frames {
            let except =
                except.filter(|except| except.home == here).map(|except| except.connection);
            let receivers = self.subscriptions.hear_news(number, &frame, except);
            self.metrics.deliveries.add(receivers.len() as u64);
            cx.broadcast(&receivers, None, frame, tag);
        }
    }
}
