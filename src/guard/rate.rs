//! Rates by the generic cell rate algorithm: one number per bucket, no timer, no refill.
//!
//! A bucket holds the time at which it would be full again. Law: in any stretch of time `t` a rate
//! of one per interval and a burst of `b` lets at most `b + t / interval` through. Limit: times are
//! 64 bits of nanoseconds on the monotonic clock.

use super::{Config, Limit};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// What is never refused for longer: a retry far in the future helps nobody.
const RETRY_MAX: Duration = Duration::from_hours(1);

/// How much may pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rate {
    /// Everything.
    Unlimited,
    /// `burst` at once, and one more each `interval_ns`.
    Limited {
        /// Nanoseconds per unit of cost.
        interval_ns: u64,
        /// Units that may pass at once.
        burst: u32,
    },
}

impl Rate {
    /// `count` in each `period` and `burst` at once; `None` is no limit, zero lets nothing pass.
    #[must_use]
    pub fn per(period: Duration, count: Option<u32>, burst: u32) -> Self {
        let Some(count) = count else {
            return Self::Unlimited;
        };
        if count == 0 {
            return Self::Limited { interval_ns: nanoseconds(period), burst: 0 };
        }
        let interval_ns = nanoseconds(period / count).max(1);
        Self::Limited { interval_ns, burst: burst.max(1) }
    }

    /// The new state of a bucket after `cost` more, or how long to wait.
    fn take(self, full_at: u64, now: u64, cost: u32) -> Result<u64, Duration> {
        let Self::Limited { interval_ns, burst } = self else {
            return Ok(full_at);
        };
        // A cost above the burst could never pass; it empties the bucket instead.
        let cost = interval_ns.saturating_mul(u64::from(cost.min(burst.max(1))));
        let after = full_at.max(now).saturating_add(cost);
        let latest = now.saturating_add(interval_ns.saturating_mul(u64::from(burst)));
        match after.checked_sub(latest) {
            None | Some(0) => Ok(after),
            Some(wait) => Err(Duration::from_nanos(wait).min(RETRY_MAX)),
        }
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// The state of one rate for one owner, full at first.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bucket(u64);

impl Bucket {
    /// Takes `cost` units.
    ///
    /// # Errors
    /// How long to wait until this cost would pass; nothing was taken.
    pub fn take(&mut self, rate: Rate, now: Duration, cost: u32) -> Result<(), Duration> {
        self.0 = rate.take(self.0, nanoseconds(now), cost)?;
        Ok(())
    }

    /// Whether the bucket is as good as new, so that it can be forgotten.
    #[must_use]
    pub fn is_full(&self, now: Duration) -> bool {
        self.0 <= nanoseconds(now)
    }
}

/// The classes of requests of a user, each with its own rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Chat messages.
    Message,
    /// What is neither a chat message nor ephemeral.
    Request,
    /// `typing`.
    Ephemeral,
}

impl Class {
    /// The label under which a refusal is counted.
    #[must_use]
    pub const fn limit(self) -> Limit {
        match self {
            Self::Message => Limit::Messages,
            Self::Request => Limit::Requests,
            Self::Ephemeral => Limit::Ephemeral,
        }
    }
}

/// The rates of a user's classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    message: Rate,
    request: Rate,
    ephemeral: Rate,
}

impl Rates {
    /// The rates of a configuration.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let (second, minute) = (Duration::from_secs(1), Duration::from_mins(1));
        let all_at_once = |count: Option<u32>| count.unwrap_or(0);
        let Config { messages_per_minute, requests_per_second, ephemeral_per_second, .. } = *config;
        Self {
            message: Rate::per(minute, messages_per_minute, all_at_once(messages_per_minute)),
            request: Rate::per(second, requests_per_second, config.requests_burst),
            ephemeral: Rate::per(second, ephemeral_per_second, all_at_once(ephemeral_per_second)),
        }
    }

    /// No rate at all: for services and admins.
    pub const UNLIMITED: Self =
        Self { message: Rate::Unlimited, request: Rate::Unlimited, ephemeral: Rate::Unlimited };
}

/// The buckets of one user, shared by the user's connections on every loop.
///
/// The only memory that loops share; `now` must be of the same clock on all of them.
#[derive(Debug)]
pub struct Budget {
    /// Those of everybody: there are as many budgets as users.
    rates: Arc<Rates>,
    message: AtomicU64,
    request: AtomicU64,
    ephemeral: AtomicU64,
}

impl Budget {
    /// Full buckets with these rates.
    #[must_use]
    pub fn new(rates: impl Into<Arc<Rates>>) -> Self {
        Self {
            rates: rates.into(),
            message: AtomicU64::new(0),
            request: AtomicU64::new(0),
            ephemeral: AtomicU64::new(0),
        }
    }

    /// Takes `cost` units of a class.
    ///
    /// # Errors
    /// How long to wait until this cost would pass; nothing was taken.
    pub fn take(&self, class: Class, now: Duration, cost: u32) -> Result<(), Duration> {
        let (rate, bucket) = match class {
            Class::Message => (self.rates.message, &self.message),
            Class::Request => (self.rates.request, &self.request),
            Class::Ephemeral => (self.rates.ephemeral, &self.ephemeral),
        };
        if rate == Rate::Unlimited {
            return Ok(());
        }
        let now = nanoseconds(now);
        let mut full_at = bucket.load(Relaxed);
        loop {
            let after = rate.take(full_at, now, cost)?;
            match bucket.compare_exchange_weak(full_at, after, Relaxed, Relaxed) {
                Ok(_) => return Ok(()),
                Err(changed) => full_at = changed,
            }
        }
    }
}

