//! `resume` of `register`, `login` and `auth`: what was missed in channels since somebody was here
//! last comes behind the reply, each channel in order, and then what comes.
//!
//! Law: from its answer in `resumed` on, a channel is heard without a gap or a repeat. A channel that
//! may not be heard, or that the connection has no room for, is left out of `resumed`, whether it
//! exists or not. The place in the user's own inbox is where that goes on, instead of the device's
//! cursor. Limit: [`PAGE_BYTES_MAX`] for what is missed in all channels; `more` tells of the
//! rest, which `history` gives.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::ask::Ask;
use super::channels::{log_of, log_page, may_hear, stored, stored_page};
use super::session::Session;
use super::words::{Heard, Wish};
use super::{After, Router, executions};
use crate::auth::Identity;
use crate::base::id::ConnectionId;
use crate::handler::Context;
use crate::hub::channels::{DURABLE_EPOCH, PAGE_BYTES_MAX, Page, Position, Since};
use crate::hub::{AsChannel, Channel};
use crate::message::execution::Execution;
use crate::message::fault::Fault;
use crate::message::json::Json;
use crate::store::inbox::InboxRead;
use crate::store::publication::Publications;
use crate::store::{Logged, Read};

/// What is to be resumed, and how far that is.
#[derive(Debug)]
pub(super) struct Resume {
    /// Channels whose homes are still to answer.
    asked: Vec<Wish>,
    /// Channels of which the store is still to be asked.
    logs: Vec<Wish>,
    /// Channels of executions: of which team each is, the store is to be asked first.
    unseen: Vec<Wish>,
    /// The one of which it is being asked.
    reading: Option<Wish>,
    done: Vec<Resumed>,
    /// The numbers of the channels in which what comes is put by.
    parked: Vec<u32>,
    /// The last event of the user's inbox that the client has, and the newest there is, if the client
    /// says so and it can be.
    inbox: Option<(u64, u64)>,
    /// What is left for missed events, in bytes.
    left: usize,
}

impl Default for Resume {
    fn default() -> Self {
        let (asked, logs, unseen, done, parked) = Default::default();
        Self { asked, logs, unseen, reading: None, done, parked, inbox: None, left: PAGE_BYTES_MAX }
    }
}

/// A channel that is heard again.
#[derive(Debug)]
struct Resumed {
    channel: Channel,
    position: Position,
    page: Page,
}

/// The member `resume` of a request, in its order.
#[derive(Debug)]
struct Written(Vec<(String, Place)>);

#[derive(Debug, Deserialize)]
struct Place {
    offset: u64,
    epoch: Box<str>,
}

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Channels;

        impl<'de> Visitor<'de> for Channels {
            type Value = Written;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of channels")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Written, A::Error> {
                let mut places = Vec::new();
                while let Some(place) = map.next_entry()? {
                    places.push(place);
                }
                Ok(Written(places))
            }
        }

        deserializer.deserialize_map(Channels)
    }
}

/// Whether a connection has chosen as many channels as it may.
fn is_full(session: &Session, limit: Option<u32>) -> bool {
    limit.is_some_and(|limit| session.chosen >= limit)
}

/// Subscribes, and has put by what comes; the number of the channel.
fn park(router: &mut Router, id: ConnectionId, channel: &Channel, known: bool) -> u32 {
    let number = router.subscriptions.park(channel, id).number;
    if !known && let Some(session) = router.sessions.get_mut(id) {
        session.choose(channel, number);
    }
    number
}

/// The first number that is no offset.
const OFFSET_END: u64 = 1 << 53;

/// Keeps what a request wants resumed until its user is known.
pub(super) fn intend(ask: &mut Ask<'_, '_>, resume: Option<&Json<'_>>) -> Result<(), Fault> {
    let wishes = resume.map_or_else(|| Ok(Vec::new()), |resume| read(resume.as_str()))?;
    ask.session_mut()?.intend(wishes);
    Ok(())
}

