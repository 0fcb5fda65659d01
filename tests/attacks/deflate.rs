//! Compressed messages (RFC 7692) that unfold to too much, to nothing, or to what is somebody else's.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use miniz_oxide::deflate::core::{
    CompressorOxide, TDEFLFlush, compress_to_output, create_comp_flags_from_zip_params,
};
use serde_json::{Value, json};

use crate::framing::{PING, PINGS, fails, object, replies};
use crate::peer::{Peer, UPGRADE, close, connect, frame, status};
use crate::server::Server;
use crate::siege::Attack;

#[path = "../rfc7692/oracle.rs"]
mod oracle;

/// The end of what was flushed, which a message does not carry (RFC 7692 §7.2.1).
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];
/// What makes a message of it a whole stream: its tail, and a last block with nothing in it.
const END: [u8; 9] = [0, 0, 0xff, 0xff, 1, 0, 0, 0xff, 0xff];

/// A request for WebSocket that offers compression.
fn offer() -> String {
    let header = "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
    UPGRADE.replacen("\r\n\r\n", header, 1)
}

/// DEFLATE up to the end of a byte, its tail included.
fn folded(bytes: &[u8]) -> Vec<u8> {
    let mut compressor = CompressorOxide::new(create_comp_flags_from_zip_params(9, -15, 0));
    let mut out = Vec::new();
    compress_to_output(&mut compressor, bytes, TDEFLFlush::Sync, |piece| {
        out.extend_from_slice(piece);
        true
    });
    out
}

/// The payload of a compressed message.
fn message(bytes: &[u8]) -> Vec<u8> {
    let mut folded = folded(bytes);
    assert!(folded.ends_with(&TAIL));
    folded.truncate(folded.len() - TAIL.len());
    folded
}

/// A kibibyte or so that unfolds to so many mebibytes of blanks, for each of them.
fn bomb(mebibytes: usize) -> Vec<u8> {
    let mut bomb = folded(&vec![b' '; 1 << 20]).repeat(mebibytes);
    bomb.truncate(bomb.len() - TAIL.len());
    bomb
}

/// The same message in frames of so many bytes.
fn in_parts(payload: &[u8], bytes: usize) -> Vec<u8> {
    let count = payload.chunks(bytes).count();
    let parts = payload.chunks(bytes).enumerate().map(|(n, part)| {
        let first = if n == 0 { 0x41 } else { 0x00 };
        frame(if n + 1 == count { first | 0x80 } else { first }, part)
    });
    parts.collect::<Vec<_>>().concat()
}

fn squeezed(attack: Attack) -> Attack {
    attack.after(offer())
}

/// A message that is answered as a ping is.
fn pings(payload: &[u8]) -> Attack {
    let bytes = [frame(0xc1, payload), close(1000)].concat();
    let expect = |said: &[u8]| assert!(replies(said)[0].contains("\"status\":\"ok\""));
    squeezed(Attack::new(bytes, expect)).counted(PINGS, 1)
}

/// Sixteen kibibytes that unfold to sixteen mebibytes, sixty that unfold to sixty: 1009, without the
/// memory.
#[test]
fn pd_01_a_bomb_is_unfolded_as_far_as_a_message_may_go() {
    let server = Server::start_secure(&[]);
    let memory = server.memory();
    server.endures(&[squeezed(fails(frame(0xc1, &bomb(1)), 1009))]);
    let long = bomb(15);
    assert!(long.len() < 16 << 10, "{} bytes are no message", long.len());
    server.endures(&[squeezed(fails(frame(0xc1, &long), 1009))]);
    // And of a user, who may send four times as much.
    let mut peer = Squeezed::new(&server.address);
    peer.register("bomber");
    let long = bomb(60);
    peer.stream.write_all(&frame(0xc1, &long)).expect("sent");
    assert_eq!(peer.close_code(), 1009);
    drop(peer);
    assert!(server.memory() < memory + 16 * 1024, "{} KiB", server.memory());
    server.judge();
}

