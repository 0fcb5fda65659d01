//! What a connection is given, keeps and tells, and the verdicts derived from it: RFC 6455 section
//! 7.1, the output side included.

use std::fmt;
use std::time::Duration;

use super::super::close_code::CloseCode;
use super::super::decoder::Limits;
use super::super::deflate;
use super::super::error::Error;
use super::super::handshake::client;
use super::super::header::Role;
use super::{Connection, Phase, State};

/// Sizes and times of one connection.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Bytes and frames of one message.
    pub limits: Limits,
    /// The longest request head in bytes (16 KiB); a longer one is answered 431.
    pub head_bytes: usize,
    /// Bytes that may wait between the request and its `accept` (64 KiB).
    pub early_bytes: usize,
    /// From the first byte to the 101 (10 s).
    pub handshake_timeout: Duration,
    /// From our Close frame to the end of the stream (5 s).
    pub close_timeout: Duration,
    /// permessage-deflate, RFC 7692 (none): offered as a client, accepted as a server.
    pub deflate: Option<deflate::Settings>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            limits: Limits { message_bytes: 64 * 1024, parts_per_message: 1_024 },
            head_bytes: 16 * 1024,
            early_bytes: 64 * 1024,
            handshake_timeout: Duration::from_secs(10),
            close_timeout: Duration::from_secs(5),
            deflate: None,
        }
    }
}

/// What a Close frame said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Close {
    /// The status code; none when the frame was empty.
    pub code: Option<CloseCode>,
    /// The reason.
    pub reason: String,
}

/// What a client asked for; `Origin` and credentials are the owner's to judge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requested {
    /// The request target, path and query.
    pub target: String,
    /// All header lines, names as they were sent.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The subprotocols on offer, the favourite first.
    pub subprotocols: Vec<String>,
}

/// What a connection tells its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectionEvent {
    /// A valid handshake request waits for `accept` or `refuse`; servers only.
    Requested(Requested),
    /// The connection is open.
    Opened {
        /// The subprotocol agreed on.
        subprotocol: Option<String>,
        /// The value of `Sec-WebSocket-Extensions` agreed on.
        extensions: Option<String>,
    },
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Vec<u8>),
    /// A Ping; its Pong is sent without further ado.
    Ping(Vec<u8>),
    /// A Pong.
    Pong(Vec<u8>),
    /// The end, told once.
    Closed {
        /// _The WebSocket Connection Close Code_, section 7.1.5: 1005 and 1006 included.
        code: CloseCode,
        /// The reason in the peer's Close frame.
        reason: String,
        /// Whether both ends sent a Close frame, section 7.1.4.
        clean: bool,
        /// What went wrong first.
        failure: Option<Failure>,
    },
}

/// Why a connection did not end by its closing handshake alone.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failure {
    /// The peer broke the protocol.
    Protocol(Error),
    /// The server's response was wrong.
    Handshake(client::Error),
    /// The request was answered with this status.
    Refused(u16),
    /// The owner called `fail` with this code.
    Local(CloseCode),
    /// The handshake, or the peer's Close frame, did not come in time.
    Timeout,
    /// The stream ended before both Close frames had passed.
    EndOfStream,
}

/// What the owner of a connection may not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendError {
    /// The connection is not open: not yet, or no longer.
    NotOpen,
    /// A control frame holds at most 125 bytes.
    ControlTooLong,
    /// Not a code that this end may send, section 7.4.
    CloseCode,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotOpen => "the connection is not open",
            Self::ControlTooLong => "a control frame holds at most 125 bytes",
            Self::CloseCode => "this close code may not be sent",
        })
    }
}

impl std::error::Error for SendError {}

impl Connection {
    /// The next event, in order.
    pub fn poll_event(&mut self) -> Option<ConnectionEvent> {
        self.events.pop_front()
    }

    /// What is to be written now. Tell what was written with [`sent`](Self::sent).
    ///
    /// A Ping is answered only when nothing else waits, so a peer that pings and never reads makes
    /// nothing grow.
    pub fn bytes_to_send(&mut self) -> &[u8] {
        if self.output.is_empty() {
            self.answer_ping();
        }
        &self.output
    }

    /// The first `count` of [`bytes_to_send`](Self::bytes_to_send) were written.
    pub fn sent(&mut self, count: usize) {
        self.output.drain(..count.min(self.output.len()));
    }

    /// All that is to be written, given away.
    pub fn take_output(&mut self) -> Vec<u8> {
        self.answer_ping();
        std::mem::take(&mut self.output)
    }

    /// Whether the owner is to close the stream now: all is written, and this end has no reason to
    /// wait. "the server MUST close the TCP connection immediately", a client waits for it (7.1.1).
    #[must_use]
    pub fn wants_shutdown(&self) -> bool {
        let done = match self.phase {
            Phase::Closed => true,
            Phase::Closing => {
                self.failure.is_some() || (self.is_clean() && self.role() == Role::Server)
            }
            _ => false,
        };
        done && self.output.is_empty()
    }

    /// When [`advance`](Self::advance) has something to do, on its clock.
    #[must_use]
    pub const fn deadline(&self) -> Option<Duration> {
        self.deadline
    }

    /// The Close frame that this end sent.
    #[must_use]
    pub const fn close_sent(&self) -> Option<&Close> {
        self.close_sent.as_ref()
    }

    /// The Close frame that the peer sent.
    #[must_use]
    pub const fn close_received(&self) -> Option<&Close> {
        self.close_received.as_ref()
    }

    /// Whether the closing handshake is complete, section 7.1.4.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        self.close_sent.is_some() && self.close_received.is_some()
    }

    /// _The WebSocket Connection Close Code_, section 7.1.5: what the peer's Close frame said, 1005
    /// when it said nothing, 1006 when none came.
    #[must_use]
    pub fn close_code(&self) -> CloseCode {
        match &self.close_received {
            Some(close) => close.code.unwrap_or(CloseCode::NO_STATUS),
            None => CloseCode::ABNORMAL,
        }
    }

    /// Whether the connection is in [`State::Open`].
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.state() == State::Open
    }
}
