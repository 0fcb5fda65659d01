//! A client at each door: lines on TCP, WebSocket, and WebSocket that offers compression (RFC 7692).
//!
//! Law: a connection ends with `None`, whatever ended it; what does not come in time is a failure.
//! Limit: frames of a server only, whole ones, which is what this server sends.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::inflate::Inflate;

/// How long anything may take before the test fails.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// How a client comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    Lines,
    Web,
    /// Offers permessage-deflate; whether it is granted is the server's to say.
    Compressed,
}

impl Door {
    /// Each door in turn.
    pub(crate) const fn of(number: usize) -> Self {
        match number % 3 {
            0 => Self::Lines,
            1 => Self::Web,
            _ => Self::Compressed,
        }
    }
}

/// A client.
pub(crate) struct Client {
    stream: TcpStream,
    door: Door,
    unread: Vec<u8>,
    /// What of `unread` was taken already.
    taken: usize,
    inflate: Option<Inflate>,
    stopped: bool,
}

/// What came, or that nothing comes any more.
pub(crate) type Came = Result<Option<String>, String>;

impl Client {
    /// Connects; none when nobody is there (any more).
    pub(crate) fn connect(address: &str, door: Door) -> Result<Option<Self>, String> {
        let Ok(stream) = TcpStream::connect(address) else { return Ok(None) };
        let set = stream.set_read_timeout(Some(DEADLINE));
        set.and_then(|()| stream.set_nodelay(true)).map_err(|error| error.to_string())?;
        let mut client =
            Self { stream, door, unread: Vec::new(), taken: 0, inflate: None, stopped: false };
        let came = match door {
            Door::Lines => client.put(b"\n"),
            Door::Web | Door::Compressed => client.upgrade()?,
        };
        Ok(came.map(|()| client))
    }

    /// Connects and authenticates; none when the server died meanwhile.
    pub(crate) fn arrive(address: &str, door: Door, token: &str) -> Result<Option<Self>, String> {
        Self::arrive_by(address, door, &json!({"type": "auth", "token": token}))
    }

    /// The same by a request of one's own.
    pub(crate) fn arrive_by(
        address: &str,
        door: Door,
        auth: &Value,
    ) -> Result<Option<Self>, String> {
        let Some(mut client) = Self::connect(address, door)? else { return Ok(None) };
        let reply = client.ask(auth)?;
        let Some(reply) = reply else { return Ok(None) };
        if reply["status"] == "ok" { Ok(Some(client)) } else { Err(format!("no entry: {reply}")) }
    }

    /// Whether nothing came for so long that the machine stood still: then the server's own deadlines
    /// have passed, and it may have said so.
    pub(crate) const fn was_stopped(&self) -> bool {
        self.stopped
    }

    /// Whether the server compresses what it sends here.
    pub(crate) const fn is_compressed(&self) -> bool {
        self.inflate.is_some()
    }

    fn upgrade(&mut self) -> Result<Option<()>, String> {
        let offer = match self.door {
            Door::Compressed => "Sec-WebSocket-Extensions: permessage-deflate\r\n",
            _ => "",
        };
        let head = format!(
            "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{offer}\r\n"
        );
        if self.put(head.as_bytes()).is_none() {
            return Ok(None);
        }
        let end = loop {
            if let Some(at) = self.unread.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            if self.fill()?.is_none() {
                return Ok(None);
            }
        };
        let answer = String::from_utf8_lossy(&self.unread[..end]).to_ascii_lowercase();
        self.taken = end;
        if !answer.starts_with("http/1.1 101") {
            return Err(format!("no upgrade: {answer}"));
        }
        self.inflate = answer.contains("permessage-deflate").then(Inflate::new);
        Ok(Some(()))
    }

    fn put(&mut self, bytes: &[u8]) -> Option<()> {
        self.stream.write_all(bytes).ok()
    }

    /// Reads more; none at the end.
    fn fill(&mut self) -> Result<Option<()>, String> {
        let mut buffer = [0; 32768];
        // Twice, because all of us may have been stopped for longer than that.
        let mut patience = 2;
        while patience > 0 {
            let begun = Instant::now();
            let came = self.stream.read(&mut buffer).map_err(|error| error.kind());
            self.stopped |= begun.elapsed() > DEADLINE / 2;
            match came {
                Ok(0) => return Ok(None),
                Ok(n) => {
                    self.unread.drain(..std::mem::take(&mut self.taken));
                    self.unread.extend_from_slice(&buffer[..n]);
                    return Ok(Some(()));
                }
                // Whoever is stopped while it waits with a deadline is told so when it goes on.
                Err(ErrorKind::Interrupted) => {}
                Err(ErrorKind::WouldBlock | ErrorKind::TimedOut) => patience -= 1,
                Err(_) => return Ok(None),
            }
        }
        Err(format!("nothing came within {DEADLINE:?}"))
    }

