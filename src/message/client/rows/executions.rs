//! Executions: their rows of the catalogue. See `mod.rs` for what a row says.

macro_rules! execution_rows {
    ($next:ident $($rest:ident)*; $($before:tt)*) => { $next! { $($rest)*; $($before)*

    /// Says how far an execution is; the first one begins it.
    UpdateExecution<'a> "update_execution" = 51, Service, Barrier, Request,
    r#"{"type":"update_execution","execution_id":"run-7","team_id":"ops","status":"running","progress":40}"# => "execution" {
        /// 1–64 of `A-Za-z0-9._:-`; its channel is `execution:{execution_id}`.
        execution_id: text = 1;
        /// The team whose members may see it, 1–64 of `A-Za-z0-9._:-`.
        team_id: text = 2;
        /// `queued`, `running`, `completed` or `failed`.
        status: text = 3;
        /// 0 to 100, never less than before; as before when absent.
        progress: optional integer = 4;
        /// What is being done.
        current_step: optional text = 5;
        /// What came of it.
        result: optional json = 6;
        /// Why nothing came of it.
        error: optional text = 7;
    }

    /// Tells how far an execution is.
    GetExecution<'a> "get_execution" = 52, User, Barrier, Request,
    r#"{"type":"get_execution","execution_id":"run-7"}"# => "execution" {
        /// The execution.
        execution_id: text = 1;
    }

    /// Lists the executions of a team, the one that changed last first.
    ListExecutions<'a> "list_executions" = 53, User, Barrier, Request,
    r#"{"type":"list_executions","team_id":"ops","status":"running"}"# => "executions[execution], more" {
        /// The team.
        team_id: text = 1;
        /// Only those that are so far.
        status: optional text = 2;
    }
    } };
}
