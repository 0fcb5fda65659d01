//! Who may come in: the quota of the guard, in the shape in which loop 0 asks.

use std::sync::Arc;
use std::time::Duration;

use crate::base::now::Now;
use crate::config::full;
use crate::guard::quota::{Quota, Refusal};
use crate::guard::{Config, Metrics};
use crate::handler::{Close, Peer};
use crate::message::close::RATE_ABUSE;
use crate::metrics::Registry;
use crate::net::{Admission, Verdict};

/// The quota, and where its refusals are counted.
#[derive(Debug)]
pub(super) struct Gate {
    quota: Quota,
    metrics: Arc<Metrics>,
}

impl Gate {
    pub(super) fn new(config: &Config, seed: u64, registry: &Registry) -> Self {
        Self { quota: Quota::new(config, seed), metrics: registry.block() }
    }
}

impl Admission for Gate {
    fn admit(&mut self, now: Now, peer: Peer) -> Verdict {
        let address = peer.ip();
        let Err(refusal) = self.quota.open(now.monotonic, address) else {
            return Verdict::Admitted;
        };
        self.metrics.limited.add_at(refusal.limit(), 1);
        Verdict::Refused(match refusal {
            Refusal::Connections | Refusal::ConnectionsPerIp => full(),
            Refusal::Connects { retry_after } => too_fast(retry_after),
        })
    }

    fn released(&mut self, _: Now, peer: Peer) {
        self.quota.close(peer.ip());
    }
}

fn too_fast(retry_after: Duration) -> Close {
    let retry_ms = u64::try_from(retry_after.as_millis()).unwrap_or(u64::MAX);
    let close = Close::new(RATE_ABUSE, "too many new connections from this address");
    Close { retry_ms: Some(retry_ms.saturating_add(1)), ..close }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_has_its_code_and_is_counted_and_a_place_is_given_back() {
        let registry = Registry::new();
        let config = Config {
            connections: Some(2),
            connections_per_ip: Some(1),
            connects_burst_per_ip: 2,
            ..Config::default()
        };
        let mut gate = Gate::new(&config, 1, &registry);
        let now = Now { monotonic: Duration::ZERO, unix_ms: 0 };
        let peer =
            |ip: &str| Peer::from(format!("{ip}:1").parse::<std::net::SocketAddr>().unwrap());
        let mut code = |ip| match gate.admit(now, peer(ip)) {
            Verdict::Refused(close) => Some((close.code, close.retry_ms)),
            _ => None,
        };
        assert_eq!(code("192.0.2.1"), None);
        assert_eq!(code("192.0.2.1"), Some((4100, Some(5000))), "one of an address");
        assert_eq!(code("192.0.2.1"), Some((4104, Some(201))), "two at once");
        assert_eq!(code("127.0.0.1"), None);
        assert_eq!(code("127.0.0.1"), Some((4100, Some(5000))), "two in all");
        assert_eq!(registry.total("stentor_limited_total"), Some(3));
        gate.released(now, peer("127.0.0.1"));
        assert_eq!(gate.admit(now, peer("127.0.0.1")), Verdict::Admitted);
    }
}
