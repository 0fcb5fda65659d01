//! Readers that read when they like, of channels whose events may be dropped.

use std::time::Duration;

use super::source::{CLASSES, EPHEMERAL, Plant, Say, Source};
use crate::base::id::{ConnectionId, LoopId};
use crate::base::now::Now;
use crate::base::rng::Rng;
use crate::engine::{Accepted, Config, DeflateMode, Engine, Input, Output, Outputs};
use crate::handler::Peer;
use crate::metrics::Registry;
use crate::protocol::websocket::deflate::Settings;
use crate::protocol::websocket::handshake::client::Request;
use crate::protocol::websocket::{self, ConnectionEvent};

/// How often each of them is published to.
const CHOICE: &[u8; 16] = b"1112223334447756";
/// More than a gap takes here.
const GAP_BYTES: usize = 40;
const READERS: usize = 3;

/// Every reader sees every offset of a channel in order or is told the exact gap, at once or when it
/// has caught up; replies all come, nothing overtakes; what is queued stays within its bound; whoever
/// is closed has seen nothing wrong before.
///
/// Input: an octet for sizes and compression, then steps of three: what, of which, how much.
///
/// # Panics
///
/// When a law is broken.
pub fn slow_readers(data: &[u8]) {
    law(data, Plant::Nothing);
}

fn law(data: &[u8], plant: Plant) {
    let [first, steps @ ..] = data else { return };
    let mut scene = Scene::new(*first, plant);
    for step in steps.chunks_exact(3).take(200) {
        scene.step(step[0], step[1], usize::from(step[2]));
        scene.check();
    }
    scene.come_to_rest();
}

/// How a reader understands.
enum Ear {
    Lines(Vec<u8>),
    Web(Box<websocket::Connection>),
}

impl Ear {
    fn hear(&mut self, bytes: &mut [u8]) -> Vec<String> {
        match self {
            Self::Lines(rest) => {
                rest.extend_from_slice(bytes);
                let end = rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
                let whole: Vec<u8> = rest.drain(..end).collect();
                String::from_utf8_lossy(&whole).lines().map(str::to_owned).collect()
            }
            Self::Web(client) => {
                client.receive(bytes);
                let events = std::iter::from_fn(|| client.poll_event());
                let text = |event| match event {
                    ConnectionEvent::Text(text) => Some(text),
                    ConnectionEvent::Closed { .. } => None,
                    _ => None,
                };
                events.filter_map(text).collect()
            }
        }
    }
}

struct Reader {
    id: ConnectionId,
    ear: Ear,
    /// By channel, the offset that comes next.
    next: [u64; CLASSES.len()],
    /// Of what came last that is no gap.
    serial: u64,
    replies: usize,
    /// It was closed, so what it misses is no matter.
    over: bool,
    /// Bytes of replies since nothing was queued.
    reply_bytes: usize,
}

impl Reader {
    fn judge(&mut self, text: &str) {
        let words: Vec<&str> = text.split(' ').collect();
        let number = |at: usize| -> u64 {
            words.get(at).and_then(|word| word.parse().ok()).expect("a number")
        };
        let channel = || number(1) as usize;
        match words.first().copied() {
            Some("G") => {
                let (from, to) = (number(2), number(3));
                let next = &mut self.next[channel()];
                assert!(from == *next && to >= from, "{text}: {next} is missing next");
                *next = to + 1;
                return;
            }
            Some("E") if channel() == EPHEMERAL => {}
            Some("E") => {
                let next = &mut self.next[channel()];
                assert_eq!(*next, number(2), "{text}: told nothing of what is between");
                *next += 1;
            }
            Some("S") => {
                let next = self.next[channel()];
                assert_eq!(next, number(2) + 1, "{text}: told up to there");
                self.replies += 1;
            }
            Some("R") => self.replies += 1,
            _ => panic!("{text}: who said that?"),
        }
        let serial = number(if words[0] == "R" { 1 } else { 3 });
        assert!(serial > self.serial, "{text}: overtaken");
        self.serial = serial;
    }
}

