//! Compression on real sockets: a broadcast is compressed once for each size of window, replies and
//! echoes for themselves, contexts within their budget, and nobody gets what was not agreed on.

use std::convert::Infallible;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use stentor::base::id::ConnectionId;
use stentor::base::rng::Rng;
use stentor::engine::{self, DeflateMode};
use stentor::handler::{Context, Handler, Message, Opening, Segment, Tag};
use stentor::metrics::Registry;
use stentor::net;
use stentor::protocol::websocket::deflate::{Direction, Settings, WindowBits};
use stentor::protocol::websocket::handshake::client::Request;
use stentor::protocol::websocket::{self, Connection, ConnectionEvent, Opcode};
use stentor::server::Server;

use crate::support::{PATIENCE, Running, roomy, until};

/// `all …` goes to everybody one by one, `run …` by a broadcast, `mix …` by two with a reply between
/// them, `own …` comes back in a frame of its own, `key …` in one that is never
/// to be compressed, and the rest as it lies.
#[derive(Default)]
struct Shout(Vec<ConnectionId>);

impl Handler for Shout {
    type Job = Infallible;
    type Done = Infallible;
    type Peer = Infallible;
    type Timer = Infallible;

    fn open(&mut self, _: &mut Context<'_, Self>, id: ConnectionId, _: &Opening) {
        self.0.push(id);
    }

    fn message(&mut self, cx: &mut Context<'_, Self>, from: ConnectionId, message: Message<'_>) {
        let mut draft = cx.draft();
        draft.payload().extend_from_slice(message.bytes);
        let frame = draft.finish(Opcode::Text);
        match message.bytes.first_chunk() {
            Some(b"all ") => {
                let shared = frame.share();
                for &id in &self.0 {
                    cx.send(id, Segment::Shared(shared.clone()), Tag::REPLY);
                }
                cx.recycle(frame);
            }
            Some(b"run ") => cx.broadcast(&self.0, None, frame, Tag::REPLY),
            Some(b"mix ") => {
                // A reply between two broadcasts, which may not overtake or be overtaken.
                let shared = frame.share();
                cx.broadcast(&self.0, None, shared.clone(), Tag::REPLY);
                cx.send(from, Segment::Own(frame), Tag::REPLY);
                cx.broadcast(&self.0, None, shared, Tag::REPLY);
            }
            Some(b"own ") => cx.send(from, Segment::Own(frame), Tag::REPLY),
            Some(b"key ") => cx.send(from, Segment::Own(frame.uncompressed()), Tag::REPLY),
            _ => {
                cx.recycle(frame);
                cx.send(from, Segment::Lent(0..message.bytes.len()), Tag::REPLY);
            }
        }
    }

    fn closed(&mut self, _: &mut Context<'_, Self>, id: ConnectionId) {
        self.0.retain(|&other| other != id);
    }
}

struct Rig {
    server: Running,
    metrics: Registry,
}

impl Rig {
    fn new(deflate: DeflateMode, deflate_memory_bytes: usize) -> Self {
        let metrics = Registry::new();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let net = net::Config { raise_descriptors: false, ..net::Config::default() };
        let engine = engine::Config { deflate, deflate_memory_bytes, ..roomy() };
        let server = Server::builder(|_| Shout::default())
            .listener(listener)
            .loops(1)
            .config(net, engine)
            .metrics(&metrics);
        Self { server: Running::start(server), metrics }
    }

    fn total(&self, name: &str) -> i64 {
        self.metrics.total(&format!("stentor_deflate_{name}")).unwrap()
    }

    fn client(&self, offer: Option<Settings>) -> Client {
        let stream = TcpStream::connect(self.server.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let config = websocket::Config { deflate: offer, ..websocket::Config::default() };
        let request = Request { host: "localhost", target: "/", ..Request::default() };
        let machine = Connection::client(config, &request, Rng::new(1), Duration::ZERO).unwrap();
        let mut client = Client { stream, machine, wire: Vec::new() };
        let Some(ConnectionEvent::Opened { extensions, .. }) = client.event() else { panic!() };
        client.wire.clear();
        assert!(extensions.is_none() || offer.is_some());
        client
    }
}

struct Client {
    stream: TcpStream,
    machine: Connection,
    /// What came since the last message was looked at.
    wire: Vec<u8>,
}

impl Client {
    fn event(&mut self) -> Option<ConnectionEvent> {
        loop {
            self.stream.write_all(&self.machine.take_output()).unwrap();
            if let Some(event) = self.machine.poll_event() {
                return Some(event);
            }
            let mut buffer = [0; 16 * 1024];
            let count = self.stream.read(&mut buffer).unwrap();
            self.wire.extend_from_slice(&buffer[..count]);
            self.machine.receive(&mut buffer[..count]);
            if count == 0 {
                self.machine.end_of_stream();
                return self.machine.poll_event();
            }
        }
    }

    fn say(&mut self, text: &str) {
        self.machine.send_text(text).unwrap();
        self.stream.write_all(&self.machine.take_output()).unwrap();
    }

