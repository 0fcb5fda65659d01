//! Row 5: connections that come for one echo and go; null knows no handshake.

use std::time::Duration;

use super::echo::WARM_UP;
use super::{Measure, Row};
use crate::contestant::Contestant;
use crate::load::connect::{self, Visit};
use crate::system::{Outcome, Sample, measure};

const PAYLOAD: usize = 64;

pub(crate) fn row<'a>(null: &'a Contestant, all: &'a [Contestant], span: Duration) -> Row<'a> {
    let of = move |who: &'a Contestant| -> Measure<'a> { Box::new(move || sample(who, span)) };
    let contestants = all.iter().map(|who| (who.name.clone(), of(who))).collect();
    let null = of(null);
    Row { name: "connect", unit: "connection", done: 0.78, aim: 0.82, null, contestants }
}

fn sample(who: &Contestant, span: Duration) -> Outcome<Sample> {
    let server = who.start()?;
    let visit = Visit {
        upgrade: who.upgrade(),
        message: who.framed(&[b'x'; PAYLOAD]),
        echo_bytes: who.answer_bytes(PAYLOAD),
    };
    connect::run(server.address, &visit, WARM_UP)?;
    Ok(measure(&server, || connect::run(server.address, &visit, span))?)
}
