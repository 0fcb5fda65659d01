//! A handler of one's own on Stentor's loops: every message comes back as it came, text as text,
//! binary as binary, a line as a line.
//!
//! `cargo run --release --example echo -- --port 9001 --loops 2`, then `nc 127.0.0.1 9001` and type,
//! or open `ws://127.0.0.1:9001/` from any WebSocket client. With `--tls-cert FILE --tls-key FILE` TLS is
//! spoken on the same port. Long messages come back compressed to clients that offer it; with
//! `--contexts 1024`, short ones too, while 1024 MiB last. Ctrl-C drains and ends it.

use std::convert::Infallible;
use std::io::{self, Write};
use std::net::TcpListener;
use std::path::PathBuf;

use stentor::base::id::ConnectionId;
use stentor::engine::DeflateMode;
use stentor::handler::{Context, Handler, Message, Segment, Tag};
use stentor::server::Server;
use stentor::{engine, net};

struct Echo;

impl Handler for Echo {
    type Job = Infallible;
    type Done = Infallible;
    type Peer = Infallible;
    type Timer = Infallible;

    fn message(&mut self, cx: &mut Context<'_, Self>, from: ConnectionId, message: Message<'_>) {
        cx.send(from, Segment::Lent(0..message.bytes.len()), Tag::REPLY);
    }
}

fn main() -> io::Result<()> {
    let port = number("--port").unwrap_or(9001) as u16;
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    let contexts = number("--contexts");
    let engine = engine::Config {
        deflate: if contexts.is_some() { DeflateMode::Dedicated } else { DeflateMode::Shared },
        deflate_memory_bytes: contexts.unwrap_or_default() << 20,
        message_bytes: 16 << 20,
        parts_per_message: 65_537, // 65,536 and the empty last one of some clients
        outbox_bytes: 64 << 20,
        outbox_soft_bytes: 32 << 20,
        ..engine::Config::default()
    };
    let net = net::Config { connections_max: usize::MAX, ..net::Config::default() };
    let mut server = Server::builder(|_| Echo).listener(listener).config(net, engine);
    if let Some(loops) = number("--loops") {
        server = server.loops(loops);
    }
    if let (Some(cert), Some(key)) = (argument("--tls-cert"), argument("--tls-key")) {
        let files = net::TlsFiles {
            certificate: PathBuf::from(cert),
            key: PathBuf::from(key),
            client_ca: None,
            client_auth: net::ClientAuth::Required,
        };
        server = server.tls(net::Tls::load(files).map_err(io::Error::other)?);
    }
    let server = server.handle_signals().build()?;
    for address in server.local_addrs() {
        writeln!(io::stdout(), "listening {address}")?;
    }
    server.run()
}

/// The word after `name` on the command line.
fn argument(name: &str) -> Option<String> {
    std::env::args().skip_while(|word| word != name).nth(1)
}

fn number(name: &str) -> Option<usize> {
    argument(name)?.parse().ok()
}
