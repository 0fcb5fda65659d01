//! Stopping at once: a flag that all loops look at, because a word could be stuck behind others.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::waker::LoopWaker;

/// Stops all loops of a server.
#[derive(Debug)]
pub(crate) struct Stop {
    pulled: AtomicBool,
    wakers: Vec<Arc<LoopWaker>>,
}

impl Stop {
    pub(crate) const fn new(wakers: Vec<Arc<LoopWaker>>) -> Self {
        Self { pulled: AtomicBool::new(false), wakers }
    }

    /// Every loop ends with the turn it is in.
    pub(crate) fn pull(&self) {
        if !self.pulled.swap(true, Ordering::AcqRel) {
            self.wakers.iter().for_each(|waker| waker.wake());
        }
    }

    pub(crate) fn is_pulled(&self) -> bool {
        self.pulled.load(Ordering::Acquire)
    }
}
