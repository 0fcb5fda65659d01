//! A whole server, on a real port, stopped by its handle.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

use super::*;
use crate::base::now::Now;
use crate::router::bus::Happening;
use crate::store::memory::Fail;

fn ephemeral() -> Config {
    Config {
        ephemeral: true,
        loops: Some(2),
        listen: vec!["127.0.0.1:0".parse().unwrap()],
        ..Config::default()
    }
}

/// What comes back for these lines, up to the end.
fn lines(address: SocketAddr, text: &str) -> Vec<serde_json::Value> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(text.as_bytes()).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn one_connection_gets_an_account_a_group_and_every_reply() {
    let launched = launch(ephemeral()).unwrap();
    let (address, handle) = (launched.local_addrs()[0], launched.handle());
    assert_eq!(launched.data(), &Data::Memory { key: None });
    let registry = launched.metrics().clone();
    let server = std::thread::spawn(move || launched.run());
    let got = lines(
        address,
        "{\"type\":\"register\",\"request_id\":\"1\",\"username\":\"ana\",\"password\":\"correct horse\"}\n\
         {\"type\":\"create_group\",\"request_id\":\"2\",\"group_name\":\"g\",\"member_ids\":[]}\n\
         {\"type\":\"get_user_chats\",\"request_id\":\"3\"}\n{\"type\":\"nonsense\"}\nhelp\n",
    );
    let told: Vec<_> = got
        .iter()
        .map(|line| (line["type"].as_str().unwrap(), line["status"].as_str().unwrap_or("event")))
        .collect();
    assert_eq!(
        told,
        [
            ("hello", "event"),
            ("register", "ok"),
            ("create_group", "ok"),
            ("get_user_chats", "ok"),
            ("nonsense", "error"),
            ("help", "ok"),
        ]
    );
    assert_eq!(got[3]["data"]["chats"][0]["name"], "g");
    let mut page = String::new();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").unwrap();
    stream.read_to_string(&mut page).unwrap();
    assert!(page.contains("stentor_commit_writes_count"), "{page}");
    drop(stream);
    handle.drain(Duration::ZERO);
    server.join().unwrap().unwrap();
    assert_eq!(registry.total("stentor_net_connections"), Some(0));
}

#[test]
fn an_fsync_that_fails_is_not_acknowledged_and_ends_the_server_with_its_reason() {
    let store = MemoryStore::new();
    store.fail_next(Fail::Fatal);
    let data = Data::Memory { key: None };
    let config = ephemeral();
    let listeners = bind(&config.listen).unwrap();
    let launched = assemble(config, listeners, None, (Box::new(store), data), None).unwrap();
    let address = launched.local_addrs()[0];
    let server = std::thread::spawn(move || launched.run());
    let got = lines(
        address,
        "{\"type\":\"register\",\"username\":\"ana\",\"password\":\"correct horse\"}\n",
    );
    assert!(got.iter().all(|line| line["status"] != "ok"), "{got:?}");
    let error = server.join().unwrap().unwrap_err().to_string();
    assert!(error.contains("the store failed (disk I/O error)"), "{error}");
}

#[test]
fn what_cannot_be_is_refused_in_words() {
    let mut config = ephemeral();
    config.allowed_origins = vec!["example.com".into()];
    let error = launch(config).unwrap_err().to_string();
    assert!(error.starts_with("http.allowed_origins: `example.com` is no origin"), "{error}");
    let mut config = ephemeral();
    config.set_pair("limits.outbox_bytes=1024").unwrap();
    config.set_pair("limits.outbox_soft_bytes=2048").unwrap();
    let error = launch(config).unwrap_err().to_string();
    assert!(error.contains("at most limits.outbox_bytes"), "{error}");
}

/// Keeps the words of what it is told.
#[derive(Debug, Default)]
struct Told(std::sync::Mutex<Vec<Happening>>);

impl Observer for Told {
    fn happened(&self, now: Now, happening: &Happening) {
        assert!(now.unix_ms > 0);
        self.0.lock().unwrap().push(happening.clone());
    }
}

#[test]
fn an_embedder_is_told_of_what_happens() {
    let told = Arc::new(Told::default());
    let launched = launch_observed(ephemeral(), told.clone()).unwrap();
    let (address, handle) = (launched.local_addrs()[0], launched.handle());
    let server = std::thread::spawn(move || launched.run());
    let got = lines(
        address,
        "{\"type\":\"login\",\"username\":\"ana\",\"password\":\"correct horse\"}\n\
         {\"type\":\"register\",\"username\":\"ana\",\"password\":\"correct horse\"}\n\
         {\"type\":\"subscribe\",\"channel\":\"public:a\"}\n\
         {\"type\":\"publish\",\"channel\":\"public:a\",\"payload\":{},\"echo\":false}\n",
    );
    assert_eq!(got.len(), 5, "{got:?}");
    handle.drain(Duration::ZERO);
    server.join().unwrap().unwrap();
    let told = told.0.lock().unwrap();
    let mut words: Vec<_> = told.iter().map(Happening::word).collect();
    // Another loop may be the home of the channel.
    words.sort_unstable();
    assert_eq!(
        words,
        ["auth_failure", "connect", "disconnect", "publish", "subscribe"],
        "{told:?}"
    );
    let here = |happening: &&Happening| {
        matches!(happening, Happening::Connect { door: "lines", client_ip: Some(ip), .. }
            if ip.is_loopback())
    };
    assert_eq!(told.iter().filter(here).count(), 1, "{told:?}");
}
