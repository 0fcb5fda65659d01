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
];
