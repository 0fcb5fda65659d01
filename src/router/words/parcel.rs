//! Events for users on their way to the loops of their connections, encoded once.

use crate::base::id::{Address, UserId};
use crate::protocol::frame::Frame;

/// An event of an inbox on its way to the connections of its user on one loop.
#[derive(Clone, Debug)]
pub struct Parcel {
    /// Whose inbox.
    pub user: UserId,
    /// Its offset there.
    pub offset: u64,
    /// The event.
    pub frame: Frame,
    /// Whether a full queue must not cost it.
    pub critical: bool,
    /// The connection that caused it and has its reply.
    pub except: Option<Address>,
}

/// An event for everybody on its way to one loop.
#[derive(Clone, Debug)]
pub struct Broadcast {
    /// The event.
    pub frame: Frame,
    /// Users who do not get it.
    pub exclude: Vec<UserId>,
    /// The connection that caused it and has its reply.
    pub except: Address,
}
