//! A client of rustls over a blocking socket, which shows what it gets and sends what it is told.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::certificates::shown;
use crate::server::PATIENCE;

/// Suites as usual, one group only: its hello is short, which the tests that cut it are glad of.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    let kx_groups = vec![aws_lc_rs::kx_group::X25519];
    Arc::new(CryptoProvider { kx_groups, ..aws_lc_rs::default_provider() })
}

/// TLS 1.3, no certificate, no ALPN.
pub(crate) fn usual(roots: Arc<RootCertStore>) -> ClientConfig {
    of_version(roots, &rustls::version::TLS13)
}

pub(crate) fn of_version(
    roots: Arc<RootCertStore>,
    version: &'static rustls::SupportedProtocolVersion,
) -> ClientConfig {
    ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// The same, and shows a certificate.
pub(crate) fn with_certificate(
    roots: Arc<RootCertStore>,
    version: &'static rustls::SupportedProtocolVersion,
    certificate: &(String, String),
) -> ClientConfig {
    let (chain, key) = shown(certificate);
    ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)
        .unwrap()
}

pub(crate) fn session(config: ClientConfig) -> ClientConnection {
    session_of(&Arc::new(config))
}

pub(crate) fn session_of(config: &Arc<ClientConfig>) -> ClientConnection {
    let name = ServerName::try_from("localhost").unwrap();
    ClientConnection::new(config.clone(), name).unwrap()
}

pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

type Tls = StreamOwned<ClientConnection, TcpStream>;

/// Speaks over TLS.
pub(crate) struct Client(pub(crate) BufReader<Tls>);

impl Client {
    pub(crate) fn to(address: SocketAddr, config: ClientConfig) -> Self {
        Self::try_to(address, session(config)).unwrap()
    }

    /// Shakes hands. With TLS 1.3 a refusal of the client's certificate comes later.
    pub(crate) fn try_to(address: SocketAddr, mut tls: ClientConnection) -> io::Result<Self> {
        let mut stream = connect(address);
        while tls.is_handshaking() {
            tls.complete_io(&mut stream)?;
        }
        Ok(Self(BufReader::new(StreamOwned::new(tls, stream))))
    }

    pub(crate) fn tls(&mut self) -> &mut ClientConnection {
        &mut self.0.get_mut().conn
    }

    pub(crate) fn socket(&self) -> &TcpStream {
        &self.0.get_ref().sock
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.get_mut().write_all(bytes.as_ref()).unwrap();
        self.0.get_mut().flush().unwrap();
    }

    /// The next line without its end; `None` after close_notify, an error without.
    pub(crate) fn line(&mut self) -> io::Result<Option<String>> {
        let mut line = String::new();
        let bytes = self.0.read_line(&mut line)?;
        Ok((bytes > 0).then(|| line.trim_end().to_owned()))
    }

    /// Sends a line and returns the next that comes.
    pub(crate) fn ask(&mut self, line: &str) -> String {
        self.send(format!("{line}\n"));
        self.line().unwrap().expect("a line")
    }

    /// Everything until close_notify.
    pub(crate) fn rest(&mut self) -> io::Result<Vec<u8>> {
        let mut all = Vec::new();
        self.0.read_to_end(&mut all).map(|_| all)
    }

    /// Says that it sends no more, and sends no more.
    pub(crate) fn close(&mut self) {
        let stream = self.0.get_mut();
        stream.conn.send_close_notify();
        stream.conn.complete_io(&mut stream.sock).unwrap();
    }

    /// Ends its side without a word of TLS.
    pub(crate) fn cut(&self) {
        self.socket().shutdown(Shutdown::Write).unwrap();
    }
}

/// Everything until the end of a plain stream; a reset is an end.
pub(crate) fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    match stream.read_to_end(&mut all) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
        Err(error) => panic!("{error}"),
    }
    all
}
