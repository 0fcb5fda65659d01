//! A handshake and what follows, cut at every byte, and byte by byte; the server is turned by hand, so
//! that it has seen the first part before the second is sent.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, ClientConnection};
use stentor::net::Tls;
use stentor::server::Server;

use crate::certificates::{Authority, Folder};
use crate::client::{of_version, session_of};
use crate::server::{Echo, builder, roomy};

struct Bench {
    server: Server<Echo>,
    socket: TcpStream,
    tls: ClientConnection,
    /// What was sent so far.
    sent: usize,
}

impl Bench {
    fn turn(&mut self) {
        // What is read in one turn may make work for the next.
        for _ in 0..3 {
            self.server.turn(Some(Duration::ZERO)).unwrap();
        }
    }

    /// Sends what the client has to say, a turn between the parts: cut where `cuts` says.
    fn send(&mut self, cuts: impl Fn(usize) -> bool) {
        let mut bytes = Vec::new();
        while self.tls.wants_write() {
            self.tls.write_tls(&mut bytes).unwrap();
        }
        let mut part = Vec::new();
        for byte in bytes {
            part.push(byte);
            self.sent += 1;
            if cuts(self.sent) {
                self.socket.write_all(&part).unwrap();
                part.clear();
                self.turn();
            }
        }
        self.socket.write_all(&part).unwrap();
        self.turn();
    }

    fn receive(&mut self) {
        let mut buffer = [0; 8192];
        match self.socket.read(&mut buffer) {
            Ok(0) => panic!("closed"),
            Ok(bytes) => {
                let mut bytes = &buffer[..bytes];
                while !bytes.is_empty() {
                    self.tls.read_tls(&mut bytes).unwrap();
                    self.tls.process_new_packets().unwrap();
                }
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
    }
}

/// Shakes hands and echoes a line; returns how many bytes the client sent.
fn converse(
    server: Server<Echo>,
    config: &Arc<ClientConfig>,
    cuts: impl Fn(usize) -> bool,
) -> (Server<Echo>, usize) {
    let socket = TcpStream::connect(server.local_addrs()[0]).unwrap();
    socket.set_nonblocking(true).unwrap();
    socket.set_nodelay(true).unwrap();
    let mut bench = Bench { server, socket, tls: session_of(config), sent: 0 };
    bench.tls.writer().write_all(b"hello\n").unwrap();
    let mut came = [0; 6];
    for _ in 0..1000 {
        bench.send(&cuts);
        bench.receive();
        match bench.tls.reader().read_exact(&mut came) {
            Ok(()) => {
                assert_eq!(&came, b"hello\n");
                return (bench.server, bench.sent);
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
    }
    panic!("no answer came");
}

fn each_cut(version: &'static rustls::SupportedProtocolVersion) {
    let (authority, folder) = (Authority::new(), Folder::new(&format!("cuts-{version:?}")));
    let tls = Tls::load(folder.files(&authority.issue(2090))).unwrap();
    let mut server = builder(tls, roomy()).build().unwrap();
    let mut config = of_version(authority.roots(), version);
    config.resumption = rustls::client::Resumption::disabled();
    let config = Arc::new(config);
    let (returned, whole) = converse(server, &config, |_| false);
    server = returned;
    assert!((150..1000).contains(&whole), "{whole}");
    for cut in 1..whole {
        (server, _) = converse(server, &config, |at| at == cut);
    }
    converse(server, &config, |_| true);
}

#[test]
fn tls_1_3_may_come_in_any_two_parts() {
    each_cut(&rustls::version::TLS13);
}

#[test]
fn tls_1_2_may_come_in_any_two_parts() {
    each_cut(&rustls::version::TLS12);
}
