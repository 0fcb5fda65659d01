//! Events and pages of them, as they come from the server.
//!
//! Law: an event is of its own channel and epoch, and is told as what it is; a `gap` is a failure,
//! because nobody here reads too slowly.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::ledger::{Heard, Line, READ, Sort, Stored};

#[derive(Deserialize)]
struct Event<'a> {
    r#type: &'a str,
    #[serde(default)]
    channel: Option<&'a str>,
    #[serde(default)]
    offset: Option<u64>,
    #[serde(default)]
    epoch: Option<&'a str>,
    #[serde(default)]
    sender: Option<Sender>,
    #[serde(borrow, default)]
    payload: Option<&'a RawValue>,
}

/// A message as its event and its page have it.
#[derive(Deserialize)]
pub(crate) struct Message {
    pub(crate) id: String,
    pub(crate) chat_id: String,
    pub(crate) seq: u64,
    pub(crate) sender: Sender,
    pub(crate) content: String,
}

#[derive(Deserialize)]
pub(crate) struct Sender {
    pub(crate) id: String,
}

/// What is published or sent.
#[derive(Deserialize)]
struct Text {
    text: String,
}

/// A notification in an inbox.
#[derive(Deserialize)]
struct Notification {
    id: String,
    title: String,
    message: String,
}

/// That one was read.
#[derive(Deserialize)]
struct Marked {
    notification_id: String,
}

/// A reply to `subscribe` or `history`.
#[derive(Deserialize)]
pub(crate) struct Reply<'a> {
    pub(crate) status: &'a str,
    #[serde(borrow)]
    pub(crate) data: Option<Page<'a>>,
}

/// What a channel keeps, or a part of it.
#[derive(Deserialize)]
pub(crate) struct Page<'a> {
    /// Of `subscribe` only.
    #[serde(default)]
    pub(crate) channel: Option<&'a str>,
    pub(crate) offset: u64,
    pub(crate) epoch: &'a str,
    #[serde(default)]
    pub(crate) recovered: Option<bool>,
    #[serde(borrow)]
    pub(crate) events: Vec<&'a RawValue>,
    pub(crate) more: bool,
}

/// The line of a channel.
pub(crate) fn line_of(channel: &str, lines: &[Line]) -> Option<usize> {
    lines.iter().position(|line| line.channel == channel)
}

/// An event of one of the lines; none when it is of something else, or is not kept.
pub(crate) fn event(text: &str, lines: &[Line]) -> Result<Option<Heard>, String> {
    let wrong = |error: serde_json::Error| format!("{error}: {text}");
    let event: Event<'_> = serde_json::from_str(text).map_err(wrong)?;
    if event.r#type == "gap" {
        return Err(format!("a gap for who reads: {text}"));
    }
    let line = event.channel.and_then(|channel| line_of(channel, lines));
    let (Some(line), Some(offset)) = (line, event.offset) else { return Ok(None) };
    if event.epoch.is_some_and(|epoch| epoch != lines[line].epoch) {
        return Err(format!("of another epoch than {}: {text}", lines[line].epoch));
    }
    let payload = event.payload.ok_or_else(|| format!("no payload: {text}"))?.get();
    let sender = || event.sender.map(|sender| sender.id).ok_or_else(|| format!("whose? {text}"));
    let message = match (Sort::of(line), event.r#type) {
        (Sort::Chat, "message") => {
            let message: Message = serde_json::from_str(payload).map_err(wrong)?;
            if message.chat_id != lines[line].id {
                return Err(format!("of another chat: {text}"));
            }
            let Message { id, seq, sender, content, .. } = message;
            Some((seq, Stored { id, sender: sender.id, content }))
        }
        (Sort::Chat, _) => None,
        (Sort::Channel, "publication") => {
            let Text { text } = serde_json::from_str(payload).map_err(wrong)?;
            let id = lines[line].epoch.clone();
            Some((offset, Stored { id, sender: sender()?, content: text }))
        }
        (Sort::Inbox, "note") => {
            let Text { text } = serde_json::from_str(payload).map_err(wrong)?;
            Some((offset, Stored { id: String::new(), sender: sender()?, content: text }))
        }
        (Sort::Inbox, "notification") => {
            let Notification { id, title, message } =
                serde_json::from_str(payload).map_err(wrong)?;
            if message.split(' ').next() != Some(&title) {
                return Err(format!("the title is of another one: {text}"));
            }
            Some((offset, Stored { id, sender: sender()?, content: message }))
        }
        (Sort::Inbox, "notification:read") => {
            let Marked { notification_id: id } = serde_json::from_str(payload).map_err(wrong)?;
            Some((offset, Stored { id, sender: sender()?, content: READ.to_owned() }))
        }
        (Sort::Channel | Sort::Inbox, _) => return Err(format!("nobody publishes that: {text}")),
    };
    Ok(Some(Heard { line, offset, message }))
}