/// The same in a thousand parts, and one whose parts are too much before they are unfolded: 1009.
#[test]
fn pd_02_parts_of_a_bomb_and_a_wire_that_is_too_long() {
    let server = Server::start_secure(&[]);
    let small = bomb(1);
    server.endures(&[
        squeezed(fails(in_parts(&small, small.len().div_ceil(1000)), 1009)),
        squeezed(fails(in_parts(&bomb(16), 1000), 1009)),
        squeezed(fails(in_parts(&small, 1), 1008)),
    ]);
    server.judge();
}

/// What unfolds to exactly the limit is answered, one byte more is 1009.
#[test]
fn pd_03_exactly_the_limit_and_one_byte_more() {
    let server = Server::start_secure(&[]);
    server.endures(&[
        pings(&message(&object(16 << 10))),
        squeezed(fails(frame(0xc1, &message(&object((16 << 10) + 1))), 1009)),
    ]);
    server.judge();
}

/// Nothing is a message; half a block, a length that contradicts itself, an unknown kind of block
/// and what lies behind the last one are 1007.
#[test]
fn pd_04_streams_that_are_none() {
    let server = Server::start_secure(&[]);
    let stored = |bytes: &[u8]| {
        let length = (bytes.len() as u16).to_le_bytes();
        let wrong = length.map(|byte| !byte);
        [&[0][..], &length, &wrong, bytes, &[0]].concat()
    };
    server.endures(&[pings(&stored(PING.as_bytes())), pings(&message(PING.as_bytes()))]);
    // Nothing is no JSON either, and is told so.
    let nothing = [frame(0xc1, &[0]), close(1000)].concat();
    let bad_json = "stentor_errors_total{code=\"bad_json\"}";
    let told = |said: &[u8]| assert!(replies(said)[0].contains("bad_json"));
    let other = "stentor_requests_total{verb=\"other\"}";
    let told = squeezed(Attack::new(nothing, told)).counted(bad_json, 1).counted(other, 1);
    server.endures(&[told]);
    let whole = message(PING.as_bytes());
    let mut contradiction = stored(PING.as_bytes());
    contradiction[3] ^= 1;
    for payload in [
        &whole[..whole.len() / 2],
        &contradiction,
        &stored(PING.as_bytes())[..7],
        &[0x06],
        &[0x07, 0xff],
        &[0xff; 64],
    ] {
        server.endures(&[squeezed(fails(frame(0xc1, payload), 1007))]);
    }
    server.judge();
}

/// The bit of compression on a part, on a control frame, or where none was agreed on: 1002.
#[test]
fn pd_05_the_bit_where_it_has_no_meaning() {
    let server = Server::start_secure(&[]);
    let payload = message(PING.as_bytes());
    let half = payload.len() / 2;
    server.endures(&[
        squeezed(fails(
            [frame(0x41, &payload[..half]), frame(0xc0, &payload[half..])].concat(),
            1002,
        )),
        squeezed(fails(frame(0xc9, b"x"), 1002)),
        squeezed(fails(frame(0xc8, &[0x03, 0xe8]), 1002)),
        squeezed(fails(frame(0xe1, &payload), 1002)),
        fails(frame(0xc1, &payload), 1002),
    ]);
    server.judge();
}

/// Behind a stream that was broken nothing is heard: one Close frame, no answer.
#[test]
fn pd_06_nothing_is_unfolded_after_an_error() {
    let server = Server::start_secure(&[]);
    let good = frame(0xc1, &message(PING.as_bytes()));
    let behind = [&frame(0xc1, &[0x07])[..], &good, &good, &frame(0x81, PING.as_bytes())].concat();
    let only_closed = |said: &[u8]| assert_eq!(replies(said), [""; 0]);
    server.endures(&[squeezed(fails(behind, 1007))]);
    let broken = [frame(0xc1, &[0x07]), good].concat();
    let attack = squeezed(Attack::new(broken, only_closed));
    server.endures(&[attack.counted("stentor_protocol_violations_total", 1)]);
    // And what was whole before it is.
    let before = [frame(0xc1, &message(PING.as_bytes())), frame(0xc1, &[0x07])].concat();
    let one = squeezed(Attack::new(before, |said| assert_eq!(replies(said).len(), 1)));
    server.endures(&[one.counted(PINGS, 1).counted("stentor_protocol_violations_total", 1)]);
    server.judge();
}

