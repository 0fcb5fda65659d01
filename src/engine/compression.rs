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
use super::io::Outputs;
use super::outbox::Bytes;
use super::{Config, DeflateMode, Engine, Metrics};
use crate::base::id::ConnectionId;
use crate::handler::{Door, Handler, Segment};
use crate::protocol::frame::{Common, Draft, Frame, OwnFrame};
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

impl Terms {
    /// The longest message that is sent as it is without a further question.
    pub(super) const fn plain_bytes_max(self, config: &Config) -> usize {
        match self {
            Self::Plain => usize::MAX,
            Self::Alone(_) => config.deflate_min_bytes.saturating_sub(1),
            Self::Dedicated => DEDICATED.min_bytes - 1,
        }
    }
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

/// Broadcasts in a row for one size of window, in one block; none if all of them are plain.
#[derive(Debug)]
pub(super) struct Form {
    window: WindowBits,
    block: Option<Arc<[u8]>>,
    /// How many are compressed, and by how many bytes less that is.
    compressed: u64,
    saved: usize,
}

impl Compression {
    /// What was for many is for nobody else now.
    #[inline]
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
        out: &mut Outputs<H>,
    ) -> Option<Bytes> {
        // A context has to see what it is to refer back to in the order of the queue.
        if self.run.has(to) {
            self.end_run(out);
        }
        let (opcode, message) = match segment {
            Segment::Own(frame) if !frame.may_be_compressed() => return None,
            Segment::Own(frame) => (opcode(frame.websocket())?, frame.payload()),
            Segment::Shared(frame) => (opcode(frame.websocket())?, frame.payload()),
            Segment::Lent(range) => lent?.part(to, range)?,
        };
        if message.len() <= terms.plain_bytes_max(&self.config) {
            return None;
        }
        let bytes = match (terms, segment) {
            (Terms::Plain, _) => return None,
            (Terms::Alone(window), Segment::Shared(frame)) => {
                Bytes::Shared(self.shared(frame, opcode, window)?, Door::WebSocket)
            }
            (Terms::Alone(window), _) => {
                Bytes::Own(self.own(message, opcode, window)?, Door::WebSocket)
            }
            (Terms::Dedicated, _) => {
                Bytes::Own(self.encoded(to, message, opcode)?, Door::WebSocket)
            }
        };
        self.metrics.deflate_sent.add(1);
        let saved = message.len().saturating_sub(bytes.as_slice().len());
        self.metrics.deflate_saved_bytes.add(saved as u64);
        Some(bytes)
    }

    /// Broadcasts in a row as this connection gets them, if any of them gets compressed.
    pub(super) fn compressed_run(
        &mut self,
        to: ConnectionId,
        terms: Terms,
        frames: &[Common],
        forms: &mut Vec<Form>,
    ) -> Option<Bytes> {
        match terms {
            Terms::Plain => None,
            Terms::Alone(window) => {
                if !forms.iter().any(|form| form.window == window) {
                    let form = self.form(frames, terms, window, |engine, message, opcode| {
                        engine.own(message, opcode, window)
                    });
                    forms.push(form);
                }
                self.counted(forms.iter().find(|form| form.window == window)?)
            }
            Terms::Dedicated => {
                let form = self.form(frames, terms, WindowBits::MAX, |engine, message, opcode| {
                    engine.encoded(to, message, opcode)
                });
                self.counted(&form)
            }
        }
    }

    fn counted(&self, form: &Form) -> Option<Bytes> {
        let block = form.block.clone()?;
        self.metrics.deflate_sent.add(form.compressed);
        self.metrics.deflate_saved_bytes.add(form.saved as u64);
        Some(Bytes::Block(block))
    }

    /// Puts the forms of `frames` into one block; `compress` makes one of them.
    fn form(
        &mut self,
        frames: &[Common],
        terms: Terms,
        window: WindowBits,
        mut compress: impl FnMut(&mut Self, &[u8], Opcode) -> Option<OwnFrame>,
    ) -> Form {
        let mut form = Form { window, block: None, compressed: 0, saved: 0 };
        let plain_bytes_max = terms.plain_bytes_max(&self.config);
        let is_long = |frame: &Common| frame.payload().len() > plain_bytes_max;
        if !frames.iter().any(is_long) {
            return form;
        }
        let mut block = self.spares.buffers.pop().unwrap_or_default();
        block.clear();
        for frame in frames {
            let may = is_long(frame) && frame.may_be_compressed();
            let opcode = opcode(frame.websocket()).filter(|_| may);
            match opcode.and_then(|opcode| compress(self, frame.payload(), opcode)) {
                None => block.extend_from_slice(frame.websocket()),
                Some(compressed) => {
                    let (bytes, plain) = (compressed.websocket(), frame.websocket().len());
                    block.extend_from_slice(bytes);
                    form.compressed += 1;
                    form.saved += plain.saturating_sub(bytes.len());
                    self.spares.recycle(compressed.into_buffer());
                }
            }
        }
        form.block = (form.compressed > 0).then(|| Arc::from(&block[..]));
        self.spares.recycle(block);
        form
    }

    /// A message for one, compressed for itself.
    fn own(&mut self, message: &[u8], opcode: Opcode, window: WindowBits) -> Option<OwnFrame> {
        let mut draft = Draft::new(self.spares.buffers.pop().unwrap_or_default());
        self.metrics.deflate_compressed.add(1);
        let compressor = self.compression.compressor(window)?;
        let shrunk = compressor.alone(message, draft.payload());
        self.kept(shrunk, draft.finish_compressed(opcode))
    }

    /// A message for one, compressed by its context: it has to be sent, and next.
    fn encoded(&mut self, to: ConnectionId, message: &[u8], opcode: Opcode) -> Option<OwnFrame> {
        let mut draft = Draft::new(self.spares.buffers.pop().unwrap_or_default());
        let found = self.connections.get_mut(to)?;
        let encoded = found.transport.encode(message, draft.payload());
        self.metrics.deflate_compressed.add(u64::from(encoded));
        self.kept(encoded, draft.finish_compressed(opcode))
    }

    fn kept(&mut self, is_wanted: bool, frame: OwnFrame) -> Option<OwnFrame> {
        if is_wanted {
            return Some(frame);
        }
        self.spares.recycle(frame.into_buffer());
        None
    }

    /// A message for many, compressed for the first of them.
    fn shared(&mut self, frame: &Frame, opcode: Opcode, window: WindowBits) -> Option<Frame> {
        if let Some(recent) = self.compression.recall(frame, window) {
            return recent.compressed.clone();
        }
        let compressed = self.own(frame.payload(), opcode, window).map(|own| {
            let shared = own.share();
            self.spares.recycle(own.into_buffer());
            shared
        });
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
