//! Row 3: the full server. A `publish` of 64 bytes, with its checks and its offset, to a thousand
//! users over WebSocket and over lines; null gives each as many bytes as the server does.

use std::time::Duration;

use super::echo::WARM_UP;
use super::fan::SUBSCRIBERS;
use super::{Measure, Row};
use crate::contestant::Contestant;
use crate::load::fan::Fan;
use crate::messenger::{Messenger, publication};
use crate::system::{Outcome, Sample, measure};
use crate::talk::{Door, framed};
use crate::wire::Framing;

const ROWS: [(&str, Door, usize); 4] = [
    ("publish-ws-1", Door::WebSocket, 1),
    ("publish-ws-16", Door::WebSocket, 16),
    ("publish-lines-1", Door::Lines, 1),
    ("publish-lines-16", Door::Lines, 16),
];

/// Runs those that are wanted.
pub(crate) fn run(
    messenger: &Messenger,
    wants: impl Fn(&str) -> bool,
    rounds: usize,
    span: Duration,
) -> Outcome<()> {
    for (name, door, in_flight) in ROWS.into_iter().filter(|(name, ..)| wants(name)) {
        let message = framed(door, publication().as_bytes());
        let (_, given) = sample(messenger, door, &message, in_flight, WARM_UP)?;
        let null = Contestant::null(&["fan", &message.len().to_string(), &given.to_string()])?;
        let (null, message) = (&null, &message);
        let row = Row {
            name,
            unit: "delivery",
            done: 0.90,
            aim: 0.95,
            null: Box::new(move || sample_null(null, given, message, in_flight, span)),
            contestants: vec![(
                format!("stentor ({given} B)"),
                Box::new(move || Ok(sample(messenger, door, message, in_flight, span)?.0))
                    as Measure<'_>,
            )],
        };
        row.run(rounds)?;
    }
    Ok(())
}

/// A measurement, and how many bytes a delivery has on the wire.
fn sample(
    messenger: &Messenger,
    door: Door,
    message: &[u8],
    in_flight: usize,
    span: Duration,
) -> Outcome<(Sample, usize)> {
    let server = messenger.start()?;
    let (publisher, subscribers) = messenger.audience(&server, door, SUBSCRIBERS)?;
    let framing = if door == Door::Lines { Framing::Byte(b'\n') } else { Framing::WebSocket };
    let mut load = Fan::new(publisher, subscribers, message, in_flight, framing)?;
    load.run(WARM_UP)?;
    let bytes_before = load.received_bytes;
    let sample = measure(&server, || load.run(span))?;
    let each = (load.received_bytes - bytes_before) as f64 / sample.count as f64;
    Ok((sample, each.round() as usize))
}

fn sample_null(
    null: &Contestant,
    given: usize,
    message: &[u8],
    in_flight: usize,
    span: Duration,
) -> Outcome<Sample> {
    let server = null.start()?;
    let mut streams = null.connect(&server, SUBSCRIBERS + 1)?;
    let publisher = streams.pop().ok_or("no connection")?;
    let mut load = Fan::new(publisher, streams, message, in_flight, Framing::Fixed(given))?;
    load.run(WARM_UP)?;
    Ok(measure(&server, || load.run(span))?)
}
