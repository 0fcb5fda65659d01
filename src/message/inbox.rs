//! What is kept for one user: notifications, and the events of the inbox `user:{id}`.
//!
//! The `Serialize` of a record is the shape of SPEC §4, field by field and in that order.

use std::sync::Arc;

use serde::Serialize;

use super::record::{Raw, UserCard};
use crate::base::id::{Id, UserId};
use crate::base::time::Timestamp;

/// How urgent a notification is: a closed set of words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Worth knowing.
    Info,
    /// Something went well.
    Success,
    /// Something wants attention.
    Warning,
    /// Something went wrong.
    Error,
}

impl Level {
    /// All levels.
    pub const ALL: [Self; 4] = [Self::Info, Self::Success, Self::Warning, Self::Error];

    /// The word on the wire.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Success => "success",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }

    /// The level of a word; words are compared exactly.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.word() == word)
    }
}

/// A notification of one user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Notification {
    /// Its id.
    pub id: Id,
    /// Whose it is.
    pub user_id: UserId,
    /// How urgent it is.
    #[serde(rename = "type")]
    pub level: Level,
    /// In a few words.
    pub title: Arc<str>,
    /// In more.
    pub message: Arc<str>,
    /// Whether the user has read it.
    pub read: bool,
    /// When it was committed.
    pub created_at: Timestamp,
    /// What the client may offer to do: `{type,payload}`.
    pub action: Option<Raw>,
}

/// Which notifications a `notification:read` means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marked {
    /// One.
    One(Id),
    /// All there were.
    All,
}

impl Serialize for Marked {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap as _;
        let mut map = serializer.serialize_map(Some(1))?;
        match self {
            Self::One(id) => map.serialize_entry("notification_id", id)?,
            Self::All => map.serialize_entry("all", &true)?,
        }
        map.end()
    }
}

/// The `type` of the event of a new notification.
pub const NOTIFICATION: &str = "notification";
/// The `type` of the event of notifications that were read.
pub const NOTIFICATION_READ: &str = "notification:read";

/// An event of an inbox, as it is kept and told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboxEvent {
    /// 1, 2, 3… in the inbox of its user, without holes.
    pub offset: u64,
    /// When it was committed.
    pub at: Timestamp,
    /// Who caused it.
    pub sender: UserCard,
    /// Its `type`.
    pub word: Arc<str>,
    /// What it tells.
    pub payload: Raw,
    /// Whether a full queue must not cost it.
    pub critical: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_a_closed_set() {
        for level in Level::ALL {
            assert_eq!(Level::parse(level.word()), Some(level));
            assert_eq!(serde_json::json!(level), level.word());
        }
        for wrong in ["", "Info", "critical"] {
            assert_eq!(Level::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_notification_has_the_fields_of_the_specification() {
        let notification = Notification {
            id: Id(1),
            user_id: UserId("ana".into()),
            level: Level::Warning,
            title: "t".into(),
            message: "m".into(),
            read: false,
            created_at: Timestamp(0),
            action: Raw::new(r#"{"type":"open","payload":{"x":1}}"#),
        };
        assert_eq!(
            serde_json::to_string(&notification).unwrap(),
            concat!(
                r#"{"id":"00000000-0000-0000-0000-000000000001","user_id":"ana","type":"warning","#,
                r#""title":"t","message":"m","read":false,"created_at":"1970-01-01T00:00:00.000Z","#,
                r#""action":{"type":"open","payload":{"x":1}}}"#
            )
        );
        let marked = |marked: Marked| serde_json::to_string(&marked).unwrap();
        assert_eq!(marked(Marked::All), r#"{"all":true}"#);
        assert!(marked(Marked::One(Id(1))).starts_with(r#"{"notification_id":"00000000-"#));
    }
}
