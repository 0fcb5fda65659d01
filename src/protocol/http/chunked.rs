//! The chunked transfer coding (RFC 9112 §7.1), decoded as it comes.
//!
//! Law: what is accepted has one reading: sizes are 1 to 16 hexadecimal digits, every line ends in
//! CRLF, a chunk is followed by CRLF. Extensions and trailers are checked, bounded and ignored.
//! Limits: the body is the caller's; extensions and trailers have 1 KiB each.

use super::Error;
use super::body::take;
use super::text::{is_field_byte, is_tchar, read_line};

/// Bytes that all chunk extensions of a body may have together, and all trailers.
pub(super) const OVERHEAD_BYTES_MAX: usize = 1024;

/// Digits of a size; sixteen hold a `u64`.
const SIZE_DIGITS_MAX: usize = 16;

/// Decodes one chunked body.
#[derive(Default)]
pub(super) struct Decoder {
    body: Vec<u8>,
    /// The line that is being read.
    line: Vec<u8>,
    extension_bytes: usize,
    trailer_bytes: usize,
    state: State,
}

#[derive(Default)]
enum State {
    /// In the line that holds a size.
    #[default]
    Size,
    /// In a chunk of which so many bytes are to come.
    Data(usize),
    /// In the CRLF after a chunk.
    DataEnd,
    /// After the last chunk.
    Trailer,
    Done,
}

impl Decoder {
    /// Whether the last chunk and the trailer have ended.
    pub(super) const fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// What the chunks held.
    pub(super) fn body(&self) -> &[u8] {
        &self.body
    }

    /// Reads on until the body or the input ends.
    pub(super) fn read(&mut self, bytes: &[u8], at: &mut usize, limit: usize) -> Result<(), Error> {
        while *at < bytes.len() && !self.is_done() {
            match &mut self.state {
                State::Size => self.read_size(bytes, at, limit)?,
                State::Data(left) => {
                    take(&mut self.body, left, bytes, at);
                    if *left == 0 {
                        self.state = State::DataEnd;
                    }
                }
                State::DataEnd => self.read_data_end(bytes, at)?,
                State::Trailer => self.read_trailer(bytes, at)?,
                State::Done => {}
            }
        }
        Ok(())
    }

    fn read_size(&mut self, bytes: &[u8], at: &mut usize, limit: usize) -> Result<(), Error> {
        const TOO_LONG: Error = Error::BadRequest("chunk extensions are too long");
        let most = OVERHEAD_BYTES_MAX
            .saturating_sub(self.extension_bytes)
            .saturating_add(SIZE_DIGITS_MAX)
            .saturating_add(2);
        if !read_line(&mut self.line, most, TOO_LONG, bytes, at)? {
            return Ok(());
        }
        let line = std::mem::take(&mut self.line);
        let (size, extension) =
            size_line(&line).ok_or(Error::BadRequest("a chunk size is malformed"))?;
        self.extension_bytes = self.extension_bytes.saturating_add(extension);
        if self.extension_bytes > OVERHEAD_BYTES_MAX {
            return Err(TOO_LONG);
        }
        let room = limit.saturating_sub(self.body.len());
        let size = usize::try_from(size).map_err(|_| Error::ContentTooLarge)?;
        if size > room {
            return Err(Error::ContentTooLarge);
        }
        self.state = if size == 0 { State::Trailer } else { State::Data(size) };
        Ok(())
    }

    fn read_data_end(&mut self, bytes: &[u8], at: &mut usize) -> Result<(), Error> {
        let byte = bytes.get(*at).copied().unwrap_or_default();
        *at = at.saturating_add(1);
        match (self.line.as_slice(), byte) {
            ([], b'\r') => self.line.push(byte),
            ([b'\r'], b'\n') => {
                self.line = Vec::new();
                self.state = State::Size;
            }
            _ => return Err(Error::BadRequest("a chunk is longer than its size")),
        }
        Ok(())
    }

    fn read_trailer(&mut self, bytes: &[u8], at: &mut usize) -> Result<(), Error> {
        let most = OVERHEAD_BYTES_MAX.saturating_sub(self.trailer_bytes).saturating_add(2);
        if !read_line(&mut self.line, most, Error::HeaderFieldsTooLarge, bytes, at)? {
            return Ok(());
        }
        let line = std::mem::take(&mut self.line);
        if line == b"\r\n" {
            self.state = State::Done;
            return Ok(());
        }
        self.trailer_bytes = self.trailer_bytes.saturating_add(line.len());
        let colon = line.iter().position(|byte| !is_tchar(*byte)).unwrap_or_default();
        let value = line.get(colon..).and_then(|rest| rest.strip_prefix(b":"));
        let value = value.and_then(|value| value.strip_suffix(b"\r\n")).unwrap_or(b"\n");
        if colon == 0 || !value.iter().all(|byte| is_field_byte(*byte)) {
            return Err(Error::BadRequest("a trailer is malformed"));
        }
        Ok(())
    }
}

/// `chunk-size [ chunk-ext ] CRLF`: the size, and how many bytes the extensions have.
fn size_line(line: &[u8]) -> Option<(u64, usize)> {
    let line = line.strip_suffix(b"\r\n")?;
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    if !(1..=SIZE_DIGITS_MAX).contains(&digits) {
        return None;
    }
    let (digits, extension) = line.split_at_checked(digits)?;
    if !is_extension(extension) {
        return None;
    }
    let size = u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    Some((size, extension.len()))
}

/// `*( BWS ";" BWS name [ BWS "=" BWS value ] )` by its beginning and its characters.
fn is_extension(bytes: &[u8]) -> bool {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    if bytes.is_empty() {
        return true;
    }
    let mut rest = bytes.iter().skip_while(|byte| blank(byte));
    rest.next() == Some(&b';')
        && rest.find(|byte| !blank(byte)).is_some_and(|byte| is_tchar(*byte))
        && bytes.iter().all(|byte| is_field_byte(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (line, size) in [
            ("0", 0),
            ("5", 5),
            ("A", 10),
            ("ff", 255),
            ("000005", 5),
            ("5;a", 5),
            ("5;a=b;c=\"d;e\"", 5),
            ("5 ; a = b", 5),
            ("ffffffffffffffff", u64::MAX),
        ] {
            let line = format!("{line}\r\n");
            assert_eq!(size_line(line.as_bytes()).map(|(size, _)| size), Some(size), "{line}");
            let theirs = httparse::parse_chunk_size(line.as_bytes());
            assert_eq!(theirs, Ok(httparse::Status::Complete((line.len(), size))), "{line}");
        }
        for line in [
            "",
            " 5",
            "-1",
            "+5",
            "0x5",
            "5h",
            "5 5",
            "5 ",
            "5;",
            "5; ",
            "5;\0",
            "5;a\rb",
            "5\r",
            "10000000000000000",
            "00000000000000005",
            "g",
            ";a",
            "5,5",
            "5_0",
        ] {
            assert_eq!(size_line(format!("{line}\r\n").as_bytes()), None, "{line:?}");
        }
    }
}
