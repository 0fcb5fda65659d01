//! `create_notification`, `get_notifications`, `mark_as_read`, `mark_all_as_read`.
//!
//! A notification is stored with its event in the user's inbox, and acknowledged after both.

use std::sync::Arc;

use serde::Serialize;
use serde_json::value::RawValue;

use super::ask::{Ask, Event, Outcome, answers, id, limit, unexpected, user_id};
use super::dispatch::too_long;
use crate::base::id::Id;
use crate::message::client;
use crate::message::fault::Fault;
use crate::message::inbox::{Level, Notification};
use crate::message::json::Json;
use crate::message::record::Raw;
use crate::store::inbox::{InboxFound, InboxRead, InboxWrite, InboxWritten};
use crate::store::{Found, Read, Write, Written};

answers! { ask, request:
    CreateNotification<'a> => create_notification(ask, request),
    GetNotifications<'a> => get_notifications(ask, request),
    MarkAsRead<'a> => mark_as_read(ask, request),
    MarkAllAsRead => mark_all_as_read(ask),
}

/// What a request about notifications waits for.
#[derive(Debug)]
pub(super) enum Step {
    /// A notification, stored.
    Created,
    /// Marks.
    Marked,
    /// A page.
    Page,
}

impl From<Step> for super::Step {
    fn from(step: Step) -> Self {
        Self::Notification(step)
    }
}

/// The longest title, in bytes.
const TITLE_BYTES_MAX: usize = 256;
/// The longest text, in bytes.
const MESSAGE_BYTES_MAX: usize = 8192;
/// The longest action, in bytes.
const ACTION_BYTES_MAX: usize = 4096;

/// Makes a notification; answered once it is on disk.
pub(super) fn create_notification(
    ask: &mut Ask<'_, '_>,
    request: &client::CreateNotification<'_>,
) -> Outcome {
    let user = user_id("user_id", &request.user_id)?;
    let level = Level::parse(&request.level).ok_or_else(|| {
        Fault::field("level", "\"level\" must be info, success, warning or error")
    })?;
    let write = InboxWrite::Notify {
        id: ask.new_id(),
        by: ask.me()?,
        user,
        level,
        title: text("title", &request.title, TITLE_BYTES_MAX)?,
        message: text("message", &request.message, MESSAGE_BYTES_MAX)?,
        action: request.action.as_ref().map(action).transpose()?.flatten(),
        bounds: ask.router.config.inbox,
    };
    ask.write(Write::Inbox(write), Step::Created)
}

fn text(field: &'static str, text: &str, most: usize) -> Result<Arc<str>, Fault> {
    match text.len() {
        0 => Err(Fault::field(field, format!("\"{field}\" is empty"))),
        len if len > most => Err(too_long(field, most)),
        _ => Ok(Arc::from(text)),
    }
}

/// An object with a `type` of text; `null` is none.
fn action(json: &Json<'_>) -> Result<Option<Raw>, Fault> {
    #[derive(serde::Deserialize)]
    struct Action<'a> {
        #[serde(borrow)]
        r#type: Option<&'a RawValue>,
    }
    let text = json.as_str();
    if text == "null" {
        return Ok(None);
    }
    if text.len() > ACTION_BYTES_MAX {
        return Err(too_long("action", ACTION_BYTES_MAX));
    }
    let object = text.trim_start().starts_with('{');
    let parsed: Option<Action<'_>> = serde_json::from_str(text).ok().filter(|_| object);
    let word =
        parsed.and_then(|action| action.r#type).is_some_and(|r#type| r#type.get().starts_with('"'));
    if word {
        return Ok(Raw::new(text));
    }
    Err(Fault::field("action", "\"action\" must be an object with a \"type\""))
}

/// Reads a page of the user's notifications.
pub(super) fn get_notifications(
    ask: &mut Ask<'_, '_>,
    request: &client::GetNotifications<'_>,
) -> Outcome {
    let read = InboxRead::Notifications {
        user: ask.me()?,
        unread_only: request.unread_only.unwrap_or(false),
        before: request.before.as_ref().map(|before| id("before", before)).transpose()?,
        limit: limit(request.limit, 50, ask.router.config.history_page),
    };
    ask.read(Read::Inbox(read), Step::Page)
}

/// Marks one as read.
pub(super) fn mark_as_read(ask: &mut Ask<'_, '_>, request: &client::MarkAsRead<'_>) -> Outcome {
    let notification = id("notification_id", &request.notification_id)?;
    mark(ask, Some(notification))
}

/// Marks all as read.
pub(super) fn mark_all_as_read(ask: &mut Ask<'_, '_>) -> Outcome {
    mark(ask, None)
}

fn mark(ask: &mut Ask<'_, '_>, notification: Option<Id>) -> Outcome {
    let (user, bounds) = (ask.me()?, ask.router.config.inbox);
    ask.write(Write::Inbox(InboxWrite::MarkRead { user, notification, bounds }), Step::Marked)
}

#[derive(Serialize)]
struct Created<'a> {
    notification: &'a Notification,
}

#[derive(Serialize)]
struct Marked {
    unread_count: u64,
}

#[derive(Serialize)]
struct Page<'a> {
    notifications: &'a [Notification],
    unread_count: u64,
}

/// The next thing that a request waits for has come.
pub(super) fn go_on(ask: &mut Ask<'_, '_>, step: Step, event: Event) -> Outcome {
    match (step, &event) {
        (Step::Created, Event::Written(Written::Inbox(written)))
            if let InboxWritten::Notified { notification, .. } = &**written =>
        {
            ask.router.metrics.notifications.add(1);
            ask.ok(&Created { notification })
        }
        (Step::Marked, Event::Written(Written::Inbox(written)))
            if let InboxWritten::Read { unread, .. } = &**written =>
        {
            ask.ok(&Marked { unread_count: *unread })
        }
        (
            Step::Page,
            Event::Found(Found::Inbox(InboxFound::Notifications { notifications, unread })),
        ) => ask.ok(&Page { notifications, unread_count: *unread }),
        (_, event) => Err(unexpected(event)),
    }
}
