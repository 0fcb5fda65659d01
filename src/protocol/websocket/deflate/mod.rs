//! permessage-deflate, RFC 7692: messages compressed one by one, for both roles.
//!
//! | RFC 7692 | file |
//! |---|---|
//! | 5, 7.1 negotiation | `negotiate.rs` |
//! | 7.2.1 compression | `compress.rs` |
//! | 7.2.2 decompression | `inflate.rs` |
//! | 6 framing | `extension.rs`, and the decoder, which knows RSV1 |
//!
//! Law: what one end compresses the other unfolds, whatever was agreed on; nothing is unfolded past
//! the cap and one byte. Limit: a window of 2^8 bytes is never compressed with, because zlib cannot
//! do so on a raw stream; an offer that insists on it is declined.
//!
//! Nobody owns an [`Inflater`] for a connection alone: it is used between two calls only, so one
//! does for all connections of a loop. What a connection keeps is the part of a message that came,
//! and, if its peer compresses with context takeover, what the peer may refer back to.

mod compress;
mod extension;
mod inflate;
pub mod laws;
mod negotiate;

pub use compress::Compressor;
pub use extension::{Deflate, SharedInflater};
pub use inflate::Inflater;
pub use negotiate::{Agreed, Direction, NAME, NotAgreed, Settings, WindowBits};
