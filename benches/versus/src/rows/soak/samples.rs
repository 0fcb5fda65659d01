//! What a server holds while it is soaked, and whether that grows.
//!
//! Law: the first minute after the warm-up is compared with the last one, medians with medians:
//! memory may differ by [`MEMORY_PERCENT`] or [`MEMORY_BYTES`], whichever is more; descriptors and
//! threads by nothing. What is on the disk grows, for messages are kept; it is shown and not judged.

use std::time::Duration;

use crate::stats::Quartiles;

/// By how much memory may grow: of the first minute's …
const MEMORY_PERCENT: f64 = 2.0;
/// … or this, where that is more.
const MEMORY_BYTES: f64 = 1_048_576.0;

/// One look.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Sample {
    /// Since the warm-up.
    pub(crate) at: Duration,
    /// Proportional set size.
    pub(crate) pss_bytes: u64,
    pub(crate) rss_bytes: u64,
    pub(crate) descriptors: usize,
    pub(crate) threads: usize,
    pub(crate) database_bytes: u64,
    pub(crate) wal_bytes: u64,
    /// Of one core, since the last look.
    pub(crate) server_percent: f64,
    pub(crate) load_percent: f64,
    /// Deliveries, acks and replies since the warm-up.
    pub(crate) messages: u64,
}

/// The looks of a minute (of a shorter soak: of a part of it), each number their median.
pub(crate) fn window(samples: &[Sample], from: Duration, to: Duration) -> Option<Sample> {
    let those: Vec<&Sample> =
        samples.iter().filter(|sample| (from..to).contains(&sample.at)).collect();
    if those.is_empty() {
        return None;
    }
    let middle = |of: fn(&Sample) -> f64| {
        Quartiles::of(those.iter().map(|sample| of(sample)).collect()).median
    };
    Some(Sample {
        at: from,
        pss_bytes: middle(|s| s.pss_bytes as f64) as u64,
        rss_bytes: middle(|s| s.rss_bytes as f64) as u64,
        descriptors: middle(|s| s.descriptors as f64).round() as usize,
        threads: middle(|s| s.threads as f64).round() as usize,
        database_bytes: middle(|s| s.database_bytes as f64) as u64,
        wal_bytes: middle(|s| s.wal_bytes as f64) as u64,
        server_percent: middle(|s| s.server_percent),
        load_percent: middle(|s| s.load_percent),
        messages: those.iter().map(|s| s.messages).max().unwrap_or(0),
    })
}

/// What grew, in words; nothing if all is flat.
pub(crate) fn growth(first: &Sample, last: &Sample) -> Vec<String> {
    let mut grown = Vec::new();
    let allowed = (first.pss_bytes as f64 * MEMORY_PERCENT / 100.0).max(MEMORY_BYTES);
    let more = last.pss_bytes as f64 - first.pss_bytes as f64;
    if more > allowed {
        let (more, allowed) = (mib(more), mib(allowed));
        grown.push(format!("memory grew by {more} MiB, {allowed} are allowed"));
    }
    for (what, first, last) in [
        ("descriptors", first.descriptors, last.descriptors),
        ("threads", first.threads, last.threads),
    ] {
        if first != last {
            grown.push(format!("{what} went from {first} to {last}"));
        }
    }
    grown
}

/// Bytes in MiB.
pub(crate) fn mib(bytes: f64) -> String {
    format!("{:.2}", bytes / 1_048_576.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    /// Ten minutes of looks, one in ten seconds, each as `of` has it.
    fn soak(of: impl Fn(u64) -> Sample) -> (Sample, Sample) {
        let at = |n| Duration::from_secs(5 + 10 * n);
        let samples: Vec<Sample> = (0..60).map(|n| Sample { at: at(n), ..of(n) }).collect();
        let last = window(&samples, MINUTE * 9, MINUTE * 10).unwrap();
        (window(&samples, Duration::ZERO, MINUTE).unwrap(), last)
    }

    fn flat() -> Sample {
        Sample { pss_bytes: 40 << 20, descriptors: 500, threads: 7, ..Sample::default() }
    }

    #[test]
    fn what_goes_up_and_down_is_flat_and_what_only_goes_up_is_not() {
        let judged = |of: &dyn Fn(u64) -> Sample| {
            let (first, last) = soak(of);
            growth(&first, &last)
        };
        let nothing = Vec::<String>::new();
        // A hash of a password every third look, a database that grows.
        assert_eq!(
            judged(&|n| Sample {
                pss_bytes: (40 << 20) + (n % 3) * (300 << 10) + u64::from(n == 55) * (19 << 20),
                database_bytes: n << 23,
                ..flat()
            }),
            nothing
        );
        // 20 kB in each look: 1.05 MiB in the nine minutes between the two.
        let leak = judged(&|n| Sample { pss_bytes: (40 << 20) + n * 20_400, ..flat() });
        assert_eq!(leak, ["memory grew by 1.05 MiB, 1.00 are allowed"]);
        assert_eq!(judged(&|n| Sample { pss_bytes: (40 << 20) + n * 19_000, ..flat() }), nothing);
        // Of much memory 2 % are more.
        assert_eq!(judged(&|n| Sample { pss_bytes: (80 << 20) + n * 20_400, ..flat() }), nothing);
        // What goes down is not growth, except of descriptors and threads, which show what is lost.
        assert_eq!(judged(&|n| Sample { pss_bytes: (60 << 20) - (n << 17), ..flat() }), nothing);
        let one = judged(&|n| Sample { descriptors: 500 + usize::from(n > 30), ..flat() });
        assert_eq!(one, ["descriptors went from 500 to 501"]);
        let one = judged(&|n| Sample { threads: 7 - usize::from(n > 30), ..flat() });
        assert_eq!(one, ["threads went from 7 to 6"]);
    }

    #[test]
    fn a_window_without_a_look_is_none() {
        assert_eq!(window(&[flat()], MINUTE, MINUTE * 2), None);
    }
}
