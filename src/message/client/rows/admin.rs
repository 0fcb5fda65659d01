//! What administrators ask: their rows of the catalogue. See `mod.rs` for what a row says.

macro_rules! admin_rows {
    ($next:ident $($rest:ident)*; $($before:tt)*) => { $next! { $($rest)*; $($before)*

    /// Tells what the server counts.
    Stats "stats" = 59, Admin, Barrier, Request,
    r#"{"type":"stats"}"# => "server, ..loop_stats, loops[loop_stats], metrics{*}" {
    }

    /// Lists connections, the oldest first.
    Connections<'a> "connections" = 60, Admin, Barrier, Request,
    r#"{"type":"connections","limit":50}"# => "connections[connection], after?" {
        /// Only those of this user.
        user_id: optional text = 1;
        /// How many at most; 50 when absent, never more than 200.
        limit: optional integer = 2;
        /// The `after` of the page before.
        after: optional text = 3;
    }

    /// Closes a connection, or all of a user (4000).
    Kick<'a> "kick" = 61, Admin, Barrier, Request,
    r#"{"type":"kick","user_id":"ann","reason":"maintenance"}"# => "closed" {
        /// The connection; this or `user_id`.
        connection_id: optional text = 1;
        /// The user whose connections are closed.
        user_id: optional text = 2;
        /// What the client is told.
        reason: optional text = 3;
    }

    /// Refuses every token that a user has, and closes the connections (4300).
    RevokeUser<'a> "revoke_user" = 62, Admin, Barrier, Request,
    r#"{"type":"revoke_user","user_id":"ann"}"# => "" {
        /// The user, who may log in again.
        user_id: text = 1;
        /// What the client is told.
        reason: optional text = 2;
    }

    /// Gives a user of an account another role, from the next token on.
    SetRole<'a> "set_role" = 63, Admin, Barrier, Request,
    r#"{"type":"set_role","user_id":"ann","role":"service"}"# => "" {
        /// The user.
        user_id: text = 1;
        /// `user`, `service` or `admin`.
        role: text = 2;
    }
    } };
}
