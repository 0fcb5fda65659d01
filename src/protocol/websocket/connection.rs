//! A whole connection: RFC 6455 sections 1.4 and 7, for whoever brings their own input and output.
//!
//! Bytes and the time go in; events and bytes come out, owned. All transitions are here. Facts
//! (`close_sent`, `close_received`) are kept, verdicts derived. Limit: input is bounded by
//! [`Config`]; events wait for `poll_event`, so drain them after each `receive`.

use std::collections::VecDeque;
use std::time::Duration;

use super::close_code::CloseCode;
use super::decoder::{Decoder, Limits};
use super::encoder;
use super::error::Error;
use super::event::{Event, Payload};
use super::extension::Extension;
use super::handshake::client::{self, Handshake};
use super::handshake::server::{NotOffered, response, write_refusal};
use super::handshake::{HeadBuffer, HeadTooLarge};
use super::header::Role;
use super::opcode::Opcode;
use crate::base::rng::Rng;

mod extension;
mod facts;
mod request;
mod sending;

pub use facts::{Close, Config, ConnectionEvent, Failure, Requested, SendError};

/// The states of RFC 6455.
///
/// ```text
///                 101                       Close sent or received,
///  Connecting ──────────────────▶ Open ─── fail ──────────────────▶ Closing
///      │                            │                                  │
///      │ refusal, bad response,     │ end of stream      end of stream,│
///      │ timeout, end of stream     ▼                    close timeout │
///      └────────────────────────▶ Closed ◀─────────────────────────────┘
/// ```
///
/// Only Open sends messages. Closing still receives them until the peer's Close frame, unless the
/// connection was failed. In Closed nothing happens any more, but a refusal may still have to be
/// written: see [`Connection::wants_shutdown`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The handshake of section 4 is under way.
    Connecting,
    /// Messages flow.
    Open,
    /// The closing handshake has begun (section 7.1.3), or the connection was failed (7.1.7).
    Closing,
    /// The stream is at its end (section 7.1.4), or is to be closed as soon as all is written.
    Closed,
}

/// A state with what only it needs.
#[derive(Debug)]
enum Phase {
    /// Connecting, server: the request's head comes.
    Request(HeadBuffer),
    /// Connecting, server: the owner decides; what came after the head waits.
    Deciding {
        head: Vec<u8>,
        early: Vec<u8>,
    },
    /// Connecting, client: the response's head comes.
    Response(Box<Handshake>),
    Open,
    Closing,
    Closed,
}

/// One end of a WebSocket connection.
#[derive(Debug)]
pub struct Connection {
    config: Config,
    phase: Phase,
    decoder: Decoder,
    /// Masking keys: a client has them, a server has none.
    keys: Option<Rng>,
    output: Vec<u8>,
    /// The latest Ping that is still to be answered; section 5.5.3 allows to skip older ones.
    ping: Option<Vec<u8>>,
    events: VecDeque<ConnectionEvent>,
    close_sent: Option<Close>,
    close_received: Option<Close>,
    failure: Option<Failure>,
    now: Duration,
    deadline: Option<Duration>,
}

impl Connection {
    /// A server's end, before the first byte of the request.
    ///
    /// `now` is on the clock of [`advance`](Self::advance), whatever its origin.
    #[must_use]
    pub fn server(config: Config, now: Duration) -> Self {
        let head = HeadBuffer::new(config.head_bytes);
        Self::new(config, Phase::Request(head), None, now)
    }

    /// A client's end; the request is in the output. `rng` makes the nonce and the masking keys: its
    /// seed must come from the system's generator (section 5.3).
    ///
    /// # Errors
    ///
    /// A `request` that could not stand in an HTTP head.
    pub fn client(
        config: Config,
        request: &client::Request<'_>,
        mut rng: Rng,
        now: Duration,
    ) -> Result<Self, client::Error> {
        let mut output = Vec::new();
        let handshake = extension::start(&config, request, rng.bytes(), &mut output)?;
        let new = Self::new(config, Phase::Response(Box::new(handshake)), Some(rng), now);
        Ok(Self { output, ..new })
    }

    fn new(config: Config, phase: Phase, keys: Option<Rng>, now: Duration) -> Self {
        let role = if keys.is_some() { Role::Client } else { Role::Server };
        Self {
            config,
            phase,
            decoder: Decoder::new(role, config.limits),
            keys,
            output: Vec::new(),
            ping: None,
            events: VecDeque::new(),
            close_sent: None,
            close_received: None,
            failure: None,
            now,
            deadline: Some(now.saturating_add(config.handshake_timeout)),
        }
    }

