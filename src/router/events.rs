//! Where a commit or a publication becomes events: at the home of its channel, encoded once.
//!
//! The home sends each interested loop one [`Delivery`]; each loop hands it to its own connections.
//! Who becomes or ceases to be a member travels with it, so that nothing after a removal reaches
//! the removed, and everything after an arrival reaches the arrived.

use super::Router;
use super::ask::Event;
use super::session::{Arriving, Who};
use super::words::{Delivery, Done, Finished, Word, chat_of};
use crate::base::id::{Address, ConnectionId, Id, LoopId, UserId};
use crate::codec::json;
use crate::handler::{Context, Tag};
use crate::hub::Channel;
use crate::hub::channels::DURABLE_EPOCH;
use crate::message::record::{ChatKind, RoomEvent};
use crate::message::server;
use crate::protocol::frame::{Common, Frame};
use crate::protocol::websocket::Opcode;
use crate::store::inbox::InboxWritten;
use crate::store::{Logged, Written};

impl Router {
    /// A worker has finished. What was stored is told to the members first, from here, the home of
    /// its channel; then whoever waits hears of it.
    pub(super) fn committed(&mut self, cx: &mut Context<'_, Self>, done: Done) {
        if let Finished::Kept(kept) = done.result {
            return self.spread(cx, kept, done.by);
        }
        let Finished::Written(Ok(written)) = &done.result else { return self.finished(cx, done) };
        if let Written::Published { .. } = written {
            return self.publication_stored(cx, done);
        }
        match (written, chat_of(written)) {
            (_, Some(chat)) => self.tell_members(cx, chat, written, done.by),
            (Written::Execution(written), None) => {
                if !self.tell_execution(cx, written, done.call, done.by) {
                    return;
                }
            }
            (Written::Inbox(written), None)
                if let InboxWritten::Swept { last, dropped } = &**written =>
            {
                return self.swept(cx, last.as_ref(), *dropped);
            }
            (_, None) => return self.finished(cx, done),
        }
        if done.call.home == cx.here {
            return self.finished(cx, done);
        }
        if let Finished::Written(Ok(written)) = done.result {
            let word = Word::Written { call: done.call.key, written: Box::new(written) };
            cx.tell(done.call.home, word);
        }
    }

    fn tell_members(
        &mut self,
        cx: &mut Context<'_, Self>,
        chat: Id,
        written: &Written,
        by: Option<Address>,
    ) {
        let channel = Channel::Room(chat);
        let name = channel.to_string();
        let mut frames = Vec::new();
        let (mut joined, mut left): (&[UserId], Option<&UserId>) = (&[], None);
        match written {
            Written::Chat { view, created, joined: new, logged } => {
                joined = new;
                if *created && view.chat.kind == ChatKind::Group {
                    frames.push((0, group_created(cx, &name, view)));
                }
                frames.extend(logged.iter().map(|logged| encode(cx, &name, logged)));
            }
            Written::Left { user, logged, .. } => {
                left = Some(user);
                frames.extend(logged.iter().map(|logged| encode(cx, &name, logged)));
            }
            Written::Message { opened, logged, duplicate, .. } => {
                joined = opened;
                let counter =
                    if *duplicate { &self.metrics.duplicates } else { &self.metrics.messages };
                counter.add(1);
                frames.extend(logged.iter().map(|logged| encode(cx, &name, logged)));
            }
            Written::Edited { logged, .. } => frames.push(encode(cx, &name, logged)),
            Written::Deleted { logged, .. } | Written::Read { logged, .. } => {
                frames.extend(logged.iter().map(|logged| encode(cx, &name, logged)));
            }
            Written::SignedIn { .. }
            | Written::Revoked { .. }
            | Written::Granted
            | Written::Published { .. }
            | Written::Inbox(_)
            | Written::Execution(_) => {}
        }
        self.members_changed(cx, chat, joined, left);
        if joined.is_empty() && left.is_none() {
            return self.publish(cx, &channel, &frames, by);
        }
        let delivery = Delivery {
            channel,
            frames,
            except: by,
            joined: joined.to_vec(),
            left: left.cloned(),
            generation: None,
        };
        self.publish_to_all(cx, delivery);
    }

    /// The loops that hear a channel, or all of its namespace.
    pub(super) fn listeners(&self, channel: &Channel) -> impl Iterator<Item = LoopId> {
        let everywhere = &self.everywhere;
        let all = if everywhere.is_empty() { &[] } else { everywhere.loops(channel.namespace()) };
        let direct = self.channels.listeners(channel).filter(|to| !all.contains(to));
        direct.chain(all.iter().copied())
    }

