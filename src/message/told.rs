//! What clients are told, for the documents and for `help`: the events, and the shapes that `data` and
//! payloads have in common.
//!
//! A shape is written as in [`Verb::data`]. Law: what is said here is what scenes hear; a test of
//! `tests/protocol` compares them. Limit: names, not types.
//!
//! [`Verb::data`]: crate::message::client::Verb::data

/// A shape by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// As it stands in other shapes.
    pub name: &'static str,
    /// What it holds.
    pub holds: &'static str,
    /// What it is, in one line for people.
    pub about: &'static str,
}

/// An event by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its `type`.
    pub word: &'static str,
    /// Where it is heard.
    pub place: &'static str,
    /// What its payload holds.
    pub payload: &'static str,
    /// When it is sent, in one line for people.
    pub about: &'static str,
}

const fn shape(name: &'static str, holds: &'static str, about: &'static str) -> Shape {
    Shape { name, holds, about }
}

const fn event(
    word: &'static str,
    place: &'static str,
    payload: &'static str,
    about: &'static str,
) -> Event {
    Event { word, place, payload, about }
}

/// What replies and events have in common.
pub const SHAPES: &[Shape] = &[
    shape("user", "id, username, display_name", "a user as the user sees itself"),
    shape("card", "id, username", "a user as others see one"),
    shape(
        "present",
        "user_id, username, status, note?, connections",
        "a user who is in a channel, by so many connections",
    ),
    shape("session", "id, created_at, last_used_at, client_info, current", "a login that lives on"),
    shape("member", "id, username, role", "a member of a chat; `role` is `owner` or `member`"),
    shape(
        "chat",
        "id, kind, name, visibility, members[member], metadata, last_seq, created_at, read_seq, \
         unread, last_message",
        "a chat as the caller sees it; `kind` is `dm`, `group` or `room`, `last_message` a message \
         or `null`",
    ),
    shape(
        "shared_chat",
        "id, kind, name, visibility, members[member], metadata, last_seq, created_at",
        "a chat as all its members see it",
    ),
    shape(
        "room",
        "id, kind, name, visibility, metadata, last_seq, created_at, member_count",
        "a public room in a list",
    ),
    shape(
        "message",
        "id, chat_id, seq, sender{..card}, content, client_id?, reply_to?, metadata?, created_at, \
         edited_at?, deleted_at?",
        "a chat message; `seq` is 1, 2, 3… in its chat, without holes",
    ),
    shape(
        "loop_stats",
        "connections, authenticated, users, channels, waiting, calls",
        "what one loop counts, or all of them together",
    ),
    shape(
        "event",
        "type, channel?, offset?, epoch?, id?, sender?{..card}, timestamp, payload",
        "an event as it is or was sent",
    ),
    shape(
        "notification",
        "id, user_id, type, title, message{*}, read, created_at, action",
        "a notification; `type` is `info`, `success`, `warning` or `error`, `action` may be `null`",
    ),
    shape(
        "execution",
        "execution_id, team_id, status, progress, current_step?, result?, error?, updated_at",
        "work of a team; `status` is `queued`, `running`, `completed` or `failed`",
    ),
    shape(
        "connection",
        "connection_id, user?{..card}, role?, connected_at, last_activity, channels, channel_count, \
         client_ip?, user_agent?, client_info?, door, codec?, encrypted, loop",
        "a connection: who, from where, by which door and codec, since when, its channels",
    ),
];

const ROOM: &str = "`room:{chat_id}`";
const INBOX: &str = "`user:{user_id}`";
const BUS: &str = "`stentor:events`, for admins";

/// Every event of the server, beside what clients name themselves.
pub const EVENTS: &[Event] = &[
    event(
        super::server::HELLO,
        "every connection",
        "server, protocol, connection_id, heartbeat_ms, auth_timeout_ms, limits{*}",
        "first on every connection",
    ),
    event(
        super::server::BYE,
        "lines",
        "code, reason, retry_ms?",
        "last on lines before the server closes; WebSocket has the Close frame",
    ),
    event(
        super::server::PING,
        "lines",
        "",
        "after a heartbeat without output; no answer is needed",
    ),
    event(
        super::server::GAP,
        "a subscription",
        "from, to",
        "these offsets of the channel will not come, both included",
    ),
    event(
        super::server::PRESENCE,
        "a subscription with `presence`",
        "count?, user_id?, username?, status?, note?, change?",
        "who comes (`change` is `join`), goes (`leave`) or is otherwise now (`update`); `count` alone \
         where only the number is told",
    ),
    event(
        super::server::PUBLICATION,
        "a channel",
        "*",
        "what was published without a name; the payload is the publisher's",
    ),
    event(
        super::server::CALL,
        "a worker",
        "call_id, kind, name, params, user{id, username, role, teams}, deadline_ms",
        "a user calls: answer with `call_result`",
    ),
    event(super::server::GROUP_CREATED, ROOM, "..shared_chat", "the group was made"),
    event("message", ROOM, "..message", "a message is on disk"),
    event("message:edited", ROOM, "..message", "its text was changed"),
    event("message:deleted", ROOM, "id, chat_id, seq", "it was emptied"),
    event("member:joined", ROOM, "chat_id, user{..card}", "somebody is a member now"),
    event("member:left", ROOM, "chat_id, user{..card}", "somebody is not any more"),
    event("chat:updated", ROOM, "..shared_chat", "name, visibility or metadata changed"),
    event("read", ROOM, "chat_id, user_id, seq", "somebody has read up to there"),
    event(super::inbox::NOTIFICATION, INBOX, "..notification", "there is a new one"),
    event(
        super::inbox::NOTIFICATION_READ,
        INBOX,
        "notification_id?, all?",
        "another connection of the user has marked one, or all",
    ),
    event(
        super::execution::EXECUTION_UPDATE,
        "`execution:{execution_id}`, `team:{team_id}`",
        "..execution",
        "it has gone on",
    ),
    event(
        super::server::TYPING,
        ROOM,
        "chat_id, user_id, username, active",
        "somebody types, or stopped; never stored",
    ),
    event("connect", BUS, "connection_id, door, client_ip?, encrypted", "a connection speaks"),
    event(
        "disconnect",
        BUS,
        "connection_id, user_id?, code?, reason, age_ms",
        "a connection is gone; `code` is ours, without one the peer went",
    ),
    event(
        "auth_failure",
        BUS,
        "connection_id?, client_ip?, why",
        "a password or token was refused",
    ),
    event("subscribe", BUS, "connection_id, user_id?, channel", "a connection asked for a channel"),
    event("join", BUS, "chat_id, user_id", "a user is a member of a chat now"),
    event("leave", BUS, "chat_id, user_id", "a user is not any more"),
    event("publish", BUS, "channel, offset, user_id", "something was published"),
    event(
        "breaker",
        BUS,
        "action, state",
        "the breaker of an action is `closed`, `open` or `half_open` now",
    ),
    event("zombie", BUS, "connection_id, user_id?", "no sign of life: it is being closed (4102)"),
    event(
        "alert",
        BUS,
        "alert, raised, value, limit",
        "`connections`, `errors` or `round_trip` is over its limit, or not any more",
    ),
];
