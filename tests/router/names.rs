//! Names for what no scene can know: ids, tokens and times.
//!
//! An id becomes `#1`, `#2`… in the order in which they appear, a token `TOKEN1`, a refresh token
//! `REFRESH1`, the numbering of a channel in memory `EPOCH1`, a time `@MS` since the scene began.

/// What each name stands for.
#[derive(Default)]
pub(crate) struct Names {
    /// Name and text, in the order of their appearance.
    known: Vec<(String, String)>,
    counts: [usize; 4],
}

const KINDS: [&str; 4] = ["#", "TOKEN", "REFRESH", "EPOCH"];

impl Names {
    /// A name for a text of one of the kinds.
    pub(crate) fn name(&mut self, kind: usize, text: &str) -> String {
        if let Some((name, _)) = self.known.iter().find(|(_, known)| known == text) {
            return name.clone();
        }
        self.counts[kind] += 1;
        let name = format!("{}{}", KINDS[kind], self.counts[kind]);
        self.known.push((name.clone(), text.to_owned()));
        name
    }

    /// What is shown of a text of the server.
    pub(crate) fn hide(&mut self, text: &str) -> String {
        let mut shown = String::new();
        let mut rest = text;
        while !rest.is_empty() {
            let epoch = if shown.ends_with(r#""epoch":""#) { rest.get(..16) } else { None };
            let epoch = epoch.filter(|epoch| epoch.bytes().all(|b| b.is_ascii_hexdigit()));
            let special = match epoch {
                Some(epoch) => Some((self.name(3, epoch), 16)),
                None => self.special(rest),
            };
            let (name, len) = special.unwrap_or_else(|| {
                let c = rest.chars().next().unwrap_or_default();
                (c.to_string(), c.len_utf8())
            });
            shown.push_str(&name);
            rest = &rest[len..];
        }
        shown.replace(concat!("stentor/", env!("CARGO_PKG_VERSION")), "stentor/VERSION")
    }

    /// A name for what `text` begins with, and how long that is.
    fn special(&mut self, text: &str) -> Option<(String, usize)> {
        if let Some(id) = text.get(..36).filter(|id| is_id(id)) {
            let secret = word(text[36..].strip_prefix('.').unwrap_or_default());
            if secret == 43 {
                return Some((self.name(2, &text[..80]), 80));
            }
            return Some((self.name(0, id), 36));
        }
        if text.starts_with("eyJ") && text.len() > 100 {
            let len = text.find('"').unwrap_or(text.len());
            return Some((self.name(1, &text[..len]), len));
        }
        let ms = text.get(..24).and_then(since_start)?;
        Some((format!("@{ms}"), 24))
    }

    /// What is meant by a text of a scene.
    pub(crate) fn meant(&self, text: &str) -> String {
        let mut meant = text.to_owned();
        // The longest numbers first, so that `#12` is not `#1` and a 2.
        let mut known: Vec<_> = self.known.iter().collect();
        known.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        for (name, text) in known {
            meant = meant.replace(name, text);
        }
        meant
    }
}

fn is_id(text: &str) -> bool {
    let fits = |(at, b): (usize, u8)| match at {
        8 | 13 | 18 | 23 => b == b'-',
        _ => b.is_ascii_hexdigit() && !b.is_ascii_uppercase(),
    };
    text.bytes().enumerate().all(fits)
}

/// How many characters of a secret `text` begins with.
fn word(text: &str) -> usize {
    text.bytes().take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')).count()
}

/// Scenes begin at eight on the 15th of a January and end within it.
fn since_start(text: &str) -> Option<i64> {
    let rest = text.strip_prefix("2027-01-")?.strip_suffix('Z')?;
    let number = |range: std::ops::Range<usize>| rest.get(range)?.parse::<i64>().ok();
    let (day, hour, minute) = (number(0..2)?, number(3..5)?, number(6..8)?);
    let minutes = ((day - 15) * 24 + hour - 8) * 60 + minute;
    Some((minutes * 60 + number(9..11)?) * 1000 + number(12..15)?)
}
