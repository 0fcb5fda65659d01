//! The limits of calls. Sizes in bytes, times in milliseconds.

/// What backends may be asked, and how long they may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calls {
    /// How long a worker may take (30 s). Effect: `worker_timeout`.
    pub timeout_ms: u64,
    /// How long the answer to a `ui_action` is kept for a repeat (300 s).
    pub cache_ms: u64,
    /// Answers kept, in all (16 MiB). Effect: the oldest go.
    pub cache_bytes: usize,
    /// How long a backend that fails is left alone (30 s). Effect: `circuit_open`.
    pub breaker_open_ms: u64,
    /// Unanswered calls of a worker (1,024). Effect: another one is chosen; without, `overloaded`.
    pub in_flight_per_worker: u32,
    /// Bytes of their parameters (512 KiB). Effect: the same.
    pub in_flight_bytes_per_worker: usize,
    /// Unanswered calls of an action (8,192). Effect: `overloaded`.
    pub in_flight_per_action: u32,
    /// Actions that a connection may serve (256). Effect: `conflict`.
    pub actions_per_worker: u32,
}

impl Default for Calls {
    fn default() -> Self {
        Self {
            timeout_ms: 30_000,
            cache_ms: 300_000,
            cache_bytes: 16 << 20,
            breaker_open_ms: 30_000,
            in_flight_per_worker: 1024,
            in_flight_bytes_per_worker: 512 * 1024,
            in_flight_per_action: 8192,
            actions_per_worker: 256,
        }
    }
}
