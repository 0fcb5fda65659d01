//! Requests that are two things at once, too long, too slow, or no requests at all.

use std::io::Write;
use std::time::{Duration, Instant};

use crate::peer::{
    UPGRADE, after_upgrade, answer, close, close_code, connect, dribbled, each_way, frames,
    http_get, pour, rest, status, text,
};
use crate::server::Server;

/// Sends a request each way; the status is the same each time and nothing is born of the rest.
fn refused(server: &Server, request: &str, expected: &[u16]) {
    each_way(&server.address, request.as_bytes(), true, |said| {
        assert!(expected.contains(&status(said)), "{request:?}: {}", said.escape_ascii());
        let answers = String::from_utf8_lossy(said).matches("\r\nContent-Length: ").count();
        assert_eq!(answers, 1, "{request:?}: {}", said.escape_ascii());
    });
}

/// The upgrade with a header added, replaced (`Some`) or left out (`None`).
fn upgrade_with(name: &str, line: Option<&str>) -> String {
    let mut lines: Vec<&str> = UPGRADE.trim_end().split("\r\n").collect();
    lines.retain(|known| !known.starts_with(&format!("{name}:")));
    lines.extend(line);
    lines.join("\r\n") + "\r\n\r\n"
}

#[test]
fn ht_01_a_head_without_end_is_cut_at_its_limit_in_linear_time() {
    let server = Server::start(&[]);
    let head = format!("GET /healthz HTTP/1.1\r\nHost: a\r\nX: {}", "x".repeat(1 << 20));
    assert_eq!(status(&answer(&server.address, head.as_bytes(), false)), 431);
    let begun = Instant::now();
    assert_eq!(status(&dribbled(&server.address, &head.as_bytes()[..17 << 10], false)), 431);
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    server.judge();
}

#[test]
fn ht_02_the_101st_header_is_one_too_many() {
    let server = Server::start(&[]);
    let request = |n| {
        let headers: String = (1..n).map(|i| format!("x{i}:\r\n")).collect();
        format!("GET /healthz HTTP/1.1\r\nHost: a\r\n{headers}\r\n")
    };
    for (headers, expected) in [(100, 200), (101, 431), (2000, 431)] {
        let said = answer(&server.address, request(headers).as_bytes(), true);
        assert_eq!(status(&said), expected, "{headers} headers");
    }
    assert_eq!(status(&dribbled(&server.address, request(101).as_bytes(), true)), 431);
    server.judge();
}

#[test]
fn ht_03_a_request_line_without_end_is_cut() {
    let server = Server::start(&[]);
    let line = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(1 << 16));
    assert_eq!(status(&answer(&server.address, line.as_bytes(), false)), 414);
    server.judge();
}

#[test]
fn ht_04_a_slow_head_and_a_slow_body_end_at_an_absolute_deadline() {
    let server = Server::start(&["limits.http_head_timeout_ms=600"]);
    let body = "POST /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n";
    for opening in ["GET /healthz HTTP/1.1\r\nHost: a\r\nX: ", body] {
        let begun = Instant::now();
        let mut stream = connect(&server.address);
        pour(&mut stream, opening.as_bytes());
        stream.set_read_timeout(Some(Duration::from_millis(100))).expect("a deadline");
        let mut said = [0; 512];
        let length = loop {
            pour(&mut stream, b"x");
            assert!(begun.elapsed() < Duration::from_secs(5), "each byte moves the deadline");
            if let Ok(length) = std::io::Read::read(&mut stream, &mut said) {
                break length;
            }
        };
        assert_eq!(status(&said[..length]), 408, "{opening:?}");
    }
    server.judge();
}

#[test]
fn ht_05_exactly_one_host() {
    let server = Server::start(&[]);
    for hosts in ["", "Host: a\r\nHost: a\r\n", "Host: a b\r\n", "Host: a/b\r\n", "Host: @\r\n"] {
        refused(&server, &format!("GET /healthz HTTP/1.1\r\n{hosts}\r\n"), &[400]);
    }
    server.judge();
}

#[test]
fn ht_06_a_head_that_could_be_read_in_two_ways_is_refused() {
    let server = Server::start(&[]);
    for head in [
        "GET /healthz HTTP/1.1\nHost: a\n\n",
        "GET /healthz HTTP/1.1\r\nHost: a\nX: b\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: a\r\nX: b\rY: c\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost : a\r\n\r\n",
        "GET /healthz HTTP/1.1\r\n Host: a\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: a\r\nX: a\x01b\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n",
        "GET  /healthz HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /healthz  HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /heal thz HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET healthz HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /healthz HTTP/1.1 \r\nHost: a\r\n\r\n",
        "GET /healthz http/1.1\r\nHost: a\r\n\r\n",
    ] {
        refused(&server, head, &[400]);
    }
    for version in ["HTTP/2.0", "HTTP/1.2", "HTTP/0.9"] {
        refused(&server, &format!("GET /healthz {version}\r\nHost: a\r\n\r\n"), &[400, 505]);
    }
    server.judge();
}

