//! What loops say to each other, and what they have workers do: two closed lists.

mod job;
mod parcel;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

pub(super) use job::chat_of;
pub use job::{Done, Finished, Job, PasswordTask};
pub use parcel::{Begun, Broadcast, Looked, Parcel, Post};

pub use super::presence::words::{Attendance, Telling, Visit};
pub use super::revoked::Revoked;
use crate::base::arena::Key;
use crate::base::id::{Address, LoopId, UserId};
use crate::guard::rate::Budget;
use crate::hub::Channel;
use crate::hub::channels::{Page, Position, Since};
use crate::message::record::UserCard;
use crate::protocol::frame::Frame;
use crate::router::admin::words::AdminWord;
use crate::router::{calls::words::CallWord, channels::PatternWord};
use crate::store::Written;

pub use super::work::{commit, hash, look_up};

/// A request that waits for something, wherever that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallRef {
    /// The loop of its connection.
    pub home: LoopId,
    /// Which of that loop's calls.
    pub key: Key,
}

/// Events of a channel on their way to the subscribers of one loop.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Of which channel.
    pub channel: Channel,
    /// Each with its offset, 0 for one without.
    pub frames: Vec<(u64, Frame)>,
    /// The connection that caused it and has its reply.
    pub except: Option<Address>,
    /// Who is a member from now on, and hears this already.
    pub joined: Vec<UserId>,
    /// Who is not a member any more after this.
    pub left: Option<UserId>,
    /// The loop's interest as the home counts it, when this counts as asking.
    pub generation: Option<u64>,
}

/// A publication on its way to the home of its channel.
#[derive(Clone, Debug)]
pub struct Publication {
    /// Who waits for the offset.
    pub call: CallRef,
    /// Which connection published.
    pub by: Address,
    /// Where.
    pub channel: Channel,
    /// The `type` of the event.
    pub event: Box<str>,
    /// JSON without control bytes.
    pub payload: Box<str>,
    /// Who published.
    pub sender: UserCard,
    /// Whether the publisher gets the event too.
    pub echo: bool,
    /// The publisher's own id for it.
    pub client_id: Option<Box<str>>,
}

/// A channel that a loop wants to hear.
#[derive(Clone, Debug)]
pub struct Wish {
    /// Which.
    pub channel: Channel,
    /// What was seen of it, if what came after is wanted too.
    pub since: Option<Box<Since>>,
}

/// A channel that a loop hears from now on.
#[derive(Clone, Debug)]
pub struct Heard {
    /// Which.
    pub channel: Channel,
    /// Of the loop's interest.
    pub generation: u64,
    /// Where it stands, unless only the store knows.
    pub position: Option<Position>,
    /// What was missed, if that was wanted and is not for the store to tell.
    pub page: Option<Box<Page>>,
}

/// What one loop says to another.
#[derive(Debug)]
pub enum Word {
    /// To a user's home: a connection of the user is there.
    Attach {
        /// Who waits.
        call: CallRef,
        /// Whose.
        user: UserId,
        /// Which.
        connection: Address,
        /// Whether the user's rates and counts are limited.
        limited: bool,
    },
    /// Back: what all connections of the user share, unless there are too many.
    Attached {
        /// Who waits.
        call: Key,
        /// Shared.
        budget: Option<Arc<Budget>>,
    },
    /// To a user's home: it is gone.
    Detach {
        /// Whose.
        user: UserId,
        /// Which.
        connection: Address,
    },
    /// To an account's home: may there be another attempt to log in?
    Login {
        /// Who waits.
        call: CallRef,
        /// From where.
        peer: Option<IpAddr>,
        /// The folded name.
        account: Box<str>,
    },
    /// Back: how long to wait first.
    LoginMay {
        /// Who waits.
        call: Key,
        /// None: go on.
        wait: Option<Duration>,
    },
    /// To an account's home: it was the right password.
    LoggedIn {
        /// From where.
        peer: Option<IpAddr>,
        /// The folded name.
        account: Box<str>,
    },
    /// To the home of these channels: this loop listens.
    Listen {
        /// Who waits.
        call: CallRef,
        /// To what.
        channels: Vec<Wish>,
    },
    /// Back: from here on everything comes.
    Listening {
        /// Who waits.
        call: Key,
        /// What it hears.
        channels: Vec<Heard>,
    },
    /// To the home of a channel: what does it remember?
    History {
        /// Who waits.
        call: CallRef,
        /// Which.
        channel: Channel,
        /// What was seen; none: the latest are wanted.
        since: Option<Box<Since>>,
        /// At most so many.
        limit: u32,
    },
    /// Back.
    Page {
        /// Who waits.
        call: Key,
        /// Where the channel stands.
        position: Position,
        /// What it remembers.
        page: Box<Page>,
    },
    /// To the home of these channels: nobody here listens any more.
    Unlisten {
        /// To what, and what the home said last of it.
        channels: Vec<(Channel, u64)>,
    },
    /// To the home of a channel: to be numbered and delivered.
    Publish(Box<Publication>),
    /// Back: its place.
    Published {
        /// Who waits.
        call: Key,
        /// Where it stands, or the first of its name does.
        position: Position,
        /// Whether there was one of its name before.
        duplicate: bool,
    },
    /// To the home of a channel: to be delivered, without a number.
    Ephemeral(Box<Delivery>),
    /// From the home of a channel: for the subscribers.
    Deliver(Box<Delivery>),
    /// Of patterns.
    Pattern(Box<PatternWord>),
    /// For users here.
    Post(Box<Post>),
    /// From the home of a chat: what came of a write.
    Written {
        /// Who waits.
        call: Key,
        /// What.
        written: Box<Written>,
    },
    /// To every loop: whether anybody listens to what happens.
    Bus {
        /// Whether.
        subscribed: bool,
    },
    /// For administrators.
    Admin(Box<AdminWord>),
    /// About calls of backends.
    Backend(Box<CallWord>),
    /// To every loop: these connections are to be closed.
    Revoked {
        /// Whose; none when only the session is known.
        user: Option<UserId>,
        /// Which.
        which: Revoked,
        /// But not this one.
        except: Option<Address>,
    },
    /// To every loop: which of these users are there?
    WhoIsThere {
        /// Who waits.
        call: CallRef,
        /// Whom.
        users: Vec<UserId>,
    },
    /// Back, in the same order.
    There {
        /// Who waits.
        call: Key,
        /// Whether each is.
        there: Vec<bool>,
    },
    /// Of who is there: see [`Attendance`].
    Attendance(Box<Attendance>),
}
