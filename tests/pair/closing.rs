//! The closing handshake over the link: from either end, from both, and when nobody answers.

use std::time::Duration;

use stentor::protocol::websocket::{CloseCode, ConnectionEvent, Failure, State};

use crate::link::{Pair, ending};

fn both_closed(pair: &Pair) {
    for end in [&pair.client, &pair.server] {
        assert_eq!(end.connection.state(), State::Closed);
        assert_eq!(ending(end).2, 1, "the end is told once");
    }
}

#[test]
fn the_client_closes() {
    for seed in 0..50 {
        let mut pair = Pair::open(seed);
        pair.server.connection.send_text("before").unwrap();
        pair.client.connection.close(CloseCode::GOING_AWAY, "leaving").unwrap();
        pair.run();
        both_closed(&pair);
        assert_eq!(ending(&pair.client), (1001, true, 1));
        assert_eq!(ending(&pair.server), (1001, true, 1));
        let before = ConnectionEvent::Text("before".into());
        assert!(pair.client.events.contains(&before), "sent before the server knew");
        assert_eq!(pair.server.connection.close_received().unwrap().reason, "leaving");
    }
}

#[test]
fn the_server_closes() {
    for seed in 0..50 {
        let mut pair = Pair::open(seed);
        pair.server.connection.send_text("last").unwrap();
        pair.server.connection.close(CloseCode(4200), "drain").unwrap();
        pair.run();
        both_closed(&pair);
        assert_eq!(pair.client.events[0], ConnectionEvent::Text("last".into()));
        assert_eq!(
            (ending(&pair.client), ending(&pair.server)),
            ((4200, true, 1), (4200, true, 1))
        );
    }
}

#[test]
fn both_close_at_once() {
    for seed in 0..50 {
        let mut pair = Pair::open(seed);
        pair.client.connection.close(CloseCode::NORMAL, "").unwrap();
        pair.server.connection.close(CloseCode(4000), "").unwrap();
        pair.run();
        both_closed(&pair);
        assert_eq!(ending(&pair.client), (4000, true, 1), "each tells the other's code");
        assert_eq!(ending(&pair.server), (1000, true, 1));
    }
}

#[test]
fn a_close_that_nobody_answers_ends_in_time() {
    for server_closes in [true, false] {
        let mut pair = Pair::open(9);
        pair.cut_off = true;
        let start = pair.now;
        let end = if server_closes { &mut pair.server } else { &mut pair.client };
        end.connection.close(CloseCode::NORMAL, "").unwrap();
        pair.run();
        let end = if server_closes { &pair.server } else { &pair.client };
        assert_eq!(ending(end), (1006, false, 1));
        assert!(matches!(
            end.events.last(),
            Some(ConnectionEvent::Closed { failure: Some(Failure::Timeout), .. })
        ));
        assert_eq!(pair.now - start, Duration::from_secs(5));
    }
}

#[test]
fn a_failure_ends_both() {
    for seed in 0..50 {
        let mut pair = Pair::open(seed);
        pair.client.connection.send_binary(&vec![0; 65_537]).unwrap();
        pair.client.connection.send_text("never read").unwrap();
        pair.run();
        both_closed(&pair);
        assert_eq!(ending(&pair.client), (1009, true, 1), "the client is told why");
        let unread = ConnectionEvent::Text("never read".into());
        assert!(!pair.server.events.contains(&unread));
    }
}

#[test]
fn a_stream_that_breaks_ends_both() {
    let mut pair = Pair::open(2);
    pair.client.connection.end_of_stream();
    pair.run();
    both_closed(&pair);
    assert_eq!(ending(&pair.client), (1006, false, 1));
    assert_eq!(ending(&pair.server), (1006, false, 1));
}
