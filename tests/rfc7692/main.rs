//! RFC 7692, a file per section; the name of a test begins with its section.
//!
//! Law: every stream that `read` sees is also read one byte at a time and cut in two at every place.

mod limits;
mod oracle;
mod pair;
mod s5_negotiation;
mod s6_framing;
mod s7_1_1_context_takeover;
mod s7_1_2_window_bits;
mod s7_2_1_compression;
mod s7_2_2_decompression;
mod s7_2_3_examples;

use stentor::protocol::websocket::deflate::{
    Agreed, Compressor, Deflate, Direction, Settings, SharedInflater, WindowBits,
};
use stentor::protocol::websocket::handshake::extensions;
use stentor::protocol::websocket::{
    Decoder, Error, Event, Extension, Limits, Opcode, Payload, Role, encoder,
};

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
const LIMITS: Limits = Limits { message_bytes: 64 * 1024, parts_per_message: 2048 };

/// What came out of a decoder: opcode and payload of each event, and the error at its end.
#[derive(Debug, PartialEq, Eq)]
struct Trace {
    events: Vec<(Opcode, Vec<u8>)>,
    error: Option<Error>,
}

/// The terms of two ends that both compress as `direction` says.
fn both(direction: Direction) -> Agreed {
    Agreed { server: direction, client: direction }
}

fn window(bits: u8) -> WindowBits {
    WindowBits::new(bits).unwrap()
}

/// The decoder of an end that has agreed on `agreed`.
fn decoder(role: Role, agreed: Agreed, limits: Limits) -> Decoder {
    let mut decoder = Decoder::new(role, limits);
    let inflater = SharedInflater::default();
    decoder.set_extension(Box::new(Deflate::receiving(agreed, role, inflater)));
    decoder
}

/// Reads `wire` cut at `cut`, or byte by byte.
fn read_cut(role: Role, agreed: Agreed, limits: Limits, wire: &[u8], cut: Option<usize>) -> Trace {
    let mut decoder = decoder(role, agreed, limits);
    let mut trace = Trace { events: Vec::new(), error: None };
    let pieces: Vec<&[u8]> = match cut {
        Some(cut) => vec![&wire[..cut], &wire[cut..]],
        None => wire.chunks(1).collect(),
    };
    for piece in pieces {
        let (mut piece, mut at) = (piece.to_vec(), 0);
        loop {
            let (opcode, payload) = match decoder.decode(&mut piece, &mut at) {
                Ok(None) => break,
                Err(error) => {
                    assert!(trace.error.is_none_or(|first| first == error), "the error stays");
                    trace.error = Some(error);
                    break;
                }
                Ok(Some(Event::Message { text: true, payload })) => (Opcode::Text, payload),
                Ok(Some(Event::Message { text: false, payload })) => (Opcode::Binary, payload),
                Ok(Some(Event::Ping(payload))) => (Opcode::Ping, payload),
                Ok(Some(Event::Pong(payload))) => (Opcode::Pong, payload),
                Ok(Some(Event::Close(close))) => (Opcode::Close, close.reason),
            };
            let payload = match payload {
                Payload::Lent(range) => piece[range].to_vec(),
                Payload::Assembled => decoder.take_assembled(),
            };
            trace.events.push((opcode, payload));
        }
    }
    trace
}

/// What an end makes of `wire`, which is the same at every cut.
fn read(role: Role, agreed: Agreed, wire: &[u8]) -> Trace {
    let whole = read_cut(role, agreed, LIMITS, wire, Some(0));
    assert_eq!(whole, read_cut(role, agreed, LIMITS, wire, None), "one by one");
    let near_an_end = |cut: usize| cut <= 100 || wire.len() - cut <= 100;
    for cut in (1..wire.len()).filter(|&cut| near_an_end(cut) || cut % 97 == 0) {
        let parted = read_cut(role, agreed, LIMITS, wire, Some(cut));
        assert_eq!(whole, parted, "cut at {cut}");
    }
    whole
}

/// A client's frame; `first` is FIN, the RSV bits and the opcode.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let opcode = Opcode::from_bits(first).unwrap();
    let rsv1 = first & 0x40 != 0;
    let len = payload.len() as u64;
    let mut out = encoder::masked_header(opcode, first & 0x80 != 0, rsv1, len, KEY).to_vec();
    out[0] = first;
    let start = out.len();
    out.extend_from_slice(payload);
    stentor::protocol::websocket::mask::apply(&mut out[start..], KEY);
    out
}

/// A server's frame.
fn bare(first: u8, payload: &[u8]) -> Vec<u8> {
    let opcode = Opcode::from_bits(first).unwrap();
    let (fin, rsv1) = (first & 0x80 != 0, first & 0x40 != 0);
    let mut out = encoder::header(opcode, fin, rsv1, payload.len() as u64).to_vec();
    out.extend_from_slice(payload);
    out
}

/// What a server makes of compressed messages of one frame each.
fn read_payloads(direction: Direction, payloads: &[&[u8]]) -> Trace {
    let wire: Vec<u8> = payloads.iter().flat_map(|payload| masked(0xc2, payload)).collect();
    read(Role::Server, both(direction), &wire)
}

/// The messages without an error.
fn messages(trace: Trace) -> Vec<Vec<u8>> {
    assert_eq!(trace.error, None);
    trace.events.into_iter().map(|(_, payload)| payload).collect()
}

/// A message compressed for itself.
fn compressed(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    assert!(Compressor::new(WindowBits::MAX, 6, 8).unwrap().next(message, &mut out));
    out
}

fn offers(value: &str) -> Vec<extensions::Offer<'_>> {
    extensions::parse(std::iter::once(value.as_bytes())).unwrap()
}

/// What a server of `settings` answers.
fn answer(settings: &Settings, offer: &str) -> Option<String> {
    settings.accept(&offers(offer)).map(|(_, answer)| answer)
}

/// Text that shrinks, but not to nothing.
fn text(bytes: usize) -> Vec<u8> {
    let words =
        (0_u32..).flat_map(|n| format!("word {} ", n.wrapping_mul(40_503) >> 7).into_bytes());
    words.take(bytes).collect()
}

/// Bytes that do not shrink.
fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..bytes).map(next).collect()
}

/// The harness sees a reader that depends on its cuts: here one that gets another limit at one.
#[test]
#[should_panic(expected = "cut at 9")]
fn a_dependence_on_cuts_is_caught() {
    let wire = masked(0xc2, &compressed(b"Hello"));
    let agreed = both(Direction::ALONE);
    let whole = read_cut(Role::Server, agreed, LIMITS, &wire, Some(0));
    for cut in 1..wire.len() {
        let message_bytes = if cut == 9 { 4 } else { 5 };
        let planted = Limits { message_bytes, ..LIMITS };
        let parted = read_cut(Role::Server, agreed, planted, &wire, Some(cut));
        assert_eq!(whole, parted, "cut at {cut}");
    }
}