/// Hundreds of idle connections that offer contexts cost no contexts; where contexts are given, so
/// many as the budget has.
#[test]
fn pd_07_contexts_are_not_to_be_had_without_end() {
    let server = Server::start(&[]);
    let memory = server.memory();
    let crowd: Vec<_> = (0..400).map(|_| Squeezed::new(&server.address)).collect();
    assert!(crowd.iter().all(|peer| peer.agreed.contains("server_no_context_takeover")));
    assert!(server.memory() < memory + 16 * 1024, "{} KiB", server.memory());
    drop(crowd);
    server.judge();

    let budget = 1_000_000;
    let budgeted = format!("websocket.deflate_memory_bytes={budget}");
    let server = Server::start(&["websocket.deflate=dedicated", &budgeted]);
    let mut crowd: Vec<_> = (0..40).map(|_| Squeezed::new(&server.address)).collect();
    for peer in &mut crowd {
        peer.ok(&json!({"type": "ping"}));
    }
    assert!(server.metric("stentor_deflate_refused_total") > 0.0);
    assert!(server.metric("stentor_deflate_reserved_bytes") <= f64::from(budget));
    drop(crowd);
    server.judge();
}

/// What holds a token goes uncompressed, however small a message may be compressed.
#[test]
fn pd_08_a_token_is_never_compressed() {
    for mode in ["shared", "dedicated"] {
        let mode = format!("websocket.deflate={mode}");
        let server = Server::start(&[&mode, "websocket.deflate_min_bytes=0"]);
        let mut peer = Squeezed::new(&server.address);
        let name = "guessed".repeat(4);
        let register = json!({"type": "register", "username": name, "password": "correct horse"});
        let reply = peer.ask(&register);
        assert!(reply.1["data"]["token"].is_string() && !reply.0, "{mode}: {}", reply.1);
        let renewed = json!({"type": "refresh", "refresh_token": reply.1["data"]["refresh_token"]});
        let reply = peer.ask(&renewed);
        assert!(reply.1["data"]["token"].is_string() && !reply.0, "{mode}: {}", reply.1);
        let help = peer.ask(&json!({"type": "help"}));
        assert!(help.0, "{mode}: anything else is compressed");
        drop(peer);
        server.judge();
    }
}

/// One broadcast, compressed once: who reads gets what was said, whoever else stops or vanishes.
#[test]
fn pd_09_a_slow_or_lost_receiver_spoils_nothing_for_the_others() {
    let server = Server::start(&["limits.requests_per_second=none"]);
    let mut publisher = Peer::lines(&server.address);
    publisher.register("publisher");
    let mut readers: Vec<_> = (0..6)
        .map(|n| {
            let mut peer = Squeezed::new(&server.address);
            peer.register(&format!("reader{n}"));
            peer.ok(&json!({"type": "subscribe", "channel": "public:shared"}));
            peer
        })
        .collect();
    // Two never read, and one goes in the midst of it.
    let stopped: Vec<_> = readers.drain(..2).collect();
    let mut gone = readers.pop();
    for n in 0_u64..150 {
        // Neither short nor of one letter: what does not fit is taken in parts.
        let text: String =
            (0..3000).map(|at| char::from(b'a' + ((n * 7 + at * at) % 26) as u8)).collect();
        let text = format!("{n} {text}");
        let request = json!({"type": "publish", "channel": "public:shared", "payload": text});
        assert_eq!(publisher.ok(request)["offset"], n + 1);
        if n == 75 {
            let reset = gone.take().expect("one to lose");
            socket2::SockRef::from(&reset.stream)
                .set_linger(Some(Duration::ZERO))
                .expect("a reset");
        }
        for reader in &mut readers {
            let (compressed, event) = reader.object();
            assert!(compressed && event["payload"] == text.as_str(), "{n}: {event}");
        }
    }
    drop((publisher, readers, stopped));
    server.judge();
}

