//! The inbox `user:{id}` on its way to connections: what was missed, then live (SPEC §4).
//!
//! A connection keeps the offset that it is to hear next. It is known to the home of its user before
//! the log is read, so whatever is committed later comes to it; while it reads, that is only
//! remembered, and read in its turn. Law: on one connection no event comes twice, unless its client
//! asks by `resume`, and none is passed over without a `gap`; the cursor of a device moves when the kernel has the bytes, or by `event_ack`.
//! Limit: the kernel having them is not the peer having them; who needs that says `acks`.

mod frames;
mod kept;

use std::sync::Arc;
use std::time::Duration;

use frames::{NAMESPACE, gap, tag};
pub(super) use frames::{channel, encode};
pub(super) use kept::Sweep;

use super::ask::Event;
use super::session::Session;
use super::words::{CallRef, Job, Parcel, Post, Word};
use super::{Call, Router, Step, Timer};
use crate::base::arena::Key;
use crate::base::id::{Address, ConnectionId, LoopId, UserId};
use crate::handler::{Close, Context, Segment, Tag};
use crate::message::client::Verb;
use crate::message::close::OVERLOADED;
use crate::message::inbox::InboxEvent;
use crate::message::record::ClientInfo;
use crate::store::inbox::{DEFAULT_DEVICE, InboxFound, InboxRead, Kept, Place};
use crate::store::{Found, Read};

/// Payloads of one page together, in bytes, after which the socket has to catch up first.
const PAGE_BYTES: usize = 128 * 1024;
/// A call that nobody waits for.
pub(super) const NOBODY: Key = Key { slot: u32::MAX, generation: 0 };

/// What a client said of its inbox before its user was known.
#[derive(Debug, Default)]
pub(super) struct Announced {
    /// None: the default device.
    pub(super) device: Option<Arc<str>>,
    /// Whether only `event_ack` moves the cursor.
    pub(super) acks: bool,
    /// The newest event that came while the arrival was under way.
    pub(super) seen: u64,
}

impl Announced {
    /// The name of the cursor.
    pub(super) fn device(&self) -> Arc<str> {
        self.device.clone().unwrap_or_else(|| Arc::from(DEFAULT_DEVICE))
    }
}

/// What a connection has of its inbox beside the place: nothing, but for named devices, and for
/// moments of the others.
#[derive(Debug, Default)]
pub(super) struct Course {
    device: Option<Arc<str>>,
    acks: bool,
    phase: Phase,
    /// The kernel is watched taking everything up to this offset; 0: it is not.
    watched: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// Everything comes when it happens.
    #[default]
    Live,
    /// The log is being read. There is more up to this offset, as far as is known.
    Reading(u64),
    /// A page is being sent; the next is read when the kernel has it.
    Sending(u64),
}

impl Course {
    /// Whether it says nothing that is not so without it.
    fn is_plain(&self) -> bool {
        self.device.is_none() && !self.acks && self.phase == Phase::Live && self.watched == 0
    }
}

impl Session {
    /// Keeps what a client says of its inbox until its user has arrived.
    pub(super) fn announce(&mut self, client: Option<&ClientInfo>, acks: Option<bool>) {
        if let Some(stranger) = &mut self.stranger {
            let device = client.and_then(|client| client.client_id.clone());
            stranger.announced.device = device.filter(|id| !id.is_empty());
            stranger.announced.acks = acks.unwrap_or(false);
        }
    }

    /// The client was told everything up to `offset` by a reply.
    pub(super) fn heard_inbox(&mut self, offset: u64) {
        if let Some(user) = self.user_mut() {
            user.next = user.next.max(offset + 1);
        }
    }

    fn phase(&self) -> Phase {
        self.course().map_or(Phase::Live, |course| course.phase)
    }

    /// The name of the device's cursor.
    pub(super) fn device(&self) -> Arc<str> {
        let named = self.course().and_then(|course| course.device.clone());
        named.unwrap_or_else(|| Arc::from(DEFAULT_DEVICE))
    }

    fn tidy(&mut self) {
        if self.course().is_some_and(Course::is_plain) {
            self.drop_course();
        }
    }
}

