//! HT-22: targets in their four forms and no other (RFC 9112 §3.2), and paths decoded by the caller.

use super::{HOST, gives, message};
use stentor::protocol::http::{Decoder, Limits, percent_decode};

#[test]
fn each_form_where_it_belongs() {
    for (line, expected) in [
        ("GET /a/b;c=d HTTP/1.1", "GET /a/b;c=d +"),
        ("GET //a HTTP/1.1", "GET //a +"),
        ("GET /..%2fetc HTTP/1.1", "GET /..%2fetc +"),
        ("GET http://b/c HTTP/1.1", "GET /c +"),
        ("GET HTTPS://b:1 HTTP/1.1", "GET / +"),
        ("GET http://b?c HTTP/1.1", "GET / +"),
        ("OPTIONS * HTTP/1.1", "OPTIONS * +"),
        ("CONNECT b:443 HTTP/1.1", "CONNECT  "),
        ("GET * HTTP/1.1", "400"),
        ("GET a HTTP/1.1", "400"),
        ("GET b:443 HTTP/1.1", "400"),
        ("GET ftp://b/ HTTP/1.1", "400"),
        ("GET http:///a HTTP/1.1", "400"),
        ("GET http://u@b/ HTTP/1.1", "400"),
        ("GET http://b\\@c/ HTTP/1.1", "400"),
        ("GET ?a HTTP/1.1", "400"),
        ("GET /a#b HTTP/1.1", "400"),
        ("GET /é HTTP/1.1", "400"),
        ("GET \\a HTTP/1.1", "400"),
        ("CONNECT /a HTTP/1.1", "400"),
        ("CONNECT http://b/ HTTP/1.1", "400"),
    ] {
        gives(&message(line, &[HOST], ""), &[expected]);
    }
}

#[test]
fn a_target_is_taken_apart() {
    for (target, path, query, host) in [
        ("/", "/", None, "a"),
        ("/a?b=c&d", "/a", Some("b=c&d"), "a"),
        ("/a??", "/a", Some("?"), "a"),
        ("/a?", "/a", Some(""), "a"),
        ("http://b:1/c?d", "/c", Some("d"), "b:1"),
        ("http://b?d/e", "/", Some("d/e"), "b"),
    ] {
        let input = message(&format!("GET {target} HTTP/1.1"), &[HOST], "");
        let mut decoder = Decoder::new(Limits::default());
        decoder.decode(input.as_bytes(), &mut 0).unwrap();
        let request = decoder.request().unwrap();
        assert_eq!(request.target, target);
        assert_eq!((request.path, request.query, request.host()), (path, query, Some(host)));
    }
}

#[test]
fn ht_22_paths_that_decode_to_nothing_good() {
    assert_eq!(percent_decode("..%2f").as_deref(), Some("../"), "the caller compares, not us");
    for path in ["%00", "a%00.js", "%c0%ae%c0%ae/", "%e0%80%af", "%0d%0a", "%", "%2", "%zz"] {
        assert_eq!(percent_decode(path), None, "{path}");
    }
}
