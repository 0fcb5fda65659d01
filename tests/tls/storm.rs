//! A storm of handshakes, and somebody who was there before (rows TL-11 and ST-02).

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use stentor::net;

use crate::client::{connect, session, usual};
use crate::server::{PATIENCE, Running, roomy, until};

/// So many hellos at once.
const STORM: usize = 200;

/// How long the longest of some echoes took while hellos came.
fn longest_during_storm(handshake_budget: Duration) -> (Duration, u64) {
    let set = |builder: stentor::server::Builder<_>| {
        let net =
            net::Config { raise_descriptors: false, handshake_budget, ..net::Config::default() };
        builder.config(net, roomy())
    };
    let server = Running::with("storm", roomy(), |_, _| {}, set);
    let mut inside = server.client();
    assert_eq!(inside.ask("x"), "x");
    let hellos: Vec<_> = (0..STORM)
        .map(|_| {
            let mut hello = Vec::new();
            session(usual(server.roots())).write_tls(&mut hello).unwrap();
            (connect(server.address), hello)
        })
        .collect();
    let over = AtomicBool::new(false);
    let mut longest = Duration::ZERO;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for (stream, hello) in &hellos {
                (&*stream).write_all(hello).unwrap();
            }
            over.store(true, Ordering::Relaxed);
        });
        let deadline = Instant::now() + PATIENCE;
        while !over.load(Ordering::Relaxed) {
            assert!(Instant::now() < deadline);
            let began = Instant::now();
            assert_eq!(inside.ask("am I served?"), "am I served?");
            longest = longest.max(began.elapsed());
        }
    });
    until(|| server.metric("stentor_tls_handshaking") == STORM as u64);
    (longest, server.metric("stentor_tls_handshakes_postponed_total"))
}

#[test]
fn who_is_in_is_served_while_others_come_in() {
    // The control: with all the time of the world nothing is ever left over.
    let (_, never) = longest_during_storm(Duration::from_secs(3600));
    assert_eq!(never, 0);
    let (longest, postponed) = longest_during_storm(Duration::ZERO);
    assert!(postponed > 0, "one handshake each turn, the others wait");
    assert!(longest < Duration::from_secs(5), "{longest:?}");
}
