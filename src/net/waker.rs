//! Waking a loop that polls: once for many words.
//!
//! The flag is one of the few pieces of memory that threads share (`mod.rs`): it spares a system
//! call for every word but the first of a batch.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use mio::{Registry, Token, Waker};

/// Wakes one loop.
#[derive(Debug)]
pub(crate) struct LoopWaker {
    waker: Waker,
    pending: AtomicBool,
}

impl LoopWaker {
    pub(crate) fn new(registry: &Registry, token: Token) -> io::Result<Self> {
        Ok(Self { waker: Waker::new(registry, token)?, pending: AtomicBool::new(false) })
    }

    /// Wakes the loop unless it is already on its way to its queues. Call it after putting the word
    /// there: the swap makes the word visible to whoever clears the flag.
    pub(crate) fn wake(&self) {
        if !self.pending.swap(true, Ordering::AcqRel)
            && let Err(error) = self.waker.wake()
        {
            self.pending.store(false, Ordering::Release);
            log::error!("a loop cannot be woken: {error}");
        }
    }

    /// The loop is about to look at its queues: a word put there from now on wakes it again.
    pub(super) fn clear(&self) {
        self.pending.swap(false, Ordering::AcqRel);
    }
}
