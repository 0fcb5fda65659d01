//! The rows of the catalogue: word = number in the schema, access, order, limit, example, parameters.
//!
//! Numbers are never reused (`proto/README.md`): 1–3 are kept for the three calls of SPEC §8, 4 is
//! `heartbeat`, verbs begin at 10, 100 is `request_id`.

use serde::Deserialize;

use super::value::{ClientInfo, Implicit, Position, Secret, Text, Value};
use super::{Access, Kind, Order, Parameter, Presence, Rate, members, refusal};
use crate::message::fault::Fault;
use crate::message::json::{Json, JsonCheck, Payload};
use crate::message::record::Visibility;

verbs! {
    'a;

    /// Makes an account and authenticates the connection.
    Register<'a> "register" = 10, Anyone, Barrier, Request,
    r#"{"type":"register","username":"bia","password":"a long password"}"# {
        /// 1–32 of `A-Za-z0-9._-`; names that differ in case only are the same.
        username: text = 1;
        /// 8–1,024 bytes.
        password: secret = 2;
        /// What people call the user; the username when absent.
        display_name: optional text = 3;
        /// What the client says of itself.
        client_info: optional client_info = 4;
        /// Where each channel was left: `{channel:{offset,epoch}}`.
        resume: optional json = 5;
        /// Whether only `event_ack` moves the cursor of the inbox.
        acks: optional boolean = 6;
    }

    /// Authenticates the connection by name and password.
    Login<'a> "login" = 11, Anyone, Barrier, Request,
    r#"{"type":"login","username":"bia","password":"a long password"}"# {
        /// The name of the account.
        username: text = 1;
        /// Its password.
        password: secret = 2;
        /// What the client says of itself.
        client_info: optional client_info = 3;
        /// Where each channel was left: `{channel:{offset,epoch}}`.
        resume: optional json = 4;
        /// Whether only `event_ack` moves the cursor of the inbox.
        acks: optional boolean = 5;
    }

    /// Authenticates the connection by a token, or renews it in place.
    Auth<'a> "auth" = 12, Anyone, Barrier, Request,
    r#"{"type":"auth","token":"eyJ…"}"# {
        /// An access token.
        token: secret = 1;
        /// What the client says of itself.
        client_info: optional client_info = 2;
        /// Where each channel was left: `{channel:{offset,epoch}}`.
        resume: optional json = 3;
        /// Whether only `event_ack` moves the cursor of the inbox.
        acks: optional boolean = 4;
    }

    /// Exchanges a refresh token for new tokens; each works once.
    Refresh<'a> "refresh" = 13, Anyone, Barrier, Request,
    r#"{"type":"refresh","refresh_token":"eyJ…"}"# {
        /// The refresh token last given.
        refresh_token: secret = 1;
    }

    /// Ends the session; the connection stays, unauthenticated.
    Logout "logout" = 14, User, Barrier, Request,
    r#"{"type":"logout"}"# {
        /// Whether all sessions of the user end.
        everywhere: optional boolean = 1;
    }

    /// Tells who the connection is.
    Whoami "whoami" = 15, User, Barrier, Request,
    r#"{"type":"whoami"}"# {
    }

    /// Lists the sessions of the user.
    Sessions "sessions" = 16, User, Barrier, Request,
    r#"{"type":"sessions"}"# {
    }

    /// Ends a session of the user and closes its connections.
    RevokeSession<'a> "revoke_session" = 17, User, Barrier, Request,
    r#"{"type":"revoke_session","session_id":"018bcfe5-687b-7fff-bfff-ffffffffffff"}"# {
        /// An `id` of `sessions`.
        session_id: text = 1;
    }

    /// Changes the password of the user.
    ChangePassword<'a> "change_password" = 18, User, Barrier, Request,
    r#"{"type":"change_password","old_password":"a long password","new_password":"a longer password"}"# {
        /// The password until now.
        old_password: secret = 1;
        /// The password from now on, 8–1,024 bytes.
        new_password: secret = 2;
    }

    /// Finds users by the beginning of a name.
    SearchUsers<'a> "search_users" = 19, User, Barrier, Request,
    r#"{"type":"search_users","query":"bi"}"# {
        /// What the name begins with.
        query: text = 1;
        /// How many at most.
        limit: optional integer = 2;
    }

    /// Opens the chat of two users, the same one every time.
    CreateDm<'a> "create_dm" = 20, User, Barrier, Request,
    r#"{"type":"create_dm","other_user_id":"018bcfe5-687b-7fff-bfff-ffffffffffff"}"# {
        /// The other user.
        other_user_id: text = 1;
    }

    /// Makes a group of invited members.
    CreateGroup<'a> "create_group" = 21, User, Barrier, Request,
    r#"{"type":"create_group","group_name":"crew","member_ids":["018bcfe5-687b-7fff-bfff-ffffffffffff"]}"# {
        /// 1–64 characters, no controls.
        group_name: text = 1;
        /// Who is in it beside the caller.
        member_ids: repeated text = 2;
    }

    /// Makes a room with a name.
    CreateRoom<'a> "create_room" = 22, User, Barrier, Request,
    r#"{"type":"create_room","name":"lobby","visibility":"public"}"# {
        /// 1–64 characters, no controls.
        name: text = 1;
        /// `public`: listed, anyone may join.
        visibility: visibility = 2;
        /// Whatever the owner keeps there.
        metadata: optional json = 3;
    }

    /// Lists public rooms.
    ListRooms<'a> "list_rooms" = 23, User, Barrier, Request,
    r#"{"type":"list_rooms"}"# {
        /// What the name contains.
        query: optional text = 1;
        /// How many at most.
        limit: optional integer = 2;
        /// The `after` of the page before.
        after: optional text = 3;
    }

    /// Joins a public room.
    JoinRoom<'a> "join_room" = 24, User, Barrier, Request,
    r#"{"type":"join_room","room_id":"018bcfe5-687b-7fff-bfff-ffffffffffff"}"# {
        /// The room.
        room_id: text = 1;
    }

    /// Leaves a room or a group.
    LeaveRoom<'a> "leave_room" = 25, User, Barrier, Request,
    r#"{"type":"leave_room","room_id":"018bcfe5-687b-7fff-bfff-ffffffffffff"}"# {
        /// The room.
        room_id: text = 1;
    }

    /// Adds members to a chat; owners only.
    AddMembers<'a> "add_members" = 26, User, Barrier, Request,
    r#"{"type":"add_members","chat_id":"018bcfe5-687b-7fff-bfff-ffffffffffff","user_ids":["ann"]}"# {
        /// The chat.
        chat_id: text = 1;
        /// Who is added.
        user_ids: repeated text = 2;
    }

    /// Removes a member from a chat; owners only.
    RemoveMember<'a> "remove_member" = 27, User, Barrier, Request,
    r#"{"type":"remove_member","chat_id":"018bcfe5-687b-7fff-bfff-ffffffffffff","user_id":"ann"}"# {
        /// The chat.
        chat_id: text = 1;
        /// Who is removed.
        user_id: text = 2;
    }

    /// Changes name, visibility or metadata of a chat; owners only.
    UpdateChat<'a> "update_chat" = 28, User, Barrier, Request,
    r#"{"type":"update_chat","chat_id":"018bcfe5-687b-7fff-bfff-ffffffffffff","name":"new name"}"# {
        /// The chat.
        chat_id: text = 1;
        /// Its new name.
        name: optional text = 2;
        /// Its new visibility.
        visibility: optional visibility = 3;
        /// Its new metadata.
        metadata: optional json = 4;
    }

    /// Lists the chats of the user.
    GetUserChats "get_user_chats" = 29, User, Barrier, Request,
    r#"{"type":"get_user_chats"}"# {
    }

    /// Reads a page of a chat, the latest when no position is given.
    GetMessages<'a> "get_messages" = 30, User, Barrier, Request,
    r#"{"type":"get_messages","chat_id":"018bcfe5-687b-7fff-bfff-ffffffffffff"}"# {
        /// The chat.
        chat_id: text = 1;
        /// Only messages before this one.
        before_seq: optional integer = 2;
        /// Only messages after this one.
        after_seq: optional integer = 3;
        /// How many at most; 50 when absent.
        limit: optional integer = 4;
    }

    /// Sends a chat message; answered once it is on disk.
    Message<'a> "message" = 31, User, Run, Message,
    r#"{"type":"message","to":"bia","content":"hello"}"# {
        /// The chat; this or `to`.
        chat_id: optional text = 1;
        /// A username: the message goes to the DM with that user.
        to: optional text = 2;
        /// The text.
        content: text = 3;
        /// The writer's own id for it: a repeat returns the first message.
        client_id: optional text = 4;
        /// The message that this one answers.
        reply_to: optional text = 5;
        /// Whatever the writer adds.
        metadata: optional json = 6;
    }

    /// Changes the text of a message of the user.
    EditMessage<'a> "edit_message" = 32, User, Barrier, Request,
    r#"{"type":"edit_message","message_id":"018bcfe5-687b-7fff-bfff-ffffffffffff","content":"hello!"}"# {
        /// The message.
        message_id: text = 1;
        /// Its new text.
        content: text = 2;
    }

    /// Empties a message; its author or an owner may.
    DeleteMessage<'a> "delete_message" = 33, User, Barrier, Request,
    r#"{"type":"delete_message","message_id":"018bcfe5-687b-7fff-bfff-ffffffffffff"}"# {
        /// The message.
        message_id: text = 1;
    }

    /// Tells up to where a chat was read.
    MarkRead<'a> "mark_read" = 34, User, Barrier, Request,
    r#"{"type":"mark_read","chat_id":"018bcfe5-687b-7fff-bfff-ffffffffffff","seq":7}"# {
        /// The chat.
        chat_id: text = 1;
        /// The last message read.
        seq: integer = 2;
    }

    /// Tells the others of a chat that the user is typing.
    Typing<'a> "typing" = 35, User, Run, Ephemeral,
    r#"{"type":"typing","chat_id":"018bcfe5-687b-7fff-bfff-ffffffffffff"}"# {
        /// The chat.
        chat_id: text = 1;
        /// `false` when the user stopped.
        active: optional boolean = 2;
    }

    /// Answers at once.
    Ping "ping" = 36, Anyone, Barrier, Free,
    r#"{"type":"ping"}"# {
    }

    /// Answers with the time of the server.
    Heartbeat "heartbeat" = 4, Anyone, Barrier, Free,
    r#"{"type":"heartbeat"}"# {
        /// The time of the client; not used.
        client_time_ms: implicit integer = 1;
    }

    /// Lists the verbs, or explains one.
    Help<'a> "help" = 37, Anyone, Barrier, Free,
    r#"{"type":"help","verb":"message"}"# {
        /// The verb to explain.
        verb: optional text = 1;
    }

    /// Subscribes to a channel, from a position when one is given.
    Subscribe<'a> "subscribe" = 38, User, Barrier, Request,
    r#"{"type":"subscribe","channel":"public:lobby"}"# {
        /// 1–128 of `A-Za-z0-9._:-`.
        channel: text = 1;
        /// What was seen last: the events after it are returned.
        since: optional position = 2;
        /// Whether events tell who comes and goes.
        presence: optional boolean = 3;
    }

    /// Ends a subscription.
    Unsubscribe<'a> "unsubscribe" = 39, User, Barrier, Request,
    r#"{"type":"unsubscribe","channel":"public:lobby"}"# {
        /// The channel.
        channel: text = 1;
    }

    /// Publishes to a channel.
    Publish<'a> "publish" = 40, User, Run, Request,
    r#"{"type":"publish","channel":"public:lobby","payload":{"x":1}}"# {
        /// The channel.
        channel: text = 1;
        /// What is published.
        payload: payload = 2;
        /// The `type` of the event; `publication` when absent.
        event: optional text = 3;
        /// `false`: the publisher does not get the event.
        echo: optional boolean = 4;
        /// The publisher's own id for it.
        client_id: optional text = 5;
    }
}
