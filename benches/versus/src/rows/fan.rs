//! Row 2: what one says, a thousand hear, without any protocol above the frames.

use std::time::Duration;

use super::echo::WARM_UP;
use super::{Measure, Row};
use crate::contestant::Contestant;
use crate::load::fan::Fan;
use crate::system::{Outcome, Sample, measure};
use crate::talk::Door;
use crate::wire::Framing;

pub(crate) const SUBSCRIBERS: usize = 1000;
pub(crate) const PAYLOAD: usize = 64;

/// The null program: a subscriber gets as many bytes as `who` sends it for each that comes.
pub(crate) fn null(who: &Contestant) -> Outcome<Contestant> {
    let taken = who.framed(&[b'x'; PAYLOAD]).len().to_string();
    Contestant::null(&["fan", &taken, &who.answer_bytes(PAYLOAD).to_string()])
}

/// The rows, to be run one after the other.
pub(crate) fn rows<'a>(
    null: &'a Contestant,
    all: &'a [Contestant],
    span: Duration,
) -> impl Iterator<Item = Row<'a>> {
    [("fan-1", 1), ("fan-16", 16)].into_iter().map(move |(name, in_flight)| {
        let of = move |who: &'a Contestant, like: &'a Contestant| -> Measure<'a> {
            Box::new(move || sample(who, like, in_flight, span))
        };
        let contestants = all.iter().map(|who| (who.name.clone(), of(who, who))).collect();
        let null = of(null, &all[0]);
        Row { name, unit: "delivery", done: 0.93, aim: 0.97, null, contestants }
    })
}

/// `like` is whose bytes are sent and counted; null does not care.
fn sample(
    who: &Contestant,
    like: &Contestant,
    in_flight: usize,
    span: Duration,
) -> Outcome<Sample> {
    let server = who.start()?;
    let subscribers = who.subscribe(&server, SUBSCRIBERS)?;
    let publisher = who.connect(&server, 1)?.remove(0);
    let message = like.framed(&[b'x'; PAYLOAD]);
    // What null gives is of the same length, and means nothing.
    let delivery = match who.door {
        Door::Raw => Framing::Fixed(like.answer_bytes(PAYLOAD)),
        _ => who.answer(PAYLOAD),
    };
    let mut load = Fan::new(publisher, subscribers, &message, in_flight, delivery)?;
    load.run(WARM_UP)?;
    Ok(measure(&server, || load.run(span))?)
}
