//! The laws of permessage-deflate as functions that panic when one is broken: what the fuzzer
//! calls, and what replays its seeds in `cargo test`.
//!
//! The other inflater, which the first law asks, is the caller's, so that the server needs but one.

use super::super::extension::{Extension, ExtensionError};
use super::super::header::Role;
use super::{Agreed, Deflate, Direction, Settings, SharedInflater, WindowBits};

/// Another's inflater: appends what one raw DEFLATE stream unfolds to, which may refer back to what
/// `out` holds already, and returns how many bytes the stream took; none when it is cut or wrong.
pub type Oracle = fn(stream: &[u8], out: &mut Vec<u8>) -> Option<usize>;

/// What became of messages: what they unfolded to, and how the last one failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unfolded {
    /// The messages, a failed one as far as it went.
    pub messages: Vec<Vec<u8>>,
    /// Why the last one failed.
    pub error: Option<ExtensionError>,
}

/// Unfolds `payloads`, each given in pieces of the lengths `cuts`, repeated for ever; in one piece
/// without any.
pub fn unfold(takeover: bool, cap: usize, payloads: &[&[u8]], cuts: &[usize]) -> Unfolded {
    let client = Direction { takeover, window: WindowBits::MAX };
    let agreed = Agreed { server: Direction::ALONE, client };
    let mut deflate = Deflate::receiving(agreed, Role::Server, SharedInflater::default());
    let mut unfolded = Unfolded::default();
    for payload in payloads {
        let mut lengths = cuts.iter().cycle();
        let (mut out, mut rest) = (Vec::new(), *payload);
        let result = loop {
            let length = lengths.next().copied().unwrap_or(usize::MAX).min(rest.len());
            let (piece, after) = rest.split_at_checked(length).unwrap_or((rest, &[]));
            rest = after;
            let result = deflate.decode(piece, rest.is_empty(), cap, &mut out);
            assert!(out.len() <= cap.saturating_add(1), "nothing past the cap and one byte");
            if result.is_err() || rest.is_empty() {
                break result;
            }
        };
        unfolded.messages.push(out);
        if let Err(error) = result {
            let mut nothing = Vec::new();
            assert!(deflate.decode(&[0], true, cap, &mut nothing).is_err(), "dead after an error");
            assert!(nothing.is_empty());
            unfolded.error = Some(error);
            break;
        }
    }
    unfolded
}

/// Law: however two messages are cut, the same comes out; nothing past the cap and one byte; dead
/// after an error; what is accepted, another inflater reads the same.
///
/// Input: an octet for takeover and the cap, one for where the second message begins, the payloads.
pub fn deflate_in(data: &[u8], oracle: Oracle) {
    deflate_in_law(data, oracle, unfold);
}

/// How the law unfolds: [`unfold`], or something planted to see the law fail.
type Run = fn(bool, usize, &[&[u8]], &[usize]) -> Unfolded;

fn deflate_in_law(data: &[u8], oracle: Oracle, run: Run) {
    let [setup, second, wire @ ..] = data else { return };
    let takeover = setup & 0x10 != 0;
    let cap = 16_usize << (setup & 0x0f);
    let (first, second) = wire.split_at_checked(usize::from(*second)).unwrap_or((wire, &[]));
    let payloads = [first, second];
    let whole = run(takeover, cap, &payloads, &[]);
    for cuts in [&[1][..], &[2, 1], &[7, 1, 13]] {
        assert_eq!(whole, run(takeover, cap, &payloads, cuts), "cut by {cuts:?}");
    }
    let mut before = Vec::new();
    for (at, (payload, message)) in payloads.iter().zip(&whole.messages).enumerate() {
        let failed = whole.error.filter(|_| at.saturating_add(1) == whole.messages.len());
        match failed {
            Some(ExtensionError::Invalid) => {}
            Some(ExtensionError::TooLarge) => {
                assert_eq!(message.len(), cap.saturating_add(1), "the cap and one byte");
            }
            None => {
                assert!(message.len() <= cap, "no message over its cap");
                let theirs = read_by(oracle, payload, &before);
                assert!(theirs.as_ref() == Some(message), "another inflater reads the same");
            }
        }
        if takeover {
            before.extend_from_slice(message);
        }
    }
}

/// What another inflater makes of a payload: all its streams, each of which may refer back.
pub fn read_by(oracle: Oracle, payload: &[u8], before: &[u8]) -> Option<Vec<u8>> {
    if payload.is_empty() {
        return Some(Vec::new());
    }
    // The tail that the sender took off, and a last block, without which no stream is whole.
    let stream = [payload, &[0x00, 0x00, 0xff, 0xff, 0x03, 0x00]].concat();
    let mut out = before.to_vec();
    let mut at = 0_usize;
    while at < payload.len() {
        at = at.saturating_add(oracle(stream.get(at..)?, &mut out)?);
    }
    let whole = at == payload.len() || at == stream.len();
    whole.then(|| out.split_off(before.len()))
}

