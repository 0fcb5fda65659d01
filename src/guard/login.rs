//! Attempts to log in: a rate per IP and account, and a back-off per account.
//!
//! An attempt counts when it is made, not when it fails, so that many at once are not free; a
//! success forgives. The back-off slows guessing from many addresses; it ends after a minute at
//! most, so it cannot lock anybody out for long, and connections that are open never notice it.
//! Limit: fixed tables, which forget what was tried longest ago.

use super::rate::{Bucket, Rate};
use super::table::Table;
use super::{Config, counted_ip};
use std::net::IpAddr;
use std::time::Duration;

/// Accounts, and pairs of IP and account, that are remembered.
const CAPACITY: usize = 16_384;
/// After this long without an attempt, an account's failures are forgotten.
const FORGET: Duration = Duration::from_mins(15);
const BACKOFF_FIRST: Duration = Duration::from_secs(1);
const BACKOFF_MAX: Duration = Duration::from_mins(1);

/// How an account was tried lately.
#[derive(Debug, Default)]
struct Tries {
    /// Attempts since the last success.
    failed: u32,
    /// Until when no further attempt is allowed.
    closed_until: Duration,
}

/// The attempts on the accounts whose home is here.
#[derive(Debug)]
pub struct Logins {
    rate: Rate,
    /// Failures in a row that cost nothing; `None` when logins are not limited.
    free: Option<u32>,
    pairs: Table<(IpAddr, Box<str>), Bucket>,
    accounts: Table<Box<str>, Tries>,
}

impl Logins {
    /// No attempts yet.
    #[must_use]
    pub fn new(config: &Config, seed: u64) -> Self {
        let free = config.logins_per_minute;
        Self {
            rate: Rate::per(Duration::from_mins(1), free, free.unwrap_or(0)),
            free,
            pairs: Table::new(CAPACITY, seed),
            accounts: Table::new(CAPACITY, seed),
        }
    }

    /// Whether `peer` may try a password of `account`, a folded user name; counts the attempt.
    ///
    /// Peers on loopback are exempt from the rate per IP, never from the back-off of the account.
    ///
    /// # Errors
    /// How long to wait; a refused attempt does not count.
    pub fn attempt(
        &mut self,
        now: Duration,
        peer: Option<IpAddr>,
        account: &str,
    ) -> Result<(), Duration> {
        let Some(free) = self.free else {
            return Ok(());
        };
        self.pairs.sweep(now, FORGET);
        self.accounts.sweep(now, FORGET);
        let account: Box<str> = account.into();
        let tries = self.accounts.touch(now, &account);
        if now < tries.closed_until {
            return Err(tries.closed_until - now);
        }
        if let Some(ip) = counted_ip(peer) {
            self.pairs.touch(now, &(ip, account)).take(self.rate, now, 1)?;
        }
        tries.failed = tries.failed.saturating_add(1);
        if tries.failed >= free {
            let doubled = 1u32.checked_shl(tries.failed - free).unwrap_or(u32::MAX);
            tries.closed_until = now + BACKOFF_FIRST.saturating_mul(doubled).min(BACKOFF_MAX);
        }
        Ok(())
    }

    /// The password was right: the account's failures and this peer's attempts are forgiven.
    pub fn succeeded(&mut self, peer: Option<IpAddr>, account: &str) {
        let account: Box<str> = account.into();
        self.accounts.remove(&account);
        if let Some(ip) = counted_ip(peer) {
            self.pairs.remove(&(ip, account));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn ip(last: u32) -> Option<IpAddr> {
        Some(IpAddr::from((0xc000_0200 + last).to_be_bytes()))
    }

    fn logins() -> Logins {
        Logins::new(&Config::default(), 1)
    }

    #[test]
    fn the_sixth_attempt_in_a_row_waits_from_everywhere() {
        let loopback = Some(IpAddr::from([127, 0, 0, 1]));
        for peer in [ip(1), loopback, None] {
            let mut logins = logins();
            for _ in 0..5 {
                assert_eq!(logins.attempt(s(9), peer, "ann"), Ok(()));
            }
            assert_eq!(logins.attempt(s(9), peer, "ann"), Err(s(1)), "{peer:?}");
            assert_eq!(logins.attempt(s(9), ip(2), "ann"), Err(s(1)), "from elsewhere too");
            assert_eq!(logins.attempt(s(9), peer, "bob"), Ok(()), "another account");
            assert!(logins.attempt(s(10), ip(2), "ann").is_ok());
            assert_eq!(logins.attempt(s(10), ip(2), "ann"), Err(s(2)), "twice as long");
        }
    }

    #[test]
    fn an_ip_gets_five_attempts_then_the_rate_then_the_back_off() {
        let mut logins = logins();
        let mut try_at = |second: &u64| logins.attempt(s(*second), ip(1), "ann").is_ok();
        let passed: Vec<_> = (0..180).filter(|second| try_at(second)).collect();
        // One in 12 s by the rate; from the ninth attempt on the back-off of 16, 32, 60 s is longer.
        assert_eq!(passed, [0, 1, 2, 3, 4, 12, 24, 36, 48, 64, 96, 156]);
    }

    #[test]
    fn a_wait_is_never_longer_than_a_minute_and_is_kept() {
        let mut logins = logins();
        let mut now = s(0);
        let mut longest = s(0);
        for n in 0..100 {
            if let Err(wait) = logins.attempt(now, ip(n), "ann") {
                longest = longest.max(wait);
                now += wait;
                assert_eq!(logins.attempt(now, ip(n), "ann"), Ok(()));
            }
        }
        assert_eq!(longest, s(60));
    }

    #[test]
    fn a_success_forgives() {
        let mut logins = logins();
        for round in 0..50 {
            for _ in 0..4 {
                assert_eq!(logins.attempt(s(0), ip(1), "ann"), Ok(()), "{round}");
            }
            logins.succeeded(ip(1), "ann");
        }
        assert_eq!((logins.pairs.len(), logins.accounts.len()), (0, 0));
    }

    #[test]
    fn tables_are_bounded_and_empty_themselves() {
        let mut logins = logins();
        for n in 0..50_000 {
            assert_eq!(logins.attempt(s(0), ip(n), &format!("a{n}")), Ok(()));
        }
        assert_eq!((logins.pairs.len(), logins.accounts.len()), (CAPACITY, CAPACITY));
        logins.attempt(s(900), ip(1), "ann").unwrap();
        assert_eq!((logins.pairs.len(), logins.accounts.len()), (1, 1));
    }

    #[test]
    fn without_limits_nothing_is_counted() {
        let mut logins = Logins::new(&Config::unlimited(), 1);
        assert!((0..1000).all(|_| logins.attempt(s(0), ip(1), "ann").is_ok()));
        assert_eq!(logins.accounts.len(), 0);
    }
}