/// Makes budgets: who has no rates shares one, since nothing is ever taken from it.
#[derive(Clone, Debug)]
pub struct Budgets {
    rates: Arc<Rates>,
    free: Arc<Budget>,
}

impl Budgets {
    /// Budgets with the rates of a configuration.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let rates = Arc::new(Rates::new(config));
        Self { rates, free: Arc::new(Budget::new(Rates::UNLIMITED)) }
    }

    /// A budget for one user; services and admins are not `limited`.
    #[must_use]
    pub fn of(&self, limited: bool) -> Arc<Budget> {
        if limited && *self.rates != Rates::UNLIMITED {
            Arc::new(Budget::new(Arc::clone(&self.rates)))
        } else {
            Arc::clone(&self.free)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let rate = Rate::per(ms(1000), Some(20), 100);
        let mut bucket = Bucket::default();
        let now = ms(50_000);
        for _ in 0..100 {
            assert_eq!(bucket.take(rate, now, 1), Ok(()));
        }
        assert_eq!(bucket.take(rate, now, 1), Err(ms(50)));
        assert_eq!(bucket.take(rate, now + ms(49), 1), Err(ms(1)));
        assert_eq!(bucket.take(rate, now + ms(50), 1), Ok(()));
        assert_eq!(bucket.take(rate, now + ms(100), 2), Err(ms(50)));
        assert!(!bucket.is_full(now + ms(5049)) && bucket.is_full(now + ms(5050)));
    }

    #[test]
    fn odd_rates() {
        let mut bucket = Bucket::default();
        for _ in 0..1000 {
            assert_eq!(bucket.take(Rate::per(ms(1000), None, 0), ms(0), u32::MAX), Ok(()));
        }
        for now in [ms(0), ms(1_000_000)] {
            assert!(Bucket::default().take(Rate::per(ms(1000), Some(0), 10), now, 1).is_err());
        }
        let large = Rate::per(ms(1000), Some(10), 10);
        assert_eq!(bucket.take(large, ms(0), 1000), Ok(()), "costs the whole burst");
        assert_eq!(bucket.take(large, ms(0), 1), Err(ms(100)));
        let slow = Rate::per(Duration::from_hours(1_000_000), Some(1), 1);
        let mut bucket = Bucket::default();
        assert_eq!(bucket.take(slow, ms(0), 1), Ok(()));
        assert_eq!(bucket.take(slow, ms(0), 1), Err(RETRY_MAX));
    }

    #[test]
    fn a_user_has_a_budget_for_each_class() {
        let budget = Budget::new(Rates::new(&Config::default()));
        let now = ms(1234);
        for (class, burst, wait) in
            [(Class::Message, 60, 1000), (Class::Request, 100, 50), (Class::Ephemeral, 5, 200)]
        {
            for _ in 0..burst {
                assert_eq!(budget.take(class, now, 1), Ok(()), "{class:?}");
            }
            assert_eq!(budget.take(class, now, 1), Err(ms(wait)), "{class:?}");
            assert_eq!(budget.take(class, now + ms(wait), 1), Ok(()), "{class:?}");
        }
        assert_eq!(Rates::new(&Config::unlimited()), Rates::UNLIMITED);
        let free = Budget::new(Rates::UNLIMITED);
        assert!((0..1000).all(|_| free.take(Class::Message, now, 1).is_ok()));
    }

    #[test]
    fn limited_users_have_a_budget_each_and_the_others_share_one() {
        let budgets = Budgets::new(&Config::default());
        assert!(!Arc::ptr_eq(&budgets.of(true), &budgets.of(true)));
        assert!(Arc::ptr_eq(&budgets.of(false), &budgets.of(false)));
        assert!(budgets.of(true).take(Class::Request, ms(0), 100).is_ok());
        assert!(budgets.of(true).take(Class::Request, ms(0), 1).is_ok());
        let budgets = Budgets::new(&Config::unlimited());
        assert!(Arc::ptr_eq(&budgets.of(true), &budgets.of(false)));
    }

    #[test]
    fn two_threads_together_get_one_budget() {
        let budget = Budget::new(Rates::new(&Config::default()));
        let passed = std::thread::scope(|scope| {
            let run =
                || (0..1000).filter(|_| budget.take(Class::Request, ms(9), 1).is_ok()).count();
            let threads = [scope.spawn(run), scope.spawn(run)];
            threads.map(|thread| thread.join().unwrap()).iter().sum::<usize>()
        });
        assert_eq!(passed, 100);
    }

    proptest! {
        #[test]
        fn never_more_than_burst_and_rate(
            count in 1u32..50, burst in 1u32..50, steps in prop::collection::vec(0u64..200, 1..200)
        ) {
            let rate = Rate::per(ms(1000), Some(count), burst);
            let mut bucket = Bucket::default();
            let (mut now, mut passed) = (0, 0u64);
            for step in steps {
                now += step;
                match bucket.take(rate, ms(now), 1) {
                    Ok(()) => passed += 1,
                    Err(wait) => {
                        let mut later = bucket;
                        prop_assert_eq!(later.take(rate, ms(now) + wait, 1), Ok(()));
                        prop_assert!(bucket.take(rate, ms(now) + wait - Duration::from_nanos(1), 1).is_err());
                    }
                }
                // An interval is cut off to whole nanoseconds.
                prop_assert!(passed <= u64::from(burst) + (now + 1) * u64::from(count) / 1000);
            }
        }
    }
}
