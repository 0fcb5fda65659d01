//! Tungstenite as the other end of the wire, in both roles: what one sends, the other receives.
//!
//! Law: random messages, whole and in fragments, cut at random, arrive in order and unchanged; the
//! handshake and the closing handshake end as both sides expect.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::time::Duration;

use proptest::prelude::*;
use stentor::base::rng::Rng;
use stentor::protocol::websocket::handshake::client::Request;
use stentor::protocol::websocket::{CloseCode, Config, Connection, ConnectionEvent, State};
use tungstenite::handshake::HandshakeError;
use tungstenite::protocol::frame::Frame;
use tungstenite::protocol::frame::coding::{Data, OpCode};
use tungstenite::{Message, WebSocket};

/// A socket that is two queues, and says `WouldBlock` when there is nothing to read.
#[derive(Debug, Default)]
struct Pipe {
    incoming: VecDeque<u8>,
    outgoing: Vec<u8>,
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.incoming.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.incoming.read(buffer)
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.outgoing.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A message of a test: `None` for the cut means whole, else it is sent in two fragments.
#[derive(Clone, Debug)]
struct Sent {
    ours: bool,
    content: Content,
    cut: Option<prop::sample::Index>,
}

#[derive(Clone, Debug, PartialEq)]
enum Content {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
}

fn content() -> impl Strategy<Value = Content> {
    let long = prop::sample::select(vec![125_usize, 126, 127, 65_535, 65_536]);
    prop_oneof![
        "\\PC{0,40}".prop_map(Content::Text),
        prop::collection::vec(any::<u8>(), 0..300).prop_map(Content::Binary),
        (long, any::<u8>()).prop_map(|(len, octet)| Content::Binary(vec![octet; len])),
        prop::collection::vec(any::<u8>(), 0..=125).prop_map(Content::Ping),
    ]
}

fn sent() -> impl Strategy<Value = Sent> {
    let cut = proptest::option::of(any::<prop::sample::Index>());
    (any::<bool>(), content(), cut).prop_map(|(ours, content, cut)| Sent { ours, content, cut })
}

/// Both ends, open.
struct Ends {
    ours: Connection,
    theirs: WebSocket<Pipe>,
    cuts: Rng,
}

impl Ends {
    fn we_serve(seed: u64) -> Self {
        let mut ours = Connection::server(Config::default(), Duration::ZERO);
        let start = tungstenite::client("ws://example.com/ws", Pipe::default());
        let Err(HandshakeError::Interrupted(mut waiting)) = start else {
            panic!("no response yet")
        };
        let pipe = waiting.get_mut().get_mut();
        ours.receive(&mut pipe.outgoing);
        ours.accept(None, None).unwrap();
        pipe.outgoing.clear();
        pipe.incoming.extend(ours.take_output());
        let (theirs, response) = waiting.handshake().unwrap();
        assert_eq!(response.status(), 101);
        Self { ours, theirs, cuts: Rng::new(seed) }.opened()
    }

    fn they_serve(seed: u64) -> Self {
        let request = Request { host: "example.com", target: "/ws", ..Request::default() };
        let mut cuts = Rng::new(seed);
        let config = Config::default();
        let ours = Connection::client(config, &request, cuts.fork(), Duration::ZERO);
        let mut ours = ours.unwrap();
        let incoming = VecDeque::from(ours.take_output());
        let mut theirs =
            tungstenite::accept(Pipe { incoming, outgoing: Vec::new() }).expect("a good request");
        ours.receive(&mut std::mem::take(&mut theirs.get_mut().outgoing));
        Self { ours, theirs, cuts }.opened()
    }

    fn opened(mut self) -> Self {
        let events: Vec<_> = std::iter::from_fn(|| self.ours.poll_event()).collect();
        let opened = ConnectionEvent::Opened { subprotocol: None, extensions: None };
        assert_eq!(events.last(), Some(&opened));
        self
    }

    /// Their bytes to us, cut at random; what we tell of them.
    fn we_hear(&mut self) -> Vec<ConnectionEvent> {
        let mut bytes = std::mem::take(&mut self.theirs.get_mut().outgoing);
        let mut rest = &mut bytes[..];
        while !rest.is_empty() {
            let len = 1 + self.cuts.below(rest.len() as u64) as usize;
            let (piece, after) = rest.split_at_mut(len);
            self.ours.receive(piece);
            rest = after;
        }
        std::iter::from_fn(|| self.ours.poll_event()).collect()
    }

    /// Our bytes to them; what they read, and how it ended.
    fn they_hear(&mut self) -> (Vec<Message>, tungstenite::Error) {
        let output = self.ours.take_output();
        self.theirs.get_mut().incoming.extend(output);
        let mut messages = Vec::new();
        loop {
            match self.theirs.read() {
                Ok(message) => messages.push(message),
                Err(error) => return (messages, error),
            }
        }
    }

