//! The protocol alone: a WebSocket client and a server of `websocket::Connection`, joined in memory.
//! There is no socket, no thread and no clock, so any of them can be yours.
//!
//! `cargo run --no-default-features --example sans_io`

use std::error::Error;
use std::io::{Write, stdout};
use std::time::Duration;

use stentor::base::rng::Rng;
use stentor::protocol::websocket::handshake::client::Request;
use stentor::protocol::websocket::{CloseCode, Config, Connection, ConnectionEvent};

fn main() -> Result<(), Box<dyn Error>> {
    let now = Duration::ZERO; // of a clock of yours that never goes back
    let request = Request { host: "example.com", target: "/ws", ..Request::default() };
    // In a program the seed comes from the system's generator (RFC 6455 §5.3).
    let mut client = Connection::client(Config::default(), &request, Rng::new(7), now)?;
    let mut server = Connection::server(Config::default(), now);
    let mut out = stdout();

    while !(client.wants_shutdown() || server.wants_shutdown()) {
        let (mut to_server, mut to_client) = (client.take_output(), server.take_output());
        server.receive(&mut to_server);
        client.receive(&mut to_client);
        while let Some(event) = server.poll_event() {
            match event {
                ConnectionEvent::Requested(request) => {
                    writeln!(out, "server: GET {}", request.target)?;
                    server.accept(None, None)?;
                }
                ConnectionEvent::Text(text) => server.send_text(&text.to_uppercase())?,
                _ => {}
            }
        }
        while let Some(event) = client.poll_event() {
            writeln!(out, "client: {event:?}")?;
            match event {
                ConnectionEvent::Opened { .. } => client.send_text("hello")?,
                ConnectionEvent::Text(_) => client.close(CloseCode::NORMAL, "thanks")?,
                _ => {}
            }
        }
    }
    client.end_of_stream(); // in a program: the server closed the socket
    writeln!(out, "client: {:?}", client.poll_event())?;
    Ok(())
}
