//! A client's first words, on a socket that waits: handshakes, tokens, subscriptions.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::system::Outcome;
use crate::wire;

/// How a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    /// Bytes without meaning.
    Raw,
    /// RFC 6455.
    WebSocket,
    /// Lines.
    Lines,
    /// RESP, Redis' own.
    Redis,
    /// NATS' own.
    Nats,
}

/// A connection in its first words.
pub(crate) struct Talk {
    stream: TcpStream,
    door: Door,
    /// What came and was not looked at.
    pending: Vec<u8>,
}

impl Talk {
    /// Connects and, on WebSocket, upgrades at `path`.
    pub(crate) fn open(address: SocketAddr, door: Door, path: &str) -> Outcome<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        let mut talk = Self { stream, door, pending: Vec::new() };
        if door == Door::WebSocket {
            talk.stream.write_all(wire::upgrade(path).as_bytes())?;
            let head = talk.until(b"\r\n\r\n")?;
            if !head.starts_with(b"HTTP/1.1 101") {
                return Err(format!("no upgrade: {}", String::from_utf8_lossy(&head)).into());
            }
        }
        if door == Door::Nats {
            talk.until(b"\r\n")?;
            talk.stream.write_all(b"CONNECT {\"verbose\":false}\r\nPING\r\n")?;
            talk.until(b"PONG\r\n")?;
        }
        Ok(talk)
    }

    /// Subscribes, where a connection is not subscribed of itself.
    pub(crate) fn subscribe(&mut self) -> Outcome<()> {
        match self.door {
            Door::Raw | Door::WebSocket | Door::Lines => {}
            Door::Redis => {
                self.stream.write_all(b"*2\r\n$9\r\nSUBSCRIBE\r\n$1\r\nb\r\n")?;
                self.until(b":1\r\n")?;
            }
            Door::Nats => {
                self.stream.write_all(b"SUB b 1\r\nPING\r\n")?;
                self.until(b"PONG\r\n")?;
            }
        }
        Ok(())
    }

    /// Sends a message in the framing of the door.
    pub(crate) fn send(&mut self, text: &str) -> io::Result<()> {
        self.stream.write_all(&framed(self.door, text.as_bytes()))
    }

    /// What comes up to and with `end`.
    pub(crate) fn until(&mut self, end: &[u8]) -> Outcome<Vec<u8>> {
        loop {
            if let Some(at) = memchr::memmem::find(&self.pending, end) {
                let rest = self.pending.split_off(at + end.len());
                return Ok(std::mem::replace(&mut self.pending, rest));
            }
            self.more()?;
        }
    }

    /// The next message: a line, or the payload of a frame.
    pub(crate) fn message(&mut self) -> Outcome<String> {
        if self.door != Door::WebSocket {
            return Ok(String::from_utf8(self.until(b"\n")?)?);
        }
        loop {
            let mut heads = [2, 4, 10].into_iter().filter_map(|head| {
                let payload = wire::payload_bytes(self.pending.get(..head)?)?;
                Some(head..head + payload)
            });
            if let Some(payload) = heads.next_back().filter(|range| range.end <= self.pending.len())
            {
                let rest = self.pending.split_off(payload.end);
                let frame = std::mem::replace(&mut self.pending, rest);
                return Ok(String::from_utf8(frame[payload].to_vec())?);
            }
            self.more()?;
        }
    }

    /// Sends a request and waits for its reply, passing over events.
    pub(crate) fn ask(&mut self, request: &str) -> Outcome<String> {
        self.send(request)?;
        loop {
            let message = self.message()?;
            if message.contains("\"status\":\"ok\"") {
                return Ok(message);
            }
            if message.contains("\"status\":\"error\"") {
                return Err(format!("{request} was answered {message}").into());
            }
        }
    }

    /// The socket, now that nothing is pending; it does not wait any more.
    pub(crate) fn into_stream(self) -> Outcome<TcpStream> {
        if !self.pending.is_empty() {
            let pending = String::from_utf8_lossy(&self.pending);
            return Err(format!("the server had more to say: {pending}").into());
        }
        self.stream.set_nonblocking(true)?;
        Ok(self.stream)
    }

    fn more(&mut self) -> Outcome<()> {
        let mut buffer = [0; 16 * 1024];
        let taken = loop {
            match self.stream.read(&mut buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        if taken == 0 {
            let pending = String::from_utf8_lossy(&self.pending);
            return Err(format!("the server closed after: {pending}").into());
        }
        self.pending.extend_from_slice(&buffer[..taken]);
        Ok(())
    }
}

/// A message as a client sends it.
pub(crate) fn framed(door: Door, payload: &[u8]) -> Vec<u8> {
    match door {
        Door::Raw => payload.to_vec(),
        Door::WebSocket => wire::masked(payload),
        Door::Lines => [payload, b"\n"].concat(),
        Door::Redis => {
            let head = format!("*3\r\n$7\r\nPUBLISH\r\n$1\r\nb\r\n${}\r\n", payload.len());
            [head.as_bytes(), payload, b"\r\n"].concat()
        }
        Door::Nats => {
            let head = format!("PUB b {}\r\n", payload.len());
            [head.as_bytes(), payload, b"\r\n"].concat()
        }
    }
}
