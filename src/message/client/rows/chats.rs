//! Chats and rooms, their names and members: their rows of the catalogue. See `mod.rs` for what a row says.

macro_rules! chat_rows {
    ($next:ident $($rest:ident)*; $($before:tt)*) => { $next! { $($rest)*; $($before)*

    /// Opens the chat of two users, the same one every time.
    CreateDm<'a> "create_dm" = 20, User, Barrier, Request,
    r#"{"type":"create_dm","other_user_id":"018bcfe5-687b-7fff-bfff-ffffffffffff"}"# => "chat" {
        /// The other user.
        other_user_id: text = 1;
    }

    /// Makes a group of invited members.
    CreateGroup<'a> "create_group" = 21, User, Barrier, Request,
    r#"{"type":"create_group","group_name":"crew","member_ids":["018bcfe5-687b-7fff-bfff-ffffffffffff"]}"# => "chat" {
        /// 1–64 characters, no controls.
        group_name: text = 1;
        /// Who is in it beside the caller.
        member_ids: repeated text = 2;
    }

    /// Makes a room with a name.
    CreateRoom<'a> "create_room" = 22, User, Barrier, Request,
    r#"{"type":"create_room","name":"lobby","visibility":"public"}"# => "chat" {
        /// 1–64 characters, no controls.
        name: text = 1;
        /// `public`: listed, anyone may join.
        visibility: visibility = 2;
        /// Whatever the owner keeps there.
        metadata: optional json = 3;
    }

    /// Lists public rooms.
    ListRooms<'a> "list_rooms" = 23, User, Barrier, Request,
    r#"{"type":"list_rooms"}"# => "rooms[room], after?" {
        /// What the name contains.
        query: optional text = 1;
        /// How many at most.
        limit: optional integer = 2;
        /// The `after` of the page before.
        after: optional text = 3;
    }

    /// Joins a public room.
    JoinRoom<'a> "join_room" = 24, User, Barrier, Request,
    r#"{"type":"join_room","room_id":"018bcfe5-687b-7fff-bfff-ffffffffffff"}"# => "chat" {
        /// The room.
        room_id: text = 1;
    }

    /// Leaves a room or a group.
    LeaveRoom<'a> "leave_room" = 25, User, Barrier, Request,
    r#"{"type":"leave_room","room_id":"018bcfe5-687b-7fff-bfff-ffffffffffff"}"# => "" {
        /// The room.
        room_id: text = 1;
    }

    /// Adds members to a chat; owners only.
    AddMembers<'a> "add_members" = 26, User, Barrier, Request,
    r#"{"type":"add_members","chat_id":"018bcfe5-687b-7fff-bfff-ffffffffffff","user_ids":["ann"]}"# => "chat" {
        /// The chat.
        chat_id: text = 1;
        /// Who is added.
        user_ids: repeated text = 2;
    }

    /// Removes a member from a chat; owners only.
    RemoveMember<'a> "remove_member" = 27, User, Barrier, Request,
    r#"{"type":"remove_member","chat_id":"018bcfe5-687b-7fff-bfff-ffffffffffff","user_id":"ann"}"# => "" {
        /// The chat.
        chat_id: text = 1;
        /// Who is removed.
        user_id: text = 2;
    }

    /// Changes name, visibility or metadata of a chat; owners only.
    UpdateChat<'a> "update_chat" = 28, User, Barrier, Request,
    r#"{"type":"update_chat","chat_id":"018bcfe5-687b-7fff-bfff-ffffffffffff","name":"new name"}"# => "chat" {
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
    r#"{"type":"get_user_chats"}"# => "chats[chat]" {
    }
    } };
}
