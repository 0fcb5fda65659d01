//! A recursive descent over RFC 8259 that keeps nothing but the keys of open objects.
//!
//! Law: it recurses at most [`DEPTH_MAX`] deep and reads every byte once. Limit: texts below 4 GiB.

use super::flaw::{Flaw, What};
use super::plain::plain_len;
use super::scan::{DEPTH_MAX, Head};
use super::unique::{Keys, Span};

pub(super) struct Scanner<'a> {
    text: &'a str,
    rest: &'a [u8],
    keys: Keys,
}

impl<'a> Scanner<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self { text, rest: text.as_bytes(), keys: Keys::new() }
    }

    pub(super) const fn at(&self) -> usize {
        self.text.len().saturating_sub(self.rest.len())
    }

    fn expected<T>(&self, what: &'static str) -> Result<T, Flaw> {
        Err(Flaw { at: self.at(), what: What::Expected(what) })
    }

    /// Places are kept in 32 bits.
    const fn bounded(&self) -> Result<(), Flaw> {
        if self.text.len() > u32::MAX as usize {
            return Err(Flaw { at: 0, what: What::Range });
        }
        Ok(())
    }

    fn skip(&mut self, byte: u8) -> bool {
        match self.rest {
            [first, rest @ ..] if *first == byte => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    fn white(&mut self) {
        while let [b' ' | b'\n' | b'\r' | b'\t', rest @ ..] = self.rest {
            self.rest = rest;
        }
    }

    /// One value from the first byte to the last, which lies at `depth`.
    pub(super) fn whole(&mut self, depth: u32) -> Result<(), Flaw> {
        self.bounded()?;
        self.white();
        self.value(depth)?;
        self.white();
        if self.rest.is_empty() { Ok(()) } else { self.expected("the end") }
    }

    /// One object at depth 1, and where its `type` and `request_id` are.
    pub(super) fn message(&mut self, head: &mut Head) -> Result<(), Flaw> {
        self.bounded()?;
        if !self.skip(b'{') {
            return self.expected("a JSON object");
        }
        self.object(1, Some(head))
    }

    /// A value that, if it is an object or an array, lies at `depth`.
    fn value(&mut self, depth: u32) -> Result<(), Flaw> {
        let [first, rest @ ..] = self.rest else { return self.expected("a value") };
        if matches!(first, b'{' | b'[') && depth > DEPTH_MAX {
            return Err(Flaw { at: self.at(), what: What::Deep });
        }
        match first {
            b'"' => {
                self.rest = rest;
                self.string().map(drop)
            }
            b'{' => {
                self.rest = rest;
                self.object(depth, None)
            }
            b'[' => {
                self.rest = rest;
                self.array(depth)
            }
            b'-' | b'0'..=b'9' => self.number(),
            b't' => self.literal(b"true"),
            b'f' => self.literal(b"false"),
            b'n' => self.literal(b"null"),
            _ => self.expected("a value"),
        }
    }

    fn literal(&mut self, word: &[u8]) -> Result<(), Flaw> {
        let Some(rest) = self.rest.strip_prefix(word) else { return self.expected("a value") };
        self.rest = rest;
        Ok(())
    }

    /// The rest of an array after `[`.
    fn array(&mut self, depth: u32) -> Result<(), Flaw> {
        self.white();
        if self.skip(b']') {
            return Ok(());
        }
        loop {
            self.white();
            self.value(depth.saturating_add(1))?;
            self.white();
            if self.skip(b']') {
                return Ok(());
            }
            if !self.skip(b',') {
                return self.expected("a comma or \"]\"");
            }
        }
    }

    /// The rest of an object after `{`; `head` is given for the message itself.
    fn object(&mut self, depth: u32, mut head: Option<&mut Head>) -> Result<(), Flaw> {
        let from = self.keys.len();
        self.white();
        if self.skip(b'}') {
            return Ok(());
        }
        loop {
            self.white();
            if !self.skip(b'"') {
                return self.expected("a key in double quotes");
            }
            let key = self.string()?;
            self.keys.push(key);
            self.white();
            if !self.skip(b':') {
                return self.expected("a colon");
            }
            self.white();
            let start = self.at();
            self.value(depth.saturating_add(1))?;
            if let Some(head) = head.as_deref_mut() {
                match &*key.unescape(self.text) {
                    "type" => head.word = Some((start, self.at())),
                    "request_id" => head.request_id = Some((start, self.at())),
                    _ => {}
                }
            }
            self.white();
            if self.skip(b'}') {
                break;
            }
            if !self.skip(b',') {
                return self.expected("a comma or \"}\"");
            }
        }
        match self.keys.close(self.text, from) {
            Some(key) => Err(Flaw { at: key.start as usize, what: What::Repeated(key) }),
            None => Ok(()),
        }
    }

    /// The rest of a string after its opening quote.
    fn string(&mut self) -> Result<Span, Flaw> {
        let start = self.at();
        let mut escaped = false;
        loop {
            self.rest = self.rest.get(plain_len(self.rest)..).unwrap_or_default();
            match self.rest {
                [b'"', rest @ ..] => {
                    let span = Span { start: start as u32, end: self.at() as u32, escaped };
                    self.rest = rest;
                    return Ok(span);
                }
                [b'\\', ..] => {
                    escaped = true;
                    self.escape()?;
                }
                [_, ..] => return Err(Flaw { at: self.at(), what: What::Control }),
                [] => return self.expected("the end of a string"),
            }
        }
    }

    fn escape(&mut self) -> Result<(), Flaw> {
        let lone = Flaw { at: self.at(), what: What::Surrogate };
        self.skip(b'\\');
        match self.rest {
            [b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', rest @ ..] => {
                self.rest = rest;
                Ok(())
            }
            [b'u', rest @ ..] => {
                self.rest = rest;
                match self.hex4()? {
                    0xd800..=0xdbff if self.rest.starts_with(b"\\u") => {
                        self.rest = self.rest.get(2..).unwrap_or_default();
                        let low = self.hex4()?;
                        if (0xdc00..=0xdfff).contains(&low) { Ok(()) } else { Err(lone) }
                    }
                    0xd800..=0xdfff => Err(lone),
                    _ => Ok(()),
                }
            }
            _ => self.expected("an escape"),
        }
    }

    fn hex4(&mut self) -> Result<u32, Flaw> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.rest.first().and_then(|b| char::from(*b).to_digit(16));
            let Some(digit) = digit else { return self.expected("a hexadecimal digit") };
            code = (code << 4) | digit;
            self.rest = self.rest.get(1..).unwrap_or_default();
        }
        Ok(code)
    }

    fn number(&mut self) -> Result<(), Flaw> {
        let (start, from) = (self.at(), self.rest);
        self.skip(b'-');
        if !self.skip(b'0') {
            self.digits()?;
        }
        if self.skip(b'.') {
            self.digits()?;
        }
        let exponent = self.skip(b'e') || self.skip(b'E');
        if exponent {
            let _ = self.skip(b'+') || self.skip(b'-');
            self.digits()?;
        }
        let len = from.len().saturating_sub(self.rest.len());
        // Only an exponent or more than 308 digits leave the range of f64.
        if exponent || len > 308 {
            let text = self.text.get(start..self.at()).unwrap_or_default();
            if !text.parse::<f64>().is_ok_and(f64::is_finite) {
                return Err(Flaw { at: start, what: What::Range });
            }
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Flaw> {
        let [b'0'..=b'9', ..] = self.rest else { return self.expected("a digit") };
        while let [b'0'..=b'9', rest @ ..] = self.rest {
            self.rest = rest;
        }
        Ok(())
    }
}
