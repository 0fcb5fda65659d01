//! What holds for whole connections on any input; called by tests and by the target `ws_message`.
//!
//! The input is a script of frames, so that nearly all of it means something; its first octet is the
//! one on the wire, so that nothing a header may hold is out of reach. Limit: frames are whole, and
//! masked as their direction asks for; `websocket_decoder` has the rest.

use std::time::Duration;

use super::super::handshake::client::Request;
use super::super::{CloseCode, Config, Connection, ConnectionEvent, Limits, Opcode, Role, State};
use super::super::{deflate, encoder};
use crate::base::rng::Rng;

/// What an end has heard: events as [`super::Trace`] has them, and whether it failed after them.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// The opcode, the code of a Close frame, the payload.
    pub events: Vec<(Opcode, Option<CloseCode>, Vec<u8>)>,
    /// Whether the connection was failed (RFC 6455 §7.1.7).
    pub failed: bool,
}

/// Another's end of an open connection: what it hears in `wire`, with messages up to so many bytes.
pub type Oracle = fn(role: Role, wire: &[u8], message_bytes: usize) -> Heard;

const LIMITS: Limits = Limits { message_bytes: 2048, parts_per_message: 1 << 20 };

/// However a script of frames is cut, both roles hear what another's end hears, and fail when it
/// fails; what they answer and say themselves, another's end hears; compressed, it is the same.
///
/// Input: an octet for the role and compression, one for the cuts, then frames: the first octet of
/// each, its length in steps of nine bytes, how much longer it is, the payload.
///
/// # Panics
///
/// When a law is broken.
pub fn ws_message(data: &[u8], oracle: Oracle) {
    let [setup, cuts, script @ ..] = data else { return };
    let role = if setup & 1 == 0 { Role::Server } else { Role::Client };
    // RSV1 would mean compressed to us, and nothing to another's end.
    let meaning = if setup & 2 == 0 { 0xff } else { 0xbf };
    let wire = wire(role, script, meaning);
    let theirs = oracle(role, &wire, LIMITS.message_bytes);
    let chosen = [usize::from(cuts & 0x0f), usize::from(cuts >> 4)];
    for cuts in [&[usize::MAX][..], &[1], &chosen] {
        let (mut server, mut client) = open(setup & 2 != 0);
        let ours = if role == Role::Server { &mut server } else { &mut client };
        let heard = hear(ours, &wire, cuts);
        if theirs.failed && heard.failed {
            // What a dead end still told of is its own affair, but it told nothing else.
            let fewer = heard.events.len().min(theirs.events.len());
            assert_eq!(heard.events.get(..fewer), theirs.events.get(..fewer), "cut by {cuts:?}");
        } else {
            assert_eq!(heard, theirs, "another end hears otherwise, cut by {cuts:?}");
        }
        answers(ours, role, &heard, oracle);
        says(&heard, role, setup & 2 != 0, oracle);
    }
}

/// Two ends of ours that have opened.
fn open(compress: bool) -> (Connection, Connection) {
    let deflate = compress.then_some(deflate::Settings::TAKEOVER);
    let config = Config { limits: LIMITS, deflate, ..Config::default() };
    let request = Request { host: "example.com", target: "/", ..Request::default() };
    let mut server = Connection::server(config, Duration::ZERO);
    let client = Connection::client(config, &request, Rng::new(1), Duration::ZERO);
    assert!(client.is_ok(), "a good request");
    let Ok(mut client) = client else {
        return (server, Connection::server(config, Duration::ZERO));
    };
    server.receive(&mut client.take_output());
    assert!(server.accept(None, None).is_ok());
    client.receive(&mut server.take_output());
    assert!(server.is_open() && client.is_open(), "two ends of ours open");
    while server.poll_event().is_some() || client.poll_event().is_some() {}
    (server, client)
}

/// The frames of a script, as the other end of `role` would send them, with these bits of the first
/// octets.
fn wire(role: Role, mut script: &[u8], meaning: u8) -> Vec<u8> {
    let mut wire = Vec::new();
    while let [first, steps, more, rest @ ..] = script {
        // Few bytes make lengths of both forms, so what is not there is the last octet again.
        let length = usize::from(*steps).saturating_mul(9).saturating_add(usize::from(more & 0x0f));
        let taken = length.min(usize::from(*more)).min(rest.len());
        let (given, after) = rest.split_at_checked(taken).unwrap_or((rest, &[]));
        script = after;
        let mut payload = given.to_vec();
        payload.resize(length, given.last().copied().unwrap_or(b'x'));
        if let [0x03, low @ 0xf6, ..] = &mut payload[..] {
            *low = 0xf5; // 1014 came later than RFC 6455, and not every end knows it
        }
        let start = wire.len();
        match role {
            Role::Server => encoder::encode_masked_into(&mut wire, Opcode::Binary, &payload, KEY),
            Role::Client => encoder::encode_into(&mut wire, Opcode::Binary, &payload),
        }
        if let Some(octet) = wire.get_mut(start) {
            // A fuzzer seldom guesses a frame of a run that may be: all but FIN, opcode and, now and
            // then, RSV is left out.
            *octet = if *more >= 0xf0 { first & meaning } else { first & 0x8f };
        }
    }
    wire
}

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