impl Router {
    /// At the home of users: what went into their inboxes is sent to the loops of their connections.
    pub(super) fn spread(
        &mut self,
        cx: &mut Context<'_, Self>,
        kept: Vec<Kept>,
        by: Option<Address>,
    ) {
        for Kept { user, event, dropped } in kept {
            self.metrics.inbox_events.add(1);
            self.metrics.inbox_dropped.add(dropped);
            let mut loops: Vec<LoopId> =
                self.user_homes.connections(&user).iter().map(|address| address.home).collect();
            loops.extend_from_slice(self.everywhere.loops(NAMESPACE));
            loops.sort_unstable();
            loops.dedup();
            if loops.is_empty() {
                continue;
            }
            let own = encode(cx, &channel(&user), &event);
            let frame = own.share();
            cx.recycle(own);
            let InboxEvent { offset, critical, .. } = event;
            let parcel = Parcel { user, offset, frame, critical, except: by };
            for to in loops {
                if to == cx.here {
                    self.hand_over(cx, &parcel);
                } else {
                    cx.tell(to, Word::Post(Box::new(Post::Inbox(parcel.clone()))));
                }
            }
        }
    }

    /// On a loop: an event for the connections of a user here, and for those who hear all inboxes.
    pub(super) fn hand_over(&mut self, cx: &mut Context<'_, Self>, parcel: &Parcel) {
        let here = cx.here;
        let connections: Vec<ConnectionId> = self.local_users.connections(&parcel.user).to_vec();
        self.hand_to_patterns(cx, parcel, &connections);
        for id in connections {
            let Some(session) = self.sessions.get_mut(id) else { continue };
            if let Some(stranger) = &mut session.stranger {
                stranger.announced.seen = stranger.announced.seen.max(parcel.offset);
            }
            if let Some(course) = session.course_mut()
                && let Phase::Reading(more) | Phase::Sending(more) = &mut course.phase
            {
                *more = (*more).max(parcel.offset);
                continue;
            }
            let Some(user) = session.user_mut() else { continue };
            if parcel.offset < user.next {
                continue;
            }
            if parcel.offset > user.next {
                self.read_on(cx, id, parcel.offset);
                continue;
            }
            user.next = parcel.offset + 1;
            if parcel.except != Some(Address { home: here, connection: id }) {
                let frame = Segment::Shared(parcel.frame.clone());
                cx.send(id, frame, tag(parcel.offset, parcel.critical));
                self.metrics.deliveries.add(1);
            }
            self.watch(cx, id);
        }
    }

    /// Who hears all inboxes gets an event as it comes, nothing of before; the user's own
    /// connections get it from the inbox.
    fn hand_to_patterns(&self, cx: &mut Context<'_, Self>, parcel: &Parcel, own: &[ConnectionId]) {
        let all = self.patterns.receivers(NAMESPACE).iter().copied();
        let receivers: Vec<ConnectionId> = all.filter(|of| !own.contains(of)).collect();
        if receivers.is_empty() {
            return;
        }
        self.metrics.deliveries.add(receivers.len() as u64);
        let except = parcel.except.filter(|except| except.home == cx.here);
        let except = except.map(|except| except.connection);
        cx.broadcast(&receivers, except, parcel.frame.clone(), tag(0, parcel.critical));
    }

