//! A client of the full server on a socket that never waits: the three ways to speak, whole messages
//! out and in.
//!
//! Law: what the server says is read as the standards have it (RFC 6455 §5, RFC 7692 §7.2.2), pings
//! are answered, and a message comes out as the bytes of its JSON whichever way it came. Limit: no
//! fragments, which the server does not send; a message has at most [`MESSAGE_BYTES_MAX`].

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

use miniz_oxide::deflate::core::CompressorOxide;
use miniz_oxide::inflate::stream::InflateState;
use miniz_oxide::{DataFormat, MZFlush};

use crate::load::{PATIENCE, connect_now};
use crate::system::Outcome;
use crate::wire::{client_frame, payload_bytes, upgrade_with};

/// More than the server says at once.
const MESSAGE_BYTES_MAX: usize = 1 << 20;
/// What ends a message inside a stream, and is not sent (RFC 7692 §7.2.1).
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

/// How a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    WebSocket,
    /// permessage-deflate with a context of its own.
    Context,
    /// permessage-deflate, each message for itself.
    Alone,
    Lines,
}

impl Way {
    /// As they come in a crowd: half plain WebSocket, three tenths lines, two tenths compressed.
    pub(crate) fn of(place: usize) -> Self {
        match place % 10 {
            1 | 5 | 8 => Self::Lines,
            3 => Self::Context,
            7 => Self::Alone,
            _ => Self::WebSocket,
        }
    }

    fn extensions(self) -> &'static str {
        match self {
            Self::WebSocket | Self::Lines => "",
            Self::Context => "permessage-deflate; client_max_window_bits",
            Self::Alone => {
                "permessage-deflate; client_max_window_bits; server_no_context_takeover; \
                 client_no_context_takeover"
            }
        }
    }
}

/// What came.
#[derive(Debug, PartialEq)]
pub(crate) enum Came<'a> {
    /// The upgrade is answered, or, on lines, nothing stands before the first word.
    Open,
    Message(&'a [u8]),
    /// The server said goodbye, with its code.
    Close(u16),
    /// The stream ended.
    End,
}

/// Both directions of permessage-deflate.
struct Deflate {
    inflate: InflateState,
    compress: CompressorOxide,
    plain: Vec<u8>,
}

/// A connection.
pub(crate) struct Peer {
    pub(crate) stream: TcpStream,
    way: Way,
    open: bool,
    /// Said goodbye.
    leaving: bool,
    /// What came of a message that is not whole.
    input: Vec<u8>,
    /// What the kernel did not take.
    output: Vec<u8>,
    deflate: Option<Box<Deflate>>,
}

impl Peer {
    /// Begins to connect; the upgrade goes out as soon as it can.
    pub(crate) fn begin(address: SocketAddr, way: Way) -> io::Result<Self> {
        let stream = TcpStream::from(connect_now(address)?);
        stream.set_nodelay(true)?;
        let output = match way {
            Way::Lines => Vec::new(),
            _ => upgrade_with("/ws", way.extensions()).into_bytes(),
        };
        Ok(Self {
            stream,
            way,
            open: false,
            leaving: false,
            input: Vec::new(),
            output,
            deflate: None,
        })
    }

    /// Sends a message.
    pub(crate) fn send(&mut self, text: &str) -> io::Result<()> {
        match (self.way, &mut self.deflate) {
            (Way::Lines, _) => {
                self.output.extend_from_slice(text.as_bytes());
                self.output.push(b'\n');
            }
            (_, None) => self.output.extend(client_frame(0x81, text.as_bytes())),
            (_, Some(deflate)) => {
                let compressed = deflate.compress(text.as_bytes())?;
                self.output.extend(client_frame(0xc1, &compressed));
            }
        }
        self.flush()
    }

    /// Says goodbye as the protocol has it.
    pub(crate) fn leave(&mut self) -> io::Result<()> {
        self.leaving = true;
        match self.way {
            Way::Lines => self.output.extend_from_slice(b"quit\n"),
            _ => self.output.extend(client_frame(0x88, &1000_u16.to_be_bytes())),
        }
        self.flush()
    }

