//! The limits of a connection, whatever is said over it. Sizes in bytes, times in milliseconds.

use crate::handler::Peer;

/// What a connection may cost before anyone knows what it wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// How long a peer may take to say how it speaks; unset: 5 s, and 300 s on this machine, so
    /// that a person can type. Effect: closed without a word.
    pub sniff_timeout_ms: Option<u64>,
    /// How long a request head and its body may take (10 s). Effect: 408, closed.
    pub http_head_timeout_ms: u64,
    /// How long a request's head may be with its headers (16 KiB). Effect: 431, closed.
    pub http_head_bytes: usize,
    /// Silence after which WebSocket peers get a ping (30 s), and lines a word.
    pub heartbeat_ms: u64,
    /// Silence after which a WebSocket peer is dead (90 s). Effect: close 4102.
    pub dead_ms: u64,
    /// How long a closing handshake may take (5 s). Effect: closed.
    pub close_timeout_ms: u64,
    /// The longest message before the handler says otherwise (16 KiB). Effect: close 1009.
    pub message_bytes: usize,
    /// Frames of one message, empty ones included (1,024). Effect: close 1008.
    pub parts_per_message: u32,
    /// What may be queued for a slow receiver (1 MiB). Effect: close 4101.
    pub outbox_bytes: usize,
    /// What may be queued for long (256 KiB). Effect: nothing is read meanwhile, then close 4101.
    pub outbox_soft_bytes: usize,
    /// How long that is (10 s).
    pub outbox_soft_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            sniff_timeout_ms: None,
            http_head_timeout_ms: 10_000,
            http_head_bytes: 16 * 1024,
            heartbeat_ms: 30_000,
            dead_ms: 90_000,
            close_timeout_ms: 5000,
            message_bytes: 16 * 1024,
            parts_per_message: 1024,
            outbox_bytes: 1024 * 1024,
            outbox_soft_bytes: 256 * 1024,
            outbox_soft_ms: 10_000,
        }
    }
}

impl Config {
    /// How long this peer may take to say how it speaks.
    #[must_use]
    pub fn sniff_timeout_ms(&self, peer: Peer) -> u64 {
        let usual = if peer.is_loopback() { 300_000 } else { 5000 };
        self.sniff_timeout_ms.unwrap_or(usual)
    }
}
