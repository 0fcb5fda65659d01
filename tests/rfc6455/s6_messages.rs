//! Section 6: sending and receiving messages, through [`Connection`].

use super::*;
use crate::s7_closing::{pair, received};
use stentor::protocol::websocket::ConnectionEvent;

#[test]
fn s6_1_data_may_be_sent_only_when_the_connection_is_open() {
    let (mut client, mut server) = pair();
    assert!(client.send_text("a").is_ok() && server.send_binary(b"b").is_ok());
    client.close(CloseCode::NORMAL, "").unwrap();
    assert!(client.send_text("late").is_err() && client.ping(b"").is_err());
}

#[test]
fn s6_1_a_message_arrives_as_the_kind_it_was_sent_as() {
    let (mut client, mut server) = pair();
    client.send_text("tëxt").unwrap();
    client.send_binary(b"\xff\x00").unwrap();
    let output = client.take_output();
    assert_eq!((output[0], output[1] & 0x80), (0x81, 0x80), "a client's frames are masked");
    server.receive(&mut output.clone());
    let expected = [ConnectionEvent::Text("tëxt".into()), ConnectionEvent::Binary(vec![0xff, 0])];
    assert_eq!(received(&mut server), expected);
    server.send_text("back").unwrap();
    let mut output = server.take_output();
    assert_eq!(output, b"\x81\x04back", "a server's frames are not");
    client.receive(&mut output);
    assert_eq!(received(&mut client), [ConnectionEvent::Text("back".into())]);
}

#[test]
fn s5_3_every_frame_of_a_client_has_a_fresh_key() {
    let (mut client, _) = pair();
    let keys: std::collections::BTreeSet<Vec<u8>> = (0..100)
        .map(|_| {
            client.send_text("same").unwrap();
            client.take_output()[2..6].to_vec()
        })
        .collect();
    assert_eq!(keys.len(), 100);
}

#[test]
fn s5_5_2_a_ping_must_be_answered_with_its_payload() {
    let (mut client, mut server) = pair();
    client.ping(b"are you there").unwrap();
    server.receive(&mut client.take_output());
    client.receive(&mut server.take_output());
    assert_eq!(received(&mut client), [ConnectionEvent::Pong(b"are you there".to_vec())]);
}

#[test]
fn s5_5_2_a_ping_need_not_be_answered_after_a_close() {
    let (mut client, mut server) = pair();
    server.close(CloseCode::GOING_AWAY, "").unwrap();
    server.take_output();
    client.ping(b"late").unwrap();
    server.receive(&mut client.take_output());
    assert_eq!(server.take_output(), b"");
}