    /// Sends a request; none when the server is gone.
    pub(crate) fn say(&mut self, request: &Value) -> Option<()> {
        let text = request.to_string();
        if self.door == Door::Lines {
            return self.put(format!("{text}\n").as_bytes());
        }
        // The masking key is zero, so that the payload is what it is.
        let mut frame = vec![0x81];
        match text.len() {
            n @ 0..=125 => frame.push(0x80 | n as u8),
            n => {
                frame.push(0x80 | 126);
                frame.extend_from_slice(&u16::try_from(n).expect("short").to_be_bytes());
            }
        }
        frame.extend_from_slice(&[0; 4]);
        frame.extend_from_slice(text.as_bytes());
        self.put(&frame)
    }

    /// The next object as text; none when the connection has ended.
    pub(crate) fn next(&mut self) -> Came {
        loop {
            let whole = match self.door {
                Door::Lines => self.line(),
                Door::Web | Door::Compressed => self.frame()?,
            };
            match whole {
                Some(Whole::Text(text)) => return Ok(Some(text)),
                Some(Whole::Control) => {}
                Some(Whole::Close) => return Ok(None),
                None if self.fill()?.is_none() => return Ok(None),
                None => {}
            }
        }
    }

    fn line(&mut self) -> Option<Whole> {
        let unread = &self.unread[self.taken..];
        let end = unread.iter().position(|byte| *byte == b'\n')?;
        let text = String::from_utf8_lossy(&unread[..end]).into_owned();
        self.taken += end + 1;
        Some(Whole::Text(text))
    }

    fn frame(&mut self) -> Result<Option<Whole>, String> {
        let unread = &self.unread[self.taken..];
        let &[first, short, ..] = unread else { return Ok(None) };
        let head = match short {
            0..=125 => 2,
            126 => 4,
            127 => 10,
            _ => return Err("a server's frame is masked".to_owned()),
        };
        let Some(extended) = unread.get(2..head) else { return Ok(None) };
        let length = match head {
            2 => usize::from(short),
            _ => extended.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)),
        };
        let Some(payload) = unread.get(head..head + length) else { return Ok(None) };
        let compressed = first & 0x40 != 0;
        let whole = match (first & 0xbf, self.inflate.as_mut()) {
            (0x81, Some(inflate)) if compressed => Whole::Text(inflate.message(payload)?),
            (0x81, _) if !compressed => Whole::Text(String::from_utf8_lossy(payload).into_owned()),
            (0x89 | 0x8a, _) => Whole::Control,
            (0x88, _) => Whole::Close,
            _ => return Err(format!("a frame that begins with {first:#x}")),
        };
        self.taken += head + length;
        Ok(Some(whole))
    }

    /// Asks and waits for the reply, as text; events before it are passed over.
    pub(crate) fn reply_to(&mut self, request: &Value) -> Came {
        if self.say(request).is_none() {
            return Ok(None);
        }
        while let Some(text) = self.next()? {
            if is_reply(&text) {
                return Ok(Some(text));
            }
        }
        Ok(None)
    }

    /// The same; gives the reply.
    pub(crate) fn ask(&mut self, request: &Value) -> Result<Option<Value>, String> {
        let Some(text) = self.reply_to(request)? else { return Ok(None) };
        serde_json::from_str(&text).map_err(|error| format!("{error}: {text}"))
    }

    /// Asks for what must be granted by a server that lives; gives its data.
    pub(crate) fn ok(&mut self, request: &Value) -> Result<Value, String> {
        let mut reply = self.ask(request)?.ok_or("the server is gone")?;
        if reply["status"] == "ok" { Ok(reply["data"].take()) } else { Err(reply.to_string()) }
    }
}

enum Whole {
    Text(String),
    Control,
    Close,
}

/// Replies have a status; events never do (SPEC §3), and it stands right behind the type.
pub(crate) fn is_reply(text: &str) -> bool {
    let head = text.as_bytes();
    head[..head.len().min(64)].windows(10).any(|ten| ten == b"\"status\":\"")
}
