//! Section 9.1: `Sec-WebSocket-Extensions`.

use stentor::protocol::websocket::handshake::extensions::{Malformed, parse};

fn names(value: &str) -> Result<Vec<&str>, Malformed> {
    let offers = parse(std::iter::once(value.as_bytes()))?;
    Ok(offers.into_iter().map(|offer| offer.name).collect())
}

#[test]
fn s9_1_the_examples() {
    assert_eq!(names("foo"), Ok(vec!["foo"]));
    assert_eq!(names("bar; baz=2"), Ok(vec!["bar"]));
    assert_eq!(names("deflate-stream"), Ok(vec!["deflate-stream"]));
    let several = "mux; max-channels=4; flow-control, deflate-stream";
    assert_eq!(names(several), Ok(vec!["mux", "deflate-stream"]));
    assert_eq!(names("private-extension"), Ok(vec!["private-extension"]));
}

#[test]
fn s9_1_several_header_lines_are_one_list() {
    let offers = parse([&b"foo"[..], b"bar; baz=2"].into_iter()).unwrap();
    assert_eq!(offers.iter().map(|offer| offer.name).collect::<Vec<_>>(), ["foo", "bar"]);
    assert_eq!(offers[1].params[0].value.as_deref(), Some("2"));
}

#[test]
fn s9_1_a_quoted_value_must_be_a_token_once_unquoted() {
    let value = |text: &str| {
        let offers = parse(std::iter::once(text.as_bytes())).ok()?;
        offers[0].params[0].value.as_deref().map(str::to_owned)
    };
    assert_eq!(value("a; b=\"10\"").as_deref(), Some("10"));
    assert_eq!(value("a; b=\"\\1\\0\"").as_deref(), Some("10"));
    for bad in ["a; b=\"1 0\"", "a; b=\"\"", "a; b=\"1,0\"", "a; b=\"10"] {
        assert_eq!(value(bad), None, "{bad}");
    }
}
