//! The engine with a handler of a few words, on a clock that the tests move.

mod heartbeats;
mod requests;
mod sent;
mod unfinished;

use std::convert::Infallible;
use std::time::Duration;

use super::{Accepted, Config, Engine, Input, Output, Outputs};
use crate::base::id::{ConnectionId, LoopId};
use crate::base::now::Now;
use crate::handler::{Class, Close, Context, Door, Handler, Message, Opening, Peer, Segment, Tag};
use crate::metrics::Registry;
use crate::protocol::http::{Request, Response};
use crate::protocol::websocket::{Opcode, encoder};

/// Echoes what it hears, and does what some words say.
#[derive(Debug, Default)]
struct Words {
    opened: Vec<Door>,
    closed: usize,
    sent: usize,
    pending: Option<ConnectionId>,
}

fn say(cx: &mut Context<'_, Words>, to: ConnectionId, text: &str, class: Class) {
    let mut draft = cx.draft();
    draft.payload().extend_from_slice(text.as_bytes());
    let frame = draft.finish(Opcode::Text);
    cx.send(to, Segment::Own(frame), Tag { class, ..Tag::REPLY });
}

impl Handler for Words {
    type Job = Infallible;
    type Done = Infallible;
    type Peer = &'static str;
    type Timer = ConnectionId;

    fn open(&mut self, cx: &mut Context<'_, Self>, id: ConnectionId, opening: &Opening) {
        self.opened.push(opening.door);
        say(cx, id, "hello", Class::Reply);
    }

    fn message(&mut self, cx: &mut Context<'_, Self>, id: ConnectionId, message: Message<'_>) {
        match message.bytes {
            b"wait" => {
                cx.pause(id);
                cx.set_timer(Duration::from_secs(1), id);
            }
            b"flood" => (0..40).for_each(|_| say(cx, id, &"x".repeat(50), Class::Kick)),
            b"watch" => {
                say(cx, id, "watched", Class::Reply);
                cx.when_sent(id);
            }
            b"bye" => cx.close(id, Close::new(4000, "as you wish")),
            b"self" => cx.tell(cx.here, "heard"),
            bytes => cx.send(id, Segment::Lent(0..bytes.len()), Tag::REPLY),
        }
        self.pending = Some(id);
    }

    fn request(&mut self, cx: &mut Context<'_, Self>, id: ConnectionId, request: &Request<'_>) {
        let text = format!("{}\n", request.path);
        cx.respond(id, Response::new(200).text(text));
    }

    fn idle(&mut self, cx: &mut Context<'_, Self>, id: ConnectionId) {
        say(cx, id, "still there?", Class::Reply);
    }

    fn closing(&mut self, cx: &mut Context<'_, Self>, id: ConnectionId, door: Door, close: &Close) {
        if door == Door::Lines {
            say(cx, id, &format!("bye {}", close.code), Class::Reply);
        }
    }

    fn sent(&mut self, _: &mut Context<'_, Self>, _: ConnectionId) {
        self.sent += 1;
    }

    fn closed(&mut self, _: &mut Context<'_, Self>, _: ConnectionId) {
        self.closed += 1;
    }

    fn deadline(&mut self, cx: &mut Context<'_, Self>, id: ConnectionId) {
        say(cx, id, "waited", Class::Reply);
        cx.resume(id);
    }

    fn peer(&mut self, cx: &mut Context<'_, Self>, _: LoopId, message: &'static str) {
        if let Some(id) = self.pending {
            say(cx, id, message, Class::Reply);
        }
    }
}

/// An engine and what its driver has seen.
struct Bench {
    engine: Engine<Words>,
    now: Now,
    out: Outputs<Words>,
    seen: Vec<u8>,
    ended: Vec<&'static str>,
    reads: bool,
}

impl Bench {
    fn new(config: Config) -> Self {
        let now = Now { monotonic: Duration::from_secs(1000), unix_ms: 0 };
        let engine = Engine::new(config, LoopId(0), 1, Words::default(), &Registry::new());
        let out = Outputs::default();
        Self { engine, now, out, seen: Vec::new(), ended: Vec::new(), reads: true }
    }

    fn accept(&mut self, refused: Option<Close>) -> ConnectionId {
        let peer = Peer::from(std::net::SocketAddr::from(([192, 0, 2, 1], 1)));
        let accepted = Accepted { peer, refused };
        let id = self.engine.accept(self.now, accepted, &mut self.out);
        self.drive(&mut []);
        id
    }

    fn send(&mut self, id: ConnectionId, bytes: &[u8]) {
        let mut bytes = bytes.to_vec();
        let input = Input::Received { connection: id, bytes: &mut bytes };
        self.engine.input(self.now, input, &mut self.out);
        self.drive(&mut bytes);
    }

    fn finish(&mut self, id: ConnectionId) {
        self.engine.input(self.now, Input::Finished { connection: id }, &mut self.out);
        self.drive(&mut []);
    }

    /// Moves the clock on to every deadline on the way.
    fn pass(&mut self, time: Duration) {
        let end = self.now.monotonic + time;
        while let Some(at) = self.engine.next_deadline().filter(|at| *at <= end) {
            self.now.monotonic = self.now.monotonic.max(at);
            self.engine.input(self.now, Input::Time, &mut self.out);
            self.drive(&mut []);
        }
        self.now.monotonic = end;
    }

