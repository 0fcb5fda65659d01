//! The configuration of the server: each layer's own, joined, under one table of keys.
//!
//! `stentor.toml` < environment < flags (SPEC §11): each is applied over the one before, and
//! [`Config::finish`] then holds the values against each other. Law: a key that is not known, or a
//! value out of its bounds, is an error that says what would be right; only unknown variables of
//! the environment, which may belong to somebody else, are a warning.

#[cfg(feature = "toml")]
pub mod file;
mod key;
mod keys;
#[cfg(feature = "toml")]
#[doc(hidden)]
pub mod laws;
mod lookup;
mod namespaces;
#[cfg(test)]
mod tests;
mod value;

use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

pub use keys::{KEYS, Key};
pub use lookup::reference;
pub use namespaces::{Namespace, Namespaces};

use crate::codec::json::nearest;
use crate::handler::Close;
use crate::message::close;
use crate::{auth, engine, guard, net, router};

/// What an environment variable begins with to be ours.
const PREFIX: &str = "STENTOR_";
/// What is left of a drain, beyond the closing of connections, for their last words.
const DRAIN_REST: Duration = Duration::from_secs(20);
/// When those who found no room may come back.
const FULL_RETRY_MS: u64 = 5000;

/// Everything that can be configured.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Of connections.
    pub engine: engine::Config,
    /// Of what is said.
    pub router: router::Config,
    /// Rates and counts.
    pub guard: guard::Config,
    /// Lives of tokens.
    pub auth: auth::Config,
    /// Of the event loops.
    pub net: net::Config,
    /// Pages that may connect; empty: the default rule of SPEC §6.
    pub allowed_origins: Vec<String>,
    /// Names under which the pages of the operator are shown; empty: the default rule.
    pub allowed_hosts: Vec<String>,
    /// Certificate and key, where TLS is spoken.
    pub tls: Tls,
    /// Namespaces of channels that somebody set something of.
    pub namespaces: Namespaces,
    /// Where to listen; empty: port 5000 on loopback.
    pub listen: Vec<SocketAddr>,
    /// Where data and the token key are kept; unset: `./stentor-data`.
    pub data: Option<PathBuf>,
    /// Nothing on disk but the key, and that only when `data` is set.
    pub ephemeral: bool,
    /// Loop threads; unset: as many as cores.
    pub loops: Option<usize>,
    /// Keys that somebody set; what nobody set may follow from these.
    pub keys_set: BTreeSet<&'static str>,
}

/// What TLS is spoken with; the paths are taken as they are, from where the server was started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// The certificate with its chain, in PEM; unset: no TLS.
    pub cert: Option<PathBuf>,
    /// Its private key, in PEM.
    pub key: Option<PathBuf>,
    /// Authorities of clients' certificates, in PEM; unset: clients are not asked for one.
    pub client_ca: Option<PathBuf>,
    /// `required` or `optional`.
    pub client_auth: &'static str,
}

impl Default for Tls {
    fn default() -> Self {
        Self { cert: None, key: None, client_ca: None, client_auth: "required" }
    }
}

