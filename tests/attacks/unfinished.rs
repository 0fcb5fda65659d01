//! Messages that begin and do not end, of somebody who may be here.

use std::io::Write;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::peer::{DEADLINE, Peer, frame, frames, objects, rest};
use crate::server::Server;

const TIMEOUTS: &str = "stentor_message_timeouts_total";

/// The first part of a message and silence, or pings, or a part now and then: 1008.
#[test]
fn fg_04_a_message_that_does_not_end() {
    let server = Server::start(&["limits.message_timeout_ms=700"]);
    let part = frame(0x01, b"{");
    let header = [0x81, 0xfe, 0x40, 0x00, 0, 0, 0, 0];
    let beginnings: [(&[u8], &[u8]); 4] = [
        (&part, b""),
        (&part, &frame(0x89, b"alive")),
        (&part, &frame(0x00, b" ")),
        (&header, b" "),
    ];
    for (n, (beginning, more)) in beginnings.into_iter().enumerate() {
        let mut peer = Peer::websocket(&server.address);
        peer.register(&format!("slow{n}"));
        peer.quiet(Duration::from_millis(1000));
        peer.ok(json!({"type": "whoami"}));
        peer.stream.write_all(beginning).expect("sent");
        let begun = Instant::now();
        let mut said = Vec::new();
        while begun.elapsed() < DEADLINE {
            peer.stream.set_read_timeout(Some(Duration::from_millis(50))).expect("a deadline");
            let mut buffer = [0; 1024];
            match std::io::Read::read(&mut peer.stream, &mut buffer) {
                Ok(0) => break,
                Ok(length) => said.extend_from_slice(&buffer[..length]),
                // What is said to a closed door is not heard.
                Err(_) => drop(peer.stream.write_all(more)),
            }
            if frames(&said).last().is_some_and(|(first, _)| *first == 0x88) {
                break;
            }
        }
        let (first, payload) = frames(&said).pop().expect("a last word");
        assert_eq!((first, &payload[..2]), (0x88, &[0x03, 0xf0][..]), "{}", payload.escape_ascii());
        assert!(begun.elapsed() >= Duration::from_millis(600), "{:?}", begun.elapsed());
    }
    assert_eq!(server.metric(TIMEOUTS), 4.0);
    server.judge();
}

/// Half a line and silence: bye 1008; silence between lines is nobody's business.
#[test]
fn ln_02_a_line_that_does_not_end() {
    let server = Server::start(&["limits.message_timeout_ms=500"]);
    let mut person = Peer::lines(&server.address);
    person.register("person");
    let mut slow = Peer::lines(&server.address);
    slow.register("slow");
    slow.stream.write_all(b"{\"type\":\"pi").expect("sent");
    let said = objects(&rest(&mut slow.stream));
    assert_eq!(said.last().expect("a last word")["payload"]["code"], 1008, "{said:?}");
    person.quiet(Duration::from_millis(1000));
    person.ok(json!({"type": "whoami"}));
    assert_eq!(server.metric(TIMEOUTS), 1.0);
    drop((person, slow));
    server.judge();
}
