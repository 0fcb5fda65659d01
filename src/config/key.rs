//! What a key is: its name, where its value lives, its bounds, what it does.

use std::path::PathBuf;
use std::time::Duration;

use super::{Config, PREFIX};
use crate::engine::DeflateMode;

/// One key.
#[derive(Debug)]
pub struct Key {
    /// `section.name`, the unit last.
    pub name: &'static str,
    /// What it does and what happens when it is reached.
    pub about: &'static str,
    pub(super) least: u64,
    pub(super) most: u64,
    pub(super) place: Place,
}

/// Where a value lives, by its type.
#[derive(Debug)]
pub(super) enum Place {
    Bytes(fn(&mut Config) -> &mut usize),
    Count(fn(&mut Config) -> &mut u32),
    /// A count that `none` lifts.
    Limit(fn(&mut Config) -> &mut Option<u32>),
    /// In the unit of the name.
    Time(fn(&mut Config) -> &mut u64),
    /// Unset, it depends on where the peer is.
    Deadline(fn(&mut Config) -> &mut Option<u64>),
    /// In milliseconds.
    Span(fn(&mut Config) -> &mut Duration),
    Mode(fn(&mut Config) -> &mut DeflateMode),
    Texts(fn(&mut Config) -> &mut Vec<String>),
    File(fn(&mut Config) -> &mut Option<PathBuf>),
    /// `true` or `false`.
    Flag(fn(&mut Config) -> &mut bool),
    /// One of these words.
    Word(&'static [&'static str], fn(&mut Config) -> &mut &'static str),
}

pub(super) const fn key(
    name: &'static str,
    place: Place,
    (least, most): (u64, u64),
    about: &'static str,
) -> Key {
    Key { name, about, least, most, place }
}

impl Key {
    /// The variable of the environment that sets it.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("{PREFIX}{}", self.name.replace('.', "_").to_ascii_uppercase())
    }

    /// What the variables of its section begin with.
    pub(super) fn section_variable(&self) -> String {
        let section = self.name.split_once('.').map_or(self.name, |(section, _)| section);
        format!("{PREFIX}{}_", section.to_ascii_uppercase())
    }

    /// What it is when nobody sets it, as it would be written.
    #[must_use]
    pub fn default(&self) -> String {
        self.value(&mut Config::default())
    }
}