    /// The state of the RFC.
    #[must_use]
    pub const fn state(&self) -> State {
        match self.phase {
            Phase::Request(_) | Phase::Deciding { .. } | Phase::Response(_) => State::Connecting,
            Phase::Open => State::Open,
            Phase::Closing => State::Closing,
            Phase::Closed => State::Closed,
        }
    }

    /// Which end this is.
    #[must_use]
    pub const fn role(&self) -> Role {
        if self.keys.is_some() { Role::Client } else { Role::Server }
    }

    /// Takes bytes of the peer, all of them; they are unmasked in place.
    pub fn receive(&mut self, bytes: &mut [u8]) {
        match &mut self.phase {
            Phase::Request(head) => match head.push(bytes) {
                Ok(None) => {}
                Ok(Some(taken)) => {
                    let head = head.bytes().to_vec();
                    let early = bytes.get(taken..).unwrap_or_default().to_vec();
                    self.requested(head, early);
                }
                Err(HeadTooLarge) => self.refuse(431, "The request's head is too large."),
            },
            Phase::Deciding { early, .. } => {
                if early.len().saturating_add(bytes.len()) > self.config.early_bytes {
                    self.refuse(400, "Too much was sent before the answer.");
                } else {
                    early.extend_from_slice(bytes);
                }
            }
            Phase::Response(handshake) => match handshake.receive(bytes) {
                Ok(None) => {}
                Ok(Some((client::Agreed { subprotocol, extensions }, taken))) => {
                    if let Err(error) = self.agree(extensions.as_deref()) {
                        return self.end(Some(Failure::Handshake(error)));
                    }
                    self.open(subprotocol, extensions);
                    self.frames(bytes.get_mut(taken..).unwrap_or_default());
                }
                Err(error) => self.end(Some(Failure::Handshake(error))),
            },
            Phase::Open | Phase::Closing => self.frames(bytes),
            Phase::Closed => {}
        }
    }

    /// A whole head came: the owner is asked, or the refusal is written.
    fn requested(&mut self, head: Vec<u8>, early: Vec<u8>) {
        match request::read(&head) {
            Ok(requested) => {
                self.phase = Phase::Deciding { head, early: Vec::new() };
                self.events.push_back(ConnectionEvent::Requested(requested));
                self.receive(&mut { early });
            }
            Err(refusal) => self.refuse_with(refusal.status(), refusal.headers(), refusal.text()),
        }
    }

    /// Answers [`ConnectionEvent::Requested`] with the 101: the connection is open.
    ///
    /// `extensions` is the value of `Sec-WebSocket-Extensions`; the extension itself is set before
    /// with [`set_extension`](Self::set_extension). None has [`Config::deflate`] answer.
    ///
    /// # Errors
    ///
    /// What the client did not offer; nothing has changed then. Also when no request waits.
    pub fn accept(
        &mut self,
        subprotocol: Option<&str>,
        extensions: Option<&str>,
    ) -> Result<(), NotOffered> {
        let Phase::Deciding { head, early } = &mut self.phase else { return Err(NotOffered) };
        let settings = self.config.deflate.filter(|_| extensions.is_none());
        let (agreed, extensions) = request::with_upgrade(head, |_, upgrade| {
            let ours = settings.and_then(|settings| settings.accept(&upgrade.offers()));
            let (agreed, ours) = ours.unzip();
            let extensions = ours.or_else(|| extensions.map(str::to_owned));
            response(upgrade, subprotocol, extensions.as_deref(), &mut self.output)?;
            Ok::<_, NotOffered>((agreed, extensions))
        })?;
        let mut early = std::mem::take(early);
        self.deflate(agreed);
        self.open(subprotocol.map(str::to_owned), extensions);
        self.frames(&mut early);
        Ok(())
    }

    /// Answers the handshake with `status` and `text`, which is the body, and ends the connection.
    /// Does nothing but while a server is Connecting.
    pub fn refuse(&mut self, status: u16, text: &str) {
        self.refuse_with(status, &[], text);
    }

    fn refuse_with(&mut self, status: u16, headers: &[(&str, &str)], text: &str) {
        if self.state() == State::Connecting && self.role() == Role::Server {
            write_refusal(status, headers, text, &mut self.output);
            self.end(Some(Failure::Refused(status)));
        }
    }

    /// Sets an extension that the handshake agrees on: before [`accept`](Self::accept).
    pub fn set_extension(&mut self, extension: Box<dyn Extension + Send>) {
        self.decoder.set_extension(extension);
    }

    /// Sets the limits for frames whose header is still to come.
    pub const fn set_limits(&mut self, limits: Limits) {
        self.decoder.set_limits(limits);
    }

    fn open(&mut self, subprotocol: Option<String>, extensions: Option<String>) {
        self.phase = Phase::Open;
        self.deadline = None;
        self.events.push_back(ConnectionEvent::Opened { subprotocol, extensions });
    }

