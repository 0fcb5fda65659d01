//! UTF-8 that arrives in pieces: RFC 6455 section 8.1, RFC 3629.
//!
//! Fails at the first octet that no continuation could repair, whatever the cuts, and holds at most
//! three octets of an unfinished character.

use super::error::Error;

/// The octets of a character that is not finished yet.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Utf8 {
    pending: [u8; 4],
    len: u8,
}

impl Utf8 {
    /// Takes the next piece of the text.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidUtf8`] when no further octets could make it UTF-8.
    pub(super) fn push(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        while self.len > 0 {
            let Some((&octet, rest)) = bytes.split_first() else { return Ok(()) };
            bytes = rest;
            self.complete(octet)?;
        }
        match simdutf8::compat::from_utf8(bytes) {
            Ok(_) => Ok(()),
            Err(error) if error.error_len().is_some() => Err(Error::InvalidUtf8),
            Err(error) => {
                for &octet in bytes.get(error.valid_up_to()..).unwrap_or_default() {
                    self.hold(octet);
                }
                Ok(())
            }
        }
    }

    /// The end of the text.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidUtf8`] when it ends inside a character.
    pub(super) const fn finish(self) -> Result<(), Error> {
        if self.len == 0 { Ok(()) } else { Err(Error::InvalidUtf8) }
    }

    fn complete(&mut self, octet: u8) -> Result<(), Error> {
        self.hold(octet);
        let held = self.pending.get(..usize::from(self.len)).unwrap_or_default();
        match std::str::from_utf8(held) {
            Ok(_) => self.len = 0,
            Err(error) if error.error_len().is_none() => {}
            Err(_) => return Err(Error::InvalidUtf8),
        }
        Ok(())
    }

    fn hold(&mut self, octet: u8) {
        if let Some(place) = self.pending.get_mut(usize::from(self.len)) {
            *place = octet;
            self.len = self.len.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The number of octets taken when `text` comes octet by octet; all of them when it is fine.
    fn accepted(text: &[u8]) -> usize {
        let mut utf8 = Utf8::default();
        text.iter().take_while(|&&octet| utf8.push(&[octet]).is_ok()).count()
    }

    fn whole(text: &[u8], cut: usize) -> bool {
        let mut utf8 = Utf8::default();
        utf8.push(&text[..cut]).and_then(|()| utf8.push(&text[cut..])).is_ok()
            && utf8.finish().is_ok()
    }

    #[test]
    fn agrees_with_the_standard_library_at_every_cut() {
        let rows: &[&[u8]] = &[
            b"",
            b"plain",
            "κόσμε".as_bytes(),
            "a\u{7ff}\u{800}\u{ffff}\u{10000}\u{10ffff}z".as_bytes(),
            b"\xc0\xaf",
            b"\xe0\x80\xaf",
            b"ab\xed\xa0\x80cd",
            b"\xf4\x90\x80\x80",
            b"\xf8\x88\x80\x80\x80",
            b"\xce",
            b"abc\xe2\x82",
            b"\x80",
            b"\xf0\x9f\x98",
            b"\xf0\x9f\x98\x80\xff",
        ];
        for text in rows {
            for cut in 0..=text.len() {
                assert_eq!(
                    whole(text, cut),
                    std::str::from_utf8(text).is_ok(),
                    "{text:?} at {cut}"
                );
            }
        }
    }

    #[test]
    fn fails_at_the_first_octet_that_cannot_be_repaired() {
        let rows: &[(&[u8], usize)] = &[
            (b"\xc0\xaf", 0),
            (b"\xe0\x80\xaf", 1),
            (b"ab\xed\xa0\x80", 3),
            (b"\xf4\x90\x80\x80", 1),
            (b"\xf5\x80", 0),
            (b"\xf0\x9f\x98x", 3),
        ];
        for (text, taken) in rows {
            assert_eq!(accepted(text), *taken, "{text:?}");
        }
    }
}
