//! Clients that show a certificate, must show one, or show a wrong one.

use std::io;

use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, SupportedProtocolVersion};
use stentor::net::{ClientAuth, Tls, TlsError};

use crate::certificates::{Authority, Folder};
use crate::client::{Client, of_version, session, with_certificate};
use crate::server::{Running, roomy, until};

/// A server that asks for certificates of `clients`.
fn asking(name: &str, clients: &Authority, auth: ClientAuth) -> Running {
    let set = |folder: &Folder, files: &mut stentor::net::TlsFiles| {
        files.client_ca = Some(folder.write("clients.pem", clients.pem()));
        files.client_auth = auth;
    };
    Running::with(name, roomy(), set, |builder| builder)
}

/// A word there and back; with TLS 1.3 the client only then hears of a refusal.
fn word(server: &Running, config: ClientConfig) -> io::Result<String> {
    let mut client = Client::try_to(server.address, session(config))?;
    let stream = client.0.get_mut();
    io::Write::write_all(stream, b"word\n")?;
    io::Write::flush(stream)?;
    client.line()?.ok_or_else(|| io::Error::other("closed"))
}

fn each_version(test: impl Fn(&'static SupportedProtocolVersion)) {
    [&TLS12, &TLS13].into_iter().for_each(test);
}

#[test]
fn who_must_show_a_certificate_is_refused_without() {
    let clients = Authority::new();
    let server = asking("required-auth", &clients, ClientAuth::Required);
    each_version(|version| {
        let good = with_certificate(server.roots(), version, &clients.issue(2090));
        assert_eq!(word(&server, good).unwrap(), "word");
        let before = server.failed("certificate");
        assert!(word(&server, of_version(server.roots(), version)).is_err());
        let foreign = Authority::new().issue(2090);
        assert!(word(&server, with_certificate(server.roots(), version, &foreign)).is_err());
        let expired = clients.issue(2020);
        assert!(word(&server, with_certificate(server.roots(), version, &expired)).is_err());
        until(|| server.failed("certificate") == before + 3);
    });
}

#[test]
fn who_may_show_a_certificate_needs_none_but_no_wrong_one() {
    let clients = Authority::new();
    let server = asking("optional-auth", &clients, ClientAuth::Optional);
    each_version(|version| {
        let good = with_certificate(server.roots(), version, &clients.issue(2090));
        assert_eq!(word(&server, good).unwrap(), "word");
        assert_eq!(word(&server, of_version(server.roots(), version)).unwrap(), "word");
        let foreign = Authority::new().issue(2090);
        assert!(word(&server, with_certificate(server.roots(), version, &foreign)).is_err());
    });
}

#[test]
fn a_client_that_does_not_trust_the_server_is_told_apart() {
    let server = Running::start("distrust");
    let stranger = Authority::new();
    assert!(word(&server, of_version(stranger.roots(), &TLS13)).is_err());
    until(|| server.failed("alert") == 1);
}

#[test]
fn an_authority_without_certificates_is_refused_at_start() {
    let (authority, folder) = (Authority::new(), Folder::new("no-authority"));
    let mut files = folder.files(&authority.issue(2090));
    files.client_ca = Some(folder.write("clients.pem", "nothing here\n"));
    let error = Tls::load(files).unwrap_err();
    assert!(matches!(error, TlsError::NoCertificate(_)), "{error}");
}
