//! Executions in SQLite.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row};

use super::super::execution::{ExecutionRead, ExecutionWrite, ExecutionWritten, Update, event};
use super::super::publication::Keep;
use super::super::{Found, Written};
use super::batch::Batch;
use super::failure::Failure;
use super::publication;
use super::rows::{self, count, int, time};
use crate::base::failpoint::{self, Plant, Point};
use crate::base::id::UserId;
use crate::message::execution::{Execution, Status};
use crate::message::record::Raw;

/// `status` counts in the order of [`Status::ALL`]; what is finished is 2 and above.
pub(super) const TABLES: &str = "
CREATE TABLE executions (
    id TEXT PRIMARY KEY,
    team TEXT NOT NULL,
    status INTEGER NOT NULL,
    progress INTEGER NOT NULL,
    step TEXT,
    result TEXT,
    error TEXT,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX executions_by_team ON executions (team, updated_at, id);
CREATE INDEX executions_by_time ON executions (updated_at);
";

macro_rules! columns {
    () => {
        "id, team, status, progress, step, result, error, updated_at"
    };
}

impl Batch<'_> {
    pub(super) fn write_execution(&self, write: &ExecutionWrite) -> Result<Written, Failure> {
        let written = match write {
            ExecutionWrite::Update { by, update, per_team, log } => {
                self.update_execution(by, update, *per_team, log)?
            }
            ExecutionWrite::Look { id, log } => {
                let top = log.as_ref().map(|channel| publication::top(self.conn, channel));
                let (execution, top) = (find(self.conn, id)?, top.transpose()?);
                ExecutionWritten::Looked { id: Arc::clone(id), execution, top }
            }
        };
        Ok(Written::Execution(Box::new(written)))
    }

    fn update_execution(
        &self,
        by: &UserId,
        update: &Update,
        per_team: u32,
        log: &[(Arc<str>, Keep)],
    ) -> Result<ExecutionWritten, Failure> {
        const SET: &str = concat!(
            "INSERT INTO executions (",
            columns!(),
            ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (id) DO UPDATE SET \
             status = ?3, progress = ?4, step = ?5, result = ?6, error = ?7, updated_at = ?8"
        );
        let (_, card) = self.known(by)?;
        let before = find(self.conn, &update.id)?;
        let is_new = before.is_none();
        let execution = update.apply(before, self.stamp)?;
        if failpoint::planted(Plant::EndNotStored) && execution.status.is_final() {
            return Ok(ExecutionWritten::Updated {
                execution,
                by: card,
                began: is_new,
                logged: Vec::new(),
            });
        }
        self.execute(
            SET,
            (
                &execution.execution_id,
                &execution.team_id,
                execution.status as i64,
                execution.progress,
                &execution.current_step,
                execution.result.as_ref().map(Raw::as_str),
                &execution.error,
                int(execution.updated_at.0),
            ),
        )?;
        failpoint::hit(Point::AfterInsert);
        if is_new {
            self.trim_team(&execution, per_team)?;
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

    /// What finished first goes when a team has too many.
    fn trim_team(&self, new: &Execution, per_team: u32) -> Result<(), Failure> {
        const COUNT: &str = "SELECT count(*) FROM executions WHERE team = ?1";
        const FORGET: &str = "DELETE FROM executions WHERE id IN (SELECT id FROM executions \
            WHERE team = ?1 AND status >= 2 AND id <> ?2 ORDER BY updated_at, id LIMIT ?3)";
        let mut all = self.conn.prepare_cached(COUNT)?;
        let all = all.query_row([&new.team_id], |row| count(row, 0))?;
        let over = all.saturating_sub(u64::from(per_team));
        if over > 0 {
            self.execute(FORGET, (&new.team_id, &new.execution_id, int(over)))?;
        }
        Ok(())
    }
}

fn find(conn: &Connection, id: &str) -> rusqlite::Result<Option<Execution>> {
    const SQL: &str = concat!("SELECT ", columns!(), " FROM executions WHERE id = ?1");
    conn.prepare_cached(SQL)?.query_row([id], execution).optional()
}

fn execution(row: &Row<'_>) -> rusqlite::Result<Execution> {
    let status = Status::ALL.get(usize::from(row.get::<_, u8>(2)?)).copied();
    Ok(Execution {
        execution_id: row.get(0)?,
        team_id: row.get(1)?,
        status: status.ok_or_else(|| rows::unreadable(2, "no status"))?,
        progress: row.get(3)?,
        current_step: row.get(4)?,
        result: rows::raw_if(row, 5)?,
        error: row.get(6)?,
        updated_at: time(row, 7)?,
    })
}

/// What a reader finds.
pub(super) fn read(conn: &Connection, read: &ExecutionRead) -> rusqlite::Result<Found> {
    match read {
        ExecutionRead::One { id } => {
            let executions = find(conn, id)?.into_iter().collect();
            Ok(Found::Executions { executions, more: false })
        }
        ExecutionRead::Of { team, status, limit } => of_team(conn, team, *status, 0, *limit),
    }
}

/// Those of a team that changed at `since_ms` or later, newest first.
pub(super) fn of_team(
    conn: &Connection,
    team: &str,
    status: Option<Status>,
    since_ms: u64,
    limit: u32,
) -> rusqlite::Result<Found> {
    const SQL: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM executions INDEXED BY executions_by_team \
         WHERE team = ?1 AND updated_at >= ?2 AND (?3 IS NULL OR status = ?3) \
         ORDER BY updated_at DESC, id DESC LIMIT ?4"
    );
    let mut page = conn.prepare_cached(SQL)?;
    let status = status.map(|status| status as i64);
    let params = (team, int(since_ms), status, i64::from(limit) + 1);
    let found = page.query_map(params, execution)?;
    let mut executions = found.collect::<rusqlite::Result<Vec<_>>>()?;
    let more = executions.len() > limit as usize;
    executions.truncate(limit as usize);
    Ok(Found::Executions { executions, more })
}
