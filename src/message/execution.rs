//! Executions: work of a team that somebody watches, and how far it is (SPEC §4).
//!
//! ```text
//! queued ──▶ running ──▶ completed
//!                  └───▶ failed
//! ```
//! Law: a finished one never changes, progress never goes back, and a step is never passed over.

use std::sync::Arc;

use serde::Serialize;

use super::record::Raw;
use crate::base::time::Timestamp;

/// How far an execution is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It waits.
    Queued,
    /// It is being worked on.
    Running,
    /// It is done.
    Completed,
    /// It came to nothing.
    Failed,
}

impl Status {
    /// All, in the order in which they are kept.
    pub const ALL: [Self; 4] = [Self::Queued, Self::Running, Self::Completed, Self::Failed];

    /// The word on the wire.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
        }
    }

    /// The status of a word; words are compared exactly.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.word() == word)
    }

    /// Whether nothing changes any more.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed)
    }

    /// Whether an execution may go on as `next`: as it is, or one step further.
    #[must_use]
    pub const fn may_become(self, next: Self) -> bool {
        match self {
            Self::Queued => matches!(next, Self::Queued | Self::Running),
            Self::Running => !matches!(next, Self::Queued),
            Self::Completed | Self::Failed => false,
        }
    }
}

/// An execution as it is stored and told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Execution {
    /// Its id, chosen by the service.
    pub execution_id: Arc<str>,
    /// Whose members may see it.
    pub team_id: Arc<str>,
    /// How far it is.
    pub status: Status,
    /// The same in percent.
    pub progress: u8,
    /// What is being done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current_step: Option<Arc<str>>,
    /// What came of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<Raw>,
    /// Why nothing came of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Arc<str>>,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// The `type` of the event of a change.
pub const EXECUTION_UPDATE: &str = "execution_update";

/// The longest id of an execution or a team, in bytes.
pub const ID_BYTES_MAX: usize = 64;

/// Whether `id` may name an execution or a team: it is a part of the name of a channel.
#[must_use]
pub fn is_id(id: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b':' | b'-');
    (1..=ID_BYTES_MAX).contains(&id.len()) && id.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_from_every_status() {
        use Status::{Completed, Failed, Queued, Running};
        let allowed = [
            (Queued, Queued),
            (Queued, Running),
            (Running, Running),
            (Running, Completed),
            (Running, Failed),
        ];
        for from in Status::ALL {
            assert_eq!(Status::parse(from.word()), Some(from));
            for to in Status::ALL {
                assert_eq!(from.may_become(to), allowed.contains(&(from, to)), "{from:?} {to:?}");
                assert!(!(from.is_final() && from.may_become(to)));
            }
        }
        assert_eq!(Status::parse("done"), None);
    }

    #[test]
    fn ids_fit_into_names_of_channels() {
        for good in ["a", "run:7.b_C-", &"x".repeat(64)] {
            assert!(is_id(good), "{good}");
        }
        for wrong in ["", "a b", "é", "a/b", &"x".repeat(65)] {
            assert!(!is_id(wrong), "{wrong}");
        }
    }
}
