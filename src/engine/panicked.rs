//! After a panic in the engine or its handler, which the driver has caught.
//!
//! Law: what the broken call had asked for does not happen; the connection whose input it was is
//! told that it was our fault (WebSocket and lines 1011, HTTP 500) after what was queued before,
//! and everybody else's timers go on. Limit: what the handler left half done is its own to find.

use super::Engine;
use super::connection::Answering;
use super::io::{Output, Outputs};
use super::transport::Transport;
use crate::base::id::ConnectionId;
use crate::base::now::Now;
use crate::handler::{Close, Handler};
use crate::protocol::http::Response;
use crate::protocol::websocket::CloseCode;

impl<H: Handler> Engine<H> {
    /// Forgets what a call that panicked had asked for. To be called before anything else.
    pub fn abandon(&mut self) {
        self.effects.clear();
        self.back = None;
        self.receivers.clear();
    }

    /// The panic came of what this connection sent: it is told, and closed. May panic in its turn,
    /// when the handler cannot even say a last word; then the connection is to be given up.
    pub fn panicked(&mut self, now: Now, id: ConnectionId, out: &mut Outputs<H>) {
        let Some(found) = self.connections.get_mut(id) else { return };
        found.failed = true;
        match &found.transport {
            Transport::Http(_) => {
                let head = found.answering.is_some_and(|asked| asked.head);
                found.answering = Some(Answering { head, keep_alive: false });
                self.answer(now, id, &Response::new(500).text("internal error\n"), out);
            }
            Transport::Sniffing(_) => self.remove_and_close(now, id, out),
            Transport::WebSocket(_) | Transport::Lines(_) => {
                let close = Close::new(CloseCode::INTERNAL_ERROR.0, "internal error");
                self.close(now, id, close, out);
            }
        }
        out.list.push(Output::Transmit(id));
        self.touched.push(id);
        self.settle(now, out);
    }
}
