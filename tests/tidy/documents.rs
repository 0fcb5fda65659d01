//! The documents against the code: what a reader is told exists, and what exists is told.
