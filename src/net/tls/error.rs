//! Why certificate and key cannot be used, in words for the person who configures them.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why TLS cannot be spoken as configured.
#[derive(Debug)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    Io(PathBuf, io::Error),
    /// A file is no PEM.
    Pem(PathBuf, String),
    /// There is no certificate in it.
    NoCertificate(PathBuf),
    /// There is no private key in it.
    NoKey(PathBuf),
    /// The key needs a passphrase.
    EncryptedKey(PathBuf),
    /// The key is not that of the certificate.
    Mismatch {
        /// Of the certificate.
        certificate: PathBuf,
        /// Of the key.
        key: PathBuf,
    },
    /// The key is of a kind that is not known, or broken.
    Key(PathBuf, String),
    /// The certificate is broken.
    Certificate(PathBuf, String),
    /// One of the clients' authorities is none.
    ClientCa(PathBuf, String),
    /// It came too late, or too early, to take the place of another.
    Invalid(PathBuf, String),
    /// The cryptography refuses.
    Setup(String),
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(path, error) => {
                write!(f, "{}: {error}", path.display())?;
                if error.kind() == io::ErrorKind::PermissionDenied {
                    f.write_str("\n  the user who runs the server must be able to read it")?;
                }
                Ok(())
            }
            Self::Pem(path, why) => write!(f, "{} is no PEM: {why}", path.display()),
            Self::NoCertificate(path) => write!(
                f,
                "there is no certificate in {}\n  \
                 a PEM file with BEGIN CERTIFICATE is needed, the server's first, then the chain",
                path.display()
            ),
            Self::NoKey(path) => write!(
                f,
                "there is no private key in {}\n  a PEM file with BEGIN PRIVATE KEY is needed",
                path.display()
            ),
            Self::EncryptedKey(path) => write!(
                f,
                "the key in {} is encrypted, and nobody is there to type its passphrase\n  \
                 decrypt it: openssl pkey -in {0} -out plain-key.pem",
                path.display()
            ),
            Self::Mismatch { certificate, key } => write!(
                f,
                "{} does not belong to {} (public keys differ)",
                key.display(),
                certificate.display()
            ),
            Self::Key(path, why) => write!(f, "the key in {}: {why}", path.display()),
            Self::Certificate(path, why) => {
                write!(f, "the certificate in {}: {why}", path.display())
            }
            Self::ClientCa(path, why) => {
                write!(f, "the client authorities in {}: {why}", path.display())
            }
            Self::Invalid(path, why) => {
                write!(f, "the certificate in {} {why}", path.display())
            }
            Self::Setup(why) => write!(f, "TLS: {why}"),
        }
    }
}

impl std::error::Error for TlsError {}
