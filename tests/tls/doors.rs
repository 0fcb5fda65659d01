//! Every door over TLS beside every door without, on one port; and what the hello may ask for.

use std::io::{Read, Write};

use rustls::{AlertDescription, Error};
use stentor::engine;

use crate::client::{Client, connect, of_version, rest, session, session_of, usual};
use crate::server::{Running, roomy, until};

const UPGRADE: &str = "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";
/// `hello`, masked with zeros.
const FRAME: &[u8] = b"\x81\x85\0\0\0\0hello";

/// What each door says, over any stream.
fn through(mut stream: impl Read + Write, sent: &[u8], ends: &[u8]) -> Vec<u8> {
    stream.write_all(sent).unwrap();
    stream.flush().unwrap();
    let (mut came, mut byte) = (Vec::new(), [0]);
    while !came.ends_with(ends) {
        stream.read_exact(&mut byte).unwrap();
        came.push(byte[0]);
    }
    came
}

#[test]
fn every_door_works_with_and_without_tls_on_one_port() {
    let server = Running::start("doors");
    let upgrade = [UPGRADE.as_bytes(), FRAME].concat();
    let doors: [(&[u8], &[u8]); 3] = [
        (b"hello there\n", b"hello there\n"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", b"it works\n"),
        (&upgrade, b"\x81\x05hello"),
    ];
    for (sent, ends) in doors {
        for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
            let client = Client::to(server.address, of_version(server.roots(), version));
            let secret = through(client.0.into_inner(), sent, ends);
            let plain = through(connect(server.address), sent, ends);
            let (secret, plain) = (secret.escape_ascii(), plain.escape_ascii());
            assert_eq!(secret.to_string(), plain.to_string());
        }
    }
    assert_eq!(server.client().ask("privacy"), "encrypted");
    assert_eq!(through(connect(server.address), b"privacy\n", b"\n"), b"plain\n");
    assert_eq!(server.metric("stentor_tls_handshakes_total"), 7);
    assert_eq!(server.metric("stentor_tls_handshake_seconds_count"), 7);
    until(|| server.metric("stentor_tls_handshaking") == 0);
    assert!(server.metric("stentor_tls_certificate_not_after_timestamp_seconds") > 3_800_000_000);
}

#[test]
fn alpn_is_http_1_1_or_nothing() {
    let server = Running::start("alpn");
    let offering = |names: &[&[u8]]| {
        let mut config = usual(server.roots());
        config.alpn_protocols = names.iter().map(|name| name.to_vec()).collect();
        Client::try_to(server.address, session(config))
    };
    let mut both = offering(&[b"h2", b"http/1.1"]).unwrap();
    assert_eq!(both.tls().alpn_protocol(), Some(&b"http/1.1"[..]));
    let mut none = offering(&[]).unwrap();
    assert_eq!(none.tls().alpn_protocol(), None);
    assert_eq!(none.ask("lines"), "lines");
    let error = offering(&[b"h2"]).err().expect("nothing in common").into_inner().unwrap();
    let error = error.downcast::<Error>().unwrap();
    assert_eq!(*error, Error::AlertReceived(AlertDescription::NoApplicationProtocol));
    until(|| server.failed("protocol") == 1);
}

#[test]
fn sessions_are_resumed_and_nothing_is_sent_early() {
    let server = Running::start("resumption");
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let mut config = of_version(server.roots(), version);
        config.enable_early_data = true;
        let config = std::sync::Arc::new(config);
        let kinds: Vec<_> = (0..2)
            .map(|_| {
                let mut tls = session_of(&config);
                assert!(tls.early_data().is_none(), "0-RTT was offered");
                let mut client = Client::try_to(server.address, tls).unwrap();
                // The tickets of TLS 1.3 come after the handshake.
                assert_eq!(client.ask("x"), "x");
                client.tls().handshake_kind().unwrap()
            })
            .collect();
        let wanted = [rustls::HandshakeKind::Full, rustls::HandshakeKind::Resumed];
        assert_eq!(kinds, wanted, "{version:?}");
    }
}

#[test]
fn where_tls_is_required_a_plain_door_says_so() {
    let engine = engine::Config { tls_required: true, ..roomy() };
    let server = Running::with("required", engine, |_, _| {}, |builder| builder);
    assert_eq!(server.client().ask("privacy"), "encrypted");
    for request in ["GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", UPGRADE] {
        let mut plain = connect(server.address);
        plain.write_all(request.as_bytes()).unwrap();
        let said = String::from_utf8(rest(&mut plain)).unwrap();
        assert!(said.starts_with("HTTP/1.1 403 "), "{said}");
        assert!(said.ends_with("only TLS is spoken here: https:// or wss://\n"), "{said}");
    }
    let mut lines = connect(server.address);
    lines.write_all(b"hello\n").unwrap();
    // This handler has no last word; the router's is tested with the binary.
    assert_eq!(rest(&mut lines), b"");
    assert_eq!(server.metric("stentor_connections_exposed_refused_total"), 3);
}
