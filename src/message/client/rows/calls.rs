//! Calls between users and backends: their rows of the catalogue. See `mod.rs` for what a row says.

macro_rules! call_rows {
    ($next:ident $($rest:ident)*; $($before:tt)*) => { $next! { $($rest)*; $($before)*

    /// Tells a backend of something done in a user interface.
    UiAction<'a> "ui_action" = 1, User, Free, Request,
    r#"{"type":"ui_action","request_id":"1","action_type":"button_click","params":{"id":7}}"# => "*" {
        /// What was done: 1–128 visible ASCII characters.
        action_type: text = 1;
        /// With one, a repeat is answered from the cache.
        request_id: implicit request_id = 2;
        /// Whatever the backend needs to know.
        params: implicit json = 3;
    }

    /// Asks a backend for data.
    DataRequest<'a> "data_request" = 2, User, Free, Request,
    r#"{"type":"data_request","resource":"users","params":{"page":1}}"# => "*" {
        /// Which data: 1–128 visible ASCII characters.
        resource: text = 1;
        /// Echoed in the reply.
        request_id: implicit request_id = 2;
        /// Whatever the backend needs to know.
        params: implicit json = 3;
    }

    /// Has a backend do something.
    Command<'a> "command" = 55, User, Free, Request,
    r#"{"type":"command","command":"stop","params":{"id":7}}"# => "*" {
        /// What to do: 1–128 visible ASCII characters.
        command: text = 1;
        /// Whatever the backend needs to know.
        params: optional json = 2;
    }

    /// Makes the connection a worker: calls come to it as events.
    Serve<'a> "serve" = 54, Service, Barrier, Request,
    r#"{"type":"serve","actions":["ui_action:button_click","data_request:users","command:stop"]}"# => "" {
        /// Each `ui_action:NAME`, `data_request:NAME` or `command:NAME`; again adds.
        actions: repeated text = 1;
    }

    /// Answers a call.
    CallResult<'a> "call_result" = 56, Service, Barrier, Request,
    r#"{"type":"call_result","call_id":"018bcfe5-687b-7fff-bfff-ffffffffffff","status":"ok","data":{"done":true}}"# => "" {
        /// The `call_id` of the event.
        call_id: text = 1;
        /// `ok` or `error`.
        status: text = 2;
        /// With `ok`: what the caller gets.
        data: optional json = 3;
        /// With `error`: what the caller is told.
        message: optional text = 4;
        /// How long the answer to a `data_request` may be given again.
        cache_ttl_ms: optional integer = 5;
        /// To whom: `user` (when absent) or `all`.
        cache_scope: optional text = 6;
    }
    } };
}
