//! Character classes of RFC 9110 §5.6.2 and §5.5, comma lists of §5.6.1, and lines ended by CRLF.

use super::Error;

/// `tchar`: what a token, a method or the name of a field is made of.
pub(super) const fn is_tchar(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

/// What a field value is made of: everything but the controls, of which it may hold tabs.
pub(super) const fn is_field_byte(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

/// The elements of a comma list, without white space round them.
pub(super) fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|element| !element.is_empty())
}

/// Reads on to the end of a line that may have `most` bytes, its CRLF included.
///
/// True: `line` is whole and has its end. Looks at each byte once.
///
/// # Errors
///
/// `too_long` when `most` bytes hold no end of line; 400 when the line ends in LF alone, because
/// readers differ in whether that is an end (RFC 9112 §2.2 only allows to accept it).
pub(super) fn read_line(
    line: &mut Vec<u8>,
    most: usize,
    too_long: Error,
    bytes: &[u8],
    at: &mut usize,
) -> Result<bool, Error> {
    let rest = bytes.get(*at..).unwrap_or_default();
    let room = most.saturating_sub(line.len());
    let window = rest.get(..room).unwrap_or(rest);
    let end = memchr::memchr(b'\n', window);
    if end.is_none() && rest.len() >= room {
        return Err(too_long);
    }
    let piece = end.and_then(|end| window.get(..=end)).unwrap_or(window);
    line.extend_from_slice(piece);
    *at = at.saturating_add(piece.len());
    if end.is_some() && !line.ends_with(b"\r\n") {
        return Err(Error::BadRequest("a line must end in CRLF"));
    }
    Ok(end.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists() {
        let got = |value: &'static str| {
            list(value.as_bytes()).map(|e| std::str::from_utf8(e).unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(got("a"), ["a"]);
        assert_eq!(got(" a ,, b\t,"), ["a", "b"]);
        assert!(got(" , ").is_empty());
    }

    #[test]
    fn a_line_that_fits_exactly_and_one_that_does_not() {
        for (input, most, whole) in [("ab\r\n", 4, Ok(true)), ("ab\r", 4, Ok(false))] {
            let (mut line, mut at) = (Vec::new(), 0);
            assert_eq!(
                read_line(&mut line, most, Error::UriTooLong, input.as_bytes(), &mut at),
                whole
            );
            assert_eq!(at, input.len());
        }
        for input in ["abc\r\n", "abcd", "abcde"] {
            let (mut line, mut at) = (Vec::new(), 0);
            let got = read_line(&mut line, 4, Error::UriTooLong, input.as_bytes(), &mut at);
            assert_eq!(got, Err(Error::UriTooLong), "{input:?}");
        }
    }
}