/// Why a configuration is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// There is no such key.
    UnknownKey {
        /// What was written.
        key: String,
        /// What may have been meant.
        near: Option<String>,
    },
    /// The value is of another kind, or out of bounds.
    BadValue {
        /// Whose value it is.
        key: String,
        /// What was written.
        value: String,
        /// What is needed.
        needed: String,
    },
    /// Not `KEY=VALUE`.
    NotAPair(String),
    /// Two values that cannot both be.
    Contradiction(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownKey { key, near } => {
                write!(f, "unknown key `{key}`")?;
                if let Some(near) = near {
                    write!(f, "; did you mean `{near}`?")?;
                }
                let section = key.split_once('.').map_or("", |(section, _)| section);
                if section == namespaces::SECTION {
                    return write!(
                        f,
                        "\n  known in [namespaces.NAME]: {}",
                        namespaces::names().join(", ")
                    );
                }
                match lookup::of_section(section) {
                    known if known.is_empty() => {
                        write!(f, "\n  known sections: {}", lookup::sections().join(", "))
                    }
                    known => write!(f, "\n  known in [{section}]: {}", known.join(", ")),
                }
            }
            Self::BadValue { key, value, needed } => {
                write!(f, "{key}: `{value}` does not fit; {needed} is needed")
            }
            Self::NotAPair(text) => {
                write!(f, "`{text}` is no KEY=VALUE, such as limits.message_bytes=65536")
            }
            Self::Contradiction(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for Error {}

/// A value as it was written somewhere.
#[derive(Clone, Debug)]
enum Given {
    One(String),
    Many(Vec<String>),
}

impl Config {
    /// Sets one key from a text, as a variable or a flag gives it. A list is separated by commas.
    ///
    /// # Errors
    /// There is no such key, or the value does not fit.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), Error> {
        self.give(key, &Given::One(value.to_owned()))
    }

    /// Sets one key that is a list.
    ///
    /// # Errors
    /// There is no such key, or it is no list.
    pub fn set_list(&mut self, key: &str, values: Vec<String>) -> Result<(), Error> {
        self.give(key, &Given::Many(values))
    }

    /// Sets one key from `KEY=VALUE`.
    ///
    /// # Errors
    /// There is no `=`, no such key, or the value does not fit.
    pub fn set_pair(&mut self, pair: &str) -> Result<(), Error> {
        let (key, value) = pair.split_once('=').ok_or_else(|| Error::NotAPair(pair.to_owned()))?;
        self.set(key.trim(), value.trim())
    }

    /// Takes the variables that begin with `STENTOR_`: `limits.message_bytes` is
    /// `STENTOR_LIMITS_MESSAGE_BYTES`. Returns a warning for each that resembles no key.
    ///
    /// # Errors
    /// A value does not fit, or a key is unknown: the name of a section, or one written wrong.
    pub fn environment(
        &mut self,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Vec<String>, Error> {
        let mut ours: Vec<_> =
            variables.into_iter().filter(|(name, _)| name.starts_with(PREFIX)).collect();
        ours.sort();
        let names: Vec<String> = KEYS.iter().map(Key::variable).collect();
        let mut warnings = Vec::new();
        for (name, value) in ours {
            if let Some(key) = KEYS.iter().find(|key| key.variable() == name) {
                self.set(key.name, &value)?;
                continue;
            }
            if let Some(set) = self.namespace_variable(&name, &value) {
                set?;
                continue;
            }
            let near = nearest(&name, names.iter().map(String::as_str));
            let near = near.and_then(|near| KEYS.iter().find(|key| key.variable() == near));
            let in_a_section = KEYS.iter().any(|key| name.starts_with(&key.section_variable()));
            if near.is_some() || in_a_section {
                return Err(Error::UnknownKey {
                    key: name,
                    near: near.map(|key| key.name.to_owned()),
                });
            }
            // Somebody else's variable, perhaps: no reason not to serve.
            warnings.push(format!("{name} is not known and ignored"));
        }
        Ok(warnings)
    }

    fn give(&mut self, name: &str, value: &Given) -> Result<(), Error> {
        if name.split('.').next() == Some(namespaces::SECTION) {
            return self.give_namespace(name, value);
        }
        let key = lookup::find(name)
            .ok_or_else(|| Error::UnknownKey { key: name.to_owned(), near: lookup::near(name) })?;
        key.assign(self, value)?;
        self.keys_set.insert(key.name);
        Ok(())
    }

    /// Lifts all rates and all counts of connections and requests, not sizes, deadlines or queues.
    pub const fn lift_limits(&mut self) {
        self.guard = guard::Config::unlimited();
        self.router.unauthenticated_requests = None;
    }

    /// Lets what nobody set follow from what somebody set, holds the values against each other, and
    /// hands each to every layer that needs it. To be called once, last.
    ///
    /// # Errors
    /// Two values that cannot both be.
    pub fn finish(&mut self) -> Result<(), Error> {
        let (engine, router) = (&mut self.engine, &mut self.router);
        let is_set = |key: &str| self.keys_set.contains(key);
        if !is_set("limits.unauthenticated_message_bytes") {
            let least = router.unauthenticated_message_bytes.min(router.message_bytes);
            router.unauthenticated_message_bytes = least;
        }
        if !is_set("limits.outbox_bytes") {
            // A receiver has room for one message that waits and one that is being written.
            engine.outbox_bytes = engine.outbox_bytes.max(router.message_bytes.saturating_mul(2));
            engine.outbox_bytes = engine.outbox_bytes.max(engine.outbox_soft_bytes);
        }
        if !is_set("limits.outbox_soft_bytes") {
            engine.outbox_soft_bytes = engine.outbox_soft_bytes.min(engine.outbox_bytes);
        }
        if !is_set("calls.in_flight_bytes_per_worker") {
            // A worker that reads is not closed for what others ask of it.
            let calls = &mut router.calls;
            let half = (engine.outbox_bytes / 2).max(1);
            calls.in_flight_bytes_per_worker = calls.in_flight_bytes_per_worker.min(half);
        }
        if !is_set("limits.dead_ms") {
            engine.dead_ms = engine.dead_ms.max(router.heartbeat_ms.saturating_mul(3));
        }
        if !is_set("limits.heartbeat_ms") {
            router.heartbeat_ms = router.heartbeat_ms.min((engine.dead_ms / 3).max(1));
        }
        let contradictions = [
            (
                router.unauthenticated_message_bytes > router.message_bytes,
                "limits.unauthenticated_message_bytes must be at most limits.message_bytes",
            ),
            (
                engine.outbox_soft_bytes > engine.outbox_bytes,
                "limits.outbox_soft_bytes must be at most limits.outbox_bytes",
            ),
            (
                router.heartbeat_ms >= engine.dead_ms,
                "limits.heartbeat_ms must be less than limits.dead_ms",
            ),
            (
                self.auth.access_s > self.auth.refresh_s,
                "tokens.access_s must be at most tokens.refresh_s",
            ),
            (
                self.tls.cert.is_some() != self.tls.key.is_some(),
                "tls.cert and tls.key go together; a file that holds both is named twice",
            ),
            (
                self.tls.client_ca.is_some() && self.tls.cert.is_none(),
                "tls.client_ca needs tls.cert and tls.key",
            ),
            (
                is_set("tls.client_auth") && self.tls.client_ca.is_none(),
                "tls.client_auth needs tls.client_ca",
            ),
            (
                engine.tls_required && self.tls.cert.is_none(),
                "tls.required needs tls.cert and tls.key",
            ),
        ];
        if let Some((_, text)) = contradictions.iter().find(|(holds, _)| *holds) {
            return Err(Error::Contradiction((*text).to_owned()));
        }
        self.router.policies = self.policies()?;
        self.hand_on();
        Ok(())
    }

    /// What more than one layer needs.
    fn hand_on(&mut self) {
        self.engine.message_bytes = self.router.unauthenticated_message_bytes;
        self.engine.heartbeat_ms = self.router.heartbeat_ms;
        self.net.dead = Duration::from_millis(self.engine.dead_ms);
        let most = self.guard.connections.and_then(|most| usize::try_from(most).ok());
        self.net.connections_max = most.unwrap_or(usize::MAX);
        self.net.full = full();
        self.net.drain_max = self.net.drain_spread.saturating_add(DRAIN_REST);
    }
}

/// What those are told who find no room.
pub(crate) fn full() -> Close {
    let close = Close::new(close::OVERLOADED, "too many connections");
    Close { retry_ms: Some(FULL_RETRY_MS), ..close }
}
