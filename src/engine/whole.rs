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

/// How many messages came, and how many went back, by the common way of one read. They are counted
/// here and told to the metrics together: a cell of those is three steps away.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    received: u64,
    sent: u64,
}

impl<H: Handler> Engine<H> {
    /// Tells the metrics what was counted since the last time.
    pub(super) fn count_whole(&mut self) {
        let Tally { received, sent } = std::mem::take(&mut self.whole);
        self.metrics.received.add_at(DoorLabel::WebSocket, received);
        self.metrics.sent.add_at(DoorLabel::WebSocket, sent);
    }

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
                self.whole.received = self.whole.received.wrapping_add(1);
                let message = Message { kind, bytes: &bytes[range.clone()] };
                let mut back = None;
                self.call_for(now, &mut back, |handler, cx| handler.message(cx, id, message));
                if let Some(one) = &back
                    && alone
                    && range.len() <= plain_bytes_max
                    && one.to == id
                    && let Some(frame) = frame_back(one, kind, bytes, &range)
                {
                    back = None;
                    self.whole.sent = self.whole.sent.wrapping_add(1);
                    Self::lend(out, bytes, frame);
                }
                if back.is_some() || !self.effects.is_empty() {
                    self.back = back;
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
