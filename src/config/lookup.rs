//! Finding a key by its name, or by what was typed instead, and printing them all.

use std::fmt::Write as _;

use super::keys::{KEYS, Key};
use super::namespaces;
use crate::codec::json::nearest;

pub(super) fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// The key that was meant, if one is near; the section may be missing or wrong.
pub(super) fn near(name: &str) -> Option<String> {
    if let Some((section, rest)) = name.split_once('.')
        && nearest(section, sections().into_iter()) == Some(namespaces::SECTION)
    {
        return Some(format!("{}.{rest}", namespaces::SECTION));
    }
    fixed(name).map(str::to_owned)
}

fn fixed(name: &str) -> Option<&'static str> {
    let last = |name: &'static str| name.split_once('.').map_or(name, |(_, last)| last);
    let written = name.rsplit('.').next().unwrap_or(name);
    let names = || KEYS.iter().map(|key| key.name);
    nearest(name, names()).or_else(|| {
        let meant = nearest(written, names().map(last))?;
        names().find(|name| last(name) == meant)
    })
}

/// The sections, each once.
pub(super) fn sections() -> Vec<&'static str> {
    let mut sections: Vec<_> =
        KEYS.iter().filter_map(|key| Some(key.name.split_once('.')?.0)).collect();
    sections.dedup();
    sections.push(namespaces::SECTION);
    sections
}

/// The keys of a section, without it.
pub(super) fn of_section(section: &str) -> Vec<&'static str> {
    KEYS.iter()
        .filter_map(|key| key.name.split_once('.').filter(|(of, _)| *of == section))
        .map(|(_, name)| name)
        .collect()
}

/// All keys as a table in Markdown.
#[must_use]
pub fn reference() -> String {
    let mut text = String::from("| key | default | what it does |\n|---|---|---|\n");
    for key in KEYS {
        let default = match key.default() {
            none if none.is_empty() => String::new(),
            some => format!("`{some}`"),
        };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "| `{}` | {default} | {} |", key.name, key.about);
    }
    for key in namespaces::KEYS {
        let name = format!("{}.NAME.{}", namespaces::SECTION, key.name);
        let _ = writeln!(text, "| `{name}` | `{}` | {} |", key.default, key.about);
    }
    text
}
