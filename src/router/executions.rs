//! Executions: changed by services, seen by their team.
//!
//! Whoever subscribes to `execution:{id}` gets how it stands in the reply. Law: that and the events
//! behind it have no gap between them and no repeat: the look goes through the writer, and its end
//! comes to the home of the channel in the order of the commits, where the loop is noted as listening.

use std::sync::Arc;

use serde::Serialize;

use super::Router;
use super::ask::{Ask, Event, Outcome, gone, not_found, unexpected};
use super::channels::{Subscribed, end, enter, forbidden, stand};
use super::dispatch::too_long;
use super::words::{CallRef, Looked, Post, Publication, Word};
use crate::auth::Identity;
use crate::base::id::{Address, ConnectionId, LoopId};
use crate::handler::Context;
use crate::hub::channels::{DURABLE_EPOCH, Position, Since};
use crate::hub::policy::Right;
use crate::hub::{Channel, ChannelRef};
use crate::message::client;
use crate::message::execution::{EXECUTION_UPDATE, Execution, Status, is_id};
use crate::message::fault::{Code, Fault};
use crate::message::record::Raw;
use crate::store::execution::{ExecutionRead, ExecutionWrite, ExecutionWritten, Update};
use crate::store::{Found, Read, Write, Written};

/// What a request about executions waits for.
#[derive(Debug)]
pub(super) enum Step {
    /// The change, stored.
    Updated,
    /// One.
    One,
    /// Those of a team.
    List,
    /// How it stands, from where its events come. Whether the subscription is new.
    Look { channel: Channel, since: Option<Box<Since>>, new: bool },
}

impl From<Step> for super::Step {
    fn from(step: Step) -> Self {
        Self::Execution(step)
    }
}

/// The longest `current_step`, in bytes.
const STEP_BYTES_MAX: usize = 256;
/// The longest `error`, in bytes.
const ERROR_BYTES_MAX: usize = 8192;

const NAMESPACE: &str = "execution";

/// The channel of an execution.
pub(super) fn channel(id: &str) -> Channel {
    Channel::Named(format!("{NAMESPACE}:{id}").into())
}

fn id(field: &'static str, text: &str) -> Result<Arc<str>, Fault> {
    if is_id(text) {
        return Ok(Arc::from(text));
    }
    Err(Fault::field(field, format!("\"{field}\" must be 1 to 64 of A-Z a-z 0-9 . _ : -")))
}

fn status(text: &str) -> Result<Status, Fault> {
    Status::parse(text).ok_or_else(|| {
        Fault::field("status", "\"status\" must be queued, running, completed or failed")
    })
}

/// Whether this user may see the executions of a team.
fn may_see(identity: &Identity, team: &str) -> bool {
    identity.role.serves() || identity.teams.iter().any(|known| **known == *team)
}

/// Says how far an execution is; answered once it is on disk.
pub(super) fn update_execution(
    ask: &mut Ask<'_, '_>,
    request: &client::UpdateExecution<'_>,
) -> Outcome {
    let bounded = |field, text: &Option<client::Text<'_>>, most| match text {
        Some(text) if text.len() > most => Err(too_long(field, most)),
        Some(text) => Ok(Some(Arc::from(text.as_str()))),
        None => Ok(None),
    };
    let progress = match request.progress {
        Some(progress) => Some(
            u8::try_from(progress)
                .ok()
                .filter(|p| *p <= 100)
                .ok_or_else(|| Fault::field("progress", "\"progress\" must be from 0 to 100"))?,
        ),
        None => None,
    };
    let result = request.result.as_ref().filter(|json| json.as_str() != "null");
    let update = Update {
        id: id("execution_id", &request.execution_id)?,
        team: id("team_id", &request.team_id)?,
        status: status(&request.status)?,
        progress,
        current_step: bounded("current_step", &request.current_step, STEP_BYTES_MAX)?,
        result: result.and_then(|json| Raw::new(json.as_str())),
        error: bounded("error", &request.error, ERROR_BYTES_MAX)?,
    };
    let (by, per_team) = (ask.me()?, ask.router.config.executions_per_team);
    let write = ExecutionWrite::Update { by, update, per_team };
    ask.write(Write::Execution(write), Step::Updated)
}

