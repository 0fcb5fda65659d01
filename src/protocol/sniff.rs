//! Which protocol a connection speaks, decided once on its first bytes: TLS, HTTP/1.1 or lines.
//!
//! Law: for the openings of one stream the answer is [`Sniff::NeedMore`] up to some length and from
//! there on always the same. Limit: at most [`SNIFF_BYTES_MAX`] bytes are looked at, no state is
//! kept; how long a connection may stay undecided is the caller's deadline.
//!
//! An empty line opens lines, not HTTP: RFC 9112 §2.2 lets a server skip an empty line before a
//! request, but the person who presses Enter on a raw connection waits for an answer, and no
//! HTTP client sends one first. For the same reason the binary PROXY header, which begins with two
//! empty lines, is not told apart here: as lines it gets no further than its own `QUIT`.

/// How many bytes are looked at, at most.
pub const SNIFF_BYTES_MAX: usize = 16;

/// The methods of RFC 9110 §9 and RFC 5789, by which an HTTP request is known.
pub const METHODS: [&str; 9] =
    ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "CONNECT", "TRACE"];

/// What the first bytes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sniff {
    /// Too few bytes to say. At the end of the stream it means [`Lines`](Self::Lines).
    NeedMore,
    /// A TLS record of type handshake (RFC 8446 §5.1); inside it, sniff again with `tls` false.
    Tls,
    /// An HTTP request, the HTTP/2 preface included, so that it can be answered 505.
    Http,
    /// Lines of text.
    Lines,
    /// Nothing this listener speaks: close without an answer. The text is for the log.
    Refused(&'static str),
}

/// Openings after which there is nothing left to ask; none is the beginning of another.
const OPENINGS: &[(&[u8], Sniff)] = &[
    (b"GET ", Sniff::Http),
    (b"HEAD ", Sniff::Http),
    (b"POST ", Sniff::Http),
    (b"PUT ", Sniff::Http),
    (b"DELETE ", Sniff::Http),
    (b"OPTIONS ", Sniff::Http),
    (b"PATCH ", Sniff::Http),
    (b"CONNECT ", Sniff::Http),
    (b"TRACE ", Sniff::Http),
    (b"PRI ", Sniff::Http),
    (b"PROXY ", Sniff::Refused("PROXY header on a listener that expects none")),
];

/// Says what a connection that begins with `first` speaks; `tls` when a certificate is configured.
#[must_use]
pub fn sniff(first: &[u8], tls: bool) -> Sniff {
    let first = first.get(..SNIFF_BYTES_MAX).unwrap_or(first);
    match first.first() {
        None => return Sniff::NeedMore,
        Some(0x16) if tls => return Sniff::Tls,
        Some(0x16) => return Sniff::Refused("TLS where none is spoken"),
        Some(_) => {}
    }
    let mut undecided = false;
    for (opening, verdict) in OPENINGS {
        if first.starts_with(opening) {
            return *verdict;
        }
        undecided |= opening.starts_with(first);
    }
    if undecided { Sniff::NeedMore } else { Sniff::Lines }
}

/// The checks of this module on any input, for tests and fuzzing.
#[doc(hidden)]
pub mod laws {
    use super::{SNIFF_BYTES_MAX, Sniff, sniff as decide};

    /// The answer never flips as bytes arrive, and only the first 16 bytes count.
    pub fn sniff(data: &[u8]) {
        for tls in [false, true] {
            let all = decide(data, tls);
            let mut decided = None;
            for length in 0..=data.len().min(SNIFF_BYTES_MAX.saturating_mul(2)) {
                let now = decide(data.get(..length).unwrap_or(data), tls);
                match decided {
                    Some(before) => assert_eq!(now, before, "the answer flipped"),
                    None if now != Sniff::NeedMore => decided = Some(now),
                    None => {}
                }
            }
            assert_eq!(decided.unwrap_or(Sniff::NeedMore), all);
            let mut other = data.to_vec();
            for byte in other.iter_mut().skip(SNIFF_BYTES_MAX) {
                *byte ^= 0x55;
            }
            assert_eq!(decide(&other, tls), all, "a byte beyond the limit counted");
            assert!(tls || all != Sniff::Tls);
            assert!(data.len() < SNIFF_BYTES_MAX || all != Sniff::NeedMore);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CASES: &[(&[u8], Sniff)] = &[
        (b"", Sniff::NeedMore),
        (b"G", Sniff::NeedMore),
        (b"GET", Sniff::NeedMore),
        (b"GET ", Sniff::Http),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", Sniff::Http),
        (b"GET\n", Sniff::Lines),
        (b"GETS ", Sniff::Lines),
        (b"get / HTTP/1.1\r\n", Sniff::Lines),
        (b"P", Sniff::NeedMore),
        (b"PO", Sniff::NeedMore),
        (b"POST /api/message HTTP/1.1\r\n", Sniff::Http),
        (b"PING\n", Sniff::Lines),
        (b"HE", Sniff::NeedMore),
        (b"HELP\n", Sniff::Lines),
        (b"HEAD /", Sniff::Http),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Sniff::Http),
        (b"PRO", Sniff::NeedMore),
        (b"PROPFIND / HTTP/1.1\r\n", Sniff::Lines),
        (b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n", OPENINGS[10].1),
        (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c", Sniff::Lines),
        (b"{\"type\":\"ping\"}\n", Sniff::Lines),
        (b"quit\r\n", Sniff::Lines),
        (b"\n", Sniff::Lines),
        (b"\r", Sniff::Lines),
        (b" GET / HTTP/1.1\r\n", Sniff::Lines),
        (b"\xef\xbb\xbf{}\n", Sniff::Lines),
        (b"\xff\xfb\x1f", Sniff::Lines),
        (b"\x80\x2e\x01\x03\x01", Sniff::Lines),
        (b"\0", Sniff::Lines),
    ];

    #[test]
    fn the_first_bytes_decide() {
        for (first, verdict) in CASES {
            assert_eq!(sniff(first, false), *verdict, "{}", first.escape_ascii());
            assert_eq!(sniff(first, true), *verdict, "{}", first.escape_ascii());
            laws::sniff(first);
        }
    }

    #[test]
    fn tls_only_where_it_is_spoken() {
        let hello = b"\x16\x03\x01\x02\x00\x01";
        assert_eq!(sniff(&hello[..1], true), Sniff::Tls);
        assert_eq!(sniff(hello, true), Sniff::Tls);
        assert!(matches!(sniff(hello, false), Sniff::Refused(_)));
    }

    #[test]
    fn every_method_opens_http_and_no_opening_hides_another() {
        for method in METHODS {
            let opening = format!("{method} ");
            assert_eq!(sniff(opening.as_bytes(), false), Sniff::Http, "{method}");
            assert_eq!(sniff(method.as_bytes(), false), Sniff::NeedMore, "{method}");
        }
        for (a, _) in OPENINGS {
            assert!(a.len() <= SNIFF_BYTES_MAX);
            assert_eq!(OPENINGS.iter().filter(|(b, _)| b.starts_with(a)).count(), 1);
        }
    }

    proptest! {
        #[test]
        fn never_flips(data in "[ -~\r\n]{0,20}|(GET|POST|PUT|PR|PROXY|PATCH|OPTIONS)? ?[A-Z ]{0,9}") {
            laws::sniff(data.as_bytes());
        }
    }
}
