//! Executions: changed by services, seen by their team.
//!
//! `listening.rs` is about who hears `execution:{id}`, and from where on. Law: a change is told on that
//! channel and on `team:{team_id}` once it is stored; where one of them is durable, with it.

mod listening;

use std::sync::Arc;

use serde::Serialize;

pub(super) use listening::{Then, ask_first, asks, decides, is_of, is_one, look, sees_less};

use super::Router;
use super::ask::{Ask, Event, Outcome, answers, gone, not_found, unexpected};
use super::channels::keep;
use super::dispatch::too_long;
use super::words::{CallRef, Looked, Post, Publication, Word};
use crate::auth::Identity;
use crate::base::id::Address;
use crate::handler::Context;
use crate::hub::Channel;
use crate::hub::channels::{DURABLE_EPOCH, Position, Since};
use crate::message::client;
use crate::message::execution::{EXECUTION_UPDATE, Execution, Status, is_id};
use crate::message::fault::{Code, Fault};
use crate::message::record::Raw;
use crate::store::execution::{ExecutionRead, ExecutionWrite, ExecutionWritten, Update};
use crate::store::{Found, Read, Write, Written};

answers! { ask, request:
    UpdateExecution<'a> => update_execution(ask, request),
    GetExecution<'a> => get_execution(ask, request),
    ListExecutions<'a> => list_executions(ask, request),
}

/// What a request about executions waits for.
#[derive(Debug)]
pub(super) enum Step {
    /// The change, stored.
    Updated,
    /// One.
    One,
    /// Those of a team.
    List,
    /// Of which team it is, to know whether the user may hear it; then this.
    May { channel: Channel, then: Then },
    /// How it stands, from where its events come. Whether the subscription is new.
    Look { channel: Channel, since: Option<Box<Since>>, new: bool },
    /// What came before that.
    Missed(Box<listening::Missed>),
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
const TEAM: &str = "team";

/// The channel of an execution.
pub(super) fn channel(id: &str) -> Channel {
    Channel::Named(format!("{NAMESPACE}:{id}").into())
}

/// The channels in which a change is told, with their namespaces.
fn channels(id: &str, team: &str) -> [(&'static str, Arc<str>); 2] {
    [(NAMESPACE, format!("{NAMESPACE}:{id}").into()), (TEAM, format!("{TEAM}:{team}").into())]
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
pub(super) fn may_see(identity: &Identity, team: &str) -> bool {
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
    let stored = channels(&update.id, &update.team).into_iter();
    let stored = stored.filter(|(namespace, _)| ask.router.is_stored(namespace));
    let log = stored.map(|(namespace, name)| (name, keep(ask.router, namespace))).collect();
    let write = ExecutionWrite::Update { by, update, per_team, log };
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
        (step @ (Step::May { .. } | Step::Look { .. } | Step::Missed(_)), event) => {
            listening::go_on(ask, step, event)
        }
        (_, event) => Err(unexpected(&event)),
    }
}

impl Router {
    /// Whether the store numbers the channels of a namespace.
    fn is_stored(&self, namespace: &str) -> bool {
        self.config.policies.of(namespace).is_some_and(|policy| policy.durable)
    }

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
            ExecutionWritten::Looked { id, execution, top } => {
                let (channel, now) = (channel(id), cx.now.monotonic);
                let (generation, position, _) =
                    self.channels.listen(&channel, call.home, None, now, cx.rng);
                // The place of a stored channel is of the same moment as the state.
                let stored = || Position { offset: top.unwrap_or(0), epoch: DURABLE_EPOCH.into() };
                let position = position.filter(|_| top.is_none()).unwrap_or_else(stored);
                let execution = execution.clone().map(Box::new);
                let key = call.key;
                let looked = Looked { call: key, channel, generation, position, execution };
                cx.tell(call.home, Word::Post(Box::new(Post::Looked(looked))));
                false
            }
            ExecutionWritten::Updated { execution, by: sender, began, .. } => {
                self.metrics.executions.add(1);
                if *began {
                    self.tell_begun(cx, execution);
                }
                let payload = serde_json::to_string(execution).unwrap_or_default();
                let all = channels(&execution.execution_id, &execution.team_id);
                for (namespace, name) in all {
                    if self.is_stored(namespace) {
                        // Told by its own home, as everything that is stored there.
                        continue;
                    }
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
                        channel: Channel::Named(name),
                    };
                    self.publish_by_home(cx, publication);
                }
                true
            }
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
}
