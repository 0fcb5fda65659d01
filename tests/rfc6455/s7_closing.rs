//! Section 7: how a connection ends, through [`Connection`].

use std::time::Duration;

use super::*;
use stentor::base::rng::Rng;
use stentor::protocol::websocket::handshake::client::Request;
use stentor::protocol::websocket::{Config, Connection, ConnectionEvent, Failure, State};

/// An open client and an open server.
pub(crate) fn pair() -> (Connection, Connection) {
    let request = Request { host: "h", target: "/ws", ..Request::default() };
    let config = Config::default();
    let mut client = Connection::client(config, &request, Rng::new(5), Duration::ZERO).unwrap();
    let mut server = Connection::server(config, Duration::ZERO);
    server.receive(&mut client.take_output());
    server.accept(None, None).unwrap();
    client.receive(&mut server.take_output());
    assert!(client.is_open() && server.is_open());
    received(&mut client);
    received(&mut server);
    (client, server)
}

pub(crate) fn received(end: &mut Connection) -> Vec<ConnectionEvent> {
    std::iter::from_fn(|| end.poll_event()).collect()
}

#[test]
fn s7_1_2_a_close_is_sent_once_and_last() {
    let (mut client, mut server) = pair();
    server.receive(&mut frame(0x89, b"p", Some(KEY)));
    server.close(CloseCode(4200), "drain").unwrap();
    assert!(server.close(CloseCode(4200), "again").is_err());
    server.fail(CloseCode::INTERNAL_ERROR, "and again");
    let mut output = server.take_output();
    assert_eq!(output, b"\x8a\x01p\x88\x07\x10\x68drain", "the Pong before it, nothing after");
    client.receive(&mut output);
    assert_eq!(client.close_received().unwrap().reason, "drain");
}

#[test]
fn s5_5_1_a_close_must_be_answered_with_a_close() {
    for (payload, answer) in [(&b""[..], &b"\x88\x00"[..]), (b"\x0f\xa0no", b"\x88\x02\x0f\xa0")] {
        let (_, mut server) = pair();
        server.receive(&mut masked(0x88, payload));
        assert_eq!((server.state(), &server.take_output()[..]), (State::Closing, answer));
    }
}

#[test]
fn s7_1_1_the_server_ends_the_stream_and_the_client_waits_for_it() {
    let (mut client, mut server) = pair();
    client.close(CloseCode::NORMAL, "").unwrap();
    server.receive(&mut client.take_output());
    client.receive(&mut server.take_output());
    assert!(server.wants_shutdown() && server.is_clean());
    assert!(!client.wants_shutdown() && client.is_clean());
    client.advance(Duration::from_secs(60));
    assert!(client.wants_shutdown(), "but not for ever");
}

#[test]
fn s7_1_5_the_code_is_the_peers_or_1005_or_1006() {
    for (payload, code) in [(Some(&b"\x0f\xa0"[..]), 4000), (Some(b""), 1005), (None, 1006)] {
        let (_, mut server) = pair();
        if let Some(payload) = payload {
            server.receive(&mut masked(0x88, payload));
        }
        server.end_of_stream();
        let events = received(&mut server);
        let [ConnectionEvent::Closed { code: told, clean, .. }] = &events[..] else {
            panic!("{events:?}");
        };
        assert_eq!((told.0, *clean), (code, payload.is_some()));
    }
}

#[test]
fn s7_1_7_failing_sends_the_code_of_the_fault_and_reads_no_further() {
    let rows = [
        (masked(0x83, b""), 1002),
        (masked(0x81, b"\xff"), 1007),
        (b"\x82\xff\0\0\0\0\x10\0\0\0\0\0\0\0".to_vec(), 1009),
        ((0..2_000).flat_map(|n| masked(if n == 0 { 2 } else { 0 }, b"")).collect(), 1008),
    ];
    for (mut wire, code) in rows {
        let (_, mut server) = pair();
        wire.extend(masked(0x81, b"never read"));
        server.receive(&mut wire);
        server.receive(&mut masked(0x81, b"nor this"));
        assert_eq!(received(&mut server), []);
        let output = server.take_output();
        assert_eq!((output[0], u16::from_be_bytes([output[2], output[3]])), (0x88, code));
        assert!(server.wants_shutdown());
        server.end_of_stream();
        let events = received(&mut server);
        assert!(matches!(
            &events[..],
            [ConnectionEvent::Closed { failure: Some(Failure::Protocol(_)), clean: false, .. }]
        ));
    }
}

#[test]
fn s1_4_data_after_the_peers_close_is_ignored() {
    let (_, mut server) = pair();
    server.receive(&mut [masked(0x88, b""), masked(0x81, b"late"), masked(0x88, b"x")].concat());
    server.receive(&mut masked(0x83, b"even a fault"));
    assert_eq!(received(&mut server), []);
    assert_eq!(server.take_output(), b"\x88\x00");
    assert!(server.is_clean());
}

#[test]
fn s1_4_data_before_the_peers_close_is_still_delivered() {
    let (mut client, mut server) = pair();
    server.close(CloseCode::GOING_AWAY, "").unwrap();
    client.send_text("on its way").unwrap();
    server.receive(&mut client.take_output());
    assert_eq!(received(&mut server), [ConnectionEvent::Text("on its way".into())]);
}

#[test]
fn s7_4_1_codes_that_must_not_be_sent_are_not() {
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000] {
        let (mut client, mut server) = pair();
        assert!(client.close(CloseCode(code), "").is_err() && client.is_open(), "{code}");
        assert!(server.close(CloseCode(code), "").is_err() && server.is_open(), "{code}");
    }
}
