//! The contract of `store`: one set of laws, held by every store, and what only a disk can break.
//!
//! `backends` makes the stores; each file beside it is one topic. `model` compares the two stores
//! step by step over random writes.
#![cfg(feature = "sqlite")]

mod accounts;
mod backends;
mod batches;
mod chats;
mod disk;
mod executions;
mod faults;
mod inbox;
mod messages;
mod model;
mod publications;
mod reads;
mod search;
mod sessions;
