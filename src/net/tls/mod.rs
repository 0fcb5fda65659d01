//! TLS by rustls with aws-lc-rs: certificates, and the sessions made with them.
//!
//! | file | what |
//! |---|---|
//! | `config.rs` | files to what rustls works with |
//! | `session.rs` | one connection's cryptography |
//! | `validity.rs` | when a certificate is valid |
//! | `error.rs` | what is wrong with the files |
//!
//! Law: nothing here touches a socket or a loop. The files are read when the server starts and when
//! it is asked to read them again, never in between.

mod config;
mod error;
mod session;
mod validity;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::{ServerConfig, ServerConnection};

use self::session::Rustls;
use self::validity::Validity;
use super::Clock;
use super::secure::{Issuer, Session};
pub use error::TlsError;

/// What one session may buffer on its way out; taken out after every call, so seldom used.
const BUFFER_BYTES_MAX: usize = 128 * 1024;

/// Where certificate and key are, in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The server's certificate, followed by those that lead to its authority.
    pub certificate: PathBuf,
    /// Its private key, not encrypted: PKCS #8, PKCS #1 or SEC 1.
    pub key: PathBuf,
    /// Authorities whose certificates clients may show; unset: clients are not asked.
    pub client_ca: Option<PathBuf>,
    /// Whether clients that are asked must show one.
    pub client_auth: ClientAuth,
}

/// Whether clients must show a certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientAuth {
    /// Whoever shows none, or a wrong one, is refused.
    #[default]
    Required,
    /// Whoever shows a wrong one is refused.
    Optional,
}

/// A certificate with its key, ready to be used; [`Builder::tls`](crate::server::Builder::tls) takes
/// it.
#[derive(Clone)]
pub struct Tls {
    config: Arc<ServerConfig>,
    files: TlsFiles,
    validity: Option<Validity>,
}

impl Tls {
    /// Reads the files and holds certificate and key against each other.
    ///
    /// # Errors
    /// What is missing or wrong, and what to do about it.
    pub fn load(files: TlsFiles) -> Result<Self, TlsError> {
        let (config, validity) = config::load(&files)?;
        Ok(Self { config, files, validity })
    }

    /// What somebody should know though it does not keep the server from starting.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        let why = self.invalid_at(unix_seconds())?;
        let path = self.files.certificate.display();
        Some(format!("the certificate in {path} {why}: clients will refuse it"))
    }

    /// How many days the certificate is valid from now, when it says so.
    #[must_use]
    pub fn days_left(&self) -> Option<i64> {
        Some((self.validity?.not_after - unix_seconds()).div_euclid(86_400))
    }

    fn invalid_at(&self, now: i64) -> Option<String> {
        let validity = self.validity?;
        let days = |seconds: i64| seconds.div_euclid(86_400);
        if now > validity.not_after {
            return Some(format!("expired {} days ago", days(now - validity.not_after)));
        }
        let early = validity.not_before - now;
        (early > 0).then(|| format!("is not valid yet, but in {} s", early))
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("files", &self.files).finish_non_exhaustive()
    }
}

impl Issuer for Tls {
    fn session(&self) -> Result<Box<dyn Session>, String> {
        let connection = ServerConnection::new(self.config.clone());
        let connection = connection.map_err(|error| error.to_string())?;
        Ok(Box::new(Rustls::new(connection, BUFFER_BYTES_MAX)))
    }

    fn not_after(&self) -> Option<i64> {
        Some(self.validity?.not_after)
    }

    fn renew(&self) -> Result<Arc<dyn Issuer>, String> {
        let renewed = Self::load(self.files.clone()).and_then(|renewed| {
            match renewed.invalid_at(unix_seconds()) {
                // Whoever puts this in place of one that works has taken the wrong file.
                Some(why) => Err(TlsError::Invalid(self.files.certificate.clone(), why)),
                None => Ok(renewed),
            }
        });
        renewed.map(|tls| Arc::new(tls) as Arc<dyn Issuer>).map_err(|error| error.to_string())
    }
}

fn unix_seconds() -> i64 {
    i64::try_from(Clock::start().now().unix_ms / 1000).unwrap_or(i64::MAX)
}
