//! What loops have workers do, and what came of it.
//!
//! Law: every job ends; what was stored is told by the home of what it is about.

use std::sync::Arc;

use super::CallRef;
use crate::base::id::{Address, Id, LoopId};
use crate::hub::homes::Homes;
use crate::hub::{Channel, ChannelRef};
use crate::store::inbox::Kept;
use crate::store::{self, Found, Read, Write, Written};

/// Work that blocks.
#[derive(Debug)]
pub enum Job {
    /// Something to be stored, by the one writer.
    Write {
        /// Who waits for it.
        call: CallRef,
        /// Which connection caused it, and so does not get the event; none: it does.
        by: Option<Address>,
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
    /// Which connection caused it, and does not get the event.
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
            Finished::Written(Ok(Written::Published { channel, .. })) => {
                homes.of_channel(&ChannelRef::Named(channel))
            }
            Finished::Written(Ok(written)) => match chat_of(written) {
                Some(chat) => homes.of_channel(&Channel::Room(chat)),
                None => match written {
                    Written::Execution(written) => {
                        homes.of_channel(&crate::router::executions::channel(written.id()))
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
pub(in crate::router) fn chat_of(written: &Written) -> Option<Id> {
    match written {
        Written::Chat { view, .. } => Some(view.chat.id),
        Written::Left { chat, .. } | Written::Deleted { chat, .. } | Written::Read { chat, .. } => {
            Some(*chat)
        }
        Written::Message { message, .. } | Written::Edited { message, .. } => Some(message.chat_id),
        Written::SignedIn { .. }
        | Written::Revoked { .. }
        | Written::Granted
        | Written::Published { .. }
        | Written::Inbox(_)
        | Written::Execution(_) => None,
    }
}
