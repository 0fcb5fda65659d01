//! The laws of this module as functions that panic when one is broken: what the fuzzer calls, and
//! what replays its seeds in `cargo test`.
//!
//! The input chooses the role, the limits and the cuts itself, so that a fuzzer finds them too.

mod extension_header;
mod message;
mod utf8;

pub use extension_header::extension_header;
pub use message::{Heard, Oracle, ws_message};
pub use utf8::{close_payload, utf8};

use super::handshake::{self, Head, client};
use super::{CloseCode, Decoder, Error, Event, Limits, Opcode, Payload, Role, encoder};

/// What came out of a decoder, owned.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// The opcode of the event, the code of a close, the payload.
    pub events: Vec<(Opcode, Option<CloseCode>, Vec<u8>)>,
    /// The error at its end.
    pub error: Option<Error>,
}

/// Decodes `wire` in pieces of the lengths `cuts`, repeated for ever; in one piece without any.
pub fn trace(role: Role, limits: Limits, wire: &[u8], cuts: &[usize]) -> Trace {
    let mut decoder = Decoder::new(role, limits);
    let mut trace = Trace::default();
    let mut lengths = cuts.iter().cycle();
    let mut rest = wire;
    while !rest.is_empty() {
        let length = lengths.next().copied().unwrap_or(usize::MAX).clamp(1, rest.len());
        let Some((piece, after)) = rest.split_at_checked(length) else { break };
        rest = after;
        let mut piece = piece.to_vec();
        feed(&mut decoder, &mut piece, limits, &mut trace);
    }
    trace
}

/// Decodes one piece.
fn feed(decoder: &mut Decoder, piece: &mut [u8], limits: Limits, trace: &mut Trace) {
    let mut at = 0;
    loop {
        let event = match decoder.decode(piece, &mut at) {
            Ok(Some(event)) => event,
            Ok(None) => {
                assert_eq!(at, piece.len(), "a decoder takes all it is given");
                assert!(decoder.assembled().is_empty(), "and keeps no payload it has told of");
                return;
            }
            Err(error) => {
                assert!(trace.error.is_none_or(|first| first == error), "the first error stays");
                trace.error = Some(error);
                return;
            }
        };
        assert!(trace.error.is_none(), "a dead decoder tells nothing");
        let (opcode, code, payload) = match event {
            Event::Message { text: true, payload } => (Opcode::Text, None, payload),
            Event::Message { text: false, payload } => (Opcode::Binary, None, payload),
            Event::Ping(payload) => (Opcode::Ping, None, payload),
            Event::Pong(payload) => (Opcode::Pong, None, payload),
            Event::Close(close) => (Opcode::Close, close.code, close.reason),
        };
        let payload = match payload {
            Payload::Lent(range) => piece.get(range).map(<[u8]>::to_vec),
            Payload::Assembled => Some(decoder.assembled().to_vec()),
        };
        assert!(payload.is_some(), "a lent payload lies in the piece");
        let payload = payload.unwrap_or_default();
        match opcode {
            Opcode::Text => assert!(str::from_utf8(&payload).is_ok(), "text is UTF-8"),
            Opcode::Close => assert!(payload.len() <= 123 && str::from_utf8(&payload).is_ok()),
            _ => {}
        }
        assert!(payload.len() <= limits.message_bytes.max(125), "no message over its limit");
        trace.events.push((opcode, code, payload));
    }
}

/// Law: however the bytes are cut, the same events and the same error; nothing over its cap; a lent
/// message, re-framed where it lies, is the same message to a client.
///
/// Input: an octet for the role and the limits, one for the cuts, the wire.
pub fn websocket_decoder(data: &[u8]) {
    decoder_law(data, trace);
}

/// How the law decodes: [`trace`], or something planted to see the law fail.
type Run = fn(Role, Limits, &[u8], &[usize]) -> Trace;

fn decoder_law(data: &[u8], run: Run) {
    let [setup, cuts, wire @ ..] = data else { return };
    let role = if setup & 1 == 0 { Role::Server } else { Role::Client };
    let limits = Limits {
        message_bytes: 16 << ((setup >> 1) & 0x0f),
        parts_per_message: 1 | (u32::from(setup >> 5) << 2),
    };
    let whole = run(role, limits, wire, &[]);
    let chosen = [usize::from(cuts & 0x0f), usize::from(cuts >> 4)];
    for cuts in [&[1][..], &[2, 1], &[7, 1, 13], &chosen] {
        assert_eq!(whole, run(role, limits, wire, cuts), "cut by {cuts:?}");
    }
    if role == Role::Server {
        reframing_law(wire, limits);
    }
}

