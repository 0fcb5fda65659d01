//! Stentor: a real-time messaging server whose event loop and protocol cores can be embedded.
//!
//! The modules, in the order of the road that a message takes (`ARCHITECTURE.md`):
//! `net`, [`engine`], [`protocol`], [`codec`] and [`message`], [`guard`] and [`auth`],
//! [`router`] by way of [`handler`], [`hub`], [`store`]; [`base`] and [`metrics`] lie below them all;
//! `config`, `launch` and `server` put them together.
#![forbid(unsafe_code)]
// `clippy.toml` has the reasons; tests may call what they like.
#![cfg_attr(not(test), warn(clippy::disallowed_methods, clippy::disallowed_types))]

pub mod auth;
pub mod base;
pub mod codec;
#[cfg(feature = "net")]
pub mod config;
pub mod engine;
pub mod guard;
pub mod handler;
pub mod http;
pub mod hub;
#[cfg(all(feature = "net", feature = "sqlite", feature = "jwt", feature = "password"))]
pub mod launch;
pub mod message;
pub mod metrics;
#[cfg(feature = "net")]
pub mod net;
pub mod protocol;
pub mod router;
#[cfg(feature = "net")]
pub mod server;
pub mod store;
