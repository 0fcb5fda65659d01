//! The first bytes: what is no protocol, what is two, and what never comes.

use std::io::Read;
use std::net::Shutdown;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::peer::{Peer, UPGRADE, answer, connect, each_way, objects, pour, rest, status};
use crate::server::Server;

#[test]
fn sn_01_silence_is_closed_without_a_word_and_accepting_goes_on() {
    let server = Server::start(&["limits.sniff_timeout_ms=500"]);
    let silent: Vec<_> = (0..500).map(|_| connect(&server.address)).collect();
    let mut guest = Peer::websocket(&server.address);
    assert_eq!(guest.next().expect("a greeting")["type"], "hello");
    for mut stream in silent {
        assert_eq!(rest(&mut stream), b"");
    }
    drop(guest);
    server.judge();
}

#[test]
fn sn_02_the_deadline_is_not_moved_by_a_byte_now_and_then() {
    let server = Server::start(&["limits.sniff_timeout_ms=500"]);
    for opening in ["G", "P", "PRI", "OPTIONS"] {
        let begun = Instant::now();
        let mut stream = connect(&server.address);
        stream.set_read_timeout(Some(Duration::from_millis(100))).expect("a deadline");
        let mut buffer = [0];
        // A byte each time that a read finds nothing, then nothing more.
        let closed = opening.as_bytes().iter().any(|byte| {
            pour(&mut stream, &[*byte]);
            matches!(stream.read(&mut buffer), Ok(0))
        });
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a deadline");
        assert!(closed || matches!(stream.read(&mut buffer), Ok(0)), "{opening} is answered");
        assert!(begun.elapsed() < Duration::from_secs(5), "{opening} may wait for ever");
    }
    assert_eq!(answer(&server.address, b"\x16", false), b"");
    server.judge();
}

#[test]
fn sn_03_each_protocol_is_known_however_its_bytes_come() {
    let server = Server::start(&[]);
    each_way(&server.address, b"ping\nquit\n", false, |said| {
        let said = objects(said);
        let types: Vec<_> = said.iter().map(|object| object["type"].as_str()).collect();
        assert_eq!(types, [Some("hello"), Some("ping"), Some("quit"), Some("bye")]);
    });
    let page = b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    each_way(&server.address, page, false, |said| {
        assert_eq!(status(said), 200);
        assert!(said.ends_with(b"{\"status\":\"ok\"}\n"), "{}", said.escape_ascii());
    });
    let upgrade = [UPGRADE.as_bytes(), &crate::peer::close(1000)].concat();
    each_way(&server.address, &upgrade, false, |said| {
        assert_eq!(crate::peer::close_code(said), 1000);
    });
    server.judge();
}

#[test]
fn sn_04_a_body_of_commands_is_never_a_command() {
    let server = Server::start(&[]);
    let line = "{\"type\":\"register\",\"username\":\"mallory\",\"password\":\"correct horse\"}\n";
    let body = line.repeat(3);
    for length in [body.len(), line.len(), 0] {
        let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n");
        let bytes = format!("{head}Content-Type: text/plain\r\n\r\n{body}");
        each_way(&server.address, bytes.as_bytes(), true, |said| {
            assert!(status(said) >= 400, "{}", said.escape_ascii());
            let text = String::from_utf8_lossy(said);
            assert!(!text.contains("hello") && !text.contains("register"), "{text}");
        });
    }
    let mut login = Peer::lines(&server.address);
    let request = json!({"type": "login", "username": "mallory", "password": "correct horse"});
    assert_eq!(login.code(request), "invalid_credentials");
    drop(login);
    server.judge();
}

#[test]
fn sn_05_lines_never_become_http() {
    let server = Server::start(&[]);
    for second in ["GET /metrics HTTP/1.1\r\n\r\n", "POST / HTTP/1.1\r\n", "Host: a\r\n"] {
        let bytes = format!("{{\"type\":\"ping\"}}\n{second}{{\"type\":\"ping\"}}\n");
        each_way(&server.address, bytes.as_bytes(), false, |said| {
            let said = objects(said);
            assert_eq!(said.len(), 3, "{said:?}");
            assert_eq!((&said[1]["status"], &said[2]["type"]), (&"ok".into(), &"bye".into()));
            assert_eq!(said[2]["payload"]["code"], 1008);
        });
    }
    server.judge();
}

#[test]
fn sn_06_foreign_protocols_are_refused_once() {
    let server = Server::start(&[]);
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x12\x04\0\0\0\0\0";
    each_way(&server.address, preface, false, |said| assert_eq!(status(said), 505));
    let tls = b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03";
    each_way(&server.address, tls, false, |said| assert_eq!(said, b""));
    let sslv2 = b"\x80\x2e\x01\x03\x01\0\x15\0\0\0\x10";
    each_way(&server.address, sslv2, true, |said| {
        let said = objects(said);
        assert_eq!(said.len(), 2, "{said:?}");
        assert_eq!(said[1]["code"], "bad_json");
    });
    server.judge();
}

#[test]
fn sn_07_a_flood_of_empty_lines_adds_nothing() {
    let server = Server::start(&[]);
    for empty in ["\r\n", "\n", "\n\r", "   \n"] {
        let mut stream = connect(&server.address);
        pour(&mut stream, empty.repeat((1 << 20) / empty.len()).as_bytes());
        pour(&mut stream, b"\nping\n");
        stream.shutdown(Shutdown::Write).expect("half-closed");
        let said = objects(&rest(&mut stream));
        assert_eq!(said.len(), 2, "{empty:?}: {said:?}");
        assert_eq!(said[1]["status"], "ok");
    }
    server.judge();
}

#[test]
fn sn_08_a_proxy_header_is_not_believed() {
    let server = Server::start(&[]);
    let v1 = b"PROXY TCP4 203.0.113.7 192.0.2.1 5555 443\r\n{\"type\":\"ping\"}\n";
    each_way(&server.address, v1, false, |said| assert_eq!(said, b""));
    // Two empty lines, a line that is nothing, and what a person types to go.
    let v2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xcb\0\x71\x07\xc0\0\x02\x01\x15\xb3\x01\xbb";
    each_way(&server.address, v2, false, |said| {
        let said = objects(said);
        let codes: Vec<_> = said.iter().map(|object| object["type"].as_str()).collect();
        assert_eq!(codes, [Some("hello"), Some("error"), Some("quit"), Some("bye")]);
    });
    server.judge();
}

#[test]
fn sn_09_what_is_no_text_is_told_so_and_ends_after_ten() {
    let server = Server::start(&[]);
    let utf16: Vec<u8> =
        "{\"type\":\"ping\"}\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let marked = b"\xef\xbb\xbf{\"type\":\"ping\"}\n".to_vec();
    for garbage in [utf16, marked, b"\xff\xfb\x1f\xff\xfd\x03\n".to_vec(), b"\0\0\0\n".to_vec()] {
        each_way(&server.address, &garbage, true, |said| {
            let said = objects(said);
            assert!(said.len() >= 2, "{said:?}");
            assert!(said[1..].iter().all(|error| error["code"] == "bad_json"), "{said:?}");
        });
    }
    // Bytes of a linear congruence: every value, and a line end in 256.
    let mut seed = 7_u32;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 24) as u8
    })
    .take(1 << 16)
    .collect();
    let said = objects(&answer(&server.address, &noise, false));
    assert_eq!(said.last().expect("a last word")["type"], "bye", "{said:?}");
    assert!(said.len() <= 12, "{said:?}");
    server.judge();
}
