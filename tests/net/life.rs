//! Beginning and end: turns by hand, draining, stopping, panics.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use stentor::metrics::Registry;

use crate::support::{PATIENCE, Running, echo, until};

#[test]
fn a_turn_is_one_round_and_only_for_one_loop() {
    let mut server = echo(1).build().unwrap();
    let began = Instant::now();
    assert!(server.turn(Some(Duration::ZERO)).unwrap());
    assert!(server.turn(Some(Duration::from_millis(20))).unwrap());
    assert!(began.elapsed() >= Duration::from_millis(20), "waits when nothing happens");

    let mut client = TcpStream::connect(server.local_addrs()[0]).unwrap();
    client.set_nonblocking(true).unwrap();
    client.write_all(b"by hand\n").unwrap();
    let (mut came, deadline) = ([0; 16], Instant::now() + PATIENCE);
    let bytes = loop {
        assert!(Instant::now() < deadline && server.turn(Some(Duration::from_millis(1))).unwrap());
        if let Ok(bytes) = client.read(&mut came) {
            break bytes;
        }
    };
    assert_eq!(&came[..bytes], b"by hand\n");
    server.handle().stop();
    assert!(!server.turn(None).unwrap());
    drop(server);
    assert_eq!(client.read(&mut came).unwrap_or(0), 0, "dropping cuts");

    assert!(echo(2).build().unwrap().turn(None).is_err());
    assert!(echo(0).build().is_err());
}

#[test]
fn a_drain_closes_everyone_and_ends_the_server() {
    for loops in [1, 3] {
        let server = Running::start(echo(loops));
        let mut clients: Vec<_> = (0..7).map(|_| server.client()).collect();
        for client in &mut clients {
            assert_eq!(client.ask("x").as_deref(), Some("x"));
        }
        let address = server.address;
        let began = Instant::now();
        server.handle.drain(Duration::from_millis(50));
        for client in &mut clients {
            assert_eq!(client.line(), None);
        }
        drop(clients);
        server.ended().unwrap();
        assert!(began.elapsed() < PATIENCE, "not at the last moment");
        assert!(TcpStream::connect(address).is_err(), "nobody listens any more");
    }
}

#[test]
fn a_drain_without_anyone_ends_at_once_and_a_stop_cuts() {
    let server = Running::start(echo(2));
    server.handle.drain(PATIENCE);
    server.ended().unwrap();

    let server = Running::start(echo(2));
    let mut clients = [server.client(), server.client()];
    for client in &mut clients {
        assert_eq!(client.ask("x").as_deref(), Some("x"));
    }
    server.handle.stop();
    for client in &mut clients {
        assert_eq!(client.line(), None);
    }
    server.ended().unwrap();
}

#[test]
fn who_made_it_panic_is_told_that_it_was_our_fault() {
    let registry = Registry::new();
    let server = Running::start(echo(1).metrics(&registry));
    let mut socket = TcpStream::connect(server.address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let upgrade = b"GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    // What was answered before, in the same piece, comes first.
    let frames = b"\x81\x82\0\0\0\0hi\x81\x85\0\0\0\0panic\x81\x82\0\0\0\0no";
    socket.write_all(upgrade).unwrap();
    let mut said = vec![0; 512];
    let mut length = 0;
    while !said[..length].ends_with(b"\r\n\r\n") {
        length += socket.read(&mut said[length..]).unwrap();
    }
    socket.write_all(frames).unwrap();
    said.clear();
    socket.read_to_end(&mut said).unwrap();
    assert_eq!(said, b"\x81\x02hi\x88\x10\x03\xf3internal error", "{}", said.escape_ascii());

    drop(socket);
    let mut socket = TcpStream::connect(server.address).unwrap();
    socket.write_all(b"GET /panic HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    said.clear();
    socket.read_to_end(&mut said).unwrap();
    assert!(said.starts_with(b"HTTP/1.1 500 "), "{}", said.escape_ascii());
    assert_eq!(registry.total("stentor_net_panics_total"), Some(2));
    drop(socket);
    until(|| server.handle.connections() == 0);
}

#[test]
fn a_panic_costs_one_connection_and_is_counted() {
    let registry = Registry::new();
    let server = Running::start(echo(1).metrics(&registry));
    let mut bystander = server.client();
    assert_eq!(bystander.ask("before").as_deref(), Some("before"));
    for panics in 1..=3 {
        let mut victim = server.client();
        assert_eq!(victim.ask("panic"), None);
        assert_eq!(registry.total("stentor_net_panics_total"), Some(panics));
        assert_eq!(bystander.ask("after").as_deref(), Some("after"));
    }
    until(|| server.handle.connections() == 1);
    assert_eq!(registry.total("stentor_net_connections"), Some(1));
    assert_eq!(registry.total("stentor_net_accepted_total"), Some(4));
}
