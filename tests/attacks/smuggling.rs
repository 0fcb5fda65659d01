//! Bodies whose end two readers of HTTP could see in two places (RFC 9112 §6, §7.1, §11.2).

use crate::http::refused;
use crate::peer::{answer, status};
use crate::server::Server;
use crate::siege::Attack;

/// What a second reader would take for a request.
const INNER: &str = "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n";

/// A body of chunks with a request behind it, whose head says this of its end: refused once.
fn framed(fields: &str, status: u16) -> Attack {
    let head = format!("POST /healthz HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n");
    refused(format!("{head}5\r\nhello\r\n0\r\n\r\n{INNER}"), status)
}

fn chunked(chunks: &str, status: u16) -> Attack {
    let head = "POST /healthz HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    refused(format!("{head}{chunks}{INNER}"), status)
}

/// A length and chunks at once: 400, and the connection ends.
#[test]
fn ht_07_a_length_and_chunks() {
    let server = Server::start_secure(&[]);
    let fields = [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Transfer-Encoding: chunked\r\nContent-Length: 0",
        "transfer-encoding: Chunked\r\ncontent-length: 5",
    ];
    server.endures(&fields.map(|fields| framed(fields, 400)));
    server.judge();
}

/// Lengths that are two, a list, signed, hexadecimal, empty or beyond all bounds: 400.
#[test]
fn ht_08_lengths_that_are_no_length() {
    let server = Server::start_secure(&[]);
    let fields = [
        "Content-Length: 5\r\nContent-Length: 5",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 5\r\ncontent-length: 5",
        "Content-Length: 5, 5",
        "Content-Length: +5",
        "Content-Length: -5",
        "Content-Length: 0x5",
        "Content-Length: 5 5",
        "Content-Length: 5;",
        "Content-Length: ",
        "Content-Length: 18446744073709551621",
        "Content-Length: 1e1",
        "Content-Length: 5.0",
        "Content-Length: \u{665}",
    ];
    server.endures(&fields.map(|fields| framed(fields, 400)));
    let most = "Content-Length: 18446744073709551615";
    server.endures(&[framed(most, 413)]);
    server.judge();
}

/// Transfer codings that are not exactly `chunked` in HTTP/1.1: 400, and the connection ends.
#[test]
fn ht_09_codings_that_are_not_chunked() {
    let server = Server::start_secure(&[]);
    let fields = [
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunkedx",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: chunked;q=1",
        "Transfer-Encoding: \"chunked\"",
        "Transfer-Encoding: \x0bchunked",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: identity",
        "Transfer-Encoding:",
    ];
    server.endures(&fields.map(|fields| framed(fields, 400)));
    let old = "POST /healthz HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    server.endures(&[refused(format!("{old}5\r\nhello\r\n0\r\n\r\n{INNER}"), 400)]);
    server.judge();
}

/// Chunk sizes, ends, extensions and trailers that are none: 400, or 413 when one is too large.
#[test]
fn ht_10_chunks_that_are_none() {
    let server = Server::start_secure(&[]);
    let none = [
        "fffffffffffffffff\r\nhello",
        "00000000000000005\r\nhello\r\n0\r\n\r\n",
        "-1\r\nhello",
        "+5\r\nhello\r\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "5\nhello\r\n0\r\n\r\n",
        "5\rhello\r\n0\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5\r\nhello\r0\r\n\r\n",
        "5;a\nb\r\nhello\r\n0\r\n\r\n",
        "5;a\rb\r\nhello\r\n0\r\n\r\n",
        "5;\0\r\nhello\r\n0\r\n\r\n",
        " 5\r\nhello\r\n0\r\n\r\n",
        "\r\nhello\r\n0\r\n\r\n",
        "5 \r\nhello\r\n0\r\n\r\n",
        "5\r\nhello\r\n0\r\nX Y: b\r\n\r\n",
        "5\r\nhello\r\n0\r\nX: b\n\r\n",
        "5\r\nhello\r\n0\r\n\n",
    ];
    server.endures(&none.map(|chunks| chunked(chunks, 400)));
    let extension = format!("5;{}\r\nhello\r\n0\r\n\r\n", "x".repeat(1 << 11));
    let trailers = format!("0\r\n{}\r\n", "X: b\r\n".repeat(400));
    server.endures(&[
        chunked("ffffffffffffffff\r\nhello", 413),
        chunked("7fffffffffffffff\r\nhello", 413),
        chunked(&extension, 400),
        chunked(&trailers, 431),
    ]);
    let head = "POST /healthz HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let long = format!("{head}5;{}", "x".repeat(1 << 20));
    assert_eq!(status(&answer(&server.address, long.as_bytes(), false)), 400);
    server.judge();
}

/// A request in the body of another, by length and by chunks, and one behind it: two are answered.
#[test]
fn ht_11_no_request_is_born_of_a_body() {
    let server = Server::start_secure(&[]);
    let length = INNER.len();
    let last = "GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let whole = format!("Content-Length: {length}\r\n\r\n{INNER}");
    let chunked = format!("Transfer-Encoding: chunked\r\n\r\n{length:x}\r\n{INNER}\r\n0\r\n\r\n");
    server.endures(&[whole, chunked].map(|body| {
        let bytes = format!("POST /nowhere HTTP/1.1\r\nHost: a\r\n{body}{last}");
        let attack = Attack::new(bytes, |said| {
            let said = String::from_utf8_lossy(said);
            assert_eq!(said.matches("HTTP/1.1 ").count(), 2);
            assert!(status(said.as_bytes()) == 404 && said.ends_with("{\"status\":\"ok\"}\n"));
        });
        attack
            .counted("stentor_http_answers_total{endpoint=\"unknown\"}", 1)
            .counted("stentor_http_answers_total{endpoint=\"health\"}", 1)
    }));
    server.judge();
}
