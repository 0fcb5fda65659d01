//! How many connections there may be, and how fast new ones may come: in all and per IP.
//!
//! One instance, with the loop that accepts. Law: every `Ok` of [`Quota::open`] is answered by one
//! [`Quota::close`]; then nothing is left of an IP but its rate, and that goes when it is full
//! again. Limit: the count per IP is bounded by the connections, the rates by a fixed table.

use super::rate::{Bucket, Rate};
use super::table::Table;
use super::{Config, Limit, counted_ip};
use crate::base::hash::{NameMap, name_map};
use std::net::IpAddr;
use std::time::Duration;

/// IPs whose rate is remembered.
const CAPACITY: usize = 65_536;

/// Why a connection is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There are as many connections as there may be.
    Connections,
    /// This IP has as many as it may have.
    ConnectionsPerIp,
    /// This IP connects too fast.
    Connects {
        /// When it may come back.
        retry_after: Duration,
    },
}

impl Refusal {
    /// The label under which the refusal is counted.
    #[must_use]
    pub const fn limit(self) -> Limit {
        match self {
            Self::Connections => Limit::Connections,
            Self::ConnectionsPerIp => Limit::ConnectionsPerIp,
            Self::Connects { .. } => Limit::Connects,
        }
    }
}

/// The connections of this process.
#[derive(Debug)]
pub struct Quota {
    connections_max: Option<u32>,
    per_ip_max: Option<u32>,
    rate: Rate,
    /// After this long a bucket is full, whatever was taken.
    refill: Duration,
    open: u32,
    open_by_ip: NameMap<IpAddr, u32>,
    rates: Table<IpAddr, Bucket>,
}

impl Quota {
    /// No connections yet.
    #[must_use]
    pub fn new(config: &Config, seed: u64) -> Self {
        let rate = Rate::per(
            Duration::from_secs(1),
            config.connects_per_second_per_ip,
            config.connects_burst_per_ip,
        );
        let refill = match rate {
            Rate::Unlimited => Duration::ZERO,
            Rate::Limited { interval_ns, burst } => {
                Duration::from_nanos(interval_ns.saturating_mul(u64::from(burst)))
            }
        };
        Self {
            connections_max: config.connections,
            per_ip_max: config.connections_per_ip,
            rate,
            refill,
            open: 0,
            open_by_ip: name_map(seed),
            rates: Table::new(CAPACITY, seed),
        }
    }

    /// How many connections are open.
    #[must_use]
    pub const fn len(&self) -> u32 {
        self.open
    }

    /// Whether no connection is open.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.open == 0
    }

    /// Counts one more connection of `peer`; loopback is exempt from what is counted per IP.
    ///
    /// # Errors
    /// The limit that is reached; the connection is not counted. A refusal for the total or the
    /// count per IP costs the IP a unit of its rate all the same.
    pub fn open(&mut self, now: Duration, peer: Option<IpAddr>) -> Result<(), Refusal> {
        let ip = counted_ip(peer);
        if let Some(ip) = ip
            && self.rate != Rate::Unlimited
        {
            self.rates.sweep(now, self.refill);
            let bucket = self.rates.touch(now, &ip);
            bucket
                .take(self.rate, now, 1)
                .map_err(|retry_after| Refusal::Connects { retry_after })?;
        }
        if self.connections_max.is_some_and(|most| self.open >= most) {
            return Err(Refusal::Connections);
        }
        if let (Some(ip), Some(most)) = (ip, self.per_ip_max) {
            let open = self.open_by_ip.get(&ip).copied().unwrap_or(0);
            if open >= most {
                return Err(Refusal::ConnectionsPerIp);
            }
            self.open_by_ip.insert(ip, open + 1);
        }
        self.open += 1;
        Ok(())
    }

    /// A connection of `peer` that was counted is gone.
    pub fn close(&mut self, peer: Option<IpAddr>) {
        debug_assert!(self.open > 0, "every close answers an open");
        self.open = self.open.saturating_sub(1);
        let Some(ip) = counted_ip(peer) else {
            return;
        };
        if let Some(open) = self.open_by_ip.get_mut(&ip) {
            *open -= 1;
            if *open == 0 {
                self.open_by_ip.remove(&ip);
            }
        }
        if self.open_by_ip.len() < self.open_by_ip.capacity() / 8 {
            self.open_by_ip.shrink_to(self.open_by_ip.len() * 2);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn ip(number: u32) -> Option<IpAddr> {
        Some(IpAddr::from((0x0a00_0000 + number).to_be_bytes()))
    }

    const LOOPBACK: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST));

    #[test]
    fn an_ip_has_a_burst_then_a_rate_then_a_count() {
        let mut quota = Quota::new(&Config::default(), 1);
        for _ in 0..40 {
            assert_eq!(quota.open(ms(0), ip(1)), Ok(()));
        }
        let refused = quota.open(ms(0), ip(1));
        assert_eq!(refused, Err(Refusal::Connects { retry_after: ms(200) }));
        assert_eq!(quota.open(ms(0), ip(2)), Ok(()), "another IP");
        for n in 1..=60 {
            assert_eq!(quota.open(ms(200 * n), ip(1)), Ok(()), "{n}");
        }
        assert_eq!(quota.open(ms(60_000), ip(1)), Err(Refusal::ConnectionsPerIp));
        quota.close(ip(1));
        assert_eq!(quota.open(ms(60_000), ip(1)), Ok(()));
    }

    #[test]
    fn loopback_is_counted_in_the_total_only() {
        let mut quota = Quota::new(&Config { connections: Some(500), ..Config::default() }, 1);
        for peer in [LOOPBACK, None].repeat(250) {
            assert_eq!(quota.open(ms(0), peer), Ok(()));
        }
        assert_eq!(quota.open(ms(0), LOOPBACK), Err(Refusal::Connections));
        assert_eq!(quota.open(ms(0), ip(1)), Err(Refusal::Connections));
        quota.close(None);
        assert_eq!(quota.open(ms(0), ip(1)), Ok(()));
        assert_eq!((quota.len(), quota.open_by_ip.len()), (500, 1));
    }

    #[test]
    fn connecting_and_leaving_leaves_nothing_behind() {
        let mut quota = Quota::new(&Config::default(), 1);
        for n in 0..300_000u32 {
            let now = ms(u64::from(n) / 5);
            assert_eq!(quota.open(now, ip(n)), Ok(()));
            quota.close(ip(n));
            assert!(quota.rates.len() <= CAPACITY);
        }
        assert!(quota.is_empty() && quota.open_by_ip.is_empty());
        quota.open(ms(600_000), ip(1)).unwrap();
        assert_eq!(quota.rates.len(), 1, "rates that are full again are forgotten");
    }

    #[test]
    fn without_limits_only_the_total_is_counted() {
        let mut quota = Quota::new(&Config::unlimited(), 1);
        for _ in 0..20_000 {
            assert_eq!(quota.open(ms(0), ip(1)), Ok(()));
        }
        assert_eq!((quota.len(), quota.open_by_ip.len(), quota.rates.len()), (20_000, 0, 0));
        quota.close(ip(1));
        assert_eq!(quota.len(), 19_999);
    }
}
