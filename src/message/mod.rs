//! The vocabulary: what clients say, what the server answers, and why it refuses.
//!
//! The only types that both codecs, the router and the store share; nothing here knows how it is
//! encoded beyond its derives, nor who receives it.

pub mod client;
pub mod close;
pub mod execution;
pub mod fault;
pub mod inbox;
pub mod json;
pub mod presence;
pub mod record;
pub mod server;
pub mod told;
