//! HT-07 to HT-10: where a body ends, of which there must be one reading (RFC 9112 §6, §7.1, §11.2).

use super::{HOST, POST, gives, message};

const CHUNKED: &str = "Transfer-Encoding: chunked";

fn post(fields: &[&str], body: &str) -> String {
    let fields: Vec<&str> = [HOST].iter().chain(fields).copied().collect();
    message(POST, &fields, body)
}

#[test]
fn ht_07_a_length_and_chunks() {
    gives(&post(&["Content-Length: 5", CHUNKED], "0\r\n\r\nX"), &["400"]);
    gives(&post(&[CHUNKED, "Content-Length: 5"], "0\r\n\r\nX"), &["400"]);
    gives(&post(&[CHUNKED, "content-length: 0"], "0\r\n\r\n"), &["400"]);
}

#[test]
fn ht_08_lengths() {
    for value in [
        "+3",
        "-3",
        "0x3",
        "3, 3",
        "3,4",
        "3 3",
        "3;",
        "3.0",
        "3e0",
        "",
        "three",
        "\"3\"",
        "18446744073709551616",
        "99999999999999999999999999999999999999999",
    ] {
        gives(&post(&[&format!("Content-Length: {value}")], "abc"), &["400"]);
    }
    gives(&post(&["Content-Length: 3", "Content-Length: 3"], "abc"), &["400"]);
    gives(&post(&["Content-Length: 3", "content-length: 4"], "abcd"), &["400"]);
    gives(&post(&["Content-Length : 3"], "abc"), &["400"]);
    gives(&post(&["Content-Length:\t3 "], "abc"), &["POST / abc+"]);
    gives(&post(&["Content-Length: 003"], "abc"), &["POST / abc+"]);
    gives(&post(&["Content-Length: 0"], ""), &["POST / +"]);
    gives(&post(&[], ""), &["POST / +"]);
}

#[test]
fn ht_09_codings() {
    for value in [
        "xchunked",
        "identity",
        "chunked, identity",
        "gzip, chunked",
        "chunked, chunked",
        "",
        "\"chunked\"",
        ",chunked",
        "chunked,",
        "chunked;a=b",
        "gzip",
        "chun ked",
    ] {
        gives(&post(&[&format!("Transfer-Encoding: {value}")], "0\r\n\r\n"), &["400"]);
    }
    gives(&post(&[CHUNKED, CHUNKED], "0\r\n\r\n"), &["400"]);
    gives(&post(&["Transfer-Encoding: identity", CHUNKED], "0\r\n\r\n"), &["400"]);
    gives(&post(&["Transfer-Encoding : chunked"], "0\r\n\r\n"), &["400"]);
    gives(&message("POST / HTTP/1.0", &[CHUNKED], "0\r\n\r\n"), &["400"]);
    gives(&post(&["transfer-encoding: CHUNKED "], "0\r\n\r\n"), &["POST / +"]);
}

#[test]
fn ht_10_chunks_that_are_refused() {
    for body in [
        "FFFFFFFFFFFFFFFFF\r\na",
        "10000000000000000\r\na",
        "00000000000000001\r\na\r\n0\r\n\r\n",
        "-1\r\na",
        "+1\r\na",
        "0x1\r\na\r\n0\r\n\r\n",
        "\r\na\r\n",
        " 1\r\na\r\n",
        "1 \r\na\r\n",
        "1_0\r\n",
        "g\r\n",
        "1\na\n0\n\n",
        "1\na\r\n0\r\n\r\n",
        "1;\r\na\r\n0\r\n\r\n",
        "1;a\nb\r\na\r\n0\r\n\r\n",
        "1;a\rb\r\na\r\n0\r\n\r\n",
        "1;a\0\r\na\r\n0\r\n\r\n",
        "1\r\nab\r\n0\r\n\r\n",
        "1\r\na\n0\r\n\r\n",
        "1\r\na0\r\n\r\n",
        "1\r\na\r0\r\n\r\n",
        "0\r\nX y\r\n\r\n",
        "0\r\nX : y\r\n\r\n",
        "0\r\n: y\r\n\r\n",
        "0\r\nX: \0\r\n\r\n",
        "0\r\nX: y\n\r\n",
        "0\r\n folded\r\n\r\n",
        "0\r\nX: a\rb\r\n\r\n",
        "0\r\n\n",
    ] {
        gives(&post(&[CHUNKED], body), &["400"]);
    }
    let long = format!("1;{}\r\na\r\n0\r\n\r\n", "a".repeat(1 << 12));
    gives(&post(&[CHUNKED], &long), &["400"]);
    // Short extensions, but one on every chunk.
    let many = format!("1;{}\r\na\r\n", "a".repeat(99)).repeat(11);
    gives(&post(&[CHUNKED], &many), &["400"]);
}

#[test]
fn ht_10_chunks_that_are_read() {
    for (body, content) in [
        ("0\r\n\r\n", ""),
        ("3\r\nabc\r\n0\r\n\r\n", "abc"),
        ("3\r\nabc\r\n2\r\nde\r\n0000\r\n\r\n", "abcde"),
        ("A\r\n0123456789\r\n0\r\n\r\n", "0123456789"),
        ("0000000000000001\r\na\r\n0\r\n\r\n", "a"),
        ("1;a=b;c=\"d\"\r\na\r\n0;e\r\n\r\n", "a"),
        ("1\r\na\r\n0\r\nX: y\r\nZ:\r\n\r\n", "a"),
        // Trailers change nothing about the message (RFC 9110 §6.5.1).
        ("1\r\na\r\n0\r\nContent-Length: 9\r\nConnection: close\r\nHost: b\r\n\r\n", "a"),
        ("2\r\n\r\n\r\n0\r\n\r\n", "\\r\\n"),
    ] {
        gives(&post(&[CHUNKED], body), &[&format!("POST / {content}+")]);
    }
    gives(&post(&[CHUNKED], "3\r\nab"), &[]);
}
