//! The binary with `--tls-cert` and `--tls-key`: tools that people have, a WebSocket client, a new
//! certificate while it runs, and what is said of files that are no good.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair,
};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::{Value, json};
use tungstenite::Message;
use tungstenite::client::IntoClientRequest;

use crate::doors::Client;
use crate::server::{Folder, Server};

const DEADLINE: Duration = Duration::from_secs(30);
const FLAGS: [&str; 5] = ["--tls-cert", "cert.pem", "--tls-key", "key.pem", "--ephemeral"];

/// Puts an authority's certificate, one of a server and its key into the folder.
pub(crate) fn issue(folder: &Folder) {
    let mut parameters = CertificateParams::new(Vec::new()).expect("parameters");
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let authority = CertifiedIssuer::self_signed(parameters, key).expect("an authority");
    let mut parameters = CertificateParams::new(vec!["localhost".to_owned()]).expect("parameters");
    // By its name a certificate is told from its authority's.
    parameters.distinguished_name = DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, "localhost");
    let key = KeyPair::generate().expect("a key");
    let certificate = parameters.signed_by(&key, &authority).expect("a certificate");
    folder.write("ca.pem", &authority.pem());
    folder.write("cert.pem", &certificate.pem());
    folder.write("key.pem", &key.serialize_pem());
}

type Tls = StreamOwned<ClientConnection, TcpStream>;

/// A stream to the server, if it has a certificate of this folder's authority.
fn secure(folder: &Folder, address: &str) -> std::io::Result<Tls> {
    use rustls::pki_types::{CertificateDer, pem::PemObject};
    let mut roots = RootCertStore::empty();
    let authority = CertificateDer::from_pem_slice(folder.read("ca.pem").as_bytes());
    roots.add(authority.expect("a certificate")).expect("an authority");
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let name = ServerName::try_from("localhost").expect("a name");
    let mut tls = ClientConnection::new(Arc::new(config), name).expect("a session");
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    while tls.is_handshaking() {
        tls.complete_io(&mut stream)?;
    }
    Ok(StreamOwned::new(tls, stream))
}

/// Runs a tool with a text as its input; none when this machine does not have it.
fn tool(folder: &Folder, line: &str, input: &str) -> Option<Output> {
    let mut words = line.split(' ');
    let name = words.next().expect("a name");
    let spawned = Command::new(name)
        .args(words)
        .current_dir(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = spawned else {
        let _ = writeln!(std::io::stderr(), "LEFT OUT: {name} is not installed: {line}");
        return None;
    };
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("it reads");
    Some(child.wait_with_output().expect("it ends"))
}

fn objects(bytes: &[u8]) -> Vec<Value> {
    let text = String::from_utf8_lossy(bytes);
    let lines = text.lines().filter(|line| line.starts_with('{'));
    lines.map(|line| serde_json::from_str(line).expect("an object")).collect()
}

#[test]
fn openssl_ncat_and_curl_are_served() {
    let folder = Folder::new("tls-tools");
    issue(&folder);
    let server = Server::start(&folder, &FLAGS);
    let port = server.address.rsplit(':').next().expect("a port");
    for (line, input) in [
        (
            format!(
                "openssl s_client -quiet -verify_return_error -CAfile ca.pem \
                 -verify_hostname localhost -connect {}",
                server.address
            ),
            "ping\nquit\n",
        ),
        (format!("openssl s_client -quiet -tls1_2 -connect {}", server.address), "ping\nquit\n"),
        // It ends its side without a word of TLS, and still wants every reply.
        (format!("ncat --ssl 127.0.0.1 {port}"), "ping\n"),
    ] {
        let Some(output) = tool(&folder, &line, input) else { continue };
        let said = objects(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(said.len() >= 2, "{line}: {said:?} {errors}");
        assert_eq!((&said[0]["type"], &said[1]["type"]), (&json!("hello"), &json!("ping")));
        assert_eq!(said[1]["status"], "ok", "{line}");
    }
    let line = format!(
        "curl --silent --show-error --cacert ca.pem --resolve localhost:{port}:127.0.0.1 \
         https://localhost:{port}/readyz"
    );
    if let Some(output) = tool(&folder, &line, "") {
        let said = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.contains("ready"), "{said} {errors}");
    }
}

#[test]
fn wss_and_plain_lines_share_a_room_and_the_page_of_https_may_connect() {
    let folder = Folder::new("tls-room");
    issue(&folder);
    let server = Server::start(&folder, &FLAGS);
    let url = format!("wss://{}/ws", server.address);
    let mut request = url.as_str().into_client_request().expect("a request");
    let origin = format!("https://{}", server.address);
    request.headers_mut().insert("Origin", origin.parse().expect("a header"));
    let stream = secure(&folder, &server.address).expect("a handshake");
    let (mut web, _) = tungstenite::client(request, stream).expect("an upgrade");
    let mut next = |request: Option<Value>| -> Value {
        if let Some(request) = request {
            web.send(Message::text(request.to_string())).expect("sent");
        }
        loop {
            if let Message::Text(text) = web.read().expect("a message") {
                break serde_json::from_str(&text).expect("an object");
            }
        }
    };
    assert_eq!(next(None)["type"], "hello");
    let ana = json!({"type": "register", "username": "ana", "password": "correct horse"});
    assert_eq!(next(Some(ana))["status"], "ok");
    let subscribe = json!({"type": "subscribe", "channel": "public:news"});
    assert_eq!(next(Some(subscribe))["status"], "ok");
    let (mut lines, _) = Client::register(&server.address, false, "bia");
    lines.ok(&json!({"type": "publish", "channel": "public:news", "payload": {"n": 7}}));
    let event = next(None);
    assert_eq!((&event["channel"], &event["payload"]["n"]), (&json!("public:news"), &json!(7)));
    // The control: a page that came without TLS is of another origin.
    let mut request = url.as_str().into_client_request().expect("a request");
    let origin = format!("http://example.com:{}", &server.address[10..]);
    request.headers_mut().insert("Origin", origin.parse().expect("a header"));
    let stream = secure(&folder, &server.address).expect("a handshake");
    let refused = tungstenite::client(request, stream).expect_err("another origin").to_string();
    assert!(refused.contains("403"), "{refused}");
}

#[test]
fn plain_is_refused_with_a_word_where_tls_is_required() {
    let folder = Folder::new("tls-required");
    issue(&folder);
    let server = Server::start(&folder, &[&FLAGS[..], &["--set", "tls.required=true"]].concat());
    let mut stream = TcpStream::connect(&server.address).expect("a connection");
    stream.write_all(b"ping\n").expect("sent");
    let mut said = Vec::new();
    stream.read_to_end(&mut said).expect("an end");
    let said = objects(&said);
    assert_eq!(said.len(), 1, "{said:?}");
    assert_eq!(said[0]["type"], "bye");
    assert_eq!(said[0]["payload"]["code"], 1008);
    assert_eq!(said[0]["payload"]["reason"], "only TLS is spoken here");
    let mut stream = secure(&folder, &server.address).expect("a handshake");
    stream.write_all(b"ping\n").expect("sent");
    let mut hello = String::new();
    BufReader::new(stream).read_line(&mut hello).expect("a line");
    assert!(hello.starts_with("{\"type\":\"hello\""), "{hello}");
}

/// A number of `/metrics`.
fn metric(address: &str, name: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("a connection");
    let request = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(request).expect("sent");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("text");
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name}")).to_owned()
}

