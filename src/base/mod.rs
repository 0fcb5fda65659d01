//! What every other layer stands on: time as a value, ids, seeded randomness and maps.
//!
//! Nothing here knows of messaging, and nothing here asks the system for anything: a caller brings
//! the time and the seed, so a run can be repeated exactly. (The one exception is for tests only:
//! `failpoint/armed.rs`, which asks the environment where to die.)

pub mod arena;
pub mod backoff;
#[cfg(any(feature = "net", feature = "sqlite"))]
pub(crate) mod failpoint;
pub mod few;
pub mod hash;
pub mod id;
pub mod now;
pub mod rng;
pub mod time;
pub mod timer;
