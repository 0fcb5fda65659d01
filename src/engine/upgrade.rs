//! From HTTP to WebSocket (RFC 6455 §4.2): the rules first, then the handler's word.

use super::Engine;
use super::compression::Negotiated;
use super::connection::Secrecy;
use super::io::Outputs;
use super::outbox::Bytes;
use super::transport::Transport;
use crate::base::id::ConnectionId;
use crate::base::now::Now;
use crate::handler::{Close, Door, Handler, Tag, Upgrade};
use crate::protocol::http::{FieldValue, Request, Response};
use crate::protocol::websocket::handshake::server::{self, Head};

/// A request as the handshake reads it.
struct View<'a, 'b>(&'a Request<'b>);

impl Head for View<'_, '_> {
    fn method(&self) -> &str {
        self.0.method
    }

    fn version_minor(&self) -> u8 {
        self.0.minor_version
    }

    fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.headers()
    }
}

impl<H: Handler> Engine<H> {
    /// Answers a request for WebSocket; after a 101 the next byte is a frame.
    pub(super) fn upgrade(
        &mut self,
        now: Now,
        id: ConnectionId,
        request: &Request<'_>,
        out: &mut Outputs<H>,
    ) {
        let (response, deflate) = match self.switch(now, id, request) {
            Ok(switched) => switched,
            Err(refusal) => {
                self.metrics.upgrades_refused.add(1);
                self.carry_out(now, None, out);
                return self.answer(now, id, &refusal, out);
            }
        };
        let Some(connection) = self.connections.get_mut(id) else { return };
        let (terms, extension) = deflate.map(|agreed| (agreed.terms, agreed.extension)).unzip();
        connection.terms = terms.unwrap_or_default();
        connection.transport = Transport::websocket(&self.config, extension);
        connection.since = now.monotonic.into();
        self.push(id, Bytes::Rest(response), Tag::REPLY, out);
        self.touched.push(id);
        self.open(now, id, Door::WebSocket, out);
    }

    fn switch(
        &mut self,
        now: Now,
        id: ConnectionId,
        request: &Request<'_>,
    ) -> Result<(Vec<u8>, Option<Negotiated>), Response> {
        let view = View(request);
        let wanted = server::validate(&view).map_err(refuse)?;
        let Some(found) = self.connections.get(id) else { return Err(Response::new(500)) };
        let (peer, encrypted) = (found.peer, found.secrecy == Secrecy::Secured);
        let subprotocols: Vec<&str> = wanted.subprotocols().collect();
        let upgrade = Upgrade { request, subprotocols: &subprotocols, peer, encrypted };
        let accept = self.call(now, |handler, cx| handler.upgrade(cx, id, &upgrade))?;
        let deflate = self.negotiate(&wanted.offers());
        let extensions = deflate.as_ref().map(|agreed| agreed.answer.as_str());
        let mut response = Vec::with_capacity(192);
        server::response(&wanted, accept.subprotocol, extensions, &mut response)
            .map_err(|_| Response::new(500).text("a subprotocol that was not offered\n"))?;
        Ok((response, deflate))
    }
}

fn refuse(refusal: server::Refusal) -> Response {
    let mut response = Response::new(refusal.status());
    for (name, value) in refusal.headers() {
        if let Some(value) = FieldValue::new(*value) {
            response = response.header(name, value);
        }
    }
    if refusal.headers().iter().any(|(name, _)| *name == "Upgrade") {
        // RFC 9110 §7.8: a sender of Upgrade must name it in Connection.
        response = response.header("Connection", "close, Upgrade");
    }
    response.text(format!("{}\n", refusal.text()))
}

/// There was no room for the connection from the start.
pub(super) fn unavailable(close: &Close) -> Response {
    let seconds = close.retry_ms.unwrap_or(1000).div_ceil(1000);
    let response = Response::new(503).text(format!("{}\n", close.reason));
    match FieldValue::new(seconds.to_string()) {
        Some(seconds) => response.header("Retry-After", seconds),
        None => response,
    }
}
