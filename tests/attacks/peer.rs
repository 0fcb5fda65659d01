//! The other end of the wire: raw bytes with deadlines, and a client that speaks properly.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// How long anything may take before a test fails.
pub(crate) const DEADLINE: Duration = Duration::from_secs(15);
/// A request for WebSocket as RFC 6455 §1.2 has it.
pub(crate) const UPGRADE: &str = "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// A connection whose reads have a deadline.
pub(crate) fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).expect("a connection");
    stream.set_nodelay(true).expect("no delay");
    stream.set_read_timeout(Some(DEADLINE)).expect("a deadline");
    stream.set_write_timeout(Some(DEADLINE)).expect("a deadline");
    stream
}

/// Everything that comes until the server closes; a reset counts as the end.
pub(crate) fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let begun = Instant::now();
    let mut bytes = Vec::new();
    let mut buffer = [0; 65536];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return bytes,
            Ok(n) => bytes.extend_from_slice(&buffer[..n]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return bytes,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => panic!("not closed, {error}: {}", bytes.escape_ascii()),
        }
        assert!(begun.elapsed() < DEADLINE, "not closed: {}", bytes.escape_ascii());
    }
}

/// Sends what the server may not want to hear to the end.
pub(crate) fn pour(stream: &mut TcpStream, bytes: &[u8]) {
    if let Err(error) = stream.write_all(bytes) {
        let kind = error.kind();
        assert!(matches!(kind, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{error}");
    }
}

/// What the server says to `bytes` until it closes; with `end`, the client closes its side first.
pub(crate) fn answer(address: &str, bytes: &[u8], end: bool) -> Vec<u8> {
    let mut stream = connect(address);
    pour(&mut stream, bytes);
    if end {
        // It may have closed already.
        let _ = stream.shutdown(Shutdown::Write);
    }
    rest(&mut stream)
}

/// One byte per segment.
pub(crate) fn dribbled(address: &str, bytes: &[u8], end: bool) -> Vec<u8> {
    let mut stream = connect(address);
    for byte in bytes {
        pour(&mut stream, &[*byte]);
    }
    if end {
        let _ = stream.shutdown(Shutdown::Write);
    }
    rest(&mut stream)
}

/// The objects on the lines of an answer.
pub(crate) fn objects(answer: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(answer).expect("text");
    text.lines().map(|line| serde_json::from_str(line).expect("one object per line")).collect()
}

/// The status of an HTTP answer; 0 when there is none.
pub(crate) fn status(answer: &[u8]) -> u16 {
    let text = String::from_utf8_lossy(answer);
    let code = text.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3));
    code.and_then(|code| code.parse().ok()).unwrap_or(0)
}

/// Status and body of a page.
pub(crate) fn http_get(address: &str, path: &str) -> (u16, String) {
    page(answer(address, get_once(path).as_bytes(), false))
}

/// A request after which the server closes.
pub(crate) fn get_once(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
}

/// Status and body of an answer.
pub(crate) fn page(answer: Vec<u8>) -> (u16, String) {
    let text = String::from_utf8(answer).expect("text");
    let body = text.split_once("\r\n\r\n").expect("a head").1.to_owned();
    (status(text.as_bytes()), body)
}

