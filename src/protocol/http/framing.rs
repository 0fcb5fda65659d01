//! What a head says about the message: `Host`, the length of the body, whether the connection stays.
//!
//! RFC 9112 §3.2, §6 and §9.3. Law: of two readings of a length there is none here; a request that
//! a proxy could cut elsewhere is refused. Limit: a length beyond `u64` is malformed.

use super::Error;
use super::text::list;

/// How the end of the body is found (RFC 9112 §6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// `Content-Length`, 0 where there is none.
    Length(u64),
    /// `Transfer-Encoding: chunked`.
    Chunked,
}

/// What was read.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) framing: Framing,
    pub(super) keep_alive: bool,
    pub(super) expects_continue: bool,
    pub(super) asks_for_websocket: bool,
}

/// A field that may come once.
#[derive(Clone, Copy, Default)]
struct Single<'a> {
    first: Option<&'a [u8]>,
    repeated: bool,
}

impl<'a> Single<'a> {
    fn add(&mut self, value: &'a [u8]) {
        self.repeated = self.first.is_some();
        self.first = self.first.or(Some(value));
    }

    fn only(self, twice: &'static str) -> Result<Option<&'a [u8]>, Error> {
        if self.repeated { Err(Error::BadRequest(twice)) } else { Ok(self.first) }
    }
}

/// Reads the fields that decide about the message.
pub(super) fn read(minor_version: u8, fields: &[httparse::Header<'_>]) -> Result<Facts, Error> {
    let (mut host, mut length, mut coding) =
        (Single::default(), Single::default(), Single::default());
    let (mut close, mut keep, mut expects, mut websocket) = (false, false, false, false);
    for field in fields {
        let is = |name: &str| field.name.eq_ignore_ascii_case(name);
        let has = |token: &[u8]| list(field.value).any(|one| one.eq_ignore_ascii_case(token));
        if is("host") {
            host.add(field.value);
        } else if is("content-length") {
            length.add(field.value);
        } else if is("transfer-encoding") {
            coding.add(field.value);
        } else if is("connection") {
            close |= has(b"close");
            keep |= has(b"keep-alive");
        } else if is("upgrade") {
            websocket |= has(b"websocket");
        } else if is("expect") {
            expects |= has(b"100-continue");
        }
    }
    match host.only("more than one Host")? {
        Some(host) if is_host(host) => {}
        Some(_) => return Err(Error::BadRequest("Host is malformed")),
        None if minor_version == 0 => {}
        None => return Err(Error::BadRequest("Host is missing")),
    }
    let length = length.only("more than one Content-Length")?;
    let coding = coding.only("more than one Transfer-Encoding")?;
    let framing = match (length, coding) {
        (None, None) => Framing::Length(0),
        (Some(length), None) => Framing::Length(content_length(length)?),
        (Some(_), Some(_)) => {
            return Err(Error::BadRequest("both Content-Length and Transfer-Encoding"));
        }
        (None, Some(_)) if minor_version == 0 => {
            return Err(Error::BadRequest("Transfer-Encoding in HTTP/1.0"));
        }
        (None, Some(coding)) if coding.eq_ignore_ascii_case(b"chunked") => Framing::Chunked,
        (None, Some(_)) => return Err(Error::BadRequest("Transfer-Encoding must be chunked")),
    };
    Ok(Facts {
        framing,
        keep_alive: !close && (minor_version >= 1 || keep),
        // RFC 9110 §10.1.1: an expectation in HTTP/1.0 "MUST" be ignored.
        expects_continue: minor_version >= 1 && expects,
        asks_for_websocket: websocket,
    })
}

/// `1*DIGIT` and nothing else: no sign, no list, no white space (RFC 9110 §8.6).
fn content_length(value: &[u8]) -> Result<u64, Error> {
    const BAD: Error = Error::BadRequest("Content-Length is malformed");
    if value.is_empty() {
        return Err(BAD);
    }
    value
        .iter()
        .try_fold(0_u64, |sum, byte| {
            let digit = byte.checked_sub(b'0').filter(|digit| *digit <= 9)?;
            sum.checked_mul(10)?.checked_add(u64::from(digit))
        })
        .ok_or(BAD)
}

/// `uri-host [ ":" port ]` (RFC 9110 §7.2) by its characters; no user, no path, not empty.
pub(super) fn is_host(value: &[u8]) -> bool {
    let (name, port) = if value.first() == Some(&b'[') {
        let Some(end) = value.iter().position(|byte| *byte == b']') else { return false };
        let (name, rest) = value.split_at(end.saturating_add(1));
        let inner = name.get(1..end).unwrap_or_default();
        let fits = inner.contains(&b':')
            && inner.iter().all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.'));
        if !fits {
            return false;
        }
        (name, rest)
    } else {
        value.split_at(value.iter().position(|byte| *byte == b':').unwrap_or(value.len()))
    };
    let name_fits = value.first() == Some(&b'[')
        || name
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+;=%".contains(byte));
    let port_fits = match port.split_first() {
        None => true,
        Some((b':', digits)) => digits.len() <= 5 && digits.iter().all(u8::is_ascii_digit),
        Some(_) => false,
    };
    !name.is_empty() && name_fits && port_fits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_or_an_address_and_perhaps_a_port() {
        for host in [
            "a",
            "a.example:80",
            "a:",
            "127.0.0.1:5000",
            "[::1]",
            "[::1]:5000",
            "x_y",
            "a%20b",
            "[::ffff:1.2.3.4]:1",
        ] {
            assert!(is_host(host.as_bytes()), "{host}");
        }
        for host in [
            "", ":80", "a b", "a, b", "a/b", "a@b", "a:b", "a:80:80", "a:123456", "[", "[]", "[a]",
            "[::1", "[::1]x", "::1", "a\\b", "a?b", "a#b", "é", "http://a", "a\"",
        ] {
            assert!(!is_host(host.as_bytes()), "{host}");
        }
    }

    #[test]
    fn a_length_is_digits() {
        for (value, length) in [("0", 0), ("5", 5), ("007", 7), ("18446744073709551615", u64::MAX)]
        {
            assert_eq!(content_length(value.as_bytes()), Ok(length), "{value}");
        }
        for value in [
            "",
            "+5",
            "-1",
            "0x5",
            "5, 5",
            "5,",
            "5 5",
            "1e3",
            "5.0",
            "18446744073709551616",
            "99999999999999999999999999",
            "٣",
            "a",
            "5;",
        ] {
            assert!(content_length(value.as_bytes()).is_err(), "{value}");
        }
    }
}
