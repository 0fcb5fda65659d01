//! Who is there: their rows of the catalogue. See `mod.rs` for what a row says.

macro_rules! presence_rows {
    ($next:ident $($rest:ident)*; $($before:tt)*) => { $next! { $($rest)*; $($before)*

    /// Tells who is in a channel, or how many are.
    GetPresence<'a> "presence" = 42, User, Barrier, Request,
    r#"{"type":"presence","channel":"public:lobby"}"# => "count, users[present]" {
        /// The channel.
        channel: text = 1;
    }

    /// Tells the others how the user is: online, away, busy, or invisible to all.
    SetStatus<'a> "set_status" = 43, User, Barrier, Ephemeral,
    r#"{"type":"set_status","status":"away","note":"at lunch"}"# => "" {
        /// `online`, `away`, `busy` or `invisible`.
        status: text = 1;
        /// The user's own words, at most 256 bytes.
        note: optional text = 2;
    }
    } };
}
