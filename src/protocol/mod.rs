//! The wire: what the bytes of a connection mean, without clocks, sockets or anything of messaging.
//!
//! Bytes go in at any split, events come out, the same whatever the split. A parser here neither
//! panics nor allocates by a number that a stranger sent.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects
    )
)]

pub mod http;
pub mod line;
pub mod sniff;
pub mod websocket;
