//! A client and a server joined by a fake link and a clock that jumps: RFC 6455 from both ends.
//!
//! Law: whatever the cuts and the delays, messages arrive in order, both ends close, and the same
//! seed gives the same run.

mod closing;
mod link;
mod messages;
