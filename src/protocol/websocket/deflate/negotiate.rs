//! What two ends agree on: RFC 7692 sections 5 and 7.1.
//!
//! Law: an offer is accepted as the client wrote it or declined, never bent; whoever answers what
//! was not offered fails the handshake. Limit: the first acceptable offer is taken.

use std::fmt;

use super::super::handshake::extensions::Offer;

/// The registered name of the extension.
pub const NAME: &str = "permessage-deflate";

const SERVER_NO_CONTEXT_TAKEOVER: &str = "server_no_context_takeover";
const CLIENT_NO_CONTEXT_TAKEOVER: &str = "client_no_context_takeover";
const SERVER_MAX_WINDOW_BITS: &str = "server_max_window_bits";
const CLIENT_MAX_WINDOW_BITS: &str = "client_max_window_bits";

/// The size of an LZ77 window as the power of two that it is: 8 to 15.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WindowBits(u8);

impl WindowBits {
    /// 256 bytes.
    pub const MIN: Self = Self(8);
    /// 32 KiB: what holds when nothing is said.
    pub const MAX: Self = Self(15);

    /// A window of 2^`bits` bytes; none when `bits` is not from 8 to 15.
    #[must_use]
    pub const fn new(bits: u8) -> Option<Self> {
        if bits >= 8 && bits <= 15 { Some(Self(bits)) } else { None }
    }

    /// The power of two.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }

    /// Whether anything can be compressed with it: zlib has no raw stream of 2^8.
    #[must_use]
    pub const fn can_compress(self) -> bool {
        self.0 > Self::MIN.0
    }

    /// "a decimal integer value without leading zeroes between 8 to 15 inclusive" (section 7.1.2).
    fn parse(text: &str) -> Option<Self> {
        let bits = text.parse().ok().and_then(Self::new)?;
        (bits.0.to_string() == text).then_some(bits)
    }
}

/// How one end compresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Direction {
    /// Whether a message may refer back to those before it (context takeover).
    pub takeover: bool,
    /// How far back.
    pub window: WindowBits,
}

impl Direction {
    /// What holds when nothing is said: context takeover and a window of 32 KiB.
    pub const DEFAULT: Self = Self { takeover: true, window: WindowBits::MAX };
    /// Every message for itself.
    pub const ALONE: Self = Self { takeover: false, window: WindowBits::MAX };
}

/// What an end is willing to do, and how it compresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The most that the server may do.
    pub server: Direction,
    /// The most that the client may do.
    pub client: Direction,
    /// zlib's level, 1 to 9; each step is slower and saves more.
    pub level: u8,
    /// zlib's memory level, 1 to 9.
    pub mem_level: u8,
    /// Messages shorter than this are sent as they are.
    pub min_bytes: usize,
}

impl Settings {
    /// Every message for itself, from 1 KiB on: nothing is kept between messages.
    pub const ALONE: Self = Self {
        server: Direction::ALONE,
        client: Direction::ALONE,
        level: 1,
        mem_level: 8,
        min_bytes: 1024,
    };

    /// With context takeover both ways; even short messages shrink.
    pub const TAKEOVER: Self = Self {
        server: Direction::DEFAULT,
        client: Direction::DEFAULT,
        level: 1,
        mem_level: 8,
        min_bytes: 32,
    };

