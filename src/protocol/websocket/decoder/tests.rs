//! The decoder by tables; the RFC's sections, one by one, are in `tests/rfc6455/`.

use super::*;
use crate::protocol::websocket::close_code::CloseCode;
use crate::protocol::websocket::event::CloseFrame;
use crate::protocol::websocket::extension::ExtensionError;
use crate::protocol::websocket::{Opcode, encoder};

const LIMITS: Limits = Limits { message_bytes: 64, parts_per_message: 4 };
const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let opcode = Opcode::Binary;
    let mut frame = encoder::masked_header(opcode, true, false, payload.len() as u64, KEY).to_vec();
    frame[0] = first;
    let start = frame.len();
    frame.extend(payload);
    mask::apply(&mut frame[start..], KEY);
    frame
}

/// Everything that comes out: kind, payload, whether it was lent.
fn run(decoder: &mut Decoder, bytes: &mut [u8]) -> (Vec<(Event, Vec<u8>)>, Option<Error>) {
    let (mut at, mut events) = (0, Vec::new());
    loop {
        match decoder.decode(bytes, &mut at) {
            Ok(Some(event)) => {
                let payload = match &event {
                    Event::Message { payload, .. }
                    | Event::Ping(payload)
                    | Event::Pong(payload) => payload,
                    Event::Close(close) => &close.reason,
                };
                let payload = match payload {
                    Payload::Lent(range) => bytes[range.clone()].to_vec(),
                    Payload::Assembled => decoder.assembled().to_vec(),
                };
                events.push((event, payload));
            }
            Ok(None) => {
                assert_eq!(at, bytes.len(), "all is taken");
                return (events, None);
            }
            Err(error) => return (events, Some(error)),
        }
    }
}

#[test]
fn a_decoder_is_small_and_an_idle_one_owns_nothing() {
    assert!(size_of::<Decoder>() <= 80, "{}", size_of::<Decoder>());
    assert!(size_of::<Error>() == 1);
    let mut decoder = Decoder::new(Role::Server, LIMITS);
    for frame in [masked(0x81, b"hello"), masked(0x01, b"hel")] {
        run(&mut decoder, &mut frame.clone());
    }
    assert!(decoder.assembly.is_some() && decoder.is_mid_message());
    let (events, _) = run(&mut decoder, &mut masked(0x80, b"lo"));
    assert_eq!(events.len(), 1);
    assert!(decoder.assembly.is_none() && !decoder.is_mid_message());
}

#[test]
fn a_whole_message_is_lent_where_it_lies() {
    let mut bytes = masked(0x81, b"one");
    bytes.extend(masked(0x82, b"two"));
    bytes.extend(masked(0x89, b"ping"));
    let (events, error) = run(&mut Decoder::new(Role::Server, LIMITS), &mut bytes);
    assert_eq!(error, None);
    let places: Vec<Event> = events.iter().map(|(event, _)| event.clone()).collect();
    assert_eq!(
        places,
        [
            Event::Message { text: true, payload: Payload::Lent(6..9) },
            Event::Message { text: false, payload: Payload::Lent(15..18) },
            Event::Ping(Payload::Lent(24..28)),
        ]
    );
    assert_eq!(events[1].1, b"two");
}

#[test]
fn what_comes_in_pieces_is_assembled_and_freed() {
    let mut decoder = Decoder::new(Role::Server, LIMITS);
    let frame = masked(0x81, "héllo".as_bytes());
    let (mut first, mut second) = (frame[..8].to_vec(), frame[8..].to_vec());
    assert_eq!(run(&mut decoder, &mut first).0, []);
    let mut at = 0;
    let event = decoder.decode(&mut second, &mut at).unwrap().unwrap();
    assert_eq!(event, Event::Message { text: true, payload: Payload::Assembled });
    assert_eq!(decoder.assembled(), "héllo".as_bytes());
    assert_eq!(decoder.take_assembled(), "héllo".as_bytes());
    assert!(decoder.assembly.is_none() && decoder.assembled().is_empty());
    // A Close in pieces tells the reason without its code.
    let frame = masked(0x88, b"\x10\x68drain");
    assert_eq!(run(&mut decoder, &mut frame[..9].to_vec()).0, []);
    let (events, _) = run(&mut decoder, &mut frame[9..].to_vec());
    let close = CloseFrame { code: Some(CloseCode(4200)), reason: Payload::Assembled };
    assert_eq!(events, [(Event::Close(close), b"drain".to_vec())]);
    assert!(decoder.assembly.is_none());
}