#[test]
fn ht_07_to_09_lengths_and_codings_that_contradict_themselves() {
    let server = Server::start(&[]);
    let smuggled = "5\r\nhello\r\n0\r\n\r\nGET /metrics HTTP/1.1\r\nHost: a\r\n\r\n";
    for fields in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Content-Length: 5\r\nContent-Length: 5",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 5, 5",
        "Content-Length: +5",
        "Content-Length: -5",
        "Content-Length: 0x5",
        "Content-Length: 5 5",
        "Content-Length: ",
        "Content-Length: 18446744073709551621",
        "Content-Length: 1e1",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: \x0bchunked",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding:",
    ] {
        let head = format!("POST /healthz HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n");
        refused(&server, &format!("{head}{smuggled}"), &[400, 413, 501]);
    }
    let old = "POST /healthz HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    refused(&server, &format!("{old}{smuggled}"), &[400]);
    server.judge();
}

#[test]
fn ht_10_chunks_that_are_none() {
    let server = Server::start(&[]);
    let long = format!("5;{}\r\nhello\r\n0\r\n\r\n", "x".repeat(1 << 20));
    let head = "POST /healthz HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert!([400, 413].contains(&status(&answer(
        &server.address,
        format!("{head}{long}").as_bytes(),
        false
    ))));
    for chunks in [
        "fffffffffffffffff\r\nhello",
        "ffffffffffffffff\r\nhello",
        "-1\r\nhello",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "5\nhello\r\n0\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5;a\nb\r\nhello\r\n0\r\n\r\n",
        " 5\r\nhello\r\n0\r\n\r\n",
        "\r\nhello\r\n0\r\n\r\n",
        "5 \r\nhello\r\n0\r\n\r\n",
        "5\r\nhello\r\n0\r\nX Y: b\r\n\r\n",
    ] {
        let request = format!("{head}{chunks}GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
        refused(&server, &request, &[400, 413]);
    }
    server.judge();
}

#[test]
fn ht_11_no_request_is_born_of_a_body() {
    let server = Server::start(&[]);
    let inner = "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n";
    let length = inner.len();
    let last = "GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let whole = format!("Content-Length: {length}\r\n\r\n{inner}");
    let chunked = format!("Transfer-Encoding: chunked\r\n\r\n{length:x}\r\n{inner}\r\n0\r\n\r\n");
    for body in [whole, chunked] {
        let bytes = format!("POST /nowhere HTTP/1.1\r\nHost: a\r\n{body}{last}");
        each_way(&server.address, bytes.as_bytes(), false, |said| {
            let said = String::from_utf8_lossy(said);
            assert_eq!(said.matches("HTTP/1.1 ").count(), 2, "{said}");
            assert!(status(said.as_bytes()) == 404 && !said.contains("stentor_"), "{said}");
        });
    }
    server.judge();
}

