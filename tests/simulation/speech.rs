//! How a client's messages are written: as text, or as Protobuf by a subprotocol or by its first one.
//!
//! Law: once Protobuf was heard no text comes any more; where the first message decides, the first
//! answer in Protobuf is another hello. What is said in it is then held to the laws as the JSON that
//! says the same, byte for byte where all receivers must get the same.

use serde_json::Value;
use stentor::base::rng::Rng;

use crate::binary::{asked, told};
use crate::law::Law;
use crate::planted::Planted;
use crate::world::World;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Speech {
    #[default]
    Text,
    /// Its first binary message will decide; the server writes text until then.
    Undecided,
    Binary,
}

/// The subprotocol of Protobuf.
pub(crate) const SUBPROTOCOL: &str = "stentor.v1.protobuf";

impl Speech {
    /// Of the connection with this number; a coin of its own, so that other draws stay what they are.
    pub(crate) const fn of(pipe: usize) -> Self {
        match pipe % 6 {
            1 => Self::Binary,
            4 => Self::Undecided,
            _ => Self::Text,
        }
    }

    pub(crate) fn is_binary(self) -> bool {
        self != Self::Text
    }

    /// Whether a request can be said in it.
    pub(crate) fn has(self, request: &Value) -> bool {
        !self.is_binary() || asked(&request.to_string()).is_some()
    }
}

/// A request in Protobuf; what is no JSON is no Protobuf either.
pub(crate) fn message(text: &Value) -> Vec<u8> {
    match text.as_str() {
        Some(raw) => raw.as_bytes().to_vec(),
        None => asked(&text.to_string()).expect("who speaks Protobuf asks what it can say"),
    }
}

impl World {
    /// A text of the server on a WebSocket.
    pub(crate) fn text(&mut self, c: usize, text: &str) {
        if self.clients[c].speech == Speech::Binary {
            self.model.violation(Law::Shape, &format!("text for Protobuf: {text}"));
        }
        self.object(c, text.as_bytes());
    }

    /// A binary message of the server.
    pub(crate) fn binary(&mut self, c: usize, message: &[u8]) {
        let before = self.clients[c].speech;
        if before == Speech::Text {
            return self.model.violation(Law::Shape, "a binary frame");
        }
        let mut text = match told(message) {
            Ok(text) => text,
            Err(why) => return self.model.violation(Law::Shape, &why),
        };
        self.clients[c].speech = Speech::Binary;
        let is_hello = text.starts_with(r#"{"type":"hello","#);
        if before == Speech::Undecided && self.clients[c].greeted {
            if !is_hello {
                self.model.violation(Law::Shape, &format!("a hello should come: {text}"));
            }
            return;
        }
        let wrong = self.plan.planted == Some(Planted::Mistranslated);
        if wrong && self.model.heard.is_multiple_of(20) {
            text = text.replacen(r#""timestamp":"2"#, r#""timestamp":"3"#, 1);
        }
        self.object(c, text.as_bytes());
    }
}

/// Whole lines of the server, without their ends; the rest stays.
pub(crate) fn take_lines(rest: &mut Vec<u8>) -> Vec<Vec<u8>> {
    let Some(end) = rest.iter().rposition(|byte| *byte == b'\n') else { return Vec::new() };
    let after = rest.split_off(end + 1);
    let whole = std::mem::replace(rest, after);
    whole[..end].split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

/// A request on one line; a string stands for itself, it is no JSON.
pub(crate) fn one_line(text: &Value) -> String {
    text.as_str().map_or_else(|| text.to_string(), str::to_owned)
}

/// One or more requests each; what is no JSON stands alone, because nothing can follow it.
pub(crate) fn frames(rng: &mut Rng, texts: &[Value]) -> Vec<String> {
    let mut frames: Vec<String> = Vec::new();
    let mut joins = false;
    for text in texts {
        let raw = text.is_string();
        match frames.last_mut().filter(|_| joins && !raw && rng.below(2) == 0) {
            Some(frame) => *frame = format!("{frame}\n {}", written(rng, text)),
            None => frames.push(written(rng, text)),
        }
        joins = !raw;
    }
    frames
}

fn written(rng: &mut Rng, text: &Value) -> String {
    match text.as_str() {
        None if rng.below(3) == 0 => serde_json::to_string_pretty(text).expect("a value is text"),
        _ => one_line(text),
    }
}