fn hear(ours: &mut Connection, wire: &[u8], cuts: &[usize]) -> Heard {
    let (mut rest, mut lengths) = (wire, cuts.iter().cycle());
    while !rest.is_empty() {
        let length = lengths.next().copied().unwrap_or(usize::MAX).clamp(1, rest.len());
        let (piece, after) = rest.split_at_checked(length).unwrap_or((rest, &[]));
        rest = after;
        ours.receive(&mut piece.to_vec());
    }
    let mut heard = Heard::default();
    while let Some(event) = ours.poll_event() {
        heard.events.push(match event {
            ConnectionEvent::Text(text) => (Opcode::Text, None, text.into_bytes()),
            ConnectionEvent::Binary(message) => (Opcode::Binary, None, message),
            ConnectionEvent::Ping(payload) => (Opcode::Ping, None, payload),
            ConnectionEvent::Pong(payload) => (Opcode::Pong, None, payload),
            other => {
                assert_eq!(other, ConnectionEvent::Text(String::new()), "the stream has not ended");
                continue;
            }
        });
    }
    if let Some(close) = ours.close_received() {
        heard.events.push((Opcode::Close, close.code, close.reason.clone().into_bytes()));
    }
    heard.failed = ours.state() == State::Closing && ours.close_received().is_none();
    heard
}

const fn other(role: Role) -> Role {
    match role {
        Role::Server => Role::Client,
        Role::Client => Role::Server,
    }
}

/// What an end sends without being asked: the Pong of the last Ping, and one Close frame, last.
fn answers(ours: &mut Connection, role: Role, heard: &Heard, oracle: Oracle) {
    let sent = oracle(other(role), &ours.take_output(), LIMITS.message_bytes);
    assert!(!sent.failed, "our own words are no fault");
    let mut expected = Vec::new();
    let mut pings = heard.events.iter().filter(|(opcode, ..)| *opcode == Opcode::Ping);
    expected.extend(pings.next_back().map(|(_, _, payload)| (Opcode::Pong, None, payload.clone())));
    let close = heard.events.iter().find(|(opcode, ..)| *opcode == Opcode::Close);
    match (close, sent.events.last()) {
        (Some((_, code, _)), _) => expected.push((Opcode::Close, *code, Vec::new())),
        (None, Some(last)) if heard.failed => {
            assert!(last.0 == Opcode::Close && last.1.is_some(), "it says why it fails");
            expected.push(last.clone());
        }
        (None, _) => assert!(!heard.failed, "it says that it fails"),
    }
    assert_eq!(sent.events, expected, "an end answers what it has to");
}

/// What was heard, said by an end of ours, is heard: by another's end, or by ours when compressed.
fn says(heard: &Heard, role: Role, compress: bool, oracle: Oracle) {
    let (mut server, mut client) = open(compress);
    let (from, to) = match role {
        Role::Server => (&mut server, &mut client),
        Role::Client => (&mut client, &mut server),
    };
    let said: Vec<_> =
        heard.events.iter().filter(|event| event.0 != Opcode::Pong).cloned().collect();
    for (opcode, code, payload) in &said {
        let text = str::from_utf8(payload).unwrap_or_default();
        let result = match (opcode, code) {
            (Opcode::Text, _) => from.send_text(text),
            (Opcode::Binary, _) => from.send_binary(payload),
            (Opcode::Ping, _) => from.ping(payload),
            (_, Some(code)) if code.may_be_sent(role) => from.close(*code, text),
            _ => return,
        };
        assert!(result.is_ok(), "an open end speaks");
    }
    let wire = from.take_output();
    let again = if compress {
        hear(to, &wire, &[usize::MAX])
    } else {
        oracle(other(role), &wire, LIMITS.message_bytes)
    };
    assert_eq!(again.events, said, "what is said is heard");
    assert!(!again.failed);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A text in two fragments with a Ping between them, a Close frame of 1000; in the law's form.
    pub(super) const SEED: &[u8] =
        b"\x00\x23\x01\x00\x03hel\x89\x00\x01p\x80\x00\x02lo\x88\x00\x02\x03\xe8";

    /// Our own end, so that the laws can be seen to fail without another's.
    fn own(role: Role, wire: &[u8], _: usize) -> Heard {
        let (mut server, mut client) = open(false);
        hear(if role == Role::Server { &mut server } else { &mut client }, wire, &[usize::MAX])
    }

    #[test]
    fn a_script_with_everything_obeys() {
        for setup in 0..4 {
            let mut seed = SEED.to_vec();
            seed[0] = setup;
            ws_message(&seed, own);
        }
        let heard = own(Role::Server, &wire(Role::Server, &SEED[2..], 0xff), 0);
        let told: Vec<_> = heard.events.iter().map(|event| event.0).collect();
        assert_eq!(told, [Opcode::Ping, Opcode::Text, Opcode::Close]);
        assert_eq!(heard.events[1].2, b"hello");
    }

    #[test]
    #[should_panic(expected = "another end hears otherwise")]
    fn an_end_that_hears_otherwise_breaks_the_law() {
        ws_message(SEED, |role, wire, limit| {
            let mut heard = own(role, wire, limit);
            heard.events.iter_mut().for_each(|event| event.2.truncate(4));
            heard
        });
    }
}
