//! Handshakes that do not end, end at once, or come in crowds, and records without a pause. What
//! needs a server of another kind is in `tests/tls`.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};

use crate::peer::{DEADLINE, connect, http_get, pour, rest};
use crate::server::Server;
use crate::siege::certificate::trusting;

const PAGE: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
const TIMEOUT: &str = "stentor_tls_handshakes_failed_total";

fn session(name: &'static str) -> ClientConnection {
    let name = ServerName::try_from(name).expect("a name");
    ClientConnection::new(trusting(), name).expect("a session")
}

/// The first flight of a client.
fn hello() -> Vec<u8> {
    let mut bytes = Vec::new();
    session("localhost").write_tls(&mut bytes).expect("a hello");
    bytes
}

/// Writes one byte in a segment.
struct Dribbling(TcpStream);

impl Write for Dribbling {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(&bytes[..bytes.len().min(1)])
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Read for Dribbling {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(7);
        self.0.read(&mut buffer[..most])
    }
}

/// A handshake and a request of one byte per segment, read in sevens: served.
#[test]
fn tl_01_a_handshake_may_come_byte_by_byte() {
    let server = Server::start_secure(&[]);
    let mut stream = StreamOwned::new(session("localhost"), Dribbling(connect(&server.address)));
    stream.write_all(PAGE).expect("sent");
    let mut said = Vec::new();
    stream.read_to_end(&mut said).expect("an answer, and its end");
    assert!(said.starts_with(b"HTTP/1.1 200 "), "{}", said.escape_ascii());
    drop(stream);
    server.judge();
}

/// A farewell in the midst of a handshake, warnings and empty records by the thousand: closed.
#[test]
fn tl_02_and_05_a_handshake_of_farewells_warnings_and_nothing() {
    let server = Server::start_secure(&[]);
    let farewell = b"\x15\x03\x03\x00\x02\x01\x00";
    let warning = b"\x15\x03\x03\x00\x02\x01\x5a".repeat(2000);
    let nothing = b"\x16\x03\x03\x00\x00".repeat(2000);
    for record in [&farewell[..], &warning, &nothing] {
        for bytes in [[&hello(), record].concat(), record.to_vec()] {
            let mut stream = connect(&server.address);
            pour(&mut stream, &bytes);
            let _ = stream.shutdown(Shutdown::Write);
            rest(&mut stream);
        }
    }
    server.judge();
}

/// Half a handshake and then nothing, three hundred times: closed after their time, and meanwhile
/// everybody else comes in.
#[test]
fn tl_03_handshakes_that_stop_half_way_keep_nobody_out() {
    let server = Server::start_secure(&["limits.tls_timeout_ms=1000"]);
    let hello = hello();
    let stalled: Vec<_> = (0..300)
        .map(|n| {
            let mut stream = connect(&server.address);
            pour(&mut stream, &hello[..1 + n % (hello.len() - 1)]);
            stream
        })
        .collect();
    let begun = Instant::now();
    assert_eq!(http_get(&server.address, "/healthz").0, 200);
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    for mut stream in stalled {
        assert_eq!(rest(&mut stream), b"", "without a word");
    }
    assert_eq!(server.metric(TIMEOUT), 300.0);
    server.judge();
}

/// Records without a pause, and nothing is read: the server stops reading, and holds no more than a
/// connection's share.
#[test]
fn tl_04_and_06_records_without_a_pause_from_one_who_reads_nothing() {
    // What waits may be too little to be called slow; then the kernel finds nobody who takes it.
    let dead = ["limits.heartbeat_ms=500", "limits.dead_ms=2000", "limits.outbox_soft_ms=500"];
    let server = Server::start_secure(&dead);
    let memory = server.memory();
    let mut stream = connect(&server.address);
    stream.set_write_timeout(Some(Duration::from_millis(100))).expect("a deadline");
    socket2::SockRef::from(&stream).set_recv_buffer_size(4096).expect("a small buffer");
    let mut session = session("localhost");
    while session.is_handshaking() {
        session.complete_io(&mut stream).expect("a handshake");
    }
    let pings = b"ping\n".repeat(3000);
    let begun = Instant::now();
    loop {
        if !session.wants_write() {
            session.writer().write_all(&pings).expect("room");
        }
        match session.write_tls(&mut stream) {
            Err(error) if error.kind() != ErrorKind::WouldBlock => break,
            _ => assert!(begun.elapsed() < DEADLINE, "it is never closed"),
        }
    }
    assert!(server.memory() < memory + 16 * 1024, "{} KiB", server.memory());
    drop(stream);
    server.judge();
}

/// A name that the server does not have, or none: its one certificate is shown, and the client may
/// judge.
#[test]
fn tl_07_a_name_that_is_not_known() {
    let server = Server::start_secure(&[]);
    for name in ["unknown.example", "127.0.0.1"] {
        let mut stream = StreamOwned::new(session(name), connect(&server.address));
        let error = stream.write_all(PAGE).expect_err("not its certificate").to_string();
        assert!(error.contains("not valid for name"), "{error}");
    }
    server.judge();
}

/// Handshakes as fast as six threads can, each with all of its arithmetic: the bystanders are served.
#[test]
fn tl_11_a_storm_of_handshakes_delays_nobody() {
    let server = Server::start_secure(&[]);
    let storm = (0..6).map(|_| {
        let address = server.address.clone();
        std::thread::spawn(move || {
            for _ in 0..50 {
                // A configuration of its own resumes nothing.
                let mut config = rustls::ClientConfig::clone(&trusting());
                config.resumption = rustls::client::Resumption::disabled();
                let name = ServerName::try_from("localhost").expect("a name");
                let session = ClientConnection::new(Arc::new(config), name).expect("a session");
                let mut stream = StreamOwned::new(session, connect(&address));
                stream.write_all(PAGE).expect("sent");
                let mut said = Vec::new();
                stream.read_to_end(&mut said).expect("an answer");
                assert!(said.starts_with(b"HTTP/1.1 200 "), "{}", said.escape_ascii());
            }
        })
    });
    for thread in storm.collect::<Vec<_>>() {
        thread.join().expect("all are served");
    }
    assert_eq!(server.metric("stentor_tls_handshakes_total"), 300.0);
    server.judge();
}
