//! The first bytes: what is no protocol, what is two, and what never comes.

use std::io::Read;
use std::net::Shutdown;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::http::{refused, served};
use crate::peer::{Peer, UPGRADE, answer, close, close_code, connect, objects, pour, rest, status};
use crate::server::Server;
use crate::siege::{Attack, Door};

const PINGS: &str = "stentor_requests_total{verb=\"ping\"}";
const UNSPOKEN: &str = "stentor_connections_unspoken_total";

/// Lines after which the server says these things, `hello` taken off.
fn lines(bytes: impl Into<Vec<u8>>, expect: impl Fn(&[Value]) + 'static) -> Attack {
    Attack::new(bytes, move |said| {
        let said = objects(said);
        assert_eq!(said[0]["type"], "hello");
        expect(&said[1..]);
    })
}

/// Each run is told so many times that a line is no request.
pub(crate) fn no_json(attack: Attack, times: u64) -> Attack {
    let other = attack.counted("stentor_requests_total{verb=\"other\"}", times);
    other.counted("stentor_errors_total{code=\"bad_json\"}", times)
}

/// Bytes after which the server closes without a word.
fn unspoken(bytes: &[u8]) -> Attack {
    Attack::new(bytes, |said| assert_eq!(said, b"")).counted(UNSPOKEN, 1)
}

/// Five thousand connections that say nothing: closed without a word, and accepting goes on.
#[test]
fn sn_01_silence_is_closed_without_a_word_and_accepting_goes_on() {
    // As many as this machine lets one have, beside what other tests have open.
    let descriptors = rlimit::increase_nofile_limit(12_000).expect("a limit");
    let count = (descriptors / 2).min(5000) as usize;
    let server = Server::start(&["limits.sniff_timeout_ms=2000"]);
    let silent: Vec<_> = (0..count).map(|_| connect(&server.address)).collect();
    let mut guest = Peer::websocket(&server.address);
    assert_eq!(guest.next().expect("a greeting")["type"], "hello");
    for mut stream in silent {
        assert_eq!(rest(&mut stream), b"");
    }
    assert_eq!(server.metric("stentor_sniff_timeouts_total"), count as f64);
    drop(guest);
    server.judge();
}

/// An opening that could become several things, a byte now and then: the same deadline.
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

/// Lines, a page and an upgrade, cut everywhere: the same answer as in one piece.
#[test]
fn sn_03_each_protocol_is_known_however_its_bytes_come() {
    let server = Server::start_secure(&[]);
    let quit = lines("ping\nquit\n", |said| {
        let types: Vec<_> = said.iter().map(|object| object["type"].as_str()).collect();
        assert_eq!(types, [Some("ping"), Some("quit"), Some("bye")]);
    });
    let upgrade = [UPGRADE.as_bytes(), &close(1000)].concat();
    server.endures(&[
        quit.counted(PINGS, 1),
        // Nothing but what could become a method, and then the end.
        no_json(lines("PIN", |said| assert_eq!(said[0]["code"], "bad_json")).ending(), 1),
        served("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", 200, "health"),
        Attack::new(upgrade, |said| assert_eq!(close_code(said), 1000)),
    ]);
    server.judge();
}

/// A POST whose body is commands, of the right length, of less, of none: HTTP, and no verb is heard.
#[test]
fn sn_04_a_body_of_commands_is_never_a_command() {
    let server = Server::start_secure(&[]);
    let line = "{\"type\":\"register\",\"username\":\"mallory\",\"password\":\"correct horse\"}\n";
    let body = line.repeat(2);
    let posted = |length: usize, answers: usize| {
        let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n");
        let attack = Attack::new(format!("{head}\r\n{body}"), move |said| {
            let text = String::from_utf8_lossy(said);
            assert_eq!((status(said), text.matches("HTTP/1.1 ").count()), (405, answers));
            assert!(!text.contains("hello") && !text.contains("register"));
        });
        attack.ending().counted("stentor_http_answers_total{endpoint=\"page\"}", 1)
    };
    let malformed = "stentor_http_requests_refused_total{status=\"400\"}";
    server.endures(&[
        posted(body.len(), 1),
        posted(line.len(), 2).counted(malformed, 1),
        posted(0, 2).counted(malformed, 1),
    ]);
    let mut login = Peer::lines(&server.address);
    let request = json!({"type": "login", "username": "mallory", "password": "correct horse"});
    assert_eq!(login.code(request), "invalid_credentials");
    drop(login);
    server.judge();
}

/// A request of HTTP behind a line: 1008, and what follows it is not read.
#[test]
fn sn_05_lines_never_become_http() {
    let server = Server::start_secure(&[]);
    let seconds = [
        "GET /metrics HTTP/1.1\r\n\r\n",
        "POST / HTTP/1.1\r\n",
        "Host: a\r\n",
        "get /x http/1.0\n",
    ];
    server.endures(&seconds.map(|second| {
        let bytes = format!("{{\"type\":\"ping\"}}\n{second}{{\"type\":\"ping\"}}\n");
        let attack = lines(bytes, |said| {
            assert_eq!(said.len(), 2, "{said:?}");
            assert_eq!((&said[0]["status"], &said[1]["type"]), (&"ok".into(), &"bye".into()));
            assert_eq!(said[1]["payload"]["code"], 1008);
        });
        attack.counted(PINGS, 1).counted("stentor_protocol_violations_total", 1)
    }));
    server.judge();
}

