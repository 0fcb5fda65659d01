//! JSON as SPEC §3 asks for it, in two passes over validated UTF-8.
//!
//! The first pass ([`scan()`]) holds the whole message, payload included, to the strict rules and finds
//! `type` and `request_id`; the second is serde on the struct of that verb. serde_json alone would
//! let duplicate keys, lone surrogates and 1e400 through inside a payload that it skips.

mod decode;
mod flaw;
#[doc(hidden)]
pub mod laws;
mod plain;
mod scan;
mod scanner;
mod suggest;
mod unique;
mod write;

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    reason = "a test may panic"
)]
mod tests;

pub use decode::{Decoded, Refused, decode, excerpt};
pub use scan::{DEPTH_MAX, REQUEST_ID_BYTES_MAX, RequestId, Scanned, check, scan};
pub use suggest::{did_you_mean, nearest};
pub use write::{
    Event, event, event_payload, reply_called, reply_error, reply_ok, reply_raw, string,
};

pub use crate::message::json::compact;
