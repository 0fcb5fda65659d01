//! The limits of a connection, whatever is said over it. Sizes in bytes, times in milliseconds.

use crate::handler::Peer;

/// What a connection may cost before anyone knows what it wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// How long a peer may take to say how it speaks; unset: 5 s, and 300 s on this machine, so
    /// that a person can type. Effect: closed without a word.
    pub sniff_timeout_ms: Option<u64>,
    /// How long a TLS handshake may take (5 s). Effect: closed without a word.
    pub tls_timeout_ms: u64,
    /// Whether only TLS is spoken, but on Unix sockets. Effect on others: told so, closed 1008, 403.
    pub tls_required: bool,
    /// How long a request head and its body may take (10 s). Effect: 408, closed.
    pub http_head_timeout_ms: u64,
    /// How long a request's head may be with its headers (16 KiB). Effect: 431, closed.
    pub http_head_bytes: usize,
    /// How long a message or line may take from its first byte to its last; unset: 30 s, and 300 s
    /// on this machine, so that a person can type. Effect: close 1008.
    pub message_timeout_ms: Option<u64>,
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
    /// What may be queued for a slow receiver (1 MiB). Effect: close 4101, or events are dropped as
    /// their [`Class`](crate::handler::Class) allows.
    pub outbox_bytes: usize,
    /// What may be queued for long (256 KiB). Effect: when that is more without what may be dropped,
    /// nothing is read meanwhile, then close 4101; else it is the room that is left.
    pub outbox_soft_bytes: usize,
    /// How long that is (10 s).
    pub outbox_soft_ms: u64,
    /// What is compressed on WebSocket (RFC 7692) for clients that offer it.
    pub deflate: DeflateMode,
    /// The shortest message that is compressed for itself (1 KiB); shorter ones are sent plain.
    pub deflate_min_bytes: usize,
    /// What compression may keep for connections in all (64 MiB), in [`DeflateMode::Dedicated`].
    /// Effect: more connections are compressed for as in [`DeflateMode::Shared`].
    pub deflate_memory_bytes: usize,
}

/// Who compresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeflateMode {
    /// Nobody; every offer is declined.
    Off,
    /// One compressor of each loop for each size of window: every message for itself, a broadcast
    /// once, and nothing is kept for a connection.
    #[default]
    Shared,
    /// Each connection has a context of its own that goes on from message to message, while there
    /// is memory for it.
    Dedicated,
}

impl DeflateMode {
    /// All modes, in the order in which they take more memory.
    pub const ALL: [Self; 3] = [Self::Off, Self::Shared, Self::Dedicated];

    /// The word for it in a configuration.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Shared => "shared",
            Self::Dedicated => "dedicated",
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            sniff_timeout_ms: None,
            tls_timeout_ms: 5000,
            tls_required: false,
            http_head_timeout_ms: 10_000,
            http_head_bytes: 16 * 1024,
            message_timeout_ms: None,
            heartbeat_ms: 30_000,
            dead_ms: 90_000,
            close_timeout_ms: 5000,
            message_bytes: 16 * 1024,
            parts_per_message: 1024,
            outbox_bytes: 1024 * 1024,
            outbox_soft_bytes: 256 * 1024,
            outbox_soft_ms: 10_000,
            deflate: DeflateMode::Shared,
            deflate_min_bytes: 1024,
            deflate_memory_bytes: 64 * 1024 * 1024,
        }
    }
}

impl Config {
    /// The same for one of `loops` engines: what all of them may take is divided.
    #[must_use]
    pub fn for_one_of(&self, loops: usize) -> Self {
        Self { deflate_memory_bytes: self.deflate_memory_bytes / loops.max(1), ..self.clone() }
    }

    /// How long this peer may take to say how it speaks.
    #[must_use]
    pub fn sniff_timeout_ms(&self, peer: Peer) -> u64 {
        let usual = if peer.is_loopback() { 300_000 } else { 5000 };
        self.sniff_timeout_ms.unwrap_or(usual)
    }

    /// How long a message of this peer may take.
    #[must_use]
    pub fn message_timeout_ms(&self, peer: Peer) -> u64 {
        let usual = if peer.is_loopback() { 300_000 } else { 30_000 };
        self.message_timeout_ms.unwrap_or(usual)
    }
}
