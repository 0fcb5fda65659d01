//! What holds for HTTP requests on any input; called by tests and by the target `http_request`.

mod chunked;

pub use chunked::http_chunked;

use super::{Decoder, Error, Event, Limits};
use crate::protocol::split::same_however_split;

/// Limits that small inputs can reach.
const SMALL: Limits =
    Limits { head_bytes: 256, request_line_bytes: 64, headers: 8, body_bytes: 16 };

/// However the input is cut the same requests come out; each is one that httparse accepts, of the
/// length that httparse says, and within the limits.
///
/// # Panics
///
/// When a law is broken.
pub fn http_request(data: &[u8]) {
    for limits in [Limits::default(), SMALL] {
        same_however_split(data, |pieces| run(limits, pieces));
        agrees_with_httparse(limits, data);
    }
}

/// A request, or the interim response before one, as text.
fn describe(decoder: &Decoder, event: Event, limits: Limits) -> String {
    let Some(request) = decoder.request() else {
        assert_eq!(event, Event::Continue, "a request that is not there");
        return "continue".to_owned();
    };
    assert_eq!(event, Event::Request);
    assert!(request.body.len() <= limits.body_bytes, "a body over its cap");
    assert!(request.headers().count() <= limits.headers, "too many fields");
    assert!(request.target.len() <= limits.request_line_bytes, "a target too long");
    assert!(request.target.starts_with(request.path) || request.authority.is_some());
    let fields: Vec<_> =
        request.headers().map(|(name, value)| format!("{name}={}", value.escape_ascii())).collect();
    format!(
        "{} {} {:?} {} {} {fields:?} {}",
        request.method,
        request.path,
        request.query,
        request.minor_version,
        request.keep_alive,
        request.body.escape_ascii()
    )
}

fn run(limits: Limits, pieces: &[&[u8]]) -> (Vec<String>, Option<Error>) {
    let mut decoder = Decoder::new(limits);
    let mut events = Vec::new();
    for piece in pieces {
        let mut at = 0;
        loop {
            let before = at;
            let event = decoder.decode(piece, &mut at);
            assert!(before <= at && at <= piece.len(), "more was read than given");
            match event {
                Ok(Some(event)) => events.push(describe(&decoder, event, limits)),
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(at, piece.len(), "bytes behind an error are left over");
                    assert_eq!(decoder.decode(b"GET / HTTP/1.1\r\n", &mut 0), Err(error));
                    return (events, Some(error));
                }
            }
        }
        assert_eq!(at, piece.len(), "not everything was taken");
    }
    (events, None)
}

/// Every request that comes out is a request to httparse, and ends where httparse says.
fn agrees_with_httparse(limits: Limits, data: &[u8]) {
    let mut decoder = Decoder::new(limits);
    let (mut at, mut start) = (0, 0);
    while let Ok(Some(event)) = decoder.decode(data, &mut at) {
        if event == Event::Request {
            let message = data.get(start..at).unwrap_or_default();
            let end = end_by_httparse(message);
            assert_eq!(end, Some(message.len()), "httparse sees another end");
            start = at;
        }
    }
}

/// The length of the first request in `message`; `None` when httparse refuses it.
fn end_by_httparse(message: &[u8]) -> Option<usize> {
    let mut fields = [httparse::EMPTY_HEADER; 128];
    let mut request = httparse::Request::new(&mut fields);
    let httparse::Status::Complete(head) = request.parse(message).ok()? else { return None };
    let value = |name: &str| {
        let mut found = request.headers.iter().filter(|f| f.name.eq_ignore_ascii_case(name));
        found.next().map(|field| String::from_utf8_lossy(field.value).to_ascii_lowercase())
    };
    if value("transfer-encoding").as_deref() == Some("chunked") {
        return end_of_chunks(message, head);
    }
    let length = value("content-length").map_or(Some(0), |text| text.parse().ok())?;
    head.checked_add(length)
}

fn end_of_chunks(message: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let rest = message.get(at..)?;
        let httparse::Status::Complete((line, size)) = httparse::parse_chunk_size(rest).ok()?
        else {
            return None;
        };
        at = at.checked_add(line)?;
        if size == 0 {
            let mut fields = [httparse::EMPTY_HEADER; 512];
            let trailer = httparse::parse_headers(message.get(at..)?, &mut fields).ok()?;
            let httparse::Status::Complete((length, _)) = trailer else { return None };
            return at.checked_add(length);
        }
        at = at.checked_add(usize::try_from(size).ok()?)?.checked_add(2)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_model_sees_a_planted_smuggling() {
        // Were the length taken from the first of two, this would be one request with a body.
        let two = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcX";
        assert_eq!(end_by_httparse(two), Some(two.len() - 1));
        assert_eq!(end_by_httparse(b"GET / HTTP/2.0\r\n\r\n"), None);
    }

    /// Fragments that requests and attacks are made of.
    fn fragment() -> impl Strategy<Value = String> {
        prop::sample::select(vec![
            "GET / HTTP/1.1\r\n",
            "POST /a?b HTTP/1.1\r\n",
            "GET http://a/ HTTP/1.0\r\n",
            "Host: a\r\n",
            "Host:\r\n",
            "Content-Length: 3\r\n",
            "Content-Length: 9\r\n",
            "Transfer-Encoding: chunked\r\n",
            "Connection: close\r\n",
            "Expect: 100-continue\r\n",
            "\r\n",
            "\n",
            "\r",
            " ",
            "abc",
            "3\r\nabc\r\n",
            "0\r\n\r\n",
            "0\r\n",
            "a: b\r\n",
            "5;x=y\r\n",
            "-1\r\n",
            "\0",
            ":",
            "12345",
        ])
        .prop_map(str::to_owned)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_fragments(parts in prop::collection::vec(fragment(), 0..12)) {
            http_request(parts.concat().as_bytes());
        }

        #[test]
        fn a_good_head_and_anything(parts in prop::collection::vec(fragment(), 0..8)) {
            let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
            http_request(format!("{head}{}", parts.concat()).as_bytes());
        }
    }
}
