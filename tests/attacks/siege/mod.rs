//! A row of the catalogue that attacks a parser, described once and run in every way: whole, in two
//! pieces cut at every byte, byte by byte; each on a plain connection and over TLS.
//!
//! Law: the pieces are read one by one (`arrival.rs`), the answer is the one described and, but for
//! ids and times, the same in every way; the counters of refusals move by exactly what is described
//! for each run. Limit: long attacks are not cut everywhere (`way.rs`).

mod arrival;
pub(crate) mod certificate;
mod controls;
mod counters;
mod way;
mod wire;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use rustls::ClientConfig;

use crate::peer::{get_once, page};
use crate::server::Server;
use arrival::Kernel;
use counters::Counters;
pub(crate) use way::Door;
use way::{Cut, Way};
use wire::Wire;

/// Reports of more failures say nothing new.
const FAILURES_MAX: usize = 4;

const HANDSHAKES: &str = "stentor_tls_handshakes_total";
const PAGES: &str = "stentor_http_answers_total{endpoint=\"metrics\"}";

/// Panics when an answer is not the one.
type Expect = Box<dyn Fn(&[u8])>;

/// What is sent, and what must be the answer.
pub(crate) struct Attack {
    before: Vec<u8>,
    bytes: Vec<u8>,
    ends: bool,
    doors: Vec<Door>,
    counted: Vec<(String, u64)>,
    expect: Expect,
}

impl Attack {
    /// Of these bytes; `expect` panics if that is not the answer, which ends when the server closes.
    pub(crate) fn new(bytes: impl Into<Vec<u8>>, expect: impl Fn(&[u8]) + 'static) -> Self {
        Self {
            before: Vec::new(),
            bytes: bytes.into(),
            ends: false,
            doors: Door::ALL.to_vec(),
            counted: Vec::new(),
            expect: Box::new(expect),
        }
    }

    /// Comes behind these bytes, which are not cut.
    pub(crate) fn after(mut self, before: impl Into<Vec<u8>>) -> Self {
        self.before = before.into();
        self
    }

    /// The client closes its side behind the last byte.
    pub(crate) fn ending(mut self) -> Self {
        self.ends = true;
        self
    }

    /// Cannot be run on the other door.
    pub(crate) fn only(mut self, door: Door) -> Self {
        self.doors = vec![door];
        self
    }

    /// Each run moves this counter of refusals, its labels are part of the name, so many times.
    pub(crate) fn counted(mut self, counter: &str, times: u64) -> Self {
        self.counted.push((counter.to_owned(), times));
        self
    }

    fn ways(&self) -> impl Iterator<Item = Way> + '_ {
        let ways = self.doors.iter().flat_map(|door| Way::all(*door, self.bytes.len()));
        // A cut in front of everything is none.
        ways.filter(|way| way.cut != Cut::At(0) || !self.before.is_empty())
    }

    /// One run; what the server said.
    fn run(&self, target: &Target<'_>, way: Way) -> Result<Vec<u8>, String> {
        let tls = (way.door == Door::Tls).then_some(&target.tls);
        let mut wire = Wire::open(target.address, tls);
        for (index, piece) in way.cut.pieces(self.bytes.len()).into_iter().enumerate() {
            match index {
                0 => wire.send(&[&self.before[..], &self.bytes[piece]].concat()),
                _ => {
                    wire.settle(target.kernel);
                    wire.send(&self.bytes[piece]);
                }
            }
        }
        if self.ends {
            wire.end();
        }
        wire.rest()
    }

    /// What is wrong with an answer.
    fn judge(&self, said: &[u8], usual: Option<&String>) -> Result<(), String> {
        let judged = catch_unwind(AssertUnwindSafe(|| (self.expect)(said)));
        judged.map_err(|panic| {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("not as expected").to_owned()
        })?;
        match usual {
            Some(usual) if *usual != blur(said) => Err(format!("whole, it is answered {usual}")),
            _ => Ok(()),
        }
    }
}

/// Whom the attacks are for.
struct Target<'a> {
    address: &'a str,
    tls: Arc<ClientConfig>,
    kernel: &'a Kernel,
}

/// What came of it.
#[derive(Default)]
struct Outcome {
    failures: Vec<String>,
    /// Runs over TLS.
    handshakes: u64,
    /// By how much each counter must have moved.
    counted: BTreeMap<String, u64>,
}

/// Runs every attack in every way, one connection after the other.
fn besiege(target: &Target<'_>, attacks: &[Attack]) -> Outcome {
    let mut outcome = Outcome::default();
    for attack in attacks {
        let mut usual = None;
        for way in attack.ways() {
            let answer = attack.run(target, way);
            outcome.handshakes += u64::from(way.door == Door::Tls);
            for (name, times) in &attack.counted {
                *outcome.counted.entry(name.clone()).or_default() += times;
            }
            let judged = answer.and_then(|said| {
                attack
                    .judge(&said, usual.as_ref())
                    .map_err(|wrong| format!("{wrong}\n  said: {}", said.escape_ascii()))?;
                usual.get_or_insert_with(|| blur(&said));
                Ok(())
            });
            if let Err(wrong) = judged {
                let bytes = attack.bytes[..attack.bytes.len().min(400)].escape_ascii();
                let length = attack.bytes.len();
                outcome.failures.push(format!("{way} of {length}: {bytes}\n  {wrong}"));
                if outcome.failures.len() == FAILURES_MAX {
                    return outcome;
                }
                if way.cut == Cut::Whole {
                    break;
                }
            }
        }
    }
    outcome
}

/// An answer without what is never the same twice: ids and times.
fn blur(said: &[u8]) -> String {
    let text = said.escape_ascii().to_string();
    let mut blurred = String::new();
    let mut run = String::new();
    for character in text.chars().chain(['\n']) {
        if character.is_ascii_hexdigit() || "-:.TZ".contains(character) {
            run.push(character);
            continue;
        }
        let unique = run.len() >= 13 && run.contains(|c: char| c.is_ascii_digit());
        blurred.push_str(if unique { "*" } else { &run });
        blurred.push(character);
        run.clear();
    }
    blurred
}

/// Status and body of a page, by TLS.
pub(crate) fn https_get(address: &str, path: &str) -> (u16, String) {
    let mut wire = Wire::open(address, Some(&certificate::trusting()));
    wire.send(get_once(path).as_bytes());
    page(wire.rest().expect("an answer"))
}

impl Server {
    /// Runs every attack in every way; panics with the ways that went wrong.
    pub(crate) fn endures(&self, attacks: &[Attack]) {
        let kernel = Kernel::open();
        let tls = certificate::trusting();
        let target = Target { address: &self.address, tls, kernel: &kernel };
        let before = Counters::of(&self.metrics());
        let mut outcome = besiege(&target, attacks);
        assert!(outcome.failures.is_empty(), "{}", outcome.failures.join("\n"));
        // And the page itself is asked for once more, sometimes by TLS.
        let handshakes = outcome.handshakes + u64::from(self.is_secret());
        for (counter, times) in [(HANDSHAKES, handshakes), (PAGES, 1)] {
            *outcome.counted.entry(counter.to_owned()).or_default() += times;
        }
        let wrong = Counters::of(&self.metrics()).unlike(&before, &outcome.counted);
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}
