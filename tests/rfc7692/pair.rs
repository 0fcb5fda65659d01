//! Both ends together: `Connection` as client and as server, which negotiate and talk.

use super::*;
use std::time::Duration;
use stentor::base::rng::Rng;
use stentor::protocol::websocket::handshake::client::{self, Request};
use stentor::protocol::websocket::{Config, Connection, ConnectionEvent, Failure};

const REQUEST: Request<'_> = Request {
    host: "example.com",
    target: "/",
    origin: None,
    subprotocols: &[],
    extensions: None,
    headers: &[],
};

fn config(deflate: Option<Settings>) -> Config {
    Config { deflate, ..Config::default() }
}

/// Moves bytes until nothing moves; returns what the client said and what the server said.
fn exchange(client: &mut Connection, server: &mut Connection) -> (Vec<u8>, Vec<u8>) {
    let (mut up, mut down) = (Vec::new(), Vec::new());
    loop {
        let (mut ours, mut theirs) = (client.take_output(), server.take_output());
        if ours.is_empty() && theirs.is_empty() {
            return (up, down);
        }
        up.extend_from_slice(&ours);
        down.extend_from_slice(&theirs);
        server.receive(&mut ours);
        client.receive(&mut theirs);
    }
}

/// Two ends that are open, and the extension they agreed on.
fn open(
    theirs: Option<Settings>,
    ours: Option<Settings>,
) -> (Connection, Connection, Option<String>) {
    let mut client =
        Connection::client(config(theirs), &REQUEST, Rng::new(1), Duration::ZERO).unwrap();
    let mut server = Connection::server(config(ours), Duration::ZERO);
    exchange(&mut client, &mut server);
    assert!(matches!(server.poll_event(), Some(ConnectionEvent::Requested(_))));
    server.accept(None, None).unwrap();
    exchange(&mut client, &mut server);
    let mut agreed = Vec::new();
    for end in [&mut client, &mut server] {
        let Some(ConnectionEvent::Opened { extensions, .. }) = end.poll_event() else {
            panic!("not open")
        };
        agreed.push(extensions);
    }
    assert_eq!(agreed[0], agreed[1]);
    (client, server, agreed.pop().unwrap())
}

fn texts(end: &mut Connection) -> Vec<String> {
    let events = std::iter::from_fn(|| end.poll_event());
    let text = |event| match event {
        ConnectionEvent::Text(text) => text,
        other => panic!("{other:?}"),
    };
    events.map(text).collect()
}

#[test]
fn two_ends_agree_and_talk_in_any_terms() {
    let narrow = |bits| Direction { takeover: true, window: window(bits) };
    let all = [
        Settings::ALONE,
        Settings::TAKEOVER,
        Settings { server: narrow(9), client: narrow(10), ..Settings::TAKEOVER },
        Settings { server: narrow(12), client: Direction::ALONE, ..Settings::TAKEOVER },
    ];
    let long = String::from_utf8(text(20_000)).unwrap();
    for (theirs, ours) in all.iter().flat_map(|a| all.iter().map(move |b| (*a, *b))) {
        let (mut client, mut server, agreed) = open(Some(theirs), Some(ours));
        assert!(agreed.is_some_and(|value| value.starts_with("permessage-deflate")));
        for turn in 0..3 {
            for text in [&long[..], "short", ""] {
                client.send_text(text).unwrap();
                server.send_text(text).unwrap();
            }
            let (up, down) = exchange(&mut client, &mut server);
            assert_eq!(texts(&mut server), [&long[..], "short", ""], "turn {turn}");
            assert_eq!(texts(&mut client), [&long[..], "short", ""], "turn {turn}");
            assert!(up.len() < 10_000 && down.len() < 10_000, "{} {}", up.len(), down.len());
            assert_eq!((up[0], down[0]), (0xc1, 0xc1));
        }
    }
}

#[test]
fn who_does_not_want_it_does_not_get_it() {
    let rows = [(None, None), (None, Some(Settings::ALONE)), (Some(Settings::ALONE), None)];
    for (theirs, ours) in rows {
        let (mut client, mut server, agreed) = open(theirs, ours);
        assert_eq!(agreed, None);
        let long = String::from_utf8(text(5_000)).unwrap();
        client.send_text(&long).unwrap();
        let (up, _) = exchange(&mut client, &mut server);
        assert_eq!(up[0], 0x81);
        assert_eq!(texts(&mut server), [long]);
        // Nor may the other use it.
        server.receive(&mut masked(0xc1, &compressed(b"Hello")));
        assert!(!server.is_open());
    }
}

#[test]
fn an_answer_out_of_thin_air_fails_the_handshake() {
    let answers = [
        ("permessage-deflate; server_max_window_bits=8", None),
        ("permessage-deflate; x", Some(Settings::TAKEOVER)),
        ("permessage-deflate; client_max_window_bits", Some(Settings::TAKEOVER)),
        ("permessage-deflate", Some(Settings::ALONE)),
    ];
    for (answer, settings) in answers {
        let mut client =
            Connection::client(config(settings), &REQUEST, Rng::new(1), Duration::ZERO).unwrap();
        let request = String::from_utf8(client.take_output()).unwrap();
        let key = request.split("Sec-WebSocket-Key: ").nth(1).unwrap();
        let accept =
            stentor::protocol::websocket::handshake::accept(key.split_once('\r').unwrap().0);
        let response = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Extensions: {answer}\r\n\r\n"
        );
        client.receive(&mut response.into_bytes());
        let Some(ConnectionEvent::Closed { failure, .. }) = client.poll_event() else { panic!() };
        let expected = Failure::Handshake(client::Error::Extensions);
        assert_eq!(failure, Some(expected), "{answer}");
    }
}

#[test]
fn two_offers_at_once_are_the_callers_error() {
    let request = Request { extensions: Some("foo"), ..REQUEST };
    let config = config(Some(Settings::ALONE));
    let refused = Connection::client(config, &request, Rng::new(1), Duration::ZERO);
    assert_eq!(refused.err(), Some(client::Error::Request("extensions")));
}

#[test]
fn a_bomb_closes_with_1009_and_garbage_with_1007() {
    let bomb = compressed(&vec![0; 1 << 20]);
    for (payload, code) in [(&bomb[..], 1009), (&[0x06][..], 1007)] {
        let (mut client, mut server, _) = open(Some(Settings::ALONE), Some(Settings::ALONE));
        server.receive(&mut masked(0xc1, payload));
        exchange(&mut client, &mut server);
        assert_eq!(client.close_received().unwrap().code.unwrap().0, code);
    }
}
