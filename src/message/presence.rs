//! Who is there, as it is told: statuses, lists and changes (SPEC §4, Presence).

use std::sync::Arc;

use serde::Serialize;

use crate::base::id::UserId;

/// What a user says of themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Here: what everybody is who says nothing.
    #[default]
    Online,
    /// Not at the keyboard.
    Away,
    /// Not to be disturbed.
    Busy,
    /// Told to nobody, anywhere.
    Invisible,
}

impl Status {
    /// All of them with their words.
    pub const WORDS: [(Self, &'static str); 4] = [
        (Self::Online, "online"),
        (Self::Away, "away"),
        (Self::Busy, "busy"),
        (Self::Invisible, "invisible"),
    ];

    /// The status of a word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(_, known)| *known == word).map(|(status, _)| *status)
    }
}

/// A status with the user's own words for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// The status.
    pub status: Status,
    /// The words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<Arc<str>>,
}

impl Standing {
    /// Whether others see a user who stands so.
    #[must_use]
    pub fn is_seen(&self) -> bool {
        self.status != Status::Invisible
    }
}

/// A user in a list of those who are there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Present {
    /// Who.
    pub user_id: UserId,
    /// The user's name.
    pub username: Arc<str>,
    /// How the user stands.
    #[serde(flatten)]
    pub standing: Standing,
    /// By how many connections the user is there.
    pub connections: u32,
}

/// Who is in a channel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct WhoIsThere {
    /// How many users.
    pub count: u32,
    /// Who they are, where that is told.
    pub users: Vec<Present>,
}

/// What became of a user in a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// Not there before.
    Join,
    /// Not there any more.
    Leave,
    /// There, with another status.
    Update,
}

/// The payload of the event where users are told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Changed {
    /// Who.
    pub user_id: UserId,
    /// The user's name.
    pub username: Arc<str>,
    /// How the user stands, or stood.
    #[serde(flatten)]
    pub standing: Standing,
    /// What became of the user.
    pub change: Change,
}

/// The payload of the event where only the number is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Counted {
    /// How many users.
    pub count: u32,
}