#[test]
fn ht_12_what_is_sent_early_is_frames_and_never_requests() {
    let server = Server::start(&[]);
    let early = [UPGRADE.as_bytes(), &text("{\"type\":\"ping\"}"), &close(1000)].concat();
    each_way(&server.address, &early, false, |said| {
        let said = frames(after_upgrade(said));
        assert_eq!(said.len(), 3, "hello, the reply, the Close frame: {said:?}");
    });
    let http = format!("{UPGRADE}GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
    each_way(&server.address, http.as_bytes(), false, |said| assert_eq!(close_code(said), 1002));
    let body = upgrade_with("Content-Length", Some("Content-Length: 5")) + "hello";
    refused(&server, &body, &[400]);
    // Refused, whatever comes behind it is not a frame.
    let refusal = upgrade_with("Sec-WebSocket-Version", None);
    let bytes = [refusal.as_bytes(), &text("{\"type\":\"ping\"}")].concat();
    let said = answer(&server.address, &bytes, true);
    assert!(status(&said) == 426 && !String::from_utf8_lossy(&said).contains("\"ok\""));
    server.judge();
}

#[test]
fn ht_13_to_15_the_handshake_is_refused_with_the_right_status() {
    let server = Server::start(&[]);
    let version = "Sec-WebSocket-Version";
    for line in [None, Some("Sec-WebSocket-Version: 12"), Some("Sec-WebSocket-Version: 13, 13")] {
        let request = upgrade_with(version, line);
        refused(&server, &request, &[400, 426]);
        let said = answer(&server.address, request.as_bytes(), true);
        let said = String::from_utf8_lossy(&said);
        assert!(status(said.as_bytes()) == 400 || said.contains("Sec-WebSocket-Version: 13\r\n"));
    }
    let twice = UPGRADE.replacen("Sec-", "Sec-WebSocket-Version: 13\r\nSec-", 1);
    refused(&server, &twice, &[400, 426]);
    for key in ["", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"] {
        let line = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        refused(&server, &UPGRADE.replace(line, &key.repeat(2)), &[400]);
    }
    for key in
        ["", "dGhlIHNhbXBsZSBub25j", "dGhlIHNhbXBsZSBub25jZWVlZQ==", "!!!!IHNhbXBsZSBub25jZQ=="]
    {
        let line = format!("Sec-WebSocket-Key: {key}");
        refused(&server, &upgrade_with("Sec-WebSocket-Key", Some(&line)), &[400]);
    }
    refused(&server, &UPGRADE.replace("GET ", "POST "), &[400, 405]);
    refused(&server, &UPGRADE.replace("HTTP/1.1", "HTTP/1.0"), &[400, 426, 505]);
    refused(&server, &upgrade_with("Connection", Some("Connection: close")), &[400, 426]);
    refused(&server, &upgrade_with("Upgrade", Some("Upgrade: h2c")), &[400, 426]);
    refused(&server, &UPGRADE.replace("/ws", "/elsewhere"), &[404]);
    server.judge();
}

#[test]
fn ht_16_to_18_extensions_and_subprotocols_that_are_a_trap() {
    let server = Server::start(&[]);
    let quotes = format!("permessage-deflate; x=\"{}", "\\\"".repeat(7000));
    let many = "permessage-deflate, ".repeat(700) + "x";
    let bits = ["7", "16", "\"\"", "abc", "8"]
        .map(|bits| format!("permessage-deflate; server_max_window_bits={bits}"));
    let flag = "permessage-deflate; client_no_context_takeover=9".to_owned();
    let begun = Instant::now();
    for offer in [vec![quotes, many, flag], bits.to_vec()].concat() {
        let line = format!("Sec-WebSocket-Extensions: {offer}");
        let request = upgrade_with("Sec-WebSocket-Extensions", Some(&line));
        let said = answer(&server.address, &[request.as_bytes(), &close(1000)].concat(), false);
        assert!([101, 400].contains(&status(&said)), "{}", said.escape_ascii());
        let said = String::from_utf8_lossy(&said);
        assert!(!said.contains("window_bits=") && !said.contains('\\'), "{said}");
    }
    let spaces = format!("Sec-WebSocket-Protocol: b{}x", " ".repeat(15_000));
    for line in [&spaces, "Sec-WebSocket-Protocol: stentor.v1.jsonx, b", "Sec-WebSocket-Protocol: "]
    {
        let request = upgrade_with("Sec-WebSocket-Protocol", Some(line));
        let said = answer(&server.address, &[request.as_bytes(), &close(1000)].concat(), false);
        assert!([101, 400].contains(&status(&said)), "{}", said.escape_ascii());
        let chosen = String::from_utf8_lossy(&said).contains("Sec-WebSocket-Protocol: ");
        assert!(status(&said) == 400 || !chosen, "{}", said.escape_ascii());
    }
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    server.judge();
}

#[test]
fn ht_20_a_client_that_is_gone_before_its_101_leaves_nothing() {
    let server = Server::start(&[]);
    for request in [UPGRADE, "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n", "ping\n"] {
        for _ in 0..200 {
            let mut stream = connect(&server.address);
            stream.write_all(request.as_bytes()).expect("sent");
            // A reset instead of a FIN.
            let linger = Some(Duration::ZERO);
            socket2::SockRef::from(&stream).set_linger(linger).expect("a reset");
        }
    }
    server.judge();
}

#[test]
fn ht_22_no_path_leads_out_of_the_house() {
    let server = Server::start(&[]);
    for path in [
        "/../etc/passwd",
        "/..%2f..%2fetc%2fpasswd",
        "/%00",
        "/%c0%ae%c0%ae/",
        "/..\\etc",
        "/admin",
        "//",
        "/app.js/",
        "/APP.JS",
        "/events",
        "/api/ping",
    ] {
        let (status, body) = http_get(&server.address, path);
        let refused = [400, 404].contains(&status);
        assert!(refused && !body.contains("root:"), "{path}: {status} {body}");
    }
    server.judge();
}

#[test]
fn ht_23_a_body_over_its_limit_is_refused_before_it_is_read() {
    let server = Server::start(&[]);
    let head = "POST /healthz HTTP/1.1\r\nHost: a\r\n";
    let mut stream = connect(&server.address);
    pour(&mut stream, format!("{head}Content-Length: 1000000000\r\n\r\n").as_bytes());
    assert_eq!(status(&rest(&mut stream)), 413);
    let mut stream = connect(&server.address);
    pour(&mut stream, format!("{head}Transfer-Encoding: chunked\r\n\r\n").as_bytes());
    let chunk = format!("4000\r\n{}\r\n", "x".repeat(0x4000));
    (0..64).for_each(|_| pour(&mut stream, chunk.as_bytes()));
    let said = rest(&mut stream);
    assert!(said.is_empty() || status(&said) == 413, "{}", said.escape_ascii());
    server.judge();
}

#[test]
fn ht_27_the_names_of_metrics_do_not_grow_with_what_is_asked() {
    let server = Server::start(&[]);
    let rows = || http_get(&server.address, "/metrics").1.lines().count();
    let before = rows();
    for n in 0..300 {
        let request = format!("PUT /x{n} HTTP/1.1\r\nHost: h{n}\r\nConnection: close\r\n\r\n");
        assert!(status(&answer(&server.address, request.as_bytes(), false)) >= 400);
        let line = format!("{{\"type\":\"verb{n}\"}}\n");
        answer(&server.address, line.as_bytes(), true);
    }
    assert_eq!(rows(), before);
    server.judge();
}
