//! Row 1: echoes on 100 connections.

use std::time::Duration;

use super::{Measure, Row};
use crate::contestant::Contestant;
use crate::load::echo::Echoers;
use crate::system::{Outcome, Sample, measure};
use crate::talk::{Door, framed};
use crate::wire::Framing;

const CONNECTIONS: usize = 100;
/// Before it counts: caches fill, buffers grow.
pub(crate) const WARM_UP: Duration = Duration::from_millis(100);

/// Payload, in flight, done, aim.
const ROWS: [(&str, usize, usize, f64, f64); 3] = [
    ("echo-64-1", 64, 1, 0.96, 0.99),
    ("echo-64-16", 64, 16, 0.98, 1.00),
    ("echo-16k-1", 16_384, 1, 0.92, 0.95),
];

/// The rows, to be run one after the other.
pub(crate) fn rows<'a>(
    null: &'a Contestant,
    all: &'a [Contestant],
    span: Duration,
) -> impl Iterator<Item = Row<'a>> {
    ROWS.into_iter().map(move |(name, payload, in_flight, done, aim)| {
        let of = move |who: &'a Contestant| -> Measure<'a> {
            Box::new(move || sample(who, payload, in_flight, span))
        };
        let contestants = all.iter().map(|who| (who.name.clone(), of(who))).collect();
        Row { name, unit: "echo", done, aim, null: of(null), contestants }
    })
}

fn sample(who: &Contestant, payload: usize, in_flight: usize, span: Duration) -> Outcome<Sample> {
    let server = who.start()?;
    let streams = who.connect(&server, CONNECTIONS)?;
    // Null gets what the others get, frames of a client, and gives all of it back.
    let message = framed(Door::WebSocket, &vec![b'x'; payload]);
    let answer = match who.door {
        Door::Raw => Framing::Fixed(message.len()),
        _ => who.answer(payload),
    };
    let mut load = Echoers::new(streams, &message, in_flight, answer)?;
    load.run(WARM_UP)?;
    Ok(measure(&server, || load.run(span))?)
}