    /// The next text, whether it came compressed, and how many bytes came for it.
    fn hear(&mut self) -> (String, bool, usize) {
        let Some(ConnectionEvent::Text(text)) = self.event() else { panic!("no text") };
        let wire = std::mem::take(&mut self.wire);
        (text, wire[0] & 0x40 != 0, wire.len())
    }

    fn ask(&mut self, text: &str) -> (bool, usize) {
        self.say(text);
        let (came, compressed, bytes) = self.hear();
        assert_eq!(came, text);
        (compressed, bytes)
    }
}

fn text(word: &str, bytes: usize) -> String {
    let mut text = word.to_owned();
    (0_u32..)
        .take_while(|n| {
            text.push_str(&format!("{} ", n * 7919 % 101));
            text.len() < bytes
        })
        .for_each(drop);
    text.truncate(bytes);
    text
}

/// Asks for a window of 2^`bits` bytes.
fn narrow(bits: u8) -> Settings {
    let server = Direction { takeover: true, window: WindowBits::new(bits).unwrap() };
    Settings { server, ..Settings::TAKEOVER }
}

#[test]
fn a_broadcast_is_compressed_once_for_each_size_of_window() {
    let rig = Rig::new(DeflateMode::Shared, 0);
    let offers = [
        Some(Settings::TAKEOVER),
        Some(Settings::ALONE),
        Some(Settings::TAKEOVER),
        Some(narrow(10)),
        Some(narrow(10)),
        None,
        None,
    ];
    let mut clients: Vec<Client> = offers.iter().map(|offer| rig.client(*offer)).collect();
    assert_eq!(rig.total("agreed_total"), 5);
    for (round, word) in (1..).zip(["all ", "run ", "all ", "run "]) {
        let message = text(word, 5_000 + round);
        clients[6].say(&message);
        for (client, offer) in clients.iter_mut().zip(&offers) {
            let (came, compressed, bytes) = client.hear();
            assert!(came == message);
            assert_eq!(compressed, offer.is_some());
            assert!(bytes == message.len() + 4 || compressed && bytes < 3_500, "{bytes}");
        }
        let rounds = round as i64;
        assert_eq!(rig.total("compressed_total"), 2 * rounds, "once for each size of window");
        assert_eq!(rig.total("sent_total"), 5 * rounds);
    }
    assert!(rig.total("saved_bytes_total") > 3 * 5 * 1_500);
    // What does not shrink is tried once, and sent plain.
    let noise: String = (0..1_200_u32)
        .map(|n| {
            char::from(33 + (n.wrapping_mul(2_654_435_761).rotate_left(n % 31) >> 7) as u8 % 90)
        })
        .collect();
    let before = rig.total("compressed_total");
    clients[6].say(&text("all ", 1_023));
    for client in &mut clients {
        assert!(!client.hear().1, "shorter than the least");
    }
    assert_eq!(rig.total("compressed_total"), before);
    clients[6].say(&format!("all {noise}"));
    let plain = clients.iter_mut().filter_map(|client| (!client.hear().1).then_some(())).count();
    assert!(plain >= 2);
    assert_eq!(rig.total("compressed_total"), before + 2);
}

#[test]
fn replies_and_echoes_are_compressed_from_the_least_size_on() {
    let rig = Rig::new(DeflateMode::Shared, 0);
    let mut client = rig.client(Some(Settings::TAKEOVER));
    for word in ["own ", "any "] {
        for (bytes, expected) in [(4, false), (1_023, false), (1_024, true), (60_000, true)] {
            let message = text(word, bytes);
            let (compressed, came) = client.ask(&message);
            assert_eq!(compressed, expected, "{word}{bytes}");
            assert!(!compressed || came < bytes * 2 / 3, "{word}{bytes}: {came}");
        }
    }
    assert!(!client.ask(&text("key ", 5_000)).0, "a secret goes out as it is");
    let mut plain = rig.client(None);
    assert!(!plain.ask(&text("own ", 5_000)).0 && !plain.ask(&text("any ", 5_000)).0);
}

#[test]
fn several_in_one_segment_come_back_in_order() {
    for mode in [DeflateMode::Shared, DeflateMode::Dedicated] {
        let rig = Rig::new(mode, 1 << 30);
        let mut client = rig.client(Some(Settings::TAKEOVER));
        let sizes = [10, 5_000, 20, 2_000, 30, 40, 70_000, 5];
        let all: Vec<String> = sizes.iter().map(|&bytes| text("any ", bytes.min(16_000))).collect();
        for message in &all {
            client.machine.send_text(message).unwrap();
        }
        client.stream.write_all(&client.machine.take_output()).unwrap();
        for message in &all {
            assert_eq!(client.event(), Some(ConnectionEvent::Text(message.clone())));
        }
    }
}

#[test]
fn contexts_stay_within_their_budget_and_are_given_back() {
    let rig = Rig::new(DeflateMode::Dedicated, 400_000);
    let mut clients = Vec::new();
    for (at, (refused, dedicated)) in [(0, true), (0, true), (1, false)].into_iter().enumerate() {
        let mut client = rig.client(Some(narrow(12)));
        assert_eq!(rig.total("refused_total"), refused, "{at}");
        // A short message shrinks the second time, if there is something to refer back to.
        let message = text("own ", 200);
        client.ask(&message);
        let (compressed, bytes) = client.ask(&message);
        assert_eq!((compressed, bytes < 30), (dedicated, dedicated), "{at}: {bytes}");
        assert!(!client.ask(&text("key ", 200)).0);
        clients.push(client);
    }
    let reserved = rig.total("reserved_bytes");
    assert!((200_000..=400_000).contains(&reserved), "{reserved}");
    clients.remove(0);
    until(|| rig.total("reserved_bytes") < reserved);
    let mut client = rig.client(Some(narrow(12)));
    client.ask(&text("own ", 200));
    assert!(client.ask(&text("own ", 200)).1 < 30);
    drop((clients, client));
    until(|| rig.total("reserved_bytes") == 0);
}

#[test]
fn broadcasts_in_a_row_are_compressed_once_each_and_keep_their_order() {
    for (mode, once) in [(DeflateMode::Shared, true), (DeflateMode::Dedicated, false)] {
        let rig = Rig::new(mode, 1 << 30);
        let offers =
            [Some(narrow(12)), Some(narrow(12)), None, Some(narrow(11)), Some(Settings::ALONE)];
        let mut clients: Vec<Client> = offers.iter().map(|offer| rig.client(*offer)).collect();
        let sizes = [2_000, 10, 3_000, 1_023, 30, 1_024];
        let all: Vec<String> = sizes.iter().map(|&bytes| text("run ", bytes)).collect();
        for message in &all {
            clients[0].machine.send_text(message).unwrap();
        }
        let bytes = clients[0].machine.take_output();
        clients[0].stream.write_all(&bytes).unwrap();
        let mixed = text("mix ", 1_500);
        for (at, client) in clients.iter_mut().enumerate() {
            for message in &all {
                let expected = Some(ConnectionEvent::Text(message.clone()));
                assert_eq!(client.event(), expected, "{mode:?} {at}");
            }
        }
        if once {
            assert_eq!(rig.total("compressed_total"), 3 * 3, "once for each size of window");
            assert_eq!(rig.total("sent_total"), 3 * 4);
        }
        clients[0].say(&mixed);
        for (at, client) in clients.iter_mut().enumerate() {
            for _ in 0..if at == 0 { 3 } else { 2 } {
                let expected = Some(ConnectionEvent::Text(mixed.clone()));
                assert_eq!(client.event(), expected, "{mode:?} {at}");
            }
        }
    }
}

#[test]
fn a_receiver_with_a_context_has_its_own_form_of_a_broadcast() {
    let rig = Rig::new(DeflateMode::Dedicated, 1 << 30);
    // The third asks for no context.
    let offers = [narrow(12), narrow(12), Settings::ALONE];
    let mut clients: Vec<Client> = offers.iter().map(|offer| rig.client(Some(*offer))).collect();
    for turn in 0..3 {
        clients[0].say(&text("all ", 3_000));
        let sizes: Vec<usize> = clients.iter_mut().map(|client| client.hear().2).collect();
        assert_eq!(sizes[0], sizes[1]);
        assert_eq!(sizes[0] < 100, turn > 0, "{sizes:?}");
        assert!(sizes[2] > 300, "{sizes:?}");
    }
    assert_eq!(rig.total("compressed_total"), 9);
}

#[test]
fn off_declines_every_offer() {
    let rig = Rig::new(DeflateMode::Off, 1 << 30);
    let mut client = rig.client(Some(Settings::TAKEOVER));
    assert!(!client.ask(&text("own ", 5_000)).0);
    assert_eq!(rig.total("agreed_total"), 0);
}

#[test]
fn a_bomb_is_1009_garbage_is_1007_and_nobody_else_notices() {
    let rig = Rig::new(DeflateMode::Shared, 0);
    let mut other = rig.client(Some(Settings::TAKEOVER));
    let bomb: Vec<u8> = {
        let mut compressor = websocket::deflate::Compressor::new(WindowBits::MAX, 9, 8).unwrap();
        let mut out = Vec::new();
        assert!(compressor.next(&vec![0; 17 << 20], &mut out));
        out
    };
    for (payload, code) in [(&bomb[..], 1009), (&[0x06][..], 1007)] {
        let mut client = rig.client(Some(Settings::ALONE));
        let len = payload.len() as u64;
        let header =
            websocket::encoder::masked_header(Opcode::Binary, true, true, len, [0; 4]).to_vec();
        client.stream.write_all(&[&header, payload].concat()).unwrap();
        let Some(ConnectionEvent::Closed { code: closed, .. }) = client.event() else {
            panic!("not closed")
        };
        assert_eq!(closed.0, code);
        assert!(other.ask(&text("own ", 5_000)).0);
    }
}
