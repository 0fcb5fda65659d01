//! Ways to say goodbye (RFC 6455 §5.5.1, §7).

use crate::framing::{PING, behind, closes, fails};
use crate::peer::{
    UPGRADE, after_upgrade, close, close_code, connect, frame, frames, pour, rest, text,
};
use crate::server::Server;
use crate::sniffing::no_json;

/// A Close frame of one byte: 1002.
#[test]
fn cl_01_a_close_frame_of_one_byte() {
    let server = Server::start_secure(&[]);
    server.endures(&[fails(frame(0x88, b"\x03"), 1002)]);
    server.judge();
}

/// Codes that may not be sent: 1002.
#[test]
fn cl_02_codes_that_may_not_be_sent() {
    let server = Server::start_secure(&[]);
    let codes = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535];
    server.endures(&codes.map(|code| fails(close(code), 1002)));
    server.judge();
}

/// Codes that may be sent, or none: the answer has the same.
#[test]
fn cl_02_codes_that_may_be_sent_come_back() {
    let server = Server::start_secure(&[]);
    let valid = (1000..=1003).chain(1007..=1014).chain([3000, 3999, 4000, 4999]);
    let mut attacks: Vec<_> = valid.map(|code| closes(close(code), code)).collect();
    attacks.push(behind(frame(0x88, b""), |said| {
        assert_eq!(frames(after_upgrade(said)).pop(), Some((0x88, Vec::new())));
    }));
    server.endures(&attacks);
    server.judge();
}

/// Frames, a second Close frame or rubbish behind a Close frame: one answer, the rest is not heard.
#[test]
fn cl_03_nothing_is_heard_after_a_close_frame() {
    let server = Server::start_secure(&[]);
    let after = [text(PING), close(1001), frame(0x89, b"x"), b"\xff\xff\xff\xff".to_vec()];
    let attacks = after.map(|after| {
        behind([close(1000), after].concat(), |said| {
            let said = frames(after_upgrade(said));
            assert_eq!(said.len(), 2, "hello and one Close frame: {said:?}");
            assert_eq!(said[1], (0x88, b"\x03\xe8".to_vec()));
        })
    });
    server.endures(&attacks);
    let mid = [frame(0x01, b"{\"type\""), close(1000)].concat();
    server.endures(&[closes(mid, 1000)]);
    server.judge();
}

/// A client that says goodbye and never closes its side: it is closed.
#[test]
fn cl_04_who_never_closes_its_side_is_closed() {
    let server = Server::start(&[]);
    let mut stream = connect(&server.address);
    pour(&mut stream, &[UPGRADE.as_bytes(), &close(1000)].concat());
    let said = rest(&mut stream);
    assert_eq!(close_code(&said), 1000);
    // Our side stays open until the judge has counted descriptors.
    server.judge();
    drop(stream);
}

/// Long texts of a stranger until it is closed for them: the reason is ours, short and whole.
#[test]
fn cl_05_no_reason_is_made_of_what_was_sent() {
    let server = Server::start_secure(&[]);
    let bytes = [text(&"é".repeat(62)).repeat(10), close(4002)].concat();
    let attack = behind(bytes, |said| {
        let (first, payload) = frames(after_upgrade(said)).pop().expect("a last frame");
        assert_eq!((first, &payload[..2]), (0x88, &4002_u16.to_be_bytes()[..]));
        assert!(payload.len() <= 125 && payload[2..].is_ascii(), "{}", payload.escape_ascii());
    });
    server.endures(&[no_json(attack, 10)]);
    server.judge();
}
