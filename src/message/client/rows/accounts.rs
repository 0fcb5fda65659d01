//! Accounts and sessions: their rows of the catalogue. See `mod.rs` for what a row says.

macro_rules! account_rows {
    ($next:ident $($rest:ident)*; $($before:tt)*) => { $next! { $($rest)*; $($before)*

    /// Makes an account and authenticates the connection.
    Register<'a> "register" = 10, Anyone, Barrier, Request,
    r#"{"type":"register","username":"bia","password":"a long password"}"# => "user, session_id, token, refresh_token, expires_at, resumed{*}" {
        /// 1–32 of `A-Za-z0-9._-`; names that differ in case only are the same.
        username: text = 1;
        /// 8–1,024 bytes.
        password: secret = 2;
        /// What people call the user; the username when absent.
        display_name: optional text = 3;
        /// What the client says of itself.
        client_info: optional client_info = 4;
        /// Where each channel was left: `{channel:{offset,epoch}}`; `resumed` leaves out what may not be heard.
        resume: optional json = 5;
        /// Whether only `event_ack` moves the cursor of the inbox.
        acks: optional boolean = 6;
    }

    /// Authenticates the connection by name and password.
    Login<'a> "login" = 11, Anyone, Barrier, Request,
    r#"{"type":"login","username":"bia","password":"a long password"}"# => "user, session_id, token, refresh_token, expires_at, resumed{*}" {
        /// The name of the account.
        username: text = 1;
        /// Its password.
        password: secret = 2;
        /// What the client says of itself.
        client_info: optional client_info = 3;
        /// Where each channel was left: `{channel:{offset,epoch}}`; `resumed` leaves out what may not be heard.
        resume: optional json = 4;
        /// Whether only `event_ack` moves the cursor of the inbox.
        acks: optional boolean = 5;
    }

    /// Authenticates the connection by a token, or renews it in place.
    Auth<'a> "auth" = 12, Anyone, Barrier, Request,
    r#"{"type":"auth","token":"eyJ…"}"# => "user, session_id, expires_at, resumed{*}" {
        /// An access token.
        token: secret = 1;
        /// What the client says of itself.
        client_info: optional client_info = 2;
        /// Where each channel was left: `{channel:{offset,epoch}}`; `resumed` leaves out what may not be heard.
        resume: optional json = 3;
        /// Whether only `event_ack` moves the cursor of the inbox.
        acks: optional boolean = 4;
    }

    /// Exchanges a refresh token for new tokens; each works once.
    Refresh<'a> "refresh" = 13, Anyone, Barrier, Request,
    r#"{"type":"refresh","refresh_token":"eyJ…"}"# => "token, refresh_token, expires_at" {
        /// The refresh token last given.
        refresh_token: secret = 1;
    }

    /// Ends the session; the connection stays, unauthenticated.
    Logout "logout" = 14, User, Barrier, Request,
    r#"{"type":"logout"}"# => "" {
        /// Whether all sessions of the user end.
        everywhere: optional boolean = 1;
    }

    /// Tells who the connection is.
    Whoami "whoami" = 15, User, Barrier, Request,
    r#"{"type":"whoami"}"# => "user, role, session_id, expires_at" {
    }

    /// Lists the sessions of the user.
    Sessions "sessions" = 16, User, Barrier, Request,
    r#"{"type":"sessions"}"# => "sessions[session]" {
    }

    /// Ends a session of the user and closes its connections.
    RevokeSession<'a> "revoke_session" = 17, User, Barrier, Request,
    r#"{"type":"revoke_session","session_id":"018bcfe5-687b-7fff-bfff-ffffffffffff"}"# => "" {
        /// An `id` of `sessions`.
        session_id: text = 1;
    }

    /// Changes the password of the user.
    ChangePassword<'a> "change_password" = 18, User, Barrier, Request,
    r#"{"type":"change_password","old_password":"a long password","new_password":"a longer password"}"# => "" {
        /// The password until now.
        old_password: secret = 1;
        /// The password from now on, 8–1,024 bytes.
        new_password: secret = 2;
    }

    /// Finds users by the beginning of a name.
    SearchUsers<'a> "search_users" = 19, User, Barrier, Request,
    r#"{"type":"search_users","query":"bi"}"# => "users[{id, username, display_name, online}]" {
        /// What the name begins with.
        query: text = 1;
        /// How many at most.
        limit: optional integer = 2;
    }
    } };
}
