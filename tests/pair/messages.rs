//! Messages, Pings and the handshake over the link.

use stentor::protocol::websocket::{ConnectionEvent, State};

use crate::link::Pair;

#[test]
fn the_handshake_opens_both_ends() {
    for seed in 0..50 {
        let mut pair = Pair::new(seed);
        pair.run();
        let opened = ConnectionEvent::Opened { subprotocol: Some("chat".into()), extensions: None };
        let opened = std::slice::from_ref(&opened);
        assert_eq!(pair.client.events, opened);
        assert_eq!(&pair.server.events[1..], opened);
    }
}

#[test]
fn a_handshake_that_nobody_answers_ends() {
    let mut pair = Pair::new(1);
    pair.cut_off = true;
    pair.run();
    for end in [&pair.client, &pair.server] {
        assert_eq!(end.connection.state(), State::Closed);
    }
}

#[test]
fn messages_arrive_in_order_both_ways() {
    for seed in 0..50 {
        let mut pair = Pair::open(seed);
        let (mut up, mut down) = (Vec::new(), Vec::new());
        for number in 0..40_u32 {
            let text = format!("{number} ✓ {}", "x".repeat((number * 37 % 400) as usize));
            pair.client.connection.send_text(&text).unwrap();
            up.push(ConnectionEvent::Text(text));
            let bytes = number.to_be_bytes().repeat(number as usize * 5);
            pair.server.connection.send_binary(&bytes).unwrap();
            down.push(ConnectionEvent::Binary(bytes));
            if number % 7 == 0 {
                pair.step();
            }
        }
        pair.run();
        assert_eq!(pair.server.events, up, "seed {seed}");
        assert_eq!(pair.client.events, down, "seed {seed}");
    }
}

#[test]
fn the_latest_ping_is_answered() {
    for seed in 0..50 {
        let mut pair = Pair::open(seed);
        for number in 0..10_u8 {
            pair.client.connection.ping(&[number]).unwrap();
        }
        pair.run();
        let pings: Vec<ConnectionEvent> = (0..10).map(|n| ConnectionEvent::Ping(vec![n])).collect();
        assert_eq!(pair.server.events, pings);
        let pongs = &pair.client.events;
        assert_eq!(pongs.last(), Some(&ConnectionEvent::Pong(vec![9])), "seed {seed}");
        assert!(pongs.len() <= 10 && pongs.is_sorted_by_key(|event| format!("{event:?}")));
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let run = |seed| {
        let mut pair = Pair::open(seed);
        pair.client.connection.send_text("hello").unwrap();
        pair.server.connection.ping(b"p").unwrap();
        pair.run();
        (pair.now, pair.client.events, pair.server.events)
    };
    assert_eq!(run(3), run(3));
    assert_ne!(run(3).0, run(4).0);
}

#[test]
#[should_panic(expected = "all arrived")]
fn a_link_that_loses_bytes_is_noticed() {
    let mut pair = Pair::open(1);
    pair.lossy = true;
    let text = "something of several pieces, or of one";
    pair.client.connection.send_text(text).unwrap();
    pair.run();
    assert_eq!(pair.server.events, [ConnectionEvent::Text(text.into())], "all arrived");
}