#[test]
fn a_header_cut_anywhere_still_lends_the_payload() {
    let frame = masked(0x82, b"abc");
    for cut in 1..=6 {
        let mut decoder = Decoder::new(Role::Server, LIMITS);
        assert_eq!(run(&mut decoder, &mut frame[..cut].to_vec()).0, []);
        let (events, _) = run(&mut decoder, &mut frame[cut..].to_vec());
        let payload = Payload::Lent(6 - cut..9 - cut);
        assert_eq!(events, [(Event::Message { text: false, payload }, b"abc".to_vec())]);
    }
}

#[test]
fn a_dead_decoder_repeats_its_error() {
    let mut decoder = Decoder::new(Role::Server, LIMITS);
    assert_eq!(run(&mut decoder, &mut masked(0x83, b"")).1, Some(Error::ReservedOpcode));
    assert_eq!(run(&mut decoder, &mut masked(0x81, b"fine")).1, Some(Error::ReservedOpcode));
    assert_eq!(run(&mut decoder, &mut []).1, Some(Error::ReservedOpcode));
}

#[test]
fn limits_are_judged_by_the_header() {
    let huge = [0x82, 0xff, 0x7f, 255, 255, 255, 255, 255, 255, 255, 1, 2, 3, 4];
    let limit = masked(0x82, &[0; 64]);
    let over = &masked(0x82, &[0; 65])[..6];
    let (first, rest) = (masked(0x02, &[0; 60]), masked(0x80, &[0; 5]));
    let sum_over = [&first[..], &rest[..6]].concat();
    let sum = [&first[..], &masked(0x80, &[0; 4])].concat();
    let empty = [masked(0x02, b""), masked(0, b""), masked(0, b""), masked(0, b"")].concat();
    let parts_over = [&empty[..], &masked(0x80, b"")[..]].concat();
    let rows: [(&[u8], Option<Error>); 7] = [
        (&huge, Some(Error::TooLarge)),
        (&limit, None),
        (over, Some(Error::TooLarge)),
        (&sum_over, Some(Error::TooLarge)),
        (&sum, None),
        (&empty, None),
        (&parts_over, Some(Error::TooManyParts)),
    ];
    for (index, (bytes, error)) in rows.into_iter().enumerate() {
        let mut decoder = Decoder::new(Role::Server, LIMITS);
        assert_eq!(run(&mut decoder, &mut bytes.to_vec()).1, error, "row {index}");
    }
    // A limit that rises applies to the next header.
    let mut decoder = Decoder::new(Role::Server, LIMITS);
    decoder.set_limits(Limits { message_bytes: 65, ..LIMITS });
    assert_eq!(run(&mut decoder, &mut masked(0x82, &[0; 65])).1, None);
}

/// A toy: payloads XOR 0x55, 0xff unfolds into 1,000 octets.
#[derive(Debug)]
struct Toy {
    messages: u32,
}

impl Extension for Toy {
    fn decode(
        &mut self,
        piece: &[u8],
        last: bool,
        cap: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), ExtensionError> {
        for &octet in piece {
            match octet {
                0x00 => return Err(ExtensionError::Invalid),
                0xff => out.extend(std::iter::repeat_n(b'.', (cap - out.len()).min(1_000))),
                _ => out.push(octet ^ 0x55),
            }
            if out.len() >= cap && octet == 0xff {
                return Err(ExtensionError::TooLarge);
            }
        }
        self.messages += u32::from(last);
        Ok(())
    }

    fn encode(&mut self, message: &[u8], out: &mut Vec<u8>) -> bool {
        out.extend(message.iter().map(|octet| octet ^ 0x55));
        true
    }
}

