//! What is compressed on its way out (RFC 7692), and by whom.
//!
//! Law: every message of a connection without a context of its own is compressed for itself, and
//! one for many once for each size of window among them; what does not shrink, or is shorter than
//! `deflate_min_bytes`, goes out as it is. A connection that agreed on nothing costs a look at one
//! octet. Limit: the contexts of connections stay within `deflate_memory_bytes`; who finds no room
//! there gets what all others get.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::effects::Lent;
use super::outbox::Bytes;
use super::{DeflateMode, Engine, Metrics};
use crate::base::id::ConnectionId;
use crate::handler::{Door, Handler, Segment};
use crate::protocol::frame::{Draft, Frame};
use crate::protocol::websocket::deflate::{
    Compressor, Deflate, Direction, Settings, SharedInflater, WindowBits,
};
use crate::protocol::websocket::handshake::extensions::Offer;
use crate::protocol::websocket::{Extension, ExtensionError, Opcode, Role};

/// Messages for many that are remembered within one input; with more of them at once, and many
/// sizes of window, some are compressed again.
const RECENT_MAX: usize = 16;

/// Contexts of connections: 4 KiB of history do for chat, and cost a third of 32 KiB.
const DEDICATED: Settings = {
    let window = WindowBits::new(12).expect("from 8 to 15");
    let direction = Direction { takeover: true, window };
    Settings { server: direction, client: direction, mem_level: 5, ..Settings::TAKEOVER }
};

/// How what a connection is sent is compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Terms {
    /// Not at all.
    #[default]
    Plain,
    /// Every message for itself, with this window.
    Alone(WindowBits),
    /// By a context of its own.
    Dedicated,
}

/// What an upgrade agrees on.
#[derive(Debug)]
pub(super) struct Negotiated {
    /// The value of `Sec-WebSocket-Extensions`.
    pub(super) answer: String,
    pub(super) terms: Terms,
    pub(super) extension: Box<dyn Extension + Send>,
}

/// What the connections of one engine share for compression.
#[derive(Debug, Default)]
pub(super) struct Compression {
    inflater: SharedInflater,
    /// By size of window, from 2^8 on, made when first needed.
    compressors: [Option<Box<Compressor>>; 8],
    /// Messages for many, compressed during this input.
    recent: Vec<Recent>,
    /// Bytes reserved for contexts.
    reserved: Arc<AtomicUsize>,
}

/// A message for many with its form for one size of window; none if it does not shrink.
#[derive(Debug)]
struct Recent {
    frame: Frame,
    window: WindowBits,
    compressed: Option<Frame>,
}

impl Compression {
    /// What was for many is for nobody else now.
    pub(super) fn forget(&mut self) {
        if !self.recent.is_empty() {
            self.recent.clear();
        }
    }

    fn recall(&self, frame: &Frame, window: WindowBits) -> Option<&Recent> {
        self.recent.iter().rev().find(|recent| recent.window == window && recent.frame.is(frame))
    }

    fn remember(&mut self, recent: Recent) {
        if self.recent.len() == RECENT_MAX {
            self.recent.remove(0);
        }
        self.recent.push(recent);
    }

    fn compressor(&mut self, window: WindowBits) -> Option<&mut Compressor> {
        let slot = self.compressors.get_mut(usize::from(window.get() - WindowBits::MIN.get()))?;
        if slot.is_none() {
            let Settings { level, mem_level, .. } = Settings::ALONE;
            *slot = Compressor::new(window, level, mem_level).map(Box::new);
        }
        slot.as_deref_mut()
    }
}

