//! permessage-deflate as the extension of one connection: RFC 7692 section 6.
//!
//! Law: after an error nothing is unfolded any more. Between messages it owns what its peer may
//! refer back to, if it may, and a compressor if one was used; within one, the payload that came.

use std::sync::{Arc, Mutex, PoisonError};

use super::super::extension::{Extension, ExtensionError};
use super::super::header::Role;
use super::compress::Compressor;
use super::inflate::{Inflater, last};
use super::negotiate::{Agreed, Direction, Settings};

/// An inflater for any number of connections. Nobody waits for it: those that share one are on one
/// loop, and it is held for a message only.
#[derive(Clone, Debug, Default)]
pub struct SharedInflater(Arc<Mutex<Inflater>>);

/// permessage-deflate as it was agreed on for a connection.
#[derive(Debug)]
pub struct Deflate {
    inflater: SharedInflater,
    received: Option<Box<Received>>,
    sending: Option<Box<Sending>>,
    /// How many bytes back the peer's messages may refer to those before them.
    window_bytes: u16,
    dead: bool,
}

/// What came of a message, and what came before it.
#[derive(Debug, Default)]
struct Received {
    /// The payload of the message under way.
    wire: Vec<u8>,
    /// The end of the compressed messages before it; twice the window at most. A message may refer
    /// to all of it, though its sender has agreed on less.
    history: Vec<u8>,
}

/// How this end compresses.
#[derive(Debug)]
struct Sending {
    direction: Direction,
    level: u8,
    mem_level: u8,
    min_bytes: usize,
    compressor: Option<Compressor>,
}

impl Deflate {
    /// The extension for one end of a connection: it unfolds, and it compresses with a compressor of
    /// its own, made when the first message is worth it.
    #[must_use]
    pub fn new(agreed: Agreed, role: Role, settings: &Settings, inflater: SharedInflater) -> Self {
        let direction = if role == Role::Server { agreed.server } else { agreed.client };
        let sending = Sending {
            direction,
            level: settings.level,
            mem_level: settings.mem_level,
            min_bytes: settings.min_bytes,
            compressor: None,
        };
        Self { sending: Some(Box::new(sending)), ..Self::receiving(agreed, role, inflater) }
    }

    /// The same without a compressor, for an owner who compresses by other means.
    #[must_use]
    pub const fn receiving(agreed: Agreed, role: Role, inflater: SharedInflater) -> Self {
        let theirs = if matches!(role, Role::Server) { agreed.client } else { agreed.server };
        let window_bytes = if theirs.takeover { 1 << theirs.window.get() } else { 0 };
        Self { inflater, received: None, sending: None, window_bytes, dead: false }
    }

    /// How many bytes are kept between messages of a peer that compresses like this, at most.
    #[must_use]
    pub const fn history_bytes_max(theirs: Direction) -> usize {
        if theirs.takeover { 2 << theirs.window.get() } else { 0 }
    }

    fn unfold(
        &mut self,
        piece: &[u8],
        cap: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), ExtensionError> {
        let begin = out.len();
        let mut received = self.received.take();
        let (wire, history) = match &mut received {
            None => (piece, &[][..]),
            Some(received) if received.wire.is_empty() => (piece, &received.history[..]),
            Some(received) => {
                append(&mut received.wire, piece)?;
                (&received.wire[..], &received.history[..])
            }
        };
        // Whatever a panic left behind is reset before the next message.
        let mut inflater = self.inflater.0.lock().unwrap_or_else(PoisonError::into_inner);
        inflater.message(wire, history, cap, out)?;
        drop(inflater);
        if self.window_bytes > 0 {
            let mut received = received.unwrap_or_default();
            received.wire = Vec::new();
            let message = out.get(begin..).unwrap_or_default();
            remember(&mut received.history, message, usize::from(self.window_bytes))?;
            self.received = Some(received);
        }
        Ok(())
    }
}

/// Appends `message` to what the next one may refer to; moves bytes once in a window at most.
fn remember(
    history: &mut Vec<u8>,
    message: &[u8],
    window_bytes: usize,
) -> Result<(), ExtensionError> {
    let message = last(message, window_bytes);
    let most = window_bytes.saturating_mul(2);
    if history.len().saturating_add(message.len()) > most {
        let kept = window_bytes.saturating_sub(message.len());
        history.drain(..history.len().saturating_sub(kept));
    }
    // Not by doubling: this is kept for as long as the connection.
    if history.capacity() < most && history.len().saturating_add(message.len()) > window_bytes {
        let more = most.saturating_sub(history.len());
        history.try_reserve_exact(more).map_err(|_| ExtensionError::TooLarge)?;
    }
    append(history, message)
}

fn append(buffer: &mut Vec<u8>, piece: &[u8]) -> Result<(), ExtensionError> {
    buffer.try_reserve(piece.len()).map_err(|_| ExtensionError::TooLarge)?;
    buffer.extend_from_slice(piece);
    Ok(())
}

impl Extension for Deflate {
    fn decode(
        &mut self,
        piece: &[u8],
        last: bool,
        cap: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), ExtensionError> {
        if self.dead {
            return Err(ExtensionError::Invalid);
        }
        let done = if last {
            self.unfold(piece, cap, out)
        } else if piece.is_empty() {
            Ok(())
        } else {
            // Kept as it came: what waits for its end costs what was sent, not what it unfolds to.
            append(&mut self.received.get_or_insert_default().wire, piece)
        };
        if done.is_err() {
            self.dead = true;
            self.received = None;
        }
        done
    }

    fn encode(&mut self, message: &[u8], out: &mut Vec<u8>) -> bool {
        let Some(sending) = self.sending.as_deref_mut() else { return false };
        if message.len() < sending.min_bytes {
            return false;
        }
        if sending.compressor.is_none() {
            let window = sending.direction.window;
            sending.compressor = Compressor::new(window, sending.level, sending.mem_level);
        }
        let Some(compressor) = &mut sending.compressor else { return false };
        if sending.direction.takeover {
            compressor.next(message, out)
        } else {
            compressor.alone(message, out)
        }
    }
}
