//! Requests for WebSocket that are not quite that (RFC 6455 §4), and what is sent too early.

use std::time::{Duration, Instant};

use crate::http::{not_upgraded, refused};
use crate::peer::{UPGRADE, after_upgrade, close, close_code, frames, status, text};
use crate::server::Server;
use crate::siege::Attack;

const PING: &str = "{\"type\":\"ping\"}";

/// The upgrade with a header added, replaced (`Some`) or left out (`None`).
fn upgrade_with(name: &str, line: Option<&str>) -> String {
    let mut lines: Vec<&str> = UPGRADE.trim_end().split("\r\n").collect();
    lines.retain(|known| !known.starts_with(&format!("{name}:")));
    lines.extend(line);
    lines.join("\r\n") + "\r\n\r\n"
}

/// Frames before our 101: they are answered, after it.
#[test]
fn ht_12_frames_that_come_early_are_frames() {
    let server = Server::start_secure(&[]);
    let early = [UPGRADE.as_bytes(), &text(PING), &close(1000)].concat();
    let attack = Attack::new(early, |said| {
        let said = frames(after_upgrade(said));
        assert_eq!(said.len(), 3, "hello, the reply, the Close frame: {said:?}");
    });
    server.endures(&[attack.counted("stentor_requests_total{verb=\"ping\"}", 1)]);
    server.judge();
}