    fn drive(&mut self, bytes: &mut [u8]) {
        if let Some(lent) = self.out.lent.take() {
            self.seen.extend_from_slice(&bytes[lent]);
        }
        while !self.out.list.is_empty() {
            for output in std::mem::take(&mut self.out.list) {
                match output {
                    Output::Transmit(id) if self.reads => {
                        let bytes: Vec<u8> = self.engine.queued(id).flatten().copied().collect();
                        self.seen.extend_from_slice(&bytes);
                        self.engine.sent(self.now, id, bytes.len(), &mut self.out);
                    }
                    Output::Shutdown(_) => self.ended.push("shut"),
                    Output::Close(_) => self.ended.push("closed"),
                    Output::Pause(_) => self.ended.push("pause"),
                    Output::Resume(_) => self.ended.push("resume"),
                    Output::Transmit(_) | Output::Job(_) | Output::Peer { .. } => {}
                }
            }
        }
    }

    fn seen(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.seen)).into_owned()
    }
}

fn masked(opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    encoder::encode_masked_into(&mut bytes, opcode, payload, [1, 2, 3, 4]);
    bytes
}

const UPGRADE: &[u8] =
    b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

#[test]
fn lines_are_greeted_and_echoed_at_every_split() {
    let text = b"{\"a\":1}\nsecond\r\n\nlast";
    for cut in 0..text.len() {
        let mut bench = Bench::new(Config::default());
        let id = bench.accept(None);
        bench.send(id, &text[..cut]);
        bench.send(id, &text[cut..]);
        bench.finish(id);
        assert_eq!(bench.seen(), "hello\n{\"a\":1}\nsecond\n\nlast\n", "cut at {cut}");
        assert_eq!(bench.ended, ["closed"]);
        assert!(bench.engine.is_empty());
        assert_eq!(bench.engine.handler().closed, 1);
    }
}

#[test]
fn a_short_word_and_the_end_of_the_stream_make_a_line() {
    let mut bench = Bench::new(Config::default());
    let id = bench.accept(None);
    bench.send(id, b"P");
    assert_eq!(bench.seen(), "");
    bench.finish(id);
    assert_eq!(bench.seen(), "hello\nP\n");
}