    /// As a server: the terms of the first of `offers` that can be kept, with the value of
    /// `Sec-WebSocket-Extensions` that says so; none when all are declined.
    #[must_use]
    pub fn accept(&self, offers: &[Offer<'_>]) -> Option<(Agreed, String)> {
        let ours = offers.iter().filter(|offer| offer.name == NAME);
        ours.filter_map(Params::read).find_map(|params| self.accept_one(&params))
    }

    fn accept_one(&self, offer: &Params) -> Option<(Agreed, String)> {
        let window = self.server.window.min(offer.server_max_window_bits.unwrap_or_default());
        if !window.can_compress() {
            return None;
        }
        // Without the parameter "the server … MUST NOT include" it; with one, its value is "a hint"
        // that the client keeps to whatever is answered (section 7.1.2.2).
        let hint = offer.client_max_window_bits.map(Option::unwrap_or_default);
        let server = Direction {
            takeover: self.server.takeover && !offer.server_no_context_takeover,
            window,
        };
        let client = Direction {
            takeover: self.client.takeover && !offer.client_no_context_takeover,
            window: hint.map_or(WindowBits::MAX, |hint| hint.min(self.client.window)),
        };
        let answer = Params {
            server_no_context_takeover: !server.takeover,
            client_no_context_takeover: !client.takeover,
            server_max_window_bits: (offer.server_max_window_bits.is_some()
                || window < WindowBits::MAX)
                .then_some(window),
            client_max_window_bits: hint
                .filter(|_| self.client.window < WindowBits::MAX)
                .map(|_| Some(client.window)),
        };
        Some((Agreed { server, client }, answer.to_string()))
    }

    /// As a client: the value of `Sec-WebSocket-Extensions` that offers these terms.
    #[must_use]
    pub fn offer(&self) -> String {
        self.offered().to_string()
    }

    fn offered(&self) -> Params {
        let less = |window: WindowBits| (window < WindowBits::MAX).then_some(window);
        Params {
            server_no_context_takeover: !self.server.takeover,
            client_no_context_takeover: !self.client.takeover,
            server_max_window_bits: less(self.server.window),
            // Always offered, because else the server may not ask for a smaller window.
            client_max_window_bits: Some(less(self.client.window)),
        }
    }

    /// As a client that sent [`offer`](Self::offer): what the server's `answers` amount to; none
    /// when it declined.
    ///
    /// # Errors
    ///
    /// [`NotAgreed`], after which "the client MUST _Fail the WebSocket Connection_" (section 7.1).
    pub fn agree(&self, answers: &[Offer<'_>]) -> Result<Option<Agreed>, NotAgreed> {
        let mut ours = answers.iter().filter(|answer| answer.name == NAME);
        let Some(answer) = ours.next() else { return Ok(None) };
        if ours.next().is_some() {
            return Err(NotAgreed);
        }
        let answer = Params::read(answer).ok_or(NotAgreed)?;
        let offered = self.offered();
        let client_window = match answer.client_max_window_bits {
            None => WindowBits::MAX,
            // "the parameter with no value" is for offers only.
            Some(None) => return Err(NotAgreed),
            Some(Some(window)) => window,
        };
        let server_window = answer.server_max_window_bits.unwrap_or_default();
        let kept = (answer.server_no_context_takeover || !offered.server_no_context_takeover)
            && server_window <= self.server.window
            && (answer.client_max_window_bits.is_none() || client_window <= self.client.window);
        if !kept {
            return Err(NotAgreed);
        }
        let client = Direction {
            takeover: self.client.takeover && !answer.client_no_context_takeover,
            window: client_window.min(self.client.window),
        };
        let server =
            Direction { takeover: !answer.server_no_context_takeover, window: server_window };
        Ok(Some(Agreed { server, client }))
    }
}

impl Default for WindowBits {
    fn default() -> Self {
        Self::MAX
    }
}

/// What both ends have agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// How the server compresses.
    pub server: Direction,
    /// How the client compresses.
    pub client: Direction,
}

/// An answer that does not fit the offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAgreed;

impl fmt::Display for NotAgreed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the server answered permessage-deflate in terms that were not offered")
    }
}

impl std::error::Error for NotAgreed {}

/// The parameters of one offer or answer; of the client's window, also whether it has a value.
#[derive(Debug, Default)]
struct Params {
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    server_max_window_bits: Option<WindowBits>,
    client_max_window_bits: Option<Option<WindowBits>>,
}

impl Params {
    /// None when a parameter is unknown, comes twice, or has a value that it may not have: "A server
    /// MUST decline", a client must fail (section 7.1).
    fn read(offer: &Offer<'_>) -> Option<Self> {
        let mut read = Self::default();
        for param in &offer.params {
            let window = match param.value.as_deref() {
                None => None,
                Some(value) => Some(WindowBits::parse(value)?),
            };
            let twice = match (param.name, window) {
                (SERVER_NO_CONTEXT_TAKEOVER, None) => {
                    std::mem::replace(&mut read.server_no_context_takeover, true)
                }
                (CLIENT_NO_CONTEXT_TAKEOVER, None) => {
                    std::mem::replace(&mut read.client_no_context_takeover, true)
                }
                (SERVER_MAX_WINDOW_BITS, Some(_)) => {
                    std::mem::replace(&mut read.server_max_window_bits, window).is_some()
                }
                (CLIENT_MAX_WINDOW_BITS, _) => {
                    read.client_max_window_bits.replace(window).is_some()
                }
                _ => return None,
            };
            if twice {
                return None;
            }
        }
        Some(read)
    }
}

impl fmt::Display for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NAME)?;
        for (said, name) in [
            (self.server_no_context_takeover, SERVER_NO_CONTEXT_TAKEOVER),
            (self.client_no_context_takeover, CLIENT_NO_CONTEXT_TAKEOVER),
        ] {
            if said {
                write!(f, "; {name}")?;
            }
        }
        if let Some(window) = self.server_max_window_bits {
            write!(f, "; {SERVER_MAX_WINDOW_BITS}={}", window.0)?;
        }
        match self.client_max_window_bits {
            None => Ok(()),
            Some(None) => write!(f, "; {CLIENT_MAX_WINDOW_BITS}"),
            Some(Some(window)) => write!(f, "; {CLIENT_MAX_WINDOW_BITS}={}", window.0),
        }
    }
}
