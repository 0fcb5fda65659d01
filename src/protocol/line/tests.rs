//! Lines: what comes out, where it lies, what is refused.

use super::*;
use proptest::prelude::*;

fn lines(limit: usize, pieces: &[&[u8]]) -> (Vec<String>, Option<Error>) {
    let mut decoder = Decoder::new(limit);
    let mut lines = Vec::new();
    for piece in pieces {
        let mut at = 0;
        loop {
            match decoder.decode(piece, &mut at) {
                Ok(Some(Line::Lent(range))) => lines.push(text(&piece[range])),
                Ok(Some(Line::Assembled)) => lines.push(text(decoder.assembled())),
                Ok(None) => break,
                Err(error) => return (lines, Some(error)),
            }
        }
    }
    lines.extend(decoder.finish().map(|line| text(line)));
    (lines, None)
}

fn text(line: &[u8]) -> String {
    String::from_utf8(line.to_vec()).unwrap()
}

#[test]
fn lines_end_in_lf_or_crlf() {
    const CASES: &[(&[&str], &[&str])] = &[
        (&[], &[]),
        (&[""], &[]),
        (&["a\n"], &["a"]),
        (&["a\r\n"], &["a"]),
        (&["a\r\r\n"], &["a\r"]),
        (&["a\rb\n"], &["a\rb"]),
        (&["\n\r\n\n"], &["", "", ""]),
        (&["a\nb"], &["a", "b"]),
        (&["a\r"], &["a"]),
        (&["a", "b", "\n"], &["ab"]),
        (&["a\r", "\nb\n"], &["a", "b"]),
        (&["a\r", "b\n"], &["a\rb"]),
        (&["{\"x\"", ":1}\n{}", "\n"], &["{\"x\":1}", "{}"]),
    ];
    for (pieces, expected) in CASES {
        let pieces: Vec<&[u8]> = pieces.iter().map(|piece| piece.as_bytes()).collect();
        let (got, error) = lines(64, &pieces);
        assert_eq!((got, error), (expected.iter().map(ToString::to_string).collect(), None));
        laws::line(&pieces.concat());
    }
}

#[test]
fn a_whole_line_is_lent_and_a_torn_one_is_assembled_and_freed() {
    let mut decoder = Decoder::new(64);
    let mut at = 0;
    let bytes = b"one\r\ntwo\nthr";
    assert_eq!(decoder.decode(bytes, &mut at), Ok(Some(Line::Lent(0..3))));
    assert_eq!(decoder.decode(bytes, &mut at), Ok(Some(Line::Lent(5..8))));
    assert_eq!(decoder.buffer_bytes(), 0);
    assert_eq!(decoder.decode(bytes, &mut at), Ok(None));
    assert_eq!(at, bytes.len());
    assert!(decoder.is_inside_line());

    let (bytes, mut at) = (b"ee\nfour\n", 0);
    assert_eq!(decoder.decode(bytes, &mut at), Ok(Some(Line::Assembled)));
    assert_eq!(decoder.assembled(), b"three");
    assert_eq!(decoder.decode(bytes, &mut at), Ok(Some(Line::Lent(3..7))));
    assert_eq!(decoder.assembled(), b"");
    assert_eq!(decoder.decode(bytes, &mut at), Ok(None));
    assert_eq!(decoder.buffer_bytes(), 0);
    assert_eq!(decoder.finish(), None);
}

#[test]
fn the_limit_is_the_line_without_its_end() {
    let limit = 4;
    let too_long = Some(Error::TooLong { limit });
    for (input, error) in [
        ("1234\n", None),
        ("1234\r\n", None),
        ("1234", None),
        ("1234\r", None),
        ("12345", too_long),
        ("12345\n", too_long),
        ("1234\r5\n", too_long),
        ("1234\r\r\n", too_long),
        ("a\n12345\nb\n", too_long),
    ] {
        assert_eq!(lines(limit, &[input.as_bytes()]).1, error, "{input:?}");
        let bytes: Vec<&[u8]> = input.as_bytes().chunks(1).collect();
        assert_eq!(lines(limit, &bytes).1, error, "{input:?} byte by byte");
    }
}

#[test]
fn after_a_line_too_long_the_decoder_is_dead() {
    let mut decoder = Decoder::new(2);
    let mut at = 0;
    let error = Error::TooLong { limit: 2 };
    assert_eq!(decoder.decode(b"123", &mut at), Err(error));
    assert_eq!(at, 3);
    let mut at = 0;
    assert_eq!(decoder.decode(b"\nok\n", &mut at), Err(error));
    assert_eq!(at, 4);
    assert_eq!(decoder.finish(), None);
    assert_eq!(decoder.buffer_bytes(), 0);
    assert_eq!(error.to_string(), "a line is longer than 2 bytes");
}

#[test]
fn a_new_limit_holds_at_once() {
    let mut decoder = Decoder::new(2);
    let mut at = 0;
    assert_eq!(decoder.decode(b"12", &mut at), Ok(None));
    decoder.set_limit(4);
    at = 0;
    assert_eq!(decoder.decode(b"34\n", &mut at), Ok(Some(Line::Assembled)));
    decoder.set_limit(1);
    at = 0;
    assert_eq!(decoder.decode(b"34\n", &mut at), Err(Error::TooLong { limit: 1 }));
}

#[test]
fn a_long_line_byte_by_byte_never_owns_more_than_the_limit() {
    let mut decoder = Decoder::new(10_000);
    for _ in 0..10_000 {
        assert_eq!(decoder.decode(b"x", &mut 0), Ok(None));
        assert!(decoder.buffer_bytes() <= 10_001);
    }
    assert_eq!(decoder.decode(b"x", &mut 0), Err(Error::TooLong { limit: 10_000 }));
}

#[test]
fn what_is_encoded_is_one_line() {
    let mut out = Vec::new();
    encode(b"{\"a\":1}", &mut out);
    encode(b"", &mut out);
    assert_eq!(out, b"{\"a\":1}\n\n");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_text(data in "[ab\r\n]{0,40}") {
        laws::line(data.as_bytes());
    }

    #[test]
    fn any_bytes(data in prop::collection::vec(any::<u8>(), 0..100)) {
        laws::line(&data);
    }
}
