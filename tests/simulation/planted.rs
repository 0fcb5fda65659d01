//! Bugs put in on purpose, one row each: what it is, and which law may notice it first.
//!
//! They are put in at the seams, where the harness stands for disk, workers, network and the words
//! between loops, so that no build of the server has any of them. Law: each is caught, by one of
//! its laws, within the seeds that its test allows.

use crate::faults::{Fault, Rates};
use crate::law::Law;

macro_rules! planted {
    ($($(#[doc = $what:literal])+ $name:ident: $($law:ident)|+;)*) => {
        /// A bug put in on purpose, to see that the laws notice.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Planted { $($(#[doc = $what])+ $name,)* }

        /// Each bug, what it is, and the laws that may notice it first: a run ends with the first
        /// broken one.
        pub(crate) const PLANTED: &[(Planted, &str, &[Law])] =
            &[$((Planted::$name, concat!($($what)*), &[$(Law::$law),+]),)*];
    };
}

planted! {
    /// Commits are acknowledged and never reach the disk.
    SyncLost: I1 | I4;
    /// Commits are acknowledged a while before they reach the disk.
    AckBeforeSync: I1 | I4;
    /// After a failed fsync commits go on as if nothing had been.
    WritesOn: I1 | I4;
    /// A retry is stored again.
    NoDeduplication: I3;
    /// A retry of a publication is stored again.
    PublishedTwice: I3;
    /// What is read of a channel on the disk begins one too late.
    ReadTooLate: I5 | I8;
    /// Now and then what was missed in a channel in memory comes without its beginning.
    MissedCut: I5;
    /// The cursor of a device is stored two too far.
    CursorAhead: Inbox;
    /// Now and then an event of an inbox is lost between loops.
    InboxLost: Inbox;
    /// Now and then a change of an execution is lost between loops.
    ChangeLost: Executions;
    /// Now and then a worker is called twice.
    CalledTwice: Calls;
    /// Now and then somebody gets the answer to a call of before.
    AnswersMixed: Calls;
    /// An answer for one user is given to all.
    AnswerForAll: Calls;
    /// The writer takes a batch in the wrong order.
    BatchReversed: I7;
    /// Now and then a delivery is lost between loops.
    DeliveryLost: I5;
    /// Now and then a delivery comes twice.
    DeliveryRepeated: I5;
    /// Now and then a change of who is there is lost between loops.
    PresenceLost: I11;
    /// Words between loops overtake each other.
    WordsOvertake: I5;
    /// Who caused an event gets it.
    CauserTold: I5;
    /// Who was removed goes on listening.
    RemovalSkipped: I10;
    /// Now and then a reply is lost on its way.
    ReplyLost: Replies;
    /// Now and then a client of Protobuf is told another time than the others.
    Mistranslated: I3;
    /// Pages are read from an old snapshot.
    StaleReads: I8 | I9;
    /// Now and then the end of a write is never told.
    EndForgotten: Heals | HalfClose;
    /// A driver does not read on when it is told to.
    NoResume: Heals | Replies | Closes;
    /// Once no descriptor was left, nobody is accepted any more.
    NoRearm: Heals;
}

impl Planted {
    /// Whether only a run with the hub can have it.
    pub(crate) const fn is_of_hub(self) -> bool {
        matches!(
            self,
            Self::PublishedTwice
                | Self::ReadTooLate
                | Self::MissedCut
                | Self::CursorAhead
                | Self::InboxLost
                | Self::ChangeLost
                | Self::CalledTwice
                | Self::AnswersMixed
                | Self::AnswerForAll
        )
    }

    /// Lets what the bug needs happen more often.
    pub(crate) fn provoke(self, rates: &mut Rates) {
        match self {
            Self::SyncLost | Self::AckBeforeSync => rates.set(Fault::Crash, 12),
            Self::WritesOn => rates.set(Fault::DiskError, 12),
            Self::NoDeduplication | Self::PublishedTwice => rates.set(Fault::Reset, 8),
            Self::NoRearm => rates.set(Fault::Descriptors, 100),
            Self::NoResume => rates.set(Fault::SlowReader, 30),
            _ => {}
        }
    }
}