    /// Sends events to the loops that listen.
    pub(super) fn publish(
        &mut self,
        cx: &mut Context<'_, Self>,
        channel: &Channel,
        frames: &[(u64, Frame)],
        except: Option<Address>,
    ) {
        if frames.is_empty() {
            return;
        }
        let here = cx.here;
        for to in self.listeners(channel) {
            if to != here {
                let delivery = Delivery {
                    channel: channel.clone(),
                    frames: frames.to_vec(),
                    except,
                    joined: Vec::new(),
                    left: None,
                    generation: None,
                };
                cx.tell(to, Word::Deliver(Box::new(delivery)));
            }
        }
        self.hand_out(cx, channel, frames, except);
    }

    /// Sends one event to the loops that listen; it is shared only if there are others.
    pub(super) fn publish_one(
        &mut self,
        cx: &mut Context<'_, Self>,
        channel: &Channel,
        offset: u64,
        frame: Common,
        except: Option<Address>,
    ) {
        let here = cx.here;
        if self.listeners(channel).any(|to| to != here) {
            let shared = frame.share();
            if let Common::Own(frame) = frame {
                cx.recycle(frame);
            }
            return self.publish(cx, channel, &[(offset, shared)], except);
        }
        self.hand_out_one(cx, channel, offset, frame, except);
    }

    /// Sends events to every loop, because who joins or leaves may be on any.
    fn publish_to_all(&mut self, cx: &mut Context<'_, Self>, delivery: Delivery) {
        let generations = self.channels.listen_all(&delivery.channel, cx.now.monotonic, cx.rng);
        for (to, generation) in generations.into_iter().enumerate() {
            let delivery = Delivery { generation: Some(generation), ..delivery.clone() };
            let to = LoopId(to as u16);
            if to == cx.here {
                // At once: who caused it is answered next, and may go on as what it is now.
                self.deliver(cx, delivery);
            } else {
                cx.tell(to, Word::Deliver(Box::new(delivery)));
            }
        }
    }

    /// On a loop that listens, or may.
    pub(super) fn deliver(&mut self, cx: &mut Context<'_, Self>, delivery: Delivery) {
        let Delivery { channel, frames, except, joined, left, generation } = delivery;
        for user in &joined {
            self.join(&channel, user);
        }
        // Who goes hears that, and nothing that came of it.
        let until = if left.is_some() { frames.len().min(1) } else { frames.len() };
        let (before, after) = frames.split_at(until);
        self.hand_out(cx, &channel, before, except);
        if let Some(user) = &left {
            self.part(cx, &channel, user);
            self.hand_out(cx, &channel, after, except);
        }
        if let Some(generation) = generation
            && !self.subscriptions.heard(&channel, generation)
        {
            // The home counted us as listening, and nobody is.
            let home = self.homes.of_channel(&channel);
            cx.tell(home, Word::Unlisten { channels: vec![(channel, generation)] });
        }
    }

    /// Hands events to the connections of this loop.
    fn hand_out(
        &mut self,
        cx: &mut Context<'_, Self>,
        channel: &Channel,
        frames: &[(u64, Frame)],
        except: Option<Address>,
    ) {
        for (offset, frame) in frames {
            self.hand_out_one(cx, channel, *offset, frame.clone(), except);
        }
    }

    /// What an event is on the queues of its receivers.
    pub(super) fn tag(&self, number: u32, offset: u64) -> Tag {
        Tag { channel: number, offset, class: self.class(number) }
    }

    fn hand_out_one(
        &mut self,
        cx: &mut Context<'_, Self>,
        channel: &Channel,
        offset: u64,
        frame: impl Into<Common>,
        except: Option<Address>,
    ) {
        let here = cx.here;
        let except = except.filter(|except| except.home == here).map(|except| except.connection);
        let mut frame = frame.into();
        if !self.patterns.is_empty() {
            frame = self.hand_out_everywhere(cx, channel, frame, except);
        }
        let Some(number) = self.subscriptions.number(channel) else { return };
        if self.subscriptions.parks(number) {
            let shared = frame.share();
            self.subscriptions.put_by(number, offset, &shared, except);
            frame = Common::Shared(shared);
        }
        let receivers = self.subscriptions.receivers(number);
        self.metrics.deliveries.add(receivers.len() as u64);
        let tag = self.tag(number, offset);
        if self.subscriptions.all_new(number) {
            return cx.broadcast(receivers, except, frame, tag);
        }
        let new = |of: &&ConnectionId| !self.subscriptions.has(number, **of, offset);
        let receivers: Vec<ConnectionId> = receivers.iter().filter(new).copied().collect();
        cx.broadcast(&receivers, except, frame, tag);
        self.subscriptions.passed(number, offset);
    }

