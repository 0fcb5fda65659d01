//! The guard against cross-protocol scripting: a browser made to send lines it does not understand.
//!
//! A web page can make a browser send an HTTP request to any port, with a body of its choice. If a
//! head ever were read as lines, the body would be commands. A head has a request line and a
//! `Host` (RFC 9112 §3), so either of them in line mode ends the connection. Law: a line that is
//! JSON never looks like one.

use crate::protocol::sniff::METHODS;

/// Whether `line` is one that an HTTP client sends: a method and what follows it, or `Host:`.
///
/// A method in capitals and a space suffice. In other letters (`get lost`) a person may have typed
/// it, so the rest has to look like a request line.
#[must_use]
pub fn looks_like_http(line: &[u8]) -> bool {
    if line.get(..5).is_some_and(|name| name.eq_ignore_ascii_case(b"host:")) {
        return true;
    }
    let Some(space) = line.iter().take(8).position(|byte| *byte == b' ') else { return false };
    let Some((word, rest)) = line.split_at_checked(space) else { return false };
    let rest = rest.trim_ascii_start();
    METHODS.iter().any(|method| {
        word == method.as_bytes()
            || (word.eq_ignore_ascii_case(method.as_bytes()) && looks_like_target(rest))
    })
}

/// A target and perhaps a version (RFC 9112 §3.2), by its first and its last characters.
fn looks_like_target(rest: &[u8]) -> bool {
    let starts =
        |with: &[u8]| rest.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with));
    let version = rest.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
    starts(b"/")
        || starts(b"http:")
        || starts(b"https:")
        || version.get(..5).is_some_and(|name| name.eq_ignore_ascii_case(b"HTTP/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn heads_are_known_and_what_people_type_is_not() {
        const HEADS: &[&str] = &[
            "GET /admin HTTP/1.1",
            "GET x",
            "POST / HTTP/1.1",
            "OPTIONS * HTTP/1.1",
            "CONNECT a:443 HTTP/1.1",
            "get /admin HTTP/1.1",
            "patch x HTTP/1.1",
            "Post http://a/ HTTP/1.0",
            "options * HTTP/1.1",
            "Host: example.com",
            "HOST:",
            "host:a",
        ];
        const OTHERS: &[&str] = &[
            "",
            "help",
            "help GET",
            "ping",
            "get lost",
            "post it to me",
            "GET",
            "Hostess: x",
            "Host",
            "GETX / HTTP/1.1",
            " GET / HTTP/1.1",
            "delete this please",
            "put * here",
            "{\"type\":\"GET / HTTP/1.1\"}",
            "\"Host: a\"",
            "{\"Host\": \"a\"}",
            "[1]",
            "Origin: https://a",
        ];
        for line in HEADS {
            assert!(looks_like_http(line.as_bytes()), "{line}");
        }
        for line in OTHERS {
            assert!(!looks_like_http(line.as_bytes()), "{line}");
        }
    }

    #[test]
    fn every_method_is_known() {
        for method in METHODS {
            assert!(looks_like_http(format!("{method} /").as_bytes()), "{method}");
        }
    }

    proptest! {
        #[test]
        fn json_never_looks_like_http(
            text in "(GET|POST|Host:|get|/|HTTP/1.1| |[a-z]){0,12}", indent in "[ \t]{0,3}",
        ) {
            for value in [
                serde_json::json!(text), serde_json::json!({ text.clone(): text }),
                serde_json::json!([text]), serde_json::json!(1), serde_json::json!(null),
            ] {
                let line = format!("{indent}{value}");
                prop_assert!(!looks_like_http(line.as_bytes()), "{}", line);
            }
        }
    }
}