/// A second request behind the upgrade is a broken frame, 1002; an upgrade with a body is 400.
#[test]
fn ht_12_requests_behind_an_upgrade_are_never_requests() {
    let server = Server::start_secure(&[]);
    let http = format!("{UPGRADE}GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
    let attack = Attack::new(http, |said| assert_eq!(close_code(said), 1002));
    let body = upgrade_with("Content-Length", Some("Content-Length: 5")) + "hello";
    let chunks = upgrade_with("Transfer-Encoding", Some("Transfer-Encoding: chunked"));
    server.endures(&[
        attack.counted("stentor_protocol_violations_total", 1),
        not_upgraded(body, 400),
        not_upgraded(chunks + "5\r\nhello\r\n0\r\n\r\n", 400),
    ]);
    server.judge();
}

/// Frames behind a refused upgrade: the refusal is all that is said, and no verb is heard.
#[test]
fn ht_12_frames_behind_a_refused_upgrade_are_not_heard() {
    let server = Server::start_secure(&[]);
    let refusal = upgrade_with("Sec-WebSocket-Version", None);
    let bytes = [refusal.as_bytes(), &text(PING)].concat();
    server.endures(&[not_upgraded(bytes, 426)]);
    server.judge();
}

/// Version 12, none or two: 426 with the version that is spoken.
#[test]
fn ht_13_another_version_is_told_which_one_is_spoken() {
    let server = Server::start_secure(&[]);
    let name = "Sec-WebSocket-Version";
    let told = |request: String| {
        Attack::new(request, |said| {
            let said = String::from_utf8_lossy(said);
            assert_eq!(status(said.as_bytes()), 426);
            assert!(said.contains("\r\nSec-WebSocket-Version: 13\r\n"));
        })
        .ending()
        .counted("stentor_upgrades_refused_total", 1)
    };
    let lines = ["12", "13, 13", "013", "1", "", "13.0", "-13"];
    let lines = lines.map(|version| format!("{name}: {version}"));
    let mut attacks: Vec<_> =
        lines.iter().map(|line| told(upgrade_with(name, Some(line)))).collect();
    attacks.push(told(upgrade_with(name, None)));
    attacks.push(told(UPGRADE.replacen("Sec-", "Sec-WebSocket-Version: 13\r\nSec-", 1)));
    server.endures(&attacks);
    server.judge();
}

/// A key that is missing, of 15 or 17 bytes, no Base64 or there twice: 400.
#[test]
fn ht_14_a_key_that_is_no_key() {
    let server = Server::start_secure(&[]);
    let name = "Sec-WebSocket-Key";
    let keys = [
        "",
        "dGhlIHNhbXBsZSBub25j",
        "dGhlIHNhbXBsZSBub25jZWVlZQ==",
        "!!!!IHNhbXBsZSBub25jZQ==",
        "dGhlIHNhbXBsZSBub25jZQ=",
        "dGhlIHNhbXBsZSBub25jZQ",
        "dGhlIHNhbXBsZSBub25jZQ==, x",
    ];
    let keys = keys.map(|key| upgrade_with(name, Some(&format!("{name}: {key}"))));
    let twice = UPGRADE.replacen("Sec-", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-", 1);
    let requests = keys.into_iter().chain([upgrade_with(name, None), twice]);
    server.endures(&requests.map(|request| not_upgraded(request, 400)).collect::<Vec<_>>());
    server.judge();
}

/// An upgrade by POST, in HTTP/1.0, without the token in Connection, to h2c: refused, each its way.
#[test]
fn ht_15_what_asks_for_websocket_and_is_no_such_request() {
    let server = Server::start_secure(&[]);
    let plain = |request: String, status| crate::http::served(request, status, "websocket");
    server.endures(&[
        not_upgraded(UPGRADE.replace("GET ", "POST "), 405),
        not_upgraded(UPGRADE.replace("HTTP/1.1", "HTTP/1.0"), 400),
        not_upgraded(upgrade_with("Connection", Some("Connection: close")), 426),
        not_upgraded(upgrade_with("Connection", None), 426),
        plain(upgrade_with("Upgrade", Some("Upgrade: h2c")), 426),
        plain(upgrade_with("Upgrade", None), 426),
        refused(UPGRADE.replace("Upgrade: websocket", "Upgrade: web socket\n"), 400),
    ]);
    server.judge();
}

/// A request for WebSocket and a Close frame behind it: what is agreed upon is up to `expect`.
fn agreed(line: &str, expect: impl Fn(u16, &str) + 'static) -> Attack {
    let request = UPGRADE.replacen("Sec-", &format!("{line}\r\nSec-"), 1);
    Attack::new([request.as_bytes(), &close(1000)].concat(), move |said| {
        let text = String::from_utf8_lossy(said);
        let head = text.split_once("\r\n\r\n").expect("a head").0;
        expect(status(said), head);
    })
}

/// Extensions with an unclosed quote, by the thousand, or repeated: declined in linear time.
#[test]
fn ht_16_extensions_that_are_a_trap_for_their_reader() {
    let server = Server::start_secure(&[]);
    let declined = |offer: String| {
        agreed(&format!("Sec-WebSocket-Extensions: {offer}"), |status, head| {
            assert!(status == 101 && !head.contains("Extensions"), "{head}");
        })
    };
    let begun = Instant::now();
    server.endures(&[
        declined(format!("permessage-deflate; x=\"{}", "\\\"".repeat(7000))),
        declined("permessage-deflate; =1".to_owned()),
        declined("x-unheard, ".repeat(1000) + "x"),
        declined("permessage-deflate; x=1; x=1".to_owned()),
        declined(
            "permessage-deflate; server_no_context_takeover; server_no_context_takeover".to_owned(),
        ),
    ]);
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    server.judge();
}

/// Window bits out of range, empty or no number, and a value where none belongs: declined.
#[test]
fn ht_17_window_bits_that_are_none() {
    let server = Server::start_secure(&[]);
    let parameters = [
        "server_max_window_bits=7",
        "server_max_window_bits=16",
        "server_max_window_bits=\"\"",
        "server_max_window_bits=abc",
        "server_max_window_bits=08",
        "server_max_window_bits",
        "client_max_window_bits=7",
        "client_max_window_bits=16",
        "client_no_context_takeover=9",
        "server_no_context_takeover=1",
    ];
    server.endures(&parameters.map(|parameter| {
        let line = format!("Sec-WebSocket-Extensions: permessage-deflate; {parameter}");
        agreed(&line, |status, head| {
            assert!(status == 101 && !head.contains("Extensions"), "{head}");
        })
    }));
    server.judge();
}

/// Subprotocols with thousands of blanks, almost ours, or none: nothing that was sent comes back.
#[test]
fn ht_18_a_subprotocol_comes_back_only_if_it_is_ours() {
    let server = Server::start_secure(&[]);
    let line = |value: &str| format!("Sec-WebSocket-Protocol: {value}");
    let silent = |value: &str| {
        agreed(&line(value), |status, head| {
            assert!(status == 101 && !head.contains("-Protocol"), "{head}");
        })
    };
    let malformed = |value: &str| {
        agreed(&line(value), |status, head| {
            assert!(status == 400 && !head.contains("Protocol"), "{head}");
        })
        .ending()
    };
    let spaces = format!("b{}x", " ".repeat(15_000));
    let begun = Instant::now();
    let upgrades = "stentor_upgrades_refused_total";
    let requests = "stentor_http_requests_refused_total{status=\"400\"}";
    server.endures(&[
        silent("stentor.v1.jsonx, b"),
        silent("STENTOR.V1.JSON"),
        malformed(&spaces).counted(upgrades, 1),
        silent(""),
        malformed("a b").counted(upgrades, 1),
        malformed("a\rb").counted(requests, 1),
        malformed("a\nX: stentor.v1.json").counted(requests, 1),
    ]);
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    server.judge();
}
