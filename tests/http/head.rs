//! HT-05 and HT-06: hosts, line ends, names and values (RFC 9112 §2.2, §3.2, §5; RFC 9110 §5.5).

use super::{HOST, get, gives, message};

#[test]
fn ht_05_exactly_one_host_that_is_one() {
    for fields in [
        &["Accept: */*"][..],
        &[],
        &["Host: a", "Host: b"],
        &["Host: a", "host: a"],
        &["Host:"],
        &["Host: \t"],
        &["Host: a b"],
        &["Host: a, b"],
        &["Host: a/b"],
        &["Host: user@a"],
        &["Host: a:b"],
        &["Host: ::1"],
    ] {
        gives(&get(fields), &["400"]);
    }
    for fields in [&["Host: a.example:5000"][..], &["HOST:[::1]:5000"]] {
        gives(&get(fields), &["GET / +"]);
    }
    // HTTP/1.0 knew no Host, but two are two there as well.
    gives(&message("GET / HTTP/1.0", &[], ""), &["GET / "]);
    gives(&message("GET / HTTP/1.0", &[HOST, HOST], ""), &["400"]);
    gives(&message("GET / HTTP/1.0", &["Host:"], ""), &["400"]);
}

#[test]
fn ht_06_every_line_ends_in_crlf() {
    for input in [
        "GET / HTTP/1.1\nHost: a\n\n",
        "GET / HTTP/1.1\r\nHost: a\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\n",
        "GET / HTTP/1.1\rHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: \rb\r\n\r\n",
        "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "\rGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    ] {
        gives(input, &["400"]);
    }
}

#[test]
fn ht_06_names_and_values() {
    for field in [
        " folded: a",
        "X : a",
        "X\t: a",
        ": a",
        ":",
        "abc",
        "a b: c",
        "a\0: c",
        "é: c",
        "a(: c",
        "a\u{b}: c",
        "X: a\0b",
        "X: a\u{1}b",
        "X: \u{7f}",
        "X: a\u{8}",
        "X: \u{b}a",
        "a/b: c",
        "\"a\": b",
        "X",
        "a@b: c",
        "=: a",
    ] {
        gives(&get(&[HOST, field]), &["400"]);
    }
    gives(&get(&[HOST, "X: a", " b"]), &["400"]);
    gives(&get(&[HOST, "X: a", "\tb"]), &["400"]);
    gives(&get(&[" X: a", HOST]), &["400"]);
    for field in ["X:", "X: \t ", "X:a", "X: a\tb", "X: é", "!#$%&'*+-.^_`|~09: a", "X: ::"] {
        gives(&get(&[HOST, field]), &["GET / +"]);
    }
}

#[test]
fn empty_lines_before_a_request_are_four_at_most() {
    let request = get(&[HOST]);
    for count in 0..=4 {
        gives(&format!("{}{request}", "\r\n".repeat(count)), &["GET / +"]);
    }
    gives(&format!("{}{request}", "\r\n".repeat(5)), &["400"]);
    gives(&"\r\n".repeat(100), &["400"]);
    // The count begins anew with each request.
    let after = format!("\r\n\r\n\r\n{request}");
    gives(&after.repeat(3), &["GET / +", "GET / +", "GET / +"]);
}

#[test]
fn versions_and_request_lines() {
    for (line, status) in [
        ("GET / HTTP/2.0", "505"),
        ("GET / HTTP/1.2", "505"),
        ("GET / HTTP/0.9", "505"),
        ("GET / HTTP/3.0", "505"),
        ("PRI * HTTP/2.0", "505"),
        ("GET / HTTP/1", "400"),
        ("GET / HTTP/1.10", "400"),
        ("GET / http/1.1", "400"),
        ("GET / HTTP/1,1", "400"),
        ("GET / HTTPS/1.1", "400"),
        ("GET / HTTP/a.b", "400"),
        ("GET /", "400"),
        ("GET", "400"),
        ("GET / HTTP/1.1 ", "400"),
        ("GET  / HTTP/1.1", "400"),
        ("GET /  HTTP/1.1", "400"),
        ("GET\t/ HTTP/1.1", "400"),
        (" GET / HTTP/1.1", "400"),
        ("GET HTTP/1.1", "400"),
        (" / HTTP/1.1", "400"),
        ("G(T / HTTP/1.1", "400"),
        ("GÉT / HTTP/1.1", "400"),
        ("GET /a b HTTP/1.1", "400"),
        ("GET /\0 HTTP/1.1", "400"),
    ] {
        gives(&message(line, &[HOST], ""), &[status]);
    }
    // What a method means is said elsewhere; here it is any token.
    gives(&message("M-SEARCH / HTTP/1.1", &[HOST], ""), &["M-SEARCH / +"]);
    gives(&message("get / HTTP/1.1", &[HOST], ""), &["get / +"]);
    gives("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &["505"]);
}
