//! What loops say to each other, and what they have workers do: two closed lists.

mod parcel;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

pub use parcel::{Broadcast, Looked, Parcel};

use crate::auth::Passwords;
use crate::base::arena::Key;
use crate::base::id::{Address, Id, LoopId, UserId};
use crate::base::now::Now;
use crate::guard::rate::Budget;
use crate::hub::Channel;
use crate::hub::channels::Position;
use crate::hub::homes::Homes;
use crate::message::record::UserCard;
use crate::protocol::frame::Frame;
use crate::store::inbox::Kept;
use crate::store::{self, Found, Read, Reader, Store, Write, Written};

/// A request that waits for something, wherever that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallRef {
    /// The loop of its connection.
    pub home: LoopId,
    /// Which of that loop's calls.
    pub key: Key,
}

/// Work that blocks.
#[derive(Debug)]
pub enum Job {
    /// Something to be stored, by the one writer.
    Write {
        /// Who waits for it.
        call: CallRef,
        /// Which connection caused it, and so does not get the event.
        by: Address,
        /// What.
        write: Box<Write>,
    },
    /// Something to be looked up, by any reader.
    Read {
        /// Who waits for it.
        call: CallRef,
        /// What.
        read: Box<Read>,
    },
    /// A password, by any hasher.
    Password {
        /// Who waits for it.
        call: CallRef,
        /// What to do with it.
        task: PasswordTask,
    },
}

/// What is done with a password. Nothing of it can be printed.
pub enum PasswordTask {
    /// Hash it.
    Hash(Box<str>),
    /// Compare it with a hash; without one the answer is no, and takes as long.
    Verify(Box<str>, Option<Arc<str>>),
}

impl std::fmt::Debug for PasswordTask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Hash(_) => "Hash(…)",
            Self::Verify(..) => "Verify(…)",
        })
    }
}

/// What came of a job.
#[derive(Debug)]
pub struct Done {
    /// Who waits for it.
    pub call: CallRef,
    /// Which connection caused it.
    pub by: Option<Address>,
    /// What.
    pub result: Finished,
}

/// The ends of the three kinds of jobs.
#[derive(Debug)]
pub enum Finished {
    /// Of a write.
    Written(Result<Written, store::Error>),
    /// Of a read.
    Found(Result<Found, store::Error>),
    /// Of hashing; none when the password cannot be hashed.
    Hashed(Option<Arc<str>>),
    /// Of comparing.
    Verified(bool),
    /// What connections of users hear of a write, all at home on one loop; the end of the write is
    /// another [`Done`], and comes to whoever waits.
    Kept(Vec<Kept>),
    /// The queue of the workers is full.
    Overloaded,
}

impl Job {
    /// Who waits for it.
    #[must_use]
    pub const fn call(&self) -> CallRef {
        match self {
            Self::Write { call, .. } | Self::Read { call, .. } | Self::Password { call, .. } => {
                *call
            }
        }
    }

    /// The end of a job that found no room with the workers.
    #[must_use]
    pub const fn overloaded(&self) -> Done {
        Done { call: self.call(), by: None, result: Finished::Overloaded }
    }
}

impl Done {
    /// Which loop is to hear of it first: what goes into the log of a channel goes by its home, in
    /// the order of commits; anything else goes to who waits.
    #[must_use]
    pub fn route(&self, homes: &Homes) -> LoopId {
        match &self.result {
            Finished::Written(Ok(written)) => match chat_of(written) {
                Some(chat) => homes.of_channel(&Channel::Room(chat)),
                None => match written {
                    Written::Execution(written) => {
                        homes.of_channel(&super::executions::channel(written.id()))
                    }
                    _ => self.call.home,
                },
            },
            Finished::Kept(kept) => {
                kept.first().map_or(self.call.home, |kept| homes.of_user(&kept.user))
            }
            _ => self.call.home,
        }
    }
}