    fn they_send(&mut self, sent: &Sent) {
        let (opcode, payload) = match &sent.content {
            Content::Text(text) => (Data::Text, text.as_bytes()),
            Content::Binary(bytes) => (Data::Binary, &bytes[..]),
            Content::Ping(bytes) => return self.they_write(Message::Ping(bytes.clone().into())),
        };
        let Some(cut) = sent.cut else {
            return self.they_write(match &sent.content {
                Content::Text(text) => Message::text(text.as_str()),
                _ => Message::binary(payload.to_vec()),
            });
        };
        let (first, rest) = payload.split_at(cut.index(payload.len() + 1));
        for (opcode, part, fin) in [(opcode, first, false), (Data::Continue, rest, true)] {
            let frame = Frame::message(part.to_vec(), OpCode::Data(opcode), fin);
            self.they_write(Message::Frame(frame));
        }
    }

    fn they_write(&mut self, message: Message) {
        self.theirs.send(message).unwrap();
    }

    fn we_send(&mut self, content: &Content) {
        match content {
            Content::Text(text) => self.ours.send_text(text),
            Content::Binary(bytes) => self.ours.send_binary(bytes),
            Content::Ping(bytes) => self.ours.ping(bytes),
        }
        .unwrap();
    }

    /// One message in its direction, and the Pong of a Ping back.
    fn exchange(&mut self, sent: &Sent) {
        if sent.ours {
            self.we_send(&sent.content);
            let (messages, _) = self.they_hear();
            let expected = match &sent.content {
                Content::Text(text) => Message::text(text.as_str()),
                Content::Binary(bytes) => Message::binary(bytes.clone()),
                Content::Ping(bytes) => Message::Ping(bytes.clone().into()),
            };
            assert_eq!(messages, [expected]);
            if let Content::Ping(bytes) = &sent.content {
                self.theirs.flush().unwrap();
                assert_eq!(self.we_hear(), [ConnectionEvent::Pong(bytes.clone())]);
            }
        } else {
            self.they_send(sent);
            let expected = match &sent.content {
                Content::Text(text) => ConnectionEvent::Text(text.clone()),
                Content::Binary(bytes) => ConnectionEvent::Binary(bytes.clone()),
                Content::Ping(bytes) => ConnectionEvent::Ping(bytes.clone()),
            };
            assert_eq!(self.we_hear(), [expected]);
            if let Content::Ping(bytes) = &sent.content {
                assert_eq!(self.they_hear().0, [Message::Pong(bytes.clone().into())]);
            }
        }
    }

    /// The closing handshake, begun by one of us.
    fn close(mut self, ours: bool) {
        if ours {
            self.ours.close(CloseCode(4200), "drain").unwrap();
            let (messages, _) = self.they_hear();
            let [Message::Close(Some(frame))] = &messages[..] else { panic!("{messages:?}") };
            assert_eq!((u16::from(frame.code), frame.reason.as_str()), (4200, "drain"));
        } else {
            self.theirs.close(None).unwrap();
        }
        let _ = self.theirs.flush();
        self.we_hear();
        if !ours {
            assert_eq!(self.they_hear().0, [Message::Close(None)]);
        }
        assert!(self.ours.is_clean() && self.ours.state() == State::Closing);
        self.ours.end_of_stream();
        let code = if ours { 4200 } else { 1005 };
        let Some(ConnectionEvent::Closed { code: told, clean: true, .. }) = self.ours.poll_event()
        else {
            panic!("a clean end");
        };
        assert_eq!(told.0, code);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_one_sends_the_other_receives(
        seed in any::<u64>(),
        we_serve in any::<bool>(),
        we_close in any::<bool>(),
        messages in prop::collection::vec(sent(), 0..12),
    ) {
        let mut ends = if we_serve { Ends::we_serve(seed) } else { Ends::they_serve(seed) };
        messages.iter().for_each(|message| ends.exchange(message));
        ends.close(we_close);
    }
}

#[test]
fn both_fail_on_what_the_other_would() {
    // Frames of a client, which tungstenite as a server judges too.
    let rows: [&[u8]; 8] = [
        b"\x83\x80\0\0\0\0",
        b"\xc1\x80\0\0\0\0",
        b"\x09\x80\0\0\0\0",
        b"\x80\x80\0\0\0\0",
        b"\x81\x81\0\0\0\0\xff",
        b"\x01\x80\0\0\0\0\x81\x80\0\0\0\0",
        b"\x88\x81\0\0\0\0\x03",
        b"\x81\x00",
    ];
    for wire in rows {
        let mut theirs = WebSocket::from_raw_socket(
            Pipe { incoming: wire.to_vec().into(), outgoing: Vec::new() },
            tungstenite::protocol::Role::Server,
            None,
        );
        let error = loop {
            if let Err(error) = theirs.read() {
                break error;
            }
        };
        assert!(!matches!(error, tungstenite::Error::Io(_)), "{wire:?}: {error}");
        let mut ends = Ends::we_serve(1);
        ends.ours.receive(&mut wire.to_vec());
        assert_eq!(ends.ours.state(), State::Closing, "{wire:?}");
        assert!(!ends.ours.is_clean() && ends.ours.close_sent().is_some());
    }
}

/// The oracle objects: a server that masks its frames is not one to tungstenite.
#[test]
fn a_planted_fault_is_noticed() {
    let mut ends = Ends::we_serve(1);
    ends.theirs.get_mut().incoming.extend(b"\x81\x81\0\0\0\0x");
    let (messages, error) = ends.they_hear();
    assert!(messages.is_empty() && matches!(error, tungstenite::Error::Protocol(_)), "{error}");
}