    /// A user has arrived, and its reply is about to go out: what was missed comes behind it.
    pub(super) fn open_inbox(
        &mut self,
        cx: &mut Context<'_, Self>,
        id: ConnectionId,
        announced: Announced,
        place: Place,
    ) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        let Some(user) = session.user_mut() else { return };
        user.next = place.cursor + 1;
        let Announced { device, acks, seen } = announced;
        if device.is_some() || acks {
            let course = session.make_course();
            (course.device, course.acks) = (device, acks);
        }
        let more = seen.max(place.top);
        self.metrics.inbox_missed.observe(more.saturating_sub(place.cursor));
        if more > place.cursor {
            self.read_on(cx, id, more);
        }
    }

    /// A connection whose user renews the token says that it has the inbox up to `offset`: it goes
    /// on from there, and what came after is sent, again if it was sent before.
    pub(super) fn rewind_inbox(
        &mut self,
        cx: &mut Context<'_, Self>,
        id: ConnectionId,
        offset: u64,
        top: u64,
    ) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        let Some(user) = session.user_mut() else { return };
        let sent = std::mem::replace(&mut user.next, offset + 1) - 1;
        let more = sent.max(top);
        if more > offset {
            self.read_on(cx, id, more);
        }
    }

    /// Reads the next page of the inbox for a connection; there is more up to `more`.
    fn read_on(&mut self, cx: &mut Context<'_, Self>, id: ConnectionId, more: u64) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        let Some(user) = session.user() else { return };
        let (whose, after) = (user.identity.user.clone(), user.next - 1);
        session.make_course().phase = Phase::Reading(more);
        let step = Some(Step::CatchUp(whose.clone()));
        let (verb, request_id) = (Verb::Auth, None);
        let call = Call { connection: id, slot: 0, verb, request_id, step, timer: None };
        let key = self.calls.insert(call);
        let timeout = Duration::from_millis(self.config.job_timeout_ms);
        let timer = cx.set_timer(timeout, Timer::Call(key));
        if let Some(call) = self.calls.get_mut(key) {
            call.timer = Some(timer);
        }
        let read = InboxRead::Page {
            user: whose,
            after: Some(after),
            limit: self.config.history_page,
            bytes: PAGE_BYTES,
            since_ms: cx.now.unix_ms.saturating_sub(self.config.inbox.age_ms),
        };
        let call = CallRef { home: cx.here, key };
        cx.job(Job::Read { call, read: Box::new(Read::Inbox(read)) });
    }

    /// A page was read, or could not be.
    pub(super) fn caught_up(
        &mut self,
        cx: &mut Context<'_, Self>,
        id: ConnectionId,
        whose: &UserId,
        event: Option<Event>,
    ) {
        let Some(session) = self.sessions.get(id) else { return };
        let (Some(user), Phase::Reading(more)) = (session.user(), session.phase()) else { return };
        if user.identity.user != *whose {
            return;
        }
        let Some(Event::Found(Found::Inbox(InboxFound::Page { events, first, top }))) = event
        else {
            // Without it the connection would look as if it had everything.
            return cx.close(id, Close::new(OVERLOADED, "the inbox could not be read"));
        };
        let (channel, before) = (channel(whose), user.next);
        let mut next = before;
        if first > next {
            let own = gap(cx, &channel, next, first - 1);
            cx.send(id, Segment::Own(own), Tag::REPLY);
            self.metrics.inbox_gaps.add(1);
            next = first;
        }
        for event in &events {
            if event.offset == next {
                let own = encode(cx, &channel, event);
                cx.send(id, Segment::Own(own), tag(event.offset, event.critical));
                self.metrics.inbox_replayed.add(1);
                next += 1;
            }
        }
        let Some(session) = self.sessions.get_mut(id) else { return };
        let Some(user) = session.user_mut() else { return };
        user.next = next;
        let more = more.max(top);
        let course = session.make_course();
        if more < next {
            course.phase = Phase::Live;
            self.watch(cx, id);
        } else if next == before {
            // What was read is of a page asked for by somebody before.
            self.read_on(cx, id, more);
        } else {
            course.phase = Phase::Sending(more);
            if !course.acks {
                course.watched = next - 1;
            }
            cx.when_sent(id);
        }
    }

    /// Has the kernel watched taking what was sent, where that moves the cursor.
    fn watch(&mut self, cx: &mut Context<'_, Self>, id: ConnectionId) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        let Some(upto) = session.user().map(|user| user.next - 1) else { return };
        let course = session.make_course();
        if !course.acks && course.watched == 0 {
            course.watched = upto;
            cx.when_sent(id);
        }
        session.tidy();
    }

    /// The kernel has what was queued when it was watched.
    pub(super) fn went_out(&mut self, cx: &mut Context<'_, Self>, id: ConnectionId) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        let Some(user) = session.user() else { return };
        let (whose, next, device) = (user.identity.user.clone(), user.next, session.device());
        let Some(course) = session.course_mut() else { return };
        let watched = std::mem::take(&mut course.watched);
        let phase = course.phase;
        session.tidy();
        if watched > 0 {
            self.save_soon(cx, whose, device, watched);
        }
        match phase {
            Phase::Sending(more) => self.read_on(cx, id, more),
            Phase::Live if watched > 0 && next > watched + 1 => self.watch(cx, id),
            Phase::Live | Phase::Reading(_) => {}
        }
    }
}
