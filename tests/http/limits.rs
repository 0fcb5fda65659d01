//! HT-01 to HT-03 and HT-23: sizes, refused at the byte that is too much.

use super::{HOST, POST, check, get, gives, message};
use stentor::protocol::http::{Awaiting, Decoder, Error, Limits};

/// The error of `input` sent byte by byte, and how many bytes it took.
fn dies_at(input: &str) -> (Option<Error>, usize) {
    let mut decoder = Decoder::new(Limits::default());
    for (index, byte) in input.bytes().enumerate() {
        if let Err(error) = decoder.decode(&[byte], &mut 0) {
            return (Some(error), index + 1);
        }
    }
    (None, input.len())
}

#[test]
fn ht_01_a_head_of_more_than_16_kib() {
    let endless = format!("GET / HTTP/1.1\r\nX: {}", "y".repeat(1 << 20));
    assert_eq!(dies_at(&endless), (Some(Error::HeaderFieldsTooLarge), 16_384));
    let lines = format!("GET / HTTP/1.1\r\n{}", format!("X: {}\r\n", "y".repeat(507)).repeat(99));
    assert_eq!(dies_at(&lines), (Some(Error::HeaderFieldsTooLarge), 16_384));
    // A head of exactly 16 KiB is one.
    let start = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
    let exact = format!("{start}{}\r\n\r\n", "y".repeat(16_384 - start.len() - 4));
    assert_eq!(exact.len(), 16_384);
    gives(&exact, &["GET / +"]);
    gives(&exact.replace("X: ", "X: y"), &["431"]);
}

#[test]
fn ht_02_more_than_100_headers() {
    let fields = |count: usize| {
        let mut fields = vec![HOST];
        fields.resize(count, "x: y");
        get(&fields)
    };
    gives(&fields(100), &["GET / +"]);
    gives(&fields(101), &["431"]);
    gives(&fields(2000), &["431"]);
}

#[test]
fn ht_03_a_request_line_of_more_than_8_kib() {
    let line = |bytes: usize| format!("GET /{} HTTP/1.1", "a".repeat(bytes - 14));
    assert_eq!(line(8192).len(), 8192);
    let mut decoder = Decoder::new(Limits::default());
    let whole = message(&line(8192), &[HOST], "");
    assert!(decoder.decode(whole.as_bytes(), &mut 0).is_ok_and(|event| event.is_some()));
    gives(&message(&line(8193), &[HOST], ""), &["414"]);
    assert_eq!(dies_at(&line(65_536)), (Some(Error::UriTooLong), 8194));
    assert_eq!(dies_at(&"A".repeat(65_536)), (Some(Error::UriTooLong), 8194));
}

#[test]
fn ht_23_bodies_over_the_cap() {
    let limits = Limits { body_bytes: 8, ..Limits::default() };
    let post = |field: &str, body: &str| message(POST, &[HOST, field], body);
    check(limits, &post("Content-Length: 8", "12345678"), &["POST / 12345678+"]);
    // By its length it is refused before it is read, and no 100 is sent for it.
    check(limits, &post("Content-Length: 9", ""), &["413"]);
    check(limits, &post("Content-Length: 18446744073709551615", ""), &["413"]);
    check(
        limits,
        &message(POST, &[HOST, "Content-Length: 9", "Expect: 100-continue"], ""),
        &["413"],
    );
    let chunked = |body: &str| post("Transfer-Encoding: chunked", body);
    check(limits, &chunked("8\r\n12345678\r\n0\r\n\r\n"), &["POST / 12345678+"]);
    check(limits, &chunked("9\r\n"), &["413"]);
    check(limits, &chunked("7fffffffffffffff\r\n"), &["413"]);
    check(limits, &chunked("ffffffffffffffff\r\n"), &["413"]);
    check(limits, &chunked("5\r\n12345\r\n4\r\n"), &["413"]);
    check(limits, &chunked(&"1\r\na\r\n".repeat(9)), &["413"]);
    // Trailers have a bound of their own.
    check(limits, &chunked(&format!("0\r\n{}", "X: y\r\n".repeat(300))), &["431"]);
    check(limits, &chunked(&format!("0\r\nX: {}", "y".repeat(3000))), &["431"]);
}

#[test]
fn each_state_says_what_it_waits_for() {
    let mut decoder = Decoder::new(Limits::default());
    assert_eq!(decoder.awaiting(), Awaiting::Request);
    for (bytes, awaiting) in [
        ("\r", Awaiting::Head),
        ("\n", Awaiting::Request),
        ("G", Awaiting::Head),
        ("ET / HTTP/1.1\r\nHost: a\r\n", Awaiting::Head),
        ("Content-Length: 2\r\n\r\n", Awaiting::Body),
        ("a", Awaiting::Body),
        ("b", Awaiting::Nothing),
        ("", Awaiting::Request),
    ] {
        decoder.decode(bytes.as_bytes(), &mut 0).unwrap();
        assert_eq!(decoder.awaiting(), awaiting, "{bytes:?}");
    }
    decoder.decode(b"\n", &mut 0).unwrap_err();
    assert_eq!(decoder.awaiting(), Awaiting::Nothing);
}
