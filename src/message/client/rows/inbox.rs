//! What is for single users: notifications, `send`, `broadcast`, the cursor of the inbox. Their rows of
//! the catalogue. See `mod.rs` for what a row says.

macro_rules! inbox_rows {
    ($next:ident $($rest:ident)*; $($before:tt)*) => { $next! { $($rest)*; $($before)*

    /// Tells up to which event of a channel the client has everything.
    EventAck<'a> "event_ack" = 3, User, Run, Request,
    r#"{"type":"event_ack","channel":"user:bia","offset":7}"# => "" {
        /// The channel; the inbox `user:{id}` keeps it.
        channel: text = 1;
        /// The last event that is there.
        offset: integer = 2;
    }

    /// Sends an event to everyone connected; it is not kept.
    Broadcast<'a> "broadcast" = 45, Service, Barrier, Request,
    r#"{"type":"broadcast","payload":{"x":1}}"# => "" {
        /// What it tells.
        payload: json = 1;
        /// The `type` of the event; `publication` when absent.
        event: optional text = 2;
        /// The ids of users who do not get it.
        exclude: listed text = 3;
    }

    /// Sends an event to users, kept for those away; answered once it is on disk.
    Send<'a> "send" = 46, Service, Run, Request,
    r#"{"type":"send","user_ids":["bia"],"event":"invoice","payload":{"number":7}}"# => "" {
        /// The ids of the users, at most 1,000; an unknown one refuses the whole.
        user_ids: repeated text = 1;
        /// The `type` of the event.
        event: text = 2;
        /// What it tells.
        payload: json = 3;
        /// `normal` or `critical`, which no full queue costs.
        priority: optional text = 4;
    }

    /// Makes a notification for a user.
    CreateNotification<'a> "create_notification" = 47, Service, Barrier, Request,
    r#"{"type":"create_notification","user_id":"bia","level":"info","title":"Done","message":"The report is there"}"# => "notification" {
        /// The id of the user.
        user_id: text = 1;
        /// `info`, `success`, `warning` or `error`.
        level: text = 2;
        /// In a few words.
        title: text = 3;
        /// In more.
        message: text = 4;
        /// What the client may offer to do: `{type,payload}`.
        action: optional json = 5;
    }

    /// Lists the notifications of the user, newest first.
    GetNotifications<'a> "get_notifications" = 48, User, Barrier, Request,
    r#"{"type":"get_notifications","unread_only":true}"# => "notifications[notification], unread_count" {
        /// Whether those that were read are left out.
        unread_only: optional boolean = 1;
        /// How many at most; 50 when absent.
        limit: optional integer = 2;
        /// The id of the notification after which (older than which) the page begins.
        before: optional text = 3;
    }

    /// Marks a notification of the user as read.
    MarkAsRead<'a> "mark_as_read" = 49, User, Barrier, Request,
    r#"{"type":"mark_as_read","notification_id":"018bcfe5-687b-7fff-bfff-ffffffffffff"}"# => "unread_count" {
        /// The notification.
        notification_id: text = 1;
    }

    /// Tells what the user missed since a time: messages, notifications, executions.
    Sync<'a> "sync" = 58, User, Barrier, Request,
    r#"{"type":"sync","since":"2026-11-20T18:03:40.112Z"}"#
        => "chats[{chat, messages[message], more}], notifications[notification], executions[execution], server_time, more" {
        /// RFC 3339, included; the `server_time` of the last reply.
        since: text = 1;
    }

    /// Marks all notifications of the user as read.
    MarkAllAsRead "mark_all_as_read" = 50, User, Barrier, Request,
    r#"{"type":"mark_all_as_read"}"# => "unread_count" {
    }
    } };
}
