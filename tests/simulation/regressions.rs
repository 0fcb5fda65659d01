//! Seeds that once found something, and what it was: run first, and for ever.
//!
//! Limit: a seed stands for a run as long as the harness draws in the same order; what a row found
//! also has a test of its own where the bug was.

/// The seed, and what it found.
pub(crate) const REGRESSIONS: &[(u64, &str)] = &[
    (122, "the timer of a kept HTTP connection was not set again when half a request came"),
    (131, "the same, after another request"),
    (28, "a client that reads nothing for 5 s after its half-close is not waited for: no bug"),
    (80003, "frames behind a logout that was not alone were kept, and nobody came back to them"),
    (10406, "the same: the login was among them"),
    (21063, "the same"),
    (72341, "the same, with few descriptors"),
    (90327, "the same, compressed and cut into pieces"),
    (
        1387,
        "an fsync failed twice in one life, and the second undid what the first had kept: no bug",
    ),
    (30970, "the same, with a full disk"),
    (40252, "the same, with slow streams"),
    (50552, "the same, and the chat of an acknowledged message was gone"),
    (60813, "a half-close behind bytes that stood still until the server gave up: no bug"),
    (
        39028,
        "what was gathered for a slow consumer was sent to it behind the hole, before its Close frame",
    ),
    (46990, "the same"),
    (85757, "a server that went down parted from one who had not said a word yet: no bug"),
];
