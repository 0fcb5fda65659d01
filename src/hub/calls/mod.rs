//! Calls between users and backends (SPEC §4 "Calls"): plain tables, which send and encode nothing.
//!
//! An [`Action`] has one home loop, which owns its workers, its breaker and its answers kept for
//! repeats. `workers.rs`, `breaker.rs`, `responses.rs` and `joined.rs` are of the home; `serving.rs` is of the
//! loop on which a worker's connection is.

pub mod breaker;
pub mod joined;
pub mod responses;
pub mod serving;
pub mod workers;

use std::fmt;
use std::sync::Arc;

use crate::metrics::{Label, labels};

labels! {
    /// The three verbs that call a backend.
    pub enum CallKind: "kind" {
        /// Something was done in a user interface.
        UiAction = "ui_action",
        /// Data is wanted.
        DataRequest = "data_request",
        /// Something is to be done.
        Command = "command",
    }
}

impl CallKind {
    const ALL: [Self; 3] = [Self::UiAction, Self::DataRequest, Self::Command];

    /// The verb that makes such calls.
    #[must_use]
    pub fn word(self) -> &'static str {
        Self::SETS[0].values[self.index()]
    }
}

/// The longest name of an action in bytes.
const NAME_BYTES_MAX: usize = 128;

/// What a backend can be called for: `ui_action:button_click`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Action {
    /// By which verb.
    pub kind: CallKind,
    /// Its name there.
    pub name: Arc<str>,
}

impl Action {
    /// An action by its verb and name; `None` when the name is not of 1–128 visible ASCII
    /// characters: it stands in logs and keys, and people have to tell one from another.
    #[must_use]
    pub fn new(kind: CallKind, name: &str) -> Option<Self> {
        let fits = (1..=NAME_BYTES_MAX).contains(&name.len());
        (fits && name.bytes().all(|b| b.is_ascii_graphic()))
            .then(|| Self { kind, name: name.into() })
    }

    /// Takes `KIND:NAME`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, name) = text.split_once(':')?;
        let kind = CallKind::ALL.into_iter().find(|known| known.word() == kind)?;
        Self::new(kind, name)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind.word(), self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_are_read_as_they_are_written() {
        for text in ["ui_action:button_click", "data_request:/users?all:1", "command:x"] {
            assert_eq!(Action::parse(text).expect(text).to_string(), text);
        }
        let long = format!("command:{}", "x".repeat(129));
        for wrong in ["", "command", "command:", "commands:x", "command:a b", "command:é", &long] {
            assert_eq!(Action::parse(wrong), None, "{wrong}");
        }
    }
}
