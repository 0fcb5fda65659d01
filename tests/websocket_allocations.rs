//! What the decoder promises the hot path: an echo allocates nothing, and between messages a
//! connection owns nothing. Counted by an allocator of this test's own.
#![allow(unsafe_code, reason = "an allocator cannot be written otherwise")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

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
