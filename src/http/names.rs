//! Under which names the pages of the operator may be asked for: the answer to DNS rebinding, by
//! which a page of a stranger's site becomes, for the browser, one of this server.
//!
//! Law: an address, `localhost` and a name without a dot cannot be rebound by a stranger and are
//! always right. Any other name must be listed; with no list, it is right unless everything listens
//! on loopback, where nobody but this machine should ask. Limit: only what shows the inside is
//! guarded (`/metrics`); what everybody may see has no name to check, so a proxy needs no setting.

use std::net::Ipv6Addr;

/// The names of this server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    listed: Vec<String>,
    loopback_only: bool,
}

impl Names {
    /// The names of a configuration; `loopback_only`: whether every listener is on loopback.
    #[must_use]
    pub fn new(listed: &[String], loopback_only: bool) -> Self {
        let listed = listed.iter().map(|name| plain(name).to_ascii_lowercase()).collect();
        Self { listed, loopback_only }
    }

    /// Whether a request with this `Host` may see the inside.
    #[must_use]
    pub fn allow(&self, host: &str) -> bool {
        let name = plain(name_of(host)).to_ascii_lowercase();
        if is_address(&name) || !name.contains('.') || name.ends_with(".localhost") {
            return true;
        }
        let open = self.listed.is_empty() && !self.loopback_only;
        open || self.listed.contains(&name)
    }
}

/// A host without its port.
fn name_of(host: &str) -> &str {
    match host.rsplit_once(':') {
        // A colon within brackets is of the address.
        Some((name, port)) if !port.contains(']') => name,
        _ => host,
    }
}

/// The dot of the root says nothing (RFC 1034 §3.1).
fn plain(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

/// An address in the one spelling that a browser sends (WHATWG URL): nothing else that looks like
/// one is taken for it.
fn is_address(name: &str) -> bool {
    let v6 = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    v6.map_or_else(
        || name.parse::<std::net::Ipv4Addr>().is_ok(),
        |name| name.parse::<Ipv6Addr>().is_ok(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAFE: &[&str] = &[
        "127.0.0.1:5000",
        "127.0.0.1",
        "10.1.2.3:80",
        "[::1]:5000",
        "[::1]",
        "localhost",
        "LOCALHOST:5000",
        "localhost.",
        "a.localhost:1",
        "chatbox:5000",
    ];
    const FOREIGN: &[&str] = &[
        "evil.example",
        "evil.example:5000",
        "127.0.0.1.evil.example",
        "localhost.evil.example:5000",
        "notlocalhost.example",
        "[::1].evil.example",
        "127.0.0.1x.example",
    ];

    #[test]
    fn on_loopback_only_what_nobody_can_rebind() {
        let names = Names::new(&[], true);
        assert!(SAFE.iter().all(|host| names.allow(host)));
        for host in FOREIGN {
            assert!(!names.allow(host), "{host}");
        }
    }

    #[test]
    fn a_list_is_exactly_that_list() {
        let listed = ["Chat.Example".to_owned(), "ops.example.".to_owned()];
        for loopback_only in [true, false] {
            let names = Names::new(&listed, loopback_only);
            for host in ["chat.example", "CHAT.example:443", "ops.example", "chat.example."] {
                assert!(names.allow(host), "{host}");
            }
            assert!(SAFE.iter().all(|host| names.allow(host)));
            assert!(!names.allow("evil.example") && !names.allow("evilchat.example"));
            assert!(!names.allow("chat.example.evil") && !names.allow("a.chat.example"));
        }
    }

    #[test]
    fn elsewhere_without_a_list_every_name_is_right() {
        let names = Names::new(&[], false);
        assert!(SAFE.iter().chain(FOREIGN).all(|host| names.allow(host)));
    }
}
