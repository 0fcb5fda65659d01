//! Chats and rooms: made, joined, left, changed, listed.

use std::sync::Arc;

use serde::Serialize;

use super::accounts::bad_name;
use super::ask::{Ask, Event, Outcome, answers, id, limit, unexpected, user_id};
use crate::auth::names;
use crate::base::id::{Id, UserId};
use crate::message::client;
use crate::message::fault::Fault;
use crate::message::record::{ChatView, Raw, RoomListing};
use crate::store::{Found, Read, Write, Written};

answers! { ask, request:
    CreateDm<'a> => create_dm(ask, request),
    CreateGroup<'a> => create_group(ask, request),
    CreateRoom<'a> => create_room(ask, request),
    ListRooms<'a> => list_rooms(ask, request),
    JoinRoom<'a> => join_room(ask, request),
    LeaveRoom<'a> => leave_room(ask, request),
    AddMembers<'a> => add_members(ask, request),
    RemoveMember<'a> => remove_member(ask, request),
    UpdateChat<'a> => update_chat(ask, request),
    GetUserChats => get_user_chats(ask),
}

/// What a request about chats waits for.
#[derive(Debug)]
pub(super) enum Step {
    /// A chat, made or changed.
    Chat,
    /// That a member went.
    Left,
    /// The user's chats.
    Mine,
    /// A page of rooms.
    Rooms,
}

impl From<Step> for super::Step {
    fn from(step: Step) -> Self {
        Self::Chat(step)
    }
}

/// The most users that one request may name.
const USERS_MAX: usize = 1000;
/// The longest metadata, in bytes: it goes out with every mention of the chat.
const METADATA_BYTES_MAX: usize = 4096;

fn name(field: &'static str, text: &str) -> Result<Arc<str>, Fault> {
    if names::valid_name(text) { Ok(Arc::from(text)) } else { Err(bad_name(field)) }
}

pub(super) fn metadata(
    json: Option<&crate::message::json::Json<'_>>,
) -> Result<Option<Raw>, Fault> {
    match json {
        Some(json) if json.as_str().len() > METADATA_BYTES_MAX => {
            Err(super::dispatch::too_long("metadata", METADATA_BYTES_MAX))
        }
        Some(json) => Ok(Raw::new(json.as_str())),
        None => Ok(None),
    }
}

