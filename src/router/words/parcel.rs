//! What is for users on its way to the loops of their connections: events, encoded once, and how an
//! execution stands.

use crate::base::arena::Key;
use crate::base::id::{Address, UserId};
use crate::hub::Channel;
use crate::hub::channels::Position;
use crate::message::execution::Execution;
use crate::protocol::frame::Frame;

/// One of these.
#[derive(Clone, Debug)]
pub enum Post {
    /// From the home of a user: for the user's connections.
    Inbox(Parcel),
    /// From the home of an execution's channel: this loop listens now, and it stands so.
    Looked(Looked),
    /// From the home of an execution's channel: it begins, and is of this team.
    Begun(Begun),
    /// To every loop: for everybody there.
    Broadcast(Broadcast),
}

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

/// How an execution stands, from the home of its channel, where the loop is known to listen now.
#[derive(Clone, Debug)]
pub struct Looked {
    /// Who waits.
    pub call: Key,
    /// The channel.
    pub channel: Channel,
    /// The generation of the interest.
    pub generation: u64,
    /// Where the channel stands.
    pub position: Position,
    /// None: nobody has begun it.
    pub execution: Option<Box<Execution>>,
}

/// An execution that begins, for the loops that listen to its channel.
#[derive(Clone, Debug)]
pub struct Begun {
    /// The channel.
    pub channel: Channel,
    /// Whose members may hear it.
    pub team: std::sync::Arc<str>,
}