/// Law: what one end compresses the other unfolds, in any terms; within a cap of its length, and
/// not within one byte less.
///
/// Input: an octet for the terms, one for zlib's levels, then messages, each behind its length.
pub fn deflate_roundtrip(data: &[u8]) {
    let [terms, levels, messages @ ..] = data else { return };
    let window = WindowBits::new(8 | (terms & 7)).unwrap_or_default();
    let direction = Direction { takeover: terms & 0x10 != 0, window };
    let agreed = Agreed { server: direction, client: direction };
    let settings = Settings {
        server: direction,
        client: direction,
        level: levels & 0x0f,
        mem_level: levels >> 4,
        min_bytes: usize::from(terms >> 5),
    };
    let role = if terms & 0x08 == 0 { Role::Client } else { Role::Server };
    let other = if role == Role::Client { Role::Server } else { Role::Client };
    let inflater = SharedInflater::default();
    let mut sender = Deflate::new(agreed, role, &settings, inflater.clone());
    let mut receiver = Deflate::receiving(agreed, other, inflater.clone());
    let mut rest = messages;
    while let [length, after @ ..] = rest {
        // Lengths are in steps, so that few bytes make messages larger than a small window.
        let length = usize::from(*length).saturating_mul(5).min(after.len());
        let (message, after) = after.split_at_checked(length).unwrap_or((after, &[]));
        rest = after;
        let (mut payload, mut out) = (b"kept".to_vec(), Vec::new());
        if !sender.encode(message, &mut payload) {
            assert_eq!(payload, b"kept", "what is not compressed leaves no trace");
            continue;
        }
        assert!(message.len() >= settings.min_bytes && window.can_compress());
        let payload = payload.split_off(4);
        if !direction.takeover {
            assert!(payload.len() < message.len(), "compressed alone only if that is shorter");
            let mut narrow = Deflate::receiving(agreed, other, inflater.clone());
            let less = narrow.decode(&payload, true, message.len().saturating_sub(1), &mut out);
            assert_eq!(less, Err(ExtensionError::TooLarge), "one byte less is too little");
            out.clear();
        }
        assert_eq!(receiver.decode(&payload, true, message.len(), &mut out), Ok(()));
        assert!(out == message, "what was compressed comes back");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// "Hello" of section 7.2.3.1, and the same again by reference (7.2.3.2); in the law's form.
    const SEED: &[u8] = b"\x14\x07\xf2\x48\xcd\xc9\xc9\x07\x00\xf2\x00\x11\x00\x00";

    fn hello(_: &[u8], out: &mut Vec<u8>) -> Option<usize> {
        out.extend_from_slice(b"Hello");
        Some(13)
    }

    #[test]
    fn both_messages_are_read() {
        let unfolded = unfold(true, 5, &[&SEED[2..9], &SEED[9..]], &[]);
        assert_eq!(unfolded.messages, [b"Hello".to_vec(), b"Hello".to_vec()]);
        assert_eq!(unfolded.error, None);
    }

    /// Planted: reads only the first piece of a message.
    fn hasty(takeover: bool, cap: usize, payloads: &[&[u8]], cuts: &[usize]) -> Unfolded {
        let first = cuts.first().copied().unwrap_or(usize::MAX);
        let pieces: Vec<_> = payloads.iter().map(|all| &all[..first.min(all.len())]).collect();
        unfold(takeover, cap, &pieces, &[])
    }

    #[test]
    #[should_panic(expected = "cut by")]
    fn an_inflater_that_depends_on_its_cuts_breaks_the_law() {
        deflate_in_law(SEED, hello, hasty);
    }

    #[test]
    #[should_panic(expected = "another inflater")]
    fn an_inflater_that_reads_otherwise_breaks_the_law() {
        let lies: Oracle = |stream, out| {
            out.extend_from_slice(b"Hallo");
            Some(stream.len())
        };
        deflate_in(SEED, lies);
    }

    #[test]
    fn messages_of_every_sort_come_back() {
        let text = b"one and one and one and two ".repeat(300);
        for terms in 0..=255 {
            for levels in [0x11, 0x86, 0x99] {
                let mut data = vec![terms, levels, 3];
                data.extend(&text[..15]);
                data.push(0);
                data.push(255);
                data.extend(&text[..1275]);
                data.push(200);
                data.extend((0..1000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8));
                data.push(255);
                data.extend(&text);
                deflate_roundtrip(&data);
            }
        }
    }
}