fn reframing_law(wire: &[u8], limits: Limits) {
    let mut bytes = wire.to_vec();
    let (mut decoder, mut at) = (Decoder::new(Role::Server, limits), 0);
    while let Ok(Some(event)) = decoder.decode(&mut bytes, &mut at) {
        let Event::Message { text, payload: Payload::Lent(payload) } = event else { continue };
        let message = bytes.get(payload.clone()).map(<[u8]>::to_vec).unwrap_or_default();
        let opcode = if text { Opcode::Text } else { Opcode::Binary };
        let frame = encoder::reframe(&mut bytes, payload, opcode);
        let frame = frame.and_then(|frame| bytes.get(frame)).unwrap_or_default();
        let echoed = trace(Role::Client, limits, frame, &[]);
        assert_eq!(echoed.events, [(opcode, None, message)], "an echo is what was sent");
    }
}

/// Law: a request that is accepted has a key of 16 bytes, and its response passes the client's
/// checks; one that is refused gets a whole response with an error status. Offers parse or not, but
/// in bounds.
///
/// Input: the head of a request.
pub fn handshake(data: &[u8]) {
    let mut headers = [httparse::EMPTY_HEADER; 100];
    let mut request = httparse::Request::new(&mut headers);
    if !request.parse(data).is_ok_and(|status| status.is_complete()) {
        return;
    }
    let mut out = Vec::new();
    match handshake::validate(&request) {
        Err(refusal) => {
            refusal.write_into(&mut out);
            let status = status_of(&out);
            assert_eq!(status, Some(refusal.status()));
            assert!(status >= Some(400), "a refusal is an error");
        }
        Ok(upgrade) => {
            assert!(handshake::is_upgrade(&request) && request.method() == "GET");
            assert_eq!(decoded_len(upgrade.key()), Some(16), "a key is 16 bytes");
            let offers = upgrade.offers();
            assert!(offers.len() <= handshake::extensions::OFFERS_MAX);
            let favourite = upgrade.subprotocols().next();
            assert!(favourite.is_none_or(handshake::is_token));
            let written = handshake::response(&upgrade, favourite, None, &mut out);
            assert!(written.is_ok() && status_of(&out) == Some(101));
            let accept = handshake::accept(upgrade.key());
            let agreed = client::Handshake::of(accept, favourite.map(str::to_owned)).receive(&out);
            assert!(
                matches!(agreed, Ok(Some((agreed, taken)))
                    if taken == out.len() && agreed.subprotocol.as_deref() == favourite),
                "a client opens on our response"
            );
        }
    }
}

/// The status of a response whose head is whole.
fn status_of(response: &[u8]) -> Option<u16> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut parsed = httparse::Response::new(&mut headers);
    parsed.parse(response).ok().filter(httparse::Status::is_complete).and(parsed.code)
}

/// How many bytes base64 with its padding stands for, counted without decoding it.
fn decoded_len(text: &str) -> Option<usize> {
    let digits = text.trim_end_matches('=');
    let base64 = |octet: u8| octet.is_ascii_alphanumeric() || octet == b'+' || octet == b'/';
    let padded = text.len().is_multiple_of(4) && text.len().saturating_sub(digits.len()) <= 2;
    (padded && digits.bytes().all(base64)).then(|| digits.len().saturating_mul(3) / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two fragments with a Ping between them, then a close; in the law's form.
    const SEED: &[u8] =
        b"\x3e\x23\x01\x83\0\0\0\0hel\x89\x81\0\0\0\0p\x80\x82\0\0\0\0lo\x88\x80\0\0\0\0";

    #[test]
    fn the_law_holds_for_a_stream_with_everything() {
        websocket_decoder(SEED);
        let whole = trace(Role::Server, decoder_limits(), &SEED[2..], &[]);
        assert_eq!((whole.events.len(), whole.error), (3, None));
    }

    fn decoder_limits() -> Limits {
        Limits { message_bytes: 64, parts_per_message: 8 }
    }

    /// Planted: forgets all at a cut.
    fn forgetful(role: Role, limits: Limits, wire: &[u8], cuts: &[usize]) -> Trace {
        let first = cuts.first().copied().unwrap_or(wire.len()).min(wire.len());
        let mut trace = trace(role, limits, &wire[..first], &[]);
        feed(&mut Decoder::new(role, limits), &mut wire[first..].to_vec(), limits, &mut trace);
        trace
    }

    #[test]
    #[should_panic(expected = "cut by")]
    fn a_decoder_that_forgets_breaks_the_law() {
        decoder_law(SEED, forgetful);
    }

    #[test]
    fn base64_is_counted() {
        let rows = [
            ("dGhlIHNhbXBsZSBub25jZQ==", Some(16)),
            ("dGhlIHNhbXBsZSBub25jZWU=", Some(17)),
            ("dGhl", Some(3)),
            ("dGh", None),
            ("d===", None),
            ("dG-l", None),
        ];
        for (text, expected) in rows {
            assert_eq!(decoded_len(text), expected, "{text}");
        }
    }
}