/// A client that agreed on compression.
struct Squeezed {
    stream: TcpStream,
    unread: Vec<u8>,
    /// What was said, to which what follows may refer.
    window: Vec<u8>,
    /// What the server answered to the offer.
    agreed: String,
}

impl Squeezed {
    fn new(address: &str) -> Self {
        let mut stream = connect(address);
        stream.write_all(offer().as_bytes()).expect("sent");
        let mut unread = Vec::new();
        let head = loop {
            if let Some(end) = unread.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            more(&mut stream, &mut unread);
        };
        assert_eq!(status(&unread), 101);
        let agreed = String::from_utf8(unread.drain(..head).collect()).expect("text");
        assert!(agreed.contains("permessage-deflate"), "{agreed}");
        Self { stream, unread, window: Vec::new(), agreed }
    }

    /// The next frame: its first byte and its payload, unfolded.
    fn frame(&mut self) -> (u8, Vec<u8>) {
        loop {
            if let Some((first, payload, taken)) = whole(&self.unread) {
                self.unread.drain(..taken);
                return (first, if first & 0x40 == 0 { payload } else { self.unfold(payload) });
            }
            more(&mut self.stream, &mut self.unread);
        }
    }

    fn unfold(&mut self, payload: Vec<u8>) -> Vec<u8> {
        if self.agreed.contains("server_no_context_takeover") {
            self.window.clear();
        }
        let start = self.window.len();
        let taken = oracle::stream(&[payload, END.to_vec()].concat(), &mut self.window);
        assert!(taken.is_some(), "no DEFLATE");
        self.window[start..].to_vec()
    }

    /// The next object, and whether it came compressed.
    fn object(&mut self) -> (bool, Value) {
        loop {
            let (first, text) = self.frame();
            if first & 0x0f == 1 {
                return (first & 0x40 != 0, serde_json::from_slice(&text).expect("an object"));
            }
            assert_ne!(first & 0x0f, 8, "closed: {}", text.escape_ascii());
        }
    }

    fn ask(&mut self, request: &Value) -> (bool, Value) {
        let request = request.to_string();
        self.stream.write_all(&frame(0x81, request.as_bytes())).expect("sent");
        loop {
            let (compressed, object) = self.object();
            if object.get("status").is_some() {
                return (compressed, object);
            }
        }
    }

    fn ok(&mut self, request: &Value) {
        let (_, reply) = self.ask(request);
        assert_eq!(reply["status"], "ok", "{reply}");
    }

    fn register(&mut self, name: &str) {
        self.ok(&json!({"type": "register", "username": name, "password": "correct horse"}));
    }

    fn close_code(&mut self) -> u16 {
        loop {
            let (first, payload) = self.frame();
            if first == 0x88 {
                return u16::from_be_bytes([payload[0], payload[1]]);
            }
        }
    }
}

fn more(stream: &mut TcpStream, unread: &mut Vec<u8>) {
    let mut buffer = [0; 65536];
    let length = stream.read(&mut buffer).expect("bytes");
    assert!(length > 0, "closed: {}", unread.escape_ascii());
    unread.extend_from_slice(&buffer[..length]);
}

/// First byte, payload and length of a frame that is there as a whole.
fn whole(bytes: &[u8]) -> Option<(u8, Vec<u8>, usize)> {
    let (first, short) = (*bytes.first()?, *bytes.get(1)?);
    let (at, length) = match short {
        126 => (4, usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?]))),
        127 => (10, u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?) as usize),
        short => (2, usize::from(short)),
    };
    let payload = bytes.get(at..at + length)?;
    Some((first, payload.to_vec(), at + length))
}
