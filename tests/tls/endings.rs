//! How it ends: close_notify both ways, half-closed, cut off, drained (RFC 8446 §6.1).

use std::io::{self, Read, Write};
use std::time::Duration;

use crate::client::{Client, connect, of_version};
use crate::server::{PATIENCE, Running, until};

#[test]
fn a_close_notify_is_a_half_close_and_is_answered_with_one() {
    let server = Running::start("half-close");
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let mut client = Client::to(server.address, of_version(server.roots(), version));
        client.send("one\nflood 300\nthe last has no end");
        client.close();
        let all = String::from_utf8(client.rest().expect("close_notify comes back")).unwrap();
        let lines: Vec<_> = all.lines().collect();
        assert_eq!(lines.len(), 302);
        assert_eq!((lines[0], lines[301]), ("one", "the last has no end"));
        // And then the socket.
        assert_eq!(client.0.get_mut().sock.read(&mut [0]).unwrap(), 0);
    }
    assert_eq!(server.metric("stentor_tls_truncated_total"), 0);
    until(|| server.handle.connections() == 0);
}

#[test]
fn a_stream_that_is_cut_gives_no_message_that_is_not_whole() {
    let server = Running::start("truncated");
    let mut client = server.client();
    client.send("whole\nhalf of a line");
    client.cut();
    assert_eq!(client.rest().unwrap(), b"whole\n", "and close_notify after it");
    until(|| server.metric("stentor_tls_truncated_total") == 1);
    // A word that could be any protocol's beginning, and then nothing.
    let mut client = server.client();
    client.send("GE");
    client.cut();
    assert_eq!(client.rest().unwrap(), b"");
    until(|| server.handle.connections() == 0);
}

#[test]
fn a_server_that_closes_says_so_first() {
    let server = Running::start("server-closes");
    let mut client = server.client();
    client.send("end\n");
    assert_eq!(client.line().unwrap(), None, "close_notify, or this were an error");
    client.close();
    until(|| server.handle.connections() == 0);
}

#[test]
fn a_drain_tells_everyone_and_waits_for_no_handshake() {
    let server = Running::start("drain");
    let mut clients: Vec<_> = (0..5).map(|_| server.client()).collect();
    for client in &mut clients {
        assert_eq!(client.ask("x"), "x");
    }
    let mut shaking = connect(server.address);
    shaking.write_all(b"\x16\x03\x01").unwrap();
    until(|| server.metric("stentor_tls_handshaking") == 1);
    server.handle.drain(Duration::from_millis(50));
    for client in &mut clients {
        assert_eq!(client.line().unwrap(), None);
        client.close();
    }
    assert_eq!(shaking.read(&mut [0]).unwrap(), 0);
    drop(shaking);
    until(|| server.handle.connections() == 0);
    assert_eq!(server.failed("stopped"), 1);
    server.ended();
}

#[test]
fn a_client_that_is_gone_leaves_nothing_behind() {
    let server = Running::start("gone");
    for at in 0..20 {
        let client = server.client();
        let mut shaking = connect(server.address);
        shaking.write_all(&[0x16, 3, 1, 2, 0][..1 + at % 5]).unwrap();
        socket2_reset(client.socket());
    }
    until(|| server.handle.connections() == 0);
    assert_eq!(server.metric("stentor_tls_handshaking"), 0);
    assert_eq!(server.failed("gone"), 20);
}

/// Closes with a reset.
fn socket2_reset(socket: &std::net::TcpStream) {
    socket2::SockRef::from(socket).set_linger(Some(Duration::ZERO)).unwrap();
}

#[test]
fn close_notify_in_the_middle_of_a_handshake_ends_it() {
    let server = Running::start("early-close");
    let mut stream = connect(server.address);
    let mut tls = crate::client::session(crate::client::usual(server.roots()));
    tls.write_tls(&mut stream).unwrap();
    // An alert in plain: warning, close_notify.
    stream.write_all(b"\x15\x03\x03\0\x02\x01\0").unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    match stream.read_to_end(&mut Vec::new()) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), io::ErrorKind::ConnectionReset),
    }
    until(|| server.handle.connections() == 0);
    assert_eq!(server.metric("stentor_tls_handshaking"), 0);
}
