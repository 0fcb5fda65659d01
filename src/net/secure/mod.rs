//! Connections that are encrypted here: what the loop knows of them, whoever does the encrypting.
//!
//! A TCP connection of a server with a certificate is *fresh* until its first byte is seen, which is
//! looked at and left where it is: `0x16` makes it *secure*, anything else plain, and a plain one is
//! from then on read and written as if there were no TLS. The cryptography stands behind two
//! traits: an [`Issuer`] makes a [`Session`] for each connection, and a session turns bytes into
//! bytes. It does no I/O, so one read and one write each turn are made here as for everybody.
//!
//! Law: a handshake is worked on only after everything else of a turn, and not longer than its
//! budget ([`Config::handshake_budget`](super::Config)), so a storm of them delays nobody who is in.
//! A session keeps ciphertext only while the kernel takes none; the engine counts it as queued.
//! Limits: [`HANDSHAKE_BYTES_MAX`] and the engine's `tls_timeout_ms` for a handshake,
//! [`SEALED_AT_ONCE`] for what is encrypted ahead of the kernel.

mod metrics;
mod read;
mod write;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::connection::Stream;
use super::ready_list::ReadyList;
pub use metrics::{Broken, Metrics, Renewal};

/// What a peer may send before its handshake is done. A hello is below 4 KiB and a chain of
/// certificates is seldom above 16.
const HANDSHAKE_BYTES_MAX: usize = 64 * 1024;
/// How much is read of a handshake in one visit.
const HANDSHAKE_READ: usize = 16 * 1024;
/// How much is encrypted at once: four records of the longest kind.
const SEALED_AT_ONCE: usize = 64 * 1024;

/// Why a session cannot go on.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) reason: Broken,
    pub(crate) text: String,
}

/// One encrypted connection, without its socket.
pub(crate) trait Session: Send + fmt::Debug {
    /// Takes all of `sealed`. What was in it is appended to `plain`, what is to be sent for it to
    /// `out`, also when it fails. Returns whether the peer has said that it sends no more.
    fn open(
        &mut self,
        sealed: &[u8],
        plain: &mut Vec<u8>,
        out: &mut Vec<u8>,
    ) -> Result<bool, Failure>;

    /// Encrypts `plain`, or the beginning of it, into `out`; returns how much of it.
    fn seal(&mut self, plain: &[u8], out: &mut Vec<u8>) -> usize;

    /// Says that we send no more.
    fn close(&mut self, out: &mut Vec<u8>);

    fn is_handshaking(&self) -> bool;
}

/// Makes sessions.
pub(crate) trait Issuer: Send + Sync + fmt::Debug {
    fn session(&self) -> Result<Box<dyn Session>, String>;

    /// When the certificate ends, in seconds since 1970.
    fn not_after(&self) -> Option<i64>;

    /// Another one from the files of this, which may have changed; blocks on the disk.
    fn renew(&self) -> Result<Arc<dyn Issuer>, String>;
}

/// What a loop keeps of an encrypted connection.
#[derive(Debug)]
struct Held {
    session: Box<dyn Session>,
    /// Encrypted and not taken by the kernel, from `written` on.
    waiting: Vec<u8>,
    written: usize,
    /// When the handshake began, until it is done.
    shaking_since: Option<Duration>,
    /// What came of the handshake.
    received: usize,
    /// Why it ends, once that is known.
    broken: Option<Broken>,
    /// The last word of encryption is said.
    farewell: bool,
}

/// What a loop keeps of all of them.
#[derive(Debug)]
pub(crate) struct Secure {
    /// None where no TLS is spoken.
    issuer: Option<Arc<dyn Issuer>>,
    /// By slot, no longer than TLS was spoken.
    held: Vec<Option<Box<Held>>>,
    /// Handshakes to be worked on when everything else is done.
    waiting: ReadyList,
    /// Used again and again; empty between visits.
    plain: Vec<u8>,
    sealed: Vec<u8>,
    metrics: Arc<Metrics>,
}

impl Secure {
    pub(crate) fn new(issuer: Option<Arc<dyn Issuer>>, metrics: Arc<Metrics>) -> Self {
        Self {
            issuer,
            held: Vec::new(),
            waiting: ReadyList::default(),
            plain: Vec::new(),
            sealed: Vec::new(),
            metrics,
        }
    }

    /// Takes a new socket; where TLS is spoken nobody knows yet what it is.
    pub(super) fn fresh(&self, stream: Stream) -> Stream {
        if self.issuer.is_some() { stream.become_kind(Stream::Fresh) } else { stream }
    }

    /// New connections are encrypted with this; those that are open stay as they are.
    pub(super) fn renew(&mut self, issuer: Arc<dyn Issuer>) {
        self.issuer = Some(issuer);
    }

    pub(super) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Holds a session for the connection in `slot`; returns whether there could be one.
    fn begin(&mut self, slot: u32, now: Duration) -> bool {
        let session = match self.issuer.as_ref().map(|issuer| issuer.session()) {
            Some(Ok(session)) => session,
            Some(Err(error)) => {
                log::error!("a TLS session cannot be made: {error}");
                return false;
            }
            None => return false,
        };
        let place = slot as usize;
        if place >= self.held.len() {
            self.held.resize_with(place + 1, || None);
        }
        self.held[place] = Some(Box::new(Held {
            session,
            waiting: Vec::new(),
            written: 0,
            shaking_since: Some(now),
            received: 0,
            broken: None,
            farewell: false,
        }));
        self.metrics.handshaking.add(1);
        true
    }

    fn get(&mut self, slot: u32) -> Option<&mut Held> {
        self.held.get_mut(slot as usize)?.as_deref_mut()
    }

    /// Lent out, so that the rest of the loop can be used meanwhile; to be brought back.
    fn take(&mut self, slot: u32) -> Option<Box<Held>> {
        self.held.get_mut(slot as usize)?.take()
    }

    fn bring_back(&mut self, slot: u32, held: Box<Held>) {
        self.held[slot as usize] = Some(held);
    }

    fn is_handshaking(&self, slot: u32) -> bool {
        let held = self.held.get(slot as usize).and_then(Option::as_ref);
        held.is_some_and(|held| held.shaking_since.is_some())
    }

    /// Its socket broke, unless something else is known already.
    pub(super) fn lost(&mut self, slot: u32) {
        if let Some(held) = self.get(slot) {
            held.broken.get_or_insert(Broken::Gone);
        }
    }

    /// The connection in `slot` is closed; `stream` still takes a last word.
    pub(super) fn end(&mut self, slot: u32, stream: &Stream, blocked: bool) {
        let Some(mut held) = self.take(slot) else { return };
        if held.shaking_since.is_some() {
            // Whoever is closed by the engine without another reason took too long.
            let reason = held.broken.unwrap_or(Broken::Timeout);
            self.metrics.handshaking.add(-1);
            self.metrics.handshakes_failed.add_at(reason, 1);
        } else if !held.farewell && !blocked && held.broken.is_none() {
            self.sealed.clear();
            held.session.close(&mut self.sealed);
            // Nobody is left who could be told that it did not go.
            let _ = stream.write(&self.sealed);
        }
    }
}
