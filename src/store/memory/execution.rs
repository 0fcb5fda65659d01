//! Executions in memory.

use std::cmp::Reverse;
use std::sync::Arc;

use super::super::execution::{ExecutionRead, ExecutionWrite, ExecutionWritten, Update, event};
use super::super::publication::Keep;
use super::super::{Found, Refusal, Written};
use super::state::State;
use crate::base::id::UserId;
use crate::message::execution::{Execution, Status};

impl State {
    pub(super) fn write_execution(&mut self, write: &ExecutionWrite) -> Result<Written, Refusal> {
        let written = match write {
            ExecutionWrite::Update { by, update, per_team, log } => {
                self.update_execution(by, update, *per_team, log)?
            }
            ExecutionWrite::Look { id, log } => {
                let execution = self.executions.get(id).cloned();
                let top = log.as_ref().map(|channel| self.top_of(channel));
                ExecutionWritten::Looked { id: id.clone(), execution, top }
            }
        };
        Ok(Written::Execution(Box::new(written)))
    }

    fn update_execution(
        &mut self,
        by: &UserId,
        update: &Update,
        per_team: u32,
        log: &[(Arc<str>, Keep)],
    ) -> Result<ExecutionWritten, Refusal> {
        let card = self.user(by)?.profile.card();
        let before = self.executions.get(&update.id).cloned();
        let is_new = before.is_none();
        let execution = update.apply(before, self.stamp)?;
        self.executions.insert(update.id.clone(), execution.clone());
        if is_new {
            let of_team = self.executions.values().filter(|one| one.team_id == update.team);
            let over = of_team.clone().count().saturating_sub(per_team as usize);
            let mut done: Vec<_> = of_team
                .filter(|one| one.status.is_final() && one.execution_id != update.id)
                .map(|one| (one.updated_at, one.execution_id.clone()))
                .collect();
            done.sort_unstable();
            for (_, id) in done.into_iter().take(over) {
                self.executions.remove(&id);
            }
        }
        let mut logged = Vec::new();
        for (channel, keep) in log {
            let written = self.publish(&event(&execution, by, channel, *keep))?;
            if let Written::Published { channel, publication: Some(publication), .. } = written {
                logged.push((channel, publication));
            }
        }
        Ok(ExecutionWritten::Updated { execution, by: card, began: is_new, logged })
    }

    pub(super) fn read_executions(&self, read: &ExecutionRead) -> Found {
        match read {
            ExecutionRead::One { id } => {
                let executions = self.executions.get(id).cloned().into_iter().collect();
                Found::Executions { executions, more: false }
            }
            ExecutionRead::Of { team, status, limit } => {
                self.executions_of(team, *status, 0, *limit)
            }
        }
    }

    /// Those of a team that changed at `since_ms` or later, newest first.
    pub(super) fn executions_of(
        &self,
        team: &str,
        status: Option<Status>,
        since_ms: u64,
        limit: u32,
    ) -> Found {
        let wanted = |one: &&Execution| {
            *one.team_id == *team
                && one.updated_at.0 >= since_ms
                && status.is_none_or(|status| one.status == status)
        };
        let mut executions: Vec<_> = self.executions.values().filter(wanted).cloned().collect();
        executions.sort_by_key(|one| Reverse((one.updated_at, one.execution_id.clone())));
        let more = executions.len() > limit as usize;
        executions.truncate(limit as usize);
        Found::Executions { executions, more }
    }
}
