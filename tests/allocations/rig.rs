//! A server that is turned by hand, and clients beside it on the same thread.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use stentor::handler::Handler;
use stentor::server::{Builder, Server};

use crate::counting::counted;

/// Nothing here takes this long unless it is broken.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) const UPGRADE: &str = "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

pub(crate) struct Rig<H: Handler> {
    server: Server<H>,
    pub(crate) clients: Vec<Client>,
}

pub(crate) struct Client {
    stream: TcpStream,
    /// What came so far; emptied by whoever has seen it.
    pub(crate) come: Vec<u8>,
}

impl Client {
    pub(crate) fn send(&self, bytes: &[u8]) {
        (&self.stream).write_all(bytes).unwrap();
    }

    fn hear(&mut self) {
        let mut buffer = [0; 64 * 1024];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => {
                    panic!("the server closed after {:?}", String::from_utf8_lossy(&self.come))
                }
                Ok(taken) => self.come.extend_from_slice(&buffer[..taken]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// How often `word` came.
    pub(crate) fn heard(&self, word: &[u8]) -> usize {
        self.come.windows(word.len()).filter(|window| *window == word).count()
    }
}

impl<H: Handler + 'static> Rig<H> {
    pub(crate) fn new(server: Builder<H>) -> Self {
        Self { server: server.loops(1).build().unwrap(), clients: Vec::new() }
    }

    /// A new client; its place among [`Rig::clients`].
    pub(crate) fn connect(&mut self) -> usize {
        let stream = TcpStream::connect(self.server.local_addrs()[0]).unwrap();
        stream.set_nonblocking(true).unwrap();
        stream.set_nodelay(true).unwrap();
        self.clients.push(Client { stream, come: Vec::new() });
        self.clients.len() - 1
    }

    /// Turns the server until `arrived` is content with the clients; returns what it allocated.
    pub(crate) fn turn_until(&mut self, arrived: impl Fn(&[Client]) -> bool) -> u64 {
        let deadline = Instant::now() + PATIENCE;
        let mut allocations = 0;
        while !arrived(&self.clients) {
            assert!(Instant::now() < deadline, "it never came");
            let server = &mut self.server;
            let (turned, count) = counted(|| server.turn(Some(Duration::from_millis(10))));
            assert!(turned.unwrap(), "the server wants to end");
            allocations += count;
            self.clients.iter_mut().for_each(Client::hear);
        }
        allocations
    }

    /// Forgets what came.
    pub(crate) fn forget(&mut self) {
        self.clients.iter_mut().for_each(|client| client.come.clear());
    }
}
