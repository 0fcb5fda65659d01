//! A client at each door: raw lines on TCP, and tungstenite, which was not written here.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};
use tungstenite::{Message, WebSocket};

/// How long anything may take before the test fails.
const DEADLINE: Duration = Duration::from_secs(30);

fn stream(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).expect("a connection");
    stream.set_read_timeout(Some(DEADLINE)).expect("a deadline");
    stream.set_nodelay(true).expect("no delay");
    stream
}

/// A client.
pub(crate) enum Client {
    Lines(BufReader<TcpStream>),
    Web(Box<WebSocket<TcpStream>>),
}

impl Client {
    /// A client at one of the doors, greeted.
    pub(crate) fn new(address: &str, web: bool) -> Self {
        let mut client = if web {
            let url = format!("ws://{address}/ws");
            let (socket, _) = tungstenite::client(url, stream(address)).expect("an upgrade");
            Self::Web(Box::new(socket))
        } else {
            let mut stream = stream(address);
            stream.write_all(b"\n").expect("sent");
            Self::Lines(BufReader::new(stream))
        };
        let hello = client.object().expect("a greeting");
        assert_eq!(hello["type"], "hello");
        client
    }

    pub(crate) fn say(&mut self, request: &Value) -> Result<(), ()> {
        match self {
            Self::Lines(stream) => {
                stream.get_mut().write_all(format!("{request}\n").as_bytes()).map_err(|_| ())
            }
            Self::Web(socket) => socket.send(Message::text(request.to_string())).map_err(|_| ()),
        }
    }

    /// The next object as it came; none when the connection has ended.
    ///
    /// # Panics
    /// When nothing comes in time, or what comes is not one object.
    pub(crate) fn text(&mut self) -> Option<String> {
        let text = match self {
            Self::Lines(stream) => {
                let mut line = String::new();
                match stream.read_line(&mut line) {
                    // A kill may tear the last line.
                    Ok(_) if !line.ends_with('\n') => return None,
                    Ok(_) => line.trim_end_matches('\n').to_owned(),
                    Err(error) => return ended(&error),
                }
            }
            Self::Web(socket) => match socket.read() {
                Ok(Message::Text(text)) => text.to_string(),
                Ok(Message::Ping(_) | Message::Pong(_)) => return self.text(),
                Ok(_) => return None,
                Err(tungstenite::Error::Io(error)) => return ended(&error),
                Err(_) => return None,
            },
        };
        assert!(!text.bytes().any(|byte| byte < 0x20), "a raw control byte in {text:?}");
        Some(text)
    }

    pub(crate) fn object(&mut self) -> Option<Value> {
        let text = self.text()?;
        Some(serde_json::from_str(&text).unwrap_or_else(|_| panic!("one object: {text}")))
    }

    /// Asks and waits for the reply; events before it are passed over. None when the server died.
    pub(crate) fn ask(&mut self, request: &Value) -> Option<Value> {
        self.say(request).ok()?;
        loop {
            let object = self.object()?;
            if object.get("status").is_some() {
                assert_eq!(object["type"], request["type"], "{object}");
                return Some(object);
            }
        }
    }

    /// Asks for what must be granted; gives its data.
    pub(crate) fn ok(&mut self, request: &Value) -> Value {
        let mut reply = self.ask(request).expect("a reply");
        assert_eq!(reply["status"], "ok", "{request}: {reply}");
        reply["data"].take()
    }

    /// A client with a new account.
    pub(crate) fn register(address: &str, web: bool, name: &str) -> (Self, Value) {
        let mut client = Self::new(address, web);
        let data = client
            .ok(&json!({"type": "register", "username": name, "password": "a long password"}));
        (client, data)
    }
}

/// A connection that was cut has ended; one that is silent has failed.
fn ended(error: &std::io::Error) -> Option<String> {
    use std::io::ErrorKind::{TimedOut, WouldBlock};
    assert!(!matches!(error.kind(), TimedOut | WouldBlock), "nothing came in time");
    None
}
