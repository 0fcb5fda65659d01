//! A server on a thread of its own, clients that do not wait for ever, and a handler that echoes.

use std::convert::Infallible;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use stentor::base::id::{ConnectionId, LoopId};
use stentor::handler::{Context, Handler, Message, Segment, Tag};
use stentor::protocol::http::{Request, Response};
use stentor::protocol::websocket::Opcode;
use stentor::server::{Builder, Handle, Server};
use stentor::{engine, net};

/// Nothing here takes this long unless it is broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Echoes; `where` tells the loop, `panic` panics, `pause` listens again after 50 ms.
pub(crate) struct Echo(pub(crate) LoopId);

impl Handler for Echo {
    type Job = Infallible;
    type Done = Infallible;
    type Peer = Infallible;
    type Timer = ConnectionId;

    fn message(&mut self, cx: &mut Context<'_, Self>, from: ConnectionId, message: Message<'_>) {
        match message.bytes {
            b"where" => reply(cx, from, &self.0.0.to_string()),
            b"pause" => {
                cx.pause(from);
                cx.set_timer(Duration::from_millis(50), from);
                reply(cx, from, "paused");
            }
            b"panic" => panic!("planted"),
            bytes => cx.send(from, Segment::Lent(0..bytes.len()), Tag::REPLY),
        }
    }

    fn request(&mut self, cx: &mut Context<'_, Self>, from: ConnectionId, request: &Request<'_>) {
        assert_ne!(request.path, "/panic", "planted");
        cx.respond(from, Response::new(404).text("not found\n"));
    }

    fn deadline(&mut self, cx: &mut Context<'_, Self>, paused: ConnectionId) {
        cx.resume(paused);
    }
}

/// Sends a text of our own.
pub(crate) fn reply<H: Handler>(cx: &mut Context<'_, H>, to: ConnectionId, text: &str) {
    let mut draft = cx.draft();
    draft.payload().extend_from_slice(text.as_bytes());
    cx.send(to, Segment::Own(draft.finish(Opcode::Text)), Tag::REPLY);
}

/// Messages of up to 16 MiB, as much queued as a test wants, and no deadline that would do what the
/// loop has forgotten to.
pub(crate) fn roomy() -> engine::Config {
    engine::Config {
        message_bytes: 16 << 20,
        outbox_bytes: 64 << 20,
        outbox_soft_bytes: 1 << 20,
        outbox_soft_ms: 60_000,
        close_timeout_ms: 600_000,
        ..engine::Config::default()
    }
}

/// An echo server to be configured further.
pub(crate) fn echo(loops: usize) -> Builder<Echo> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let config = net::Config { raise_descriptors: false, ..net::Config::default() };
    Server::builder(Echo).listener(listener).loops(loops).config(config, roomy())
}

/// A server that runs; stopped when dropped.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) handle: Handle,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Running {
    pub(crate) fn start<H: Handler + 'static>(server: Builder<H>) -> Self {
        let server = server.build().unwrap();
        let (address, handle) = (server.local_addrs()[0], server.handle());
        let thread = std::thread::spawn(move || server.run());
        Self { address, handle, thread: Some(thread) }
    }

    pub(crate) fn client(&self) -> Client {
        Client::to(self.address)
    }

    /// Waits until it ends of itself.
    pub(crate) fn ended(mut self) -> io::Result<()> {
        let thread = self.thread.take().unwrap();
        until(|| thread.is_finished());
        thread.join().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.handle.stop();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap().unwrap();
        }
    }
}

/// Waits for `condition`, at most so long as patience lasts.
pub(crate) fn until(mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "never came true");
        std::thread::yield_now();
    }
}

/// Speaks lines.
pub(crate) struct Client(pub(crate) BufReader<TcpStream>);

impl Client {
    pub(crate) fn to(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(BufReader::new(stream))
    }

    pub(crate) fn send(&self, bytes: impl AsRef<[u8]>) {
        self.0.get_ref().write_all(bytes.as_ref()).unwrap();
    }

    /// The next line without its end; `None` at the end of the stream, or when it broke.
    pub(crate) fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.0.read_line(&mut line) {
            Ok(0) => None,
            Ok(_) => Some(line.trim_end().to_owned()),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => None,
            Err(error) => panic!("no line: {error}"),
        }
    }

    /// Sends a line and returns the next that comes.
    pub(crate) fn ask(&mut self, line: &str) -> Option<String> {
        // A peer that has gone says so when read from.
        let _ = self.0.get_ref().write_all(format!("{line}\n").as_bytes());
        self.line()
    }
}
