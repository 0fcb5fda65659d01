//! Seeds that once found something, and what it was: run first, and for ever.
//!
//! Limit: a seed stands for a run as long as the harness draws in the same order; what a row found
//! also has a test of its own where the bug was.

use Then::{Hub, Rooms};

use crate::plan::Plan;

/// What runs were like when a seed found something.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Then {
    /// There were rooms, and channels in memory.
    Rooms,
    /// There were durable channels, inboxes, executions and calls too.
    Hub,
}

impl Then {
    pub(crate) fn plan(self, seed: u64) -> Plan {
        match self {
            Self::Rooms => Plan::of_rooms(seed, None),
            Self::Hub => Plan::new(seed, None),
        }
    }
}

/// When that was, the seed, and what it found.
pub(crate) const REGRESSIONS: &[(Then, u64, &str)] = &[
    (Rooms, 122, "the timer of a kept HTTP connection was not set again when half a request came"),
    (Rooms, 131, "the same, after another request"),
    (
        Rooms,
        28,
        "a client that reads nothing for 5 s after its half-close is not waited for: no bug",
    ),
    (
        Rooms,
        80003,
        "frames behind a logout that was not alone were kept, and nobody came back to them",
    ),
    (Rooms, 10406, "the same: the login was among them"),
    (Rooms, 21063, "the same"),
    (Rooms, 72341, "the same, with few descriptors"),
    (Rooms, 90327, "the same, compressed and cut into pieces"),
    (
        Rooms,
        1387,
        "an fsync failed twice in one life, and the second undid what the first had kept: no bug",
    ),
    (Rooms, 30970, "the same, with a full disk"),
    (Rooms, 40252, "the same, with slow streams"),
    (Rooms, 50552, "the same, and the chat of an acknowledged message was gone"),
    (Rooms, 60813, "a half-close behind bytes that stood still until the server gave up: no bug"),
    (
        Rooms,
        39028,
        "what was gathered for a slow consumer was sent to it behind the hole, before its Close frame",
    ),
    (Rooms, 46990, "the same"),
    (Hub, 316, "a renewal that came to nothing ended what was told of who is there"),
    (Rooms, 85757, "a server that went down parted from one who had not said a word yet: no bug"),
];
