//! Any sequence of what can happen to some connections, against what a peer has to see of it.

use std::convert::Infallible;
use std::time::Duration;

use super::broadcast::framed;
use super::stage::{Script, UPGRADE};
use crate::base::id::{ConnectionId, LoopId};
use crate::base::now::Now;
use crate::engine::{Accepted, Config, Engine, Input, Output, Outputs};
use crate::handler::{Close, Door, Peer};
use crate::metrics::Registry;
use crate::protocol::websocket::{Decoder, Event, Limits, Opcode, Payload, Role, encoder};

/// How many connections there are in all.
const EVERYONE: usize = 10;

/// Each connection hears what its peers had it sent, in order, nothing twice, nothing after its end,
/// and all of it while it stays; the handler hears what was said, the same way; bytes are counted, and
/// what the engine has forgotten is gone.
///
/// Input: steps of three octets: what happens, to whom, how much of it.
///
/// # Panics
///
/// When a law is broken.
pub fn session_ops(data: &[u8]) {
    law(data, |_| {});
}

/// How the law tampers with what went over a wire: not at all, or to be seen to fail.
type Tamper = fn(&mut Vec<u8>);

fn law(data: &[u8], tamper: Tamper) {
    let mut stage = Stage::new();
    for step in data.chunks_exact(3).take(300) {
        stage.step(step[0], usize::from(step[1]), usize::from(step[2]));
        stage.check();
    }
    stage.come_to_rest();
    for client in &mut stage.clients {
        tamper(&mut client.taken);
    }
    stage.judge();
}

/// One peer, as its driver and the network see it.
struct Client {
    id: ConnectionId,
    /// How it speaks, once it has begun to.
    door: Option<Door>,
    /// What it says, message by message.
    said: Vec<Vec<u8>>,
    /// Of that, in bytes, what is on its way.
    coming: Vec<u8>,
    /// What it got.
    taken: Vec<u8>,
    /// It says what has no meaning, or asks as HTTP does.
    strange: bool,
    finished: bool,
    reading: bool,
    shut: bool,
    gone: bool,
}

struct Stage {
    engine: Engine<Script>,
    out: Outputs<Script>,
    now: Now,
    clients: Vec<Client>,
}

impl Stage {
    fn new() -> Self {
        let config = Config {
            outbox_bytes: 600,
            outbox_soft_bytes: 300,
            message_bytes: 200,
            parts_per_message: 4,
            ..Config::default()
        };
        let handler = Script { farewell: true, ..Script::default() };
        let now = Now { monotonic: Duration::from_secs(1), unix_ms: 0 };
        let engine = Engine::new(config, LoopId(0), 1, handler, &Registry::new());
        Self { engine, out: Outputs::default(), now, clients: Vec::new() }
    }

    fn step(&mut self, what: u8, who: usize, much: usize) {
        if self.clients.is_empty() || what & 0x0f == 0 {
            return self.accept(much);
        }
        let who = who % self.clients.len();
        let client = &mut self.clients[who];
        match what & 0x0f {
            1..=4 => client.say(what, much),
            5 if client.door == Some(Door::WebSocket) => {
                let opcode = if much < 200 { Opcode::Ping } else { Opcode::Close };
                encoder::encode_masked_into(&mut client.coming, opcode, &[3, 0xe8], [1, 2, 3, 4]);
            }
            5 | 6 if much >= 240 => {
                client.strange = true;
                client.coming.push(what);
            }
            5..=8 => self.deliver(who, if much == 0 { usize::MAX } else { much }, what & 0x10 == 0),
            9..=11 => self.transmit(who, if much == 0 { usize::MAX } else { much * 4 }),
            12 => self.pass(Duration::from_millis(1 << (much % 18))),
            13 if !client.finished && !client.gone => {
                client.finished = true;
                let connection = client.id;
                if much >= 200 {
                    self.input(Input::Truncated { connection });
                }
                self.input(Input::Finished { connection });
            }
            14 if much >= 128 && !client.gone => {
                client.gone = true;
                let connection = client.id;
                self.input(Input::Lost { connection });
            }
            15 if much >= 240 => self.input(Input::Drain { over: Duration::from_secs(2) }),
            _ => self.deliver(who, usize::MAX, true),
        }
    }

    fn accept(&mut self, much: usize) {
        if self.clients.len() == EVERYONE {
            return;
        }
        let peer = Peer::from(std::net::SocketAddr::from(([192, 0, 2, 1], 1)));
        let refused = (much >= 240).then(|| Close::new(4100, "full"));
        let id = self.engine.accept(self.now, Accepted { peer, refused }, &mut self.out);
        assert!(self.clients.iter().all(|other| other.id != id), "an id is used once");
        self.clients.push(Client {
            id,
            door: None,
            said: Vec::new(),
            coming: Vec::new(),
            taken: Vec::new(),
            strange: false,
            finished: false,
            reading: true,
            shut: false,
            gone: false,
        });
        self.drive();
    }