/// Tells of one; of another team's as if there were none.
pub(super) fn get_execution(ask: &mut Ask<'_, '_>, request: &client::GetExecution<'_>) -> Outcome {
    let id = id("execution_id", &request.execution_id)?;
    ask.read(Read::Execution(ExecutionRead::One { id }), Step::One)
}

/// Lists those of a team.
pub(super) fn list_executions(
    ask: &mut Ask<'_, '_>,
    request: &client::ListExecutions<'_>,
) -> Outcome {
    let team = id("team_id", &request.team_id)?;
    let status = request.status.as_ref().map(|text| status(text)).transpose()?;
    if !may_see(&ask.user()?.identity, &team) {
        return Err(Fault::new(Code::Forbidden, "not of this team"));
    }
    let limit = ask.router.config.history_page;
    ask.read(Read::Execution(ExecutionRead::Of { team, status, limit }), Step::List)
}

/// Whether somebody may see fewer executions than before.
pub(super) fn sees_less(before: &Identity, now: &Identity) -> bool {
    let lost = |team: &String| !may_see(now, team);
    (before.role.serves() && !now.role.serves()) || before.teams.iter().any(lost)
}

/// Whether it is the channel of an execution.
pub(super) fn is_of(channel: &Channel) -> bool {
    channel.namespace() == NAMESPACE
}

/// Whether the team of an execution decides who may listen to its channel, as it does unless the
/// namespace is configured otherwise.
pub(super) fn decides(ask: &Ask<'_, '_>, channel: ChannelRef<'_>) -> bool {
    let policy = ask.router.config.policies.of(NAMESPACE);
    matches!(channel, ChannelRef::Named(name) if name.starts_with("execution:"))
        && policy.is_some_and(|policy| policy.subscribe == Right::Member)
}

/// Subscribes to an execution.
pub(super) fn subscribe(
    ask: &mut Ask<'_, '_>,
    channel: Channel,
    since: Option<Box<Since>>,
) -> Outcome {
    let name = channel.to_string();
    let id = name.split_once(':').map_or("", |(_, id)| id);
    if !is_id(id) {
        return Err(forbidden());
    }
    let new = enter(ask, &channel, true)?;
    let write = ExecutionWrite::Look { id: Arc::from(id) };
    ask.write(Write::Execution(write), Step::Look { channel, since, new })
}

#[derive(Serialize)]
struct One<'a> {
    execution: &'a Execution,
}

#[derive(Serialize)]
struct List<'a> {
    executions: &'a [Execution],
    more: bool,
}

/// The next thing that a request waits for has come.
pub(super) fn go_on(ask: &mut Ask<'_, '_>, step: Step, event: Event) -> Outcome {
    match (step, event) {
        (Step::Updated, Event::Written(Written::Execution(written))) => match *written {
            ExecutionWritten::Updated { execution, .. } => ask.ok(&One { execution: &execution }),
            ExecutionWritten::Looked { .. } => Err(gone()),
        },
        (Step::One, Event::Found(Found::Executions { executions, .. })) => {
            let identity = &ask.user()?.identity;
            match executions.first().filter(|one| may_see(identity, &one.team_id)) {
                Some(execution) => ask.ok(&One { execution }),
                None => Err(not_found("no such execution")),
            }
        }
        (Step::List, Event::Found(Found::Executions { executions, more })) => {
            ask.ok(&List { executions: &executions, more })
        }
        (Step::Look { channel, since, .. }, Event::Looked(position, state)) => {
            subscribed(ask, &channel, since.is_some(), &position, state.as_deref())
        }
        (_, event) => Err(unexpected(&event)),
    }
}

