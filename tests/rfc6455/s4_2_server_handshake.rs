//! Sections 4.2 and 4.4: what a server must find in a request, and what it answers.

use stentor::protocol::websocket::handshake::{Refusal, response, validate};

/// A good request without the line that begins with `less`, and with `more`.
fn judge(start: &str, less: &str, more: &str) -> Result<String, Refusal> {
    let lines = [
        "Host: example.com",
        "Upgrade: websocket",
        "Connection: keep-alive, Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
    ];
    let kept = lines.into_iter().filter(|line| less.is_empty() || !line.starts_with(less));
    let lines: Vec<&str> = kept.chain([more]).filter(|line| !line.is_empty()).collect();
    let head = format!("{start}\r\n{}\r\n\r\n", lines.join("\r\n"));
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut request = httparse::Request::new(&mut headers);
    assert!(request.parse(head.as_bytes()).unwrap().is_complete());
    let upgrade = validate(&request)?;
    let mut out = Vec::new();
    response(&upgrade, upgrade.choose(&["two", "three"]), None, &mut out).unwrap();
    Ok(String::from_utf8(out).unwrap())
}

const GET: &str = "GET /ws HTTP/1.1";

#[test]
fn s4_2_1_the_request_is_a_get_of_http_1_1() {
    assert!(judge(GET, "", "").is_ok());
    assert_eq!(judge("POST /ws HTTP/1.1", "", ""), Err(Refusal::Method));
    assert_eq!(judge("GET /ws HTTP/1.0", "", ""), Err(Refusal::HttpVersion));
    assert_eq!((Refusal::Method.status(), Refusal::HttpVersion.status()), (405, 400));
    assert_eq!(Refusal::Method.headers(), [("Allow", "GET")]);
}

#[test]
fn s4_2_1_host_is_needed_once() {
    assert_eq!(judge(GET, "Host", ""), Err(Refusal::Host));
    assert_eq!(judge(GET, "", "Host: other"), Err(Refusal::Host));
    assert_eq!(Refusal::Host.status(), 400);
}

#[test]
fn s4_2_1_upgrade_must_hold_websocket_without_regard_to_case() {
    assert_eq!(judge(GET, "Upgrade", ""), Err(Refusal::Upgrade));
    assert_eq!(judge(GET, "Upgrade", "Upgrade: h2c"), Err(Refusal::Upgrade));
    assert!(judge(GET, "Upgrade", "uPGRADE: WebSocket").is_ok());
    assert_eq!(Refusal::Upgrade.status(), 426);
}

#[test]
fn s4_2_1_connection_must_hold_upgrade_without_regard_to_case() {
    assert_eq!(judge(GET, "Connection", ""), Err(Refusal::Upgrade));
    assert_eq!(judge(GET, "Connection", "Connection: keep-alive"), Err(Refusal::Upgrade));
    assert!(judge(GET, "Connection", "connection: UPGRADE").is_ok());
}

#[test]
fn s4_2_1_the_key_decodes_to_16_bytes() {
    assert_eq!(judge(GET, "Sec-WebSocket-Key", ""), Err(Refusal::Key));
    for key in ["", "AAAA", "AAAAAAAAAAAAAAAAAAAAAAA=", "!AAAAAAAAAAAAAAAAAAAAA=="] {
        let line = format!("Sec-WebSocket-Key: {key}");
        assert_eq!(judge(GET, "Sec-WebSocket-Key", &line), Err(Refusal::Key), "{key}");
    }
    let twice = judge(GET, "", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==");
    assert_eq!((twice, Refusal::Key.status()), (Err(Refusal::Key), 400));
}

#[test]
fn s4_2_2_the_response_is_101_with_upgrade_connection_and_accept() {
    let response = judge(GET, "", "").unwrap();
    let lines: Vec<&str> = response.split("\r\n").collect();
    assert_eq!(
        lines,
        [
            "HTTP/1.1 101 Switching Protocols",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
            "",
            "",
        ]
    );
}

#[test]
fn s4_2_2_the_subprotocol_is_one_of_the_clients_or_none() {
    let chosen = judge(GET, "", "Sec-WebSocket-Protocol: one, two").unwrap();
    assert!(chosen.contains("\r\nSec-WebSocket-Protocol: two\r\n"));
    let several_lines = "Sec-WebSocket-Protocol: one\r\nSec-WebSocket-Protocol: three, two";
    let chosen = judge(GET, "", several_lines).unwrap();
    assert!(chosen.contains("\r\nSec-WebSocket-Protocol: three\r\n"));
    let none = judge(GET, "", "Sec-WebSocket-Protocol: one").unwrap();
    assert!(!none.contains("Sec-WebSocket-Protocol"));
}

#[test]
fn s4_4_a_version_not_understood_is_told_the_one_that_is() {
    for version in ["", "8", "14", "13, 8", "8, 13"] {
        let line = format!("Sec-WebSocket-Version: {version}");
        let verdict = judge(GET, "Sec-WebSocket-Version", &line);
        assert_eq!(verdict, Err(Refusal::Version), "{version}");
    }
    assert_eq!(judge(GET, "Sec-WebSocket-Version", ""), Err(Refusal::Version));
    assert_eq!(judge(GET, "", "Sec-WebSocket-Version: 13"), Err(Refusal::Version));
    assert_eq!(Refusal::Version.status(), 426);
    assert!(Refusal::Version.headers().contains(&("Sec-WebSocket-Version", "13")));
}

#[test]
fn s4_2_1_a_request_with_a_body_is_refused() {
    assert_eq!(judge(GET, "", "Content-Length: 3"), Err(Refusal::Body));
    assert_eq!(judge(GET, "", "Transfer-Encoding: chunked"), Err(Refusal::Body));
}
