//! Which web pages may talk to this server: the Origin check of RFC 6455 §10.2 (RFC 6454).
//!
//! Law: scheme, host and port are compared exactly; nothing is a prefix, a suffix or a pattern. A
//! browser writes an origin in one way only (lower case, no default port), so any other spelling
//! comes from something else and is refused. No Origin at all is not a browser: allowed, because
//! nothing here is granted by cookies.

use std::fmt;

/// Who may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origins {
    /// Exactly these.
    Listed(Box<[String]>),
    /// The server's own pages; with `loopback_only`, pages of this machine too.
    Own {
        /// Whether every listener is on a loopback address.
        loopback_only: bool,
    },
}

/// An entry of `allowed_origins` that can match nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginError(String);

impl fmt::Display for OriginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is no origin; write it as https://example.com or http://host:8080", self.0)
    }
}

impl std::error::Error for OriginError {}

/// A page may not talk to this server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Its origin is not allowed.
    Foreign,
    /// There is more than one Origin header.
    Several,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Foreign => "this origin is not allowed; add it to http.allowed_origins",
            Self::Several => "more than one Origin header",
        })
    }
}

impl std::error::Error for Refused {}

impl Origins {
    /// The origins of a configuration; an empty list is the default rule.
    ///
    /// # Errors
    /// The first entry that no browser would ever send.
    pub fn new(allowed: &[String], loopback_only: bool) -> Result<Self, OriginError> {
        if allowed.is_empty() {
            return Ok(Self::Own { loopback_only });
        }
        let entry = |text: &String| {
            let origin = text.to_ascii_lowercase();
            let fits = origin == "null" || split(&origin).is_some_and(|(_, host)| is_host(host));
            if fits { Ok(without_default_port(&origin)) } else { Err(OriginError(text.clone())) }
        };
        Ok(Self::Listed(allowed.iter().map(entry).collect::<Result<_, _>>()?))
    }

    /// Whether a request with these Origin headers and this Host may be served.
    ///
    /// `tls` says whether this connection is encrypted here. Behind a proxy that ends TLS, list
    /// the public origin: its scheme is not known here.
    ///
    /// # Errors
    /// Why not; the answer is 403 (SPEC §6).
    pub fn check<'a>(
        &self,
        origins: impl IntoIterator<Item = &'a [u8]>,
        host: Option<&[u8]>,
        tls: bool,
    ) -> Result<(), Refused> {
        let mut origins = origins.into_iter();
        let Some(origin) = origins.next() else {
            return Ok(());
        };
        if origins.next().is_some() {
            return Err(Refused::Several);
        }
        let origin = std::str::from_utf8(origin).map_err(|_| Refused::Foreign)?;
        let allowed = match self {
            Self::Listed(list) => list.iter().any(|allowed| allowed == origin),
            Self::Own { loopback_only } => {
                is_own(origin, host, tls) || *loopback_only && is_of_this_machine(origin)
            }
        };
        if allowed { Ok(()) } else { Err(Refused::Foreign) }
    }
}

/// Scheme, and host with port, of an origin (RFC 6454 §6.2).
fn split(origin: &str) -> Option<(&str, &str)> {
    let (scheme, host) = origin.split_once("://")?;
    let letters = |b: u8| b.is_ascii_alphanumeric() || b"+-.".contains(&b);
    let named = scheme.starts_with(|c: char| c.is_ascii_alphabetic());
    (named && scheme.bytes().all(letters) && !host.is_empty()).then_some((scheme, host))
}

/// Whether what stands behind the scheme is a host with an optional port, and no more.
fn is_host(host: &str) -> bool {
    !host
        .bytes()
        .any(|b| b.is_ascii_whitespace() || b.is_ascii_control() || b"/?#@*,\"'".contains(&b))
}

fn without_default_port(origin: &str) -> String {
    let port = match split(origin) {
        Some(("http", _)) => ":80",
        Some(("https", _)) => ":443",
        _ => return origin.to_owned(),
    };
    origin.strip_suffix(port).unwrap_or(origin).to_owned()
}

/// Whether the page came from this server: the Host that it asked is the host of its origin.
fn is_own(origin: &str, host: Option<&[u8]>, tls: bool) -> bool {
    let Some((scheme, asked)) = split(origin) else {
        return false;
    };
    let (own_scheme, port) = if tls { ("https", ":443") } else { ("http", ":80") };
    let Some(host) = host.and_then(|host| std::str::from_utf8(host).ok()) else {
        return false;
    };
    // A Host is written by people too, in any case and with the default port (RFC 9110 §7.2).
    let host = host.strip_suffix(port).unwrap_or(host);
    scheme == own_scheme && host.to_ascii_lowercase() == asked && is_host(asked)
}

