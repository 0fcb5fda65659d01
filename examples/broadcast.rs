//! A room without walls on Stentor's loops: every message goes to all other connections, encoded
//! once however many there are. One loop; with several each would be a room of its own.
//!
//! `cargo run --release --example broadcast -- --port 9001`, then `nc 127.0.0.1 9001` twice and
//! type, or open `ws://127.0.0.1:9001/`. Ctrl-C drains and ends it.

use std::convert::Infallible;
use std::io::{self, Write};
use std::net::TcpListener;

use stentor::base::id::ConnectionId;
use stentor::handler::{Context, Handler, Kind, Message, Opening, Tag};
use stentor::protocol::websocket::Opcode;
use stentor::server::Server;

#[derive(Default)]
struct Broadcast {
    everyone: Vec<ConnectionId>,
}

impl Handler for Broadcast {
    type Job = Infallible;
    type Done = Infallible;
    type Peer = Infallible;
    type Timer = Infallible;

    fn open(&mut self, _: &mut Context<'_, Self>, connection: ConnectionId, _: &Opening) {
        self.everyone.push(connection);
    }

    fn message(&mut self, cx: &mut Context<'_, Self>, from: ConnectionId, message: Message<'_>) {
        let mut draft = cx.draft();
        draft.payload().extend_from_slice(message.bytes);
        let text = message.kind != Kind::Binary;
        let frame = draft.finish(if text { Opcode::Text } else { Opcode::Binary });
        cx.broadcast(&self.everyone, Some(from), frame, Tag::REPLY);
    }

    fn closed(&mut self, _: &mut Context<'_, Self>, connection: ConnectionId) {
        self.everyone.retain(|&one| one != connection);
    }
}

fn main() -> io::Result<()> {
    let port = std::env::args().skip_while(|word| word != "--port").nth(1);
    let port = port.and_then(|port| port.parse().ok()).unwrap_or(9001);
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    let server = Server::builder(|_| Broadcast::default()).listener(listener).loops(1);
    let server = server.handle_signals().build()?;
    writeln!(io::stdout(), "listening {}", server.local_addrs()[0])?;
    server.run()
}
