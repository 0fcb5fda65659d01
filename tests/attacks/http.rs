//! Requests that are too long, that could be read in two ways, or that ask for what is not there.

use std::io::Write;
use std::time::{Duration, Instant};

use crate::peer::{UPGRADE, answer, connect, dribbled, http_get, pour, rest, status};
use crate::server::Server;
use crate::siege::Attack;

/// A request that the server answers once, with this status, and nothing is born of its rest.
fn answered(request: impl Into<Vec<u8>>, expected: u16) -> Attack {
    let attack = Attack::new(request, move |said| {
        assert_eq!(status(said), expected);
        let answers = String::from_utf8_lossy(said).matches("\r\nContent-Length: ").count();
        assert_eq!(answers, 1, "answers to one request");
    });
    attack.ending()
}

/// One that breaks the rules of HTTP, or its limits.
pub(crate) fn refused(request: impl Into<Vec<u8>>, expected: u16) -> Attack {
    let counter = format!("stentor_http_requests_refused_total{{status=\"{expected}\"}}");
    answered(request, expected).counted(&counter, 1)
}

/// One that the endpoints answer.
pub(crate) fn served(request: impl Into<Vec<u8>>, expected: u16, endpoint: &str) -> Attack {
    let counter = format!("stentor_http_answers_total{{endpoint=\"{endpoint}\"}}");
    answered(request, expected).counted(&counter, 1)
}

/// A request for WebSocket that is refused.
pub(crate) fn not_upgraded(request: impl Into<Vec<u8>>, expected: u16) -> Attack {
    answered(request, expected).counted("stentor_upgrades_refused_total", 1)
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")
}

/// A head of a mebibyte, also byte by byte: 431 at 16 KiB, in time that grows with the bytes.
#[test]
fn ht_01_a_head_without_end_is_cut_at_its_limit_in_linear_time() {
    let server = Server::start_secure(&[]);
    let head = format!("GET /healthz HTTP/1.1\r\nHost: a\r\nX: {}", "x".repeat(1 << 20));
    server.endures(&[refused(&head.as_bytes()[..17 << 10], 431)]);
    assert_eq!(status(&answer(&server.address, head.as_bytes(), false)), 431);
    let begun = Instant::now();
    assert_eq!(status(&dribbled(&server.address, &head.as_bytes()[..17 << 10], false)), 431);
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    server.judge();
}

/// A hundred header fields are a request, one more or two thousand are 431.
#[test]
fn ht_02_the_101st_header_is_one_too_many() {
    let server = Server::start_secure(&[]);
    let request = |n| {
        let headers: String = (1..n).map(|i| format!("x{i}:\r\n")).collect();
        format!("GET /healthz HTTP/1.1\r\nHost: a\r\n{headers}\r\n")
    };
    server.endures(&[
        served(request(100), 200, "health"),
        refused(request(101), 431),
        refused(request(2000), 431),
    ]);
    server.judge();
}

/// A request line of 64 KiB: 414.
#[test]
fn ht_03_a_request_line_without_end_is_cut() {
    let server = Server::start_secure(&[]);
    let line = |length| get(&format!("/{}", "a".repeat(length)));
    server.endures(&[refused(line(8192), 414), refused(line(1 << 16), 414)]);
    server.judge();
}

/// A head or a body that comes a byte now and then: 408 at a time that no byte moves.
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
    assert_eq!(server.metric("stentor_http_timeouts_total"), 2.0);
    server.judge();
}

/// No Host, two, an empty one or one that is no host: 400.
#[test]
fn ht_05_exactly_one_host() {
    let server = Server::start_secure(&[]);
    let hosts = [
        "",
        "Host:\r\n",
        "Host: \r\n",
        "Host: a\r\nHost: a\r\n",
        "Host: a\r\nhost: b\r\n",
        "Host: a b\r\n",
        "Host: a/b\r\n",
        "Host: @\r\n",
        "Host: a, b\r\n",
    ];
    let request = |host| format!("GET /healthz HTTP/1.1\r\n{host}\r\n");
    server.endures(&hosts.map(|host| refused(request(host), 400)));
    server.judge();
}

/// Line ends, folds, blanks and control characters that two readers take for two things: 400.
#[test]
fn ht_06_a_head_that_could_be_read_in_two_ways_is_refused() {
    let server = Server::start_secure(&[]);
    let heads = [
        "GET /healthz HTTP/1.1\nHost: a\n\n",
        "GET /healthz HTTP/1.1\r\nHost: a\nX: b\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: a\r\nX: b\rY: c\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: a\r\nX: b\r\n\tc\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost : a\r\n\r\n",
        "GET /healthz HTTP/1.1\r\n Host: a\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: a\r\nX\t: b\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: a\r\nX: a\x01b\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: a\r\nX: a\x7fb\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: a\r\nX\0: b\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n",
        "GET  /healthz HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /healthz  HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /heal thz HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /heal\rthz HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET healthz HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /healthz HTTP/1.1 \r\nHost: a\r\n\r\n",
        "GET /healthz http/1.1\r\nHost: a\r\n\r\n",
        "GET /healthz HTTP/1.1\r\r\nHost: a\r\n\r\n",
        "GET /healthz\r\nHost: a\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: a\r\n\n",
    ];
    server.endures(&heads.map(|head| refused(head, 400)));
    server.judge();
}

