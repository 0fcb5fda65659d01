//! The end of a connection as a handler or the engine decides it.

use std::borrow::Cow;

/// Why we close.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Close {
    /// RFC 6455 §7.4, or of the application (4000–4999).
    pub code: u16,
    /// For people, at most 123 bytes.
    pub reason: Cow<'static, str>,
    /// When to come back.
    pub retry_ms: Option<u64>,
}

impl Close {
    /// A close with its reason.
    pub fn new(code: u16, reason: impl Into<Cow<'static, str>>) -> Self {
        Self { code, reason: reason.into(), retry_ms: None }
    }
}
