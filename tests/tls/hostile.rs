//! Those who are no TLS clients, or only half (rows TL-01 to TL-07 of the catalogue of attacks).

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use stentor::engine;

use crate::client::{connect, rest, session, usual};
use crate::server::{Running, roomy, until};

/// A hello as bytes.
fn hello(server: &Running) -> Vec<u8> {
    let mut bytes = Vec::new();
    session(usual(server.roots())).write_tls(&mut bytes).unwrap();
    bytes
}

/// What a peer gets for these bytes before it is closed.
fn answer(server: &Running, bytes: &[u8]) -> Vec<u8> {
    let mut stream = connect(server.address);
    stream.write_all(bytes).unwrap();
    rest(&mut stream)
}

/// The alerts in plain: type 21, fatal.
fn alert(said: &[u8]) -> Option<u8> {
    let start = said.len().checked_sub(7)?;
    match &said[start..] {
        [0x15, 3, _, 0, 2, 2, code] => Some(*code),
        _ => None,
    }
}

#[test]
fn garbage_ends_the_handshake_and_is_counted_and_the_next_one_is_served() {
    let server = Running::start("garbage");
    let hello = hello(&server);
    // A type that is none; a record that is too long; HTTP after the first byte.
    for garbage in
        [&b"\x16\x03\x01\0\x05\x63hell"[..], b"\x16\x03\x01\xff\xff", b"\x16GET / HTTP/1.1\r\n\r\n"]
    {
        let said = answer(&server, garbage);
        // rustls has no alert for each of them.
        let fair = said.is_empty() || alert(&said).is_some();
        assert!(fair, "{}: {}", garbage.escape_ascii(), said.escape_ascii());
    }
    // After a hello that is good: the answer to it, then an alert.
    let said = answer(&server, &[&hello[..], b"\x17\x03\x03\0\x05hello"].concat());
    assert_eq!(said.first(), Some(&0x16));
    let failed = || ["malformed", "misbehaved", "other"].map(|why| server.failed(why));
    until(|| failed().iter().sum::<u64>() == 4);
    assert_eq!(failed()[2], 0, "each has a reason");
    assert_eq!(server.client().ask("x"), "x");
    assert_eq!(server.metric("stentor_net_panics_total"), 0);
}

#[test]
fn a_hello_in_records_of_one_byte_works_or_gets_an_alert() {
    let server = Running::start("one-byte-records");
    let whole = hello(&server);
    let crumbs: Vec<u8> = whole[5..].iter().flat_map(|byte| [0x16, 3, 1, 0, 1, *byte]).collect();
    let mut stream = connect(server.address);
    stream.write_all(&crumbs).unwrap();
    let mut said = [0; 6];
    stream.read_exact(&mut said).unwrap();
    let answered = said[0] == 0x16 && said[5] == 2;
    assert!(answered || alert(&[&[0][..], &said].concat()).is_some(), "{said:?}");
}

#[test]
fn more_than_a_handshake_has_is_not_read() {
    let server = Running::start("too-long");
    let mut stream = connect(server.address);
    // A hello of 16 MiB that says so, in records of 16 KiB.
    let mut record = vec![0x16, 3, 1, 0x40, 0];
    record.extend_from_slice(&[1, 0xff, 0xff, 0xff]);
    record.resize(5 + 0x4000, 0);
    let mut sent = 0;
    while sent < 4 << 20 && stream.write_all(&record).is_ok() {
        sent += record.len();
        record[5..9].fill(0);
    }
    assert!(sent < 4 << 20, "it took everything");
    until(|| server.metric("stentor_tls_handshaking") == 0 && server.handle.connections() == 0);
    assert_eq!(server.failed("too_long") + server.failed("malformed"), 1);
}