/// A version of HTTP that is not spoken: 505, or 400 when it is none.
#[test]
fn ht_06_a_version_that_is_not_spoken_is_refused() {
    let server = Server::start_secure(&[]);
    let request = |version: &str| format!("GET /healthz {version}\r\nHost: a\r\n\r\n");
    let versions = [
        ("HTTP/2.0", 505),
        ("HTTP/1.2", 505),
        ("HTTP/0.9", 505),
        ("HTTP/1.10", 400),
        ("HTTP/1,1", 400),
        ("HTTP/1", 400),
        ("HTTP/", 400),
        ("HTPP/1.1", 400),
    ];
    server.endures(&versions.map(|(version, status)| refused(request(version), status)));
    server.judge();
}

/// Paths of what is switched off or not there, asked for plainly or as WebSocket: 404.
#[test]
fn ht_19_what_is_not_there_is_not_half_there() {
    let server = Server::start_secure(&[]);
    let paths = ["/admin", "/events", "/api", "/api/ping", "/ws2"];
    server.endures(&paths.map(|path| served(get(path), 404, "unknown")));
    let upgrades = ["/admin", "/events", "/", "/healthz", "/ws/a/b", "/ws/%zz"];
    let upgrade = |path: &str| UPGRADE.replacen("/ws", path, 1);
    server.endures(&upgrades.map(|path| not_upgraded(upgrade(path), 404)));
    server.judge();
}

/// Everything plain where TLS is required: 403 on HTTP, 1008 on lines, and no request is read.
#[test]
fn ht_19_what_is_for_tls_only_is_for_tls_only() {
    use crate::peer::objects;
    use crate::siege::Door;
    let (server, answers) = (Server::start_secret(), "stentor_connections_exposed_refused_total");
    let exposed = |request: &str| {
        Attack::new(request, |said| assert_eq!(status(said), 403))
            .only(Door::Plain)
            .counted(answers, 1)
    };
    let line = Attack::new("{\"type\":\"ping\"}\n", |said| {
        let said = objects(said);
        assert_eq!(said.last().expect("a last word")["payload"]["code"], 1008);
        assert!(said.iter().all(|object| object["status"] != "ok"), "{said:?}");
    });
    server.endures(&[
        exposed(&get("/healthz")),
        exposed(&get("/metrics")),
        exposed(UPGRADE),
        line.only(Door::Plain).counted(answers, 1),
        served(get("/healthz"), 200, "health").only(Door::Tls),
    ]);
    server.judge();
}

/// A reset before the answer, of an upgrade, a page and a line: nothing is left of it.
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

/// Paths with dots, escapes, NUL, overlong UTF-8 and backslashes: 404, or 400 when they are none.
#[test]
fn ht_22_no_path_leads_out_of_the_house() {
    let server = Server::start_secure(&[]);
    let paths = [
        "/../etc/passwd",
        "/..%2f..%2fetc%2fpasswd",
        "/%2e%2e/etc/passwd",
        "/%00",
        "/app.js%00.html",
        "/%c0%ae%c0%ae/",
        "/..\\etc",
        "//",
        "//app.js",
        "/./app.js",
        "/app.js/",
        "/APP.JS",
    ];
    server.endures(&paths.map(|path| served(get(path), 404, "unknown")));
    let none = ["/\0", "/a\x01b", "\\", "..", "/a#b"];
    server.endures(&none.map(|path| refused(get(path), 400)));
    server.judge();
}

/// A body over its limit, by its length or by its chunks: 413 before, and at, the limit.
#[test]
fn ht_23_a_body_over_its_limit_is_refused_before_it_is_read() {
    let server = Server::start_secure(&[]);
    let head = "POST /healthz HTTP/1.1\r\nHost: a\r\n";
    let chunk = format!("4000\r\n{}\r\n", "x".repeat(0x4000));
    let chunks = |count| format!("{head}Transfer-Encoding: chunked\r\n\r\n{}", chunk.repeat(count));
    let most = format!("{}0\r\n\r\n", chunks(4));
    server.endures(&[
        refused(format!("{head}Content-Length: 1000000000\r\n\r\n"), 413),
        refused(format!("{head}Content-Length: 65537\r\n\r\n"), 413),
        refused(format!("{head}Transfer-Encoding: chunked\r\n\r\n10001\r\n"), 413),
        refused(chunks(5), 413),
        served(most, 405, "health"),
    ]);
    let mut stream = connect(&server.address);
    pour(&mut stream, chunks(64).as_bytes());
    let said = rest(&mut stream);
    assert!(said.is_empty() || status(&said) == 413, "{}", said.escape_ascii());
    server.judge();
}

/// Hundreds of methods, paths, hosts and verbs: the rows of `/metrics` are as many as before.
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
