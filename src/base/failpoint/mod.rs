//! Places where a test lets the process die, and bugs that a test plants to see itself find them.
//!
//! Law: without the feature `failpoints`, which no build for users has, both are nothing at all:
//! [`absent`](self) holds two empty functions. With it, `armed.rs` asks the environment once.

#[cfg(not(feature = "failpoints"))]
mod absent;
#[cfg(feature = "failpoints")]
mod armed;

#[cfg(not(feature = "failpoints"))]
use absent as chosen;
#[cfg(feature = "failpoints")]
use armed as chosen;

pub(crate) use chosen::hit;
#[cfg(feature = "sqlite")]
pub(crate) use chosen::planted;

/// Where the process may die (`STENTOR_FAILPOINT=NAME:COUNT`: the COUNT-th time it comes there).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Point {
    /// A batch is about to begin its transaction.
    #[cfg(feature = "sqlite")]
    BeforeBegin,
    /// A message is in its tables, the transaction is open.
    #[cfg(feature = "sqlite")]
    AfterInsert,
    /// A batch is committed, nobody was told.
    #[cfg(feature = "sqlite")]
    AfterCommit,
    /// One connection was written to, others were not: an ack is out and its event is not, or the
    /// other way round.
    #[cfg(feature = "net")]
    AfterFlush,
    /// Before a checkpoint, and once more after it.
    #[cfg(feature = "sqlite")]
    Checkpoint,
    /// After each step of a migration.
    #[cfg(feature = "sqlite")]
    Migration,
}

/// What a test plants (`STENTOR_PLANT=NAME`).
#[cfg(feature = "sqlite")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plant {
    /// `synchronous=NORMAL`: a commit waits for no fsync.
    SynchronousNormal,
    /// A batch is committed when the next one begins, and acknowledged before.
    AckBeforeCommit,
    /// The `client_id` of a message is not stored.
    NoDedupKey,
    /// The `client_id` of a publication is not stored.
    NoPublicationKey,
    /// `event_ack` moves the cursor of an inbox to its end, wherever it says.
    AckOfEverything,
    /// The last step of an execution is told, and not stored.
    EndNotStored,
}
