//! An authority, a certificate of `localhost` and its key, made once in a run.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::{ClientConfig, RootCertStore};

struct Issued {
    certificate: String,
    key: String,
    client: Arc<ClientConfig>,
}

fn issued() -> &'static Issued {
    static ISSUED: OnceLock<Issued> = OnceLock::new();
    ISSUED.get_or_init(|| {
        let mut parameters = CertificateParams::new(Vec::new()).expect("parameters");
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let authority = CertifiedIssuer::self_signed(parameters, key).expect("an authority");
        let parameters = CertificateParams::new(vec!["localhost".to_owned()]).expect("parameters");
        let key = KeyPair::generate().expect("a key");
        let certificate = parameters.signed_by(&key, &authority).expect("a certificate");
        let mut roots = RootCertStore::empty();
        roots.add(authority.der().clone()).expect("an authority");
        Issued {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
            client: Arc::new(client(roots)),
        }
    })
}

/// The cheapest handshake there is, because there are ten thousand of them.
fn client(roots: RootCertStore) -> ClientConfig {
    let kx_groups = vec![aws_lc_rs::kx_group::X25519];
    let provider = CryptoProvider { kx_groups, ..aws_lc_rs::default_provider() };
    ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// Clients that trust every server of this run.
pub(crate) fn trusting() -> Arc<ClientConfig> {
    Arc::clone(&issued().client)
}

/// The files of a server, gone when this is.
pub(crate) struct Files(PathBuf);

impl Files {
    pub(crate) fn write() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("stentor-attacks-tls-{}-{count}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir(&folder).expect("a folder");
        std::fs::write(folder.join("cert.pem"), &issued().certificate).expect("written");
        std::fs::write(folder.join("key.pem"), &issued().key).expect("written");
        Self(folder)
    }

    fn setting(&self, key: &str, file: &str) -> String {
        format!("{key}={}", Path::new(&self.0).join(file).display())
    }

    /// What a server is told of them.
    pub(crate) fn settings(&self) -> [String; 2] {
        [self.setting("tls.cert", "cert.pem"), self.setting("tls.key", "key.pem")]
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