    /// Writes what is left to write.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        let mut at = 0;
        while at < self.output.len() {
            match (&self.stream).write(&self.output[at..]) {
                Ok(taken) => at += taken,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // Not connected yet.
                Err(error) if error.kind() == io::ErrorKind::NotConnected => break,
                Err(error) => return Err(error),
            }
        }
        self.output.drain(..at);
        Ok(())
    }

    /// Reads all there is and gives it to `take`, which may answer.
    pub(crate) fn receive(
        &mut self,
        buffer: &mut [u8],
        mut take: impl FnMut(&mut Self, Came<'_>) -> Outcome<()>,
    ) -> Outcome<()> {
        self.flush()?;
        if self.way == Way::Lines && !self.open {
            self.open = true;
            take(self, Came::Open)?;
        }
        loop {
            match (&self.stream).read(buffer) {
                Ok(0) => return take(self, Came::End),
                Ok(taken) => {
                    self.feed(&buffer[..taken], &mut take)?;
                    // The end may have come with the last bytes, and is not told again.
                    if taken < buffer.len() && !self.leaving {
                        return Ok(());
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                    return take(self, Came::End);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn feed(
        &mut self,
        bytes: &[u8],
        take: &mut impl FnMut(&mut Self, Came<'_>) -> Outcome<()>,
    ) -> Outcome<()> {
        // Most often messages come whole, and nothing is copied.
        let mut kept = std::mem::take(&mut self.input);
        let all = if kept.is_empty() {
            bytes
        } else {
            kept.extend_from_slice(bytes);
            &kept[..]
        };
        let mut at = 0;
        while at < all.len() {
            let used = self.one(&all[at..], take)?;
            if used == 0 {
                break;
            }
            at += used;
        }
        if all.len() - at > MESSAGE_BYTES_MAX {
            return Err("the server says something that does not end".into());
        }
        let rest = all[at..].to_vec();
        self.input = rest;
        Ok(())
    }

    /// Takes the first thing in `bytes`; how long it was, nothing if it is not whole.
    fn one(
        &mut self,
        bytes: &[u8],
        take: &mut impl FnMut(&mut Self, Came<'_>) -> Outcome<()>,
    ) -> Outcome<usize> {
        if self.way == Way::Lines {
            let Some(end) = memchr::memchr(b'\n', bytes) else { return Ok(0) };
            take(self, Came::Message(&bytes[..end]))?;
            return Ok(end + 1);
        }
        if !self.open {
            let Some(end) = memchr::memmem::find(bytes, b"\r\n\r\n") else { return Ok(0) };
            self.upgraded(&String::from_utf8_lossy(&bytes[..end]))?;
            take(self, Came::Open)?;
            return Ok(end + 4);
        }
        self.frame(bytes, take)
    }

    fn upgraded(&mut self, head: &str) -> Outcome<()> {
        let head = head.to_ascii_lowercase();
        let agreed = head.contains("permessage-deflate");
        if !head.starts_with("http/1.1 101") || agreed == self.way.extensions().is_empty() {
            return Err(format!("{:?} was answered {head}", self.way).into());
        }
        // With a context of its own the server says nothing of forgetting it.
        if agreed && (self.way == Way::Alone) != head.contains("server_no_context_takeover") {
            return Err(format!("{:?} was answered {head}", self.way).into());
        }
        self.open = true;
        self.deflate = agreed.then(|| Box::new(Deflate::new()));
        Ok(())
    }

    fn frame(
        &mut self,
        bytes: &[u8],
        take: &mut impl FnMut(&mut Self, Came<'_>) -> Outcome<()>,
    ) -> Outcome<usize> {
        let heads = [2, 4, 10].into_iter();
        let whole =
            heads.filter_map(|head| Some((head, payload_bytes(bytes.get(..head)?)?))).next_back();
        let Some((head, length)) = whole else { return Ok(0) };
        let Some(payload) = bytes.get(head..head + length) else { return Ok(0) };
        match bytes[0] {
            0x81 => take(self, Came::Message(payload))?,
            0xc1 => {
                let mut deflate = self.deflate.take().ok_or("compressed, and never agreed on")?;
                let alone = self.way == Way::Alone;
                deflate.inflate(payload, alone)?;
                // `take` may send, which needs the compressor.
                let plain = std::mem::take(&mut deflate.plain);
                self.deflate = Some(deflate);
                take(self, Came::Message(&plain))?;
                if let Some(deflate) = &mut self.deflate {
                    deflate.plain = plain;
                }
            }
            0x89 => {
                self.output.extend(client_frame(0x8a, payload));
                self.flush()?;
            }
            0x8a => {}
            0x88 => {
                let code = payload.first_chunk().map_or(1005, |code| u16::from_be_bytes(*code));
                take(self, Came::Close(code))?;
            }
            other => return Err(format!("a frame that begins with {other:#04x}").into()),
        }
        Ok(head + length)
    }

    /// Sends a request and waits for its reply, passing over events.
    pub(crate) fn ask(&mut self, request: &str) -> Outcome<String> {
        let mut buffer = vec![0; 16 * 1024];
        while !self.open {
            self.wait()?;
            self.receive(&mut buffer, |_, came| match came {
                Came::Close(_) | Came::End => Err("closed before it was open".into()),
                _ => Ok(()),
            })?;
        }
        self.send(request)?;
        let mut reply = None;
        while reply.is_none() {
            self.wait()?;
            self.receive(&mut buffer, |_, came| match came {
                Came::Open => Ok(()),
                Came::Message(bytes) if memchr::memmem::find(bytes, STATUS).is_some() => {
                    reply = Some(String::from_utf8(bytes.to_vec())?);
                    Ok(())
                }
                Came::Message(_) => Ok(()),
                Came::Close(_) | Came::End => Err(format!("closed after {request}").into()),
            })?;
        }
        let reply = reply.unwrap_or_default();
        let ok = reply.contains("\"status\":\"ok\"");
        if ok { Ok(reply) } else { Err(format!("{request} was answered {reply}").into()) }
    }

    fn wait(&self) -> Outcome<()> {
        let mut wanted = rustix::event::PollFlags::IN;
        if self.way == Way::Lines && !self.open || !self.output.is_empty() {
            wanted |= rustix::event::PollFlags::OUT;
        }
        let mut sockets = [rustix::event::PollFd::new(&self.stream, wanted)];
        crate::load::retried(|| {
            rustix::event::poll(&mut sockets, Some(&crate::load::time(PATIENCE)))
        })
        .map_err(io::Error::from)
        .and_then(|ready| if ready == 0 { Err(io::ErrorKind::TimedOut.into()) } else { Ok(()) })?;
        Ok(())
    }
}

impl std::fmt::Display for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (unsent, unread) = (self.output.len(), self.input.len());
        write!(f, "{:?} ({unsent} B unsent, {unread} B of a message)", self.way)
    }
}

/// What every reply has and no event.
pub(crate) const STATUS: &[u8] = b"\"status\":\"";

impl Deflate {
    fn new() -> Self {
        let mut compress = CompressorOxide::default();
        compress.set_format_and_level(DataFormat::Raw, 1);
        Self { inflate: InflateState::new(DataFormat::Raw), compress, plain: Vec::new() }
    }

    /// A message that refers to none before it: right with a context and without.
    fn compress(&mut self, plain: &[u8]) -> io::Result<Vec<u8>> {
        self.compress.reset();
        let mut out = vec![0; plain.len() + plain.len() / 8 + 64];
        let done = miniz_oxide::deflate::stream::deflate(
            &mut self.compress,
            plain,
            &mut out,
            MZFlush::Sync,
        );
        out.truncate(done.bytes_written);
        if done.bytes_consumed < plain.len() || !out.ends_with(&TAIL) {
            return Err(io::Error::other("a message does not compress"));
        }
        out.truncate(out.len() - TAIL.len());
        Ok(out)
    }

    fn inflate(&mut self, compressed: &[u8], alone: bool) -> io::Result<()> {
        if alone {
            self.inflate.reset(DataFormat::Raw);
        }
        self.plain.clear();
        for mut part in [compressed, &TAIL[..]] {
            loop {
                let end = self.plain.len();
                self.plain.resize(end + 4096, 0);
                let room = &mut self.plain[end..];
                let done = miniz_oxide::inflate::stream::inflate(
                    &mut self.inflate,
                    part,
                    room,
                    MZFlush::None,
                );
                self.plain.truncate(end + done.bytes_written);
                part = &part[done.bytes_consumed..];
                let moved = done.bytes_written + done.bytes_consumed > 0;
                let starved = done.status == Err(miniz_oxide::MZError::Buf);
                if (done.status.is_err() && !starved) || self.plain.len() > MESSAGE_BYTES_MAX {
                    return Err(io::Error::other("a message does not inflate"));
                }
                if !moved {
                    break;
                }
            }
            if !part.is_empty() {
                return Err(io::Error::other("a message inflates in part"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_compressed_inflates_with_a_context_and_without() {
        let (mut one, mut other) = (Deflate::new(), Deflate::new());
        for alone in [false, true] {
            for bytes in [0, 1, 64, 4096, 4097, 100_000] {
                let plain: Vec<u8> = (0..bytes).map(|at: u64| (at * at / 7 % 251) as u8).collect();
                let compressed = one.compress(&plain).unwrap();
                other.inflate(&compressed, alone).unwrap();
                assert_eq!(other.plain, plain, "{bytes} bytes");
            }
        }
        assert!(other.inflate(&[0xff; 9], true).is_err());
    }
}
