//! As much of each protocol as load needs: frames made once, messages counted and not understood.

/// How the messages in a stream of bytes are told apart.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Framing {
    /// All are this long.
    Fixed(usize),
    /// Each holds this byte once.
    Byte(u8),
    /// RFC 6455 §5.2, unmasked; control frames do not count.
    WebSocket,
}

/// Counts the messages in a stream.
#[derive(Clone, Debug)]
pub(crate) struct Counter {
    framing: Framing,
    /// Bytes of the current message or frame: still to come, or with [`Framing::Fixed`] come.
    bytes: usize,
    /// The header of a frame, as far as it came.
    head: [u8; 10],
    head_bytes: usize,
}

impl Counter {
    pub(crate) const fn new(framing: Framing) -> Self {
        Self { framing, bytes: 0, head: [0; 10], head_bytes: 0 }
    }

    /// How many messages end within `bytes`, which are the next of the stream.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> u64 {
        match self.framing {
            Framing::Fixed(each) => {
                self.bytes += bytes.len();
                let whole = self.bytes / each;
                self.bytes %= each;
                whole as u64
            }
            Framing::Byte(byte) => memchr::memchr_iter(byte, bytes).count() as u64,
            Framing::WebSocket => self.take_frames(bytes),
        }
    }

    fn take_frames(&mut self, mut bytes: &[u8]) -> u64 {
        let mut whole = 0;
        while !bytes.is_empty() {
            if self.bytes == 0 {
                self.head[self.head_bytes] = bytes[0];
                self.head_bytes += 1;
                bytes = &bytes[1..];
                let Some(payload) = payload_bytes(&self.head[..self.head_bytes]) else { continue };
                self.head_bytes = 0;
                self.bytes = payload;
            }
            let taken = self.bytes.min(bytes.len());
            self.bytes -= taken;
            bytes = &bytes[taken..];
            if self.bytes == 0 && self.head[0] & 0x0f < 8 {
                whole += 1;
            }
        }
        whole
    }
}

/// The length of the payload, once the header of an unmasked frame is whole.
pub(crate) fn payload_bytes(head: &[u8]) -> Option<usize> {
    match (head.get(1)? & 0x7f, head) {
        (126, [_, _, a, b]) => Some(usize::from(u16::from_be_bytes([*a, *b]))),
        (127, [_, _, length @ ..]) => Some(u64::from_be_bytes(length.try_into().ok()?) as usize),
        (126 | 127, _) => None,
        (short, [_, _]) => Some(usize::from(short)),
        _ => None,
    }
}

/// A client's text frame, masked (RFC 6455 §5.3).
pub(crate) fn masked(payload: &[u8]) -> Vec<u8> {
    client_frame(0x81, payload)
}

/// Any frame of a client; `first` is its first octet.
pub(crate) fn client_frame(first: u8, payload: &[u8]) -> Vec<u8> {
    const KEY: [u8; 4] = [0x5a, 0xc3, 0x19, 0x7e];
    let mut frame = vec![first];
    match payload.len() {
        short @ 0..=125 => frame.push(0x80 | short as u8),
        long @ 126..=65_535 => {
            frame.push(0x80 | 126);
            frame.extend((long as u16).to_be_bytes());
        }
        long => {
            frame.push(0x80 | 127);
            frame.extend((long as u64).to_be_bytes());
        }
    }
    frame.extend(KEY);
    frame.extend(payload.iter().zip(KEY.iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}

/// The opening handshake of a client (RFC 6455 §4.1).
pub(crate) fn upgrade(path: &str) -> String {
    upgrade_with(path, "")
}

/// The same, with an offer of extensions (RFC 6455 §9.1) unless it is empty.
pub(crate) fn upgrade_with(path: &str, extensions: &str) -> String {
    let offer = match extensions {
        "" => String::new(),
        some => format!("Sec-WebSocket-Extensions: {some}\r\n"),
    };
    format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{offer}\r\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_counted_however_the_stream_is_cut() {
        let long = [&[0x81, 126, 1, 0][..], &[b'x'; 256]].concat();
        let frames = [&[0x81, 2, b'h', b'i'][..], &[0x89, 1, b'p'], &[0x82, 0], &long].concat();
        for (framing, bytes, messages) in [
            (Framing::WebSocket, &frames[..], 3),
            (Framing::Byte(b'\n'), b"one\ntwo\n", 2),
            (Framing::Fixed(3), b"oneonetwo", 3),
        ] {
            for cut in 1..=bytes.len() {
                let mut counter = Counter::new(framing);
                let counted: u64 = bytes.chunks(cut).map(|part| counter.take(part)).sum();
                assert_eq!(counted, messages, "{framing:?} in pieces of {cut}");
            }
        }
    }

    #[test]
    fn a_masked_frame_says_its_length() {
        for (bytes, head) in [(0, 2), (125, 2), (126, 4), (65_535, 4), (65_536, 10)] {
            let frame = masked(&vec![b'x'; bytes]);
            assert_eq!(frame.len(), head + 4 + bytes);
            assert_eq!(payload_bytes(&frame[..head]), Some(bytes));
        }
    }
}