fn subscribed(
    ask: &mut Ask<'_, '_>,
    channel: &Channel,
    since: bool,
    position: &Position,
    state: Option<&Execution>,
) -> Outcome {
    let identity = &ask.user()?.identity;
    let seen = state.is_some_and(|state| may_see(identity, &state.team_id));
    let allowed = seen || identity.role.serves();
    if !allowed {
        end(ask.router, ask.cx, ask.connection, channel);
        return Err(forbidden());
    }
    stand(ask, channel, position.offset);
    let name = channel.to_string();
    let (offset, epoch) = (position.offset, &*position.epoch);
    // What was missed is in the state, whatever it was.
    let recovered = since.then_some(true);
    let (channel, events, more) = (name.as_str(), &[] as &[()], false);
    let presence = None;
    ask.ok(&Subscribed { channel, offset, epoch, recovered, events, more, state, presence })
}

impl Router {
    /// At the home of an execution's channel: a change is told to who listens, there and to the team;
    /// a look makes its loop one that listens. Whether the end of the write is still to be told.
    pub(super) fn tell_execution(
        &mut self,
        cx: &mut Context<'_, Self>,
        written: &ExecutionWritten,
        call: CallRef,
        by: Option<Address>,
    ) -> bool {
        match written {
            ExecutionWritten::Looked { id, execution } => {
                let (channel, now) = (channel(id), cx.now.monotonic);
                let (generation, position, _) =
                    self.channels.listen(&channel, call.home, None, now, cx.rng);
                // In a namespace that the store numbers, which no configuration makes of this one.
                let position =
                    position.unwrap_or_else(|| Position { offset: 0, epoch: DURABLE_EPOCH.into() });
                let execution = execution.clone().map(Box::new);
                let key = call.key;
                let looked = Looked { call: key, channel, generation, position, execution };
                cx.tell(call.home, Word::Post(Box::new(Post::Looked(looked))));
                false
            }
            ExecutionWritten::Updated { execution, by: sender } => {
                self.metrics.executions.add(1);
                let payload = serde_json::to_string(execution).unwrap_or_default();
                let team = Channel::Named(format!("team:{}", execution.team_id).into());
                for channel in [channel(&execution.execution_id), team] {
                    let call = CallRef { home: cx.here, key: super::inbox::NOBODY };
                    let by = by.unwrap_or(Address { home: cx.here, connection: call.key.into() });
                    let publication = Publication {
                        call,
                        by,
                        event: EXECUTION_UPDATE.into(),
                        payload: payload.as_str().into(),
                        sender: sender.clone(),
                        echo: false,
                        client_id: None,
                        channel,
                    };
                    self.publish_by_home(cx, publication);
                }
                true
            }
        }
    }

    /// Nothing came of a request to subscribe: what was subscribed before is as it was.
    pub(super) fn not_looked_at(
        &mut self,
        cx: &mut Context<'_, Self>,
        id: ConnectionId,
        step: &Step,
    ) {
        let Step::Look { channel, new, .. } = step else { return };
        if *new {
            return end(self, cx, id, channel);
        }
        let Some(number) = self.subscriptions.number(channel) else { return };
        if let Some(parked) = self.subscriptions.release(number, id) {
            let missed = self.unpark(id, number, *parked, 0);
            self.send_missed(cx, id, missed);
        }
    }

    fn publish_by_home(&mut self, cx: &mut Context<'_, Self>, publication: Publication) {
        let home = self.homes.of_channel(&publication.channel);
        if home == cx.here {
            self.publish_for(cx, publication);
        } else {
            cx.tell(home, Word::Publish(Box::new(publication)));
        }
    }

    /// On the loop of who subscribes: how the execution stands.
    pub(super) fn looked(&mut self, cx: &mut Context<'_, Self>, from: LoopId, looked: Looked) {
        let Looked { call, channel, generation, position, execution } = looked;
        if !self.subscriptions.heard(&channel, generation) {
            // Who asked has gone meanwhile.
            cx.tell(from, Word::Unlisten { channels: vec![(channel, generation)] });
        }
        self.hear_event(cx, call, Event::Looked(position, execution));
    }
}
