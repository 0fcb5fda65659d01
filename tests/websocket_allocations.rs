//! What the decoder promises the hot path: an echo allocates nothing, and between messages a
//! connection owns nothing, compressed or not. Counted by an allocator of this test's own.
#![allow(unsafe_code, reason = "an allocator cannot be written otherwise")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use stentor::protocol::websocket::deflate::{
    Agreed, Compressor, Deflate, Direction, SharedInflater, WindowBits,
};
use stentor::protocol::websocket::{Decoder, Event, Limits, Opcode, Payload, Role, encoder};

struct Counting;

thread_local! {
    /// Allocations of this thread, and its bytes alive.
    static COUNT: Cell<(u64, i64)> = const { Cell::new((0, 0)) };
}

fn note(allocations: u64, bytes: i64) {
    COUNT.with(|count| {
        let (a, b) = count.get();
        count.set((a + allocations, b + bytes));
    });
}

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(1, layout.size() as i64);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        note(0, -(layout.size() as i64));
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn count() -> (u64, i64) {
    COUNT.with(Cell::get)
}

const LIMITS: Limits = Limits { message_bytes: 1 << 20, parts_per_message: 16 };

fn stream(payloads: &[usize]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for &len in payloads {
        encoder::encode_masked_into(&mut bytes, Opcode::Text, &vec![b'x'; len], [1, 2, 3, 4]);
    }
    bytes
}

#[test]
fn an_echo_allocates_nothing_and_copies_nothing() {
    let mut bytes = stream(&[0, 10, 125, 126, 3_000, 65_535, 65_536, 7]);
    let before = count();
    let mut decoder = Decoder::new(Role::Server, LIMITS);
    let (mut at, mut echoed, mut frames) = (0, 0, 0);
    while let Some(event) = decoder.decode(&mut bytes, &mut at).unwrap() {
        let Event::Message { text: true, payload: Payload::Lent(range) } = event else { panic!() };
        let end = range.end;
        let frame = encoder::reframe(&mut bytes, range, Opcode::Text).unwrap();
        assert_eq!(frame.end, end, "the payload stays where it lies");
        echoed += frame.len();
        frames += 1;
    }
    assert_eq!(count(), before);
    assert_eq!((frames, echoed), (8, 134_339 + 4 * 2 + 3 * 4 + 10));
}

#[test]
fn between_messages_a_decoder_owns_nothing() {
    let mut bytes = stream(&[200_000]);
    let cut = bytes.len() / 2;
    let (first, second) = bytes.split_at_mut(cut);
    let before = count();
    let mut decoder = Decoder::new(Role::Server, LIMITS);
    assert_eq!(decoder.decode(first, &mut 0), Ok(None));
    let held = count().1 - before.1;
    assert!(
        (cut as i64..cut as i64 * 3 / 2).contains(&held),
        "what arrived, not what was announced"
    );
    let mut at = 0;
    assert!(decoder.decode(second, &mut at).unwrap().is_some());
    assert_eq!(decoder.assembled().len(), 200_000);
    assert_eq!(decoder.decode(second, &mut at), Ok(None));
    assert_eq!(count().1, before.1);
}

/// A compressed message from a client, in one frame.
fn compressed(message: &[u8]) -> Vec<u8> {
    let (mut payload, mut bytes) = (Vec::new(), Vec::new());
    assert!(Compressor::new(WindowBits::MAX, 1, 8).unwrap().alone(message, &mut payload));
    let len = payload.len() as u64;
    bytes.extend_from_slice(&encoder::masked_header(Opcode::Text, true, true, len, [0; 4]));
    bytes.extend(payload);
    bytes
}

#[test]
fn between_compressed_messages_a_decoder_owns_its_extension_only() {
    let inflater = SharedInflater::default();
    let message = vec![b'x'; 100_000];
    let bytes = compressed(&message);
    let before = count();
    for connection in 0..3 {
        let alone = count();
        let agreed = Agreed { server: Direction::ALONE, client: Direction::ALONE };
        let mut decoder = Decoder::new(Role::Server, LIMITS);
        let extension = Deflate::receiving(agreed, Role::Server, inflater.clone());
        decoder.set_extension(Box::new(extension));
        let owned = count().1 - alone.1;
        assert!((1..=40).contains(&owned), "{owned} bytes");
        let cut = bytes.len() - 1;
        for part in [&bytes[..cut], &bytes[cut..], &bytes[..]] {
            let (mut part, mut at) = (part.to_vec(), 0);
            while decoder.decode(&mut part, &mut at).unwrap().is_some() {
                assert_eq!(decoder.take_assembled(), message);
            }
            // Half a message costs what was sent, and no state of zlib's.
            drop(part);
            let half = count().1 - alone.1 - owned;
            let inflater = if connection == 0 { 50_000 } else { 0 };
            let most = inflater + 600 + 2 * bytes.len() as i64;
            assert!(half <= most, "{half} bytes");
        }
        assert!(connection == 0 || count().1 - alone.1 == owned);
    }
    let kept = count().1 - before.1;
    assert!((40_000..=50_000).contains(&kept), "the inflater of all: {kept} bytes");
}

#[test]
fn a_compressor_takes_what_it_is_said_to_take() {
    for bits in 9..=15 {
        for mem_level in 1..=9 {
            let window = WindowBits::new(bits).unwrap();
            let before = count();
            let mut compressor = Compressor::new(window, 1, mem_level).unwrap();
            assert!(compressor.next(&[b'x'; 5_000], &mut Vec::with_capacity(10_000)));
            let taken = usize::try_from(count().1 - before.1).unwrap();
            let most = Compressor::bytes_max(window, mem_level);
            assert!(taken <= most && taken >= most / 10 * 9, "{bits} {mem_level}: {taken} {most}");
        }
    }
}

#[test]
fn what_may_be_referred_back_to_is_twice_the_window_at_most() {
    for bits in [8, 12, 15] {
        let client = Direction { takeover: true, window: WindowBits::new(bits).unwrap() };
        let agreed = Agreed { server: Direction::ALONE, client };
        let inflater = SharedInflater::default();
        let mut deflate = Deflate::receiving(agreed, Role::Server, inflater);
        let mut compressor = Compressor::new(WindowBits::MAX, 1, 8).unwrap();
        let (mut payload, mut out) = (Vec::with_capacity(1 << 17), Vec::with_capacity(1 << 17));
        let mut first = None;
        for bytes in [10, 700, 40_000, 3, 65_536, 9_999, 1].repeat(3) {
            payload.clear();
            out.clear();
            assert!(compressor.alone(&vec![b'x'; bytes], &mut payload) || bytes < 20);
            if payload.is_empty() {
                continue;
            }
            use stentor::protocol::websocket::Extension;
            deflate.decode(&payload, true, 1 << 16, &mut out).unwrap();
            let owned = count().1;
            let kept = owned - *first.get_or_insert(owned);
            assert!(kept <= Deflate::history_bytes_max(client) as i64, "{bits}: {kept}");
        }
    }
}