/// A head that opens with no method we know is lines: one error, and 1008 at its `Host`.
#[test]
fn sn_05_a_head_that_is_read_as_lines_goes_no_further_than_its_host() {
    let server = Server::start_secure(&[]);
    let heads =
        ["GET\t/ HTTP/1.1\r\nHost: a\r\n", " GET / HTTP/1.1\nhost: a\n", "BREW /\nHOST:x\n"];
    server.endures(&heads.map(|head| {
        let attack = lines(format!("{head}\r\n{{\"type\":\"ping\"}}\n"), |said| {
            let codes = (said.len(), &said[0]["code"], &said[1]["payload"]["code"]);
            assert_eq!(codes, (2, &json!("bad_json"), &json!(1008)));
        });
        no_json(attack, 1).counted("stentor_protocol_violations_total", 1)
    }));
    server.judge();
}

/// HTTP/2, SSL 2, TLS inside TLS: 505, one error, or silence; never read on.
#[test]
fn sn_06_foreign_protocols_are_refused_once() {
    let server = Server::start_secure(&[]);
    let sslv2 = lines(b"\x80\x2e\x01\x03\x01\0\x15\0\0\0\x10", |said| {
        assert_eq!((said.len(), &said[0]["code"]), (1, &json!("bad_json")));
    });
    server.endures(&[
        refused(&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x12\x04\0\0\0\0\0"[..], 505),
        no_json(sslv2.ending(), 1),
        unspoken(b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03").only(Door::Tls),
    ]);
    server.judge();
}

/// A ClientHello where no certificate is configured: closed without a word.
#[test]
fn sn_06_tls_to_a_plain_port_is_closed() {
    let server = Server::start(&[]);
    server.endures(&[unspoken(b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03").only(Door::Plain)]);
    server.judge();
}

/// A mebibyte of empty lines before the first word: nothing is said to them, and the word is heard.
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

/// Four empty lines before a request behind another are skipped, the fifth is 400.
#[test]
fn sn_07_empty_lines_between_requests_are_four_at_most() {
    let server = Server::start_secure(&[]);
    let request = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n";
    let twice = |empty: usize, second: &'static str| {
        let bytes = format!("{request}{}{request}", "\r\n".repeat(empty));
        Attack::new(bytes, move |said| {
            let text = String::from_utf8_lossy(said);
            let last = text.rfind("HTTP/1.1 ").expect("an answer");
            assert!(last > 0 && text[last..].starts_with(second));
        })
        .ending()
    };
    let healthy = "stentor_http_answers_total{endpoint=\"health\"}";
    server.endures(&[
        twice(4, "HTTP/1.1 200").counted(healthy, 2),
        twice(5, "HTTP/1.1 400")
            .counted(healthy, 1)
            .counted("stentor_http_requests_refused_total{status=\"400\"}", 1),
    ]);
    server.judge();
}

/// PROXY headers, which nobody has enabled: closed, or read as lines up to their own QUIT.
#[test]
fn sn_08_a_proxy_header_is_not_believed() {
    let server = Server::start_secure(&[]);
    // Two empty lines, a line that is nothing, and what a person types to go.
    let v2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xcb\0\x71\x07\xc0\0\x02\x01\x15\xb3\x01\xbb";
    let v2 = lines(&v2[..], |said| {
        let types: Vec<_> = said.iter().map(|object| object["type"].as_str()).collect();
        assert_eq!(types, [Some("error"), Some("quit"), Some("bye")]);
    });
    server.endures(&[
        unspoken(b"PROXY TCP4 203.0.113.7 192.0.2.1 5555 443\r\n{\"type\":\"ping\"}\n"),
        unspoken(b"PROXY UNKNOWN\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        no_json(v2, 1),
    ]);
    server.judge();
}

/// UTF-16, a byte order mark, telnet's options, NUL: an error for each line, and nothing else.
#[test]
fn sn_09_what_is_no_text_is_told_so() {
    let server = Server::start_secure(&[]);
    let utf16: Vec<u8> =
        "{\"type\":\"ping\"}\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let refused = |bytes: &[u8], errors: u64| {
        let attack = lines(bytes, move |said| {
            assert_eq!(said.len() as u64, errors, "{said:?}");
            assert!(said.iter().all(|error| error["code"] == "bad_json"), "{said:?}");
        });
        no_json(attack.ending(), errors)
    };
    server.endures(&[
        // Its last octet, behind the line, is one of its own.
        refused(&utf16, 2),
        refused(b"\xef\xbb\xbf{\"type\":\"ping\"}\n", 1),
        refused(b"\xff\xfb\x1f\xff\xfd\x03\n", 1),
        refused(b"\0\0\0\n", 1),
    ]);
    server.judge();
}

/// 64 KiB of noise: errors, the tenth of which ends it.
#[test]
fn sn_09_noise_ends_after_ten_errors() {
    let server = Server::start(&[]);
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