struct Scene {
    engine: Engine<Source>,
    readers: Vec<Reader>,
    config: Config,
    now: Now,
    out: Outputs<Source>,
    replies: usize,
    widest: usize,
}

impl Scene {
    fn new(first: u8, plant: Plant) -> Self {
        let outbox_bytes = 600 + usize::from(first & 7) * 250;
        let soft = if first & 8 == 0 { outbox_bytes / 2 } else { outbox_bytes * 3 };
        let config = Config {
            outbox_bytes,
            outbox_soft_bytes: soft,
            deflate: DeflateMode::ALL[usize::from(first >> 4) % 3],
            deflate_min_bytes: 40,
            heartbeat_ms: 1 << 40,
            dead_ms: 1 << 40,
            ..Config::default()
        };
        let source = Source { readers: Vec::new(), tops: [0; CLASSES.len()], serial: 0, plant };
        let engine = Engine::new(config.clone(), LoopId(0), 1, source, &Registry::new());
        let now = Now { monotonic: Duration::from_secs(1), unix_ms: 0 };
        let mut scene = Self {
            engine,
            readers: Vec::new(),
            config,
            now,
            out: Outputs::default(),
            replies: 0,
            widest: 0,
        };
        (0..READERS).for_each(|place| scene.enter(place));
        scene
    }

    /// Lines, WebSocket, and WebSocket that would have it compressed.
    fn enter(&mut self, place: usize) {
        let peer = Peer::from(std::net::SocketAddr::from(([192, 0, 2, 1], 1)));
        let id = self.engine.accept(self.now, Accepted { peer, refused: None }, &mut self.out);
        let (mut hello, ear) = if place == 0 {
            (b"{}\n".to_vec(), Ear::Lines(Vec::new()))
        } else {
            let deflate = (place == 2).then_some(Settings::TAKEOVER);
            let config = websocket::Config { deflate, ..websocket::Config::default() };
            let request = Request { host: "a", target: "/", ..Request::default() };
            let rng = Rng::new(1);
            let client = websocket::Connection::client(config, &request, rng, Duration::ZERO);
            let mut client = client.expect("a good request");
            (client.take_output(), Ear::Web(Box::new(client)))
        };
        self.engine.input(
            self.now,
            Input::Received { connection: id, bytes: &mut hello },
            &mut self.out,
        );
        let mut reader = Reader {
            id,
            ear,
            next: [1; CLASSES.len()],
            serial: 0,
            replies: 0,
            over: false,
            reply_bytes: 0,
        };
        let mut bytes: Vec<u8> = self.engine.queued(id).flatten().copied().collect();
        self.engine.sent(self.now, id, bytes.len(), &mut self.out);
        assert!(reader.ear.hear(&mut bytes).is_empty(), "nothing was said yet");
        self.engine.handler_mut().readers.push(id);
        self.readers.push(reader);
    }

    fn say(&mut self, message: Say) {
        let input = Input::Peer { from: LoopId(0), message };
        self.engine.input(self.now, input, &mut self.out);
    }

    fn step(&mut self, what: u8, which: u8, much: usize) {
        let channel = usize::from(CHOICE[usize::from(which & 15)] - b'0');
        match what & 7 {
            0..=3 => {
                let times = if what & 0x80 == 0 { 1 } else { 1 + much % 16 };
                // What is gathered is one entry.
                let gathered = if CLASSES[channel].may_be_gathered() { times } else { 1 };
                self.widest = self.widest.max(gathered * (much + 40));
                self.say(Say::Publish { channel, times, width: much });
            }
            4 => {
                let width = much % 64;
                self.replies += 1;
                self.readers.iter_mut().for_each(|reader| reader.reply_bytes += width + 30);
                self.say(Say::Reply { width });
            }
            5 => {
                let bytes = much * (1 + usize::from(what >> 5));
                self.take(usize::from(which) % READERS, bytes);
            }
            6 => {
                self.now.monotonic += Duration::from_millis(much as u64 * 100);
                self.engine.input(self.now, Input::Time, &mut self.out);
            }
            _ if channel != EPHEMERAL && CLASSES[channel].may_be_dropped() => {
                self.replies += 1;
                self.readers.iter_mut().for_each(|reader| reader.reply_bytes += 30);
                self.say(Say::Settle { channel });
            }
            _ => {}
        }
        for output in std::mem::take(&mut self.out.list) {
            if let Output::Close(gone) = output {
                self.readers.iter_mut().filter(|reader| reader.id == gone).for_each(|reader| {
                    reader.over = true;
                });
            }
        }
    }

