//! Executions, as they are written and read.
//!
//! Law: whether a change is allowed is decided in the transaction that makes it. Limit: the bound of a
//! team, which comes with each write.

use std::sync::Arc;

use super::Refusal;
use super::inbox::json;
use super::publication::{Keep, NewPublication, Publication};
use crate::base::id::UserId;
use crate::base::time::Timestamp;
use crate::message::execution::{EXECUTION_UPDATE, Execution, Status};
use crate::message::record::{Raw, UserCard};

/// A change of an execution; what is absent stays as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// Which.
    pub id: Arc<str>,
    /// Its team, which never changes.
    pub team: Arc<str>,
    /// How far it is.
    pub status: Status,
    /// In percent; absent for a new one: 0, or 100 when it is completed.
    pub progress: Option<u8>,
    /// What is being done.
    pub current_step: Option<Arc<str>>,
    /// What came of it.
    pub result: Option<Raw>,
    /// Why nothing came of it.
    pub error: Option<Arc<str>>,
}

impl Update {
    /// What becomes of the execution as it was, or of none.
    ///
    /// # Errors
    /// [`Refusal::OtherTeam`] and [`Refusal::Transition`].
    pub(super) fn apply(
        &self,
        before: Option<Execution>,
        now: Timestamp,
    ) -> Result<Execution, Refusal> {
        let mut execution = match before {
            None => Execution {
                execution_id: Arc::clone(&self.id),
                team_id: Arc::clone(&self.team),
                status: self.status,
                progress: 0,
                current_step: None,
                result: None,
                error: None,
                updated_at: now,
            },
            Some(before) if before.team_id != self.team => return Err(Refusal::OtherTeam),
            Some(before) if !before.status.may_become(self.status) => {
                return Err(Refusal::Transition);
            }
            Some(before) => before,
        };
        let completed = self.status == Status::Completed;
        let usual = if completed { 100 } else { execution.progress };
        let progress = self.progress.unwrap_or(usual);
        if progress < execution.progress {
            return Err(Refusal::Transition);
        }
        (execution.status, execution.progress) = (self.status, progress);
        if self.current_step.is_some() {
            execution.current_step.clone_from(&self.current_step);
        }
        if self.result.is_some() {
            execution.result.clone_from(&self.result);
        }
        if self.error.is_some() {
            execution.error.clone_from(&self.error);
        }
        execution.updated_at = now;
        Ok(execution)
    }
}

/// What can be written of executions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExecutionWrite {
    /// A change, or the beginning → [`ExecutionWritten::Updated`].
    Update {
        /// Which service says so.
        by: UserId,
        /// What.
        update: Update,
        /// How many a team keeps; the ones that finished first go.
        per_team: u32,
        /// Durable channels: its event is stored there in the same transaction.
        log: Vec<(Arc<str>, Keep)>,
    },
    /// Changes nothing; tells how it stands between the changes before and after, in their order
    /// → [`ExecutionWritten::Looked`].
    Look {
        /// Which.
        id: Arc<str>,
        /// Its channel, if that is durable: where that stands is told too.
        log: Option<Arc<str>>,
    },
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExecutionWritten {
    /// It stands so now.
    Updated {
        /// As it is stored.
        execution: Execution,
        /// Who said so.
        by: UserCard,
        /// Whether it began with this.
        began: bool,
        /// What durable channels are to hear.
        logged: Vec<(Arc<str>, Box<Publication>)>,
    },
    /// It stands so.
    Looked {
        /// Which.
        id: Arc<str>,
        /// None: nobody has begun it.
        execution: Option<Execution>,
        /// The newest offset of its channel, if that is durable.
        top: Option<u64>,
    },
}

/// The event of a change, for a durable channel.
pub(super) fn event(
    execution: &Execution,
    by: &UserId,
    channel: &Arc<str>,
    keep: Keep,
) -> NewPublication {
    NewPublication {
        channel: Arc::clone(channel),
        sender: by.clone(),
        event: EXECUTION_UPDATE.into(),
        payload: json(execution),
        client_id: None,
        keep,
    }
}

impl ExecutionWritten {
    /// Takes out what durable channels are to hear.
    pub fn take_logged(&mut self) -> Vec<(Arc<str>, Box<Publication>)> {
        match self {
            Self::Updated { logged, .. } => std::mem::take(logged),
            Self::Looked { .. } => Vec::new(),
        }
    }

    /// Which execution it is of.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::Updated { execution, .. } => &execution.execution_id,
            Self::Looked { id, .. } => id,
        }
    }
}

/// What can be asked of executions → [`Found::Executions`](super::Found::Executions).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExecutionRead {
    /// One, or none.
    One {
        /// Which.
        id: Arc<str>,
    },
    /// Those of a team, the one that changed last first.
    Of {
        /// Which team.
        team: Arc<str>,
        /// Only those that are so far.
        status: Option<Status>,
        /// At most this many.
        limit: u32,
    },
}
