//! HT-11 and HT-12: what follows a request, `Connection`, `Expect`, `Upgrade` (RFC 9112 §9, RFC 9110 §7.8, §10.1.1).

use super::{HOST, POST, get, gives, message};
use stentor::protocol::http::{Decoder, Event, Limits, Repeated};

#[test]
fn ht_11_no_request_is_born_from_a_body() {
    let inner = "GET /admin HTTP/1.1\r\nHost: a\r\n\r\n";
    let shown = "GET /admin HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n";
    let length = format!("Content-Length: {}", inner.len());
    let whole = message(POST, &[HOST, &length], inner);
    gives(&whole, &[&format!("POST / {shown}+")]);
    gives(&format!("{whole}{inner}"), &[&format!("POST / {shown}+"), "GET /admin +"]);
    let chunks = format!("{:x}\r\n{inner}\r\n0\r\n\r\n", inner.len());
    let chunked = message(POST, &[HOST, "Transfer-Encoding: chunked"], &chunks);
    gives(&format!("{chunked}{inner}"), &[&format!("POST / {shown}+"), "GET /admin +"]);
    // The body of a GET is a body as well.
    gives(
        &format!("{}{inner}", message("GET / HTTP/1.1", &[HOST, "Content-Length: 3"], "abc")),
        &["GET / abc+", "GET /admin +"],
    );
    // After an error nothing more is read.
    gives(&format!("{}{inner}", get(&[])), &["400"]);
}

#[test]
fn connections_stay_or_not() {
    for (version, field, stays) in [
        ("1.1", "X: y", "+"),
        ("1.1", "Connection: close", ""),
        ("1.1", "Connection: Close", ""),
        ("1.1", "connection: keep-alive, CLOSE", ""),
        ("1.1", "Connection: Upgrade", "+"),
        ("1.1", "Connection: closed", "+"),
        ("1.0", "X: y", ""),
        ("1.0", "Connection: Keep-Alive", "+"),
        ("1.0", "Connection: keep-alive, close", ""),
    ] {
        let input = message(&format!("GET / HTTP/{version}"), &[HOST, field], "");
        gives(&input, &[&format!("GET / {stays}")]);
    }
    let two = ["Connection: keep-alive", HOST, "Connection: close"];
    gives(&get(&two), &["GET / "]);
    gives(&message("CONNECT a:1 HTTP/1.1", &[HOST], ""), &["CONNECT  "]);
}

#[test]
fn a_client_that_waits_for_100_gets_it_once() {
    let expect = "Expect: 100-Continue";
    let three = "Content-Length: 3";
    gives(&message(POST, &[HOST, three, expect], "abc"), &["100", "POST / abc+"]);
    gives(
        &message(POST, &[HOST, expect, "Transfer-Encoding: chunked"], "0\r\n\r\n"),
        &["100", "POST / +"],
    );
    gives(&get(&[HOST, expect]), &["GET / +"]);
    gives(&message("POST / HTTP/1.0", &[three, expect], "abc"), &["POST / abc"]);
    gives(&message(POST, &[HOST, three, "Expect: a-miracle"], "abc"), &["POST / abc+"]);
}

#[test]
fn ht_12_what_follows_an_upgrade_is_left_alone() {
    let fields = [HOST, "Upgrade: websocket", "Connection: keep-alive, Upgrade"];
    let early = "\u{1}early \r\n\r\n";
    let bytes = format!("{}{early}", message("GET /ws/tok?a=b HTTP/1.1", &fields, ""));
    let mut decoder = Decoder::new(Limits::default());
    let mut at = 0;
    assert_eq!(decoder.decode(bytes.as_bytes(), &mut at), Ok(Some(Event::Request)));
    assert_eq!(&bytes[at..], early);
    let request = decoder.request().unwrap();
    assert!(request.header_has("connection", "upgrade"));
    assert_eq!(request.header_text("UPGRADE"), Some("websocket"));
    assert_eq!((request.path, request.query), ("/ws/tok", Some("a=b")));
    decoder.release();
    assert!(decoder.request().is_none());
    // With a body, what lies behind the body.
    let fields = [HOST, "Upgrade: websocket", "Connection: Upgrade", "Content-Length: 3"];
    let bytes = format!("{}{early}", message("GET /ws HTTP/1.1", &fields, "abc"));
    let mut at = 0;
    assert_eq!(decoder.decode(bytes.as_bytes(), &mut at), Ok(Some(Event::Request)));
    assert_eq!((&bytes[at..], decoder.request().unwrap().body), (early, &b"abc"[..]));
}

#[test]
fn fields_are_found_and_repetitions_are_seen() {
    let input = get(&[HOST, "X-A:  1 ", "x-b:", "X-a: 2", "Accept: a/b,  C/D ,"]);
    let mut decoder = Decoder::new(Limits::default());
    decoder.decode(input.as_bytes(), &mut 0).unwrap();
    let request = decoder.request().unwrap();
    let all: Vec<_> = request.headers().collect();
    assert_eq!(all[..3], [("Host", &b"a"[..]), ("X-A", b"1"), ("x-b", b"")]);
    assert_eq!(all.len(), 5);
    assert_eq!(request.header("x-A"), Some(&b"1"[..]));
    assert_eq!(request.only_header("x-a"), Err(Repeated));
    assert_eq!(request.only_header("X-B"), Ok(Some(&b""[..])));
    assert_eq!(request.only_header("x-c"), Ok(None));
    assert!(request.header_has("accept", "c/d"));
    assert!(!request.header_has("accept", "c"));
    assert_eq!(request.host(), Some("a"));
}

#[test]
fn what_is_printed_holds_no_token() {
    let fields = [HOST, "Authorization: Bearer secret", "Cookie: secret", "Content-Length: 6"];
    let input = message("POST /ws/secret?token=secret HTTP/1.1", &fields, "secret");
    let mut decoder = Decoder::new(Limits::default());
    for (index, byte) in input.bytes().enumerate() {
        decoder.decode(&[byte], &mut 0).unwrap();
        assert!(!format!("{decoder:?}").contains("101, 116"), "byte {index} shows the buffer");
    }
    let request = decoder.request().unwrap();
    let printed = format!("{request:?} {:?}", request.headers());
    assert!(printed.contains("POST") && !printed.contains("secret"), "{printed}");
}
