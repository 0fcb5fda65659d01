//! What is wrong with a JSON text, in words for the person who typed it.

use super::decode::excerpt;
use super::scan::DEPTH_MAX;
use super::unique::Span;
use crate::message::fault::{Code, Fault};

const ONE_OBJECT: &str = r#"each line must hold one whole JSON object, like {"type":"help"}"#;

/// What is wrong with a JSON text, and where.
pub(super) struct Flaw {
    pub(super) at: usize,
    pub(super) what: What,
}

pub(super) enum What {
    Expected(&'static str),
    Control,
    Surrogate,
    Range,
    Deep,
    Repeated(Span),
}

impl Flaw {
    /// Bytes are counted from 1, as editors count columns.
    pub(super) fn fault(&self, text: &str) -> Fault {
        let at = self.at.saturating_add(1);
        let found = text.get(self.at..).and_then(|rest| rest.chars().next());
        let message = match (&self.what, found) {
            (What::Expected(what), None) => format!("the JSON ends at byte {at}, expected {what}"),
            (What::Expected(what), Some(found)) => {
                format!("expected {what} at byte {at}, found {:?}", found.to_string())
            }
            (What::Control, _) => format!("unescaped control character in a string at byte {at}"),
            (What::Surrogate, _) => format!("lone surrogate at byte {at}"),
            (What::Range, _) => format!("number out of range at byte {at}"),
            (What::Deep, _) => format!("nested deeper than {DEPTH_MAX} at byte {at}"),
            (What::Repeated(key), _) => {
                let key = excerpt(&key.unescape(text));
                format!("duplicate key \"{key}\" at byte {at}")
            }
        };
        let fault = Fault::new(Code::BadJson, message);
        match (&self.what, found) {
            (What::Expected(_), Some('\'' | '“' | '”')) => {
                fault.hint("strings and keys are in double quotes")
            }
            (What::Expected(_), Some(_)) if self.at == 0 => fault.hint(ONE_OBJECT),
            (What::Expected(_), None) => fault.hint(ONE_OBJECT),
            _ => fault,
        }
    }
}
