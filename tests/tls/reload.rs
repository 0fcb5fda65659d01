//! Files that are wrong at the start, and files that change while the server runs.

use std::path::Path;

use rcgen::KeyPair;
use stentor::net::{Tls, TlsFiles};

use crate::certificates::{Authority, Folder};
use crate::client::{Client, session, usual};
use crate::server::{Running, until};

/// What is said of files, without the directory.
fn complaint(folder: &Folder, files: TlsFiles) -> String {
    let error = Tls::load(files).expect_err("something is wrong with it").to_string();
    error.replace(&format!("{}/", folder.0.display()), "")
}

#[test]
fn what_is_wrong_with_the_files_is_said_with_what_to_do() {
    let (authority, folder) = (Authority::new(), Folder::new("wrong-files"));
    let good = authority.issue(2090);
    let files = folder.files(&good);
    let stranger = KeyPair::generate().unwrap().serialize_pem();
    let encrypted = good.1.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let no_certificate = "there is no certificate in other.pem\n  \
        a PEM file with BEGIN CERTIFICATE is needed, the server's first, then the chain";
    // What is in the place of the key, or of the certificate, and what is said then.
    let (key, certificate) = (true, false);
    for (place, text, said) in [
        (key, &stranger[..], "other.pem does not belong to cert.pem (public keys differ)"),
        (
            key,
            &encrypted,
            "the key in other.pem is encrypted, and nobody is there to type its passphrase\n  \
             decrypt it: openssl pkey -in other.pem -out plain-key.pem",
        ),
        (
            key,
            &good.0,
            "there is no private key in other.pem\n  \
             a PEM file with BEGIN PRIVATE KEY is needed",
        ),
        (certificate, &good.1, no_certificate),
        (certificate, "", no_certificate),
        (certificate, &good.0[..good.0.len() / 2], "other.pem is no PEM: "),
        (certificate, broken, "the certificate in other.pem: "),
    ] {
        let other = folder.write("other.pem", text);
        let wrong = if place == key {
            TlsFiles { key: other, ..files.clone() }
        } else {
            TlsFiles { certificate: other, ..files.clone() }
        };
        let complaint = complaint(&folder, wrong);
        assert!(complaint.starts_with(said), "{complaint}\n{said}");
    }
    let none = folder.0.join("none.pem");
    let said = "none.pem: No such file or directory (os error 2)";
    assert_eq!(complaint(&folder, TlsFiles { certificate: none.clone(), ..files.clone() }), said);
    assert_eq!(complaint(&folder, TlsFiles { key: none, ..files }), said);
}

#[test]
fn an_old_certificate_is_a_warning_and_a_good_one_none() {
    let (authority, folder) = (Authority::new(), Folder::new("warning"));
    let good = Tls::load(folder.files(&authority.issue(2090))).unwrap();
    assert_eq!(good.warning(), None);
    assert!(good.days_left().unwrap() > 10_000);
    let old = Tls::load(folder.files(&authority.issue(2020))).unwrap();
    let warning = old.warning().unwrap();
    assert!(warning.contains("expired") && warning.contains("days ago"), "{warning}");
    assert!(old.days_left().unwrap() < 0);
}

/// Puts other files in their place.
fn replace(folder: &Path, (certificate, key): &(String, String)) {
    std::fs::write(folder.join("cert.pem"), certificate).unwrap();
    std::fs::write(folder.join("key.pem"), key).unwrap();
}

fn reloads(server: &Running, result: &str) -> u64 {
    server.metric(&format!("stentor_tls_reloads_total{{result=\"{result}\"}}"))
}

#[test]
fn a_new_certificate_is_for_new_connections_and_drops_nobody() {
    let server = Running::start("reload");
    let old = server.roots();
    let mut open = server.client();
    let mut half = crate::client::connect(server.address);
    let mut tls = session(usual(old.clone()));
    assert_eq!(open.ask("before"), "before");

    let next = Authority::new();
    replace(&server.folder.0, &next.issue(2080));
    server.handle.renew_certificate();
    until(|| reloads(&server, "ok") == 1);
    let mut new = Client::to(server.address, usual(next.roots()));
    assert_eq!(new.ask("new"), "new");
    assert!(Client::try_to(server.address, session(usual(old))).is_err(), "the old one is gone");
    assert_eq!(open.ask("still"), "still");
    // Whoever had not begun gets the new one too.
    while tls.is_handshaking() && tls.complete_io(&mut half).is_ok() {}
    assert!(tls.is_handshaking());
    let until_2080 = server.metric("stentor_tls_certificate_not_after_timestamp_seconds");
    assert!((3_500_000_000..3_600_000_000).contains(&until_2080), "{until_2080}");
}

#[test]
fn whatever_is_wrong_with_the_new_files_the_old_ones_stay() {
    let server = Running::start("bad-reload");
    let mut open = server.client();
    let (good, old) = (server.authority.issue(2080), server.authority.issue(2020));
    let broken: [(String, String); 5] = [
        (good.0.clone(), "no key".to_owned()),
        (good.0.clone(), old.1.clone()),
        ("no certificate".to_owned(), good.1.clone()),
        (String::new(), String::new()),
        old,
    ];
    for (at, files) in broken.iter().enumerate() {
        replace(&server.folder.0, files);
        server.handle.renew_certificate();
        until(|| reloads(&server, "failed") == at as u64 + 1);
        assert_eq!(server.client().ask("x"), "x");
    }
    std::fs::remove_file(server.folder.0.join("key.pem")).unwrap();
    server.handle.renew_certificate();
    until(|| reloads(&server, "failed") == 6);
    assert_eq!(server.client().ask("x"), "x");
    assert_eq!(open.ask("still"), "still");
    replace(&server.folder.0, &good);
    server.handle.renew_certificate();
    until(|| reloads(&server, "ok") == 1);
    assert_eq!(server.client().ask("x"), "x");
}

#[test]
fn every_loop_gets_the_new_one_and_asking_twice_reads_twice_at_most() {
    let more = |builder: stentor::server::Builder<_>| builder.loops(3);
    let server = Running::with("loops", crate::server::roomy(), |_, _| {}, more);
    let next = Authority::new();
    replace(&server.folder.0, &next.issue(2080));
    (0..50).for_each(|_| server.handle.renew_certificate());
    until(|| reloads(&server, "ok") >= 1);
    // Words to the other loops may be on their way.
    let mut clients = Vec::new();
    until(|| {
        clients.push(Client::try_to(server.address, session(usual(next.roots()))));
        clients.iter().rev().take(6).filter(|client| client.is_ok()).count() == 6
    });
    assert!(reloads(&server, "ok") <= 50);
    assert_eq!(reloads(&server, "failed"), 0);
}
