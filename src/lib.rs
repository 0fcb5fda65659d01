//! Stentor: a real-time messaging server whose event loop and protocol cores can be embedded.
//!
//! The modules are listed in the order of the road that a message takes (`ARCHITECTURE.md`).
#![forbid(unsafe_code)]

pub mod auth;
pub mod base;
pub mod codec;
pub mod engine;
pub mod guard;
pub mod handler;
pub mod hub;
pub mod message;
pub mod metrics;
pub mod protocol;
pub mod router;
pub mod store;
