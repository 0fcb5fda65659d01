//! Latency at a fixed rate: half of what null does with one message in flight is a busy server.

use std::time::Duration;

use crate::contestant::Contestant;
use crate::load::latency;
use crate::system::Outcome;

const CONNECTIONS: usize = 100;
const PAYLOAD: usize = 64;
const PER_SECOND: f64 = 40_000.0;

pub(crate) fn run(null: &Contestant, all: &[Contestant], span: Duration) -> Outcome<()> {
    println!(
        "\nEchoes of 64 B at {PER_SECOND} a second on {CONNECTIONS} connections, µs from when each was due:\n"
    );
    println!("| who | p50 | p90 | p99 | p99.9 | most |\n|---|---|---|---|---|---|");
    for who in std::iter::once(null).chain(all) {
        let server = who.start()?;
        let message = who.framed(&[b'x'; PAYLOAD]);
        let warm_up = who.connect(&server, CONNECTIONS)?;
        latency::run(warm_up, &message, who.answer(PAYLOAD), PER_SECOND, span / 4)?;
        let streams = who.connect(&server, CONNECTIONS)?;
        let times = latency::run(streams, &message, who.answer(PAYLOAD), PER_SECOND, span)?;
        let us = |part: f64| times.value_at_quantile(part) as f64 / 1e3;
        println!(
            "| {} | {:.1} | {:.1} | {:.1} | {:.1} | {:.1} |",
            who.name,
            us(0.5),
            us(0.9),
            us(0.99),
            us(0.999),
            times.max() as f64 / 1e3
        );
    }
    Ok(())
}