/// One frame; the masking key is zero, so that the payload is what it is.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        n @ 0..=125 => frame.push(0x80 | n as u8),
        n @ 126..=0xffff => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&(n as u16).to_be_bytes());
        }
        n => {
            frame.push(0x80 | 127);
            frame.extend_from_slice(&(n as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(payload);
    frame
}

/// A whole text message.
pub(crate) fn text(payload: &str) -> Vec<u8> {
    frame(0x81, payload.as_bytes())
}

/// A Close frame.
pub(crate) fn close(code: u16) -> Vec<u8> {
    frame(0x88, &code.to_be_bytes())
}

/// The frames of a server: first byte and payload.
pub(crate) fn frames(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut frames = Vec::new();
    while let [first, length, rest @ ..] = bytes {
        let (length, rest) = match length {
            126 => (usize::from(u16::from_be_bytes([rest[0], rest[1]])), &rest[2..]),
            127 => (u64::from_be_bytes(rest[..8].try_into().expect("8")) as usize, &rest[8..]),
            short => (usize::from(*short), rest),
        };
        frames.push((*first, rest[..length].to_vec()));
        bytes = &rest[length..];
    }
    frames
}

/// What follows the head of a 101.
pub(crate) fn after_upgrade(answer: &[u8]) -> &[u8] {
    assert_eq!(status(answer), 101, "{}", answer.escape_ascii());
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
    &answer[end + 4..]
}

/// The code of the Close frame that ends an answer to an upgrade; 0 when there is none.
pub(crate) fn close_code(answer: &[u8]) -> u16 {
    match frames(after_upgrade(answer)).pop() {
        Some((0x88, payload)) if payload.len() >= 2 => u16::from_be_bytes([payload[0], payload[1]]),
        _ => 0,
    }
}

enum Door {
    Lines,
    WebSocket,
}

/// A client that speaks properly, on either door.
pub(crate) struct Peer {
    pub(crate) stream: TcpStream,
    door: Door,
    unread: Vec<u8>,
}

impl Peer {
    pub(crate) fn lines(address: &str) -> Self {
        Self { stream: connect(address), door: Door::Lines, unread: Vec::new() }
    }

    pub(crate) fn websocket(address: &str) -> Self {
        let mut stream = connect(address);
        stream.write_all(UPGRADE.as_bytes()).expect("sent");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("a head");
            head.push(byte[0]);
        }
        assert_eq!(status(&head), 101);
        Self { stream, door: Door::WebSocket, unread: Vec::new() }
    }

    pub(crate) fn send(&mut self, object: &Value) {
        let object = object.to_string();
        let bytes = match self.door {
            Door::Lines => format!("{object}\n").into_bytes(),
            Door::WebSocket => text(&object),
        };
        self.stream.write_all(&bytes).expect("sent");
    }

    /// The next object, if one is whole in what was read.
    fn whole(&mut self) -> Option<Value> {
        let (end, taken) = match self.door {
            Door::Lines => {
                let end = self.unread.iter().position(|byte| *byte == b'\n')?;
                (0..end, end + 1)
            }
            Door::WebSocket => {
                let short = usize::from(*self.unread.get(1)?);
                let at = if short == 126 { 4 } else { 2 };
                let long =
                    || Some(u16::from_be_bytes([*self.unread.get(2)?, *self.unread.get(3)?]));
                let length = if short == 126 { usize::from(long()?) } else { short };
                let end = (self.unread.len() >= at + length).then_some(at + length)?;
                if self.unread[0] == 0x89 {
                    // A sign of life is enough: whatever is sent next answers it.
                    self.unread.drain(..end);
                    return self.whole();
                }
                (at..end, end)
            }
        };
        let object = serde_json::from_slice(&self.unread[end]).expect("an object");
        self.unread.drain(..taken);
        Some(object)
    }

    /// The next object, or the error of a read that found none.
    pub(crate) fn next(&mut self) -> std::io::Result<Value> {
        loop {
            if let Some(object) = self.whole() {
                return Ok(object);
            }
            let mut buffer = [0; 65536];
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(n) => self.unread.extend_from_slice(&buffer[..n]),
                // Whoever stops this process and lets it go on interrupts it.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Waits this long for what must not come; heartbeats may.
    pub(crate) fn quiet(&mut self, time: Duration) {
        self.stream.set_read_timeout(Some(time)).expect("a deadline");
        if let Ok(object) = self.next() {
            assert_eq!(object["type"], "ping", "{object}");
        }
        self.stream.set_read_timeout(Some(DEADLINE)).expect("a deadline");
    }

    /// The next event of this type; others but heartbeats and `hello` must not come before it.
    pub(crate) fn event(&mut self, word: &str) -> Value {
        loop {
            let object = self.next().expect("an event");
            if object["type"] == word && object.get("status").is_none() {
                return object;
            }
            assert!(["hello", "ping", "read"].iter().any(|w| object["type"] == *w), "{object}");
        }
    }

    /// The reply to a request; events before it are passed over.
    pub(crate) fn ask(&mut self, request: Value) -> Value {
        self.send(&request);
        loop {
            let object = self.next().expect("a reply");
            if object.get("status").is_some() {
                return object;
            }
        }
    }

    /// The data of a request that succeeds.
    pub(crate) fn ok(&mut self, request: Value) -> Value {
        let mut reply = self.ask(request);
        assert_eq!(reply["status"], "ok", "{reply}");
        reply["data"].take()
    }

    /// This many errors come, then a ping is answered.
    pub(crate) fn ok_after_errors(&mut self, count: usize) {
        for _ in 0..count {
            let error = self.next().expect("an error");
            assert_eq!(error["status"], "error", "{error}");
        }
        self.ok(json!({"type": "ping"}));
    }

    /// The code of a request that fails.
    pub(crate) fn code(&mut self, request: Value) -> String {
        let reply = self.ask(request);
        assert_eq!(reply["status"], "error", "{reply}");
        reply["code"].as_str().expect("a code").to_owned()
    }

    /// A new account; gives its id.
    pub(crate) fn register(&mut self, name: &str) -> String {
        let request = json!({"type": "register", "username": name, "password": "correct horse"});
        self.ok(request)["user"]["id"].as_str().expect("an id").to_owned()
    }
}
