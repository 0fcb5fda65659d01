//! The end of an open connection by somebody else: tungstenite. Also for `fuzz/` and
//! `tests/fuzz_seeds.rs`.
//!
//! Limit: where tungstenite asks for less than RFC 6455, what it says is put right here.

use std::io::{self, Read, Write};

use stentor::protocol::websocket::laws::Heard;
use stentor::protocol::websocket::{CloseCode, Opcode, Role};
use tungstenite::protocol::{self, WebSocketConfig};
use tungstenite::{Error, Message, WebSocket};

/// A peer that has said all it says, and is not heard.
struct Wire<'a>(&'a [u8]);

impl Read for Wire<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            read => Ok(read),
        }
    }
}

impl Write for Wire<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What tungstenite hears in `wire`.
pub(crate) fn hear(role: Role, wire: &[u8], message_bytes: usize) -> Heard {
    let config = WebSocketConfig::default()
        .max_message_size(Some(message_bytes))
        .max_frame_size(Some(message_bytes));
    let role = match role {
        Role::Server => protocol::Role::Server,
        Role::Client => protocol::Role::Client,
    };
    let mut socket = WebSocket::from_raw_socket(Wire(wire), role, Some(config));
    let mut heard = Heard::default();
    loop {
        let event = match socket.read() {
            Ok(Message::Text(text)) => (Opcode::Text, None, text.as_bytes().to_vec()),
            Ok(Message::Binary(bytes)) => (Opcode::Binary, None, bytes.to_vec()),
            Ok(Message::Ping(payload)) => (Opcode::Ping, None, payload.to_vec()),
            Ok(Message::Pong(payload)) => (Opcode::Pong, None, payload.to_vec()),
            Ok(Message::Close(frame)) => {
                // A code that may not be sent is told as 1002 with this reason.
                heard.failed = frame.as_ref().is_some_and(|frame| {
                    u16::from(frame.code) == 1002 && frame.reason.as_str() == "Protocol violation"
                });
                if !heard.failed {
                    let code = frame.as_ref().map(|frame| CloseCode(frame.code.into()));
                    let reason = frame.map(|frame| frame.reason.as_bytes().to_vec());
                    heard.events.push((Opcode::Close, code, reason.unwrap_or_default()));
                }
                return heard;
            }
            Ok(Message::Frame(_)) => continue,
            Err(Error::Io(_)) => return heard,
            Err(_) => {
                heard.failed = true;
                return heard;
            }
        };
        heard.events.push(event);
    }
}