    fn input(&mut self, input: Input<'_, Script>) {
        self.engine.input(self.now, input, &mut self.out);
        self.drive();
    }

    /// Some of what a client says arrives; the kernel takes what is lent, or half of it.
    fn deliver(&mut self, who: usize, much: usize, all: bool) {
        let client = &mut self.clients[who];
        if client.gone || client.finished || client.coming.is_empty() {
            return;
        }
        let much = much.min(client.coming.len());
        let mut bytes: Vec<u8> = client.coming.drain(..much).collect();
        let connection = client.id;
        let input = Input::Received { connection, bytes: &mut bytes };
        self.engine.input(self.now, input, &mut self.out);
        if let Some(lent) = self.out.lent.take() {
            let lent = &bytes[lent];
            let (taken, rest) = lent.split_at(if all { lent.len() } else { lent.len() / 2 });
            self.clients[who].taken.extend_from_slice(taken);
            if !rest.is_empty() {
                self.engine.refused(connection, rest);
            }
        }
        self.drive();
    }

    /// The kernel takes some of what is queued.
    fn transmit(&mut self, who: usize, much: usize) {
        let client = &mut self.clients[who];
        let queued: Vec<u8> = self.engine.queued(client.id).flatten().copied().collect();
        assert!(queued.is_empty() || !client.shut, "nothing is said behind the end");
        let much = much.min(queued.len());
        client.taken.extend_from_slice(&queued[..much]);
        let offered = self.engine.offer(self.now, client.id, |only| {
            assert_eq!(only, queued, "what lies in one piece is all");
            Ok::<_, Infallible>(much)
        });
        if offered.is_none() {
            self.engine.sent(self.now, client.id, much, &mut self.out);
        }
        self.drive();
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now.monotonic + time;
        let mut wakes = 0;
        while let Some(at) = self.engine.next_deadline().filter(|at| *at <= end) {
            wakes += 1;
            assert!(wakes < 10_000, "woken again and again for nothing: {:?}", self.now);
            self.now.monotonic = self.now.monotonic.max(at);
            self.input(Input::Time);
        }
        self.now.monotonic = end;
        self.input(Input::Time);
    }

    fn drive(&mut self) {
        for output in std::mem::take(&mut self.out.list) {
            let (Output::Transmit(id)
            | Output::Pause(id)
            | Output::Resume(id)
            | Output::Shutdown(id)
            | Output::Close(id)) = &output
            else {
                continue;
            };
            let place = self.clients.iter_mut().find(|client| client.id == *id);
            // What is told of one that is accepted, before its id is known, is of no account here.
            let Some(client) = place else { continue };
            match output {
                Output::Pause(_) => assert!(std::mem::replace(&mut client.reading, false)),
                Output::Resume(_) => assert!(!std::mem::replace(&mut client.reading, true)),
                Output::Shutdown(_) => assert!(!std::mem::replace(&mut client.shut, true)),
                Output::Close(_) => {
                    assert!(!std::mem::replace(&mut client.gone, true), "closed once");
                }
                _ => assert!(!client.gone, "nothing is done to one that is gone"),
            }
        }
    }

    fn check(&self) {
        self.engine.check_invariants();
        let here = self.clients.iter().filter(|client| !client.gone).count();
        assert_eq!(self.engine.len(), here, "who is not gone is there");
        for client in &self.clients {
            let queued: usize = self.engine.queued(client.id).map(<[u8]>::len).sum();
            assert_eq!(self.engine.queued_bytes(client.id), queued, "bytes are counted");
            assert!(!client.gone || queued == 0, "nothing is queued for nobody");
        }
    }

    /// Everything that is on its way arrives, until nothing more happens.
    fn come_to_rest(&mut self) {
        let moved = |stage: &Self| -> usize {
            let heard = stage.engine.handler().all.iter().map(|seen| seen.heard.len());
            stage.clients.iter().map(|client| client.taken.len()).sum::<usize>()
                + heard.sum::<usize>()
        };
        for round in 0.. {
            assert!(round < 1000, "it does not come to rest");
            let before = moved(self);
            for who in 0..self.clients.len() {
                self.deliver(who, usize::MAX, true);
                self.transmit(who, usize::MAX);
            }
            // Long enough for a pause to end.
            self.pass(Duration::from_millis(1100));
            for who in 0..self.clients.len() {
                self.transmit(who, usize::MAX);
            }
            self.check();
            if moved(self) == before {
                return;
            }
        }
    }

