//! Section 7.1.2: `server_max_window_bits` and `client_max_window_bits`.

use super::*;
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};

#[test]
fn s7_1_2_1_the_servers_window_is_what_is_asked_for_or_less() {
    for bits in 9..=15 {
        let offer = format!("permessage-deflate; server_max_window_bits={bits}");
        assert_eq!(answer(&Settings::TAKEOVER, &offer).as_deref(), Some(&offer[..]));
        let server = Direction { window: window(11), ..Direction::DEFAULT };
        let narrow = Settings { server, ..Settings::TAKEOVER };
        let expected = format!("permessage-deflate; server_max_window_bits={}", bits.min(11));
        assert_eq!(answer(&narrow, &offer), Some(expected));
        // "even if the offer … didn't include the parameter".
        let expected = Some("permessage-deflate; server_max_window_bits=11".to_owned());
        assert_eq!(answer(&narrow, "permessage-deflate"), expected);
    }
}

#[test]
fn s7_1_2_1_a_window_of_8_bits_is_declined_not_bent() {
    for settings in [Settings::TAKEOVER, Settings::ALONE] {
        assert_eq!(answer(&settings, "permessage-deflate; server_max_window_bits=8"), None);
    }
    assert!(Compressor::new(window(8), 1, 8).is_none());
}

#[test]
fn s7_1_2_1_a_client_that_asked_for_a_window_wants_it() {
    let server = Direction { window: window(10), ..Direction::DEFAULT };
    let settings = Settings { server, ..Settings::TAKEOVER };
    let offer = "permessage-deflate; server_max_window_bits=10; client_max_window_bits";
    assert_eq!(settings.offer(), offer);
    let agree = |bits: &str| settings.agree(&offers(&format!("permessage-deflate{bits}")));
    assert!(agree("").is_err());
    assert!(agree("; server_max_window_bits=11").is_err());
    for bits in 8..=10 {
        let agreed = agree(&format!("; server_max_window_bits={bits}")).unwrap().unwrap();
        assert_eq!(agreed.server.window, window(bits));
    }
}

#[test]
fn s7_1_2_2_the_clients_window_is_asked_for_only_if_it_was_offered() {
    let client = Direction { window: window(10), ..Direction::DEFAULT };
    let narrow = Settings { client, ..Settings::TAKEOVER };
    let answered = |offer: &str| answer(&narrow, &format!("permessage-deflate{offer}")).unwrap();
    assert_eq!(answered(""), "permessage-deflate");
    for (offer, bits) in [("", 10), ("=15", 10), ("=10", 10), ("=9", 9), ("=8", 8)] {
        let expected = format!("permessage-deflate; client_max_window_bits={bits}");
        assert_eq!(answered(&format!("; client_max_window_bits{offer}")), expected);
    }
    // A server that does not mind does not say so.
    for offer in ["; client_max_window_bits", "; client_max_window_bits=8"] {
        let offer = format!("permessage-deflate{offer}");
        assert_eq!(answer(&Settings::TAKEOVER, &offer).as_deref(), Some("permessage-deflate"));
    }
}

#[test]
fn s7_1_2_2_a_client_keeps_to_its_window() {
    let client = Direction { window: window(11), ..Direction::DEFAULT };
    let settings = Settings { client, ..Settings::TAKEOVER };
    assert_eq!(settings.offer(), "permessage-deflate; client_max_window_bits=11");
    let agreed = |answer: &str| settings.agree(&offers(answer)).map(|agreed| agreed.unwrap());
    assert_eq!(agreed("permessage-deflate").unwrap().client.window, window(11));
    let smaller = agreed("permessage-deflate; client_max_window_bits=9").unwrap();
    assert_eq!(smaller.client.window, window(9));
    assert!(agreed("permessage-deflate; client_max_window_bits=12").is_err());
}

#[test]
fn s7_1_2_2_a_client_told_to_use_8_bits_sends_everything_plain() {
    let answer = "permessage-deflate; client_max_window_bits=8";
    let agreed = Settings::TAKEOVER.agree(&offers(answer)).unwrap().unwrap();
    let inflater = SharedInflater::default();
    let mut deflate = Deflate::new(agreed, Role::Client, &Settings::TAKEOVER, inflater);
    let mut out = Vec::new();
    assert!(!deflate.encode(&text(5_000), &mut out) && out.is_empty());
}

/// What `payloads` unfold to for one who keeps no more than 2^`bits` bytes.
fn ring(payloads: &[Vec<u8>], bits: u8) -> Option<Vec<u8>> {
    let (mut inflater, mut ring) = (DecompressorOxide::new(), vec![0; 1 << bits]);
    let (mut out, mut end) = (Vec::new(), 0);
    let mut wire: Vec<u8> =
        payloads.iter().flat_map(|p| [&p[..], &[0, 0, 0xff, 0xff]].concat()).collect();
    wire.extend([3, 0]);
    let mut rest = &wire[..];
    loop {
        let (status, read, written) = decompress(&mut inflater, rest, &mut ring, end, 0);
        rest = &rest[read..];
        out.extend_from_slice(&ring[end..end + written]);
        end = (end + written) % ring.len();
        match status {
            TINFLStatus::Done => return Some(out),
            TINFLStatus::HasMoreOutput => {}
            _ => return None,
        }
    }
}

#[test]
fn s7_1_2_nothing_refers_back_further_than_the_window() {
    // Repetitions at every distance up to 32 KiB.
    let mut message = Vec::new();
    for at in 0..60 {
        message.extend(text(600 + 17 * at));
        message.extend(noise(300 + 40 * at));
    }
    let message = &message[..60_000];
    for level in [1, 2, 4, 6, 9] {
        for bits in 9..=15 {
            let mut compressor = Compressor::new(window(bits), level, 8).unwrap();
            let mut payloads = Vec::new();
            for part in message.chunks(7_000) {
                let mut payload = Vec::new();
                assert!(compressor.next(part, &mut payload));
                payloads.push(payload);
            }
            let unfolded = ring(&payloads, bits);
            assert!(unfolded.as_deref() == Some(message), "level {level}, {bits} bits");
        }
    }
    // The harness sees it when a window is too large for the ring.
    let mut large = Vec::new();
    assert!(Compressor::new(window(15), 6, 8).unwrap().next(message, &mut large));
    assert!(ring(&[large], 9).as_deref() != Some(message));
}
