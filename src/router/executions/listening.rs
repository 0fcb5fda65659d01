//! Who hears `execution:{id}`, and from where on (SPEC §4).
//!
//! Unless the namespace is configured otherwise, those hear it whose token lists the team, and
//! services. Of which team it is only the store knows, so it is asked first; until then nothing shows
//! that somebody wants to hear it, and who may not is told the same whether it exists or not.
//!
//! Who subscribes gets how it stands in the reply. Law: that and the events behind it have no gap
//! between them and no repeat: the look goes through the writer, and its end comes to the home of the
//! channel in the order of the commits, where the loop is noted as listening. Limit: a durable channel
//! keeps what was told of an execution that was forgotten; its id is not for another team then.

use std::sync::Arc;

use super::{NAMESPACE, Step, may_see};
use crate::auth::Identity;
use crate::base::id::{ConnectionId, LoopId};
use crate::handler::Context;
use crate::hub::channels::{Page, Position, Since};
use crate::hub::policy::Right;
use crate::hub::{AsChannel, Channel, ChannelRef};
use crate::message::execution::{Execution, is_id};
use crate::message::fault::Fault;
use crate::router::ask::{Ask, Event, Outcome, unexpected};
use crate::router::channels::{
    self, Subscribed, end, forbidden, history_of, raw, stand, stored, stored_page, subscribe_to,
};
use crate::router::words::{Begun, Looked, Post, Word};
use crate::router::{Router, presence};
use crate::store::execution::{ExecutionRead, ExecutionWrite};
use crate::store::{Found, Read, Write};

/// What was asked for by somebody who may have to see the execution first.
#[derive(Debug)]
pub(in crate::router) enum Then {
    /// `subscribe`.
    Subscribe { since: Option<Box<Since>>, presence: Option<bool> },
    /// `history`.
    History { since: Option<Box<Since>>, limit: u32 },
    /// `presence`.
    WhoIsThere,
}

/// What a subscription knows when what came before is still to be told.
#[derive(Debug)]
pub(in crate::router) struct Missed {
    channel: Channel,
    new: bool,
    since: Box<Since>,
    position: Position,
    state: Option<Box<Execution>>,
}

/// Whether somebody may see fewer executions than before.
pub(in crate::router) fn sees_less(before: &Identity, now: &Identity) -> bool {
    let lost = |team: &String| !may_see(now, team);
    (before.role.serves() && !now.role.serves()) || before.teams.iter().any(lost)
}

/// Whether it is the channel of an execution.
pub(in crate::router) fn is_of(channel: &Channel) -> bool {
    channel.namespace() == NAMESPACE
}

/// The id of the execution that a channel may be of.
fn id_of(channel: ChannelRef<'_>) -> Option<&str> {
    let ChannelRef::Named(name) = channel else { return None };
    name.strip_prefix(NAMESPACE)?.strip_prefix(':').filter(|id| is_id(id))
}

/// Whether it is a channel that has a state.
pub(in crate::router) fn is_one(channel: &Channel) -> bool {
    matches!(channel, Channel::Named(name) if id_of(ChannelRef::Named(name)).is_some())
}

/// Whether the team of an execution decides whether this user may hear its channel.
pub(in crate::router) fn decides(
    router: &Router,
    identity: &Identity,
    channel: ChannelRef<'_>,
) -> bool {
    let policy = router.config.policies.of(NAMESPACE);
    matches!(channel, ChannelRef::Named(_))
        && channel.namespace() == NAMESPACE
        && !identity.role.serves()
        && policy.is_some_and(|policy| policy.subscribe == Right::Member)
}

/// Asks the store of which team the execution of a channel is; none: of no execution.
pub(in crate::router) fn asks(channel: ChannelRef<'_>) -> Option<Read> {
    let id = Arc::from(id_of(channel)?);
    Some(Read::Execution(ExecutionRead::One { id }))
}

/// Goes on if the user may see the execution.
pub(in crate::router) fn ask_first(
    ask: &mut Ask<'_, '_>,
    channel: ChannelRef<'_>,
    then: Then,
) -> Outcome {
    let read = asks(channel).ok_or_else(forbidden)?;
    ask.read(read, Step::May { channel: channel.into(), then })
}

/// Looks at the execution of a channel that was subscribed to.
pub(in crate::router) fn look(
    ask: &mut Ask<'_, '_>,
    channel: Channel,
    new: bool,
    since: Option<Box<Since>>,
) -> Outcome {
    let Channel::Named(name) = &channel else { return Err(forbidden()) };
    let id = Arc::from(id_of(ChannelRef::Named(name)).ok_or_else(forbidden)?);
    let log = ask.router.is_stored(NAMESPACE).then(|| Arc::clone(name));
    ask.write(
        Write::Execution(ExecutionWrite::Look { id, log }),
        Step::Look { channel, since, new },
    )
}

/// The next thing that a request waits for has come.
pub(super) fn go_on(ask: &mut Ask<'_, '_>, step: Step, event: Event) -> Outcome {
    match (step, event) {
        (Step::May { channel, then }, Event::Found(Found::Executions { executions, .. })) => {
            let identity = &ask.user()?.identity;
            if !executions.first().is_some_and(|one| may_see(identity, &one.team_id)) {
                return Err(forbidden());
            }
            match then {
                Then::Subscribe { since, presence } => subscribe_to(ask, channel, since, presence),
                Then::History { since, limit } => history_of(ask, channel, since, limit),
                Then::WhoIsThere => presence::who(ask, channel),
            }
        }
        (Step::Look { channel, since, new }, Event::Looked(position, state)) => {
            if !still_may(ask, &channel, state.as_deref())? {
                end(ask.router, ask.cx, ask.connection, &channel);
                return Err(forbidden());
            }
            match since {
                None => subscribed(ask, &channel, &position, state.as_deref(), None),
                Some(since) => missed(ask, Missed { channel, new, since, position, state }),
            }
        }
        (Step::Missed(missed), Event::Page(_, page)) => told(ask, &missed, *page),
        (Step::Missed(missed), Event::Found(Found::Publications(found))) => {
            let name = missed.channel.to_string();
            let page = stored_page(ask.cx, &name, &found, Some(&missed.since));
            told(ask, &missed, page)
        }
        (_, event) => Err(unexpected(&event)),
    }
}

