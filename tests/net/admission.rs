//! Who comes in, who is told that he does not, and that everyone is counted out again.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use stentor::base::now::Now;
use stentor::handler::{Close, Peer};
use stentor::metrics::Registry;
use stentor::net::{self, Admission, Verdict};

use crate::support::{Running, echo, roomy, until};

#[test]
fn above_the_limit_a_connection_is_told_and_below_it_the_next_comes_in() {
    for loops in [1, 2] {
        let registry = Registry::new();
        let config = net::Config {
            connections_max: 2,
            refusals_max: 1,
            raise_descriptors: false,
            ..net::Config::default()
        };
        let server = Running::start(echo(loops).config(config, roomy()).metrics(&registry));
        let mut inside = [server.client(), server.client()];
        for client in &mut inside {
            assert_eq!(client.ask("x").as_deref(), Some("x"));
        }
        let mut told = server.client();
        until(|| registry.total("stentor_net_refused_total") == Some(1));
        // While he is being told, there is no room to tell another.
        assert_eq!(server.client().line(), None);
        assert_eq!(registry.total("stentor_net_dropped_total"), Some(1));
        told.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        assert_eq!(told.line().as_deref(), Some("HTTP/1.1 503 Service Unavailable"));
        drop(told);

        let [leaver, mut stayer] = inside;
        drop(leaver);
        until(|| server.handle.connections() == 1);
        assert_eq!(server.client().ask("y").as_deref(), Some("y"));
        assert_eq!(stayer.ask("z").as_deref(), Some("z"));
    }
}

/// Lets the first in, refuses the second, drops the third, and so on.
struct Turnstile {
    came: u64,
    inside: Arc<AtomicI64>,
}

impl Admission for Turnstile {
    fn admit(&mut self, _: Now, peer: Peer) -> Verdict {
        assert!(peer.is_loopback());
        self.came += 1;
        match self.came % 3 {
            1 => {
                self.inside.fetch_add(1, Ordering::Relaxed);
                Verdict::Admitted
            }
            2 => Verdict::Refused(Close::new(4100, "every second")),
            _ => Verdict::Dropped,
        }
    }

    fn released(&mut self, _: Now, peer: Peer) {
        assert!(peer.is_loopback());
        self.inside.fetch_sub(1, Ordering::Relaxed);
    }
}

#[test]
fn a_policy_decides_and_hears_of_each_it_let_in() {
    let inside = Arc::new(AtomicI64::new(0));
    let server = Running::start(echo(2).admission(Turnstile { came: 0, inside: inside.clone() }));
    for _ in 0..5 {
        let mut admitted = server.client();
        assert_eq!(admitted.ask("x").as_deref(), Some("x"));
        assert_eq!(inside.load(Ordering::Relaxed), 1);
        assert_eq!(server.client().ask("refused"), None);
        assert_eq!(server.client().ask("dropped"), None);
        drop(admitted);
        until(|| inside.load(Ordering::Relaxed) == 0);
    }
}
