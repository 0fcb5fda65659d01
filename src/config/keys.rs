//! The table of keys: name, where its value lives, bounds, what it does. File, environment, `--set`
//! and the printed reference all come from here.

use std::fmt::Write as _;
use std::time::Duration;

use super::{Config, Error, Given, PREFIX};
use crate::codec::json::nearest;
use crate::engine::DeflateMode;

/// One key.
#[derive(Debug)]
pub struct Key {
    /// `section.name`, the unit last.
    pub name: &'static str,
    /// What it does and what happens when it is reached.
    pub about: &'static str,
    least: u64,
    most: u64,
    place: Place,
}

/// Where a value lives, by its type.
#[derive(Debug)]
enum Place {
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
}

use Place::{Bytes, Count, Deadline, Limit, Mode, Span, Texts, Time};

const DAY_MS: u64 = 86_400_000;
const YEAR_S: u64 = 31_536_000;
const GIB: u64 = 1 << 30;
const MILLION: u64 = 1_000_000;

const fn key(
    name: &'static str,
    place: Place,
    (least, most): (u64, u64),
    about: &'static str,
) -> Key {
    Key { name, about, least, most, place }
}

/// Every key, by section, in the order of the reference.
pub const KEYS: &[Key] = &[
    key(
        "limits.message_bytes",
        Bytes(|c| &mut c.router.message_bytes),
        (256, GIB / 4),
        "longest message; more: `too_large`, close 1009",
    ),
    key(
        "limits.unauthenticated_message_bytes",
        Bytes(|c| &mut c.router.unauthenticated_message_bytes),
        (256, GIB / 4),
        "the same before authentication",
    ),
    key(
        "limits.unauthenticated_requests",
        Limit(|c| &mut c.router.unauthenticated_requests),
        (1, MILLION),
        "requests before authentication, `ping help heartbeat` not counted; more: close 4104",
    ),
    key(
        "limits.sniff_timeout_ms",
        Deadline(|c| &mut c.engine.sniff_timeout_ms),
        (1, DAY_MS),
        "until the first bytes: 5 s, on loopback 300 s; then closed",
    ),
    key(
        "limits.auth_timeout_ms",
        Deadline(|c| &mut c.router.auth_timeout_ms),
        (1, DAY_MS),
        "until authentication: 10 s, on loopback 300 s; then close 4103",
    ),
    key(
        "limits.http_head_timeout_ms",
        Time(|c| &mut c.engine.http_head_timeout_ms),
        (1, DAY_MS),
        "for the head of an HTTP request and its body; then 408",
    ),
    key(
        "limits.heartbeat_ms",
        Time(|c| &mut c.router.heartbeat_ms),
        (1, DAY_MS),
        "silence before a ping; less than dead_ms",
    ),
    key(
        "limits.dead_ms",
        Time(|c| &mut c.engine.dead_ms),
        (2, DAY_MS),
        "silence after which a peer is dead; close 4102",
    ),
    key(
        "limits.messages_per_minute",
        Limit(|c| &mut c.guard.messages_per_minute),
        (1, 60 * MILLION),
        "chat messages of a user; more: `rate_limited`",
    ),
    key(
        "limits.requests_per_second",
        Limit(|c| &mut c.guard.requests_per_second),
        (1, MILLION),
        "other requests of a user, on average; more: `rate_limited`",
    ),
    key(
        "limits.requests_burst",
        Count(|c| &mut c.guard.requests_burst),
        (1, MILLION),
        "how many of them may come at once",
    ),
    key(
        "limits.ephemeral_per_second",
        Limit(|c| &mut c.guard.ephemeral_per_second),
        (1, MILLION),
        "`typing` of a user; more: `rate_limited`",
    ),
    key(
        "limits.connects_per_second_per_ip",
        Limit(|c| &mut c.guard.connects_per_second_per_ip),
        (1, MILLION),
        "new connections of an address, on average, loopback exempt; more: refused",
    ),
    key(
        "limits.connects_burst_per_ip",
        Count(|c| &mut c.guard.connects_burst_per_ip),
        (1, MILLION),
        "how many of them may come at once",
    ),
    key(
        "limits.connections",
        Limit(|c| &mut c.guard.connections),
        (1, 100 * MILLION),
        "open connections, never more than descriptors allow; more: refused, 4100",
    ),
    key(
        "limits.connections_per_user",
        Limit(|c| &mut c.guard.connections_per_user),
        (1, MILLION),
        "open connections of a user; more: close 4003",
    ),
    key(
        "limits.connections_per_ip",
        Limit(|c| &mut c.guard.connections_per_ip),
        (1, MILLION),
        "open connections of an address, loopback exempt; more: refused, 4100",
    ),
    key(
        "limits.channels_per_connection",
        Limit(|c| &mut c.router.channels_per_connection),
        (1, MILLION),
        "subscriptions beside the chats; more: `conflict`",
    ),
    key(
        "limits.parts_per_message",
        Count(|c| &mut c.engine.parts_per_message),
        (1, MILLION),
        "frames of a message; more: close 1008",
    ),
    key(
        "limits.history_page",
        Count(|c| &mut c.router.history_page),
        (1, 10_000),
        "elements of a page, whatever was asked",
    ),
    key(
        "limits.logins_per_minute",
        Limit(|c| &mut c.guard.logins_per_minute),
        (1, MILLION),
        "attempts of an address on an account, then back-off; more: `rate_limited`",
    ),
    key(
        "limits.outbox_bytes",
        Bytes(|c| &mut c.engine.outbox_bytes),
        (1024, GIB),
        "queued for a slow reader; more: close 4101",
    ),
    key(
        "limits.outbox_soft_bytes",
        Bytes(|c| &mut c.engine.outbox_soft_bytes),
        (1024, GIB),
        "queued for longer than outbox_soft_ms; more: close 4101",
    ),
    key(
        "limits.outbox_soft_ms",
        Time(|c| &mut c.engine.outbox_soft_ms),
        (1, DAY_MS),
        "how long a queue may be over outbox_soft_bytes",
    ),
    key(
        "limits.drain_ms",
        Span(|c| &mut c.net.drain_spread),
        (0, DAY_MS / 24),
        "over which connections are closed when the server goes down; all is over 20 s later",
    ),
    key(
        "websocket.deflate",
        Mode(|c| &mut c.engine.deflate),
        (0, 0),
        "permessage-deflate: off, shared (each message for itself) or dedicated (contexts)",
    ),
    key(
        "websocket.deflate_min_bytes",
        Bytes(|c| &mut c.engine.deflate_min_bytes),
        (0, GIB),
        "shortest message that is compressed for itself; shorter ones are sent plain",
    ),
    key(
        "websocket.deflate_memory_bytes",
        Bytes(|c| &mut c.engine.deflate_memory_bytes),
        (0, 64 * GIB),
        "for the contexts of all connections; more connections: as shared",
    ),
    key("tokens.access_s", Time(|c| &mut c.auth.access_s), (1, YEAR_S), "life of an access token"),
    key(
        "tokens.refresh_s",
        Time(|c| &mut c.auth.refresh_s),
        (1, 10 * YEAR_S),
        "life of a refresh token",
    ),
    key(
        "tokens.expired_close_ms",
        Time(|c| &mut c.auth.expired_close_ms),
        (0, DAY_MS),
        "how long a connection outlives its token; then close 4301",
    ),
    key(
        "http.allowed_origins",
        Texts(|c| &mut c.allowed_origins),
        (0, 0),
        "pages that may connect, as https://example.com; empty: the server's own, and on loopback \
         http://localhost and http://127.0.0.1 on any port",
    ),
];

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

    /// What it is in `config`, as it would be written. Nothing is changed.
    fn value(&self, config: &mut Config) -> String {
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
        }
    }

    /// What can be written, in words.
    fn needed(&self) -> String {
        let (least, most) = (self.least, self.most);
        match self.place {
            Texts(_) => "a list of texts".to_owned(),
            Mode(_) => format!("one of {}", DeflateMode::ALL.map(DeflateMode::word).join(", ")),
            Limit(_) => format!("a whole number from {least} to {most}, or `none`,"),
            _ => format!("a whole number from {least} to {most}"),
        }
    }

    pub(super) fn assign(&self, config: &mut Config, given: &Given) -> Result<(), Error> {
        let refuse = |value: &str| Error::BadValue {
            key: self.name,
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
        if let Mode(place) = self.place {
            let mode = DeflateMode::ALL.into_iter().find(|mode| mode.word() == text);
            *place(config) = mode.ok_or_else(|| refuse(text))?;
            return Ok(());
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
            Texts(_) | Mode(_) => {}
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

pub(super) fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// The key that was meant, if one is near; the section may be missing or wrong.
pub(super) fn near(name: &str) -> Option<&'static str> {
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
    text
}
