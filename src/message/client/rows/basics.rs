//! What every connection may ask: their rows of the catalogue. See `mod.rs` for what a row says.

macro_rules! basic_rows {
    ($next:ident $($rest:ident)*; $($before:tt)*) => { $next! { $($rest)*; $($before)*

    /// Answers at once.
    Ping "ping" = 36, Anyone, Barrier, Free,
    r#"{"type":"ping"}"# => "" {
    }

    /// Answers with the time of the server.
    Heartbeat "heartbeat" = 4, Anyone, Barrier, Free,
    r#"{"type":"heartbeat"}"# => "server_time" {
        /// The time of the client; not used.
        client_time_ms: implicit integer = 1;
    }

    /// Lists the verbs, or explains one.
    Help<'a> "help" = 37, Anyone, Barrier, Free,
    r#"{"type":"help","verb":"message"}"# => "verbs?[{type, about, parameters}], verb?{*}" {
        /// The verb to explain.
        verb: optional text = 1;
    }
    } };
}
