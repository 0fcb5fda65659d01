//! The common way: WebSocket messages that lie whole in what was read, handed over where they lie.
//!
//! Law: what comes out is the same as by the long way of `receive.rs`; whatever is not of the common
//! kind is left to that.

use super::connection::Stage;
use super::effects::Lent;
use super::io::Outputs;
use super::transport::Transport;
use super::{DoorLabel, Engine};
use crate::base::id::ConnectionId;
use crate::base::now::Now;
use crate::handler::{Handler, Kind, Message};
use crate::protocol::websocket;

impl<H: Handler> Engine<H> {
    /// Hands over WebSocket messages that lie whole in `bytes`, up to the first other thing.
    pub(super) fn whole_messages(
        &mut self,
        now: Now,
        id: ConnectionId,
        bytes: &mut [u8],
        at: &mut usize,
        out: &mut Outputs<H>,
    ) {
        while let Some(connection) = self.connections.get_mut(id) {
            let Transport::WebSocket(decoder) = &connection.transport else { return };
            let Some(limits) = decoder.common() else { return };
            if connection.stage != Stage::Open || !connection.hears() {
                return;
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
                    Ok(None) => return,
                    Err(error) => return self.not_text(now, id, error, out),
                };
                let kind = if text { Kind::Text } else { Kind::Binary };
                self.metrics.received.add_at(DoorLabel::WebSocket, 1);
                let message = Message { kind, bytes: &bytes[range.clone()] };
                self.call(now, |handler, cx| handler.message(cx, id, message));
                let as_it_lies = alone && range.len() <= plain_bytes_max;
                match self.back.take_if(|back| as_it_lies && back.to == id) {
                    Some(back) if self.give_back(&back, kind, bytes, &range, out) => {}
                    back => self.back = back.or(self.back.take()),
                }
                if self.back.is_some() || !self.effects.is_empty() {
                    self.carry_out(now, Some(Lent::within(id, kind, bytes, range, true)), out);
                    break;
                }
                if *at == bytes.len() {
                    return;
                }
            }
        }
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
