//! Who may come in: the question that loop 0 asks before it hands a socket on.
//!
//! The answer is a policy of somebody else (addresses, rates); this is only its shape.

use crate::base::now::Now;
use crate::handler::{Close, Peer};

/// What becomes of a connection that was accepted by the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It comes in; [`Admission::released`] will follow.
    Admitted,
    /// It is told why not, in the language it speaks, and closed.
    Refused(Close),
    /// It is closed without a word.
    Dropped,
}

/// Decides who comes in. Asked on loop 0 only, so it needs no lock and may keep counts.
pub trait Admission: Send {
    /// A connection from `peer` has come.
    fn admit(&mut self, now: Now, peer: Peer) -> Verdict;

    /// A connection that was admitted is gone. Told once for each.
    fn released(&mut self, now: Now, peer: Peer);
}

/// Lets everyone in.
#[derive(Clone, Copy, Debug, Default)]
pub struct Everyone;

impl Admission for Everyone {
    fn admit(&mut self, _: Now, _: Peer) -> Verdict {
        Verdict::Admitted
    }

    fn released(&mut self, _: Now, _: Peer) {}
}
