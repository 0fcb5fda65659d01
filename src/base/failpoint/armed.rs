//! Failpoints as the environment arms them; the only file of this row that asks the system.
//!
//! Law: an unknown name is told and ends the process, so that a test cannot wait for nothing.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use super::Point;

/// The point that is armed, and how often it is still passed.
static ARMED: OnceLock<Option<(String, AtomicU32)>> = OnceLock::new();

const POINTS: [&str; 6] =
    ["before_begin", "after_insert", "after_commit", "after_flush", "checkpoint", "migration"];

const fn name(point: Point) -> &'static str {
    match point {
        #[cfg(feature = "sqlite")]
        Point::BeforeBegin => POINTS[0],
        #[cfg(feature = "sqlite")]
        Point::AfterInsert => POINTS[1],
        #[cfg(feature = "sqlite")]
        Point::AfterCommit => POINTS[2],
        #[cfg(feature = "net")]
        Point::AfterFlush => POINTS[3],
        #[cfg(feature = "sqlite")]
        Point::Checkpoint => POINTS[4],
        #[cfg(feature = "sqlite")]
        Point::Migration => POINTS[5],
    }
}

fn armed() -> Option<(String, AtomicU32)> {
    let text = std::env::var("STENTOR_FAILPOINT").ok()?;
    let (name, count) = text.split_once(':').unwrap_or((&text, "1"));
    match count.parse() {
        Ok(count) if count > 0 && POINTS.contains(&name) => {
            Some((name.to_owned(), AtomicU32::new(count)))
        }
        _ => {
            log::error!("STENTOR_FAILPOINT: `{text}` is no POINT:COUNT of {POINTS:?}");
            std::process::exit(2);
        }
    }
}

/// Dies here when this is the armed point and its count is reached: nothing is unwound or flushed.
pub(crate) fn hit(point: Point) {
    let Some((armed, left)) = ARMED.get_or_init(armed) else { return };
    if *armed == name(point) && left.fetch_sub(1, Ordering::Relaxed) == 1 {
        std::process::abort();
    }
}

/// Whether the bug is planted.
#[cfg(feature = "sqlite")]
pub(crate) fn planted(plant: super::Plant) -> bool {
    use super::Plant::{
        AckBeforeCommit, AckOfEverything, EndNotStored, NoDedupKey, NoPublicationKey,
        SynchronousNormal,
    };
    static PLANTED: OnceLock<Option<super::Plant>> = OnceLock::new();
    let read = || match std::env::var("STENTOR_PLANT").ok()?.as_str() {
        "synchronous_normal" => Some(SynchronousNormal),
        "ack_before_commit" => Some(AckBeforeCommit),
        "no_dedup_key" => Some(NoDedupKey),
        "no_publication_key" => Some(NoPublicationKey),
        "ack_of_everything" => Some(AckOfEverything),
        "end_not_stored" => Some(EndNotStored),
        other => {
            log::error!("STENTOR_PLANT: `{other}` is no bug that can be planted");
            std::process::exit(2);
        }
    };
    *PLANTED.get_or_init(read) == Some(plant)
}
