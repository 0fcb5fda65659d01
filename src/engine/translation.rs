//! Text in another language: what a connection that speaks no text is sent in its place.
//!
//! The handler writes text only, and says once how it is said otherwise (`Handler::translate`); that
//! is asked when there is a receiver who needs it, so nobody else pays for it. Law: a message is
//! translated at most once in one input, however many receive it. Limit: [`RECENT_MAX`] messages for
//! many are remembered when they are sent to one at a time; a broadcast needs none of it.

use super::io::Outputs;
use super::outbox::Spares;
use super::{Engine, Metrics};
use crate::base::id::ConnectionId;
use crate::handler::{Door, Handler, Segment};
use crate::protocol::frame::{Common, Draft, Frame, OwnFrame};
use crate::protocol::websocket::Opcode;

const RECENT_MAX: usize = 16;

/// Messages for many, translated during this input.
#[derive(Debug, Default)]
pub(super) struct Translations {
    recent: Vec<(Frame, Frame)>,
}

impl Translations {
    /// What was for many is for nobody else now.
    #[inline]
    pub(super) fn forget(&mut self) {
        if !self.recent.is_empty() {
            self.recent.clear();
        }
    }
}

impl<H: Handler> Engine<H> {
    /// From here on a connection gets no text; what is queued already stays what it is.
    pub(super) fn begin_translation(&mut self, id: ConnectionId, out: &mut Outputs<H>) {
        if self.run.has(id) {
            self.end_run(out);
        }
        if let Some(found) = self.connections.get_mut(id) {
            // A line has no other kind of message.
            found.translated = found.transport.door() == Some(Door::WebSocket);
        }
    }

    /// A message for one connection in its language; none if it cannot be said there.
    pub(super) fn translate(&mut self, segment: Segment) -> Option<Segment> {
        match segment {
            Segment::Own(frame) if is_text(frame.websocket()) => {
                let translated = Self::said(
                    &mut self.spares,
                    &self.metrics,
                    frame.payload(),
                    frame.may_be_compressed(),
                );
                self.spares.recycle(frame.into_buffer());
                translated.map(Segment::Own)
            }
            Segment::Shared(frame) if is_text(frame.websocket()) => {
                let recent = &self.translations.recent;
                if let Some((_, translated)) = recent.iter().find(|(known, _)| known.is(&frame)) {
                    return Some(Segment::Shared(translated.clone()));
                }
                let own = Self::said(&mut self.spares, &self.metrics, frame.payload(), true)?;
                let translated = own.share();
                self.spares.recycle(own.into_buffer());
                if self.translations.recent.len() == RECENT_MAX {
                    self.translations.recent.remove(0);
                }
                self.translations.recent.push((frame, translated.clone()));
                Some(Segment::Shared(translated))
            }
            // What goes back where it came from was in its language.
            segment => Some(segment),
        }
    }

    /// Broadcasts in a row in the other language, without what cannot be said there.
    pub(super) fn translated(&mut self, frames: &[Common]) -> Vec<Common> {
        let mut translated = Vec::with_capacity(frames.len());
        for frame in frames {
            if is_text(frame.websocket()) {
                let own = Self::said(
                    &mut self.spares,
                    &self.metrics,
                    frame.payload(),
                    frame.may_be_compressed(),
                );
                translated.extend(own.map(Common::Own));
            } else {
                translated.push(Common::Shared(frame.share()));
            }
        }
        translated
    }

    pub(super) fn said(
        spares: &mut Spares,
        metrics: &Metrics,
        text: &[u8],
        may_be_compressed: bool,
    ) -> Option<OwnFrame> {
        let mut draft = Draft::new(spares.buffers.pop().unwrap_or_default());
        if !H::translate(text, draft.payload()) {
            spares.recycle(draft.into_buffer());
            metrics.untranslatable.add(1);
            log::error!("a message of {} bytes could not be translated", text.len());
            return None;
        }
        metrics.translated.add(1);
        let frame = draft.finish(Opcode::Binary);
        Some(if may_be_compressed { frame } else { frame.uncompressed() })
    }
}

fn is_text(frame: &[u8]) -> bool {
    frame.first().and_then(|&first| Opcode::from_bits(first)) == Some(Opcode::Text)
}