    /// A user is a member from now on: every connection of the user listens.
    fn join(&mut self, channel: &Channel, user: &UserId) {
        let Channel::Room(chat) = channel else { return };
        let connections: Vec<ConnectionId> = self.local_users.connections(user).to_vec();
        for id in connections {
            let Some(session) = self.sessions.get_mut(id) else { continue };
            if let Some(number) = self.subscriptions.number(channel)
                && session.unwatch(number)
            {
                // It listens already, and from now on because it is a member.
                session.chosen = session.chosen.saturating_sub(1);
                continue;
            }
            let added = match &mut session.who {
                Who::User(_) => self.subscriptions.add(channel, id),
                Who::Arriving(arriving) => match &mut arriving.1 {
                    Arriving::Listening => self.subscriptions.hold(channel, id),
                    Arriving::Reading(changes) => {
                        changes.push((*chat, true));
                        continue;
                    }
                },
                Who::Nobody => continue,
            };
            if added.new {
                session.channels.push(added.number);
            }
        }
    }

    /// A user is no member any more: no connection of the user listens.
    fn part(&mut self, cx: &mut Context<'_, Self>, channel: &Channel, user: &UserId) {
        let Channel::Room(chat) = channel else { return };
        let number = self.subscriptions.number(channel);
        let connections: Vec<ConnectionId> = self.local_users.connections(user).to_vec();
        for id in connections {
            let Some(session) = self.sessions.get_mut(id) else { continue };
            if let Who::Arriving(arriving) = &mut session.who
                && let Arriving::Reading(changes) = &mut arriving.1
            {
                changes.push((*chat, false));
            }
            let Some(number) = number else { continue };
            if let Some(at) = session.channels.iter().position(|known| *known == number) {
                session.channels.swap_remove(at);
                self.unsubscribe_all(cx, id, vec![number]);
            }
        }
    }

    /// At the home of a channel: an event without a number.
    pub(super) fn publish_ephemeral(&mut self, cx: &mut Context<'_, Self>, delivery: &Delivery) {
        self.publish(cx, &delivery.channel, &delivery.frames, delivery.except);
    }

    pub(super) fn written(
        &mut self,
        cx: &mut Context<'_, Self>,
        call: crate::base::arena::Key,
        written: Written,
    ) {
        self.hear_event(cx, call, Event::Written(written));
    }
}

/// `group:created` for every member; it is in no log, so it has no offset.
fn group_created(
    cx: &mut Context<'_, Router>,
    channel: &str,
    view: &crate::message::record::ChatView,
) -> Frame {
    let event = json::Event {
        word: server::GROUP_CREATED,
        channel: Some(channel),
        timestamp: Some(view.chat.created_at),
        ..json::Event::default()
    };
    write(cx, |out| json::event(out, &event, &view.chat))
}

/// A logged event with its offset.
pub(super) fn encode(cx: &mut Context<'_, Router>, channel: &str, logged: &Logged) -> (u64, Frame) {
    #[derive(serde::Serialize)]
    struct Deleted {
        id: Id,
        chat_id: Id,
        seq: u64,
    }
    #[derive(serde::Serialize)]
    struct Member<'a> {
        chat_id: Id,
        user: &'a crate::message::record::UserCard,
    }
    #[derive(serde::Serialize)]
    struct Read<'a> {
        chat_id: Id,
        user_id: &'a UserId,
        seq: u64,
    }
    let sender = match &logged.event {
        RoomEvent::Message(message) | RoomEvent::Edited(message) => Some(&message.sender),
        _ => None,
    };
    let event = json::Event {
        word: logged.event.word(),
        channel: Some(channel),
        offset: Some(logged.offset),
        epoch: Some(DURABLE_EPOCH),
        id: None,
        sender,
        timestamp: Some(logged.at),
    };
    let frame = write(cx, |out| match &logged.event {
        RoomEvent::Message(message) | RoomEvent::Edited(message) => {
            json::event(out, &event, &**message);
        }
        RoomEvent::Deleted { id, chat_id, seq } => {
            json::event(out, &event, &Deleted { id: *id, chat_id: *chat_id, seq: *seq });
        }
        RoomEvent::Joined { chat_id, user } | RoomEvent::Left { chat_id, user } => {
            json::event(out, &event, &Member { chat_id: *chat_id, user });
        }
        RoomEvent::Updated(chat) => json::event(out, &event, &**chat),
        RoomEvent::Read { chat_id, user_id, seq } => {
            json::event(out, &event, &Read { chat_id: *chat_id, user_id, seq: *seq });
        }
    });
    (logged.offset, frame)
}

fn write(cx: &mut Context<'_, Router>, f: impl FnOnce(&mut Vec<u8>)) -> Frame {
    let mut draft = cx.draft();
    f(draft.payload());
    let own = draft.finish(Opcode::Text);
    let frame = own.share();
    cx.recycle(own);
    frame
}