#[test]
fn a_handshake_has_its_time_and_not_more() {
    let engine = engine::Config { tls_timeout_ms: 50, ..roomy() };
    let server = Running::with("deadline", engine, |_, _| {}, |builder| builder);
    let whole = hello(&server);
    let mut slow: Vec<TcpStream> = Vec::new();
    for part in [1, 5, whole.len() / 2, whole.len()] {
        let mut stream = connect(server.address);
        stream.write_all(&whole[..part]).unwrap();
        slow.push(stream);
    }
    for stream in &mut slow {
        rest(stream);
    }
    until(|| server.failed("timeout") == 4);
    assert_eq!(server.metric("stentor_tls_handshaking"), 0);
    // Who is done is not measured by it.
    let mut client = server.client();
    assert_eq!(client.ask("x"), "x");
    let mut other = connect(server.address);
    other.write_all(&whole[..1]).unwrap();
    rest(&mut other);
    assert_eq!(client.ask("still here"), "still here");
}

#[test]
fn plain_bytes_in_an_open_connection_end_it_and_nobody_else() {
    let server = Running::start("plain-inside");
    let (mut broken, mut bystander) = (server.client(), server.client());
    assert_eq!(broken.ask("x"), "x");
    broken.socket().write_all(b"{\"type\":\"ping\"}\n").unwrap();
    assert!(broken.line().is_err(), "no close_notify, but an alert");
    until(|| server.metric("stentor_tls_broken_total{reason=\"malformed\"}") == 1);
    // A record of the right kind that nobody encrypted.
    let mut forged = server.client();
    assert_eq!(forged.ask("x"), "x");
    forged.socket().write_all(&[&[0x17, 3, 3, 0, 64][..], &[7; 64]].concat()).unwrap();
    assert!(forged.line().is_err());
    until(|| server.metric("stentor_tls_broken_total{reason=\"malformed\"}") == 2);
    assert_eq!(bystander.ask("y"), "y");
}

#[test]
fn tls_inside_tls_is_not_spoken() {
    let server = Running::start("inside");
    let mut client = server.client();
    let inner = hello(&server);
    client.send(inner);
    assert_eq!(client.rest().unwrap(), b"");
    assert_eq!(server.metric("stentor_connections_unspoken_total"), 1);
}

#[test]
fn key_updates_are_answered_and_a_flood_of_them_ends_the_connection() {
    let server = Running::start("key-updates");
    let mut client = server.client();
    for round in 0..200 {
        client.tls().refresh_traffic_keys().unwrap();
        assert_eq!(client.ask(&format!("round {round}")), format!("round {round}"));
    }
    for _ in 0..5000 {
        client.tls().refresh_traffic_keys().unwrap();
    }
    // The peer may hear of it or find the socket closed.
    let stream = client.0.get_mut();
    let _ = stream.write_all(b"after\n").and_then(|()| stream.flush());
    assert!(client.line().is_err());
    until(|| server.metric("stentor_tls_broken_total{reason=\"misbehaved\"}") == 1);
    assert_eq!(server.metric("stentor_queued_bytes"), 0);
    assert_eq!(server.client().ask("x"), "x");
}

#[test]
fn a_thousand_that_say_nothing_keep_nobody_out() {
    let engine = engine::Config { tls_timeout_ms: 600_000, ..roomy() };
    let server = Running::with("silent", engine, |_, _| {}, |builder| builder);
    let half = &hello(&server)[..100];
    let silent: Vec<_> = (0..300)
        .map(|_| {
            let mut stream = connect(server.address);
            stream.write_all(half).unwrap();
            stream
        })
        .collect();
    until(|| server.metric("stentor_tls_handshaking") == 300);
    assert_eq!(server.client().ask("x"), "x");
    drop(silent);
    until(|| server.metric("stentor_tls_handshaking") == 0);
}

#[test]
fn a_server_without_a_certificate_speaks_no_tls() {
    let server = Running::start("with");
    let hello = hello(&server);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let without = stentor::server::Server::builder(|_| crate::server::Echo::default())
        .listener(listener)
        .loops(1)
        .build()
        .unwrap();
    let (address, handle) = (without.local_addrs()[0], without.handle());
    let thread = std::thread::spawn(move || without.run());
    let mut stream = connect(address);
    stream.write_all(&hello).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    assert_eq!(rest(&mut stream), b"");
    handle.stop();
    thread.join().unwrap().unwrap();
}