    fn judge(&self) {
        for client in &self.clients {
            let Some(seen) = self.engine.handler().of(client.id) else { continue };
            let (Some(door), false) = (client.door, client.strange) else { continue };
            // What ends before it is known to be a request was a line.
            if client.finished && seen.heard.first().is_some_and(|one| UPGRADE.starts_with(one)) {
                continue;
            }
            let stays = !client.gone && !client.shut && !client.finished;
            let (got, ended) = client.got(door);
            assert!(seen.asked.starts_with(&got), "{:?}: {got:?} of {:?}", client.id, seen.asked);
            let open = stays && !ended;
            assert!(!open || got == seen.asked, "{:?} misses something: {got:?}", client.id);
            let (last, before) = match seen.heard.split_last() {
                Some((last, before)) => (&last[..], before),
                None => (&b""[..], &[][..]),
            };
            assert!(client.said.starts_with(before), "{:?} is heard otherwise", client.id);
            // A line that was cut by the end of the stream is one (SPEC §2).
            let said = client.said.get(before.len()).map(Vec::as_slice).unwrap_or_default();
            let cut = client.finished && door == Door::Lines && said.starts_with(last);
            assert!(
                last == said || seen.heard.is_empty() || cut,
                "{:?} is heard otherwise",
                client.id
            );
            assert!(
                !open || seen.heard == client.said,
                "{:?} is not heard: {:?}",
                client.id,
                client.said
            );
            assert_eq!(seen.closed, client.gone, "the handler knows who is there");
        }
    }
}

impl Client {
    /// A message of the script; the first one is behind what makes the door.
    fn say(&mut self, what: u8, much: usize) {
        const LETTERS: &[u8; 16] = b"aaosttteeecfpwl.";
        let door = match self.door {
            Some(door) => door,
            None if what >= 0xf0 => {
                self.strange = true;
                self.coming.extend_from_slice(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
                return;
            }
            None if what & 0x20 == 0 => {
                self.said.push(b"{}".to_vec());
                self.coming.extend_from_slice(b"{}\n");
                *self.door.insert(Door::Lines)
            }
            None => {
                self.coming.extend_from_slice(UPGRADE);
                *self.door.insert(Door::WebSocket)
            }
        };
        let letter = char::from(LETTERS[much & 0x0f]);
        let width = usize::from(what >> 5) * 9;
        let text = format!("{letter}{} {:width$}", much >> 4, self.said.len()).into_bytes();
        self.coming.extend(framed(door, &text));
        self.said.push(text);
    }

    /// The messages it got, and whether a Close frame came behind them.
    fn got(&self, door: Door) -> (Vec<Vec<u8>>, bool) {
        if door == Door::Lines {
            let mut lines: Vec<_> =
                self.taken.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
            let rest = lines.pop().unwrap_or_default();
            assert!(rest.is_empty() || self.gone, "a line that does not end");
            return (lines, false);
        }
        let head = self.taken.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4);
        let mut bytes = head.map(|head| self.taken[head..].to_vec()).unwrap_or_default();
        let limits = Limits { message_bytes: 4096, parts_per_message: 1 };
        let (mut decoder, mut at, mut got) = (Decoder::new(Role::Client, limits), 0, Vec::new());
        loop {
            match decoder.decode(&mut bytes, &mut at) {
                Ok(Some(Event::Message { payload: Payload::Lent(range), .. })) => {
                    got.push(bytes[range].to_vec());
                }
                Ok(Some(Event::Message { .. })) => got.push(decoder.take_assembled()),
                Ok(Some(Event::Close(_))) => {
                    assert_eq!(at, bytes.len(), "nothing comes behind a Close frame");
                    return (got, true);
                }
                Ok(Some(_)) => {}
                Ok(None) => return (got, false),
                Err(error) => panic!("{:?} is sent what is no frame: {error:?}", self.id),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two come, one by each door; both speak, to each other and to all; some of it is read.
    const SEED: &[u8] = &[
        0, 0, 0, 0, 0, 0, 1, 0, 7, 0x21, 1, 0, 8, 0, 0, 8, 1, 0, 1, 0, 0x14, 0x21, 1, 3, 0x61, 1,
        0x18, 8, 0, 0, 8, 1, 9, 0x18, 1, 0, 9, 0, 3, 10, 1, 0, 5, 1, 0, 12, 0, 10,
    ];

    #[test]
    fn two_that_speak_obey() {
        session_ops(SEED);
    }

    #[test]
    #[should_panic(expected = "misses something")]
    fn a_message_that_is_lost_breaks_the_law() {
        law(SEED, |taken| {
            if taken.ends_with(b"\n") {
                let rest = taken[..taken.len() - 1].iter().rposition(|byte| *byte == b'\n');
                taken.truncate(rest.map_or(0, |rest| rest + 1));
            }
        });
    }

    #[test]
    #[should_panic(expected = " of ")]
    fn a_message_that_comes_twice_breaks_the_law() {
        law(SEED, |taken| {
            if taken.ends_with(b"\n") {
                let first = taken.iter().position(|byte| *byte == b'\n').unwrap_or_default();
                taken.extend_from_within(..=first);
            }
        });
    }
}
