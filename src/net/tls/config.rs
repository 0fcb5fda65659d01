//! From PEM files to what rustls works with: read, held against each other, set up.
//!
//! TLS 1.2 and 1.3 with rustls' suites, no renegotiation (rustls has none), no 0-RTT (a replayed
//! message would be sent twice), sessions resumed by tickets whose keys live six hours, and no key
//! log whatever the environment says.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys, RootCertStore, ServerConfig};

use super::validity::Validity;
use super::{ClientAuth, TlsError, TlsFiles};

/// What HTTP and WebSocket over TLS call themselves. Lines have no name, so whoever speaks lines
/// names nothing.
const ALPN: &[u8] = b"http/1.1";

/// Reads the files and sets everything up.
#[expect(clippy::disallowed_methods, reason = "certificate and key are files")]
pub(super) fn load(files: &TlsFiles) -> Result<(Arc<ServerConfig>, Option<Validity>), TlsError> {
    let read =
        |path: &Path| std::fs::read(path).map_err(|error| TlsError::Io(path.to_owned(), error));
    let provider = Arc::new(aws_lc_rs::default_provider());
    let chain = certificates(&files.certificate, &read(&files.certificate)?)?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate(files.certificate.clone()));
    }
    let validity = chain.first().and_then(|first| Validity::of(first));
    let key = private_key(&files.key, &read(&files.key)?)?;
    let certified = certify(files, chain, key, &provider)?;
    let verifier = match &files.client_ca {
        None => WebPkiClientVerifier::no_client_auth(),
        Some(path) => verifier(path, &read(path)?, files.client_auth, &provider)?,
    };
    let config = assemble(certified, verifier, provider);
    Ok((config.map_err(|error| TlsError::Setup(error.to_string()))?, validity))
}

fn assemble(
    certified: CertifiedKey,
    verifier: Arc<dyn ClientCertVerifier>,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<ServerConfig>, Error> {
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(certified)));
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.ticketer = aws_lc_rs::Ticketer::new()?;
    // Tickets are kept by clients: nothing here grows with them.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(Arc::new(config))
}

fn certificates(path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|error| TlsError::Pem(path.to_owned(), error.to_string()))
}

fn private_key(path: &Path, pem: &[u8]) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| {
        // `BEGIN ENCRYPTED PRIVATE KEY`, and `Proc-Type: 4,ENCRYPTED` of older tools.
        let encrypted = memchr::memmem::find(pem, b"ENCRYPTED").is_some();
        match error {
            _ if encrypted => TlsError::EncryptedKey(path.to_owned()),
            PemError::NoItemsFound => TlsError::NoKey(path.to_owned()),
            other => TlsError::Pem(path.to_owned(), other.to_string()),
        }
    })
}

/// Holds certificate and key against each other.
fn certify(
    files: &TlsFiles,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, TlsError> {
    let key = provider
        .key_provider
        .load_private_key(key)
        .map_err(|error| TlsError::Key(files.key.clone(), error.to_string()))?;
    let certified = CertifiedKey::new(chain, key);
    match certified.keys_match() {
        Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(certified),
        Err(Error::InconsistentKeys(_)) => Err(TlsError::Mismatch {
            certificate: files.certificate.clone(),
            key: files.key.clone(),
        }),
        Err(error) => Err(TlsError::Certificate(files.certificate.clone(), error.to_string())),
    }
}

fn verifier(
    path: &Path,
    pem: &[u8],
    auth: ClientAuth,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let wrong = |why: String| TlsError::ClientCa(path.to_owned(), why);
    let mut roots = RootCertStore::empty();
    for authority in certificates(path, pem)? {
        roots.add(authority).map_err(|error| wrong(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(TlsError::NoCertificate(path.to_owned()));
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone());
    let builder = match auth {
        ClientAuth::Required => builder,
        ClientAuth::Optional => builder.allow_unauthenticated(),
    };
    builder.build().map_err(|error| wrong(error.to_string()))
}
