//! What can be written as the value of a key, and what it becomes; nothing outside its bounds does.

use std::path::PathBuf;
use std::time::Duration;

use super::keys::Key;
use super::keys::Place::{
    Bytes, Count, Deadline, File, Flag, Limit, Mode, Span, Texts, Time, Word,
};
use super::{Config, Error, Given};
use crate::engine::DeflateMode;

impl Key {
    /// What it is in `config`, as it would be written. Nothing is changed.
    pub(super) fn value(&self, config: &mut Config) -> String {
        let none = || String::from("none");
        match self.place {
            Bytes(place) => place(config).to_string(),
            Count(place) => place(config).to_string(),
            Limit(place) => place(config).map_or_else(none, |limit| limit.to_string()),
            Time(place) => place(config).to_string(),
            Deadline(place) => place(config).map_or_else(String::new, |time| time.to_string()),
            Span(place) => place(config).as_millis().to_string(),
            Mode(place) => place(config).word().to_owned(),
            Texts(place) => place(config).join(","),
            File(place) => {
                place(config).as_ref().map_or_else(String::new, |path| path.display().to_string())
            }
            Flag(place) => place(config).to_string(),
            Word(_, place) => (*place(config)).to_owned(),
        }
    }

    /// What can be written, in words.
    fn needed(&self) -> String {
        let (least, most) = (self.least, self.most);
        match self.place {
            Texts(_) => "a list of texts".to_owned(),
            File(_) => "the path of a file".to_owned(),
            Flag(_) => "`true` or `false`".to_owned(),
            Word(words, _) => format!("`{}`", words.join("` or `")),
            Mode(_) => format!("one of {}", DeflateMode::ALL.map(DeflateMode::word).join(", ")),
            Limit(_) => format!("a whole number from {least} to {most}, or `none`,"),
            _ => format!("a whole number from {least} to {most}"),
        }
    }

    pub(super) fn assign(&self, config: &mut Config, given: &Given) -> Result<(), Error> {
        let refuse = |value: &str| Error::BadValue {
            key: self.name.to_owned(),
            value: value.to_owned(),
            needed: self.needed(),
        };
        if let Texts(place) = self.place {
            *place(config) = match given {
                Given::Many(texts) => texts.clone(),
                Given::One(text) => split(text),
            };
            return Ok(());
        }
        let text = match given {
            Given::One(text) => text.trim(),
            Given::Many(texts) => return Err(refuse(&format!("[{}]", texts.join(", ")))),
        };
        if let Limit(place) = self.place
            && text == "none"
        {
            *place(config) = None;
            return Ok(());
        }
        match self.place {
            File(place) if !text.is_empty() => {
                *place(config) = Some(PathBuf::from(text));
                return Ok(());
            }
            Flag(place) => {
                *place(config) = text.parse().map_err(|_| refuse(text))?;
                return Ok(());
            }
            Word(words, place) => {
                let word = words.iter().find(|word| **word == text);
                *place(config) = word.ok_or_else(|| refuse(text))?;
                return Ok(());
            }
            Mode(place) => {
                let mode = DeflateMode::ALL.into_iter().find(|mode| mode.word() == text);
                *place(config) = mode.ok_or_else(|| refuse(text))?;
                return Ok(());
            }
            _ => {}
        }
        let number = self.number(text).ok_or_else(|| refuse(text))?;
        // The bounds of a row fit the type of its place; a test holds that.
        let (wide, narrow) = (usize::try_from(number), u32::try_from(number));
        match self.place {
            Bytes(place) => *place(config) = wide.map_err(|_| refuse(text))?,
            Count(place) => *place(config) = narrow.map_err(|_| refuse(text))?,
            Limit(place) => *place(config) = Some(narrow.map_err(|_| refuse(text))?),
            Time(place) => *place(config) = number,
            Deadline(place) => *place(config) = Some(number),
            Span(place) => *place(config) = Duration::from_millis(number),
            Texts(_) | File(_) | Flag(_) | Word(..) | Mode(_) => {}
        }
        Ok(())
    }

    /// Digits, with `_` between them if that reads better, within the bounds.
    fn number(&self, text: &str) -> Option<u64> {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
        if !digits || text.starts_with('_') || text.ends_with('_') {
            return None;
        }
        let number = text.replace('_', "").parse().ok()?;
        (self.least..=self.most).contains(&number).then_some(number)
    }
}

fn split(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned).collect()
}
