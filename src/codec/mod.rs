//! From bytes of a message to a request, and from replies and events to bytes (SPEC §2, §3, §8).
//!
//! Knows neither frames nor connections. Law: what is decoded borrows from the message, and what is
//! encoded never holds a raw control byte.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

pub mod json;
#[doc(hidden)]
pub mod laws;
