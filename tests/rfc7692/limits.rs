//! What a few octets may cost: bombs, in one piece, in a thousand, and in the shape of many streams.

use super::*;
use std::time::{Duration, Instant};

fn limited(message_bytes: usize) -> Limits {
    Limits { message_bytes, ..LIMITS }
}

/// What comes of `wire` within `limit` bytes.
fn within(limit: usize, wire: &[u8]) -> Trace {
    let agreed = both(Direction::ALONE);
    let whole = read_cut(Role::Server, agreed, limited(limit), wire, Some(0));
    assert_eq!(whole, read_cut(Role::Server, agreed, limited(limit), wire, None));
    whole
}

#[test]
fn exactly_the_limit_is_a_message_and_one_byte_more_is_1009() {
    for limit in [1, 125, 126, 4_096, 16_384, 16_385, 65_536] {
        let fits = masked(0xc2, &compressed(&vec![7; limit]));
        assert_eq!(messages(within(limit, &fits)), [vec![7; limit]]);
        let over = masked(0xc2, &compressed(&vec![7; limit + 1]));
        let trace = within(limit, &over);
        assert_eq!((trace.events.len(), trace.error), (0, Some(Error::TooLarge)), "{limit}");
    }
    assert_eq!(Error::TooLarge.close_code().0, 1009);
}

/// 64 KiB that unfold to 64 MiB and more.
fn bomb() -> Vec<u8> {
    let mut payload = compressed(&vec![0; 67_000_000]);
    payload.truncate(65_000);
    payload
}

#[test]
fn a_bomb_stops_at_the_limit_and_one_byte() {
    let bomb = bomb();
    for cap in [0, 1, 1_000, 65_536] {
        let mut out = Vec::new();
        let inflater = SharedInflater::default();
        let mut deflate = Deflate::receiving(both(Direction::ALONE), Role::Server, inflater);
        let result = deflate.decode(&bomb, true, cap, &mut out);
        assert_eq!(result, Err(stentor::protocol::websocket::ExtensionError::TooLarge));
        assert_eq!(out.len(), cap + 1);
        assert!(out.capacity() <= (cap + 1).max(32 * 1024) * 2, "{}", out.capacity());
    }
    assert_eq!(within(65_536, &masked(0xc2, &bomb)).error, Some(Error::TooLarge));
}

#[test]
fn a_bomb_in_a_thousand_fragments_is_the_same_bomb() {
    let bomb = bomb();
    let pieces: Vec<&[u8]> = bomb.chunks(65).collect();
    let wire: Vec<u8> = pieces
        .iter()
        .enumerate()
        .flat_map(|(at, piece)| {
            let last = if at + 1 == pieces.len() { 0x80 } else { 0 };
            masked(last | if at == 0 { 0x42 } else { 0 }, piece)
        })
        .collect();
    let agreed = both(Direction::ALONE);
    let trace = read_cut(Role::Server, agreed, LIMITS, &wire, Some(30_000));
    assert_eq!((trace.events.len(), trace.error), (0, Some(Error::TooLarge)));
}

#[test]
fn what_comes_on_the_wire_is_limited_too() {
    // An eighth and a little more than the limit is what zlib makes of noise; beyond that, the
    // header is enough.
    let mut header =
        encoder::masked_header(Opcode::Binary, true, true, 65_536 * 9 / 8 + 65, KEY).to_vec();
    let mut decoder = decoder(Role::Server, both(Direction::ALONE), LIMITS);
    assert_eq!(decoder.decode(&mut header, &mut 0), Err(Error::TooLarge));
    let noise = noise(65_536);
    assert_eq!(messages(within(65_536, &masked(0xc2, &compressed(&noise)))), [noise]);
}

#[test]
fn many_streams_in_one_message_are_refused() {
    // Empty last blocks: each ends a stream, and each next one would have the window copied.
    let streams = |count: usize| [0x03, 0x00].repeat(count);
    for (count, fine) in [(1, true), (2, true), (32, true), (33, false), (30_000, false)] {
        let trace = within(65_536, &masked(0xc2, &streams(count)));
        assert_eq!(trace.error.is_none(), fine, "{count}");
    }
    let begin = Instant::now();
    let full = [compressed(&noise(33_000)), vec![0, 0, 0xff, 0xff], streams(15_000)].concat();
    for _ in 0..50 {
        let trace =
            read_cut(Role::Server, both(Direction::ALONE), LIMITS, &masked(0xc2, &full), Some(0));
        assert_eq!(trace.error, Some(Error::InvalidExtensionData));
    }
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
}

#[test]
fn empty_fragments_are_counted() {
    let limits = Limits { parts_per_message: 3, ..LIMITS };
    let wire =
        [masked(0x42, b""), masked(0x00, b""), masked(0x00, b""), masked(0x80, b"")].concat();
    let trace = read_cut(Role::Server, both(Direction::ALONE), limits, &wire, Some(0));
    assert_eq!(trace.error, Some(Error::TooManyParts));
}
