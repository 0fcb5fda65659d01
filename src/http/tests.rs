//! The endpoints as a client sees them: requests as bytes, responses as bytes.

use super::*;
use crate::handler::Endpoints as _;
use crate::protocol::http::{Decoder, Event, Limits};
use std::time::Duration;

const NOW: Now = Now { monotonic: Duration::ZERO, unix_ms: 0 };

fn ask(endpoints: &mut Endpoints, request: &str) -> String {
    let mut decoder = Decoder::new(Limits::default());
    let event = decoder.decode(request.as_bytes(), &mut 0).expect("a good request");
    assert_eq!(event, Some(Event::Request), "{request}");
    let request = decoder.request().expect("a whole request");
    let mut out = Vec::new();
    endpoints.answer(NOW, &request).encode(request.method == "HEAD", true, &mut out);
    String::from_utf8(out).expect("text")
}

fn get(endpoints: &mut Endpoints, path: &str) -> String {
    ask(endpoints, &format!("GET {path} HTTP/1.1\r\nHost: chat.example:5000\r\n\r\n"))
}

#[test]
fn each_path_has_its_answer() {
    let mut endpoints = Endpoints::new(&Registry::new());
    for (path, status, holds) in [
        ("/", "200 OK", "nc chat.example 5000 "),
        ("/?x=1", "200 OK", "ws://chat.example:5000/ws"),
        ("/healthz", "200 OK", "{\"status\":\"ok\"}"),
        ("/readyz", "200 OK", "{\"status\":\"ready\"}"),
        ("/metrics", "200 OK", "# EOF"),
        ("/app.js", "200 OK", "text/javascript"),
        ("/app.css", "200 OK", "text/css"),
        ("/favicon.ico", "204 No Content", "keep-alive"),
        ("/ws", "426 Upgrade Required", "Connection: Upgrade\r\nUpgrade: websocket\r\n"),
        ("/ws/eyJ", "426 Upgrade Required", "ws://chat.example:5000/ws,"),
        ("/socket", "426 Upgrade Required", "WebSocket"),
        ("/websocket", "426 Upgrade Required", "WebSocket"),
        ("/nothing", "404 Not Found", "\n  /readyz "),
        ("/healthz/", "404 Not Found", "\n  /ws "),
        ("/WS", "404 Not Found", "there is"),
    ] {
        let response = get(&mut endpoints, path);
        assert!(response.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{path}: {response}");
        assert!(response.contains(holds), "{path}: {response}");
        assert!(response.contains("X-Content-Type-Options: nosniff\r\n"), "{path}");
        assert!(!response.contains("eyJ"), "what was sent does not come back");
    }
}

#[test]
fn a_head_has_the_length_and_another_method_is_told_which_to_use() {
    let mut endpoints = Endpoints::new(&Registry::new());
    let head = ask(&mut endpoints, "HEAD /healthz HTTP/1.1\r\nHost: h\r\n\r\n");
    assert!(head.contains("Content-Length: 16\r\n") && head.ends_with("\r\n\r\n"), "{head}");
    for method in ["POST", "DELETE", "OPTIONS", "get"] {
        let request = format!("{method} /healthz HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
        let response = ask(&mut endpoints, &request);
        assert!(response.starts_with("HTTP/1.1 405 "), "{method}: {response}");
        assert!(response.contains("Allow: GET, HEAD\r\n"), "{method}: {response}");
    }
    let post = ask(&mut endpoints, "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
    assert!(post.starts_with("HTTP/1.1 404 "), "what is not there has no methods: {post}");
}

#[test]
fn browsers_get_the_page_and_the_rest_gets_words() {
    let mut endpoints = Endpoints::new(&Registry::new());
    for (accept, html) in [
        ("text/html,application/xhtml+xml,*/*;q=0.8", true),
        ("image/png, Text/HTML;q=0.2", true),
        ("text/html; charset=utf-8", true),
        ("*/*", false),
        ("text/html;q=0", false),
        ("text/html ; Q=0.0", false),
        ("text/plain, application/json", false),
        ("xtext/html", false),
        ("", false),
    ] {
        let request = format!("GET / HTTP/1.1\r\nHost: h\r\nAccept: {accept}\r\n\r\n");
        let response = ask(&mut endpoints, &request);
        assert_eq!(response.contains("<!doctype html>"), html, "{accept}");
        assert_eq!(response.contains("frame-ancestors 'none'"), html, "{accept}");
        assert!(response.contains("Vary: Accept\r\n"));
    }
}

#[test]
fn the_page_needs_nothing_that_its_policy_forbids() {
    let mut endpoints = Endpoints::new(&Registry::new());
    let page = ask(&mut endpoints, "GET / HTTP/1.1\r\nHost: h\r\nAccept: text/html\r\n\r\n");
    let (head, page) = page.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("default-src 'self'; ") && head.contains("Referrer-Policy: no-referrer"));
    for foreign in ["http:", "https:", "<style", "onclick=", "onsubmit=", "javascript:", "style="] {
        assert!(!page.contains(foreign), "{foreign}");
    }
    assert!(!include_str!("app.js").contains("innerHTML"), "text from others stays text");
    for asset in page.split('"').filter(|word| word.starts_with("/app")) {
        assert!(get(&mut endpoints, asset).starts_with("HTTP/1.1 200 "), "{asset}");
    }
}

#[test]
fn while_draining_it_is_not_ready_but_lives() {
    let mut endpoints = Endpoints::new(&Registry::new());
    endpoints.draining();
    let response = get(&mut endpoints, "/readyz");
    assert!(response.starts_with("HTTP/1.1 503 ") && response.contains("draining"), "{response}");
    assert!(get(&mut endpoints, "/healthz").starts_with("HTTP/1.1 200 "));
}

#[test]
fn with_a_full_disk_it_is_not_ready_until_a_write_succeeds_or_nobody_knows() {
    let storage = Storage::default();
    let mut endpoints = Endpoints::new(&Registry::new()).of(Names::default(), storage.clone());
    storage.refused(Duration::ZERO);
    let response = get(&mut endpoints, "/readyz");
    assert!(
        response.starts_with("HTTP/1.1 503 ") && response.contains("storage_full"),
        "{response}"
    );
    assert!(get(&mut endpoints, "/healthz").starts_with("HTTP/1.1 200 "));
    storage.written();
    assert!(get(&mut endpoints, "/readyz").starts_with("HTTP/1.1 200 "));
    storage.refused(Duration::from_secs(5));
    assert!(storage.is_full(Duration::from_secs(34)) && !storage.is_full(Duration::from_secs(36)));
}

#[test]
fn only_the_inside_has_a_name() {
    let registry = Registry::new();
    let names = Names::new(&["chat.example".to_owned()], true);
    let mut endpoints = Endpoints::new(&registry).of(names, Storage::default());
    let mut ask = |path: &str, host: &str| {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        ask(&mut endpoints, &request)[9..12].to_owned()
    };
    for host in ["evil.example", "evil.example:5000", "127.0.0.1.evil.example"] {
        assert_eq!(ask("/metrics", host), "403", "{host}");
        for path in ["/", "/healthz", "/readyz", "/app.js"] {
            assert_eq!(ask(path, host), "200", "{path} as {host}");
        }
    }
    for host in ["chat.example:5000", "127.0.0.1:5000", "localhost", "[::1]:5000"] {
        assert_eq!(ask("/metrics", host), "200", "{host}");
    }
    assert_eq!(registry.total("stentor_http_hosts_refused_total"), Some(3));
}

#[test]
fn requests_are_counted_by_endpoint() {
    let registry = Registry::new();
    let mut endpoints = Endpoints::new(&registry);
    for path in ["/healthz", "/healthz", "/nothing"] {
        get(&mut endpoints, path);
    }
    let page = get(&mut endpoints, "/metrics");
    for line in ["{endpoint=\"health\"} 2", "{endpoint=\"unknown\"} 1", "{endpoint=\"metrics\"} 1"]
    {
        assert!(page.contains(&format!("stentor_http_answers_total{line}\n")), "{page}");
    }
}