/// Whether the user may hear what stands so now: another may have begun it meanwhile.
fn still_may(
    ask: &Ask<'_, '_>,
    channel: &Channel,
    state: Option<&Execution>,
) -> Result<bool, Fault> {
    let identity = &ask.user()?.identity;
    let Channel::Named(name) = channel else { return Ok(false) };
    let by_team = decides(ask.router, identity, ChannelRef::Named(name));
    Ok(!by_team || state.is_some_and(|state| may_see(identity, &state.team_id)))
}

/// Asks for what came between a place and the state.
fn missed(ask: &mut Ask<'_, '_>, missed: Missed) -> Outcome {
    let (channel, since) = (missed.channel.clone(), missed.since.clone());
    let limit = ask.router.config.history_page;
    if ask.router.is_stored(NAMESPACE) {
        let read = stored(ask.router, ask.cx, &channel, Some(&since), limit);
        return ask.read(read, Step::Missed(Box::new(missed)));
    }
    let home = ask.router.homes.of_channel(&channel);
    let since = Some(since);
    ask.tell(home, Step::Missed(Box::new(missed)), |call| Word::History {
        call,
        channel,
        since,
        limit,
    })
}

/// What came before is known. What came after the state comes behind the reply.
fn told(ask: &mut Ask<'_, '_>, missed: &Missed, mut page: Page) -> Outcome {
    let Missed { channel, since, position, state, .. } = missed;
    page.events.retain(|(offset, _)| *offset <= position.offset);
    page.more &= page.events.last().is_some_and(|(offset, _)| *offset < position.offset);
    page.recovered &= since.offset <= position.offset;
    subscribed(ask, channel, position, state.as_deref(), Some(&page))
}

fn subscribed(
    ask: &mut Ask<'_, '_>,
    channel: &Channel,
    position: &Position,
    state: Option<&Execution>,
    page: Option<&Page>,
) -> Outcome {
    stand(ask, channel, position.offset);
    let name = channel.to_string();
    ask.router.subscribed_to(ask.cx, ask.connection, &name);
    let (offset, epoch) = (position.offset, &*position.epoch);
    let recovered = page.map(|page| page.recovered);
    let (events, more) = match page {
        Some(page) => (raw(&page.events)?, page.more),
        None => (Vec::new(), false),
    };
    let presence = ask.session_mut()?.take_who_is_there();
    let (channel, events) = (name.as_str(), &*events);
    ask.ok(&Subscribed { channel, offset, epoch, recovered, events, more, state, presence })
}

impl Router {
    /// At the home of an execution's channel: one begins. Another of its id was forgotten, maybe: who
    /// still listens may be of another team, and what is remembered of it is not for this one.
    pub(super) fn tell_begun(&mut self, cx: &mut Context<'_, Self>, execution: &Execution) {
        let channel = super::channel(&execution.execution_id);
        self.channels.clear(&channel);
        let listeners: Vec<LoopId> = self.channels.listeners(&channel).collect();
        for to in listeners {
            let begun = Begun { channel: channel.clone(), team: Arc::clone(&execution.team_id) };
            if to == cx.here {
                self.begun(cx, &begun);
            } else {
                cx.tell(to, Word::Post(Box::new(Post::Begun(begun))));
            }
        }
    }

    /// On a loop that listens: who may not hear of it hears no more.
    pub(in crate::router) fn begun(&mut self, cx: &mut Context<'_, Self>, begun: &Begun) {
        let Begun { channel, team } = begun;
        let Some(number) = self.subscriptions.number(channel) else { return };
        let others: Vec<ConnectionId> = self
            .subscriptions
            .receivers(number)
            .iter()
            .copied()
            .filter(|id| {
                let user = self.sessions.get(*id).and_then(|session| session.user());
                user.is_some_and(|user| {
                    let identity = &user.identity;
                    decides(self, identity, channel.as_channel()) && !may_see(identity, team)
                })
            })
            .collect();
        others.iter().for_each(|id| end(self, cx, *id, channel));
    }

    /// On the loop of who subscribes: how the execution stands.
    pub(in crate::router) fn looked(
        &mut self,
        cx: &mut Context<'_, Self>,
        from: LoopId,
        looked: Looked,
    ) {
        let Looked { call, channel, generation, position, execution } = looked;
        if !self.subscriptions.heard(&channel, generation) {
            // Who asked has gone meanwhile.
            cx.tell(from, Word::Unlisten { channels: vec![(channel, generation)] });
        }
        self.hear_event(cx, call, Event::Looked(position, execution));
    }

    /// Nothing came of a request to subscribe: what was subscribed before is as it was.
    pub(in crate::router) fn not_looked_at(
        &mut self,
        cx: &mut Context<'_, Self>,
        id: ConnectionId,
        step: &Step,
    ) {
        let (channel, new) = match step {
            Step::Look { channel, new, .. } => (channel.clone(), *new),
            Step::Missed(missed) => (missed.channel.clone(), missed.new),
            Step::Updated | Step::One | Step::List | Step::May { .. } => return,
        };
        self.not_subscribed(cx, id, &channels::Step::Subscribe { channel, new, since: None });
    }
}
