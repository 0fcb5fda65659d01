//! The common way: WebSocket messages that lie whole in what was read, handed over where they lie.
//!
//! Law: what comes out is the same as by the long way of `receive.rs`; whatever is not of the common
//! kind is left to that.

use std::ops::Range;

use super::connection::Stage;
use super::effects::{Lent, opcode};
use super::io::Outputs;
use super::transport::Transport;
use super::{DoorLabel, Engine};
use crate::base::id::ConnectionId;
use crate::base::now::Now;
use crate::handler::{Back, Handler, Kind, Message};
use crate::protocol::websocket::{self, encoder};

impl<H: Handler> Engine<H> {
    /// Hands over WebSocket messages that lie whole in `bytes`, up to the first other thing. True
    /// when they only went back to where they came from: then nothing can have changed.
    pub(super) fn whole_messages(
        &mut self,
        now: Now,
        id: ConnectionId,
        bytes: &mut [u8],
        at: &mut usize,
        out: &mut Outputs<H>,
    ) -> bool {
        let mut calm = true;
        while let Some(connection) = self.connections.get_mut(id) {
            let Transport::WebSocket(decoder) = &connection.transport else { return calm };
            let Some(limits) = decoder.common() else { return calm };
            if connection.stage != Stage::Open || !connection.hears() {
                return calm;
            }
            let alone = connection.outbox.is_empty() && !self.run.has(id);
            // What is longer may be compressed, which is not done where it lies.
            let plain_bytes_max = connection.terms.plain_bytes_max(&self.config);
            // All of this stays as it is while messages only go back to where they came from.
            loop {
                // What is lent is to lie in one piece, so that one write takes all of it.
                let floor = out.lent.as_ref().map(|lent| lent.end);
                let (text, range) = match websocket::lent(limits, bytes, at, floor) {
                    Ok(Some(found)) => found,
                    Ok(None) => return calm,
                    Err(error) => {
                        self.not_text(now, id, error, out);
                        return false;
                    }
                };
                let kind = if text { Kind::Text } else { Kind::Binary };
                self.metrics.received.add_at(DoorLabel::WebSocket, 1);
                let message = Message { kind, bytes: &bytes[range.clone()] };
                self.call(now, |handler, cx| handler.message(cx, id, message));
                let as_it_lies = alone && range.len() <= plain_bytes_max;
                if as_it_lies
                    && let Some(back) = self.back.as_ref().filter(|back| back.to == id)
                    && let Some(frame) = frame_back(back, kind, bytes, &range)
                {
                    self.back = None;
                    self.metrics.sent.add_at(DoorLabel::WebSocket, 1);
                    Self::lend(out, bytes, frame);
                }
                if self.back.is_some() || !self.effects.is_empty() {
                    self.carry_out(now, Some(Lent::within(id, kind, bytes, range, true)), out);
                    calm = false;
                    break;
                }
                if *at == bytes.len() {
                    return calm;
                }
            }
        }
        false
    }

    #[cold]
    fn not_text(
        &mut self,
        now: Now,
        id: ConnectionId,
        error: websocket::Error,
        out: &mut Outputs<H>,
    ) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        if let Transport::WebSocket(decoder) = &mut connection.transport {
            decoder.dead(error);
        }
        self.fail(now, id, error.close_code().0, error.reason(), out);
    }
}

/// The common answer without the common way: the message goes back where it lies, before which
/// nothing is queued. None, with nothing done, when there is no room for its header.
#[inline]
fn frame_back(
    back: &Back,
    kind: Kind,
    bytes: &mut [u8],
    payload: &Range<usize>,
) -> Option<Range<usize>> {
    let part = payload.start + back.part.start..payload.start + back.part.end;
    debug_assert!(part.end <= payload.end, "lent within the message");
    encoder::reframe(bytes, part, opcode(kind))
}