fn read(text: &str) -> Result<Vec<Wish>, Fault> {
    let wrong = || {
        Fault::field("resume", "\"resume\" must be {channel:{offset,epoch}}")
            .hint(r#"{"public:lobby":{"offset":5,"epoch":"…"}}"#)
    };
    let Written(places) = serde_json::from_str(text).map_err(|_| wrong())?;
    let wish = |(name, Place { offset, epoch }): (String, Place)| {
        let channel = Channel::parse(&name).filter(|_| offset < OFFSET_END)?;
        Some(Wish { channel, since: Some(Box::new(Since { offset, epoch })) })
    };
    places.into_iter().map(|place| wish(place).ok_or_else(wrong)).collect()
}

impl Resume {
    /// Subscribes to what `wishes` name and may be heard. Gives what the homes are to be asked for.
    pub(super) fn begin(
        router: &mut Router,
        id: ConnectionId,
        identity: &Identity,
        wishes: Vec<Wish>,
    ) -> (Self, Vec<Wish>) {
        let (mut logs, mut asked, mut unseen) = (Vec::new(), Vec::new(), Vec::new());
        let mut parked = Vec::new();
        for wish in wishes {
            if executions::decides(router, identity, wish.channel.as_channel()) {
                unseen.push(wish);
                continue;
            }
            let number = router.subscriptions.number(&wish.channel);
            let Some(session) = router.sessions.get(id) else { break };
            let known = number.is_some_and(|number| session.channels.contains(&number));
            let policies = &router.config.policies;
            if !may_hear(policies, identity, wish.channel.as_channel(), || known) {
                continue;
            }
            let full = is_full(session, router.config.channels_per_connection);
            let to = match wish.channel {
                Channel::Room(_) if known => &mut logs,
                Channel::Room(_) | Channel::Named(_) if known || !full => &mut asked,
                Channel::Room(_) | Channel::Named(_) => continue,
                // The inbox is no channel that is subscribed to: only its log is asked.
                Channel::User(_) => {
                    logs.push(wish);
                    continue;
                }
            };
            parked.push(park(router, id, &wish.channel, known));
            to.push(wish);
        }
        // The last is taken first.
        logs.reverse();
        unseen.reverse();
        let resume = Self { asked: asked.clone(), logs, unseen, parked, ..Self::default() };
        (resume, asked)
    }

    /// The store has said of which team an execution is. Gives what its home is to be asked for, if
    /// the user may hear it.
    pub(super) fn seen(
        &mut self,
        router: &mut Router,
        id: ConnectionId,
        identity: &Identity,
        executions: &[Execution],
    ) -> Option<Wish> {
        let wish = self.reading.take()?;
        let seen = |one: &Execution| executions::may_see(identity, &one.team_id);
        executions.first().filter(|one| seen(one))?;
        let number = router.subscriptions.number(&wish.channel);
        let session = router.sessions.get(id)?;
        let known = number.is_some_and(|number| session.channels.contains(&number));
        if !known && is_full(session, router.config.channels_per_connection) {
            return None;
        }
        self.parked.push(park(router, id, &wish.channel, known));
        self.asked.push(wish.clone());
        Some(wish)
    }

    /// Homes have said what was missed.
    pub(super) fn heard(&mut self, heard: &mut Vec<Heard>) {
        for Heard { channel, position, page, .. } in heard.drain(..) {
            let Some(at) = self.asked.iter().position(|wish| wish.channel == channel) else {
                continue;
            };
            let wish = self.asked.swap_remove(at);
            match (position, page) {
                (Some(position), Some(page)) => self.done(channel, position, *page),
                // The store knows more.
                _ => self.logs.insert(0, wish),
            }
        }
    }

    fn done(&mut self, channel: Channel, position: Position, mut page: Page) {
        page.shorten(self.left);
        let bytes: usize = page.events.iter().map(|(_, frame)| frame.line().len()).sum();
        if bytes > self.left {
            page.events.clear();
            page.more = true;
        } else {
            self.left -= bytes;
        }
        self.done.push(Resumed { channel, position, page });
    }

    /// The next log that is to be read.
    pub(super) fn next_read(
        &mut self,
        router: &Router,
        cx: &Context<'_, Router>,
        identity: &Identity,
    ) -> Option<Read> {
        if let Some(wish) = self.unseen.pop() {
            let read = executions::asks(wish.channel.as_channel());
            self.reading = Some(wish);
            // What cannot be the name of an execution is the name of none.
            return read.or_else(|| self.next_read(router, cx, identity));
        }
        let wish = self.logs.pop()?;
        let known = wish.since.as_ref().filter(|since| *since.epoch == *DURABLE_EPOCH);
        let after = known.map(|since| since.offset);
        // With no room left for events only the place is wanted.
        let limit = if self.left == 0 { 1 } else { router.config.history_page };
        let read = match &wish.channel {
            Channel::Room(chat) => log_of(&router.config.policies, identity, *chat, after, limit),
            Channel::User(user) => Read::Inbox(InboxRead::Page {
                user: user.clone(),
                after: Some(after.unwrap_or_default()),
                limit: 1,
                bytes: 1,
                since_ms: cx.now.unix_ms.saturating_sub(router.config.inbox.age_ms),
            }),
            channel @ Channel::Named(_) => {
                stored(router, cx, channel, wish.since.as_deref(), limit)
            }
        };
        self.reading = Some(wish);
        Some(read)
    }

    /// A log was read.
    pub(super) fn found(
        &mut self,
        cx: &mut Context<'_, Router>,
        events: &[Logged],
        top: u64,
        more: bool,
    ) {
        let Some(Wish { channel, since: Some(since) }) = self.reading.take() else { return };
        let mut page = log_page(cx, &channel.to_string(), events, more);
        page.recovered = *since.epoch == *DURABLE_EPOCH && since.offset <= top;
        let position = Position { offset: top, epoch: DURABLE_EPOCH.into() };
        self.done(channel, position, page);
    }

    /// What the store has of a durable channel was read.
    pub(super) fn found_stored(&mut self, cx: &mut Context<'_, Router>, found: &Publications) {
        let Some(Wish { channel, since: Some(since) }) = self.reading.take() else { return };
        let page = stored_page(cx, &channel.to_string(), found, Some(&since));
        let position = Position { offset: found.top, epoch: DURABLE_EPOCH.into() };
        self.done(channel, position, page);
    }

    /// The user's inbox stands there: what came after the place follows by itself.
    pub(super) fn found_inbox(&mut self, first: u64, top: u64) {
        let Some(Wish { channel, since: Some(since) }) = self.reading.take() else { return };
        let known = *since.epoch == *DURABLE_EPOCH && since.offset <= top;
        if known {
            self.inbox = Some((since.offset, top));
        }
        let recovered = known && first <= since.offset.saturating_add(1);
        let page = Page { recovered, ..Page::default() };
        let position = Position { offset: top, epoch: DURABLE_EPOCH.into() };
        self.done(channel, position, page);
    }

    /// Where the inbox goes on, and its newest offset, when the client has said what it has.
    pub(super) const fn inbox(&self) -> Option<(u64, u64)> {
        self.inbox
    }

    /// The log that is being read is not the user's any more: it is left out.
    pub(super) fn refused(&mut self) -> bool {
        self.reading.take().is_some()
    }

    /// Everything is known: what is heard from now on follows what was missed. To be called when the
    /// reply is about to go out.
    pub(super) fn stand(
        &mut self,
        router: &mut Router,
        cx: &mut Context<'_, Router>,
        id: ConnectionId,
    ) {
        let Some(session) = router.sessions.get(id) else { return };
        let (subscriptions, channels) = (&router.subscriptions, &session.channels);
        // Who was removed from a chat meanwhile hears nothing of it.
        self.done.retain(|resumed| {
            let number = subscriptions.number(&resumed.channel);
            let stands = number.is_some_and(|number| channels.contains(&number));
            stands || matches!(resumed.channel, Channel::User(_))
        });
        let (mut missed, mut parked) = (Vec::new(), Vec::new());
        for Resumed { channel, position, page } in &mut self.done {
            let Some(number) = router.subscriptions.number(channel) else { continue };
            let offset = position.offset;
            // The reader of a log may have overtaken what the home hands out.
            if *position.epoch == *DURABLE_EPOCH {
                router.subscriptions.told(number, id, offset);
            }
            router.settle(cx, id, number);
            missed.extend(page.events.drain(..).map(|(at, frame)| (router.tag(number, at), frame)));
            if let Some(came) = router.subscriptions.release(number, id) {
                parked.extend(router.unpark(id, number, *came, offset));
            }
        }
        // What was refused is heard as long as its subscription stands.
        for number in &self.parked {
            if let Some(came) = router.subscriptions.release(*number, id) {
                parked.extend(router.unpark(id, *number, *came, 0));
            }
        }
        missed.extend(parked);
        if !missed.is_empty() {
            router.after_reply = Some(After::Missed(id, missed));
        }
    }

    /// Nothing came of it: who was here is as before, and what came meanwhile is told.
    pub(super) fn give_up(
        &self,
        router: &mut Router,
        cx: &mut Context<'_, Router>,
        id: ConnectionId,
    ) {
        for number in &self.parked {
            if let Some(came) = router.subscriptions.release(*number, id) {
                let missed = router.unpark(id, *number, *came, 0);
                router.send_missed(cx, id, missed);
            }
        }
    }
}

#[derive(Serialize)]
struct Told<'a> {
    recovered: bool,
    offset: u64,
    epoch: &'a str,
    more: bool,
}

impl Serialize for Resume {
    /// `resumed`: the channels that are heard again.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.done.len()))?;
        for Resumed { channel, position, page } in &self.done {
            let told = Told {
                recovered: page.recovered,
                offset: position.offset,
                epoch: &position.epoch,
                more: page.more,
            };
            map.serialize_entry(&channel.to_string(), &told)?;
        }
        map.end()
    }
}
