//! Section 7.2.2: what is unfolded, and what is refused for ever after.

use super::*;
use proptest::prelude::*;
use stentor::protocol::websocket::deflate::laws::deflate_in;

const INVALID: Option<Error> = Some(Error::InvalidExtensionData);

fn server(payload: &[u8]) -> Trace {
    read_payloads(Direction::ALONE, &[payload])
}

#[test]
fn s7_2_2_garbage_is_refused_with_1007() {
    let good = compressed(&text(300));
    let cut_short = &good[..good.len() / 2];
    let rows: [(&str, &[u8]); 9] = [
        ("a block of the reserved type", &[0x06]),
        ("the reserved type, last", &[0x07]),
        ("a stored block whose lengths differ", &[0x00, 0x05, 0x00, 0xfb, 0xff, b'H']),
        ("a stored block cut short", &[0x00, 0x05, 0x00, 0xfa, 0xff, b'H']),
        ("a reference to before the beginning", &[0xf2, 0x00, 0x11, 0x00, 0x00]),
        ("a block cut short", cut_short),
        ("codes that contradict themselves", &[0x04, 0xff, 0xff, 0xff, 0xff]),
        ("noise", &[0xff; 40]),
        ("the tail left on", &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00, 0x00, 0xff, 0xff]),
    ];
    for (what, payload) in rows {
        let trace = server(payload);
        assert_eq!((trace.events.len(), trace.error), (0, INVALID), "{what}");
    }
    assert_eq!(Error::InvalidExtensionData.close_code().0, 1007);
}

#[test]
fn s7_2_2_a_message_cut_anywhere_is_not_complete() {
    for message in [b"Hello".to_vec(), text(40), text(2_000), noise(300)] {
        let payload = compressed(&message);
        // The first octet of a stored block is an empty message.
        for len in 1 + usize::from(payload[0] == 0)..payload.len() {
            for direction in [Direction::ALONE, Direction::DEFAULT] {
                let wire = masked(0xc2, &payload[..len]);
                let trace = read_cut(Role::Server, both(direction), LIMITS, &wire, Some(0));
                assert_eq!((trace.events.len(), trace.error), (0, INVALID), "{len}");
            }
        }
    }
}

#[test]
fn s7_2_2_after_an_error_nothing_is_read() {
    let good = masked(0xc1, &compressed(b"Hello"));
    let plain = masked(0x81, b"plain");
    let wire = [&good[..], &masked(0xc1, &[0x06]), &good, &plain].concat();
    let trace = read(Role::Server, both(Direction::DEFAULT), &wire);
    assert_eq!(trace.events, [(Opcode::Text, b"Hello".to_vec())]);
    assert_eq!(trace.error, INVALID);
}

#[test]
fn s7_2_2_one_connections_garbage_is_not_anothers() {
    // Both unfold with the same inflater, as the connections of a loop do.
    let inflater = SharedInflater::default();
    let agreed = both(Direction::DEFAULT);
    let mut one = Deflate::receiving(agreed, Role::Server, inflater.clone());
    let mut other = Deflate::receiving(agreed, Role::Server, inflater);
    let mut compressor = Compressor::new(WindowBits::MAX, 6, 8).unwrap();
    let mut out = Vec::new();
    for turn in 0..20 {
        let mut payload = Vec::new();
        assert!(compressor.next(&text(500 + turn), &mut payload));
        out.clear();
        assert_eq!(other.decode(&payload, true, 1_000, &mut out), Ok(()));
        assert_eq!(out, text(500 + turn));
        let _ = one.decode(&[0xf2, 0x00, 0x11, turn as u8], true, 1_000, &mut Vec::new());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Against another inflater: what we accept it reads the same, however it was bent.
    #[test]
    fn s7_2_2_agrees_with_another_inflater(
        setup in any::<u8>(),
        second in any::<u8>(),
        words in prop::collection::vec(0_u8..12, 0..600),
        bends in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
        level in 1_u8..=9,
    ) {
        let message: Vec<u8> = words.iter().flat_map(|word| format!("w{word} ").into_bytes()).collect();
        let mut data = vec![setup, second];
        let mut compressor = Compressor::new(WindowBits::MAX, level, 8).unwrap();
        for part in message.chunks(700) {
            compressor.next(part, &mut data);
            data[1] = data[1].min((data.len() - 2).min(255) as u8);
        }
        for (at, octet) in bends {
            let at = at.index(data.len());
            data[at] = octet;
        }
        deflate_in(&data, oracle::stream);
    }

    /// And on bytes that never were compressed.
    #[test]
    fn s7_2_2_agrees_with_another_inflater_on_noise(data in prop::collection::vec(any::<u8>(), 0..60)) {
        deflate_in(&data, oracle::stream);
    }
}
