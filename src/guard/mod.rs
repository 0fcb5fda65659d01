//! What a stranger may ask for: rates, counts, attempts to log in, origins.
//!
//! Everything takes the time and returns a verdict; nothing here closes a connection or sends a
//! word. Law: no table grows with what strangers send beyond its fixed size, and a limit that is
//! lifted is the absence of a limit, not a large number.

pub mod login;
pub mod origin;
pub mod quota;
pub mod rate;
mod table;

use crate::metrics::{labels, rows};
use std::net::{IpAddr, Ipv6Addr};

/// The limits of SPEC §9 that this layer keeps; `None` is no limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Chat messages of a user per minute.
    pub messages_per_minute: Option<u32>,
    /// Other requests of a user per second, on average.
    pub requests_per_second: Option<u32>,
    /// How many of them may come at once.
    pub requests_burst: u32,
    /// Ephemeral requests of a user (`typing`) per second.
    pub ephemeral_per_second: Option<u32>,
    /// New connections of an IP per second, on average.
    pub connects_per_second_per_ip: Option<u32>,
    /// How many of them may come at once.
    pub connects_burst_per_ip: u32,
    /// Open connections in all.
    pub connections: Option<u32>,
    /// Open connections of a user.
    pub connections_per_user: Option<u32>,
    /// Open connections of an IP.
    pub connections_per_ip: Option<u32>,
    /// Attempts to log in per minute, of an IP on an account.
    pub logins_per_minute: Option<u32>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            messages_per_minute: Some(60),
            requests_per_second: Some(20),
            requests_burst: 100,
            ephemeral_per_second: Some(5),
            connects_per_second_per_ip: Some(5),
            connects_burst_per_ip: 40,
            connections: Some(10_000),
            connections_per_user: Some(20),
            connections_per_ip: Some(100),
            logins_per_minute: Some(5),
        }
    }
}

impl Config {
    /// All rates and all counts lifted, for laboratories and load tests (`--no-limits`).
    #[must_use]
    pub const fn unlimited() -> Self {
        Self {
            messages_per_minute: None,
            requests_per_second: None,
            requests_burst: 0,
            ephemeral_per_second: None,
            connects_per_second_per_ip: None,
            connects_burst_per_ip: 0,
            connections: None,
            connections_per_user: None,
            connections_per_ip: None,
            logins_per_minute: None,
        }
    }
}

labels! {
    /// The limits that refuse something.
    pub enum Limit: "limit" {
        /// Chat messages of a user.
        Messages = "messages",
        /// Other requests of a user.
        Requests = "requests",
        /// Ephemeral requests of a user.
        Ephemeral = "ephemeral",
        /// New connections of an IP.
        Connects = "connects",
        /// Connections in all.
        Connections = "connections",
        /// Connections of a user.
        ConnectionsPerUser = "connections_per_user",
        /// Connections of an IP.
        ConnectionsPerIp = "connections_per_ip",
        /// Attempts to log in.
        Logins = "logins",
    }
}

rows! {
    /// What this layer refused.
    pub struct Metrics {
        /// What a limit refused, by limit.
        limited: Counter[Limit] = "stentor_limited_total",
        /// Upgrades and requests refused for their Origin.
        origins_refused: Counter = "stentor_origins_refused_total",
    }
}

/// Whom a limit per IP counts; `None` for those whom none counts: loopback, Unix sockets.
///
/// A customer of IPv6 owns at least a /64, so that is what counts as one.
#[must_use]
pub fn counted_ip(peer: Option<IpAddr>) -> Option<IpAddr> {
    match peer?.to_canonical() {
        ip if ip.is_loopback() => None,
        IpAddr::V6(ip) => Some(Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).into()),
        ip @ IpAddr::V4(_) => Some(ip),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_ip_is_one_customer_and_loopback_is_nobody() {
        for (peer, counted) in [
            ("127.0.0.1", None),
            ("127.8.9.1", None),
            ("::1", None),
            ("::ffff:127.0.0.1", None),
            ("192.0.2.1", Some("192.0.2.1")),
            ("::ffff:192.0.2.1", Some("192.0.2.1")),
            ("2001:db8:1:2:3:4:5:6", Some("2001:db8:1:2::")),
        ] {
            let counted = counted.map(|ip: &str| ip.parse().unwrap());
            assert_eq!(counted_ip(Some(peer.parse().unwrap())), counted, "{peer}");
        }
        assert_eq!(counted_ip(None), None);
    }
}
