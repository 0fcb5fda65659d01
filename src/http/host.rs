//! The host that a client asked for, to tell it what to type (RFC 9110 §7.2).

use crate::protocol::http::Request;

/// A host as it was written, and its parts.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Host<'a> {
    /// `name:port`, as in a URL.
    pub(super) whole: &'a str,
    /// The name alone, an IPv6 address without its brackets.
    pub(super) name: &'a str,
    /// The port; that of HTTP when none was written.
    pub(super) port: &'a str,
}

impl<'a> Host<'a> {
    /// The host of a request; a place holder when it has none.
    pub(super) fn of(request: &Request<'a>) -> Self {
        Self::parse(request.host().filter(|host| !host.is_empty()).unwrap_or("HOST:PORT"))
    }

    fn parse(whole: &'a str) -> Self {
        let (name, port) = match whole.rsplit_once(':') {
            // A colon within brackets is of the address.
            Some((name, port)) if !port.contains(']') => (name, port),
            _ => (whole, ""),
        };
        let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
        Self { whole, name: bare, port: if port.is_empty() { "80" } else { port } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_ports() {
        for (whole, name, port) in [
            ("localhost:5000", "localhost", "5000"),
            ("chat.example", "chat.example", "80"),
            ("chat.example:", "chat.example", "80"),
            ("[::1]:5000", "::1", "5000"),
            ("[::1]", "::1", "80"),
            ("HOST:PORT", "HOST", "PORT"),
        ] {
            assert_eq!(Host::parse(whole), Host { whole, name, port });
        }
    }
}