    fn take(&mut self, place: usize, most: usize) {
        let reader = &mut self.readers[place];
        let mut bytes: Vec<u8> = self.engine.queued(reader.id).flatten().copied().collect();
        bytes.truncate(most);
        self.engine.sent(self.now, reader.id, bytes.len(), &mut self.out);
        for text in reader.ear.hear(&mut bytes) {
            reader.judge(&text);
        }
        if self.engine.queued_bytes(reader.id) == 0 {
            reader.reply_bytes = 0;
        }
    }

    fn is_open(&self, reader: &Reader) -> bool {
        !reader.over
            && self
                .engine
                .connections
                .get(reader.id)
                .is_some_and(|found| found.stage == crate::engine::connection::Stage::Open)
    }

    fn check(&self) {
        self.engine.check_invariants();
        for reader in self.readers.iter().filter(|reader| self.is_open(reader)) {
            let events = self.config.outbox_bytes.max(self.widest);
            let most = events + reader.reply_bytes + CLASSES.len() * GAP_BYTES;
            let queued = self.engine.queued_bytes(reader.id);
            assert!(queued <= most, "{queued} bytes are queued where {most} are the most");
        }
    }

    /// Everybody catches up, and misses nothing that it was not told of.
    fn come_to_rest(&mut self) {
        for place in 0..READERS {
            while self.engine.queued_bytes(self.readers[place].id) > 0 {
                self.take(place, usize::MAX);
            }
            let reader = &self.readers[place];
            if !self.is_open(reader) {
                continue;
            }
            assert_eq!(reader.replies, self.replies, "reader {place}: every reply comes");
            let tops = self.engine.handler().tops;
            for (channel, top) in tops.iter().enumerate().take(EPHEMERAL) {
                let next = reader.next[channel];
                assert_eq!(next, top + 1, "reader {place} misses the end of channel {channel}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn random(rng: &mut Rng, kinds: &[u8]) -> Vec<u8> {
        let steps = 20 + rng.below(180);
        let mut data = vec![rng.below(256) as u8];
        for _ in 0..steps {
            let kind = kinds[rng.below(kinds.len() as u64) as usize] | (rng.below(8) as u8) << 5;
            data.extend([kind, rng.below(256) as u8, rng.below(256) as u8]);
        }
        data
    }

    #[test]
    fn slow_readers_are_told_of_every_gap() {
        let mut rng = Rng::new(11);
        for round in 0..200 {
            // Mostly publications, or mostly reading.
            let kinds: &[u8] =
                if round % 2 == 0 { &[0, 1, 2, 3, 5, 6, 7] } else { &[0, 0, 4, 5, 5, 7] };
            slow_readers(&random(&mut rng, kinds));
        }
    }

    /// What a planted bug does to the same scripts.
    fn caught(plant: Plant) -> bool {
        let mut rng = Rng::new(11);
        (0..200).any(|_| {
            let data = random(&mut rng, &[0, 1, 2, 3, 5, 6, 7]);
            std::panic::catch_unwind(|| law(&data, plant)).is_err()
        })
    }

    #[test]
    fn a_gap_that_is_not_told_or_not_exact_breaks_the_law() {
        for plant in [Plant::Silent, Plant::Short, Plant::Unsettled] {
            assert!(caught(plant), "{plant:?}");
        }
        assert!(!caught(Plant::Nothing));
    }
}