/// The chat whose members may hear of it.
#[must_use]
pub(super) fn chat_of(written: &Written) -> Option<Id> {
    match written {
        Written::Chat { view, .. } => Some(view.chat.id),
        Written::Left { chat, .. } | Written::Deleted { chat, .. } | Written::Read { chat, .. } => {
            Some(*chat)
        }
        Written::Message { message, .. } | Written::Edited { message, .. } => Some(message.chat_id),
        Written::SignedIn { .. }
        | Written::Revoked { .. }
        | Written::Inbox(_)
        | Written::Execution(_) => None,
    }
}

/// Commits a batch of writes and gives their ends in order; what is no write is left out. What went
/// into inboxes is told before the end of its write, to the home of each user.
pub fn commit(store: &mut dyn Store, now: Now, jobs: Vec<Job>, homes: &Homes) -> Vec<Done> {
    let (mut waiting, mut batch) = (Vec::new(), Vec::new());
    for job in jobs {
        if let Job::Write { call, by, write } = job {
            waiting.push((call, by));
            batch.push(*write);
        }
    }
    let mut results = Vec::with_capacity(batch.len());
    store.commit(now, &batch, &mut results);
    debug_assert_eq!(results.len(), batch.len(), "one end for each write");
    let mut ends = Vec::with_capacity(results.len());
    for ((call, by), mut result) in waiting.into_iter().zip(results) {
        if let Ok(Written::Inbox(written)) = &mut result {
            let kept = by_home(written.take_kept(), homes);
            ends.extend(kept.into_iter().filter(|kept| !kept.is_empty()).map(|kept| Done {
                call,
                by: Some(by),
                result: Finished::Kept(kept),
            }));
        }
        ends.push(Done { call, by: Some(by), result: Finished::Written(result) });
    }
    ends
}

fn by_home(kept: Vec<Kept>, homes: &Homes) -> Vec<Vec<Kept>> {
    if kept.len() <= 1 {
        return vec![kept];
    }
    let mut sorted = vec![Vec::new(); homes.len()];
    for kept in kept {
        sorted[usize::from(homes.of_user(&kept.user).0)].push(kept);
    }
    sorted
}

/// Does one read.
pub fn look_up(reader: &mut dyn Reader, call: CallRef, read: &Read) -> Done {
    Done { call, by: None, result: Finished::Found(reader.read(read)) }
}

/// Hashes or compares one password.
pub fn hash(
    passwords: &mut dyn Passwords,
    salt: &[u8; 16],
    call: CallRef,
    task: PasswordTask,
) -> Done {
    let result = match task {
        PasswordTask::Hash(password) => {
            Finished::Hashed(passwords.hash(&password, salt).ok().map(Arc::from))
        }
        PasswordTask::Verify(password, Some(hash)) => {
            Finished::Verified(passwords.verify(&password, &hash))
        }
        PasswordTask::Verify(password, None) => {
            passwords.verify(&password, passwords.dummy());
            Finished::Verified(false)
        }
    };
    Done { call, by: None, result }
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
}

/// Which connections of a user a revocation cuts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Revoked {
    /// Those of these sessions.
    Sessions(Vec<Id>),
    /// Those of this token.
    Token(Id),
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
        channels: Vec<Channel>,
    },
    /// Back: from here on everything comes.
    Listening {
        /// Who waits.
        call: Key,
        /// The generation of the interest, and where the channel stands.
        channels: Vec<(Channel, u64, Position)>,
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
        /// Where it stands.
        position: Position,
    },
    /// To the home of a channel: to be delivered, without a number.
    Ephemeral(Box<Delivery>),
    /// From the home of a channel: for the subscribers.
    Deliver(Box<Delivery>),
    /// From the home of a user: for the user's connections.
    Inbox(Box<Parcel>),
    /// From the home of an execution's channel: this loop listens now, and it stands so.
    Looked(Box<Looked>),
    /// To every loop: for everybody there.
    Broadcast(Box<Broadcast>),
    /// From the home of a chat: what came of a write.
    Written {
        /// Who waits.
        call: Key,
        /// What.
        written: Box<Written>,
    },
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
}