#[test]
fn an_extension_reads_the_messages_it_claims_and_no_others() {
    let encode = |text: &[u8]| text.iter().map(|octet| octet ^ 0x55).collect::<Vec<u8>>();
    let hello = encode("grüß".as_bytes());
    let whole = masked(0xc1, &hello);
    let fragments = [masked(0x41, &hello[..3]), masked(0, b""), masked(0x80, &hello[3..])].concat();
    let empty_end = [masked(0x41, &hello), masked(0x80, b"")].concat();
    type Row = (Vec<u8>, Result<&'static [u8], Error>);
    let rows: [Row; 9] = [
        (whole, Ok("grüß".as_bytes())),
        (fragments, Ok("grüß".as_bytes())),
        (empty_end, Ok("grüß".as_bytes())),
        (masked(0x81, b"plain"), Ok(b"plain")),
        (masked(0xc1, &[0x55 ^ 0x80]), Err(Error::InvalidUtf8)),
        (masked(0xc2, &[0]), Err(Error::InvalidExtensionData)),
        (masked(0xc2, &[0xff]), Err(Error::TooLarge)),
        ([masked(0x42, &hello), masked(0xc0, b"")].concat(), Err(Error::ReservedBits)),
        (masked(0xc9, b""), Err(Error::ReservedBits)),
    ];
    for (index, (mut bytes, expected)) in rows.into_iter().enumerate() {
        for one_by_one in [false, true] {
            let mut decoder = Decoder::new(Role::Server, LIMITS);
            decoder.set_extension(Box::new(Toy { messages: 0 }));
            let step = if one_by_one { 1 } else { bytes.len() };
            let (mut events, mut error) = (Vec::new(), None);
            for piece in bytes.clone().chunks_mut(step) {
                let (some, end) = run(&mut decoder, piece);
                events.extend(some);
                error = error.or(end);
            }
            match expected {
                Ok(text) => assert_eq!((&*events[0].1, error), (text, None), "row {index}"),
                Err(expected) => assert_eq!(error, Some(expected), "row {index}"),
            }
        }
        let error = run(&mut Decoder::new(Role::Server, LIMITS), &mut bytes).1;
        assert_eq!(error.is_none(), index == 3, "without the extension RSV1 is an error");
    }
}

#[test]
fn a_claimed_message_is_limited_on_the_wire_too() {
    let mut decoder = Decoder::new(Role::Server, LIMITS);
    decoder.set_extension(Box::new(Toy { messages: 0 }));
    assert_eq!(run(&mut decoder, &mut masked(0x42, &[1; 64])).1, None);
    let over = run(&mut decoder, &mut masked(0x00, &[1; 100])[..6]).1;
    assert_eq!(over, Some(Error::TooLarge));
    let mut out = Vec::new();
    assert!(Toy { messages: 0 }.encode(b"a", &mut out) && out == [b'a' ^ 0x55]);
}

#[test]
fn what_is_moved_down_is_the_same_and_leaves_room_for_a_header() {
    let payloads: [&[u8]; 7] =
        [b"", b"a", b"hello", "h\u{e4}h".as_bytes(), &[b'x'; 40], &[b'y'; 64], &[b'z'; 63]];
    for first in [0x81, 0x82] {
        let mut bytes: Vec<u8> = payloads.iter().flat_map(|p| masked(first, p)).collect();
        let decoder = Decoder::new(Role::Server, LIMITS);
        let (mut at, mut floor) = (0, None);
        for expected in payloads {
            let limits = decoder.common().unwrap();
            let (text, place) = lent(limits, &mut bytes, &mut at, floor).unwrap().unwrap();
            assert_eq!((text, &bytes[place.clone()]), (first == 0x81, expected));
            let opcode = if text { Opcode::Text } else { Opcode::Binary };
            let frame = encoder::reframe(&mut bytes, place, opcode).unwrap();
            // All frames lie in one piece, each with its header.
            assert_eq!(frame.start, floor.unwrap_or(4));
            floor = Some(frame.end);
        }
        assert_eq!((lent(LIMITS, &mut bytes, &mut at, floor), at), (Ok(None), bytes.len()));
        let frames = &bytes[4..floor.unwrap()];
        let mut client = Decoder::new(Role::Client, LIMITS);
        let (events, error) = run(&mut client, &mut frames.to_vec());
        let heard: Vec<&[u8]> = events.iter().map(|(_, payload)| &payload[..]).collect();
        assert_eq!((heard, error), (payloads.to_vec(), None));
    }
}

#[test]
fn a_whole_frame_of_any_kind_is_what_its_pieces_are() {
    let limits = Limits { message_bytes: 70_000, ..LIMITS };
    let mut frames = Vec::new();
    for first in 0..=255_u8 {
        frames.push(masked(first, b"hello"));
        frames.push(masked(first, &[0xc3, 0x28]));
    }
    for len in [0, 1, 125, 126, 127, 65_535, 65_536, 70_000, 70_001] {
        frames.push(masked(0x81, &vec![b'x'; len]));
        frames.push(masked(0x82, &vec![0xff; len]));
        frames.push(encoder::header(Opcode::Text, true, false, len as u64).to_vec());
    }
    // Lengths that are not in their shortest form.
    frames.push([&[0x82, 0xfe, 0, 125], &[0; 129][..]].concat());
    frames.push([&[0x82, 0xff, 0, 0, 0, 0, 0, 0, 0, 126], &[0; 130][..]].concat());
    for frame in frames {
        let mut whole = Decoder::new(Role::Server, limits);
        let (events, error) = run(&mut whole, &mut frame.clone());
        let mut cut = Decoder::new(Role::Server, limits);
        let (mut pieces, mut failed) = (Vec::new(), None);
        for octet in frame.chunks(1 + frame.len() / 50) {
            let (events, error) = run(&mut cut, &mut octet.to_vec());
            pieces.extend(events.into_iter().map(|(_, payload)| payload));
            failed = error.or(failed);
            if failed.is_some() {
                break;
            }
        }
        let events: Vec<_> = events.into_iter().map(|(_, payload)| payload).collect();
        assert_eq!((events, error), (pieces, failed), "{:02x?}", &frame[..frame.len().min(12)]);
    }
}
