//! `Sec-WebSocket-Extensions`: RFC 6455 section 9.1.
//!
//! Law: linear in the length of the value, quotes and escapes included. Limit: [`OFFERS_MAX`] offers
//! of [`PARAMS_MAX`] parameters.

use std::borrow::Cow;

use super::is_token_octet;

/// The most offers in one handshake.
pub const OFFERS_MAX: usize = 16;

/// The most parameters of one offer.
pub const PARAMS_MAX: usize = 16;

/// One extension that is offered, or agreed to, with its parameters in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer<'a> {
    /// The registered name of the extension.
    pub name: &'a str,
    /// Its parameters; one may come twice, which its extension must judge.
    pub params: Vec<Param<'a>>,
}

/// A parameter of an extension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Param<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its value with quotes and escapes undone; none for a mere flag.
    pub value: Option<Cow<'a, str>>,
}

/// A value that is not what section 9.1 describes, or is over the limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// The offers of all `values` of the header, in order of preference.
///
/// # Errors
///
/// [`Malformed`]. A server then declines all extensions, a client fails the handshake.
pub fn parse<'a>(values: impl Iterator<Item = &'a [u8]>) -> Result<Vec<Offer<'a>>, Malformed> {
    let mut offers = Vec::new();
    for value in values {
        let mut rest = Rest(str::from_utf8(value).map_err(|_| Malformed)?);
        loop {
            rest.skip_space();
            if rest.0.is_empty() {
                break;
            }
            if rest.take(b',') {
                continue;
            }
            if offers.len() == OFFERS_MAX {
                return Err(Malformed);
            }
            offers.push(rest.offer()?);
            if !rest.0.is_empty() && !rest.take(b',') {
                return Err(Malformed);
            }
        }
    }
    Ok(offers)
}

/// What is still to be read of a value.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    fn offer(&mut self) -> Result<Offer<'a>, Malformed> {
        let name = self.token()?;
        let mut params = Vec::new();
        self.skip_space();
        while self.take(b';') {
            if params.len() == PARAMS_MAX {
                return Err(Malformed);
            }
            self.skip_space();
            let name = self.token()?;
            self.skip_space();
            let value = if self.take(b'=') {
                self.skip_space();
                Some(if self.take(b'"') { self.quoted()? } else { Cow::Borrowed(self.token()?) })
            } else {
                None
            };
            self.skip_space();
            params.push(Param { name, value });
        }
        Ok(Offer { name, params })
    }

    fn token(&mut self) -> Result<&'a str, Malformed> {
        let len = self.0.bytes().take_while(|&octet| is_token_octet(octet)).count();
        let (token, rest) = self.0.split_at_checked(len).ok_or(Malformed)?;
        self.0 = rest;
        if token.is_empty() { Err(Malformed) } else { Ok(token) }
    }

    /// What follows an opening quote. "When using the quoted-string syntax variant, the value after
    /// quoted-string unescaping MUST conform to the 'token' ABNF."
    fn quoted(&mut self) -> Result<Cow<'a, str>, Malformed> {
        let bare = self.token().unwrap_or_default();
        if !bare.is_empty() && self.take(b'"') {
            return Ok(Cow::Borrowed(bare));
        }
        let mut value = String::from(bare);
        let mut octets = self.0.bytes().enumerate();
        while let Some((at, octet)) = octets.next() {
            let octet = match octet {
                b'"' if value.is_empty() => return Err(Malformed),
                b'"' => {
                    self.0 = self.0.get(at.saturating_add(1)..).unwrap_or_default();
                    return Ok(Cow::Owned(value));
                }
                b'\\' => octets.next().ok_or(Malformed)?.1,
                octet => octet,
            };
            if !is_token_octet(octet) {
                return Err(Malformed);
            }
            value.push(char::from(octet));
        }
        Err(Malformed)
    }

    fn take(&mut self, octet: u8) -> bool {
        let rest = self.0.strip_prefix(char::from(octet));
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    fn skip_space(&mut self) {
        self.0 = self.0.trim_start_matches([' ', '\t']);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The offers written out plainly.
    fn plain(value: &str) -> Result<String, Malformed> {
        let offers = parse(std::iter::once(value.as_bytes()))?;
        let one = |offer: &Offer<'_>| {
            offer.params.iter().fold(offer.name.to_owned(), |line, param| match &param.value {
                Some(value) => format!("{line};{}={value}", param.name),
                None => format!("{line};{}", param.name),
            })
        };
        Ok(offers.iter().map(one).collect::<Vec<_>>().join(","))
    }

    #[test]
    fn offers_and_what_is_none() {
        let rows = [
            ("", Ok("")),
            ("foo", Ok("foo")),
            ("foo, bar; baz=2", Ok("foo,bar;baz=2")),
            (",, foo ,\t,bar", Ok("foo,bar")),
            (
                "permessage-deflate; client_max_window_bits; server_max_window_bits=10",
                Ok("permessage-deflate;client_max_window_bits;server_max_window_bits=10"),
            ),
            ("a; b=\"10\"", Ok("a;b=10")),
            ("a; b=\"1\\0\"; c", Ok("a;b=10;c")),
            ("a ; b = \"\\1\\2\" , d", Ok("a;b=12,d")),
            ("a;b;b=1;b", Ok("a;b;b=1;b")),
            ("a;", Err(Malformed)),
            ("a;;b", Err(Malformed)),
            ("a;b=", Err(Malformed)),
            ("a;b=\"\"", Err(Malformed)),
            ("a;b=\"1 0\"", Err(Malformed)),
            ("a;b=\"1\\ 0\"", Err(Malformed)),
            ("a;b=\"1", Err(Malformed)),
            ("a;b=\"1\\", Err(Malformed)),
            ("a b", Err(Malformed)),
            ("a;b=\"1\"c", Err(Malformed)),
            ("=1", Err(Malformed)),
            ("ä", Err(Malformed)),
        ];
        for (value, expected) in rows {
            assert_eq!(plain(value).as_deref(), expected.as_ref().copied(), "{value}");
        }
        assert_eq!(parse([&b"\xff"[..]].into_iter()), Err(Malformed));
        assert_eq!(parse([&b"a"[..], b"b"].into_iter()).map(|offers| offers.len()), Ok(2));
    }

    #[test]
    fn limits_and_linear_time() {
        assert!(plain(&vec!["a"; OFFERS_MAX].join(",")).is_ok());
        assert!(plain(&vec!["a"; OFFERS_MAX + 1].join(",")).is_err());
        assert!(plain(&format!("a{}", ";b".repeat(PARAMS_MAX))).is_ok());
        assert!(plain(&format!("a{}", ";b".repeat(PARAMS_MAX + 1))).is_err());
        // Quadratic, a mebibyte would take minutes.
        assert!(plain(&format!("a;b=\"{}", "\\\"".repeat(1 << 19))).is_err());
        assert!(plain(&format!("a;b=\"{}", "\\a".repeat(1 << 19))).is_err());
        assert!(plain(&format!("a{}x", " ".repeat(1 << 20))).is_err());
        assert_eq!(plain(&",".repeat(1 << 20)).as_deref(), Ok(""));
    }
}
