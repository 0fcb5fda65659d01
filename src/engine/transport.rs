//! The four ways a connection speaks, behind one face: bytes in, [`Step`]s out.

use crate::engine::config::Config;
use crate::handler::{Door, Kind};
use crate::protocol::websocket::{self, CloseCode, Event, Extension, Payload, Role};
use crate::protocol::{http, line, sniff};

/// What the next bytes amount to.
#[derive(Debug)]
pub(super) enum Step {
    /// More bytes are needed.
    Need,
    /// The peer has said how it speaks; the same bytes are to be read again.
    Sniffed,
    /// A whole message.
    Message { kind: Kind, payload: Payload },
    /// A Ping to be answered.
    Ping(Payload),
    /// A Pong.
    Pong,
    /// The peer's Close frame.
    Closed(Option<CloseCode>),
    /// The first part of a request came, and the rest is to come.
    Begun,
    /// The client waits with its body for a word from us (RFC 9110 §10.1.1).
    Continue,
    /// A whole request.
    Request,
    /// The peer broke the rules; on HTTP there is a response for it.
    Failed(u16, &'static str),
    /// A request broke the rules.
    BadRequest(http::Error),
    /// Nothing we speak.
    Refused(&'static str),
}

/// How a connection speaks, with what is needed to go on reading.
#[derive(Debug)]
pub(super) enum Transport {
    /// Too few bytes came to say.
    Sniffing(Prefix),
    Http(Box<http::Decoder>),
    WebSocket(websocket::Decoder),
    Lines(line::Decoder),
}

/// The bytes by which a connection is told apart, kept until they suffice.
#[derive(Debug, Default)]
pub(super) struct Prefix {
    bytes: [u8; sniff::SNIFF_BYTES_MAX],
    len: u8,
}

impl Prefix {
    pub(super) fn as_slice(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    fn push(&mut self, bytes: &[u8]) {
        let free = &mut self.bytes[usize::from(self.len)..];
        let taken = bytes.len().min(free.len());
        free[..taken].copy_from_slice(&bytes[..taken]);
        self.len += taken as u8;
    }
}

impl Transport {
    pub(super) const fn door(&self) -> Option<Door> {
        match self {
            Self::WebSocket(_) => Some(Door::WebSocket),
            Self::Lines(_) => Some(Door::Lines),
            Self::Sniffing(_) | Self::Http(_) => None,
        }
    }

    /// The decoder of a door that was just recognised.
    pub(super) fn http(config: &Config) -> Self {
        let limits = http::Limits { head_bytes: config.http_head_bytes, ..http::Limits::default() };
        Self::Http(Box::new(http::Decoder::new(limits)))
    }

    pub(super) const fn lines(config: &Config) -> Self {
        Self::Lines(line::Decoder::new(config.message_bytes))
    }

    pub(super) fn websocket(config: &Config, extension: Option<Box<dyn Extension + Send>>) -> Self {
        let limits = websocket::Limits {
            message_bytes: config.message_bytes,
            parts_per_message: config.parts_per_message,
        };
        let mut decoder = websocket::Decoder::new(Role::Server, limits);
        if let Some(extension) = extension {
            decoder.set_extension(extension);
        }
        Self::WebSocket(decoder)
    }

    /// Appends `message` as the extension of this connection encodes it; false when it does not.
    pub(super) fn encode(&mut self, message: &[u8], out: &mut Vec<u8>) -> bool {
        match self {
            Self::WebSocket(decoder) => {
                decoder.extension_mut().is_some_and(|extension| extension.encode(message, out))
            }
            Self::Sniffing(_) | Self::Http(_) | Self::Lines(_) => false,
        }
    }

    /// Lets messages be this long from now on.
    pub(super) fn limit(&mut self, message_bytes: usize) {
        match self {
            Self::WebSocket(decoder) => {
                let limits = websocket::Limits { message_bytes, ..decoder.limits() };
                decoder.set_limits(limits);
            }
            Self::Lines(decoder) => decoder.set_limit(message_bytes),
            Self::Sniffing(_) | Self::Http(_) => {}
        }
    }

    /// Reads on from `bytes[*at..]`.
    pub(super) fn step(&mut self, config: &Config, bytes: &mut [u8], at: &mut usize) -> Step {
        match self {
            Self::WebSocket(decoder) => match decoder.decode(bytes, at) {
                Ok(None) => Step::Need,
                Ok(Some(event)) => websocket_step(event),
                Err(error) => Step::Failed(error.close_code().0, error.reason()),
            },
            Self::Sniffing(prefix) => {
                debug_assert_eq!(prefix.len, 0, "a kept prefix is put before new bytes");
                let rest = &bytes[*at..];
                match sniff::sniff(rest, true) {
                    sniff::Sniff::NeedMore => {
                        prefix.push(rest);
                        *at = bytes.len();
                        Step::Need
                    }
                    sniff::Sniff::Http => {
                        *self = Self::http(config);
                        Step::Sniffed
                    }
                    sniff::Sniff::Lines => {
                        *self = Self::lines(config);
                        Step::Sniffed
                    }
                    sniff::Sniff::Tls => Step::Refused(NO_TLS),
                    sniff::Sniff::Refused(why) => Step::Refused(why),
                }
            }
            Self::Http(decoder) => {
                let idle = decoder.awaiting() == http::Awaiting::Request;
                match decoder.decode(bytes, at) {
                    Ok(None) if idle && decoder.awaiting() != http::Awaiting::Request => {
                        Step::Begun
                    }
                    Ok(None) => Step::Need,
                    Ok(Some(http::Event::Continue)) => Step::Continue,
                    Ok(Some(http::Event::Request)) => Step::Request,
                    Err(error) => Step::BadRequest(error),
                }
            }
            Self::Lines(decoder) => match decoder.decode(bytes, at) {
                Ok(None) => Step::Need,
                Ok(Some(line::Line::Lent(range))) => {
                    Step::Message { kind: Kind::Line, payload: Payload::Lent(range) }
                }
                Ok(Some(line::Line::Assembled)) => {
                    Step::Message { kind: Kind::Line, payload: Payload::Assembled }
                }
                Err(line::Error::TooLong { .. }) => {
                    Step::Failed(CloseCode::TOO_LARGE.0, "the line is too long")
                }
            },
        }
    }

    /// At the end of the stream: whether a last line without an end is there to be read.
    pub(super) fn finish(&mut self) -> bool {
        match self {
            Self::Lines(decoder) => decoder.finish().is_some(),
            Self::Sniffing(_) | Self::Http(_) | Self::WebSocket(_) => false,
        }
    }

    /// The payload that the last step called [`Payload::Assembled`], given away.
    pub(super) fn take_assembled(&mut self) -> Vec<u8> {
        match self {
            Self::WebSocket(decoder) => decoder.take_assembled(),
            Self::Lines(decoder) => decoder.take_assembled(),
            Self::Sniffing(_) | Self::Http(_) => Vec::new(),
        }
    }
}

/// A handshake that nobody took, or TLS inside TLS.
const NO_TLS: &str = "TLS where none is spoken; tls.cert and tls.key configure it";

fn websocket_step(event: Event) -> Step {
    match event {
        Event::Message { text, payload } => {
            Step::Message { kind: if text { Kind::Text } else { Kind::Binary }, payload }
        }
        Event::Ping(payload) => Step::Ping(payload),
        Event::Pong(_) => Step::Pong,
        Event::Close(close) => Step::Closed(close.code),
    }
}
