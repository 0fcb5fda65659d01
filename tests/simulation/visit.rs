//! A visitor by HTTP: a few requests at once on one connection, and what must come back.
//!
//! Law: responses come in the order of requests, framed by `Content-Length` (RFC 9112 section 6.3),
//! with the status of the table. Limit: a server may close an idle connection whenever it likes
//! (RFC 9112 section 9.5), so only young connections must answer.

use std::collections::VecDeque;
use std::time::Duration;

use crate::client::{Client, Io};
use crate::faults::Fault;
use crate::law::Law;
use crate::link::Piece;
use crate::world::{Event, Phase, World};

/// What is asked for, and the status that answers.
const REQUESTS: [(&str, u16); 10] = [
    ("GET /healthz", 200),
    ("HEAD /healthz", 200),
    ("GET /readyz", 200),
    ("POST /healthz", 405),
    ("GET /nothing/here", 404),
    ("GET /ws", 426),
    ("GET /healthz?a=b", 200),
    ("HEAD /nothing", 404),
    ("GET /metrics", 200),
    ("GET *", 400),
];

/// A connection this young has no reason to end before its responses came.
const YOUNG: Duration = Duration::from_secs(4);

/// What a visitor knows.
pub(crate) struct Visit {
    rest: Vec<u8>,
    asked: VecDeque<(&'static str, u16)>,
    since: Duration,
    rounds: u8,
    /// The server has said that it closes.
    over: bool,
}

impl Visit {
    pub(crate) const fn new(since: Duration) -> Self {
        Self { rest: Vec::new(), asked: VecDeque::new(), since, rounds: 0, over: false }
    }
}

/// A response's status, whether it says that the connection ends, and where it ends itself.
fn response(bytes: &[u8], head: bool) -> Result<Option<(u16, bool, usize)>, &'static str> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let text = std::str::from_utf8(&bytes[..end]).map_err(|_| "a head that is no text")?;
    let mut lines = text.split("\r\n");
    let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 "));
    let status = status.and_then(|rest| rest.get(..3)?.parse().ok()).ok_or("no status line")?;
    let (mut length, mut closes) = (None, false);
    for line in lines {
        let (name, value) = line.split_once(": ").ok_or("a field without a value")?;
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse::<usize>().ok(),
            "connection" => closes = value.eq_ignore_ascii_case("close"),
            _ => {}
        }
    }
    let body = if head { 0 } else { length.ok_or("a response without a length")? };
    let whole = end + 4 + body;
    Ok((bytes.len() >= whole).then_some((status, closes, whole)))
}

impl World {
    pub(crate) fn is_visiting(&self, c: usize) -> bool {
        matches!(self.clients[c].io, Io::Http(_))
    }

    /// A visitor asks for a few things, or goes when all was answered.
    pub(crate) fn visit(&mut self, c: usize) {
        let Client { io: Io::Http(visit), pipe: Some(pipe), .. } = &mut self.clients[c] else {
            return;
        };
        let pipe = *pipe;
        let waits = !visit.asked.is_empty() && self.phase == Phase::Storm;
        if waits && self.now.monotonic < visit.since + 4 * YOUNG {
            return self.schedule(1_000_000, Event::Act(c));
        }
        if visit.rounds == 3 || visit.over || waits || self.phase != Phase::Storm {
            self.end_up(pipe, Piece::Reset);
            return self.gone(c, true);
        }
        visit.rounds += 1;
        let mut bytes = Vec::new();
        for _ in 0..=self.rng.below(4) {
            let request = REQUESTS[self.rng.below(REQUESTS.len() as u64) as usize];
            let lines = format!("{} HTTP/1.1\r\nHost: h\r\n\r\n", request.0);
            bytes.extend_from_slice(lines.as_bytes());
            if let Io::Http(visit) = &mut self.clients[c].io {
                visit.asked.push_back(request);
            }
        }
        self.send_up(pipe, &bytes);
        if self.strikes(Fault::HalfClose) {
            self.end_up(pipe, Piece::End);
            if let Io::Http(visit) = &mut self.clients[c].io {
                visit.rounds = 3;
            }
        }
        self.schedule(1_000_000, Event::Act(c));
    }

    /// What the server has sent to a visitor.
    pub(crate) fn responses(&mut self, c: usize, bytes: &[u8]) {
        let Io::Http(visit) = &mut self.clients[c].io else { return };
        visit.rest.extend_from_slice(bytes);
        while !visit.rest.is_empty() {
            let (what, status) = visit.asked.front().copied().unwrap_or(("nothing", 0));
            let (got, closes, end) = match response(&visit.rest, what.starts_with("HEAD")) {
                Ok(None) => return,
                Ok(Some(found)) => found,
                Err(why) => return self.model.violation(Law::Http, why),
            };
            self.model.checked(Law::Http);
            let young = self.now.monotonic < visit.since + YOUNG;
            let no_room = got == 503
                && (self.plan.rates.of(Fault::Descriptors) > 0
                    || what == "GET /readyz" && self.plan.rates.of(Fault::Drain) > 0);
            let late = got == 408 && !young;
            if got != status && !no_room && !late {
                let whole = String::from_utf8_lossy(&visit.rest[..end]).into_owned();
                return self.model.violation(Law::Http, &format!("{what} got {whole}"));
            }
            visit.asked.pop_front();
            visit.rest.drain(..end);
            visit.over |= closes;
            if visit.over {
                visit.asked.clear();
            }
        }
    }

    /// The server has ended the stream of a visitor.
    pub(crate) fn visit_ended(&mut self, c: usize) {
        let Io::Http(visit) = &self.clients[c].io else { return };
        let young = self.now.monotonic < visit.since + YOUNG;
        let waits = !visit.asked.is_empty() || !visit.rest.is_empty();
        let drains = self.plan.rates.of(Fault::Drain) > 0;
        if young && waits && !visit.over && !drains {
            let what = format!("{:?} had no response", visit.asked);
            self.model.violation(Law::Http, &what);
        }
    }
}