    fn frames(&mut self, bytes: &mut [u8]) {
        let mut at = 0;
        // "after receiving a control frame indicating the connection should be closed, a peer
        // discards any further data received" (section 1.4); a failed connection too (7.1.7).
        while self.close_received.is_none() && self.failure.is_none() {
            match self.decoder.decode(bytes, &mut at) {
                Ok(None) => return,
                Ok(Some(event)) => self.event(event, bytes),
                Err(error) => {
                    self.fail_by(Failure::Protocol(error), error.close_code(), error.reason())
                }
            }
        }
    }

    fn event(&mut self, event: Event, bytes: &[u8]) {
        let mut owned = |payload| match payload {
            Payload::Lent(range) => bytes.get(range).unwrap_or_default().to_vec(),
            Payload::Assembled => self.decoder.take_assembled(),
        };
        match event {
            Event::Message { text: true, payload } => match String::from_utf8(owned(payload)) {
                Ok(text) => self.events.push_back(ConnectionEvent::Text(text)),
                Err(_) => self.fail(CloseCode::INVALID_PAYLOAD, Error::InvalidUtf8.reason()),
            },
            Event::Message { text: false, payload } => {
                let message = owned(payload);
                self.events.push_back(ConnectionEvent::Binary(message));
            }
            Event::Ping(payload) => {
                let ping = owned(payload);
                self.ping = Some(ping.clone());
                self.events.push_back(ConnectionEvent::Ping(ping));
            }
            Event::Pong(payload) => {
                let pong = owned(payload);
                self.events.push_back(ConnectionEvent::Pong(pong));
            }
            Event::Close(close) => {
                let reason = String::from_utf8(owned(close.reason)).unwrap_or_default();
                self.close_received = Some(Close { code: close.code, reason });
                // "the endpoint typically echos the status code it received" (section 5.5.1).
                self.send_close(close.code, "");
            }
        }
    }

    /// Starts the closing handshake, section 7.1.2. A `reason` over 123 bytes is cut at a character.
    ///
    /// # Errors
    ///
    /// [`SendError::NotOpen`]; [`SendError::CloseCode`] for a code that may not be sent.
    pub fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), SendError> {
        self.must_be_open()?;
        if !code.may_be_sent(self.role()) {
            return Err(SendError::CloseCode);
        }
        self.send_close(Some(code), reason);
        Ok(())
    }

    /// Fails the connection, section 7.1.7: a Close frame, nothing read any more, then the end of
    /// the stream. While Connecting there is no frame to send, only the end.
    pub fn fail(&mut self, code: CloseCode, reason: &str) {
        self.fail_by(Failure::Local(code), code, reason);
    }

    fn fail_by(&mut self, failure: Failure, code: CloseCode, reason: &str) {
        match self.state() {
            State::Connecting => self.end(Some(failure)),
            State::Open | State::Closing => {
                self.failure.get_or_insert(failure);
                self.send_close(Some(code), reason);
            }
            State::Closed => {}
        }
    }

    /// The Close frame, unless it was sent; the last frame that this end sends.
    fn send_close(&mut self, code: Option<CloseCode>, reason: &str) {
        if self.close_sent.is_some() {
            return;
        }
        self.answer_ping();
        match code {
            Some(code) => self.frame(Opcode::Close, false, &encoder::close_payload(code, reason)),
            None => self.frame(Opcode::Close, false, b""),
        }
        self.close_sent = Some(Close { code, reason: reason.to_owned() });
        self.phase = Phase::Closing;
        self.deadline = Some(self.now.saturating_add(self.config.close_timeout));
    }

    /// The peer sends no more bytes, or the stream broke: the connection is closed.
    pub fn end_of_stream(&mut self) {
        self.end((!self.is_clean()).then_some(Failure::EndOfStream));
    }

    /// Tells the time, on a clock that does not go back; what is late ends.
    pub fn advance(&mut self, now: Duration) {
        self.now = self.now.max(now);
        if self.deadline.is_none_or(|deadline| self.now < deadline) {
            return;
        }
        if self.state() == State::Connecting && self.role() == Role::Server {
            self.refuse(408, "The handshake took too long.");
        } else {
            self.end((!self.is_clean()).then_some(Failure::Timeout));
        }
    }

    fn end(&mut self, failure: Option<Failure>) {
        if self.state() == State::Closed {
            return;
        }
        self.phase = Phase::Closed;
        self.deadline = None;
        self.ping = None;
        self.failure = self.failure.take().or(failure);
        self.events.push_back(ConnectionEvent::Closed {
            code: self.close_code(),
            reason: self.close_received.as_ref().map_or(String::new(), |c| c.reason.clone()),
            clean: self.is_clean(),
            failure: self.failure.clone(),
        });
    }
}

#[cfg(test)]
mod tests;