fn until(mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < deadline, "never came true");
        std::thread::yield_now();
    }
}

#[test]
fn a_hang_up_reads_the_certificate_again_and_a_broken_one_changes_nothing() {
    let folder = Folder::new("tls-reload");
    issue(&folder);
    let server = Server::start(&folder, &FLAGS);
    let hang_up = || {
        let status = Command::new("kill").args(["-HUP", &server.id()]).status();
        assert!(status.expect("it runs").success());
    };
    let reloads = |result: &str| {
        metric(&server.address, &format!("stentor_tls_reloads_total{{result=\"{result}\"}}"))
    };
    let mut open = BufReader::new(secure(&folder, &server.address).expect("a handshake"));
    let mut ask = |word: &str| {
        open.get_mut().write_all(word.as_bytes()).expect("sent");
        let mut line = String::new();
        open.read_line(&mut line).expect("a line");
        line
    };
    ask("ping\n");

    folder.write("key.pem", "no key\n");
    hang_up();
    until(|| reloads("failed") == "1");
    assert!(secure(&folder, &server.address).is_ok(), "the old one is in use");

    issue(&folder);
    assert!(secure(&folder, &server.address).is_err(), "the control: this is not the old one");
    hang_up();
    until(|| reloads("ok") == "1");
    until(|| secure(&folder, &server.address).is_ok());
    assert!(ask("ping\n").contains("\"status\":\"ok\""), "who is in stays in");
}

#[test]
fn what_is_wrong_is_said_at_the_start_and_by_check() {
    let folder = Folder::new("tls-wrong");
    issue(&folder);
    let key = KeyPair::generate().expect("a key").serialize_pem();
    folder.write("other.pem", &key);
    let run = |arguments: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stentor"));
        command.args(arguments.split(' ')).current_dir(folder.path()).env_clear();
        let output = command.output().expect("it runs");
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(text).expect("text"))
    };
    for (arguments, said) in [
        (
            "--ephemeral --listen 127.0.0.1:0 --tls-cert cert.pem --tls-key other.pem",
            "error: other.pem does not belong to cert.pem (public keys differ)\n",
        ),
        (
            "--ephemeral --listen 127.0.0.1:0 --tls-cert cert.pem --tls-key none.pem",
            "error: none.pem: No such file or directory (os error 2)\n",
        ),
        (
            "--ephemeral --listen 127.0.0.1:0 --tls-cert cert.pem",
            "error: tls.cert and tls.key go together; a file that holds both is named twice\n",
        ),
        (
            "check --ephemeral --listen 127.0.0.1:0 --tls-cert cert.pem --tls-key other.pem",
            "fail tls     other.pem does not belong to cert.pem (public keys differ)\n",
        ),
    ] {
        let (good, text) = run(arguments);
        assert!(!good && text.contains(said), "{text}");
    }
    let good = "check --ephemeral --listen 127.0.0.1:0 --tls-cert cert.pem --tls-key key.pem";
    let (good, text) = run(good);
    assert!(good && text.contains("ok   tls     the certificate is good for "), "{text}");
    let (good, text) = run("check --ephemeral --listen 127.0.0.1:0");
    assert!(good && text.contains("ok   tls     none: "), "{text}");
}
