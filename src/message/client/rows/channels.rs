//! Channels: their rows of the catalogue. See `mod.rs` for what a row says.

macro_rules! channel_rows {
    ($next:ident $($rest:ident)*; $($before:tt)*) => { $next! { $($rest)*; $($before)*

    /// Subscribes to a channel, from a position when one is given.
    Subscribe<'a> "subscribe" = 38, User, Barrier, Request,
    r#"{"type":"subscribe","channel":"public:lobby"}"# => "channel, offset, epoch, recovered?, events[event], more, state?, presence?{count, users[present]}" {
        /// 1–128 of `A-Za-z0-9._:-`; for services and admins also all of a namespace, as `room:*`.
        channel: text = 1;
        /// What was seen last: the events after it are returned.
        since: optional position = 2;
        /// Whether events tell who comes and goes.
        presence: optional boolean = 3;
    }

    /// Ends a subscription.
    Unsubscribe<'a> "unsubscribe" = 39, User, Barrier, Request,
    r#"{"type":"unsubscribe","channel":"public:lobby"}"# => "" {
        /// The channel.
        channel: text = 1;
    }

    /// Publishes to a channel.
    Publish<'a> "publish" = 40, User, Run, Request,
    r#"{"type":"publish","channel":"public:lobby","payload":{"x":1}}"# => "offset, epoch, duplicate?" {
        /// The channel.
        channel: text = 1;
        /// What is published.
        payload: payload = 2;
        /// The `type` of the event; `publication` when absent.
        event: optional text = 3;
        /// `false`: the publisher does not get the event.
        echo: optional boolean = 4;
        /// The publisher's own id for it; the same one again changes nothing.
        client_id: optional text = 5;
    }

    /// Gives what a channel remembers: what came after a position, or the latest.
    History<'a> "history" = 41, User, Barrier, Request,
    r#"{"type":"history","channel":"public:lobby"}"# => "events[event], offset, epoch, more" {
        /// The channel.
        channel: text = 1;
        /// What was seen last: the events after it are returned.
        since: optional position = 2;
        /// At most so many events.
        limit: optional integer = 3;
    }
    } };
}