/// `http://localhost`, `http://127.0.0.1`, each with any port, and `null` (a file, a sandbox).
fn is_of_this_machine(origin: &str) -> bool {
    let rest = ["http://localhost", "http://127.0.0.1"].iter().find_map(|o| origin.strip_prefix(o));
    match rest {
        Some("") => true,
        Some(rest) => rest.strip_prefix(':').is_some_and(is_port),
        None => origin == "null",
    }
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit()) && text.parse::<u16>().is_ok_and(|port| port != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(origins: &Origins, origin: &str, host: &str, tls: bool) -> bool {
        origins.check([origin.as_bytes()], Some(host.as_bytes()), tls).is_ok()
    }

    #[test]
    fn a_page_of_the_server_itself() {
        let own = Origins::new(&[], false).unwrap();
        for (origin, host, tls, allowed) in [
            ("https://example.com", "example.com", true, true),
            ("https://example.com", "Example.COM:443", true, true),
            ("http://example.com:5000", "example.com:5000", false, true),
            ("http://[::1]:5000", "[::1]:5000", false, true),
            ("http://example.com", "example.com", true, false),
            ("https://example.com", "example.com", false, false),
            ("https://example.com:8443", "example.com", true, false),
            ("https://example.com", "example.com:8443", true, false),
            ("https://evil-example.com", "example.com", true, false),
            ("https://example.com.evil", "example.com", true, false),
            ("https://EXAMPLE.com", "example.com", true, false),
            ("HTTPS://example.com", "example.com", true, false),
            ("https://example.com.", "example.com", true, false),
            ("https://example.com/", "example.com", true, false),
            ("https://a@example.com", "a@example.com", true, false),
            ("https://", "", true, false),
            ("://x", "x", true, false),
            ("null", "null", true, false),
            ("", "", true, false),
            ("http://localhost:3000", "127.0.0.1:5000", false, false),
            ("https://é", "é", true, true),
        ] {
            assert_eq!(check(&own, origin, host, tls), allowed, "{origin} at {host}");
        }
        assert_eq!(own.check([b"https://x".as_slice()], None, true), Err(Refused::Foreign));
        assert_eq!(own.check([b"\xff".as_slice()], Some(b"\xff"), true), Err(Refused::Foreign));
    }

    #[test]
    fn pages_of_this_machine_while_only_this_machine_can_connect() {
        let here = Origins::new(&[], true).unwrap();
        for (origin, allowed) in [
            ("http://localhost", true),
            ("http://localhost:3000", true),
            ("http://127.0.0.1:65535", true),
            ("null", true),
            ("http://127.0.0.1:5000", true),
            ("https://localhost:3000", false),
            ("http://localhost.evil", false),
            ("http://localhost:evil", false),
            ("http://localhost:", false),
            ("http://localhost:0", false),
            ("http://localhost:65536", false),
            ("http://localhost:+80", false),
            ("http://localhost:80.evil", false),
            ("http://localhost@evil", false),
            ("http://127.0.0.10", false),
            ("http://127.0.0.1.evil", false),
            ("http://LOCALHOST", false),
            ("http://192.0.2.1", false),
            ("Null", false),
        ] {
            assert_eq!(check(&here, origin, "127.0.0.1:5000", false), allowed, "{origin}");
        }
    }

    #[test]
    fn a_list_allows_exactly_what_it_names() {
        let list = ["https://App.example.com:443", "http://dev:8080", "tauri://localhost"];
        let listed = Origins::new(&list.map(String::from), true).unwrap();
        for (origin, allowed) in [
            ("https://app.example.com", true),
            ("http://dev:8080", true),
            ("tauri://localhost", true),
            ("http://dev", false),
            ("https://dev:8080", false),
            ("https://app.example.com.evil", false),
            ("https://x.app.example.com", false),
            ("https://own.example.com", false),
            ("http://localhost:3000", false),
            ("null", false),
        ] {
            assert_eq!(check(&listed, origin, "own.example.com", true), allowed, "{origin}");
        }
        for wrong in [
            "",
            "*",
            "example.com",
            "https://*.example.com",
            "https://a/",
            "https://a b",
            "[\"https://a\"]",
            "'https://a'",
            "https://a\"",
        ] {
            let error = Origins::new(&[wrong.to_owned()], false).unwrap_err();
            assert!(error.to_string().contains("https://example.com"), "{wrong}");
        }
    }

    #[test]
    fn no_origin_is_no_browser_and_two_are_an_attack() {
        let listed = Origins::new(&["https://a".to_owned()], false).unwrap();
        for rule in [Origins::Own { loopback_only: false }, listed] {
            assert_eq!(rule.check([], Some(b"a"), true), Ok(()));
            let two = [b"https://a".as_slice(), b"https://a"];
            assert_eq!(rule.check(two, Some(b"a"), true), Err(Refused::Several));
        }
    }
}
