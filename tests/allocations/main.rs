//! What the hot path allocates once it is warm: an echo nothing; a `publish` as much
//! however many receive it, and nothing per delivery.
//!
//! The test drives `Server::turn` itself, so everything between the sockets is counted, and nothing
//! else. Clients live on the same thread; what they allocate is not counted.
#![allow(unsafe_code, reason = "an allocator cannot be written otherwise")]

mod counting;
mod echo;
mod publish;
mod rig;

#[global_allocator]
static ALLOCATOR: counting::Counting = counting::Counting;