impl<H: Handler> Engine<H> {
    /// Answers the extensions that a client offers.
    pub(super) fn negotiate(&mut self, offers: &[Offer<'_>]) -> Option<Negotiated> {
        let dedicated = match self.config.deflate {
            DeflateMode::Off => return None,
            DeflateMode::Shared => None,
            DeflateMode::Dedicated => self.dedicated(offers),
        };
        let negotiated = dedicated.or_else(|| self.alone(offers))?;
        self.metrics.deflate_agreed.add(1);
        Some(negotiated)
    }

    /// Every message for itself, in both directions.
    fn alone(&self, offers: &[Offer<'_>]) -> Option<Negotiated> {
        let (agreed, answer) = Settings::ALONE.accept(offers)?;
        let inflater = self.compression.inflater.clone();
        let extension = Box::new(Deflate::receiving(agreed, Role::Server, inflater));
        Some(Negotiated { answer, terms: Terms::Alone(agreed.server.window), extension })
    }

    /// A context for the connection, if it wants one and there is room.
    fn dedicated(&self, offers: &[Offer<'_>]) -> Option<Negotiated> {
        let (agreed, answer) = DEDICATED.accept(offers)?;
        if !agreed.server.takeover {
            return None;
        }
        let bytes = Compressor::bytes_max(agreed.server.window, DEDICATED.mem_level)
            + Deflate::history_bytes_max(agreed.client);
        let Some(lease) = self.lease(bytes) else {
            self.metrics.deflate_refused.add(1);
            return None;
        };
        let inflater = self.compression.inflater.clone();
        let deflate = Deflate::new(agreed, Role::Server, &DEDICATED, inflater);
        let extension = Box::new(Leased { deflate, _lease: lease });
        Some(Negotiated { answer, terms: Terms::Dedicated, extension })
    }

    fn lease(&self, bytes: usize) -> Option<Lease> {
        // Only this engine adds to it.
        let reserved = self.compression.reserved.load(Ordering::Relaxed);
        if reserved.saturating_add(bytes) > self.config.deflate_memory_bytes {
            return None;
        }
        self.compression.reserved.fetch_add(bytes, Ordering::Relaxed);
        self.metrics.deflate_reserved_bytes.add(bytes as i64);
        let (reserved, metrics) = (self.compression.reserved.clone(), self.metrics.clone());
        Some(Lease { bytes, reserved, metrics })
    }

    /// The compressed form of what is to be sent, if it gets one.
    pub(super) fn compressed(
        &mut self,
        to: ConnectionId,
        terms: Terms,
        segment: &Segment,
        lent: Option<&Lent<'_>>,
    ) -> Option<Bytes> {
        let (opcode, message) = match segment {
            Segment::Own(frame) if !frame.may_be_compressed() => return None,
            Segment::Own(frame) => (opcode(frame.websocket())?, frame.payload()),
            Segment::Shared(frame) => (opcode(frame.websocket())?, frame.payload()),
            Segment::Lent(range) => lent?.part(to, range)?,
        };
        let bytes = match (terms, segment) {
            (Terms::Plain, _) => return None,
            (Terms::Alone(_), _) if message.len() < self.config.deflate_min_bytes => return None,
            (Terms::Alone(window), Segment::Shared(frame)) => {
                Bytes::Shared(self.shared(frame, opcode, window)?, Door::WebSocket)
            }
            (Terms::Alone(window), _) => self.own(message, opcode, window)?,
            (Terms::Dedicated, _) => {
                let mut draft = Draft::new(self.spares.buffers.pop().unwrap_or_default());
                let found = self.connections.get_mut(to)?;
                let encoded = found.transport.encode(message, draft.payload());
                let frame = draft.finish_compressed(opcode);
                if !encoded {
                    self.spares.recycle(frame.into_buffer());
                    return None;
                }
                self.metrics.deflate_compressed.add(1);
                Bytes::Own(frame, Door::WebSocket)
            }
        };
        self.metrics.deflate_sent.add(1);
        let saved = message.len().saturating_sub(bytes.as_slice().len());
        self.metrics.deflate_saved_bytes.add(saved as u64);
        Some(bytes)
    }

    /// A message for one, compressed for itself.
    fn own(&mut self, message: &[u8], opcode: Opcode, window: WindowBits) -> Option<Bytes> {
        let mut draft = Draft::new(self.spares.buffers.pop().unwrap_or_default());
        self.metrics.deflate_compressed.add(1);
        let compressor = self.compression.compressor(window)?;
        let shrunk = compressor.alone(message, draft.payload());
        let frame = draft.finish_compressed(opcode);
        if shrunk {
            return Some(Bytes::Own(frame, Door::WebSocket));
        }
        self.spares.recycle(frame.into_buffer());
        None
    }

    /// A message for many, compressed for the first of them.
    fn shared(&mut self, frame: &Frame, opcode: Opcode, window: WindowBits) -> Option<Frame> {
        if let Some(recent) = self.compression.recall(frame, window) {
            return recent.compressed.clone();
        }
        let compressed = match self.own(frame.payload(), opcode, window) {
            Some(Bytes::Own(own, _)) => {
                let shared = own.share();
                self.spares.recycle(own.into_buffer());
                Some(shared)
            }
            _ => None,
        };
        let recent = Recent { frame: frame.clone(), window, compressed: compressed.clone() };
        self.compression.remember(recent);
        compressed
    }

    /// What a compressed form is sent for is not needed any more.
    pub(super) fn replaced(&mut self, segment: Segment, lent: &mut Option<Lent<'_>>) {
        match segment {
            Segment::Own(frame) => self.spares.recycle(frame.into_buffer()),
            Segment::Lent(_) => *lent = None,
            Segment::Shared(_) => {}
        }
    }
}

/// The opcode of a frame that holds a message.
fn opcode(frame: &[u8]) -> Option<Opcode> {
    frame.first().and_then(|&first| Opcode::from_bits(first)).filter(|opcode| !opcode.is_control())
}

/// The extension of a connection with a context of its own, whose memory it gives back.
#[derive(Debug)]
struct Leased {
    deflate: Deflate,
    _lease: Lease,
}

impl Extension for Leased {
    fn decode(
        &mut self,
        piece: &[u8],
        last: bool,
        cap: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), ExtensionError> {
        self.deflate.decode(piece, last, cap, out)
    }

    fn encode(&mut self, message: &[u8], out: &mut Vec<u8>) -> bool {
        self.deflate.encode(message, out)
    }
}

/// Memory that is reserved for as long as this lives.
#[derive(Debug)]
struct Lease {
    bytes: usize,
    reserved: Arc<AtomicUsize>,
    metrics: Arc<Metrics>,
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.reserved.fetch_sub(self.bytes, Ordering::Relaxed);
        self.metrics.deflate_reserved_bytes.add(-(self.bytes as i64));
    }
}
