//! An allocator that counts for each thread, while it is asked to.

use std::alloc::{GlobalAlloc, Layout, System};
use std::backtrace::Backtrace;
use std::cell::Cell;

pub(crate) struct Counting;

/// What becomes of an allocation.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Ignored,
    Counted,
    /// Counted, and told where it came from.
    Traced,
}

thread_local! {
    static MODE: Cell<Mode> = const { Cell::new(Mode::Ignored) };
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

fn note(bytes: usize) {
    let mode = MODE.get();
    if mode == Mode::Ignored {
        return;
    }
    COUNT.set(COUNT.get() + 1);
    if mode == Mode::Traced {
        MODE.set(Mode::Ignored);
        eprintln!("{bytes} bytes allocated\n{}", Backtrace::force_capture());
        MODE.set(mode);
    }
}

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: the caller keeps the contract of `alloc_zeroed`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        note(bytes);
        // SAFETY: the caller keeps the contract of `realloc`.
        unsafe { System.realloc(block, layout, bytes) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(block, layout) }
    }
}

/// What `f` returns, and how many blocks it allocated on this thread; a block that grows counts again.
/// With `STENTOR_TRACE_ALLOCATIONS` in the environment each is told with its origin.
pub(crate) fn counted<R>(f: impl FnOnce() -> R) -> (R, u64) {
    let traced = std::env::var_os("STENTOR_TRACE_ALLOCATIONS").is_some();
    COUNT.set(0);
    MODE.set(if traced { Mode::Traced } else { Mode::Counted });
    let result = f();
    MODE.set(Mode::Ignored);
    (result, COUNT.get())
}

#[test]
fn a_planted_allocation_is_counted() {
    let (block, count) = counted(|| std::hint::black_box(Box::new(7)));
    assert_eq!((*block, count), (7, 1));
    let (_, count) = counted(|| std::hint::black_box(vec![0_u8; 100]));
    assert_eq!(count, 1);
    assert_eq!(counted(|| std::hint::black_box(7)).1, 0);
}
