//! What holds for an engine, whatever happens to its connections; called by tests and by the targets
//! `session_ops` and `broadcast`.

mod broadcast;
mod session;
mod slow;
mod source;
mod stage;

pub use broadcast::broadcast;
#[cfg(test)]
pub(super) use broadcast::played;
pub use session::session_ops;
pub use slow::slow_readers;