#[test]
fn an_upgrade_and_the_frames_that_came_with_it() {
    let mut bench = Bench::new(Config::default());
    let id = bench.accept(None);
    let frames = [masked(Opcode::Text, b"one"), masked(Opcode::Binary, b"two")].concat();
    bench.send(id, &[UPGRADE, &frames, &masked(Opcode::Ping, b"p")].concat());
    let seen = bench.seen();
    assert!(seen.starts_with("HTTP/1.1 101 Switching Protocols\r\n"), "{seen}");
    assert!(seen.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{seen}");
    assert!(
        seen.ends_with("\r\n\r\n\u{fffd}\u{5}hello\u{fffd}\u{3}one\u{fffd}\u{3}two\u{fffd}\u{1}p"),
        "{seen:?}"
    );
    assert_eq!(bench.engine.handler().opened, [Door::WebSocket]);
    bench.send(id, &frames);
    assert_eq!(bench.seen.drain(..).collect::<Vec<u8>>(), b"\x81\x03one\x82\x03two");
    bench.send(id, &masked(Opcode::Close, &[0x03, 0xe8]));
    assert_eq!(bench.seen.drain(..).collect::<Vec<u8>>(), [0x88, 2, 0x03, 0xe8]);
    assert_eq!(bench.ended, ["shut"]);
    bench.finish(id);
    assert_eq!(bench.ended, ["shut", "closed"]);
}

#[test]
fn what_is_lent_leaves_in_one_piece() {
    let mut bench = Bench::new(Config::default());
    let id = bench.accept(None);
    bench.send(id, UPGRADE);
    let mut bytes: Vec<u8> = (0..16).flat_map(|n| masked(Opcode::Text, &[b'a' + n; 64])).collect();
    let input = Input::Received { connection: id, bytes: &mut bytes };
    bench.engine.input(bench.now, input, &mut bench.out);
    let lent = bench.out.lent.take().expect("everything was lent");
    let expected: Vec<u8> =
        (0..16).flat_map(|n| [&[0x81, 64], &[b'a' + n; 64][..]].concat()).collect();
    assert_eq!(&bytes[lent], expected);
    assert!(bench.out.list.is_empty(), "{:?}", bench.out.list);
}

#[test]
fn broken_rules_are_told_and_closed() {
    let cases: &[(&[u8], &str)] = &[
        (b"GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 "),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP/1.1 505 "),
        (b"a\nGET /admin HTTP/1.1\r\n", "hello\na\nbye 1008\n"),
        (b"\x16\x03\x01", ""),
        (b"PROXY TCP4 1.2.3.4 1.2.3.4 1 1\r\n", ""),
    ];
    for (bytes, expected) in cases {
        let mut bench = Bench::new(Config::default());
        let id = bench.accept(None);
        bench.send(id, bytes);
        let seen = bench.seen();
        assert!(seen.starts_with(expected), "{bytes:?} → {seen}");
        assert!(!bench.ended.is_empty());
    }
    let mut bench = Bench::new(Config::default());
    let id = bench.accept(None);
    bench.send(id, &[UPGRADE, b"\x81\x01x"].concat());
    assert!(bench.seen.windows(4).any(|part| part == [0x88, part[1], 0x03, 0xea]), "1002");
    assert_eq!(bench.ended, ["shut"]);
}

#[test]
fn a_line_over_the_limit_is_told_its_code() {
    let mut bench = Bench::new(Config { message_bytes: 10, ..Config::default() });
    let id = bench.accept(None);
    bench.send(id, b"0123456789\n0123456789A");
    assert_eq!(bench.seen(), "hello\n0123456789\nbye 1009\n");
}

#[test]
fn requests_are_answered_in_turn_and_the_connection_stays() {
    let mut bench = Bench::new(Config::default());
    let id = bench.accept(None);
    bench.send(id, b"GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n");
    let seen = bench.seen();
    assert!(seen.find("/a\n") < seen.find("/b\n"), "{seen}");
    assert_eq!(seen.matches("HTTP/1.1 200").count(), 2);
    assert!(bench.ended.is_empty());
    bench.send(id, b"GET /c HTTP/1.0\r\n\r\n");
    assert!(bench.seen().ends_with("/c\n"));
    assert_eq!(bench.ended, ["shut"]);
}

#[test]
fn a_paused_connection_is_held_and_nothing_is_lost() {
    let mut bench = Bench::new(Config::default());
    let id = bench.accept(None);
    bench.send(id, b"one\nwait\ntwo\nthr");
    bench.send(id, b"ee\n");
    assert_eq!(bench.seen(), "hello\none\n");
    bench.finish(id);
    assert_eq!(bench.ended, ["pause"]);
    bench.pass(Duration::from_millis(1100));
    assert_eq!(bench.seen(), "waited\ntwo\nthree\n");
    assert_eq!(bench.ended, ["pause", "resume", "closed"]);
}

#[test]
fn who_does_not_read_is_closed_with_4101() {
    let mut bench = Bench::new(Config { outbox_bytes: 1000, ..Config::default() });
    let id = bench.accept(None);
    bench.send(id, UPGRADE);
    bench.reads = false;
    bench.send(id, &masked(Opcode::Text, b"flood"));
    let queued: Vec<u8> = bench.engine.queued(id).flatten().copied().collect();
    assert!(queued.windows(2).any(|code| code == 4101_u16.to_be_bytes()), "{queued:?}");
    assert!(queued.len() < 100, "the rest was given up");
    bench.pass(Duration::from_secs(6));
    assert_eq!(bench.ended, ["closed"]);
    assert!(bench.engine.is_empty());
}

#[test]
fn too_much_for_too_long_pauses_first_and_then_closes() {
    let config = Config { outbox_soft_bytes: 100, ..Config::default() };
    let mut bench = Bench::new(config);
    let id = bench.accept(None);
    bench.reads = false;
    bench.send(id, format!("{}\nmore\n", "x".repeat(200)).as_bytes());
    assert_eq!(bench.ended, ["pause"]);
    bench.pass(Duration::from_secs(9));
    assert_eq!(bench.engine.len(), 1);
    bench.pass(Duration::from_secs(7));
    assert!(bench.engine.is_empty());
}

#[test]
fn draining_tells_everyone_within_its_time() {
    let mut bench = Bench::new(Config::default());
    let ids: Vec<ConnectionId> = (0..20).map(|_| bench.accept(None)).collect();
    ids.iter().for_each(|id| bench.send(*id, b"\n"));
    bench.seen.clear();
    let over = Duration::from_secs(10);
    bench.engine.input(bench.now, Input::Drain { over }, &mut bench.out);
    bench.pass(Duration::from_secs(5));
    let half = bench.seen().matches("bye 4200\n").count();
    assert!((1..20).contains(&half), "{half} of 20 after half the time");
    bench.pass(Duration::from_secs(5));
    assert_eq!(half + bench.seen().matches("bye 4200\n").count(), 20);
    bench.pass(Duration::from_secs(6));
    assert!(bench.engine.is_empty());
}

#[test]
fn a_refused_connection_is_told_on_its_door() {
    for (bytes, expected) in [
        (&b"hi\n"[..], "bye 4100\n"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 503 Service Unavailable\r\n"),
    ] {
        let mut bench = Bench::new(Config::default());
        let id = bench.accept(Some(Close::new(4100, "too many connections")));
        bench.send(id, bytes);
        let seen = bench.seen();
        assert!(seen.starts_with(expected), "{seen}");
        assert!(bench.engine.handler().opened.is_empty());
    }
}

#[test]
fn a_word_to_ourselves_comes_after_what_caused_it() {
    let mut bench = Bench::new(Config::default());
    let id = bench.accept(None);
    bench.send(id, b"self\nnext\n");
    assert_eq!(bench.seen(), "hello\nnext\nheard\n");
}
