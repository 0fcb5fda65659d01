//! Somebody on lines of JSON, in the room with the client that is tested.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

pub(crate) struct Bystander {
    stream: BufReader<TcpStream>,
}

impl Bystander {
    /// Connects, authenticates, and listens to `public:hub`.
    pub(crate) fn new(address: &str, token: &str) -> Self {
        let stream = TcpStream::connect(address).expect("a connection");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a deadline");
        let mut bystander = Self { stream: BufReader::new(stream) };
        bystander.ok(&json!({"type": "auth", "token": token}));
        bystander.ok(&json!({"type": "subscribe", "channel": "public:hub"}));
        bystander
    }

    fn next(&mut self) -> Value {
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("a line within the deadline");
        serde_json::from_str(&line).expect("JSON")
    }

    /// Asks, and expects a yes.
    pub(crate) fn ok(&mut self, request: &Value) -> Value {
        let line = format!("{request}\n");
        self.stream.get_mut().write_all(line.as_bytes()).expect("sent");
        loop {
            let said = self.next();
            if said["type"] == request["type"] && said["status"].is_string() {
                assert_eq!(said["status"], "ok", "{said}");
                return said;
            }
        }
    }

    /// The next event of this name; others are passed over.
    pub(crate) fn event(&mut self, word: &str) -> Value {
        loop {
            let said = self.next();
            if said["type"] == word && said["status"].is_null() {
                return said;
            }
        }
    }
}

/// A backend that answers `ui_action:button_click` with what was pressed, until the server is gone.
pub(crate) fn worker(address: &str, token: &str) {
    let mut worker = Bystander::new(address, token);
    worker.ok(&json!({"type": "serve", "actions": ["ui_action:button_click"]}));
    std::thread::spawn(move || {
        loop {
            let call = worker.event("call");
            let call = &call["payload"];
            let data = json!({"pressed": call["params"]["button"]});
            let id = &call["call_id"];
            worker.ok(&json!({"type": "call_result", "call_id": id, "status": "ok", "data": data}));
        }
    });
}
