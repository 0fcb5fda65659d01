//! `stentor.toml`: sections of keys (TOML 1.0).
//!
//! Law: every complaint names the file, the line and the column, and shows the place. Limit: a key
//! is of a section; only `namespaces` has sections of its own.
#![expect(clippy::disallowed_methods, reason = "the configuration is a file")]

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::namespaces::SECTION;
use super::{Config, Error, Given};

/// The name of the file that is read when it is there.
pub const NAME: &str = "stentor.toml";

/// Why a file is refused.
#[derive(Debug)]
pub enum FileError {
    /// It cannot be read.
    Io(PathBuf, std::io::Error),
    /// Something in it is wrong: the whole complaint, with the place.
    Wrong(String),
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Wrong(complaint) => f.write_str(complaint),
        }
    }
}

impl std::error::Error for FileError {}

impl Config {
    /// Takes the values of a file.
    ///
    /// # Errors
    /// It cannot be read, is no TOML, or holds a key or value that does not fit.
    pub fn read_file(&mut self, path: &Path) -> Result<(), FileError> {
        let text =
            std::fs::read_to_string(path).map_err(|error| FileError::Io(path.to_owned(), error))?;
        self.read_text(path, &text)
    }

    /// Takes the values of a text, which is called `path` in complaints.
    ///
    /// # Errors
    /// As [`read_file`](Self::read_file).
    pub fn read_text(&mut self, path: &Path, text: &str) -> Result<(), FileError> {
        let wrong =
            |place: Range<usize>, what: &str| FileError::Wrong(complaint(path, text, place, what));
        let document = DeTable::parse(text)
            .map_err(|error| wrong(error.span().unwrap_or_default(), error.message().trim_end()))?;
        for (section, values) in document.get_ref() {
            let DeValue::Table(values) = values.get_ref() else {
                let error = unknown(section.get_ref());
                return Err(wrong(section.span(), &error.to_string()));
            };
            if section.get_ref() == SECTION {
                for (name, values) in values {
                    let key = format!("{SECTION}.{}", name.get_ref());
                    let DeValue::Table(values) = values.get_ref() else {
                        return Err(wrong(
                            name.span(),
                            &format!("a namespace is a section: [{key}]"),
                        ));
                    };
                    self.read_section(&key, values).map_err(|(place, what)| wrong(place, &what))?;
                }
                continue;
            }
            if super::lookup::of_section(section.get_ref()).is_empty() {
                return Err(wrong(section.span(), &unknown_section(section.get_ref())));
            }
            let read = self.read_section(section.get_ref(), values);
            read.map_err(|(place, what)| wrong(place, &what))?;
        }
        Ok(())
    }

    /// Takes the keys of a section; the place and the reason of what is wrong.
    fn read_section(
        &mut self,
        section: &str,
        values: &DeTable<'_>,
    ) -> Result<(), (Range<usize>, String)> {
        for (name, value) in values {
            let key = format!("{section}.{}", name.get_ref());
            self.give(&key, &given(value)).map_err(|error| {
                let unknown = matches!(error, Error::UnknownKey { .. });
                let place = if unknown { name.span() } else { value.span() };
                (place, error.to_string())
            })?;
        }
        Ok(())
    }
}

fn unknown(key: &str) -> Error {
    Error::UnknownKey { key: key.to_owned(), near: super::lookup::near(key) }
}

fn unknown_section(section: &str) -> String {
    let sections = super::lookup::sections();
    let near = crate::codec::json::nearest(section, sections.iter().copied());
    let meant = near.map(|near| format!("; did you mean [{near}]?")).unwrap_or_default();
    format!("unknown section [{section}]{meant}\n  known sections: {}", sections.join(", "))
}

/// The value as the table of keys takes it; what no key takes is told as it is called in TOML.
fn given(value: &Spanned<DeValue<'_>>) -> Given {
    match value.get_ref() {
        DeValue::Integer(number) => {
            let parsed = u64::from_str_radix(number.as_str(), number.radix());
            Given::One(parsed.map_or_else(|_| number.to_string(), |number| number.to_string()))
        }
        DeValue::String(text) => Given::One(text.to_string()),
        DeValue::Boolean(word) => Given::One(word.to_string()),
        DeValue::Array(elements) => Given::Many(
            elements
                .iter()
                .map(|element| match element.get_ref() {
                    DeValue::String(text) => text.to_string(),
                    other => format!("a {}", other.type_str()),
                })
                .collect(),
        ),
        other => Given::One(format!("a {}", other.type_str())),
    }
}

/// `FILE:LINE:COLUMN: what`, the line, a mark below the place, and what else there is to say.
fn complaint(path: &Path, text: &str, place: Range<usize>, what: &str) -> String {
    let start = text.floor_char_boundary(place.start);
    let before = text.get(..start).unwrap_or_default();
    let number = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count();
    let line = text.lines().nth(number - 1).unwrap_or_default();
    let length = text.get(start..place.end).map_or(1, |marked| marked.chars().count());
    let room = line.chars().count().saturating_sub(column).max(1);
    let mark = "^".repeat(length.clamp(1, room));
    let (what, more) = what
        .split_once('\n')
        .map_or((what, String::new()), |(what, more)| (what, format!("\n{more}")));
    let margin = " ".repeat(number.to_string().len());
    let indent: String =
        line.chars().take(column).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
    format!(
        "{}:{number}:{}: {what}\n  {number} | {line}\n  {margin} | {indent}{mark}{more}",
        path.display(),
        column + 1,
    )
}