pub(super) fn user_ids(
    field: &'static str,
    texts: &[client::Text<'_>],
) -> Result<Vec<UserId>, Fault> {
    if texts.len() > USERS_MAX {
        return Err(Fault::field(field, format!("\"{field}\" names more than {USERS_MAX} users")));
    }
    texts.iter().map(|text| user_id(field, text)).collect()
}

/// Opens the chat of two users.
pub(super) fn create_dm(ask: &mut Ask<'_, '_>, request: &client::CreateDm<'_>) -> Outcome {
    let other = user_id("other_user_id", &request.other_user_id)?;
    let (chat, by) = (ask.new_id(), ask.me()?);
    ask.write(Write::CreateDm { chat, by, other }, Step::Chat)
}

/// Makes a group.
pub(super) fn create_group(ask: &mut Ask<'_, '_>, request: &client::CreateGroup<'_>) -> Outcome {
    let name = name("group_name", &request.group_name)?;
    let members = user_ids("member_ids", &request.member_ids)?;
    let (chat, by) = (ask.new_id(), ask.me()?);
    ask.write(Write::CreateGroup { chat, by, name, members }, Step::Chat)
}

/// Makes a room.
pub(super) fn create_room(ask: &mut Ask<'_, '_>, request: &client::CreateRoom<'_>) -> Outcome {
    let name = name("name", &request.name)?;
    let metadata = metadata(request.metadata.as_ref())?;
    let (chat, by, visibility) = (ask.new_id(), ask.me()?, request.visibility);
    ask.write(Write::CreateRoom { chat, by, name, visibility, metadata }, Step::Chat)
}

/// Enters a public room.
pub(super) fn join_room(ask: &mut Ask<'_, '_>, request: &client::JoinRoom<'_>) -> Outcome {
    let (chat, user) = (id("room_id", &request.room_id)?, ask.me()?);
    ask.write(Write::Join { chat, user }, Step::Chat)
}

/// Leaves a room or a group.
pub(super) fn leave_room(ask: &mut Ask<'_, '_>, request: &client::LeaveRoom<'_>) -> Outcome {
    let (chat, user) = (id("room_id", &request.room_id)?, ask.me()?);
    ask.write(Write::Leave { chat, user }, Step::Left)
}

/// Adds users to a chat.
pub(super) fn add_members(ask: &mut Ask<'_, '_>, request: &client::AddMembers<'_>) -> Outcome {
    let chat = id("chat_id", &request.chat_id)?;
    let users = user_ids("user_ids", &request.user_ids)?;
    let by = ask.me()?;
    ask.write(Write::AddMembers { chat, by, users }, Step::Chat)
}

/// Removes a member from a chat.
pub(super) fn remove_member(ask: &mut Ask<'_, '_>, request: &client::RemoveMember<'_>) -> Outcome {
    let chat = id("chat_id", &request.chat_id)?;
    let user = user_id("user_id", &request.user_id)?;
    let by = ask.me()?;
    ask.write(Write::RemoveMember { chat, by, user }, Step::Left)
}

/// Changes a chat.
pub(super) fn update_chat(ask: &mut Ask<'_, '_>, request: &client::UpdateChat<'_>) -> Outcome {
    let chat = id("chat_id", &request.chat_id)?;
    let name = request.name.as_ref().map(|text| name("name", text)).transpose()?;
    let metadata = metadata(request.metadata.as_ref())?;
    let visibility = request.visibility;
    if name.is_none() && metadata.is_none() && visibility.is_none() {
        return Err(Fault::field("name", "nothing to change")
            .hint("give \"name\", \"visibility\" or \"metadata\""));
    }
    let by = ask.me()?;
    ask.write(Write::UpdateChat { chat, by, name, visibility, metadata }, Step::Chat)
}

/// Lists the chats of the user.
pub(super) fn get_user_chats(ask: &mut Ask<'_, '_>) -> Outcome {
    let user = ask.me()?;
    ask.read(Read::Chats { user }, Step::Mine)
}

/// Lists public rooms.
pub(super) fn list_rooms(ask: &mut Ask<'_, '_>, request: &client::ListRooms<'_>) -> Outcome {
    let query = request.query.as_ref().map(|query| query.trim()).filter(|query| !query.is_empty());
    let after = request.after.as_ref().map(|after| id("after", after)).transpose()?;
    let most = ask.router.config.history_page;
    let limit = limit(request.limit, 50, most);
    ask.read(Read::Rooms { query: query.map(Arc::from), limit, after }, Step::Rooms)
}

#[derive(Serialize)]
struct Chat<'a> {
    chat: &'a ChatView,
}

#[derive(Serialize)]
struct Chats {
    chats: Vec<ChatView>,
}

#[derive(Serialize)]
struct Rooms {
    rooms: Vec<RoomListing>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<Id>,
}

/// The next thing that a request waits for has come.
pub(super) fn go_on(ask: &mut Ask<'_, '_>, step: Step, event: Event) -> Outcome {
    match (step, event) {
        (Step::Chat, Event::Written(Written::Chat { view, .. })) => ask.ok(&Chat { chat: &view }),
        (Step::Left, Event::Written(Written::Left { .. })) => ask.ok_empty(),
        (Step::Mine, Event::Found(Found::Chats(chats))) => ask.ok(&Chats { chats }),
        (Step::Rooms, Event::Found(Found::Rooms { rooms, more })) => {
            let after = rooms.last().map(|room| room.id).filter(|_| more);
            ask.ok(&Rooms { rooms, after })
        }
        (_, event) => Err(unexpected(&event)),
    }
}
